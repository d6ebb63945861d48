// Puts the page together: which thread is open, what is sent, what the server says.

import * as store from "./store.js";
import { post, Stream, transcript } from "./api.js";
import { Composer } from "./composer.js";
import { Conversation, keyOf } from "./conversation.js";
import { Sidebar } from "./sidebar.js";
import { MessageList } from "./view.js";

const HIDDEN_LIMIT_MS = 60_000;
const BANNER_DELAY_MS = 1_200;
const NEAR_END_PX = 80;
const MAX_ANNOUNCED_CHARS = 400;

const byId = (id) => document.getElementById(id);
const scroll = byId("scroll");
const isNear = () => scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < NEAR_END_PX;

class App {
  conversation = null;
  stream = null;
  sticks = true; // to the end of the conversation, as it grows
  top = 0;
  bannerTimer = null;
  hiddenTimer = null;
  loads = 0;
  news = 0;

  constructor() {
    this.sidebar = new Sidebar({ onOpen: (id) => this.open(id), onNew: () => this.open(store.newId("t-")) });
    this.composer = new Composer({ onSend: (text) => this.send(text) });
    this.list = new MessageList(byId("messages"), {
      onAskAgain: (message) => this.send(message.text),
      onPick: (message, choice) => this.pick(this.conversation, message, choice),
      onResend: (message) => this.deliver(this.conversation, message),
      onStop: (message) => this.stop(message),
    });
    this.listen();
    const wanted = threadInAddress() ?? store.currentThread();
    this.open(store.isId(wanted) ? wanted : store.newId("t-"), { replace: true });
  }

  listen() {
    addEventListener("hashchange", () => {
      const id = threadInAddress();
      if (id && id !== this.conversation.id) this.open(id, { replace: true });
    });
    addEventListener("online", () => this.stream?.hurry());
    addEventListener("offline", () => this.lost(null));
    addEventListener("storage", () => this.sidebar.show(this.conversation.id));
    document.addEventListener("visibilitychange", () => this.visibility());
    addEventListener("pagehide", () => this.rest()); // a browser may keep a page that was left
    addEventListener("pageshow", () => this.stream ?? this.follow());
    document.addEventListener("keydown", (event) => this.key(event));
    scroll.addEventListener("scroll", () => this.scrolled(), { passive: true });
    const growth = new ResizeObserver(() => this.keepAtEnd());
    growth.observe(scroll);
    growth.observe(byId("messages"));
    byId("to-end").addEventListener("click", () => this.toEnd("smooth"));
    byId("skip").addEventListener("click", (event) => {
      event.preventDefault();
      this.composer.focus();
    });
    for (const button of byId("examples").querySelectorAll("button")) {
      button.addEventListener("click", () => this.send(button.textContent));
    }
    byId("token-form").addEventListener("submit", () => {
      store.setToken(byId("token").value.trim());
      byId("token").value = "";
      this.stream?.hurry();
    });
  }

  /** Show another conversation. */
  open(id, { replace = false } = {}) {
    const address = `#t/${id}`;
    if (location.hash !== address) history[replace ? "replaceState" : "pushState"](null, "", address);
    this.stream?.close();
    this.conversation = new Conversation(id);
    for (const own of store.unsent(id)) {
      this.conversation.addOwn(own.key, own.text, own.time, "unsent", own.error ?? UNKNOWN_FATE);
    }
    store.setCurrentThread(id);
    this.list.clear();
    this.composer.open(id);
    this.sidebar.show(id);
    this.sticks = true;
    this.follow();
    this.show();
    if (matchMedia("(min-width: 48.01rem)").matches) this.composer.focus();
  }

  follow() {
    const conversation = this.conversation;
    this.stream = new Stream(conversation.id, {
      onOpen: () => this.load(conversation),
      onEvent: (name, data) => this.take(conversation, name, data),
      onLost: (refusal) => this.conversation === conversation && this.lost(refusal),
    });
  }

