// The messages of the channel: who said what and when, threads, edits in place. Owns their order and frames; must not know what a
// message says (blocks.js draws that) or how it came about.

import { plain, renderMessage } from "./blocks.js";
import { make } from "./dom.js";
import { announce, arrange, byId, replaceKindly, setText } from "./redraw.js";
import { keepAtEnd } from "./scroll.js";
import { request } from "./server.js";
import { channel, isReadable, isReply, nameOf, person, readable, state, threadsOf, titleOf } from "./state.js";
import { clockTime, dayName, fullTime, now, ofTs } from "./time.js";

// Messages of one author within so many minutes stand under one name, but for those that only one person sees.
const TOGETHER_MINUTES = 5;

const MINUTE_MS = 60_000;

/** The messages of the channel that is open. */
export function createStory() {
  const scroller = byId("messages");
  const inner = byId("messages-inner");
  const unread = byId("unread");
  const drawn = new Map();
  const opened = new Set();
  let shownPlace = "";
  let newest = null;

  const end = keepAtEnd(scroller, inner, (atEnd) => {
    if (atEnd) unread.hidden = true;
  });
  unread.addEventListener("click", () => {
    end.toEnd();
    scroller.focus({ preventScroll: true });
  });

  const empty = make("p", { class: "empty hint" });

  /** Draws what differs from what is shown. `live` says that it happened just now, before the viewer's eyes. */
  function update(live) {
    const { as, in: place } = state.place;
    const moved = shownPlace !== `${as} ${place}`;
    shownPlace = `${as} ${place}`;
    if (moved) {
      drawn.clear();
      opened.clear();
      newest = null;
    }
    const said = readable(place, as);
    const { top, repliesTo } = threadsOf(said, place);
    const moment = thisMoment();
    let before = null;
    const rows = top.map((message) => {
      const row = drawn.get(message.id) ?? newRow(message.id);
      row.update(message, before, repliesTo(message), moment, live && !moved);
      before = message;
      return row.element;
    });
    setText(empty, "Nothing has been said here yet. What is typed below, and what the bot makes of it, appears here.");
    arrange(inner, rows.length ? rows : [empty]);
    forget(new Set(top.map((one) => one.id)));
    follow(said, live && !moved);
    if (moved) end.toEnd();
  }

  function newRow(id) {
    const row = createRow({ opened, onOpen: end.stay, env: envOf });
    drawn.set(id, row);
    return row;
  }

  function forget(kept) {
    for (const id of drawn.keys()) if (!kept.has(id)) drawn.delete(id);
  }

  function follow(messages, live) {
    const fresh = messages.filter((one) => one.id > (newest ?? -1) && one.from !== state.place.as);
    if (live && fresh.length && !end.isAtEnd()) unread.hidden = false;
    newest = messages.at(-1)?.id ?? null;
  }

  // “3 minutes ago” and “today” go on by themselves.
  setInterval(() => state.world && update(false), MINUTE_MS);

  return { update, toEnd: end.toEnd };
}

/** What a message that tells the time is to be drawn again for: another day, or for some another minute. */
function thisMoment() {
  const at = now();
  const ahead = state.clock?.ahead ?? 0;
  return { day: `${ahead} ${at.toDateString()}`, minute: `${ahead} ${Math.floor(at / MINUTE_MS)}` };
}

// Whether a message says how long ago something was. What has changed comes as a new object.
const ages = new WeakMap();

function hasAge(message) {
  if (!ages.has(message)) ages.set(message, JSON.stringify(message.payload).includes("{ago}"));
  return ages.get(message);
}

const tellsTime = (payload) => payload.includes("<!date^") || payload.includes('"type":"date"');

/** What blocks.js may ask of us for one message. */
function envOf(message) {
  const act = (element, block, choice) =>
    request("press", { message: message.id, user: state.place.as, block_id: block.block_id, action_id: element.action_id, choice });
  return { ...readingAs(state.place.as), act };
}

