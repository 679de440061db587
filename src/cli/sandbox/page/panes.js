// Owns one picture: a message, form, home or list in a pane as wide as a phone or a desktop, light or
// dark. Must not know which pictures there are, or how they are filtered.

import { renderMessage, renderOptions, renderView } from "./blocks.js";
import { make } from "./dom.js";
import { textObject } from "./mrkdwn.js";

const WIDTHS = { phone: "Phone", desktop: "Desktop" };
// How wide a page must be for a whole desktop pane, in px.
const DESKTOP_ROOM = 660;

const SCHEMES = { light: "light", dark: "dark" };

/** All panes of one payload for the chosen `width` and `scheme`, each of which may be "both". */
export function renderPanes({ kind, payload }, { width, scheme }, env) {
  const schemes = Object.keys(SCHEMES).filter((name) => scheme === "both" || scheme === name);
  const widths = Object.keys(WIDTHS).filter((name) => width === "both" || width === name);
  return make("div", { class: "panes", "data-width": width }, ...schemes.flatMap((schemeName) => (
    widths.map((widthName) => pane(kind, payload, widthName, schemeName, env))
  )));
}

function pane(kind, payload, width, scheme, env) {
  const name = `${WIDTHS[width]}, ${SCHEMES[scheme]}`;
  const surface = SURFACES[kind](payload, env);
  return make(
    "figure",
    { class: `pane ${width}` },
    make("figcaption", {}, name),
    make("div", {
      class: "frame",
      "data-scheme": scheme,
      role: "group",
      "aria-label": name,
      // It scrolls where the page is narrower than the pane, so the keyboard has to get there.
      tabindex: width === "desktop" && innerWidth < DESKTOP_ROOM ? "0" : undefined,
    }, surface),
  );
}

const SURFACES = {
  message: (payload, env) => make(
    "div",
    { class: "message" },
    make("img", { src: "icon.svg", alt: "", width: "36", height: "36" }),
    make(
      "div",
      { class: "message-main" },
      make("p", { class: "sender" }, make("b", {}, "connect-card"), " ", make("span", { class: "tag" }, "App")),
      renderMessage(payload, env),
    ),
  ),
  modal: (view, env) => make(
    "div",
    { class: "modal" },
    make("p", { class: "modal-title" }, textObject(view.title, env)),
    renderView(view, env),
    modalButtons(view, env),
  ),
  home: (view, env) => make("div", { class: "home" }, renderView(view, env)),
  options: (answer, env) => make("div", { class: "answer" }, renderOptions(answer, env)),
};

function modalButtons(view, env) {
  if (!view.close && !view.submit) return undefined;
  const button = (text, kind) => make("span", { class: `button ${kind}` }, textObject(text, env));
  return make(
    "div",
    { class: "modal-buttons" },
    view.close ? button(view.close, "") : undefined,
    view.submit ? button(view.submit, "primary") : undefined,
  );
}
