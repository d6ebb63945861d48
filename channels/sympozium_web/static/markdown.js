// Markdown to DOM nodes. Text only ever becomes text nodes and attributes of elements made here,
// so markup in an answer is shown and not obeyed. Nothing is loaded: an image becomes a link.

import { inline } from "./inline.js";

const MAX_DEPTH = 8;
const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([^\s`]*)/;
const HEADING = /^ {0,3}(#{1,6})[ \t]+(.*)$/;
const RULE = /^ {0,3}([-*_])[ \t]*(?:\1[ \t]*){2,}$/;
const ITEM = /^( *)([-*+]|\d{1,9}[.)])[ \t]+(.*)$/;

/**
 * Show *text* in *container*. Blocks that have not changed since the last call keep their nodes, so a
 * growing answer costs its last block, and what a reader has selected stays selected.
 */
export function renderInto(container, text) {
  const blocks = splitBlocks(text.replaceAll("\r\n", "\n").split("\n"));
  blocks.forEach((block, index) => {
    const old = container.children[index];
    if (old?.blockSource === block.source) return;
    const node = build(block, 0);
    node.blockSource = block.source;
    if (old) old.replaceWith(node);
    else container.append(node);
  });
  while (container.children.length > blocks.length) container.lastElementChild.remove();
}

function splitBlocks(lines) {
  const blocks = [];
  let at = 0;
  while (at < lines.length) {
    if (!lines[at].trim()) {
      at += 1;
      continue;
    }
    const [kind, end] = blockAt(lines, at);
    blocks.push({ kind, lines: lines.slice(at, end), source: `${kind}\n${lines.slice(at, end).join("\n")}` });
    at = end;
  }
  return blocks;
}

function blockAt(lines, at) {
  const line = lines[at];
  if (FENCE.test(line)) return ["code", endOfFence(lines, at)];
  if (HEADING.test(line)) return ["heading", at + 1];
  if (RULE.test(line)) return ["rule", at + 1];
  if (isTable(lines, at)) return ["table", endWhile(lines, at + 2, (next) => next.includes("|"))];
  if (/^ {0,3}>/.test(line)) return ["quote", endWhile(lines, at + 1, (next) => next.trim() && !FENCE.test(next))];
  if (ITEM.test(line)) return ["list", endOfList(lines, at)];
  return ["paragraph", endWhile(lines, at + 1, (next, index) => next.trim() && !opensBlock(lines, index))];
}

function opensBlock(lines, at) {
  const line = lines[at];
  return FENCE.test(line) || HEADING.test(line) || RULE.test(line) || /^ {0,3}>/.test(line)
    || ITEM.test(line) || isTable(lines, at);
}

function endWhile(lines, at, belongs) {
  while (at < lines.length && belongs(lines[at], at)) at += 1;
  return at;
}

function endOfFence(lines, at) {
  const mark = FENCE.exec(lines[at])[1];
  for (let end = at + 1; end < lines.length; end += 1) {
    const closing = lines[end].trim();
    if (closing.length >= mark.length && closing === mark[0].repeat(closing.length)) return end + 1;
  }
  return lines.length; // still being written
}

function endOfList(lines, at) {
  const [, indent, mark] = ITEM.exec(lines[at]);
  const isOther = ([, otherIndent, otherMark]) => otherIndent.length <= indent.length && /\d/.test(mark) !== /\d/.test(otherMark);
  let end = at + 1;
  for (let index = end; index < lines.length; index += 1) {
    const line = lines[index];
    if (!line.trim()) continue;
    const follows = lines[index - 1].trim() && !opensBlock(lines, index);
    const item = ITEM.exec(line);
    if (item ? isOther(item) : !/^\s{2,}/.test(line) && !follows) break;
    if (RULE.test(line)) break;
    end = index + 1;
  }
  return end;
}

const cells = (line) => line.trim().replace(/^\|/, "").replace(/\|$/, "").split(/(?<!\\)\|/).map((cell) => cell.trim());

function isTable(lines, at) {
  if (!lines[at].includes("|") || !lines[at + 1]?.includes("-")) return false;
  const marks = cells(lines[at + 1]);
  return marks.length === cells(lines[at]).length && marks.every((mark) => /^:?-+:?$/.test(mark));
}

function build({ kind, lines }, depth) {
  if (kind === "code") return codeBlock(lines);
  if (kind === "rule") return document.createElement("hr");
  if (kind === "table") return table(lines);
  if (kind === "heading") {
    const [, marks, text] = HEADING.exec(lines[0]);
    return element(`h${Math.min(marks.length + 2, 6)}`, inline(text.replace(/[ \t]#+[ \t]*$/, "")));
  }
  if (depth < MAX_DEPTH && kind === "quote") {
    return element("blockquote", children(lines.map((line) => line.replace(/^ {0,3}> ?/, "")), depth));
  }
  if (depth < MAX_DEPTH && kind === "list") return list(lines, depth);
  return element("p", inline(lines.join("\n")));
}

const children = (lines, depth) => splitBlocks(lines).map((block) => build(block, depth + 1));

function element(name, nodes) {
  const made = document.createElement(name);
  made.append(...nodes);
  return made;
}

function list(lines, depth) {
  const [, indent, mark] = ITEM.exec(lines[0]);
  const isOrdered = /\d/.test(mark);
  const made = document.createElement(isOrdered ? "ol" : "ul");
  if (isOrdered && parseInt(mark, 10) !== 1) made.start = parseInt(mark, 10);
  const items = [];
  for (const line of lines) {
    const item = ITEM.exec(line);
    if (item && item[1].length <= indent.length + 1) items.push([item[3]]);
    else items.at(-1).push(line.slice(Math.min(line.search(/\S|$/), indent.length + mark.length + 1)));
  }
  for (const item of items) {
    const content = children(item, depth);
    const first = content[0];
    if (first?.localName === "p") content.splice(0, 1, ...first.childNodes);
    made.append(element("li", content));
  }
  return made;
}

function table(lines) {
  const marks = cells(lines[1]);
  const row = (line, name) => {
    const found = cells(line);
    return element("tr", marks.map((mark, column) => {
      const cell = element(name, inline((found[column] ?? "").replaceAll("\\|", "|")));
      if (mark.endsWith(":")) cell.className = mark.startsWith(":") ? "center" : "right";
      return cell;
    }));
  };
  const made = element("table", [
    element("thead", [row(lines[0], "th")]),
    element("tbody", lines.slice(2).map((line) => row(line, "td"))),
  ]);
  return scrollable(made, "Table");
}

function codeBlock(lines) {
  const [, mark, language] = FENCE.exec(lines[0]);
  const last = lines.at(-1).trim();
  const isClosed = lines.length > 1 && last.length >= mark.length && last === mark[0].repeat(last.length);
  const text = lines.slice(1, isClosed ? -1 : undefined).join("\n");
  const code = element("code", [text]);
  const pre = element("pre", [code]);
  const label = element("span", [language || "text"]);
  label.className = "language";
  const head = element("div", navigator.clipboard ? [label, copyButton(text)] : [label]);
  head.className = "code-head";
  const made = element("div", [head, scrollable(pre, "Code")]);
  made.className = "code";
  return made;
}

function copyButton(text) {
  const button = element("button", ["Copy"]);
  button.type = "button";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });
  return button;
}

/** What is wider than the column scrolls by itself, by keyboard too. */
function scrollable(content, label) {
  const made = element("div", [content]);
  made.className = "wide";
  made.tabIndex = 0;
  made.setAttribute("role", "group");
  made.setAttribute("aria-label", label);
  return made;
}
