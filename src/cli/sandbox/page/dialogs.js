// The modals that the bot has opened. Owns their frames, their sending and closing; must not know what a form asks for.
//
// A form lies over the channel only: whoever has it open can still move the clock, kill the bot, or be somebody else.

import { findMissing, keepFilledIn, readValues, renderView, showErrors } from "./blocks.js";
import { make } from "./dom.js";
import { announce, byId, replaceKindly, setText, tabStops } from "./redraw.js";
import { request } from "./server.js";
import { state } from "./state.js";
import { readingAs } from "./story.js";

/** Shows the modals of whoever the viewer is, the topmost in front. */
export function createDialogs() {
  const column = byId("channel");
  const layer = byId("forms");
  const dialogs = new Map();
  let front = null;
  let cameFrom = null;

  // A press beside the form must not take the focus out of it.
  layer.addEventListener("mousedown", (event) => {
    if (event.target === layer) event.preventDefault();
  });

  function update() {
    const focused = document.activeElement;
    const isHere = column.contains(focused) || focused === document.body;
    const mine = state.views.filter((view) => view.user === state.place.as);
    for (const view of state.views) {
      if (!dialogs.has(view.id)) dialogs.set(view.id, createDialog(view.id, layer));
      dialogs.get(view.id).update(view);
    }
    const before = front;
    front = dialogs.get(mine.at(-1)?.id) ?? null;
    if (front && !before) cameFrom = column.contains(focused) ? focused : null;
    // Another person's modal keeps what was typed, out of sight.
    for (const [id, dialog] of dialogs) {
      dialog.element.hidden = !mine.some((view) => view.id === id);
      dialog.element.inert = dialog !== front;
    }
    layer.hidden = !front;
    forget();
    // A control that has the focus would lose it here, so it moves on first.
    if (front && front !== before) isHere ? front.focus() : announce(`A form has opened: ${front.name()}`);
    for (const part of column.children) if (part !== layer) part.inert = Boolean(front);
    if (!front && before && isHere) goBack();
  }

  function forget() {
    for (const [id, dialog] of dialogs) {
      if (state.views.some((view) => view.id === id)) continue;
      dialog.element.remove();
      dialogs.delete(id);
    }
  }

  function goBack() {
    const isThere = cameFrom?.isConnected && cameFrom.checkVisibility();
    (isThere ? cameFrom : byId("composer-text")).focus({ preventScroll: true });
  }

  return { update };
}

function createDialog(id, layer) {
  const title = make("h2", { id: `title-${id}` });
  const holder = make("div", { class: "modal-body" });
  const trouble = make("p", { class: "error", role: "alert" });
  const close = make("button", { type: "button", class: "button" });
  const submit = make("button", { type: "submit", class: "button primary" });
  const form = make("form", { novalidate: true }, make("header", {}, title), holder, trouble, make("footer", {}, close, submit));
  const element = make("section", { class: "modal", role: "dialog", tabindex: "-1", "aria-labelledby": title.id }, form);
  layer.append(element);
  let shown = null;
  let drawn = "";

  close.addEventListener("click", leave);
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.defaultPrevented || event.isComposing) return;
    event.preventDefault();
    leave();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });

  async function leave() {
    try {
      await request("close", { view: id, user: shown.user });
    } catch (error) {
      setText(trouble, error.message);
    }
  }

  async function send() {
    if (submit.hidden || submit.hasAttribute("aria-busy")) return;
    setText(trouble, "");
    // Slack asks for what is missing by itself, before the bot hears anything.
    const missing = findMissing(holder);
    showErrors(holder, missing);
    if (Object.keys(missing).length) return;
    submit.setAttribute("aria-busy", "true");
    try {
      const answer = await request("submit", { view: id, user: shown.user, values: readValues(holder) });
      if (answer.errors) showErrors(holder, answer.errors);
    } catch (error) {
      setText(trouble, error.message);
    } finally {
      submit.removeAttribute("aria-busy");
    }
  }

  /** Draws the view again only if the bot has changed it, and keeps what was filled in where Slack does. */
  function update(one) {
    shown = one;
    const { title: heading, close: leaving, submit: sending, blocks } = one.view;
    const now = JSON.stringify([heading, leaving, sending, blocks]);
    if (now === drawn) return;
    drawn = now;
    setText(title, heading?.text ?? "");
    setText(close, leaving?.text ?? (sending ? "Cancel" : "Close"));
    submit.hidden = !sending;
    setText(submit, sending?.text ?? "");
    setText(trouble, "");
    drawView(one.view, one, holder, element);
  }

  function focus() {
    (holder.querySelector("[autofocus]") ?? tabStops(holder)[0] ?? element).focus();
  }

  return { element, update, focus, name: () => title.textContent };
}

function drawView(view, about, holder, fallback) {
  const blocks = keepFilledIn(view.blocks ?? [], readValues(holder));
  replaceKindly(holder, fallback, renderView({ ...view, blocks }, viewEnv(about, holder)));
}

/** What blocks.js may ask of us for a modal or a home. */
function viewEnv(one, holder) {
  const about = (element, block) => ({ view: one.id, user: one.user, block_id: block.block_id, action_id: element.action_id });
  return {
    ...readingAs(one.user),
    act: (element, block, choice) => request("act", { ...about(element, block), choice, values: readValues(holder) }),
    suggest: (element, block, text) => request("suggest", { ...about(element, block), text }),
  };
}

/** The app's home for whoever the viewer is. */
export function createHome() {
  const holder = byId("home");
  let drawn = "";
  let drawnFor = "";
  function update() {
    const { as, in: place } = state.place;
    holder.hidden = place !== "home";
    const view = state.homes[as];
    // The clock may change what it says, too.
    const now = `${state.clock?.ahead} ${JSON.stringify(view)}`;
    if (holder.hidden || !view || (as === drawnFor && now === drawn)) return;
    if (as !== drawnFor) holder.replaceChildren();
    [drawn, drawnFor] = [now, as];
    drawView(view, { id: view.id ?? "home", user: as }, holder, holder);
  }
  return { update };
}