  /** Read the transcript; the stream is open already, so nothing falls between the two. */
  async load(conversation) {
    this.loads += 1;
    const load = this.loads;
    for (let wait = 500; this.conversation === conversation && this.loads === load; wait = Math.min(wait * 2, 8000)) {
      try {
        const { messages, has_earlier } = await transcript(conversation.id);
        if (this.conversation !== conversation) return;
        conversation.load(messages);
        conversation.hasEarlier = has_earlier;
        this.settleUnsent(conversation, messages);
        this.found();
        this.show();
        return;
      } catch (refusal) {
        this.lost(refusal);
        await new Promise((resolve) => setTimeout(resolve, wait));
      }
    }
  }

  settleUnsent(conversation, entries) {
    for (const { id, role } of entries) if (role === "user") store.removeUnsent(conversation.id, keyOf(id));
    const first = entries.find((entry) => entry.role === "user");
    const isListed = store.threads().some((thread) => thread.id === conversation.id);
    if (first && !isListed) store.touchThread(conversation.id, first.text);
  }

  take(conversation, name, data) {
    if (this.conversation !== conversation) return;
    const message = conversation.apply(name, data);
    if (name === "stored") store.removeUnsent(conversation.id, message.key);
    if (name === "final") this.announce(`Answer: ${data.text.slice(0, MAX_ANNOUNCED_CHARS)}`);
    if (name === "error") this.announce(`No answer: ${data.error.message}`);
    if (name === "joined") this.announce("Answered together with another message.");
    if ((name === "final" || name === "error") && document.hidden) this.news += 1;
    this.show();
  }

  /** Send what was written: it is shown at once, and marked until the server has it. */
  send(text) {
    const message = this.conversation.addOwn(store.newId("m-"), text, new Date().toISOString());
    store.touchThread(this.conversation.id, text);
    this.sidebar.show(this.conversation.id);
    this.sticks = true;
    this.deliver(this.conversation, message);
    this.composer.focus();
  }

  /** Ask for an end of the work on *message*; the answer to that is shown like any other. */
  stop(message) {
    message.isStopping = true;
    this.send(`!stop ${message.run}`);
  }

  /** Pick what is offered below the error of *message*. However often it is picked, it is one message. */
  async pick(conversation, message, choice) {
    message.isPicked = true;
    message.pickAnswer = null;
    this.show();
    try {
      await post(conversation.id, choice.id, choice.text);
    } catch (refusal) {
      message.isPicked = false;
      message.pickAnswer = `${refusal.message} ${refusal.hint}`;
      this.announce(`Not sent: ${refusal.message}`);
      if (refusal.status === 401) this.lost(refusal);
    }
    if (this.conversation === conversation) this.show();
  }

  async deliver(conversation, message) {
    const own = { key: message.key, text: message.text, time: message.time };
    store.addUnsent(conversation.id, own);
    message.state = "sending";
    message.error = null;
    this.show();
    try {
      await post(conversation.id, message.key, message.text);
      store.removeUnsent(conversation.id, message.key);
      conversation.apply("stored", { message_id: message.key });
    } catch (refusal) {
      const { code, message: text, hint, status } = refusal;
      const error = { code, message: text, hint };
      conversation.addOwn(message.key, message.text, message.time, "unsent", error);
      store.addUnsent(conversation.id, { ...own, error });
      this.announce(`Not sent: ${text}`);
      if (status === 401) this.lost(refusal);
    }
    if (this.conversation === conversation) this.show();
  }

  show() {
    const { conversation } = this;
    const messages = conversation.shown;
    const isEmpty = messages.length === 0;
    byId("earlier").hidden = !conversation.hasEarlier;
    byId("empty").hidden = !isEmpty || (!conversation.isLoaded && isListed(conversation.id));
    this.list.show(messages);
    const title = titleFor(conversation.id);
    byId("title").textContent = title;
    document.title = `${this.news ? `(${this.news}) ` : ""}${title} · Sympozium`;
    this.keepAtEnd();
  }

  /** Only who scrolls up leaves the end; an answer that grows or a window that shrinks does not. */
  scrolled() {
    const isUp = scroll.scrollTop < this.top - 1;
    this.top = scroll.scrollTop;
    if (isNear()) this.sticks = true;
    else if (isUp) this.sticks = false;
    byId("to-end").hidden = this.sticks || isNear();
  }

