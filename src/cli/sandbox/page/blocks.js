// Owns Slack's blocks as elements of a page: of a message, a modal or a home. Must not know where
// they are shown, or what becomes of what is done to them.
//
// https://docs.slack.dev/reference/block-kit/blocks

import { freshId, make, oneLine } from "./dom.js";
import { imageElement, isGroup, renderElement } from "./elements.js";
import { mrkdwn, plainText, textObject } from "./mrkdwn.js";
import { richText } from "./rich_text.js";

export { optionPicture as renderOptions } from "./select.js";
export { findMissing, keepFilledIn, readValues, showErrors } from "./values.js";

// Slack says of sections only that a long text may be folded. 700 characters is what it documents
// for attachments; how many lines it takes is our own guess.
const FOLD_CHARACTERS = 700;
const FOLD_LINES = 12;

const RENDERERS = {
  section,
  context,
  actions,
  header: ({ text }, env) => make("h3", { class: "block-header" }, textObject(text, env)),
  divider: () => make("hr"),
  image: imageBlock,
  input,
  rich_text: (block, env) => make("div", { class: "block-text" }, ...richText(block, env)),
};

/** A message: its blocks, else its text; and its attachments. */
export function renderMessage(payload, env = {}) {
  const body = make("div", { class: "message-body" });
  if (payload.blocks?.length > 0) appendBlocks(body, payload.blocks, { ...env, folds: true });
  else if (payload.text) body.append(make("div", { class: "block" }, messageText(payload, env)));
  for (const attachment of payload.attachments ?? []) body.append(renderAttachment(attachment, env));
  return body;
}

function messageText(payload, env) {
  const text = payload.mrkdwn === false ? plainText(payload.text) : mrkdwn(payload.text, env);
  return make("div", { class: "block-text" }, text);
}

/** A modal or a home. Its title and buttons belong to whatever shows it. */
export function renderView(view, env = {}) {
  const body = make("div", { class: "view-body" });
  appendBlocks(body, view.blocks ?? [], env);
  return body;
}

/** All that a message or view says, on one line. */
export function plain(payload, env = {}) {
  const words = (payload.blocks ?? []).flatMap((block) => wordsOf(block, env));
  if (words.length === 0 && payload.text) return oneLine(mrkdwn(payload.text, env).textContent);
  return oneLine(words.join(" "));
}

// The texts of a block wherever they are: text objects are known by their type.
function wordsOf(value, env) {
  if (value === null || typeof value !== "object") return [];
  if (["mrkdwn", "plain_text"].includes(value.type) && typeof value.text === "string") return [textObject(value, env).textContent];
  if (value.type === "text" && typeof value.text === "string") return [value.text];
  return Object.entries(value).flatMap(([key, inner]) => (key === "confirm" ? [] : wordsOf(inner, env)));
}

function appendBlocks(parent, blocks, env) {
  for (const [index, given] of blocks.entries()) {
    const block = { ...given, block_id: given?.block_id ?? `block-${index}` };
    const node = make("div", { class: `block block-${block.type}`, "data-block-id": block.block_id });
    node.append(drawn(block, env));
    parent.append(node);
  }
}

// What one block is lacking must not take the others with it.
function drawn(block, env) {
  if (!Object.hasOwn(RENDERERS, block.type)) return unknown(block);
  try {
    return RENDERERS[block.type](block, env);
  } catch {
    return unknown(block);
  }
}

function unknown(thing) {
  return make(
    "details",
    { class: "unknown" },
    make("summary", {}, `Not drawn here: ${thing?.type ?? "a block without a type"}`),
    make("pre", {}, JSON.stringify(thing, null, 2)),
  );
}

function renderAny(element, block, env, names) {
  return (element && renderElement(element, block, env, names)) ?? unknown(element);
}

function section(block, env) {
  const body = make("div", { class: "section-body" });
  if (block.text) body.append(foldable(block, env));
  if (block.fields?.length > 0) {
    body.append(make("div", { class: "fields" }, ...block.fields.map((field) => (
      make("div", { class: "block-text" }, textObject(field, env))
    ))));
  }
  if (!block.accessory) return body;
  const accessory = make("div", { class: "accessory" }, renderAny(block.accessory, block, env));
  return make("div", { class: "section" }, body, accessory);
}

