// What this browser keeps: the list of threads, drafts, messages that were not stored yet, the token.
// The conversations themselves are kept by the server.

const THREADS = "sympozium.threads";
const DRAFT = "sympozium.draft.";
const UNSENT = "sympozium.unsent.";
const CURRENT = "sympozium.current";
const TOKEN = "sympozium.token";
const MAX_THREADS = 200;
const MAX_TITLE_CHARS = 60;

function read(storage, key, otherwise) {
  try {
    return JSON.parse(storage.getItem(key)) ?? otherwise;
  } catch {
    return otherwise; // written by something else, or storage is switched off
  }
}

function write(storage, key, value) {
  try {
    if (value === null) storage.removeItem(key);
    else storage.setItem(key, JSON.stringify(value));
  } catch {
    // Full or switched off: the page works, and forgets on reload.
  }
}

/** Return the threads of this browser, newest first: `{id, title, used}`. */
export function threads() {
  const found = read(localStorage, THREADS, []);
  if (!Array.isArray(found)) return [];
  return found.filter((thread) => thread && isId(thread.id)).sort((a, b) => b.used - a.used);
}

/** Put a thread first in the list; its title is the beginning of its first message. */
export function touchThread(id, text) {
  const all = threads();
  const known = all.find((thread) => thread.id === id);
  const title = known?.title || titleOf(text);
  const others = all.filter((thread) => thread.id !== id);
  write(localStorage, THREADS, [{ id, title, used: Date.now() }, ...others].slice(0, MAX_THREADS));
}

export function titleOf(text) {
  const line = text.trim().split("\n", 1)[0];
  const points = Array.from(line);
  return points.length > MAX_TITLE_CHARS ? points.slice(0, MAX_TITLE_CHARS - 1).join("") + "…" : line;
}

export const isId = (text) => typeof text === "string" && /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(text);

/** Return a name that nobody else has. `crypto.randomUUID` is there on loopback and HTTPS only. */
export function newId(prefix) {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return prefix + Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export const currentThread = () => read(localStorage, CURRENT, null);
export const setCurrentThread = (id) => write(localStorage, CURRENT, id);

export const draft = (id) => String(read(localStorage, DRAFT + id, ""));
export const setDraft = (id, text) => write(localStorage, DRAFT + id, text || null);

/** Messages that the server has not confirmed, `{key, text, time}`: they survive a reload. */
export function unsent(id) {
  const found = read(localStorage, UNSENT + id, []);
  return Array.isArray(found) ? found.filter((own) => own && isId(own.key)) : [];
}

export function addUnsent(id, own) {
  write(localStorage, UNSENT + id, [...unsent(id).filter((other) => other.key !== own.key), own]);
}

export function removeUnsent(id, key) {
  const left = unsent(id).filter((own) => own.key !== key);
  write(localStorage, UNSENT + id, left.length ? left : null);
}

export const token = () => read(sessionStorage, TOKEN, "");
export const setToken = (text) => write(sessionStorage, TOKEN, text || null);
