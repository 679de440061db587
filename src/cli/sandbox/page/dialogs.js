// The modals that the bot has opened. Owns their frames, their sending and closing; must not know what a form asks for.

import { findMissing, readValues, renderView, showErrors } from "./blocks.js";
import { make } from "./dom.js";
import { byId, setText } from "./redraw.js";
import { request } from "./server.js";
import { state } from "./state.js";
import { reading } from "./story.js";

/** Shows the modals of whoever the viewer is, the topmost in front. */
export function createDialogs() {
  const dialogs = new Map();

  function update() {
    const ids = new Set(state.views.map((one) => one.id));
    for (const [id, dialog] of dialogs) {
      if (ids.has(id)) continue;
      // Closing gives the focus back to where it was; removing alone would lose it.
      dialog.element.close();
      dialog.element.remove();
      dialogs.delete(id);
    }
    for (const view of state.views) {
      if (!dialogs.has(view.id)) dialogs.set(view.id, createDialog(view.id));
      const dialog = dialogs.get(view.id);
      dialog.update(view);
      // Another person's modal keeps what was typed, out of sight.
      if (view.user === state.place.as) dialog.open();
      else dialog.element.close();
    }
  }

  return { update };
}

function createDialog(id) {
  const title = make("h2", { id: `title-${id}` });
  const holder = make("div", { class: "modal-body" });
  const trouble = make("p", { class: "error", role: "alert" });
  const close = make("button", { type: "button", class: "button" });
  const submit = make("button", { type: "submit", class: "button primary" });
  const form = make("form", { novalidate: true }, make("header", {}, title), holder, trouble, make("footer", {}, close, submit));
  const element = make("dialog", { class: "modal", "aria-labelledby": title.id }, form);
  document.body.append(element);
  let shown = null;
  let drawn = "";

  close.addEventListener("click", leave);
  element.addEventListener("cancel", (event) => {
    if (event.target !== element) return;
    event.preventDefault();
    leave();
  });
  // A second Escape closes without asking; the bot must hear of that too.
  element.addEventListener("close", () => {
    if (shown.user === state.place.as && state.views.some((one) => one.id === id)) leave();
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

  /** Draws the view again only if the bot has changed it, so that half-typed words stay. */
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
    holder.replaceChildren(renderView(one.view, viewEnv(one, holder)));
  }

  function open() {
    if (!element.open) element.showModal();
  }

  return { element, update, open };
}

/** What blocks.js may ask of us for a modal or a home. */
function viewEnv(one, holder) {
  const about = (element, block) => ({ view: one.id, user: one.user, block_id: block.block_id, action_id: element.action_id });
  return {
    ...reading,
    act: (element, block, choice) => request("act", { ...about(element, block), choice, values: readValues(holder) }),
    suggest: (element, block, text) => request("suggest", { ...about(element, block), text }),
  };
}

/** The app's home for whoever the viewer is. */
export function createHome() {
  const holder = byId("home");
  let drawn = "";
  function update() {
    holder.hidden = state.place.in !== "home";
    const view = state.homes[state.place.as];
    const now = `${state.place.as} ${JSON.stringify(view)}`;
    if (holder.hidden || now === drawn) return;
    drawn = now;
    holder.replaceChildren(view ? renderView(view, viewEnv({ id: view.id ?? "home", user: state.place.as }, holder)) : "");
  }
  return { update };
}