/** What the bot's words need to be read by this person: how people and channels are called, and what time it is. */
export function readingAs(userId) {
  return {
    now: () => now().getTime(),
    user: nameOf,
    channel(id) {
      const one = channel(id);
      if (one && !one.sees.includes(userId)) return null;
      return one ? titleOf(one).replace(/^#/, "") : undefined;
    },
  };
}

/** Says aloud what an event brought into the channel that is open. */
export function announceNews(event) {
  const { as, in: place } = state.place;
  const news = (event.messages ?? []).filter((message) => isReadable(message, place, as) && message.from !== as);
  const lines = news.map((message) => {
    const how = message.edited ? "changed a message" : isReply(message) ? "replied" : "wrote";
    return `${nameOf(message.from) ?? message.from} ${how}: ${plain(message.payload, readingAs(as))}`;
  });
  if (lines.length) announce(lines.join(" "));
}

/** One message with the day above it and its thread below, or one reply without either. */
function createRow({ opened, onOpen, env }) {
  const day = make("h3", { class: "day" });
  const avatar = make("span", { class: "avatar", "aria-hidden": "true" });
  const author = make("span", { class: "author" });
  const app = make("span", { class: "tag" }, "App");
  const team = make("span", { class: "tag warn" });
  const time = make("time", { class: "hint" });
  const privately = make("p", { class: "privately" }, "Only visible to you");
  const head = make("header", { class: "message-head" }, author, app, team, time);
  const body = make("div", { class: "message-holder" });
  const edited = make("span", { class: "edited hint" }, "(edited)");
  const thread = createThread({ opened, onOpen, env });
  const article = make("article", { class: "message", tabindex: "-1" }, avatar, make("div", { class: "message-main" }, privately, head, body, edited, thread.element));
  const element = make("div", { class: "row" }, day, article);
  article.addEventListener("animationend", () => article.classList.remove("changed"));
  let last = {};
  let drawnPayload = null;
  let drawnWhole = "";

  function update(message, before, replies, moment, live, withDay = true) {
    const hour = [message, ...replies].some(hasAge) ? moment.minute : moment.day;
    const isSame = message === last.message && before === last.before && hour === last.hour && sameAll(replies, last.replies);
    if (isSame) return;
    last = { message, before, replies, hour };
    const at = ofTs(message.ts);
    const name = nameOf(message.from) ?? message.from;
    article.setAttribute("aria-label", `${name}, ${clockTime(at)}`);
    article.dataset.message = message.id;
    const newDay = withDay && (!before || ofTs(before.ts).toDateString() !== at.toDateString());
    day.hidden = !newDay;
    setText(day, dayName(at));
    article.classList.toggle("continued", !newDay && before !== null && goesOn(before, message));
    setText(author, name);
    app.hidden = Boolean(person(message.from));
    const outside = person(message.from)?.outside;
    team.hidden = !outside;
    setText(team, outside ? person(message.from).team : "");
    setText(time, clockTime(at));
    time.dateTime = at.toISOString();
    time.title = fullTime(at);
    privately.hidden = !message.user;
    article.classList.toggle("private", Boolean(message.user));
    edited.hidden = !message.edited || message.deleted;
    drawAvatar(avatar, message.from, name);
    draw(message, hour, live);
    thread.update(message, replies, moment, live);
  }

  function draw(message, hour, live) {
    const payload = message.deleted ? "" : JSON.stringify(message.payload);
    const whole = tellsTime(payload) ? `${payload} ${hour}` : payload;
    if (drawnPayload !== null && whole === drawnWhole) return;
    const isNew = drawnPayload === null;
    const isEdit = !isNew && payload !== drawnPayload;
    [drawnPayload, drawnWhole] = [payload, whole];
    const content = message.deleted ? make("p", { class: "hint" }, "This message was deleted.") : renderMessage(message.payload, env(message));
    replaceKindly(body, article, content);
    if (!live || !(isEdit || isNew)) return;
    article.classList.remove("changed", "fresh");
    // Reading a size makes the browser notice the removal, so that a second edit glows again.
    void article.offsetWidth;
    article.classList.add(isEdit ? "changed" : "fresh");
  }

  return { element, article, update };
}

const sameAll = (some, others) => some.length === others?.length && some.every((one, index) => one === others[index]);

const goesOn = (before, message) =>
  before.from === message.from &&
  !before.user &&
  !message.user &&
  ofTs(message.ts) - ofTs(before.ts) < TOGETHER_MINUTES * 60_000;

export function drawAvatar(avatar, id, name) {
  const isApp = id === state.world?.app.id;
  if (avatar.dataset.of === id) return;
  avatar.dataset.of = id;
  const people = state.world?.people ?? [];
  avatar.dataset.tone = isApp ? "app" : String(people.findIndex((one) => one.id === id) + 1);
  avatar.replaceChildren(isApp ? make("img", { src: "icon.svg", alt: "" }) : name.slice(0, 1).toUpperCase());
}

/** The replies to a message, behind a button that counts them. */
function createThread({ opened, onOpen, env }) {
  const list = make("div", { class: "replies" });
  const label = make("span");
  const news = make("span", { class: "tag good", hidden: true }, "new");
  const last = make("span", { class: "hint" });
  const button = make("button", { type: "button", class: "thread-button", "aria-expanded": "false" }, label, news, last);
  const element = make("div", { class: "thread", hidden: true }, button, list);
  const rows = new Map();
  let id = 0;
  let seen = 0;

  const show = (open) => {
    button.setAttribute("aria-expanded", String(open));
    list.hidden = !open;
    if (open) news.hidden = true;
  };
  button.addEventListener("click", () => {
    const open = button.getAttribute("aria-expanded") !== "true";
    if (open) opened.add(id);
    else opened.delete(id);
    onOpen();
    show(open);
  });

  function update(root, replies, moment, live) {
    id = root.id;
    element.hidden = replies.length === 0;
    if (!replies.length) return;
    setText(label, replies.length === 1 ? "1 reply" : `${replies.length} replies`);
    setText(last, clockTime(ofTs(replies.at(-1).ts)));
    if (live && replies.length > seen) news.hidden = false;
    seen = replies.length;
    let before = null;
    const elements = replies.map((reply) => {
      if (!rows.has(reply.id)) rows.set(reply.id, createReply(env));
      const row = rows.get(reply.id);
      row.update(reply, before, moment, live);
      before = reply;
      return row.element;
    });
    arrange(list, elements);
    show(opened.has(id));
  }

  return { element, update };
}

function createReply(env) {
  // A reply has no thread of its own, so what it would open is nothing.
  const row = createRow({ opened: new Set(), onOpen: () => {}, env });
  return { element: row.element, update: (reply, before, moment, live) => row.update(reply, before, [], moment, live, false) };
}
