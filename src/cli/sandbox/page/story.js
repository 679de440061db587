// The messages of the channel: who said what and when, threads, edits in place. Owns their order and frames; must not know what a
// message says (blocks.js draws that) or how it came about.

import { plain, renderMessage } from "./blocks.js";
import { make } from "./dom.js";
import { announce, arrange, byId, replaceKindly, setText } from "./redraw.js";
import { keepAtEnd } from "./scroll.js";
import { request } from "./server.js";
import { channel, isReply, nameOf, person, readable, state, titleOf } from "./state.js";
import { clockTime, dayName, fullTime, now, ofTs } from "./time.js";

// Messages of one author within so many minutes stand under one name, but for those that only one person sees.
const TOGETHER_MINUTES = 5;

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
    const messages = readable(place, as);
    const roots = new Set(messages.filter((one) => !isReply(one)).map((one) => one.ts));
    const top = messages.filter((one) => !isReply(one) || !roots.has(one.thread));
    let before = null;
    const rows = top.map((message) => {
      const replies = messages.filter((one) => isReply(one) && one.thread === message.ts && roots.has(one.thread));
      const row = drawn.get(message.id) ?? newRow(message.id);
      row.update(message, before, replies, live && !moved);
      before = message;
      return row.element;
    });
    setText(empty, "Nothing has been said here yet. What is typed below, and what the bot makes of it, appears here.");
    arrange(inner, rows.length ? rows : [empty]);
    forget(new Set(top.map((one) => one.id)));
    follow(messages, live && !moved);
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

  return { update, toEnd: end.toEnd };
}

/** What blocks.js may ask of us for one message. */
function envOf(message) {
  const act = (element, block, choice) =>
    request("press", { message: message.id, user: state.place.as, block_id: block.block_id, action_id: element.action_id, choice });
  return { ...reading, act };
}

/** What the bot's words need to be read: how people and channels are called, and what time it is. */
export const reading = {
  now: () => now().getTime(),
  user: nameOf,
  channel(id) {
    const one = channel(id);
    return one ? titleOf(one).replace(/^#/, "") : undefined;
  },
};

/** Says aloud what an event brought into the channel that is open. */
export function announceNews(event) {
  for (const message of event.messages ?? []) {
    const shown = readable(state.place.in, state.place.as).some((one) => one.id === message.id);
    if (!shown || message.from === state.place.as) continue;
    const how = message.edited ? "changed a message" : isReply(message) ? "replied" : "wrote";
    announce(`${nameOf(message.from) ?? message.from} ${how}: ${plain(message.payload, reading)}`);
  }
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
  let drawnPayload = "";
  let drawnDay = "";

  function update(message, before, replies, live, withDay = true) {
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
    edited.hidden = !message.edited;
    drawAvatar(avatar, message.from, name);
    draw(message, live);
    thread.update(message, replies, live);
  }

  function draw(message, live) {
    const payload = JSON.stringify(message.payload);
    const today = now().toDateString();
    const isEdit = drawnPayload !== "" && drawnPayload !== payload;
    // The bot may say “tomorrow”, which another day says otherwise.
    if (payload === drawnPayload && today === drawnDay) return;
    const isNew = drawnPayload === "";
    [drawnPayload, drawnDay] = [payload, today];
    replaceKindly(body, article, renderMessage(message.payload, env(message)));
    if (!live || !(isEdit || isNew)) return;
    article.classList.remove("changed", "fresh");
    // Reading a size makes the browser notice the removal, so that a second edit glows again.
    void article.offsetWidth;
    article.classList.add(isEdit ? "changed" : "fresh");
  }

  return { element, article, update };
}

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

  function update(root, replies, live) {
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
      row.update(reply, before, live);
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
  return { element: row.element, update: (reply, before, live) => row.update(reply, before, [], live, false) };
}
