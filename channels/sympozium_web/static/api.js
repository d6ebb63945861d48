// Talking to the web channel: posting, the transcript, and the event stream with its resumption.

import * as store from "./store.js";

const SILENCE_LIMIT_MS = 40_000; // the server says something every 15 s
const FIRST_WAIT_MS = 400;
const LONGEST_WAIT_MS = 8_000;
const REQUEST_TIMEOUT_MS = 15_000;

/** An answer that is not what was asked for: `code`, `message`, `hint`, `status` (0: no answer). */
export class Refusal extends Error {
  constructor(status, { code, message, hint }) {
    super(message);
    this.status = status;
    this.code = code;
    this.hint = hint;
  }
}

const UNREACHABLE = {
  code: "unreachable",
  message: "The server cannot be reached.",
  hint: "It is tried again by itself; see whether Sympozium is running.",
};

const path = (conversation, what) => `/api/conversations/${encodeURIComponent(conversation)}/${what}`;

function headers(more = {}) {
  const token = store.token();
  return token ? { ...more, Authorization: `Bearer ${token}` } : more;
}

async function request(url, options = {}) {
  let response;
  try {
    response = await fetch(url, {
      cache: "no-store",
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
      ...options,
      headers: headers(options.headers),
    });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Refusal(0, UNREACHABLE);
  }
  if (!response.ok) throw await refusal(response);
  return response;
}

async function refusal(response) {
  try {
    return new Refusal(response.status, (await response.json()).error);
  } catch {
    return new Refusal(response.status, UNREACHABLE);
  }
}

/** Have a message stored. It is durable when this returns; the same key again is the same message. */
export async function post(conversation, key, text) {
  await request(path(conversation, "messages"), {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ text, id: key }),
  });
}

/** Return the transcript of a conversation: `messages`, oldest first, and `has_earlier`, if some are left out. */
export async function transcript(conversation) {
  const response = await request(path(conversation, "messages"));
  return response.json();
}

/**
 * Follow a conversation until `close()`. Calls `onOpen()` at every connection, after which nothing
 * is missed, `onEvent(name, data)`, and `onLost(refusal)` whenever the connection is gone.
 */
export class Stream {
  #abort = new AbortController();
  #lastId = "";
  #wake = null;

  constructor(conversation, { onOpen, onEvent, onLost }) {
    this.conversation = conversation;
    this.onOpen = onOpen;
    this.onEvent = onEvent;
    this.onLost = onLost;
    this.#follow();
  }

  close() {
    this.#abort.abort();
    this.#wake?.();
  }

  /** Try now instead of when the pause is over. */
  hurry() {
    this.#wake?.();
  }

  async #follow() {
    let wait = FIRST_WAIT_MS;
    while (!this.#abort.signal.aborted) {
      try {
        await this.#read(() => (wait = FIRST_WAIT_MS));
        this.onLost(null);
      } catch (error) {
        if (this.#abort.signal.aborted) return;
        this.onLost(error instanceof Refusal ? error : null);
      }
      await this.#pause(wait * (0.75 + Math.random() / 2));
      wait = Math.min(wait * 2, LONGEST_WAIT_MS);
    }
  }

  #pause(ms) {
    if (this.#abort.signal.aborted) return undefined;
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async #read(opened) {
    const connection = new AbortController();
    const stop = () => connection.abort();
    this.#abort.signal.addEventListener("abort", stop, { once: true });
    let silence = setTimeout(stop, SILENCE_LIMIT_MS);
    try {
      const response = await request(path(this.conversation, "events"), {
        headers: this.#lastId ? { "Last-Event-ID": this.#lastId } : {},
        signal: connection.signal,
      });
      opened();
      this.onOpen();
      const parser = new EventParser();
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        clearTimeout(silence);
        silence = setTimeout(stop, SILENCE_LIMIT_MS);
        for (const { id, name, data } of parser.feed(value)) {
          if (id) this.#lastId = id;
          if (data) this.onEvent(name, JSON.parse(data));
        }
      }
    } finally {
      clearTimeout(silence);
      this.#abort.signal.removeEventListener("abort", stop);
      connection.abort();
    }
  }
}

/** Cuts the text of an event stream into events. */
export class EventParser {
  #rest = "";

  *feed(text) {
    const blocks = (this.#rest + text).split("\n\n");
    this.#rest = blocks.pop();
    for (const block of blocks) {
      const event = { id: "", name: "message", data: "" };
      for (const line of block.split("\n")) {
        const colon = line.indexOf(": ");
        if (colon <= 0) continue;
        const value = line.slice(colon + 2);
        if (line.startsWith("id:")) event.id = value;
        else if (line.startsWith("event:")) event.name = value;
        else if (line.startsWith("data:")) event.data += value;
      }
      yield event;
    }
  }
}
