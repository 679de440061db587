// Owns the elements that one presses or fills in: buttons, menus, texts, choices and pickers. Must
// not know blocks, or which surface it is on.
//
// https://docs.slack.dev/reference/block-kit/block-elements

import { act } from "./act.js";
import { freshId, make, oneLine } from "./dom.js";
import { textObject } from "./mrkdwn.js";
import { Select } from "./select.js";
import { holdValue } from "./values.js";

const WEB_ADDRESS = /^https?:\/\//i;

// Slack's limit for a text input that names none.
const TEXT_LIMIT = 3000;

const DATE_INPUTS = {
  datepicker: { input: "date", initial: "initial_date", chosen: "selected_date", name: "Date" },
  timepicker: { input: "time", initial: "initial_time", chosen: "selected_time", name: "Time" },
};

const TYPED_INPUTS = { number_input: "number", email_text_input: "email", url_text_input: "url" };

const MAKERS = {
  button,
  workflow_button: button,
  overflow,
  image: imageElement,
  plain_text_input: textInput,
  number_input: textInput,
  email_text_input: textInput,
  url_text_input: textInput,
  datepicker: dateInput,
  timepicker: dateInput,
  datetimepicker: momentInput,
  checkboxes: choices,
  radio_buttons: choices,
  static_select: menu,
  multi_static_select: menu,
  external_select: menu,
  multi_external_select: menu,
  users_select: menu,
  multi_users_select: menu,
  channels_select: menu,
  multi_channels_select: menu,
  conversations_select: menu,
  multi_conversations_select: menu,
};

/**
 * The element as a node, or undefined if there is no such element. `names` are the attributes that
 * label its control, where a block does: `{id, "aria-labelledby", "data-hint", required}`.
 */
export function renderElement(element, block, env, names = {}) {
  const maker = Object.hasOwn(MAKERS, element.type) ? MAKERS[element.type] : undefined;
  const node = maker?.(element, block, env, names);
  if (element.action_id) node?.setAttribute("data-action-id", element.action_id);
  return node;
}

/** Whether a label of its own can point to the element's control. */
export function isGroup(element) {
  return element.type === "checkboxes" || element.type === "radio_buttons";
}

// Inside an input block an element only holds its value, unless the block dispatches actions.
function speaks(block) {
  return block.type !== "input" || block.dispatch_action === true;
}

function styleOf(element) {
  return ["primary", "danger"].includes(element.style) ? element.style : "";
}

function button(element, block, env) {
  const leads = WEB_ADDRESS.test(element.url ?? "");
  const label = element.accessibility_label;
  const attributes = { class: `button ${styleOf(element)}`.trim(), "aria-label": label };
  const text = make("span", {}, textObject(element.text, env));
  if (leads) return linkButton(element, block, env, attributes, text);
  const node = make("button", { ...attributes, type: "button", disabled: !env.act }, text);
  node.classList.toggle("inert", !env.act);
  node.addEventListener("click", () => act({ control: node, element, block, choice: { value: element.value }, env }));
  return node;
}

// A button with an address opens it, and tells the app as well.
function linkButton(element, block, env, attributes, text) {
  const target = env.act ? { href: element.url, target: "_blank", rel: "noopener noreferrer" } : {};
  const node = make("a", { ...attributes, ...target, role: env.act ? undefined : "link", "aria-disabled": !env.act && "true" }, text);
  node.append(make("span", { class: "visually-hidden" }, " (opens in a new tab)"));
  node.classList.add("leads");
  node.classList.toggle("inert", !env.act);
  node.addEventListener("click", async (event) => {
    // While the app is being told, the address can be opened all the same.
    if (!env.act || element.confirm) event.preventDefault();
    const done = await act({ control: node, element, block, choice: { value: element.value }, env });
    if (done && element.confirm) open(element.url, "_blank", "noopener,noreferrer");
  });
  return node;
}

function overflow(element, block, env) {
  const menuId = freshId("menu");
  const opener = make("button", {
    class: "button overflow-button",
    type: "button",
    "aria-label": "More actions",
    "aria-haspopup": "menu",
    "aria-expanded": "false",
    "aria-controls": menuId,
    disabled: !env.act,
  }, "⋯");
  opener.classList.toggle("inert", !env.act);
  const items = element.options.map((option) => make(
    "button",
    { class: "menu-item", type: "button", role: "menuitem", tabindex: "-1" },
    textObject(option.text, env),
  ));
  const list = make("div", { class: "overflow-menu", id: menuId, role: "menu", popover: "auto" }, ...items);
  const node = make("div", { class: "overflow" }, opener, list);
  opener.addEventListener("click", () => openMenu(opener, list, items));
  list.addEventListener("toggle", (event) => opener.setAttribute("aria-expanded", String(event.newState === "open")));
  list.addEventListener("keydown", (event) => onMenuKey(event, list, items, opener));
  for (const [index, item] of items.entries()) {
    item.addEventListener("click", async () => {
      const option = element.options[index];
      list.hidePopover();
      opener.focus();
      const done = await act({ control: opener, element, block, choice: { selected_option: option }, env });
      if (done && WEB_ADDRESS.test(option.url ?? "")) open(option.url, "_blank", "noopener,noreferrer");
    });
  }
  return node;
}

