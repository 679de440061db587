// Owns menus that one chooses from: a combobox with its list of options, single or multiple, with
// type-ahead in the page or at the app. Must not know the block that it stands in.
//
// https://www.w3.org/WAI/ARIA/apg/patterns/combobox/

import { freshId, make, oneLine } from "./dom.js";
import { textObject } from "./mrkdwn.js";

// Long enough that a word typed at a run is asked for once.
const TYPING_PAUSE_MS = 250;

// https://docs.slack.dev/reference/block-kit/block-elements/select-menu-element#external_select
const DEFAULT_MIN_QUERY = 3;

const LIST_MARGIN = 8;
const LIST_HEIGHT = 320;

function labelOf(option) {
  return oneLine(option.text?.text ?? "");
}

function asGroups({ options, option_groups: groups }) {
  return groups ?? [{ options: options ?? [] }];
}

function matching(source, query) {
  const wanted = query.trim().toLowerCase();
  return asGroups(source)
    .map((group) => ({
      ...group,
      options: group.options.filter((option) => labelOf(option).toLowerCase().includes(wanted)),
    }))
    .filter((group) => group.options.length > 0);
}

function optionContent(option, env) {
  const description = option.description
    ? make("span", { class: "option-about" }, textObject(option.description, env))
    : undefined;
  return [make("span", { class: "option-text" }, textObject(option.text, env)), description];
}

/** Options as a list to look at, not to choose from. */
export function optionPicture(source, env) {
  const groups = asGroups(source).filter((group) => group.options.length > 0);
  if (groups.length === 0) return make("p", { class: "select-note" }, "No results");
  return make("div", { class: "option-picture" }, ...groups.map((group) => make(
    "ul",
    { role: "list" },
    group.label ? make("li", { class: "option-group" }, textObject(group.label, env)) : undefined,
    ...group.options.map((option) => make("li", { class: "option" }, ...optionContent(option, env))),
  )));
}

/**
 * A menu. `names` label it; `load(text)` returns a promise of options where they come from outside,
 * else `source` has them. `choose(options)` is told of each choice by a person and may return a
 * promise of false, which undoes it.
 */
export class Select {
  constructor({ source, load, minQuery, initial, multiple, most, placeholder, names, env, choose }) {
    Object.assign(this, { source, load, multiple, most, env, choose });
    this.minQuery = minQuery ?? DEFAULT_MIN_QUERY;
    this.chosen = [...initial];
    this.typed = false;
    this.request = 0;
    // What the list that is shown was asked for with.
    this.answered = undefined;
    this.shown = [];
    this.active = -1;
    this.#build(placeholder, names);
    this.#showChosen();
  }

