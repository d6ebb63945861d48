// The messages of a conversation as DOM. A message keeps its nodes; only what changed is touched.

import { renderInto } from "./markdown.js";

const STATE_TEXT = {
  sending: "Sending…",
  unsent: "Not sent",
  stored: "Stored, waits for an agent",
  running: "Running",
  done: "Done",
  failed: "Failed",
};

const HINTS = {
  ModelUnreachable: "Check the model's address and that its server is up, then ask again.",
  ModelRefused: "Check the key, the model's name and its address in the Agent.",
  ModelTimeout: "The model may be busy. Ask again in a moment.",
  ModelOverloaded: "The model may be busy. Ask again in a moment.",
  DeadlineExceeded: "Ask for less at once, or raise the Agent's timeout.",
  AccessDenied: "Ask whoever runs this channel to add you to its access list.",
};

const RENDER_PAUSE_MS = 60;
const RENDER_PAUSE_LONG_MS = 300;
const LONG_CHARS = 20_000;
const MAX_NAMED_CHARS = 80;

export class MessageList {
  #views = new Map();

  constructor(list, { onAskAgain, onPick, onResend, onStop }) {
    this.list = list;
    this.onAskAgain = onAskAgain;
    this.onPick = onPick;
    this.onResend = onResend;
    this.onStop = onStop;
    setInterval(() => this.tick(), 1000);
  }

  /** Show the messages of another conversation. */
  clear() {
    this.#views.clear();
    this.list.replaceChildren();
  }

  /** Show *messages*, in order. */
  show(messages) {
    let previous = null;
    for (const message of messages) {
      const view = this.#viewOf(message);
      const wanted = previous ? previous.node.nextSibling : this.list.firstChild;
      if (view.node !== wanted) this.list.insertBefore(view.node, wanted);
      view.update();
      previous = view;
    }
    const keys = new Set(messages.map(({ key }) => key));
    for (const [key, view] of this.#views) if (!keys.has(key)) this.#remove(key, view);
  }

  tick() {
    for (const view of this.#views.values()) view.tick();
  }

  /** Return what was asked in another message, or null where it is not shown. */
  questionOf(key) {
    return this.#views.get(key)?.message.text ?? null;
  }

  #remove(key, view) {
    this.#views.delete(key);
    view.node.remove();
  }

  #viewOf(message) {
    let view = this.#views.get(message.key);
    if (view?.message !== message) {
      view?.node.remove();
      view = new MessageView(message, this);
      this.#views.set(message.key, view);
    }
    return view;
  }
}

class MessageView {
  #shownAnswer = null;
  #timer = null;
  #renderedAt = 0;

  constructor(message, list) {
    this.message = message;
    this.list = list;
    this.node = make("li", "exchange");
    this.node.dataset.key = message.key;
    this.question = make("div", "question");
    this.text = make("p", "said");
    this.meta = make("p", "meta");
    this.answer = make("article", "answer");
    this.answer.setAttribute("aria-label", "Answer");
    this.body = make("div", "prose");
    this.activity = make("p", "activity");
    this.stop = textOf("button", "stop", "Stop");
    this.stop.type = "button";
    this.stop.addEventListener("click", () => this.list.onStop(this.message));
    this.note = make("p", "note");
    this.sentFiles = make("ul", "files");
    this.files = make("ul", "files");
    this.problem = make("div", "problem");
    this.answer.append(this.body, this.files, this.activity, this.stop, this.note, this.problem);
    this.you = visuallyHidden("You: ");
    this.question.append(this.you, this.text, this.sentFiles, this.meta);
    this.node.append(this.question, this.answer);
  }

  update() {
    const { message } = this;
    this.node.dataset.state = message.state;
    this.question.hidden = message.text === null;
    this.you.hidden = this.text.hidden = message.isAgain;
    if (this.text.textContent !== (message.text ?? "")) this.text.textContent = message.text ?? "";
    this.#showMeta();
    this.#showAnswer();
    this.#showProblem();
    this.#showStop();
    this.#showNote();
    showFiles(this.sentFiles, message.isAgain ? [] : message.sentFiles);
    showFiles(this.files, message.files);
    this.tick();
    const isRunning = message.state === "running";
    this.answer.hidden = !(message.answer !== null || message.draft || message.error || isRunning || !this.note.hidden);
  }

  /** Show how long it has been running. */
  tick() {
    const { message } = this;
    const isRunning = message.state === "running";
    this.activity.hidden = !isRunning;
    this.answer.setAttribute("aria-busy", String(isRunning));
    if (!isRunning) return;
    if (message.waiting) {
      setText(this.activity, waitingText(message.waiting));
      return;
    }
    const since = Math.min(Date.parse(message.time) || message.startedAt, message.startedAt);
    const doing = message.tool ? `uses ${message.tool}` : message.draft ? "is writing" : "is thinking";
    setText(this.activity, `The agent ${doing} · ${duration(Date.now() - since)}`);
  }