function openMenu(opener, list, items) {
  const box = opener.getBoundingClientRect();
  list.showPopover();
  const size = list.getBoundingClientRect();
  const below = box.bottom + 4 + size.height <= innerHeight;
  list.style.top = below ? `${box.bottom + 4}px` : `${box.top - 4 - size.height}px`;
  list.style.left = `${Math.max(8, Math.min(box.left, innerWidth - size.width - 8))}px`;
  items[0]?.focus();
}

function onMenuKey(event, list, items, opener) {
  const at = items.indexOf(document.activeElement);
  const to = {
    ArrowDown: (at + 1) % items.length,
    ArrowUp: (at - 1 + items.length) % items.length,
    Home: 0,
    End: items.length - 1,
  }[event.key];
  if (to !== undefined) {
    event.preventDefault();
    items[to].focus();
  } else if (event.key === "Escape" || event.key === "Tab") {
    // Here too, the dialog around it stays open.
    if (event.key === "Escape") event.preventDefault();
    event.stopPropagation();
    list.hidePopover();
    opener.focus();
  }
}

function textInput(element, block, env, names) {
  const multiline = element.type === "plain_text_input" && element.multiline === true;
  const control = make(multiline ? "textarea" : "input", {
    ...names,
    class: "field control",
    "aria-label": names["aria-labelledby"] ? undefined : (element.placeholder?.text ?? "Text"),
    type: multiline ? undefined : (TYPED_INPUTS[element.type] ?? "text"),
    rows: multiline ? "4" : undefined,
    placeholder: element.placeholder?.text,
    maxlength: element.type === "plain_text_input" ? String(element.max_length ?? TEXT_LIMIT) : undefined,
    minlength: element.min_length ? String(element.min_length) : undefined,
    min: element.min_value,
    max: element.max_value,
    step: element.is_decimal_allowed ? "any" : undefined,
    autocomplete: "off",
    autofocus: element.focus_on_load === true,
  });
  control.value = element.initial_value ?? "";
  const read = () => ({ type: element.type, value: control.value === "" ? null : control.value });
  hold(control, block, element, read);
  if (element.min_length) control.dataset.least = String(element.min_length);
  if (speaks(block)) speakOfText(control, element, block, env, read);
  return control;
}

// https://docs.slack.dev/reference/block-kit/composition-objects/dispatch-action-configuration-object
function speakOfText(control, element, block, env, read) {
  const triggers = element.dispatch_action_config?.trigger_actions_on ?? ["on_enter_pressed"];
  const speak = () => act({ control, element, block, choice: { value: read().value }, env });
  if (triggers.includes("on_character_entered")) control.addEventListener("input", speak);
  if (!triggers.includes("on_enter_pressed")) return;
  control.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    speak();
  });
}

function hold(node, block, element, read) {
  holdValue(node, block.block_id, element.action_id ?? element.type, read);
}

function dateInput(element, block, env, names) {
  const kind = DATE_INPUTS[element.type];
  const control = make("input", {
    ...names,
    class: "field control picker",
    type: kind.input,
    "aria-label": names["aria-labelledby"] ? undefined : (element.placeholder?.text ?? kind.name),
    autofocus: element.focus_on_load === true,
  });
  control.value = element[kind.initial] ?? "";
  const read = () => ({ type: element.type, [kind.chosen]: control.value || null });
  return spoken(control, element, block, env, read);
}

function momentInput(element, block, env, names) {
  const control = make("input", {
    ...names,
    class: "field control picker",
    type: "datetime-local",
    "aria-label": names["aria-labelledby"] ? undefined : "Date and time",
    autofocus: element.focus_on_load === true,
  });
  if (element.initial_date_time) control.value = localMinute(element.initial_date_time);
  const read = () => ({
    type: element.type,
    selected_date_time: control.value ? Math.floor(new Date(control.value).getTime() / 1000) : null,
  });
  return spoken(control, element, block, env, read);
}

// What <input type="datetime-local"> wants: the viewer's own wall clock, to the minute.
function localMinute(seconds) {
  const offsetMs = new Date(seconds * 1000).getTimezoneOffset() * 60_000;
  return new Date(seconds * 1000 - offsetMs).toISOString().slice(0, 16);
}

// Holds its value, and where it stands by itself tells the app of every change.
function spoken(control, element, block, env, read) {
  hold(control, block, element, read);
  if (!speaks(block)) return control;
  tellChanges([control], { control, element, block, env, read }, {
    look: () => control.value,
    restore: (value) => { control.value = value; },
  });
  return control;
}