function foldable(block, env) {
  const text = make("div", { class: "block-text" }, textObject(block.text, env));
  const shown = text.textContent;
  const long = shown.length > FOLD_CHARACTERS || shown.split("\n").length > FOLD_LINES;
  if (!env.folds || block.expand === true || !long) return text;
  text.id = freshId("text");
  text.classList.add("folded");
  const more = make(
    "button",
    { class: "fold", type: "button", "aria-expanded": "false", "aria-controls": text.id },
    "Show more",
  );
  const fold = (folded) => {
    text.classList.toggle("folded", folded);
    more.setAttribute("aria-expanded", String(!folded));
    more.textContent = folded ? "Show more" : "Show less";
  };
  more.addEventListener("click", () => fold(!text.classList.contains("folded")));
  // A link that the keyboard reaches below the fold has to be seen.
  text.addEventListener("focusin", () => fold(false));
  return make("div", {}, text, more);
}

function context(block, env) {
  return make("div", { class: "context" }, ...(block.elements ?? []).map((element) => {
    if (element.type === "image") return imageElement(element);
    if (element.type !== "mrkdwn" && element.type !== "plain_text") return unknown(element);
    return make("span", { class: "context-text" }, textObject(element, env));
  }));
}

function actions(block, env) {
  const elements = (block.elements ?? []).map((element) => renderAny(element, block, env));
  return make("div", { class: "actions" }, ...elements);
}

function imageBlock(block, env) {
  const address = block.image_url ?? block.slack_file?.url;
  const title = block.title ? make("figcaption", {}, textObject(block.title, env)) : undefined;
  if (/^data:image\//.test(address ?? "")) {
    return make("figure", {}, title, make("img", { class: "image", src: address, alt: block.alt_text ?? "" }));
  }
  // Nothing is asked for elsewhere: of a picture out there stands what it shows, and where it is.
  const picture = make("div", { class: "image absent" }, make("span", {}, block.alt_text || "A picture"), make("small", {}, address ?? ""));
  return make("figure", {}, title, picture);
}

function input(block, env) {
  const element = block.element ?? {};
  const [labelId, controlId, hintId] = [freshId("label"), freshId("control"), freshId("hint")];
  const names = {
    id: controlId,
    "aria-labelledby": labelId,
    "data-hint": block.hint ? hintId : undefined,
    "aria-describedby": block.hint ? hintId : undefined,
    "aria-required": block.optional === true ? undefined : "true",
  };
  const label = make(
    isGroup(element) ? "span" : "label",
    { class: "label", id: labelId, for: isGroup(element) ? undefined : controlId },
    textObject(block.label, env),
    block.optional === true ? make("span", { class: "optional" }, " (optional)") : undefined,
    // A group of boxes has no attribute that says so.
    element.type === "checkboxes" && block.optional !== true ? make("span", { class: "visually-hidden" }, " (required)") : undefined,
  );
  const hint = block.hint ? make("p", { class: "hint", id: hintId }, textObject(block.hint, env)) : undefined;
  const control = make("div", { class: "block-control" }, renderAny(element, block, env, names));
  return make("div", { class: "input", "data-optional": block.optional === true }, label, control, hint);
}

// https://docs.slack.dev/messaging/formatting-message-text#attachments
function renderAttachment(attachment, env) {
  const node = make("div", { class: "attachment" });
  const colour = { good: "var(--good)", warning: "var(--warn)", danger: "var(--bad)" }[attachment.color] ?? attachment.color;
  if (colour) node.style.borderInlineStartColor = colour.startsWith("var") || colour.startsWith("#") ? colour : `#${colour}`;
  if (attachment.blocks) {
    appendBlocks(node, attachment.blocks, { ...env, folds: true });
    return node;
  }
  if (attachment.title) node.append(make("p", { class: "attachment-title" }, plainText(attachment.title)));
  const text = attachment.text ?? attachment.fallback;
  if (text) node.append(make("div", { class: "block-text" }, mrkdwn(text, env)));
  for (const field of attachment.fields ?? []) {
    node.append(make("p", {}, make("b", {}, field.title ?? ""), " ", mrkdwn(field.value ?? "", env)));
  }
  return node;
}
