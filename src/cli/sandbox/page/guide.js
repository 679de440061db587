// The three steps for a first visit, each checked off when it has happened. Owns when they are shown; must not know how the bot does it.

import { examplesFor } from "./composer.js";
import { make } from "./dom.js";
import { arrange, byId, setText } from "./redraw.js";
import { channel, go, isReply, state } from "./state.js";

// Where the browser keeps that the guide was put away.
const PUT_AWAY = "connect-card-guide-put-away";

/** The guide. `write(text)` fills the composer, `onGo()` is called after it went somewhere. */
export function createGuide(write, onGo) {
  const element = byId("guide");
  const heading = make("h3", { id: "guide-heading" }, "The whole story in three steps");
  const put = make("button", { type: "button", class: "button small plain" }, "Put away");
  put.addEventListener("click", putAway);
  const list = make("ol", { role: "list", class: "steps" });
  const after = make("p", { class: "hint" }, "That is the whole story. Now switch on a fault, or kill the bot in the middle, behind the scenes, and play it again with another schema. Or ask for two sources at once: google_ads, stripe globex.");
  element.append(make("header", {}, heading, put), list, after);
  const again = byId("guide-again");
  // What has happened stays so, whatever becomes of the message that showed it.
  const happened = new Set();
  const steps = [
    createStep("Type the command", "", "Fill it in", () => {
      go({ as: asker().id, in: meeting()?.id ?? state.place.in, view: "channel" });
      onGo();
      write(examplesFor(channel(state.place.in))[0].text);
    }),
    createStep("Be the customer", "", "Be the customer", () => {
      go({ as: customer().id, in: meeting()?.id ?? state.place.in, view: "channel" });
      onGo();
    }),
    createStep("Come back", "The message has a green tick.", "Come back", () => {
      go({ as: asker().id, in: meeting()?.id ?? state.place.in, view: "channel" });
      onGo();
    }),
  ];
  arrange(list, steps.map((step) => step.element));

  function update() {
    if (!state.world) return;
    element.hidden = isPutAway() || state.place.in === "home";
    again.hidden = !isPutAway();
    // Whoever is somebody else at the moment is told whom the button makes of them.
    const isAsker = state.place.as === asker().id;
    steps[0].rename("Type the command", `${asker().name} asks the customer to connect Google Ads.`, isAsker ? "Fill it in" : `As ${asker().name}: fill it in`);
    steps[2].rename("Come back", "The message has a green tick.", isAsker ? "Come back" : `Come back as ${asker().name}`);
    const isCustomer = state.place.as === customer().id;
    const next = isCustomer ? "Click the button in the message, then sign in." : "The customer opens the link and signs in there.";
    steps[1].rename(`Be ${customer().name}`, next, isCustomer ? "Show the message" : `Be ${customer().name}`);
    if (happened.size < steps.length) progress().forEach((isSo, index) => isSo && happened.add(index));
    const done = steps.map((step, index) => happened.has(index));
    const current = done.indexOf(false);
    steps.forEach((step, index) => step.update(index + 1, done[index], index === current));
    element.classList.toggle("all-done", current === -1);
    after.hidden = current !== -1;
  }

  function putAway() {
    remember(true);
    update();
    byId("messages").focus({ preventScroll: true });
  }

  again.addEventListener("click", () => {
    remember(false);
    go({ view: "channel" });
    onGo();
    put.focus();
  });

  return { update };
}

// Also kept here, for a browser that keeps nothing: there the guide is back at the next visit.
let isAway = false;

function remember(away) {
  isAway = away;
  try {
    if (away) localStorage.setItem(PUT_AWAY, "yes");
    else localStorage.removeItem(PUT_AWAY);
  } catch {
    // A browser may refuse to keep anything.
  }
}

function isPutAway() {
  try {
    return isAway || localStorage.getItem(PUT_AWAY) === "yes";
  } catch {
    return isAway;
  }
}

const asker = () => state.world.people.find((one) => !one.outside) ?? state.world.people[0];
const customer = () => state.world.people.find((one) => one.outside) ?? state.world.people.at(-1);
const meeting = () => state.world.channels.find((one) => one.kind !== "im" && one.sees.includes(customer().id));

// What the bot's messages say, kept since they are looked through at each event. What has changed comes as a new object.
const texts = new WeakMap();

function textOf(message) {
  if (!texts.has(message)) texts.set(message, JSON.stringify(message.payload));
  return texts.get(message);
}

/** Which of the three have happened: a link, a connection, and that whoever asked looks at it. */
function progress() {
  const said = [...state.messages.values()].filter((one) => one.from === state.world.app.id && !isReply(one) && !one.user);
  const says = (words) => said.some((one) => textOf(one).includes(words));
  const linked = says('"open_connect_card"');
  const connected = says(":white_check_mark:");
  return [linked || connected, connected, connected && state.place.as === asker().id];
}

function createStep(title, about, action, onClick) {
  const mark = make("span", { class: "step-mark", "aria-hidden": "true" });
  const name = make("b", {}, title);
  const said = make("span", { class: "visually-hidden" });
  const words = make("p", { class: "hint" }, about);
  const button = make("button", { type: "button", class: "button small" }, action);
  button.addEventListener("click", onClick);
  const element = make("li", { class: "step" }, mark, make("div", {}, make("p", {}, name, said), words), button);
  function update(number, done, current) {
    setText(mark, done ? "✓" : String(number));
    element.classList.toggle("done", done);
    element.classList.toggle("current", current);
    if (current) element.setAttribute("aria-current", "step");
    else element.removeAttribute("aria-current");
    setText(said, done ? " (done)" : "");
    button.classList.toggle("primary", current);
  }
  function rename(newTitle, newAbout, newAction) {
    setText(name, newTitle);
    setText(words, newAbout);
    setText(button, newAction);
  }
  return { element, update, rename };
}
