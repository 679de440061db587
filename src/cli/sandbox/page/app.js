// Puts the workspace page together: events come in here, each part draws what changed. Owns the order of things; must not know how any
// part is drawn.

import { createComposer } from "./composer.js";
import { createDialogs, createHome } from "./dialogs.js";
import { createGuide } from "./guide.js";
import { createBot, createFaults, createTime } from "./levers.js";
import { createPanel } from "./panel.js";
import { createPlaces } from "./places.js";
import { announce, byId, setText } from "./redraw.js";
import { follow } from "./server.js";
import { apply, channel, go, nameOf, readPlace, sharedWith, state, titleOf } from "./state.js";
import { announceNews, createStory } from "./story.js";
import { setClock } from "./time.js";
import { createWire } from "./wire.js";

const composer = createComposer(() => story.toEnd());
const story = createStory();
const guide = createGuide(composer.write, moved);
const places = createPlaces(moved);
const panel = createPanel(() => panel.update());
// Each part, and what of the events it shows. All of them draw anew when the viewer moves or everything arrives.
const parts = [
  [places, ["messages", "homes"]],
  [composer, []],
  [guide, ["messages", "wire"]],
  [panel, ["faults_on", "bot"]],
  [createDialogs(), ["views"]],
  [createHome(), ["homes", "clock"]],
  [createWire(), ["wire", "bot"]],
  [createTime(), ["clock"]],
  [createFaults(), ["faults_on"]],
  [createBot(), ["bot"]],
];

/** The viewer went somewhere: draw it all for there. */
function moved() {
  drawHead();
  drawView();
  for (const [part] of parts) part.update();
  story.update(false);
}

function onEvent(event) {
  const first = !state.world;
  const changed = apply(event);
  if (event.clock) setClock(event.clock);
  if (event.full) {
    if (first) readPlace();
    go({});
    moved();
    byId("columns").removeAttribute("aria-busy");
    return;
  }
  for (const [part, shows] of parts) if (shows.some((name) => changed.has(name))) part.update();
  if (changed.has("messages") || changed.has("clock")) story.update(true);
  announceNews(event);
}

/** The names above the messages. */
function drawHead() {
  const one = channel(state.place.in);
  setText(byId("channel-name"), one ? titleOf(one) : `Home of ${state.world.app.name}`);
  const shared = one ? sharedWith(one) : "";
  byId("channel-shared").hidden = !shared;
  setText(byId("channel-shared"), shared ? `shared with ${shared}` : "");
  const who = one ? one.sees.map(nameOf).filter(Boolean) : [];
  setText(byId("channel-about"), one ? [one.about, who.length > 1 ? `${listed(who)} read here` : ""].filter(Boolean).join(" · ") : "What the app shows to you alone");
  byId("messages").hidden = !one;
  if (state.world.real) {
    document.body.classList.add("real");
    setText(byId("top-about"), "This drives the real Fivetran account. Slack is simulated.");
  }
}

const listed = (names) => new Intl.ListFormat("en").format(names);

/** On a phone one of the three columns is shown; the bar below says which. */
function drawView() {
  document.body.dataset.view = state.place.view;
  for (const button of byId("bottom").children) {
    if (button.dataset.view === state.place.view) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  }
}

byId("bottom").addEventListener("click", (event) => {
  const { view } = event.target.closest("button")?.dataset ?? {};
  if (!view) return;
  go({ view });
  drawView();
  // Only now is the channel read, or no longer.
  places.update();
});

addEventListener("hashchange", () => {
  readPlace();
  if (state.world) moved();
});

const LINE = {
  live: "Live",
  trying: "Not connected. Trying again.",
  stopped: "The sandbox has stopped. Start it again and open the address that it prints.",
};

function onLine(standing) {
  const line = byId("line");
  const isBack = standing === "live" && line.classList.contains("lost");
  line.classList.toggle("lost", standing !== "live");
  line.classList.toggle("live", standing === "live");
  setText(line, LINE[standing]);
  if (isBack) announce("The sandbox is back");
}

readPlace();
drawView();
follow(onEvent, onLine);