  #showStop() {
    const { message } = this;
    this.stop.hidden = message.state !== "running" || !message.run;
    this.stop.disabled = message.isStopping;
    setText(this.stop, message.isStopping ? "Stopping…" : "Stop");
    this.stop.setAttribute("aria-label", `Stop working on: ${(message.text ?? "this message").slice(0, MAX_NAMED_CHARS)}`);
  }

  /** Say why a message that is done has no answer of its own. */
  #showNote() {
    const { message } = this;
    this.note.hidden = message.state !== "done" || message.answer !== null;
    if (this.note.hidden) return;
    const other = message.answeredWith && this.list.questionOf(message.answeredWith);
    const named = other ? `“${other.slice(0, MAX_NAMED_CHARS)}”` : "another message";
    setText(this.note, message.ending === "dropped" ? "This message needed no answer." : `Answered together with ${named}.`);
  }

  #showMeta() {
    const { message } = this;
    const state = make("span", `state ${message.state}`);
    state.textContent = STATE_TEXT[message.state];
    if (message.state === "done" && message.time && message.answeredAt) {
      const took = Date.parse(message.answeredAt) - Date.parse(message.time);
      if (took >= 0) state.textContent += ` in ${duration(took)}`;
    }
    const parts = [state];
    if (message.time) parts.unshift(clock(message.time));
    if (message.isAgain) parts.unshift(textOf("span", "tried-again", "Tried again"));
    const signature = parts.map((part) => part.textContent).join();
    if (this.meta.dataset.shown === signature) return;
    this.meta.dataset.shown = signature;
    this.meta.replaceChildren(...parts);
  }

  #showAnswer() {
    const { message } = this;
    const text = message.answer ?? (message.draft ? (message.draft.from > 0 ? "… " : "") + message.draft.text : "");
    if (text === this.#shownAnswer) return;
    const pause = text.length > LONG_CHARS ? RENDER_PAUSE_LONG_MS : RENDER_PAUSE_MS;
    const left = this.#renderedAt + pause - performance.now();
    clearTimeout(this.#timer);
    if (message.answer === null && left > 0) {
      this.#timer = setTimeout(() => this.#showAnswer(), left);
      return;
    }
    this.#shownAnswer = text;
    this.#renderedAt = performance.now();
    renderInto(this.body, text);
  }

  #showProblem() {
    const { message } = this;
    const { error } = message;
    const { choices, isPicked, isTriedAgain, pickAnswer } = message;
    const offers = JSON.stringify([choices, isPicked, isTriedAgain, pickAnswer]);
    const signature = error ? `${message.state} ${error.code} ${error.message} ${offers}` : "";
    if (this.problem.dataset.shown === signature) return;
    this.problem.dataset.shown = signature;
    this.problem.hidden = !error;
    this.problem.replaceChildren();
    if (!error) return;
    const isUnsent = message.state === "unsent";
    const title = make("p", "problem-title");
    title.textContent = isUnsent ? "This message was not stored" : "No answer";
    const sentence = make("p", "problem-text");
    sentence.textContent = error.message;
    this.problem.append(title, sentence);
    const hint = error.hint ?? HINTS[error.code];
    if (hint) this.problem.append(textOf("p", "problem-hint", hint));
    if (pickAnswer) this.problem.append(textOf("p", "problem-hint", pickAnswer));
    const foot = make("p", "problem-foot");
    foot.append(...this.#waysOn(isUnsent));
    if (error.code) foot.append(textOf("code", "problem-code", error.code));
    this.problem.append(foot);
  }

  /** Return the buttons below an error. What the system offers comes before asking anew. */
  #waysOn(isUnsent) {
    const { message, list } = this;
    if (message.isTriedAgain) return [];
    if (isUnsent) return [button("again", "Send again", () => list.onResend(message))];
    if (message.choices.length === 0) {
      if (message.text === null) return [];
      return [button("again", "Ask again", () => list.onAskAgain(message))];
    }
    return message.choices.map((choice) => {
      const label = message.isPicked ? `${choice.label}…` : choice.label;
      const made = button("again pick", label, () => list.onPick(message, choice));
      made.disabled = message.isPicked;
      return made;
    });
  }
}

/** Return a time span as people read it. */
export function duration(ms) {
  if (ms < 9_950) return `${(Math.max(ms, 0) / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

function clock(time) {
  const moment = new Date(time);
  const made = make("time", "clock");
  made.dateTime = time;
  const isToday = moment.toDateString() === new Date().toDateString();
  const day = isToday ? {} : { day: "numeric", month: "short" };
  made.textContent = moment.toLocaleString(undefined, { hour: "2-digit", minute: "2-digit", ...day });
  made.title = moment.toLocaleString();
  return made;
}

function make(name, className) {
  const made = document.createElement(name);
  made.className = className;
  return made;
}

function textOf(name, className, text) {
  const made = make(name, className);
  made.textContent = text;
  return made;
}

function button(className, label, onClick) {
  const made = textOf("button", className, label);
  made.type = "button";
  made.addEventListener("click", onClick);
  return made;
}

/** Name files; their content is not to be had here. */
function showFiles(list, files) {
  const shown = files.map(({ name, size_bytes }) => `${name} (${size(size_bytes)})`);
  const signature = shown.join("\n");
  list.hidden = shown.length === 0;
  if (list.dataset.shown === signature) return;
  list.dataset.shown = signature;
  list.replaceChildren(...shown.map((text) => textOf("li", "file", text)));
}

function size(bytes) {
  if (bytes < 1024) return `${bytes} bytes`;
  return bytes < 1024 * 1024 ? `${Math.round(bytes / 1024)} KiB` : `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}

const visuallyHidden = (text) => textOf("span", "visually-hidden", text);

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Say what a message waits for that nobody works on yet. */
function waitingText({ before, forCapacity, isQueued }) {
  if (isQueued) return "Queued";
  const what = forCapacity ? "Waiting for capacity" : "Waiting";
  return before ? `${what}: ${before} before you` : what;
}
