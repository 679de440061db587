// What the viewer can do to the world: move the clock, switch faults on, kill the bot. Owns the switches; must not know what follows.

import { make } from "./dom.js";
import { announce, arrange, byId, setText } from "./redraw.js";
import { request } from "./server.js";
import { state } from "./state.js";
import { clockTime, exactTime, fullDay, now, span, zoneName } from "./time.js";

const PARTIES = { fivetran: "Fivetran", slack: "Slack", customer: "The customer" };
const STEPS = [
  ["+1 hour", 3600],
  ["+12 hours", 43_200],
  ["+1 day", 86_400],
];

const MOVED =
  "Links expire and the bot’s pauses end by this clock. A link works for one day: move the clock past it and see what its message says. There is no way back.";

/** Sends, with the button busy meanwhile, and says below what went wrong. */
async function pull(button, trouble, name, body) {
  if (button.hasAttribute("aria-busy")) return;
  button.setAttribute("aria-busy", "true");
  setText(trouble, "");
  try {
    await request(name, body);
  } catch (error) {
    setText(trouble, error.message);
  } finally {
    button.removeAttribute("aria-busy");
  }
}

const createTrouble = () => make("p", { class: "error", role: "alert" });

/** The Time tab. */
export function createTime() {
  const time = make("p", { class: "clock" });
  const day = make("p", {});
  const ahead = make("p", { class: "hint" });
  const trouble = createTrouble();
  const buttons = STEPS.map(([name, seconds]) => {
    const button = make("button", { type: "button", class: "button" }, name);
    button.addEventListener("click", () => pull(button, trouble, "clock", { seconds }));
    return button;
  });
  const move = make("div", { class: "row-of-buttons", role: "group", "aria-label": "Move the clock ahead" }, ...buttons);
  const about = make("p", { class: "hint" });
  byId("panel-time").append(
    make("h2", {}, "The sandbox’s time"),
    make("div", { class: "card" }, time, day, ahead),
    move,
    trouble,
    about,
  );

  function tick() {
    const at = now();
    setText(time, clockTime(at));
    setText(day, `${fullDay(at)}, ${zoneName()}`);
  }
  setInterval(tick, 1000);

  function update() {
    if (!state.clock) return;
    tick();
    move.hidden = state.world.real;
    setText(about, state.world.real ? "With the real Fivetran the clock can’t be moved: its links expire by its own." : MOVED);
    const seconds = state.clock.ahead;
    setText(ahead, Math.abs(seconds) < 30 ? "The same as your own clock." : `${span(seconds)} ahead of your own clock.`);
  }

  return { update };
}

function afterwards(death, isBack) {
  if (!isBack) return "The next process is on its way.";
  return death.in_a_step
    ? "Nothing was lost: the next process took up what this one had in hand."
    : "The next process has taken over.";
}

/** The Faults tab. */
export function createFaults() {
  const groups = make("div", { class: "groups" });
  const trouble = createTrouble();
  byId("panel-faults").append(make("h2", {}, "What can go wrong"), make("p", { class: "hint" }, "Each stays on until it is switched off."), trouble, groups);
  const none = make("p", { class: "card" }, "Nothing can be switched on here: the real Fivetran goes its own way.");
  const switches = new Map();
  const fieldsets = new Map();

  function update() {
    if (!state.world) return;
    const parties = Object.keys(PARTIES).filter((party) => state.world.faults.some((one) => one.party === party));
    arrange(groups, parties.length ? parties.map(group) : [none]);
  }

  function group(party) {
    if (!fieldsets.has(party)) {
      const list = make("div", { class: "switches" });
      fieldsets.set(party, { list, element: make("fieldset", { class: "card" }, make("legend", { class: "label" }, PARTIES[party]), list) });
    }
    const { list, element } = fieldsets.get(party);
    arrange(list, state.world.faults.filter((one) => one.party === party).map(faultRow));
    return element;
  }

  function faultRow(one) {
    if (!switches.has(one.name)) switches.set(one.name, createSwitch(one, trouble));
    const row = switches.get(one.name);
    row.input.checked = state.faultsOn.has(one.name);
    return row.element;
  }

  return { update };
}

function createSwitch(one, trouble) {
  const input = make("input", { type: "checkbox", role: "switch", class: "switch", id: `fault-${one.name}`, "aria-describedby": `about-${one.name}` });
  input.addEventListener("change", async () => {
    const on = input.checked;
    await pull(input, trouble, "fault", { name: one.name, on });
    // What the events say counts: a switch that was refused goes back.
    input.checked = trouble.textContent ? state.faultsOn.has(one.name) : on;
  });
  const element = make(
    "div",
    { class: "switch-row" },
    input,
    make("div", {}, make("label", { for: input.id }, one.label), make("p", { class: "hint", id: `about-${one.name}` }, one.about)),
  );
  return { element, input };
}

const STANDING = {
  running: ["good", "Running", "It answers, works and watches."],
  armed: ["warn", "Armed", "It will die in the middle of its next step. Type a command, or press a button."],
  dead: ["bad", "Dead", "The process is gone. What it had in hand stands in its database."],
  starting: ["warn", "Starting", "A new process is reading what the last one left behind."],
};

/** The Bot tab. */
export function createBot() {
  const mark = make("span", { class: "tag" });
  const process = make("span", { class: "hint mono" });
  const about = make("p", { class: "hint" });
  const trouble = createTrouble();
  const midway = make("button", { type: "button", class: "button danger" }, "Kill it in the middle of its next step");
  const atOnce = make("button", { type: "button", class: "button" }, "Kill it now");
  midway.addEventListener("click", () => pull(midway, trouble, "kill", { when: "step" }));
  atOnce.addEventListener("click", () => pull(atOnce, trouble, "kill", { when: "now" }));
  const list = make("ol", { role: "list", class: "deaths" });
  const heading = make("h2", {}, "Its deaths");
  byId("panel-bot").append(
    make("h2", {}, "The bot’s process"),
    make("div", { class: "card" }, make("p", { class: "standing" }, mark, process), about),
    make("div", { class: "row-of-buttons" }, midway, atOnce),
    trouble,
    make("p", { class: "hint" }, "It ends as if the power had failed, without a last word, and starts again. Every command that it has acknowledged survives."),
    heading,
    list,
  );
  const rows = new Map();
  let last = "";

  function update() {
    const { bot } = state;
    if (!bot) return;
    const [tone, name, says] = STANDING[bot.state] ?? ["", bot.state, ""];
    mark.className = `tag ${tone}`;
    setText(mark, name);
    setText(process, bot.pid ? `process ${bot.pid}` : "");
    setText(about, says);
    if (last && last !== bot.state) announce(`The bot: ${name}`);
    last = bot.state;
    midway.disabled = bot.state !== "running";
    atOnce.disabled = bot.state === "dead" || bot.state === "starting";
    heading.hidden = bot.deaths.length === 0;
    arrange(list, bot.deaths.map(deathRow).reverse());
  }

  function deathRow(one, index) {
    if (!rows.has(index)) rows.set(index, make("li", { class: "card" }, make("b"), make("p"), make("p", { class: "hint" })));
    const [when, step, after] = rows.get(index).children;
    setText(when, `It died at ${exactTime(new Date(one.at))}`);
    setText(step, one.step);
    const { bot } = state;
    const isBack = index < bot.deaths.length - 1 || bot.state === "running" || bot.state === "armed";
    setText(after, afterwards(one, isBack));
    return rows.get(index);
  }

  return { update };
}