// Tells the app of each change of `inputs`. What was denied, or came while the one before was under
// way, is undone.
function tellChanges(inputs, { control, element, block, env, read }, { look, restore }) {
  let accepted = look();
  for (const input of inputs) {
    input.disabled = !env.act;
    input.classList.toggle("inert", !env.act);
    input.addEventListener("change", async () => {
      const { type, ...choice } = read();
      const wanted = look();
      if (await act({ control, element, block, choice, env })) accepted = wanted;
      restore(accepted);
    });
  }
}

function choices(element, block, env, names) {
  const several = element.type === "checkboxes";
  const chosen = several ? (element.initial_options ?? []) : [element.initial_option].filter(Boolean);
  const name = freshId("choice");
  const inputs = element.options.map((option) => make("input", {
    class: "control",
    type: several ? "checkbox" : "radio",
    name,
    "data-hint": names["data-hint"],
    "aria-describedby": names["aria-describedby"],
    checked: chosen.some(({ value }) => value === option.value),
  }));
  const lines = element.options.map((option, index) => make(
    "label",
    { class: "choice" },
    inputs[index],
    make(
      "span",
      {},
      make("span", { class: "option-text" }, textObject(option.text, env)),
      option.description ? make("span", { class: "option-about" }, textObject(option.description, env)) : undefined,
    ),
  ));
  const node = make("div", {
    class: "choices",
    role: several ? "group" : "radiogroup",
    "aria-required": several ? undefined : names["aria-required"],
    "aria-labelledby": names["aria-labelledby"],
    "aria-label": names["aria-labelledby"] ? undefined : "Choices",
  }, ...lines);
  const picked = () => element.options.filter((_, index) => inputs[index].checked);
  const read = several
    ? () => ({ type: element.type, selected_options: picked() })
    : () => ({ type: element.type, selected_option: picked()[0] ?? null });
  hold(node, block, element, read);
  if (!speaks(block)) return node;
  tellChanges(inputs, { control: node, element, block, env, read }, {
    look: () => inputs.map((input) => input.checked),
    restore: (checked) => inputs.forEach((input, index) => { input.checked = checked[index]; }),
  });
  return node;
}

// What the kinds of menus list, how they name what was chosen at first, and what they send.
function menuKind(type, element, env) {
  const many = type.startsWith("multi_");
  const what = type.replace(/^multi_/, "").replace(/_select$/, "");
  const named = (list, look) => {
    const option = (id) => ({ text: { type: "plain_text", text: look?.(id) ?? id }, value: id });
    const initial = many ? (element[`initial_${what}`] ?? []) : [element[`initial_${what.slice(0, -1)}`]].filter(Boolean);
    return {
      many,
      source: { options: (list ?? []).map(({ id }) => option(id)) },
      initial: initial.map(option),
      key: many ? `selected_${what}` : `selected_${what.slice(0, -1)}`,
      value: ({ value }) => value,
    };
  };
  if (what === "users") return named(env.people, (id) => env.user?.(id));
  if (what === "channels" || what === "conversations") return named(env.channels, (id) => env.channel?.(id));
  return {
    many,
    source: element,
    external: what === "external",
    initial: many ? (element.initial_options ?? []) : [element.initial_option].filter(Boolean),
    key: many ? "selected_options" : "selected_option",
    value: (option) => option,
  };
}

function menu(element, block, env, names) {
  const kind = menuKind(element.type, element, env);
  const placeholder = element.placeholder?.text ?? (kind.many ? "Select options" : "Select an option");
  const choose = async () => {
    if (!speaks(block)) return true;
    const { type, ...choice } = read();
    return act({ control: select.input, element, block, choice, env });
  };
  const select = new Select({
    source: kind.source,
    load: kind.external ? loader(element, block, env) : undefined,
    minQuery: element.min_query_length,
    initial: kind.initial,
    multiple: kind.many,
    most: element.max_selected_items,
    placeholder,
    names: { ...names, "aria-label": names["aria-labelledby"] ? undefined : oneLine(placeholder) },
    env,
    choose,
  });
  const read = () => ({
    type: element.type,
    [kind.key]: kind.many ? select.chosen.map(kind.value) : select.chosen.map(kind.value)[0] ?? null,
  });
  hold(select.node, block, element, read);
  select.input.autofocus = element.focus_on_load === true;
  select.input.disabled = speaks(block) && !env.act;
  select.input.classList.toggle("inert", select.input.disabled);
  return select.node;
}

function loader(element, block, env) {
  return (text) => {
    if (!env.suggest) return Promise.reject(new Error("The app would be asked for these options."));
    return env.suggest(element, block, text);
  };
}

/**
 * A picture, if it comes with the page. Nothing is asked for elsewhere, so of any other there is
 * its description.
 */
export function imageElement({ image_url: address = "", alt_text: alt }) {
  if (/^data:image\//.test(address)) return make("img", { class: "picture", src: address, alt: alt ?? "" });
  return make("span", { class: "picture absent", role: "img", "aria-label": alt || "Picture", title: alt });
}