  #build(placeholder, names) {
    const listId = freshId("options");
    this.input = make("input", {
      ...names,
      class: "field control select-input",
      type: "text",
      role: "combobox",
      autocomplete: "off",
      spellcheck: "false",
      "aria-autocomplete": "list",
      "aria-expanded": "false",
      "aria-haspopup": "listbox",
      placeholder,
    });
    this.list = make("div", {
      id: listId,
      role: "listbox",
      "aria-label": "Options",
      "aria-multiselectable": this.multiple ? "true" : undefined,
    });
    this.note = make("p", { class: "select-note", role: "status", hidden: true });
    this.popup = make("div", { class: "select-popup", popover: "manual" }, this.note, this.list);
    this.chips = this.multiple ? make("ul", { class: "chips", role: "list" }) : undefined;
    this.node = make("div", { class: "select" }, this.chips, this.input, this.popup);
    this.place = () => {
      // A field that was replaced while its list was open can't be followed any more.
      if (this.input.isConnected) this.#placePopup();
      else this.#unfollow();
    };
    this.#listen();
  }

  #listen() {
    this.input.addEventListener("click", () => this.#openToType());
    this.input.addEventListener("input", () => {
      this.typed = true;
      this.open();
      this.#refresh();
    });
    this.input.addEventListener("keydown", (event) => this.#onKey(event));
    this.input.addEventListener("blur", () => this.#settle());
    // A press in the list must not take the focus out of the field.
    this.popup.addEventListener("mousedown", (event) => event.preventDefault());
    this.list.addEventListener("click", (event) => {
      const node = event.target.closest('[role="option"]');
      if (node) this.#choose(this.shown.findIndex((shown) => shown.node === node));
    });
  }

  get isOpen() {
    return this.input.getAttribute("aria-expanded") === "true";
  }

  open() {
    if (this.isOpen || this.input.disabled) return;
    this.input.setAttribute("aria-expanded", "true");
    this.input.setAttribute("aria-controls", this.list.id);
    this.popup.showPopover();
    addEventListener("scroll", this.place, true);
    addEventListener("resize", this.place);
    this.#refresh();
  }

  // What was chosen before is there to be typed over, not to be added to.
  #openToType() {
    if (this.isOpen) return;
    this.open();
    if (!this.multiple) this.input.select();
  }

  close() {
    if (!this.isOpen) return;
    this.request += 1;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-controls");
    this.input.removeAttribute("aria-activedescendant");
    this.popup.hidePopover();
    this.#unfollow();
  }

  #unfollow() {
    removeEventListener("scroll", this.place, true);
    removeEventListener("resize", this.place);
  }

  #placePopup() {
    const box = this.input.getBoundingClientRect();
    const height = visualViewport?.height ?? innerHeight;
    const below = height - box.bottom - LIST_MARGIN;
    const above = box.top - LIST_MARGIN;
    const { style } = this.popup;
    style.maxHeight = `${LIST_HEIGHT}px`;
    const under = below >= this.popup.offsetHeight || below >= above;
    style.left = `${box.left}px`;
    style.width = `${box.width}px`;
    style.maxHeight = `${Math.min(LIST_HEIGHT, under ? below : above)}px`;
    style.top = under ? `${box.bottom + 4}px` : "auto";
    style.bottom = under ? "auto" : `${innerHeight - box.top + 4}px`;
  }

  #refresh() {
    const query = this.typed ? this.input.value : "";
    if (!this.load) this.#showGroups(matching(this.source, query));
    else this.#askFor(query);
  }

  async #askFor(query) {
    this.request += 1;
    const request = this.request;
    const lacking = this.minQuery - query.trim().length;
    if (lacking > 0) {
      this.#showNote(`Type ${lacking} more ${lacking === 1 ? "character" : "characters"} to search`);
      return;
    }
    // What answered other letters must not be there to choose from.
    if (this.shown.length === 0 || query !== this.answered) this.#showNote("Searching…");
    if (this.typed) await new Promise((resolve) => setTimeout(resolve, TYPING_PAUSE_MS));
    if (request !== this.request) return;
    try {
      const answer = await this.load(query);
      if (request !== this.request) return;
      this.answered = query;
      this.#showGroups(asGroups(answer).filter((group) => group.options.length > 0));
    } catch (error) {
      if (request === this.request) this.#showNote(error instanceof Error ? error.message : String(error));
    }
  }

  #showNote(text) {
    this.shown = [];
    this.list.replaceChildren();
    this.#activate(-1);
    this.note.textContent = text;
    this.note.hidden = false;
    this.list.hidden = true;
    this.#placePopup();
  }

  #showGroups(groups) {
    if (groups.length === 0) {
      this.#showNote("No results");
      return;
    }
    this.note.hidden = true;
    this.note.textContent = "";
    this.list.hidden = false;
    this.shown = [];
    this.list.replaceChildren(...groups.map((group) => this.#groupNode(group)));
    this.#placePopup();
    this.popup.scrollTop = 0;
    const first = this.shown.findIndex(({ option }) => this.#isChosen(option));
    this.#activate(first < 0 && this.typed ? 0 : first);
  }

  #groupNode(group) {
    const options = group.options.map((option) => this.#optionNode(option));
    if (!group.label) {
      const fragment = document.createDocumentFragment();
      fragment.append(...options);
      return fragment;
    }
    const id = freshId("group");
    const label = make("div", { class: "option-group", id, role: "presentation" }, textObject(group.label, this.env));
    return make("div", { role: "group", "aria-labelledby": id }, label, ...options);
  }

  #optionNode(option) {
    const node = make(
      "div",
      { class: "option", id: freshId("option"), role: "option", "aria-selected": String(this.#isChosen(option)) },
      ...optionContent(option, this.env),
    );
    this.shown.push({ option, node });
    return node;
  }

  #isChosen(option) {
    return this.chosen.some(({ value }) => value === option.value);
  }

  #activate(index) {
    this.shown[this.active]?.node.classList.remove("active");
    this.active = index;
    const node = this.shown[index]?.node;
    if (!node) {
      this.input.removeAttribute("aria-activedescendant");
      return;
    }
    node.classList.add("active");
    this.input.setAttribute("aria-activedescendant", node.id);
    node.scrollIntoView({ block: "nearest" });
  }

  #onKey(event) {
    const last = this.shown.length - 1;
    const moves = {
      ArrowDown: () => this.#activate(this.active >= last ? 0 : this.active + 1),
      ArrowUp: () => this.#activate(this.active <= 0 ? last : this.active - 1),
      Home: () => this.#activate(0),
      End: () => this.#activate(last),
    };
    if (event.key === "Escape" && this.isOpen) {
      // The dialog around it stays open.
      event.preventDefault();
      event.stopPropagation();
      this.#settle();
    } else if (this.isOpen && event.key === "Enter" && !event.isComposing) {
      // Also where nothing can be chosen yet: it must not send the form with what was chosen before.
      event.preventDefault();
      this.#choose(this.active);
    } else if (this.isOpen && moves[event.key] && last >= 0) {
      event.preventDefault();
      moves[event.key]();
    } else if (!this.isOpen && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      this.#openToType();
    } else if (event.key === "Backspace" && this.multiple && this.input.value === "" && this.chosen.length > 0) {
      this.#change(this.chosen.slice(0, -1));
    }
  }

  #choose(index) {
    const option = this.shown[index]?.option;
    if (!option) return;
    if (!this.multiple) {
      this.typed = false;
      this.close();
      this.#change([option]);
    } else if (this.#isChosen(option)) {
      this.#change(this.chosen.filter(({ value }) => value !== option.value));
    } else if (!this.most || this.chosen.length < this.most) {
      this.#change([...this.chosen, option]);
    }
  }

  async #change(chosen) {
    const before = this.chosen;
    this.chosen = chosen;
    this.#showChosen();
    this.node.dispatchEvent(new Event("input", { bubbles: true }));
    if ((await this.choose?.(chosen)) !== false) return;
    this.chosen = before;
    this.#showChosen();
  }

  #showChosen() {
    if (this.multiple) {
      this.chips.replaceChildren(...this.chosen.map((option) => this.#chip(option)));
      for (const { option, node } of this.shown) node.setAttribute("aria-selected", String(this.#isChosen(option)));
      if (this.isOpen) this.#placePopup();
    } else {
      this.input.value = this.chosen.length > 0 ? labelOf(this.chosen[0]) : "";
    }
  }

  #chip(option) {
    const remove = make("button", { class: "chip-remove", type: "button", "aria-label": `Remove ${labelOf(option)}` }, "×");
    remove.addEventListener("click", () => {
      this.#change(this.chosen.filter(({ value }) => value !== option.value));
      this.input.focus();
    });
    return make("li", { class: "chip" }, make("span", {}, textObject(option.text, this.env)), remove);
  }

  // Whoever leaves the field without choosing keeps what was chosen; whoever has emptied it has
  // chosen nothing.
  #settle() {
    const emptied = !this.multiple && this.typed && this.input.value.trim() === "" && this.chosen.length > 0;
    this.typed = false;
    this.close();
    if (this.multiple) this.input.value = "";
    else if (emptied) this.#change([]);
    else this.#showChosen();
  }
}
