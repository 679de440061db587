// Owns Slack's two kinds of text, mrkdwn and plain_text, as nodes. Must not know blocks or surfaces.
//
// https://docs.slack.dev/messaging/formatting-message-text. Three characters come escaped and are
// unescaped once, on their way into a text node; nothing here is ever parsed as HTML.

import { formatDate, viewerZone, wholeMoment } from "./date.js";
import { make } from "./dom.js";
import { splitEmoji } from "./emoji.js";

const PREFORMATTED = /```([\s\S]*?[^\s`][\s\S]*?)```/g;
const QUOTE_REST = /^(?:>|&gt;){3} ?/;
const QUOTE_LINE = /^(?:>|&gt;) ?/;
const INLINE = /`([^`\n]+)`|<([^<>\n]+)>/g;
const BARE = /(?:https?:\/\/|www\.)[^\s<>|]+|@(?:here|channel|everyone)\b/g;
const ADDRESS = /^(?:https?:\/\/|mailto:|tel:)/i;
const DOMAIN = /^[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}(?:[/?#:]|$)/i;
const WORD = /[\p{L}\p{N}]/u;
const MARKERS = new Map([["*", "b"], ["_", "i"], ["~", "s"]]);

/** What Slack's three entities stand for, once. */
function unescape(text) {
  return text.replace(/&(amp|lt|gt);/g, (_, name) => ({ amp: "&", lt: "<", gt: ">" })[name]);
}

function appendWithEmoji(parent, text) {
  for (const part of splitEmoji(text)) {
    parent.append(typeof part === "string" ? part : emojiNode(part));
  }
}

/** One emoji, named for those who do not see it. */
export function emojiNode({ name, picture, drawn }) {
  return make("span", {
    class: drawn ? "emoji drawn" : "emoji",
    "data-name": name,
    role: "img",
    "aria-label": name.replaceAll("_", " "),
    title: `:${name}:`,
  }, picture);
}

/** Text of the kind `plain_text`: no markup, and emoji unless it says otherwise. */
export function plainText(text, { emoji = true } = {}) {
  const fragment = document.createDocumentFragment();
  if (emoji) appendWithEmoji(fragment, text);
  else fragment.append(text);
  return fragment;
}

/**
 * Text of the kind `mrkdwn`. `env` names people and channels and may hold the zone and the time:
 * `{zone, now, user(id), channel(id)}`. `verbatim` leaves bare addresses and @here as they are.
 */
export function mrkdwn(text, env = {}, { verbatim = false } = {}) {
  const fragment = document.createDocumentFragment();
  const context = { env, verbatim };
  let end = 0;
  for (const match of text.matchAll(PREFORMATTED)) {
    appendLines(fragment, text.slice(end, match.index), context, { first: end === 0, beforeBlock: true });
    fragment.append(make("pre", {}, unescape(match[1].replace(/^\n|\n$/g, ""))));
    end = match.index + match[0].length;
  }
  appendLines(fragment, text.slice(end), context, { first: end === 0, beforeBlock: false });
  return fragment;
}

// A block (a quote, preformatted text) begins and ends its line, so the line breaks next to it go.
function appendLines(parent, text, context, { first, beforeBlock }) {
  let rest = text;
  let lineStart = first;
  if (!first && rest.startsWith("\n")) {
    rest = rest.slice(1);
    lineStart = true;
  }
  if (beforeBlock) rest = rest.replace(/\n$/, "");
  const runs = lineStart ? splitQuotes(rest) : [{ quoted: false, text: rest }];
  for (const run of runs) {
    if (run.quoted) parent.append(make("blockquote", {}, inline(run.text, context)));
    else if (run.text !== "") parent.append(inline(run.text, context));
  }
}

function splitQuotes(text) {
  const runs = [];
  const lines = text.split("\n");
  for (const [index, line] of lines.entries()) {
    if (QUOTE_REST.test(line)) {
      const rest = lines.slice(index).join("\n");
      runs.push({ quoted: true, lines: [rest.replace(QUOTE_REST, "")] });
      break;
    }
    const quoted = QUOTE_LINE.test(line);
    const content = quoted ? line.replace(QUOTE_LINE, "") : line;
    if (runs.at(-1)?.quoted === quoted) runs.at(-1).lines.push(content);
    else runs.push({ quoted, lines: [content] });
  }
  return runs.map((run) => ({ quoted: run.quoted, text: run.lines.join("\n") }));
}

// A line of text becomes units: single characters, and nodes that are whole already, such as code
// and links. Bold may so reach over a link, and never into one.
function inline(text, context) {
  const units = [];
  let end = 0;
  // Its own copy: a label is read while the line around it is.
  const pattern = new RegExp(INLINE);
  for (let match = pattern.exec(text); match; match = pattern.exec(text)) {
    const node = match[1] === undefined ? token(match[2], context) : code(match, text);
    if (!node) {
      pattern.lastIndex = match.index + 1;
      continue;
    }
    pushText(units, text.slice(end, match.index), context);
    units.push(node);
    end = match.index + match[0].length;
  }
  pushText(units, text.slice(end), context);
  const fragment = document.createDocumentFragment();
  appendUnits(fragment, units, 0, units.length, "");
  return fragment;
}

function code(match, text) {
  const before = text[match.index - 1] ?? "";
  const after = text[match.index + match[0].length] ?? "";
  if (WORD.test(before) || WORD.test(after) || match[1].trim() === "") return undefined;
  return make("code", {}, unescape(match[1]));
}

function pushText(units, text, { verbatim }) {
  let end = 0;
  if (!verbatim) {
    for (const match of text.matchAll(BARE)) {
      if (WORD.test(text[match.index - 1] ?? "")) continue;
      const found = match[0].startsWith("@") ? match[0] : withoutStop(match[0]);
      units.push(...text.slice(end, match.index));
      units.push(found.startsWith("@") ? mention(found) : bareLink(unescape(found)));
      end = match.index + found.length;
    }
  }
  units.push(...text.slice(end));
}

function bareLink(address) {
  return link(ADDRESS.test(address) ? address : `http://${address}`, address);
}

// What ends a sentence or a marked word is no part of the address before it.
function withoutStop(address) {
  return address.replace(/(?:[.,!?:;)'"*_~]|&gt;|&lt;)+$/, "");
}

function appendUnits(parent, units, start, end, open) {
  let text = "";
  const flush = () => {
    appendWithEmoji(parent, unescape(text));
    text = "";
  };
  for (let at = start; at < end; at += 1) {
    const unit = units[at];
    if (typeof unit !== "string") {
      flush();
      parent.append(unit);
      continue;
    }
    const close = open.includes(unit) ? undefined : closing(units, at, end);
    if (close === undefined) {
      text += unit;
      continue;
    }
    flush();
    const marked = make(MARKERS.get(unit));
    appendUnits(marked, units, at + 1, close, open + unit);
    parent.append(marked);
    at = close;
  }
  flush();
}

// Where the marker at `at` is closed, if it opens anything. It opens after no letter or digit and
// before no space, closes after no space and before no letter or digit, and on its own line. So
// snake_case, 2*3*4 and a lone ~ stay as they are.
function closing(units, at, end) {
  const marker = units[at];
  if (!MARKERS.has(marker) || !outside(units[at - 1], marker) || !inside(units[at + 1], marker)) return undefined;
  for (let close = at + 1; close < end && units[close] !== "\n"; close += 1) {
    if (units[close] !== marker || close === at + 1) continue;
    if (inside(units[close - 1], marker) && outside(units[close + 1], marker)) return close;
  }
  return undefined;
}

function outside(unit, marker) {
  return unit === undefined || (typeof unit !== "string") || (unit !== marker && !WORD.test(unit));
}

function inside(unit, marker) {
  return unit !== undefined && ((typeof unit !== "string") || (unit !== marker && !/\s/.test(unit)));
}

// What stands between < and >. Anything that is none of Slack's forms is no token.
function token(content, { env }) {
  const bar = content.indexOf("|");
  const head = bar < 0 ? content : content.slice(0, bar);
  const label = bar < 0 ? undefined : unescape(content.slice(bar + 1));
  if (head.startsWith("@")) return mention(`@${env.user?.(head.slice(1)) ?? (label || head.slice(1))}`);
  if (head.startsWith("#")) return channelMention(head.slice(1), label, env);
  if (head.startsWith("!date^")) return date(head, label, env);
  if (head.startsWith("!subteam^")) return mention(label || `@${head.slice("!subteam^".length)}`);
  if (/^!(here|channel|everyone)$/.test(head)) return mention(`@${head.slice(1)}`);
  if (head.startsWith("!")) return document.createTextNode(label ?? head.slice(1));
  const address = unescape(head);
  const words = bar < 0 ? "" : content.slice(bar + 1);
  if (ADDRESS.test(address)) return namedLink(address, words, address.replace(/^(mailto|tel):/i, ""));
  if (DOMAIN.test(address)) return namedLink(`http://${address}`, words, address);
  return undefined;
}

// A label is mrkdwn too, but nothing in it leads anywhere else. An address is none.
function namedLink(address, words, otherwise) {
  if (words === "") return link(address, otherwise);
  const anchor = link(address, "");
  anchor.append(inline(words, { env: {}, verbatim: true }));
  return anchor;
}

/** A channel by its name. Of one that the reader isn't in, which `env.channel` answers with null, only that much is said. */
export function channelMention(id, label, env) {
  const name = env.channel?.(id);
  return mention(name === null ? "private channel" : `#${name ?? (label || id)}`);
}

function mention(name) {
  return make("span", { class: "mention" }, name);
}

/** A link that opens beside the page and tells its target nothing of where it stood. */
export function link(address, label) {
  const anchor = make("a", { href: address, target: "_blank", rel: "noopener noreferrer" });
  appendWithEmoji(anchor, label);
  return anchor;
}

// <!date^SECONDS^FORMAT^LINK|FALLBACK>
function date(head, label, env) {
  const [, seconds, format = "", address] = head.split("^");
  const written = dateNode({ seconds, format: unescape(format), fallback: label }, env);
  const target = address === undefined ? "" : unescape(address);
  if (!ADDRESS.test(target)) return written;
  const anchor = link(target, "");
  anchor.append(written);
  return anchor;
}

/** A moment as Slack shows it to this viewer, or its fallback. */
export function dateNode({ seconds, format, fallback }, env) {
  const zone = env.zone ?? viewerZone();
  const text = formatDate(seconds, format, { zone, now: timeOf(env) });
  if (text === undefined) return document.createTextNode(fallback ?? "");
  const ms = Number(seconds) * 1000;
  return make("time", { datetime: new Date(ms).toISOString(), title: wholeMoment(ms, zone) }, text);
}

// The sandbox has a clock of its own, which may be ahead.
function timeOf({ now }) {
  return typeof now === "function" ? now() : (now ?? Date.now());
}

/** A text object of either kind, or nothing where there is none. */
export function textObject(object, env) {
  if (!object) return document.createDocumentFragment();
  if (object.type === "mrkdwn") return mrkdwn(object.text ?? "", env, { verbatim: object.verbatim === true });
  return plainText(object.text ?? "", { emoji: object.emoji !== false });
}
