// The box in which messages are written. What is written survives a reload.

import * as store from "./store.js";

const MAX_TEXT_BYTES = 64 * 1024;
const SHOW_SIZE_FROM_BYTES = 56 * 1024;
const encoder = new TextEncoder();

export class Composer {
  #conversation = null;

  constructor({ onSend }) {
    this.onSend = onSend;
    this.form = document.getElementById("composer");
    this.box = document.getElementById("message");
    this.button = document.getElementById("send");
    this.sizeHint = document.getElementById("size-hint");
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    this.box.addEventListener("keydown", (event) => {
      const isPlainEnter = event.key === "Enter" && !event.shiftKey && !event.altKey;
      if (!isPlainEnter || event.isComposing) return;
      event.preventDefault();
      this.#send();
    });
    this.box.addEventListener("input", () => {
      store.setDraft(this.#conversation, this.box.value);
      this.#fit();
    });
  }

  /** Show what was being written in a conversation. */
  open(conversation) {
    this.#conversation = conversation;
    this.box.value = store.draft(conversation);
    this.#fit();
  }

  focus() {
    this.box.focus();
  }

  #send() {
    const text = this.box.value;
    if (!text.trim() || this.#isTooLong) return;
    this.box.value = "";
    store.setDraft(this.#conversation, "");
    this.#fit();
    this.onSend(text);
  }

  get #isTooLong() {
    return this.box.value.length > MAX_TEXT_BYTES / 3 && encoder.encode(this.box.value).length > MAX_TEXT_BYTES;
  }

  #fit() {
    this.box.style.height = "auto";
    this.box.style.height = `${this.box.scrollHeight + 2}px`;
    const isTooLong = this.#isTooLong;
    this.button.disabled = !this.box.value.trim() || isTooLong;
    this.box.setAttribute("aria-invalid", String(isTooLong));
    const bytes = this.box.value.length > SHOW_SIZE_FROM_BYTES / 3 ? encoder.encode(this.box.value).length : 0;
    this.sizeHint.textContent = bytes < SHOW_SIZE_FROM_BYTES ? "" : `${Math.ceil(bytes / 1024)} of 64 KiB${isTooLong ? ": too long" : ""}`;
  }
}