  keepAtEnd() {
    if (this.sticks) this.toEnd("instant");
    else byId("to-end").hidden = isNear();
  }

  toEnd(behavior) {
    const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    scroll.scrollTo({ top: scroll.scrollHeight, behavior: isCalm ? "instant" : behavior });
    this.sticks = true;
    byId("to-end").hidden = true;
  }

  found() {
    clearTimeout(this.bannerTimer);
    this.bannerTimer = null;
    byId("banner").hidden = true;
  }

  /** Say that the server is away, unless it is back in a moment. */
  lost(refusal) {
    if (refusal?.status === 401) return this.askForToken();
    const text = refusal?.status === 503 ? `${refusal.message} Trying again…`
      : refusal?.status === 403 ? `${refusal.message} ${refusal.hint}`
        : navigator.onLine ? "The connection is lost. Reconnecting…" : "This device is offline.";
    this.bannerText = text;
    this.bannerTimer ??= setTimeout(() => {
      byId("banner").textContent = this.bannerText;
      byId("banner").hidden = false;
    }, BANNER_DELAY_MS);
    if (!byId("banner").hidden) byId("banner").textContent = text;
    return undefined;
  }

  askForToken() {
    const dialog = byId("token-dialog");
    if (dialog.open) return;
    if (store.token()) byId("token-text").textContent = "That token was not accepted. Try again.";
    store.setToken("");
    dialog.showModal();
  }

  /** A browser opens few connections to one server: a page that nobody sees gives its own back. */
  visibility() {
    clearTimeout(this.hiddenTimer);
    if (!document.hidden) {
      this.news = 0;
      if (!this.stream) this.follow();
      this.show();
      return;
    }
    this.hiddenTimer = setTimeout(() => {
      if (this.conversation.isWaiting) this.visibility();
      else this.rest();
    }, HIDDEN_LIMIT_MS);
  }

  rest() {
    this.stream?.close();
    this.stream = null;
  }

  key(event) {
    const isTyping = event.target.matches("input, textarea, select");
    if (event.key === "Escape") this.escape(event);
    else if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") this.startThread(event);
    else if (isTyping || event.ctrlKey || event.metaKey || event.altKey || byId("token-dialog").open) return;
    else if (event.key === "n") this.startThread(event);
    else if (event.key === "/") this.toComposer(event);
    else if (event.key === "j" || (event.key === "ArrowDown" && inThreads(event))) this.move(event, 1);
    else if (event.key === "k" || (event.key === "ArrowUp" && inThreads(event))) this.move(event, -1);
  }

  startThread(event) {
    event.preventDefault();
    this.sidebar.close();
    this.open(store.newId("t-"));
    this.composer.focus();
  }

  toComposer(event) {
    event.preventDefault();
    this.composer.focus();
  }

  move(event, step) {
    event.preventDefault();
    const wasInThreads = inThreads(event);
    this.sidebar.move(step);
    document.activeElement?.blur();
    if (wasInThreads) byId("threads").querySelector("[aria-current]")?.focus();
  }

  escape(event) {
    if (this.sidebar.isOpen) this.sidebar.close();
    else if (event.target === byId("message")) {
      byId("message").blur();
      scroll.focus({ preventScroll: true });
    }
  }

  announce(text) {
    byId("announcer").textContent = text;
  }
}

const UNKNOWN_FATE = {
  code: "unconfirmed",
  message: "The page was left before the server confirmed this message.",
  hint: "Send it again: if it was stored after all, it is still answered once.",
};

const inThreads = (event) => byId("threads").contains(event.target);
const isListed = (id) => store.threads().some((thread) => thread.id === id);
const titleFor = (id) => store.threads().find((thread) => thread.id === id)?.title || "New thread";

function threadInAddress() {
  const id = /^#t\/(.+)$/.exec(location.hash)?.[1];
  return store.isId(id) ? id : null;
}

new App();
