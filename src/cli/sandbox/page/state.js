// What the sandbox has told us so far, and who and where the viewer is. Owns the data; must not know how any of it is shown.

/** Everything that arrived, by its own keys. */
export const state = {
  world: null,
  messages: new Map(),
  views: [],
  homes: {},
  wire: new Map(),
  clock: null,
  faultsOn: new Set(),
  bot: null,
  /** Person, channel, panel and (on a phone) view; kept in the address. `in` may be "home". */
  place: { as: "", in: "", panel: "wire", view: "channel" },
};

// How many exchanges are kept: enough for a long story, few enough for a quick page.
const WIRE_KEPT = 400;

/** Takes in one event: a full one replaces what is known, another adds to it. Returns the names of the parts that it has. */
export function apply(event) {
  if (event.full) {
    state.messages.clear();
    state.wire.clear();
  }
  if (event.world) state.world = event.world;
  for (const message of event.messages ?? []) state.messages.set(message.id, message);
  if (event.views) state.views = event.views;
  if (event.homes) state.homes = event.full ? event.homes : { ...state.homes, ...event.homes };
  for (const exchange of event.wire ?? []) state.wire.set(exchange.n, exchange);
  for (const n of state.wire.keys()) {
    if (state.wire.size <= WIRE_KEPT) break;
    state.wire.delete(n);
  }
  if (event.clock) state.clock = event.clock;
  if (event.faults_on) state.faultsOn = new Set(event.faults_on);
  if (event.bot) state.bot = event.bot;
  return new Set(Object.keys(event));
}

export const person = (id) => state.world?.people.find((one) => one.id === id);
export const me = () => person(state.place.as);
export const channel = (id) => state.world?.channels.find((one) => one.id === id);

/** The name of whoever wrote or is mentioned. */
export function nameOf(id) {
  if (id === state.world?.app.id) return state.world.app.name;
  if (id === "slackbot") return "Slackbot";
  return person(id)?.name;
}

/** The channels that a person sees, in the sandbox's order. */
export const channelsOf = (id) => (state.world?.channels ?? []).filter((one) => one.sees.includes(id));

/** Whether a message stands in a channel, and this person is one of those who see it. */
export function isReadable(message, channelId, userId) {
  if (message.channel !== channelId || message.deleted) return false;
  return message.user === null || message.user === undefined || message.user === userId;
}

/** What a person can read in a channel, oldest first: all that stands there, and what only they see. */
export function readable(channelId, userId) {
  return inOrder([...state.messages.values()].filter((message) => isReadable(message, channelId, userId)));
}

const inOrder = (messages) => messages.sort((one, other) => one.id - other.id);

/**
 * The same as threads: what stands in the channel itself, and a function that has the replies to it. Where a message was
 * deleted, its replies still hang on it; where it is not to be seen, they stand in the channel.
 */
export function threadsOf(said, channelId) {
  const replies = Map.groupBy(said.filter(isReply), (one) => one.thread);
  const stones = [...state.messages.values()].filter((one) => one.deleted && one.channel === channelId && replies.has(one.ts));
  const roots = [...said, ...stones].filter((one) => !isReply(one));
  const known = new Set(roots.map((one) => one.ts));
  const orphans = said.filter((one) => isReply(one) && !known.has(one.thread));
  return { top: inOrder([...roots, ...orphans]), repliesTo: (one) => (isReply(one) ? [] : (replies.get(one.ts) ?? [])) };
}

/** Whether a channel is one person's conversation with the app. */
export const isWithApp = (one) => one.kind === "im" && one.sees.length === 1;

export const isReply = (message) => Boolean(message.thread) && message.thread !== message.ts;

/** How a channel is called where it is headed or linked. */
export function titleOf(one) {
  if (one.kind === "im") return one.sees.filter((id) => id !== state.place.as).map(nameOf).join(", ") || state.world.app.name;
  return one.name.startsWith("#") ? one.name : `#${one.name}`;
}

/** With whom a channel is shared, or "" if it isn't. */
export function sharedWith(one) {
  if (!one.shared) return "";
  if (typeof one.shared === "string") return one.shared;
  return state.world.people.find((someone) => someone.outside && one.sees.includes(someone.id))?.team ?? "another workspace";
}

const KEYS = ["as", "in", "panel", "view"];
const PANELS = ["wire", "time", "faults", "bot"];
const VIEWS = ["workspace", "channel", "panel"];

/** Reads the place from the address; what is missing or impossible becomes what is likely. */
export function readPlace() {
  const asked = new URLSearchParams(location.hash.slice(1));
  for (const key of KEYS) if (asked.has(key)) state.place[key] = asked.get(key);
  settlePlace();
}

/** Goes somewhere: `{as}`, `{in}`, `{panel}`, `{view}` or several of them. */
export function go(where) {
  Object.assign(state.place, where);
  settlePlace();
  history.replaceState(null, "", `#${new URLSearchParams(KEYS.map((key) => [key, state.place[key]]))}`);
}

function settlePlace() {
  const { place, world } = state;
  if (!PANELS.includes(place.panel)) place.panel = "wire";
  if (!VIEWS.includes(place.view)) place.view = "channel";
  if (!world) return;
  if (!person(place.as)) place.as = world.people[0].id;
  const seen = channelsOf(place.as);
  const there = place.in === "home" ? place.as in state.homes : seen.some((one) => one.id === place.in);
  // The shared channel first: it is where all three meet.
  if (!there) place.in = (seen.find((one) => one.shared) ?? seen[0])?.id ?? "";
}
