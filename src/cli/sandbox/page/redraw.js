// Changes what is shown without disturbing whoever is using it. Must not know what is shown.

import { make } from "./dom.js";

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

/** Replaces the content of `holder`. Who had focus within gets it back at the control of the same name, or else at `fallback`. */
export function replaceKindly(holder, fallback, ...content) {
  const focused = holder.contains(document.activeElement) ? document.activeElement : null;
  const name = focused && nameOf(focused);
  holder.replaceChildren(...content);
  if (!focused) return;
  const same = [...holder.querySelectorAll(FOCUSABLE)].find((candidate) => nameOf(candidate) === name);
  (same ?? fallback).focus({ preventScroll: true });
}

const nameOf = (element) => element.getAttribute("aria-label") ?? element.textContent.trim();

/** Tells a screen reader, without showing anything. */
export function announce(text) {
  const news = byId("news");
  news.append(make("p", {}, text));
  // What has been read need not stay; a few lines do, for whoever walks there.
  while (news.children.length > 5) news.firstElementChild.remove();
}
