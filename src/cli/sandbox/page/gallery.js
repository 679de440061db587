// Owns the gallery: which entries there are, which of them are shown and how, and the address that
// says so. Must not know how blocks look.

import { plain } from "./blocks.js";
import { make } from "./dom.js";
import { renderPanes } from "./panes.js";

// The moment at which the bot's examples play, in ms: cli/gallery.rs writes them for it.
const GALLERY_NOW = 1_790_000_000_000;

// Entries are drawn before they come into view, so that nobody sees them being drawn.
const AHEAD = "1200px 0px";

const TOAST_MS = 4000;

const KINDS = { message: "Message", modal: "Form", home: "Home", options: "List of options" };
const PEOPLE = { U0ALICE: "Alice" };
const CHANNELS = { C0CUSTOMER: "ext-customer" };

const find = (id) => document.getElementById(id);
const form = find("filters");
const lists = { entries: [], specimens: [] };
let services = { options: [] };
let toastTimer;
let pinned;

const env = {
  now: GALLERY_NOW,
  user: (id) => PEOPLE[id],
  channel: (id) => CHANNELS[id],
  act: async () => toast("This is a picture: nothing was sent."),
  suggest: async (element, block, text) => ({
    options: services.options.filter((option) => option.text.text.toLowerCase().includes(text.trim().toLowerCase())),
  }),
};

const observer = new IntersectionObserver((changes) => {
  for (const { isIntersecting, target } of changes) if (isIntersecting) draw(target);
}, { rootMargin: AHEAD });

// What an address leads to stays where it is while entries above it are drawn and grow, until
// whoever reads takes over.
const pinner = new ResizeObserver(() => pinned?.scrollIntoView());

function pin(node) {
  pinned = node;
  node?.scrollIntoView();
}

function toast(text) {
  const node = find("toast");
  node.textContent = text;
  node.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { node.hidden = true; }, TOAST_MS);
}

async function load(name) {
  const response = await fetch(name);
  if (!response.ok) throw new Error(`${name}: ${response.status}`);
  return response.json();
}

// What a picture says, for the search: its name and every word on it.
function wordsOf({ name, kind, payload, differs = [] }) {
  const words = kind === "options"
    ? (payload.option_groups ?? [payload]).flatMap(({ options }) => options).map((option) => option.text.text).join(" ")
    : [payload.title?.text, payload.submit?.text, payload.close?.text, plain(payload, env)].join(" ");
  return `${name} ${words} ${differs.join(" ")}`.toLowerCase();
}

function buildItem(list, item) {
  const node = make(
    "article",
    { class: "entry", id: item.name, "aria-labelledby": `${item.name}--name` },
    make("header", {}, ...headOf(list, item)),
    list === "specimens" ? differences(item) : undefined,
    make("div", { class: "drawing" }),
    source(item),
  );
  return { ...item, node, words: wordsOf(item), longest: item.name.endsWith(".longest") };
}

function headOf(list, item) {
  const copy = make("button", { class: "button plain small", type: "button", "aria-label": `Copy a link to ${item.name}` }, "Copy link");
  copy.addEventListener("click", () => copyLink(item.name));
  return [
    make("h2", { id: `${item.name}--name` }, make("a", { href: `#${item.name}` }, item.title ?? item.name)),
    make("span", { class: "tag" }, KINDS[item.kind]),
    list === "specimens"
      ? make("a", { class: "origin", href: item.url, target: "_blank", rel: "noopener noreferrer" }, item.url.replace("https://", ""))
      : undefined,
    copy,
  ].filter(Boolean);
}

function differences({ differs }) {
  if (differs.length === 0) return make("p", { class: "differs muted" }, "No difference that we know of.");
  return make(
    "div",
    { class: "differs" },
    make("p", { class: "muted" }, "How ours differs:"),
    make("ul", {}, ...differs.map((text) => make("li", {}, text))),
  );
}

function source({ payload }) {
  const details = make("details", { class: "source" }, make("summary", {}, "JSON"));
  details.addEventListener("toggle", () => {
    if (details.open && !details.querySelector("pre")) details.append(make("pre", { tabindex: "0" }, JSON.stringify(payload, null, 2)));
  });
  return details;
}

async function copyLink(name) {
  const address = new URL(`#${name}`, location.href);
  address.search = "";
  try {
    await navigator.clipboard.writeText(address.href);
    toast("The link is in your clipboard.");
  } catch {
    location.hash = name;
    toast("The link is in the address bar.");
  }
}

function itemOf(node) {
  return [...lists.entries, ...lists.specimens].find((item) => item.node === node);
}

function choices() {
  return Object.fromEntries(new FormData(form));
}

// Draws an entry for the chosen widths and colours, unless it already is.
function draw(node) {
  const { width, scheme } = choices();
  const look = `${width} ${scheme}`;
  if (node.dataset.look === look) return;
  node.dataset.look = look;
  node.querySelector(".drawing").replaceChildren(renderPanes(itemOf(node), { width, scheme }, env));
}

function isWanted(item, { q, kind, size }) {
  if (!q.trim().toLowerCase().split(/\s+/).every((word) => item.words.includes(word))) return false;
  if (item.url) return true;
  if (kind && item.kind !== kind) return false;
  return size === "all" || item.longest === (size === "longest");
}

