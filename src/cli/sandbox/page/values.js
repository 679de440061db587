// Owns what has been filled in below an element, and the errors shown with it. Must not know how a
// control looks, or who asks.

import { freshId, make } from "./dom.js";

const readers = new WeakMap();

/** Lets `readValues` find what `node` holds: `read()` returns it as Slack's state has it. */
export function holdValue(node, blockId, actionId, read) {
  node.dataset.holds = actionId;
  readers.set(node, { blockId, actionId, read });
}

/** Slack's `state.values` of everything below `root`. */
export function readValues(root) {
  const values = {};
  for (const node of root.querySelectorAll("[data-holds]")) {
    const { blockId, actionId, read } = readers.get(node);
    values[blockId] = { ...values[blockId], [actionId]: read() };
  }
  return values;
}

/** The blocks with what has been filled in since, which Slack keeps where block_id and action_id are the same. */
export function keepFilledIn(blocks, values) {
  return blocks.map((block) => {
    const held = values[block.block_id];
    if (!held) return block;
    const fill = (element) => refilled(element, held[element.action_id ?? element.type]);
    const kept = { ...block };
    if (block.element) kept.element = fill(block.element);
    if (block.accessory) kept.accessory = fill(block.accessory);
    if (block.elements) kept.elements = block.elements.map(fill);
    return kept;
  });
}

// What Slack's state calls selected_option, or value, an element calls initial_option, or initial_value.
function refilled(element, held) {
  if (held?.type !== element.type) return element;
  const { type, ...holds } = held;
  const [[key, value]] = Object.entries(holds);
  const initial = key === "value" ? "initial_value" : key.replace("selected_", "initial_");
  const { [initial]: given, ...rest } = element;
  return value === null || value.length === 0 ? rest : { ...rest, [initial]: value };
}

/**
 * Shows each error under the input of its block, and none elsewhere; the first is brought into focus.
 * An error of a block that is not there stands at the top, since somebody has to see it.
 */
export function showErrors(root, errors) {
  for (const old of root.querySelectorAll(".block-error")) old.remove();
  for (const control of root.querySelectorAll(".block-input .control")) describe(control, undefined);
  const unplaced = [];
  for (const [blockId, text] of Object.entries(errors)) {
    const block = root.querySelector(`.block-input[data-block-id="${CSS.escape(blockId)}"]`);
    if (block) placeError(block, text);
    else unplaced.push(text);
  }
  for (const text of unplaced) root.prepend(make("p", { class: "block-error error", role: "alert" }, text));
  // In the order of the page, whatever order the errors came in.
  root.querySelector('.control[aria-invalid="true"]')?.focus();
}

function placeError(block, text) {
  const error = make("p", { class: "block-error error", id: freshId("error") }, text);
  block.querySelector(".block-control").after(error);
  for (const control of block.querySelectorAll(".control")) describe(control, error.id);
  // Whoever changes what was wrong need not be told any longer. At the first letter, not when the
  // field is left: that is when a button is being pressed, and it must not move away.
  block.addEventListener("input", () => clearError(block, error), { once: true });
}

function clearError(block, error) {
  if (!error.isConnected) return;
  error.remove();
  for (const control of block.querySelectorAll(".control")) describe(control, undefined);
}

function describe(control, errorId) {
  const ids = [errorId, control.dataset.hint].filter(Boolean).join(" ");
  control.toggleAttribute("aria-invalid", false);
  if (errorId) control.setAttribute("aria-invalid", "true");
  if (ids) control.setAttribute("aria-describedby", ids);
  else control.removeAttribute("aria-describedby");
}

/**
 * What Slack says by itself, before anything is sent: `{block_id: text}` for required inputs that
 * are empty, for texts that are too short, and for numbers and addresses that are none.
 */
export function findMissing(root) {
  const errors = {};
  for (const node of root.querySelectorAll(".block-input [data-holds]")) {
    const block = node.closest(".block-input");
    const { blockId, read } = readers.get(node);
    const { type, ...held } = read();
    const value = Object.values(held)[0];
    const empty = value === null || value === undefined || value.length === 0;
    const least = Number(node.dataset.least ?? 0);
    const wrong = whatIsWrong(node);
    if (wrong) errors[blockId] = wrong;
    else if (empty && !("optional" in node.closest(".input").dataset)) errors[blockId] = "Please complete this required field.";
    else if (!empty && type === "plain_text_input" && value.length < least) {
      errors[blockId] = `Must be at least ${least} characters long.`;
    }
  }
  return errors;
}

// The browser knows what a number, a mail address and an address are, and which numbers are allowed.
function whatIsWrong({ validity, type, min, max }) {
  if (!validity) return undefined;
  if (validity.badInput) return "Enter a number.";
  if (validity.rangeUnderflow) return `Enter ${min} or more.`;
  if (validity.rangeOverflow) return `Enter ${max} or less.`;
  if (validity.stepMismatch && type === "number") return "Enter a whole number.";
  if (validity.typeMismatch) return type === "email" ? "Enter a mail address, such as ada@example.com." : "Enter an address that begins with http:// or https://.";
  return undefined;
}
