// The right column: its four tabs, and which of them is open. Must not know what stands in them.

import { byId } from "./redraw.js";
import { go, state } from "./state.js";

const NAMES = ["wire", "time", "faults", "bot"];

/** The tablist, by the pattern that the keyboard expects: arrows, Home and End. `onGo()` is called after a change. */
export function createPanel(onGo) {
  const tabs = NAMES.map((name) => byId(`tab-${name}`));

  tabs.forEach((tab, index) => {
    tab.addEventListener("click", () => open(index));
    tab.addEventListener("keydown", (event) => {
      const to = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: NAMES.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      open((to + NAMES.length) % NAMES.length);
    });
  });

  function open(index) {
    go({ panel: NAMES[index] });
    onGo();
    tabs[index].focus();
  }

  function update() {
    NAMES.forEach((name, index) => {
      const isOpen = name === state.place.panel;
      tabs[index].setAttribute("aria-selected", String(isOpen));
      tabs[index].tabIndex = isOpen ? 0 : -1;
      byId(`panel-${name}`).hidden = !isOpen;
    });
    mark(byId("faults-count"), state.faultsOn.size ? String(state.faultsOn.size) : "");
    const standing = state.bot?.state ?? "running";
    mark(byId("bot-mark"), standing === "running" ? "" : standing);
  }

  return { update };
}

function mark(element, text) {
  element.hidden = text === "";
  element.textContent = text;
}
