// Changes what is shown without disturbing whoever is using it. Must not know what is shown.

import { make } from "./dom.js";

// So much at once is still listened to, in characters.
const NEWS_LENGTH = 150;

export const byId = (id) => document.getElementById(id);

/** Writes only what differs, so that a selection in unchanged text stays. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Brings the children into this order and moves none that already stands right: a move loses focus. */
export function arrange(parent, wanted) {
  const keep = new Set(wanted);
  for (const child of [...parent.children]) if (!keep.has(child)) removeKindly(child, parent);
  let next = parent.firstElementChild;
  for (const child of wanted) {
    if (child === next) next = next.nextElementSibling;
    else parent.insertBefore(child, next);
  }
}

function removeKindly(child, parent) {
  const hadFocus = child.contains(document.activeElement);
  child.remove();
  if (hadFocus) parent.closest("[tabindex]")?.focus({ preventScroll: true });
}

const FOCUSABLE = "a[href], button, input, select, textarea, summary, [tabindex]";

/** What the Tab key reaches below `root`. */
export const tabStops = (root) => [...root.querySelectorAll(FOCUSABLE)].filter((one) => one.tabIndex >= 0 && !one.disabled);

/** Replaces the content of `holder`. Who had focus within gets it back at the same control, or else at `fallback`. */
export function replaceKindly(holder, fallback, ...content) {
  const focused = holder.contains(document.activeElement) ? document.activeElement : null;
  const address = focused && addressOf(focused);
  const caret = focused && [focused.selectionStart, focused.selectionEnd];
  holder.replaceChildren(...content);
  if (!focused) return;
  const same = counterpart(holder, address);
  (same ?? fallback).focus({ preventScroll: true });
  if (same?.value && typeof caret[0] === "number") same.setSelectionRange(...caret);
}

/** By what a control is known again when all around it was drawn anew: the app's own ids, and how it is called. */
export function addressOf(control) {
  const { blockId: block } = control.closest("[data-block-id]")?.dataset ?? {};
  const { actionId: action } = control.closest("[data-action-id]")?.dataset ?? {};
  return { block, action, name: nameOf(control) };
}

/** The control below `root` that stands where another stood, or undefined. */
export function counterpart(root, { block, action, name }) {
  const there = [...root.querySelectorAll(FOCUSABLE)].map((control) => ({ control, ...addressOf(control) }));
  const find = (test) => there.find((one) => one.action === action && test(one))?.control;
  const named = (one) => one.name === name;
  if (action === undefined) return find(named);
  return find((one) => one.block === block && named(one)) ?? find((one) => one.block === block) ?? find(named);
}

const nameOf = (element) => element.getAttribute("aria-label") ?? (element.textContent.trim() || (element.labels?.[0]?.textContent.trim() ?? ""));

/** Tells a screen reader, without showing anything. */
export function announce(text) {
  const news = byId("news");
  const shown = text.length <= NEWS_LENGTH ? text : `${text.slice(0, NEWS_LENGTH - 1)}…`;
  news.append(make("p", {}, shown));
  // What has been read need not stay; a few lines do, for whoever walks there.
  while (news.children.length > 5) news.firstElementChild.remove();
}
