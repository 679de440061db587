// Talks to the binary: follows its events and sends it requests. Must not know what either means.

// How long to wait before asking again, once the browser itself has given up.
const RETRY_MS = 3000;

// How long an answer may take: Slack's three seconds and the bot's work are well within.
const ANSWER_MS = 15_000;

// A browser opens six connections to one host, and each tab that follows holds one. A tab that nobody has looked at for so
// long gives its own back.
const REST_MS = 60_000;

/** Follows the events for as long as the page is looked at. `onLine("live" | "trying" | "stopped")` tells whether they arrive. */
export function follow(onEvent, onLine) {
  let source = null;
  let failures = 0;
  let resting = 0;

  function open() {
    source = new EventSource("events");
    source.addEventListener("open", () => {
      failures = 0;
      onLine("live");
    });
    source.addEventListener("message", (message) => onEvent(JSON.parse(message.data)));
    source.addEventListener("error", failed);
  }

  function failed() {
    failures += 1;
    // Between its own attempts the browser says CONNECTING; CLOSED means that it makes no more.
    const gaveUp = source.readyState === EventSource.CLOSED;
    onLine(gaveUp || failures > 1 ? "stopped" : "trying");
    if (gaveUp) setTimeout(openAgain, RETRY_MS, source);
  }

  function openAgain(gone) {
    if (source === gone) open();
  }

  document.addEventListener("visibilitychange", () => {
    clearTimeout(resting);
    if (document.hidden) resting = setTimeout(rest, REST_MS);
    else if (!source) open();
  });

  function rest() {
    source.close();
    source = null;
  }

  open();
}

/** Posts, and returns the answer. Throws an Error whose message can be shown to a person. */
export async function request(name, body) {
  let response;
  try {
    response = await fetch(name, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(ANSWER_MS),
    });
  } catch (error) {
    const isSilent = error.name === "TimeoutError";
    throw new Error(`The sandbox doesn’t answer. ${isSilent ? "Close its other tabs, or look whether it still runs." : "Is it still running?"}`);
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error ?? `The sandbox answered with status ${response.status}.`);
  return answer;
}
