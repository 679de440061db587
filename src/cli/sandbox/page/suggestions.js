// The list above a text field that completes what is typed: arrows, Tab, Enter, Escape. Owns the list; must not know what is completed.

import { make } from "./dom.js";
import { announce } from "./redraw.js";

/** A list for `field`. `find()` returns `[{text, show, hint, about, first?}]`; `choose(text)` takes one. `first` is chosen by Enter at once. */
export function createSuggestions(field, find, choose) {
  const element = make("ul", { class: "suggestions", id: "suggestions", role: "listbox", "aria-label": "Suggestions", hidden: true });
  let found = [];
  let active = -1;

  field.setAttribute("aria-autocomplete", "list");
  field.setAttribute("aria-haspopup", "listbox");
  field.addEventListener("blur", close);
  // The list must not take the focus from the field, or it would close before the click arrives.
  element.addEventListener("pointerdown", (event) => event.preventDefault());
  element.addEventListener("click", (event) => {
    const index = [...element.children].indexOf(event.target.closest("[role=option]"));
    if (index >= 0) choose(found[index].text);
  });

  function update() {
    const before = found.length;
    found = find();
    active = found[0]?.first ? 0 : -1;
    element.replaceChildren(...found.map(option));
    element.hidden = found.length === 0;
    if (found.length) field.setAttribute("aria-controls", element.id);
    else field.removeAttribute("aria-controls");
    mark();
    if (found.length && found.length !== before) announce(`${found.length} suggestion${found.length === 1 ? "" : "s"}`);
  }

  function close() {
    found = [];
    active = -1;
    element.hidden = true;
    field.removeAttribute("aria-controls");
    mark();
  }

  function mark() {
    [...element.children].forEach((child, index) => child.setAttribute("aria-selected", String(index === active)));
    if (active < 0) return field.removeAttribute("aria-activedescendant");
    field.setAttribute("aria-activedescendant", element.children[active].id);
    element.children[active].scrollIntoView({ block: "nearest" });
  }

  /** Whether the list has used up this key. */
  function takes(event) {
    if (!found.length || event.ctrlKey || event.metaKey || event.altKey) return false;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      active = active < 0 ? (step > 0 ? 0 : found.length - 1) : (active + step + found.length) % found.length;
      mark();
    } else if (event.key === "Escape") {
      close();
    } else if (event.key === "Tab" && !event.shiftKey) {
      choose(found[Math.max(active, 0)].text);
    } else if (event.key === "Enter" && !event.shiftKey && active >= 0) {
      choose(found[active].text);
    } else {
      return false;
    }
    event.preventDefault();
    return true;
  }

  return { element, update, close, takes };
}

function option(one, index) {
  return make(
    "li",
    { role: "option", id: `suggestion-${index}`, class: "suggestion" },
    make("span", { class: "mono" }, make("b", {}, one.show), one.hint ? ` ${one.hint}` : ""),
    make("span", { class: "hint" }, one.about),
  );
}
