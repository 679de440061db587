// Owns what happens when an element is used: its confirm dialog, the wait, and a failure. Must not
// know where the action goes.

import { freshId, make } from "./dom.js";
import { textObject } from "./mrkdwn.js";
import { addressOf, counterpart } from "./redraw.js";

/**
 * Carries out one use of `element`: asks first where it has a confirm dialog, then calls `env.act`.
 * Returns whether it was done. While it goes on the control is busy, and cannot be used again.
 */
export async function act({ control, element, block, choice, env }) {
  if (!env.act || control.dataset.pending) return false;
  control.dataset.pending = "true";
  const now = follower(control);
  clearTrouble(control);
  try {
    if (element.confirm && !(await confirmed(element.confirm, env, now))) return false;
    control.setAttribute("aria-busy", "true");
    await env.act(element, block, choice);
    return true;
  } catch (error) {
    showTrouble(now.control(), error);
    return false;
  } finally {
    control.removeAttribute("aria-busy");
    delete control.dataset.pending;
  }
}

/** Finds a control again after what is around it was drawn anew, and what is left of its surroundings. */
function follower(control) {
  const address = addressOf(control);
  const around = [];
  for (let node = control.parentElement; node; node = node.parentElement) around.push(node);
  return {
    control() {
      if (control.isConnected) return control;
      return counterpart(around.find((node) => node.isConnected && node !== document.body) ?? document.createElement("p"), address);
    },
    around: () => around.find((node) => node.isConnected && node.matches("[tabindex]")),
  };
}

function clearTrouble(control) {
  for (const old of control.closest(".block")?.querySelectorAll(".block-trouble") ?? []) old.remove();
}

function showTrouble(control, error) {
  const text = error instanceof Error ? error.message : String(error);
  control?.closest(".block")?.append(make("p", { class: "block-trouble error", role: "alert" }, text));
}

// Asks. Esc, and anything but the confirming button, means no.
function confirmed(confirm, env, now) {
  return new Promise((resolve) => {
    const dialog = confirmDialog(confirm, env);
    // What it asks about may be changed by somebody else while it is open.
    const watch = new MutationObserver(() => {
      if (!now.control()) withdraw(dialog);
    });
    dialog.addEventListener("close", () => {
      watch.disconnect();
      dialog.remove();
      // The dialog gives the focus back, but not to a control that has been drawn anew or is gone.
      if (document.activeElement === document.body) (now.control() ?? now.around())?.focus({ preventScroll: true });
      resolve(dialog.returnValue === "confirm");
    });
    document.body.append(dialog);
    dialog.showModal();
    watch.observe(document.body, { childList: true, subtree: true });
  });
}

// Nothing is left to be confirmed: whoever was asked is told, and can only close.
function withdraw(dialog) {
  const yes = dialog.querySelector('[value="confirm"]');
  if (!yes) return;
  yes.remove();
  dialog.querySelector(".confirm-text").append(make("p", { class: "error", role: "alert" }, "What this asks about has changed meanwhile. Nothing was done."));
  const close = dialog.querySelector('[value="deny"]');
  close.textContent = "Close";
  close.focus();
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