function shownTab() {
  return find("tab-specimens").getAttribute("aria-selected") === "true" ? "specimens" : "entries";
}

function show() {
  const chosen = { kind: "", size: "ordinary", ...choices() };
  const tab = shownTab();
  for (const item of lists[tab]) {
    item.node.hidden = !isWanted(item, chosen);
    // Whoever is in view is looked at again, and drawn anew where the choice asks for it.
    observer.unobserve(item.node);
    if (!item.node.hidden) observer.observe(item.node);
  }
  const shown = lists[tab].filter(({ node }) => !node.hidden).length;
  find("count").textContent = shown === lists[tab].length ? `${shown} shown` : `${shown} of ${lists[tab].length} shown`;
  find(`panel-${tab}`).classList.toggle("empty", shown === 0);
  remember(chosen);
}

const DEFAULTS = { q: "", kind: "", size: "ordinary", width: "both", scheme: ownScheme() };

function ownScheme() {
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

function remember(chosen) {
  const changed = Object.entries(chosen).filter(([name, value]) => value !== DEFAULTS[name]);
  const query = new URLSearchParams(changed).toString();
  history.replaceState(null, "", `${location.pathname}${query ? `?${query}` : ""}${location.hash}`);
}

function recall() {
  const asked = new URLSearchParams(location.search);
  for (const [name, usual] of Object.entries(DEFAULTS)) {
    const control = form.elements[name];
    control.value = asked.get(name) ?? usual;
    if (control.selectedIndex === -1) control.value = usual;
  }
}

function selectTab(tab) {
  for (const name of ["entries", "specimens"]) {
    const chosen = name === tab;
    find(`tab-${name}`).setAttribute("aria-selected", String(chosen));
    find(`tab-${name}`).tabIndex = chosen ? 0 : -1;
    find(`panel-${name}`).hidden = !chosen;
  }
  for (const label of form.querySelectorAll("[data-only]")) label.hidden = label.dataset.only !== tab;
  find("about").textContent = tab === "entries"
    ? "Every message, form and list of the bot, as people see it."
    : "The examples of Slack’s documentation as drawn here, and what we know to look different. Colours, font and spacing are our own in all of them.";
}

function nameInAddress() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    // Somebody's own address, which names nothing.
    return "";
  }
}

// #specimens is the other tab, any other name an entry of either. What hides it gives way.
function follow() {
  const name = nameInAddress();
  const tab = name === "specimens" || lists.specimens.some((item) => item.name === name) ? "specimens" : "entries";
  selectTab(tab);
  const item = lists[tab].find((candidate) => candidate.name === name);
  if (item && !isWanted(item, choices())) {
    form.elements.q.value = "";
    form.elements.kind.value = "";
    form.elements.size.value = item.longest ? "all" : form.elements.size.value;
  }
  show();
  if (item) draw(item.node);
  pin(item?.node);
}

function listen() {
  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", follow);
  for (const sign of ["wheel", "touchmove", "pointerdown", "keydown"]) addEventListener(sign, () => pin(undefined), { passive: true });
  const tabs = [find("tab-entries"), find("tab-specimens")];
  for (const [index, tab] of tabs.entries()) {
    tab.addEventListener("click", () => openTab(tab.id.replace("tab-", "")));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = tabs[(index + step + tabs.length) % tabs.length];
      next.focus();
      openTab(next.id.replace("tab-", ""));
    });
  }
  // Links in pictures are told, not followed: their addresses are made up.
  for (const name of ["entries", "specimens"]) {
    find(`panel-${name}`).addEventListener("click", (event) => {
      const anchor = event.target.closest(".frame a[href]");
      if (!anchor) return;
      event.preventDefault();
      toast(`In Slack, this opens ${anchor.href}`);
    }, true);
  }
}

function openTab(tab) {
  pin(undefined);
  history.pushState(null, "", `${location.pathname}${location.search}${tab === "specimens" ? "#specimens" : ""}`);
  selectTab(tab);
  show();
  scrollTo(0, 0);
}

// A kind of which there is nothing is not to be asked for.
function offerKinds() {
  const { kind } = form.elements;
  for (const option of [...kind.options]) {
    if (option.value && !lists.entries.some((item) => item.kind === option.value)) option.remove();
  }
}

async function start() {
  // The address says where to be.
  history.scrollRestoration = "manual";
  recall();
  listen();
  try {
    const [entries, specimens] = await Promise.all([load("gallery.json"), load("specimens.json")]);
    services = entries.find(({ name }) => name === "form-services")?.payload ?? services;
    lists.entries = entries.map((item) => buildItem("entries", item));
    lists.specimens = specimens.map((item) => buildItem("specimens", item));
  } catch (error) {
    find("count").textContent = `The gallery could not be loaded (${error.message}).`;
    return;
  }
  offerKinds();
  for (const [name, list] of Object.entries(lists)) {
    pinner.observe(find(`panel-${name}`));
    find(`panel-${name}`).append(...list.map(({ node }) => node), make("p", { class: "none muted" }, "Nothing matches. Try fewer words."));
  }
  follow();
}

start();
