// Keeps the landing page up to date without loading it anew.
//
// Owns when to ask, and puts what comes in the place of what stands. The server writes what the
// page says, how long it waits and what it asks for. Must not know a state, a sentence or another
// address.
"use strict";
(() => {
  // Longest wait for an answer, in milliseconds. The server takes 2.6 s; the rest is a slow network.
  const ANSWER_LIMIT = 15000;
  // Shortest pause after an attempt that failed, in seconds: more questions help nothing that is down.
  const AFTER_FAILURE = 10;

  const main = document.querySelector("main");
  const state = document.getElementById("state");
  const icon = document.querySelector("link[rel=icon]");
  // Where what is shown came from: a question that came to nothing is asked again as it was.
  let address = location.href;
  let timer;
  let asking = false;

  // In seconds; 0 if there is nothing left to ask.
  const pause = () => Number(main.dataset.asks);

  function plan(seconds) {
    clearTimeout(timer);
    if (pause() && !document.hidden) {
      timer = setTimeout(ask, seconds * 1000);
    }
  }

  async function ask() {
    clearTimeout(timer);
    asking = true;
    let atLeast = 0;
    try {
      show(await load(main.dataset.next || address));
    } catch {
      // What stands there was true when it was read, and is kept until there is news.
      atLeast = AFTER_FAILURE;
    }
    asking = false;
    plan(Math.max(pause(), atLeast));
  }

  async function load(next) {
    // Without a limit in a browser that cannot set one.
    const signal = AbortSignal.timeout?.(ANSWER_LIMIT);
    const answer = await fetch(next, { cache: "no-store", signal });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (!answer.ok || !page.getElementById("state")) {
      throw new Error("not this page");
    }
    address = next;
    return page;
  }

  function show(page) {
    const { asks, next } = page.querySelector("main").dataset;
    Object.assign(main.dataset, { asks, next });
    const fresh = page.getElementById("state");
    // Whoever listens to the page hears what is new, and not the same again.
    if (!state.isEqualNode(fresh)) {
      document.title = page.title;
      icon.href = page.querySelector("link[rel=icon]").href;
      state.className = fresh.className;
      state.replaceChildren(...fresh.childNodes);
    }
  }

  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (pause() && !document.hidden && !asking) {
      ask();
    }
  });
  plan(pause());
})();
