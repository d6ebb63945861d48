// The inline part of Markdown: emphasis, code, links. One pass; a search that fails is not repeated,
// so an answer full of unclosed marks costs no more than any other.

const MAX_DEPTH = 6;
const PUNCTUATION = /[!-/:-@[-`{-~]/;
const WORD = /[\p{L}\p{N}]/u;
const URL_AT = /https?:\/\/[^\s<>"`]+/y;
const EMPHASIS = [["**", "strong"], ["__", "strong"], ["~~", "del"], ["*", "em"], ["_", "em"]];

/** Return the nodes that show *text*. */
export function inline(text, depth = 0) {
  return new Scanner(text, depth).nodes();
}

class Scanner {
  #nodes = [];
  #plain = "";
  #at = 0;
  #hopeless = new Set(); // marks that are not closed in what is left

  constructor(text, depth) {
    this.text = text;
    this.depth = depth;
  }

  nodes() {
    while (this.#at < this.text.length) {
      if (!this.#special()) {
        this.#plain += this.text[this.#at];
        this.#at += 1;
      }
    }
    this.#flush();
    return this.#nodes;
  }

  #special() {
    const here = this.text[this.#at];
    if (here === "\\") return this.#escape();
    if (here === "\n") return this.#lineBreak();
    if (here === "`") return this.#code();
    if (here === "[" || (here === "!" && this.text[this.#at + 1] === "[")) return this.#link();
    if (here === "h") return this.#bareLink();
    return (here === "*" || here === "_" || here === "~") && this.#emphasis();
  }

  #escape() {
    const next = this.text[this.#at + 1];
    if (!next || !PUNCTUATION.test(next)) return false;
    this.#plain += next;
    this.#at += 2;
    return true;
  }

  #lineBreak() {
    this.#plain = this.#plain.trimEnd();
    this.#push(document.createElement("br"), this.#at + 1);
    return true;
  }

  #code() {
    const mark = /`+/y;
    mark.lastIndex = this.#at;
    const fence = mark.exec(this.text)[0];
    const end = this.#find(fence, this.#at + fence.length, (at) => this.text[at + fence.length] !== "`" && this.text[at - 1] !== "`");
    if (end < 0) {
      this.#plain += fence;
      this.#at += fence.length;
      return true;
    }
    const inner = this.text.slice(this.#at + fence.length, end).replaceAll("\n", " ");
    const code = document.createElement("code");
    code.textContent = /^ .*\S.* $/.test(inner) ? inner.slice(1, -1) : inner;
    this.#push(code, end + fence.length);
    return true;
  }

  #link() {
    const open = this.#at + (this.text[this.#at] === "!" ? 2 : 1);
    const middle = this.#find("](", open, () => true);
    const end = middle < 0 ? -1 : this.#find(")", middle + 2, () => true);
    if (end < 0) return false;
    const label = this.text.slice(open, middle);
    if (label.includes("[") || label.includes("\n\n")) return false;
    const target = this.text.slice(middle + 2, end).trim().split(/\s/, 1)[0];
    const anchor = linkTo(target);
    if (!anchor) return false;
    anchor.append(...inline(label || target, MAX_DEPTH));
    this.#push(anchor, end + 1);
    return true;
  }

  #bareLink() {
    if (this.depth >= MAX_DEPTH || WORD.test(this.text[this.#at - 1] ?? " ")) return false;
    URL_AT.lastIndex = this.#at;
    const found = URL_AT.exec(this.text)?.[0].replace(/[.,;:!?'*_~)\]]+$/, "");
    const anchor = found && linkTo(found);
    if (!anchor) return false;
    anchor.textContent = found;
    this.#push(anchor, this.#at + found.length);
    return true;
  }

  #emphasis() {
    for (const [mark, name] of EMPHASIS) {
      if (!this.text.startsWith(mark, this.#at) || this.depth >= MAX_DEPTH) continue;
      const start = this.#at + mark.length;
      if (/\s/.test(this.text[start] ?? " ") || (mark[0] === "_" && this.#isWordAt(this.#at - 1))) continue;
      const end = this.#find(mark, start + 1, (at) => this.#closes(mark, at));
      if (end < 0) continue;
      const made = document.createElement(name);
      made.append(...inline(this.text.slice(start, end), this.depth + 1));
      this.#push(made, end + mark.length);
      return true;
    }
    return false;
  }

  #closes(mark, at) {
    if (/\s/.test(this.text[at - 1]) || this.text[at - 1] === "\\") return false;
    const next = this.text[at + mark.length];
    if (mark.length === 1 && (next === mark || this.text[at - 1] === mark)) return false;
    return mark[0] !== "_" || !this.#isWordAt(at + mark.length);
  }

  #isWordAt(at) {
    return WORD.test(this.text[at] ?? " ");
  }

  #find(mark, from, fits) {
    if (this.#hopeless.has(mark)) return -1;
    for (let at = this.text.indexOf(mark, from); at >= 0; at = this.text.indexOf(mark, at + 1)) {
      if (fits(at)) return at;
    }
    this.#hopeless.add(mark);
    return -1;
  }

  #push(node, next) {
    this.#flush();
    this.#nodes.push(node);
    this.#at = next;
  }

  #flush() {
    if (this.#plain) this.#nodes.push(document.createTextNode(this.#plain));
    this.#plain = "";
  }
}

/** Return an empty link to an address of the web, or null: `javascript:` and others stay text. */
function linkTo(target) {
  let url;
  try {
    url = new URL(target);
  } catch {
    return null;
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") return null;
  const anchor = document.createElement("a");
  anchor.href = url.href;
  anchor.target = "_blank";
  anchor.rel = "noopener noreferrer nofollow";
  return anchor;
}
