// Owns what happens when an element is used: its confirm dialog, the wait, and a failure. Must not
// know where the action goes.

import { freshId, make } from "./dom.js";
import { textObject } from "./mrkdwn.js";

/**
 * Carries out one use of `element`: asks first where it has a confirm dialog, then calls `env.act`.
 * Returns whether it was done. While it goes on the control is busy, and cannot be used again.
 */
export async function act({ control, element, block, choice, env }) {
  if (!env.act || control.dataset.pending) return false;
  control.dataset.pending = "true";
  clearTrouble(control);
  try {
    if (element.confirm && !(await confirmed(element.confirm, env))) return false;
    control.setAttribute("aria-busy", "true");
    await env.act(element, block, choice);
    return true;
  } catch (error) {
    showTrouble(control, error);
    return false;
  } finally {
    control.removeAttribute("aria-busy");
    delete control.dataset.pending;
  }
}

function clearTrouble(control) {
  for (const old of control.closest(".block")?.querySelectorAll(".block-trouble") ?? []) old.remove();
}

function showTrouble(control, error) {
  const text = error instanceof Error ? error.message : String(error);
  control.closest(".block")?.append(make("p", { class: "block-trouble error", role: "alert" }, text));
}

/** Asks. Esc, and anything but the confirming button, means no. */
export function confirmed(confirm, env) {
  return new Promise((resolve) => {
    const dialog = confirmDialog(confirm, env);
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "confirm");
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

function confirmDialog(confirm, env) {
  const titleId = freshId("confirm");
  const textId = freshId("confirm");
  const button = (value, kind, text, fallback) => {
    const words = text ? textObject(text, env) : fallback;
    return make("button", { class: `button ${kind}`, value, type: "submit" }, words);
  };
  return make(
    "dialog",
    { class: "confirm", "aria-labelledby": titleId, "aria-describedby": textId },
    make(
      "form",
      { method: "dialog" },
      make("h2", { id: titleId }, confirm.title ? textObject(confirm.title, env) : "Are you sure?"),
      make("div", { class: "confirm-text", id: textId }, textObject(confirm.text, env)),
      make(
        "div",
        { class: "confirm-buttons" },
        button("deny", "", confirm.deny, "Cancel"),
        button("confirm", confirm.style === "danger" ? "danger" : "primary", confirm.confirm, "Yes"),
      ),
    ),
  );
}
