// The wire: every exchange between browser, Slack, bot and Fivetran, as a sequence down the page. Owns how they are drawn and found;
// must not know what an exchange is for.

import { make } from "./dom.js";
import { arrange, byId, setText } from "./redraw.js";
import { keepAtEnd } from "./scroll.js";
import { state } from "./state.js";
import { exactTime } from "./time.js";

// From left to right: those who talk to each other stand beside each other.
const LANES = ["browser", "slack", "bot", "fivetran"];
const NAMES = { browser: "Browser", slack: "Slack", bot: "Bot", fivetran: "Fivetran" };

/** The wire's tab. */
export function createWire() {
  const filter = make("input", { id: "wire-filter", type: "search", class: "field", placeholder: "Filter, such as slack, views.open or 429", autocomplete: "off" });
  const label = make("label", { class: "visually-hidden", for: filter.id }, "Filter the wire");
  const lanes = make("div", { class: "lane-names", "aria-hidden": "true" }, ...LANES.map((name) => make("span", {}, NAMES[name])));
  const list = make("ol", { role: "list", class: "exchanges" });
  const empty = make("p", { class: "empty hint" });
  const scroller = make("div", { class: "wire-scroller", role: "region", "aria-label": "Exchanges", tabindex: "0" }, lanes, empty, list);
  const latest = make("button", { type: "button", class: "button small", hidden: true }, "Newest");
  const end = keepAtEnd(scroller, list, (atEnd) => {
    latest.hidden = atEnd;
  });
  byId("panel-wire").append(make("div", { class: "wire-head" }, label, filter), scroller, make("div", { class: "unread" }, latest));
  const rows = new Map();
  const deaths = new Map();

  filter.addEventListener("input", update);
  latest.addEventListener("click", () => {
    end.toEnd();
    scroller.focus({ preventScroll: true });
  });

  function update() {
    const wanted = filter.value.trim().toLowerCase();
    const exchanges = [...state.wire.values()].filter((one) => matches(one, wanted)).map((one) => ({ at: Date.parse(one.at), n: one.n, element: exchangeRow(one) }));
    const died = wanted ? [] : (state.bot?.deaths ?? []).map((one, index) => ({ at: Date.parse(one.at), n: Infinity, element: deathRow(one, index) }));
    const all = [...exchanges, ...died].sort((one, other) => one.at - other.at || one.n - other.n);
    arrange(list, all.map((one) => one.element));
    for (const n of rows.keys()) if (!state.wire.has(n)) rows.delete(n);
    empty.hidden = all.length > 0;
    list.hidden = all.length === 0;
    setText(empty, wanted ? "Nothing on the wire matches." : "Nothing has been said yet. Type a command, and watch who talks to whom.");
  }

  function exchangeRow(one) {
    if (!rows.has(one.n)) rows.set(one.n, createExchange(end.stay));
    const row = rows.get(one.n);
    row.update(one);
    return row.element;
  }

  function deathRow(one, index) {
    if (!deaths.has(index)) deaths.set(index, make("li", { class: "death" }));
    const element = deaths.get(index);
    setText(element, `The bot died here, ${exactTime(new Date(one.at))}. ${one.step}`);
    return element;
  }

  return { update };
}

function matches(one, wanted) {
  if (!wanted) return true;
  if (!words.has(one)) {
    const parts = [one.label, one.from, one.to, one.status, one.fault, one.note, textOf(one.request), textOf(one.answer)];
    words.set(one, parts.join("\n").toLowerCase());
  }
  return words.get(one).includes(wanted);
}

// All that an exchange says, for the filter. What has changed comes as a new object.
const words = new WeakMap();

function createExchange(onOpen) {
  const label = make("span", { class: "exchange-label mono" });
  const who = make("span", { class: "visually-hidden" });
  const outcome = make("span", { class: "tag" });
  const ms = make("span", { class: "hint" });
  const fault = make("span", { class: "tag bad" }, "fault");
  const arrow = make("span", { class: "arrow", "aria-hidden": "true" }, make("span", { class: "arrow-there" }), make("span", { class: "arrow-back" }));
  const summary = make("summary", {}, make("span", { class: "exchange-line" }, label, who, fault, outcome, ms), arrow);
  const at = make("p", { class: "hint" });
  const note = make("p", { class: "note" });
  const asked = createText("Request");
  const answered = createText("Answer");
  const details = make("details", {}, summary, make("div", { class: "exchange-inside" }, at, note, asked.element, answered.element));
  const element = make("li", { class: "exchange" }, details);
  let shown = null;

  details.addEventListener("toggle", () => {
    if (!details.open) return;
    onOpen();
    drawInside();
  });

  function update(one) {
    // What has changed comes as a new object.
    if (one === shown) return;
    shown = one;
    setText(label, one.label);
    setText(who, `, ${NAMES[one.from]} to ${NAMES[one.to]}, `);
    const said = outcomeOf(one);
    setText(outcome, said.text);
    outcome.className = `tag ${said.tone}`;
    setText(ms, one.ms === null ? "" : duration(one.ms));
    fault.hidden = !one.fault;
    const [from, to] = [LANES.indexOf(one.from), LANES.indexOf(one.to)];
    arrow.dataset.lanes = `${Math.min(from, to)}${Math.max(from, to)}`;
    arrow.dataset.way = from < to ? "right" : "left";
    element.dataset.state = one.ms === null ? "under-way" : one.status === null ? "unanswered" : "answered";
    element.classList.toggle("troubled", said.tone === "bad" || Boolean(one.fault));
    if (details.open) drawInside();
  }

  function drawInside() {
    setText(at, `${NAMES[shown.from]} to ${NAMES[shown.to]} at ${exactTime(new Date(shown.at))}`);
    const notes = [shown.fault && `Fault: ${shown.fault}.`, shown.note].filter(Boolean);
    note.hidden = notes.length === 0;
    setText(note, notes.join(" "));
    asked.show(shown.request, "Nothing was sent with it.");
    answered.show(shown.answer, shown.ms === null ? "Still under way." : shown.status === null ? "No answer came." : "The answer had no body.");
  }

  return { element, update };
}

function createText(title) {
  const pre = make("pre", { tabindex: "0", role: "group", "aria-label": title });
  const none = make("p", { class: "hint" });
  const element = make("section", {}, make("p", { class: "label" }, title), pre, none);
  function show(value, otherwise) {
    const text = textOf(value);
    pre.hidden = text === "";
    none.hidden = text !== "";
    setText(pre, text);
    setText(none, otherwise);
  }
  return { element, show };
}

/** A body as a person reads it: JSON with line breaks, anything else as it is. */
function textOf(value) {
  if (value === null || value === undefined) return "";
  if (typeof value !== "string") return JSON.stringify(value, null, 2);
  try {
    return JSON.stringify(JSON.parse(value), null, 2);
  } catch {
    return value;
  }
}

/** How it came out. Slack says most of its refusals with a status of 200. */
function outcomeOf(one) {
  if (one.ms === null) return { text: "under way", tone: "" };
  if (one.status === null) return { text: "no answer", tone: "bad" };
  if (one.status >= 400) return { text: String(one.status), tone: one.status >= 500 ? "bad" : "warn" };
  if (one.answer?.ok === false) return { text: `${one.status} ${one.answer.error ?? "not ok"}`, tone: "warn" };
  return { text: String(one.status), tone: "good" };
}

const duration = (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);
