// One conversation as this page knows it. What is said about it twice, late or in
// another order leads to the same picture: a state never goes back.

const RANK = { sending: 0, unsent: 0, stored: 1, running: 2, done: 3, failed: 3 };

/** The client's own part of a message id: `web:<ns>/<channel>:<conversation>:<key>`. */
export const keyOf = (messageId) => messageId.slice(messageId.lastIndexOf(":") + 1);

/** The key of what is tried again with another message, `<key>~1`; null: it is no other try. */
const firstOf = (key) => (key.includes("~") ? key.slice(0, key.lastIndexOf("~")) : null);

export class Conversation {
  #picks = new Map(); // from the id of what may be picked below an error to that error's message

  constructor(id) {
    this.id = id;
    this.isLoaded = false;
    this.hasEarlier = false;
    this.messages = new Map();
  }

  /** Add a message of this page before the server knows it. */
  addOwn(key, text, time, state = "sending", error = null) {
    const message = this.#at(key);
    message.text = text;
    message.time ??= time;
    message.isOwn = true;
    if (RANK[message.state] === 0) {
      message.state = state;
      message.error = error;
    }
    return message;
  }

  /** Take in the server's transcript. It gives the order; messages it lacks stand last. */
  load(entries) {
    const before = this.messages;
    this.messages = new Map();
    for (const entry of entries) {
      const key = entry.role === "user" ? keyOf(entry.id) : keyOf(entry.in_reply_to ?? entry.id);
      const offered = this.#offering(key);
      if (offered) {
        if (entry.role !== "user") answerPick(offered, entry.error?.message ?? entry.text);
        continue;
      }
      if (before.has(key)) {
        this.messages.set(key, before.get(key));
        before.delete(key);
      }
      if (entry.role === "user") this.#loadQuestion(key, entry);
      else this.#end(key, entry.text, entry.error, entry.time, entry);
    }
    for (const [key, message] of before) if (!this.#picks.has(key)) this.messages.set(key, message);
    this.isLoaded = true;
  }

  /** Take in one event; return the message it was about. */
  apply(name, data) {
    const offered = this.#offering(keyOf(data.message_id));
    if (offered) {
      if (name === "final" || name === "error") answerPick(offered, data.error?.message ?? data.text);
      return offered;
    }
    const message = this.#at(keyOf(data.message_id));
    if (name === "stored") {
      message.text ??= data.text;
      message.time ??= data.time;
      this.#advance(message, "stored");
    } else if (name === "running") {
      this.#advance(message, "running");
      message.run = data.run || null;
      message.waiting = null;
    } else if (name === "waiting") {
      this.#advance(message, "running");
      message.waiting = { before: data.before ?? null, forCapacity: data.for_capacity, isQueued: data.queued };
    } else if (name === "progress") {
      this.#advance(message, "running");
      message.tool = data.state === "started" ? data.tool : null;
      message.waiting = null;
    } else if (name === "delta") {
      this.#advance(message, "running");
      if (message.state === "running") applyDelta(message, data);
      message.waiting = null;
    } else if (name === "final" || name === "error") {
      const error = name === "error" ? data.error : null;
      this.#end(message.key, data.text ?? "", error, new Date().toISOString(), data);
    } else if (name === "joined" || name === "dropped") {
      this.#advance(message, "done");
      message.ending = name;
      message.answeredWith = data.answered_with ? keyOf(data.answered_with) : null;
      message.draft = message.tool = null;
    }
    return message;
  }

  /** The messages in the order to show them: another try stands below what is tried again. */
  get shown() {
    const all = [...this.messages.values()];
    const tries = new Map(all.map((message) => [message.key, []]));
    for (const message of all) {
      const first = this.messages.get(firstOf(message.key));
      message.isAgain = first !== undefined;
      if (!first) continue;
      message.text ??= first.text;
      tries.get(first.key).push(message);
    }
    const withTries = (message) => {
      message.isTriedAgain = tries.get(message.key).length > 0;
      return [message, ...tries.get(message.key).flatMap(withTries)];
    };
    return all.filter((message) => !message.isAgain).flatMap(withTries);
  }

  /** Whether an answer is being waited for. */
  get isWaiting() {
    return [...this.messages.values()].some((m) => m.state === "stored" || m.state === "running");
  }

  /** The message below whose error *key* was offered, if it is known. */
  #offering(key) {
    return this.messages.get(this.#picks.get(key));
  }

  #at(key) {
    let message = this.messages.get(key);
    if (!message) {
      message = {
        key, text: null, time: null, state: "sending", isOwn: false, error: null,
        answer: null, answeredAt: null, draft: null, tool: null, startedAt: null,
        run: null, isStopping: false, ending: null, answeredWith: null, waiting: null, sentFiles: [], files: [],
        choices: [], isPicked: false, pickAnswer: null, isAgain: false, isTriedAgain: false,
      };
      this.messages.set(key, message);
    }
    return message;
  }

  #loadQuestion(key, entry) {
    const message = this.#at(key);
    message.text = entry.text;
    message.time = entry.time;
    message.sentFiles = entry.files ?? [];
    this.#advance(message, entry.state);
  }

  #advance(message, state) {
    if (RANK[state] <= RANK[message.state]) return;
    message.state = state;
    message.error = null;
    if (state === "running") message.startedAt = Date.now();
  }

  #end(key, text, error, time, { files, choices }) {
    const message = this.#at(key);
    message.state = error ? "failed" : "done";
    message.error = error ?? null;
    message.answer = error ? null : text;
    message.files = files ?? [];
    message.choices = (error && choices) || [];
    for (const choice of message.choices) this.#picks.set(choice.id, key);
    message.answeredAt ??= time;
    message.draft = null;
    message.tool = null;
  }
}

/** Take in what was said to the picking of something below *message*: nothing came of it. */
function answerPick(message, text) {
  message.isPicked = false;
  message.pickAnswer = text;
}

/** Put a piece of the growing answer where it belongs. Offsets count characters, not UTF-16 units. */
function applyDelta(message, { text, offset }) {
  const draft = (message.draft ??= { text: "", from: 0, chars: 0 });
  const end = draft.from + draft.chars;
  if (offset === end) {
    draft.text += text;
  } else if (offset > draft.from && offset < end) {
    draft.text = Array.from(draft.text).slice(0, offset - draft.from).join("") + text;
  } else {
    draft.text = text;
    draft.from = offset;
  }
  draft.chars = offset - draft.from + Array.from(text).length;
  message.tool = null;
}
