// The list of threads at the left, which is a drawer on a narrow screen.

import * as store from "./store.js";

const NARROW = matchMedia("(max-width: 48rem)");

export class Sidebar {
  #current = null;

  constructor({ onOpen, onNew }) {
    this.onOpen = onOpen;
    this.side = document.getElementById("side");
    this.main = document.getElementById("main");
    this.veil = document.getElementById("veil");
    this.opener = document.getElementById("open-side");
    this.list = document.getElementById("threads");
    for (const id of ["new-thread", "new-small"]) {
      document.getElementById(id).addEventListener("click", () => {
        this.close();
        onNew();
      });
    }
    this.opener.addEventListener("click", () => this.open());
    document.getElementById("close-side").addEventListener("click", () => this.close());
    this.veil.addEventListener("click", () => this.close());
    NARROW.addEventListener("change", () => this.#place());
    this.#place();
  }

  /** Show the threads, with *current* marked. */
  show(current) {
    this.#current = current;
    this.list.replaceChildren(...store.threads().map((thread) => this.#item(thread)));
  }

  /** Go to the thread that is *step* further down the list. */
  move(step) {
    const ids = store.threads().map((thread) => thread.id);
    if (!ids.length) return;
    const at = ids.indexOf(this.#current);
    const next = at < 0 ? 0 : Math.min(Math.max(at + step, 0), ids.length - 1);
    if (ids[next] === this.#current) return;
    this.onOpen(ids[next]);
    this.list.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
  }

  get isOpen() {
    return NARROW.matches && this.side.classList.contains("open");
  }

  open() {
    this.side.classList.add("open");
    this.#place();
    document.getElementById("close-side").focus();
  }

  close() {
    const wasOpen = this.isOpen;
    this.side.classList.remove("open");
    this.#place();
    if (wasOpen) this.opener.focus();
  }

  #place() {
    const isDrawer = NARROW.matches;
    this.side.inert = isDrawer && !this.isOpen;
    this.main.inert = this.isOpen;
    this.veil.hidden = !this.isOpen;
    this.opener.setAttribute("aria-expanded", String(this.isOpen));
  }

  #item(thread) {
    const item = document.createElement("li");
    const link = document.createElement("a");
    link.href = `#t/${thread.id}`;
    link.textContent = thread.title || "Untitled";
    link.title = link.textContent;
    if (thread.id === this.#current) link.setAttribute("aria-current", "page");
    link.addEventListener("click", (event) => {
      if (event.metaKey || event.ctrlKey || event.shiftKey) return;
      event.preventDefault();
      this.close();
      this.onOpen(thread.id);
    });
    item.append(link);
    return item;
  }
}
