// The left column: who the viewer is, and where they can go. Owns the choice; must not know what happens in a channel.

import { make } from "./dom.js";
import { arrange, byId, setText } from "./redraw.js";
import { channelsOf, go, isWithApp, me, readable, sharedWith, state, titleOf } from "./state.js";
import { drawAvatar } from "./story.js";

/** The people and channels. `onGo()` is called after the viewer went somewhere. */
export function createPlaces(onGo) {
  const people = new Map();
  const places = new Map();
  // Up to which message each person has read each channel.
  const read = new Map();

  function update() {
    if (!state.world) return;
    arrange(byId("people"), state.world.people.map(personRow));
    setText(byId("you-are"), sentence(me()));
    const seen = channelsOf(state.place.as);
    arrange(byId("channels"), seen.filter((one) => !isWithApp(one)).map((one) => placeRow(one.id, titleOf(one), one)));
    const apps = [
      ...seen.filter((one) => isWithApp(one)).map((one) => placeRow(one.id, "Messages", one)),
      ...(state.place.as in state.homes ? [placeRow("home", "Home", null)] : []),
    ];
    byId("apps-section").hidden = apps.length === 0;
    setText(byId("apps-heading"), `App: ${state.world.app.name}`);
    arrange(byId("apps"), apps);
  }

  function personRow(one) {
    if (!people.has(one.id)) people.set(one.id, createPerson(one, choose));
    const row = people.get(one.id);
    row.input.checked = one.id === state.place.as;
    return row.element;
  }

  function choose(changes) {
    go(changes);
    onGo();
  }

  function placeRow(id, title, one) {
    if (!places.has(id)) places.set(id, createPlace(id, () => choose({ in: id, view: "channel" })));
    const row = places.get(id);
    const open = id === state.place.in;
    row.update(title, open, one ? sharedWith(one) : "", one ? news(one, open) : false);
    return row.element;
  }

  /** Whether something of others stands in a channel that this person has not had before their eyes. */
  function news(one, open) {
    const { as } = state.place;
    const key = `${as} ${one.id}`;
    const latest = readable(one.id, as).findLast((message) => message.from !== as)?.id ?? -1;
    // A phone may show another column than the channel that is open.
    if (open && byId("channel").checkVisibility()) read.set(key, latest);
    return latest > (read.get(key) ?? -1);
  }

  return { update };
}

function createPerson(one, choose) {
  const avatar = make("span", { class: "avatar", "aria-hidden": "true" });
  drawAvatar(avatar, one.id, one.name);
  const name = make("span", { class: "author", id: `name-${one.id}` }, one.name);
  const role = make("span", { class: "hint", id: `role-${one.id}` }, one.role);
  const input = make("input", {
    type: "radio",
    name: "as",
    value: one.id,
    class: "person-radio",
    "aria-labelledby": name.id,
    "aria-describedby": role.id,
  });
  input.addEventListener("change", () => choose({ as: one.id }));
  const element = make("label", { class: "person" }, input, avatar, make("span", { class: "person-words" }, name, role));
  return { element, input };
}

function createPlace(id, onClick) {
  const sign = make("span", { class: "place-sign", "aria-hidden": "true" });
  const name = make("span", { class: "place-name" });
  const news = make("span", { class: "place-news" }, make("span", { class: "visually-hidden" }, "new messages"));
  const button = make("button", { type: "button", class: "place" }, sign, name, news);
  button.addEventListener("click", onClick);
  const shared = make("span", { class: "place-shared hint", id: `shared-${id}` });
  const element = make("li", {}, button, shared);
  function update(title, open, sharedWithWhom, hasNews) {
    const isChannel = title.startsWith("#");
    setText(sign, isChannel ? "#" : id === "home" ? "⌂" : "✉");
    setText(name, title.replace(/^#/, ""));
    news.hidden = !hasNews;
    if (open) button.setAttribute("aria-current", "page");
    else button.removeAttribute("aria-current");
    shared.hidden = !sharedWithWhom;
    if (sharedWithWhom) button.setAttribute("aria-describedby", shared.id);
    setText(shared, sharedWithWhom ? `shared with ${sharedWithWhom}` : "");
  }
  return { element, update };
}

/** “You are Alice, who asks for the link.” A role is either what somebody does or who they are. */
function sentence({ name, role }) {
  const isNoun = /^(the|an?|her|his|their|my|your)\b/i.test(role);
  return `You are ${name}, ${isNoun ? "" : "who "}${role}.`;
}
