// Where a person types: the field, the command's type-ahead and the examples. Owns what is typed until it is sent; must not know what
// the command does.

import { make } from "./dom.js";
import { announce, byId, setText } from "./redraw.js";
import { request } from "./server.js";
import { channel, me, nameOf, sharedWith, state, titleOf } from "./state.js";
import { createSuggestions } from "./suggestions.js";

const KEYS = "Enter sends. Type / for the command.";

/** The composer. `onSent()` is called when something of the viewer's is about to appear. */
export function createComposer(onSent) {
  const form = byId("composer");
  // All three by person and channel: what stands in the field, why the last was not sent, how many are on their way.
  const drafts = new Map();
  const troubles = new Map();
  const sending = new Map();
  const label = make("label", { class: "visually-hidden", for: "composer-text" });
  const field = make("textarea", {
    id: "composer-text",
    class: "field",
    rows: "1",
    maxlength: "4000",
    autocomplete: "off",
    spellcheck: "false",
    "aria-describedby": "composer-hint composer-trouble",
  });
  const send = make("button", { type: "submit", class: "button primary" }, "Send");
  const hint = make("p", { class: "hint", id: "composer-hint" });
  const trouble = make("p", { class: "error", id: "composer-trouble", role: "alert" });
  const examples = make("div", { class: "examples", role: "group", "aria-label": "Examples" });
  const suggestions = createSuggestions(field, words, write);
  form.append(examples, make("div", { class: "composer-line" }, suggestions.element, label, field, send), trouble, hint);
  let key = "";

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  field.addEventListener("input", typed);
  field.addEventListener("keydown", (event) => {
    if (event.isComposing || suggestions.takes(event)) return;
    if (event.key !== "Enter" || event.shiftKey) return;
    event.preventDefault();
    submit();
  });

  function typed() {
    drafts.set(key, field.value);
    complain(key, "");
    suggestions.update();
    explain();
  }

  /** Puts words into the field, and the viewer with them. */
  function write(text) {
    field.value = text;
    field.setSelectionRange(text.length, text.length);
    typed();
    field.focus();
  }

  /** Sends what stands in the field and clears it at once, as Slack does: nobody waits for the answer. */
  async function submit() {
    const text = field.value.trim();
    if (!text) return;
    const [user, place, from] = [state.place.as, state.place.in, key];
    suggestions.close();
    fill(from, "");
    complain(from, "");
    count(from, 1);
    onSent();
    try {
      await request("say", { channel: place, user, text });
      if (text.startsWith("/")) announce("Command sent");
    } catch (error) {
      // What was typed meanwhile stays, below what comes back.
      fill(from, [text, drafts.get(from)].filter(Boolean).join("\n"));
      complain(from, `Not sent: ${error.message}`);
      if (from !== key) announce(`A message of ${nameOf(user)}’s was not sent: ${error.message}`);
    } finally {
      count(from, -1);
    }
  }

  /** Sets the draft of a person in a channel, without taking the focus from wherever the viewer is. */
  function fill(of, text) {
    drafts.set(of, text);
    if (of !== key) return;
    field.value = text;
    explain();
  }

  function complain(of, text) {
    troubles.set(of, text);
    if (of === key) setText(trouble, text);
  }

  function count(of, change) {
    sending.set(of, (sending.get(of) ?? 0) + change);
    showSending();
  }

  function showSending() {
    if (sending.get(key)) send.setAttribute("aria-busy", "true");
    else send.removeAttribute("aria-busy");
  }

  /** Shows the composer of the place that is open, with what was typed there before. */
  function update() {
    const one = channel(state.place.in);
    form.hidden = !one;
    if (!one) return;
    const now = `${state.place.as} ${state.place.in}`;
    setText(label, `Message ${titleOf(one)}`);
    field.placeholder = `Message ${titleOf(one)}`;
    if (now === key) return;
    key = now;
    field.value = drafts.get(key) ?? "";
    setText(trouble, troubles.get(key) ?? "");
    showSending();
    suggestions.close();
    examples.hidden = Boolean(me().outside);
    examples.replaceChildren(...examplesFor(one).map((example) => exampleButton(example, write)));
    explain();
  }

  /** The line below the field: what the command wants, or why there is none. */
  function explain() {
    const { command } = state.world;
    const mine = me();
    hint.classList.toggle("strong", Boolean(mine.outside));
    if (mine.outside) {
      const why = `${mine.name} is here from ${mine.team}, and Slack doesn’t share slash commands with other workspaces`;
      return setText(hint, `There is no ${command.name} for ${mine.name}: ${why}. Ordinary messages work.`);
    }
    const typedWords = field.value.trimStart().split(/\s+/);
    if (typedWords[0] !== command.name) return setText(hint, KEYS);
    const word = command.words.find((one) => one.text === typedWords[1]);
    if (word) return setText(hint, `${[command.name, word.text, word.hint].filter(Boolean).join(" ")}: ${word.about}`);
    setText(hint, `${command.name} ${command.hint}. On its own, it opens a form.`);
  }

  /** What could be meant by what stands in the field. */
  function words() {
    const { command } = state.world;
    const text = field.value;
    if (me().outside || !text.startsWith("/") || text.includes("\n")) return [];
    const whole = { text: `${command.name} `, show: command.name, hint: command.hint, about: "Make a link for the customer" };
    if (!text.includes(" ")) {
      return command.name.startsWith(text) && text !== command.name ? [{ ...whole, first: true }] : [];
    }
    const [name, start, ...more] = text.split(" ");
    if (name !== command.name || more.length) return [];
    return command.words
      .filter((one) => one.text.startsWith(start) && one.text !== start)
      .map((one) => ({ text: `${command.name} ${one.text}${one.hint ? " " : ""}`, show: one.text, hint: one.hint, about: one.about }));
  }

  return { update, write };
}

function exampleButton(example, write) {
  const button = make("button", { type: "button", class: "button small example" });
  button.addEventListener("click", () => write(example.text));
  const shown = example.show ?? example.text;
  const before = example.text.slice(0, example.text.length - shown.length);
  button.append(make("span", { class: "visually-hidden" }, before), make("span", { class: "mono" }, shown), example.about ? make("span", { class: "hint" }, example.about) : "");
  return button;
}

/** Lines worth trying: where all three meet, those of the documentation; in another channel, with a schema of its own. */
export function examplesFor(one) {
  const { name } = state.world.command;
  const isOrdinary = one.kind === "im" || Boolean(sharedWith(one));
  const schema = isOrdinary ? "customer_schema" : `${one.name.split("-").at(-1).replace(/\W/g, "_").toLowerCase()}_schema`;
  return [
    { text: `${name} google_ads ${schema}` },
    { text: `${name} google_ads, stripe globex`, show: "google_ads, stripe globex" },
    { text: `${name} status ${schema}`, show: `status ${schema}` },
    { text: name, about: "the form" },
  ];
}
