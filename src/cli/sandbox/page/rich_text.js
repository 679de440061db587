// Owns Slack's rich_text block. Must not know other blocks.
//
// https://docs.slack.dev/reference/block-kit/blocks/rich-text-block

import { make } from "./dom.js";
import { splitEmoji } from "./emoji.js";
import { channelMention, dateNode, emojiNode, link } from "./mrkdwn.js";

const STYLES = [["code", "code"], ["strike", "s"], ["italic", "i"], ["bold", "b"], ["underline", "u"]];

const WEB_ADDRESS = /^(?:https?:\/\/|mailto:|tel:)/i;

const PARTS = {
  text: ({ text }) => document.createTextNode(text),
  link: ({ url, text }) => (WEB_ADDRESS.test(url) ? link(url, text || url) : document.createTextNode(text || url)),
  emoji: ({ name }) => {
    const [part] = splitEmoji(`:${name}:`);
    return typeof part === "string" ? document.createTextNode(part) : emojiNode(part);
  },
  user: ({ user_id: id }, env) => mention(`@${env.user?.(id) ?? id}`),
  channel: ({ channel_id: id }, env) => channelMention(id, undefined, env),
  usergroup: ({ usergroup_id: id }) => mention(`@${id}`),
  broadcast: ({ range }) => mention(`@${range}`),
  color: ({ value }) => colour(value),
  date: ({ timestamp, format, fallback, url }, env) => {
    const written = dateNode({ seconds: timestamp, format, fallback }, env);
    if (!WEB_ADDRESS.test(url ?? "")) return written;
    const anchor = link(url, "");
    anchor.append(written);
    return anchor;
  },
};

function mention(name) {
  return make("span", { class: "mention" }, name);
}

function colour(value) {
  const swatch = make("span", { class: "swatch" });
  swatch.style.backgroundColor = value;
  return make("span", {}, value, " ", swatch);
}

function unknownPart({ type }) {
  return make("span", { class: "unknown-part" }, `[${type}]`);
}

function appendParts(parent, parts, env) {
  for (const part of parts ?? []) {
    const node = Object.hasOwn(PARTS, part.type) ? PARTS[part.type](part, env) : unknownPart(part);
    const styles = STYLES.filter(([style]) => part.style?.[style]);
    parent.append(styles.reduce((inner, [, name]) => make(name, {}, inner), node));
  }
  return parent;
}

function list({ elements, style, indent = 0, offset = 0, border }, env) {
  const items = (elements ?? []).map((item) => appendParts(make("li"), item.elements, env));
  const node = make(style === "ordered" ? "ol" : "ul", {
    class: `rich-list indent-${Math.min(indent, 8)}${border ? " bordered" : ""}`,
    start: style === "ordered" && offset > 0 ? String(offset + 1) : undefined,
  }, ...items);
  return node;
}

const FORMS = {
  rich_text_section: (form, env) => appendParts(make("div"), form.elements, env),
  rich_text_list: list,
  rich_text_quote: (form, env) => appendParts(make("blockquote"), form.elements, env),
  rich_text_preformatted: (form, env) => appendParts(make("pre"), form.elements, env),
};

/** The block's content as nodes. */
export function richText(block, env) {
  return (block.elements ?? []).map((form) => (
    Object.hasOwn(FORMS, form.type) ? FORMS[form.type](form, env) : unknownPart(form)
  ));
}
