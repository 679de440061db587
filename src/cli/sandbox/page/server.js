// Talks to the binary: follows its events and sends it requests. Must not know what either means.

// How long to wait before asking again, once the browser itself has given up.
const RETRY_MS = 3000;

/** Follows the events for as long as the page lives. `onLine(true|false)` tells whether they arrive. */
export function follow(onEvent, onLine) {
  const source = new EventSource("events");
  source.addEventListener("open", () => onLine(true));
  source.addEventListener("message", (message) => onEvent(JSON.parse(message.data)));
  source.addEventListener("error", () => {
    onLine(false);
    // Between its own attempts the browser says CONNECTING; CLOSED means that it makes no more.
    if (source.readyState !== EventSource.CLOSED) return;
    setTimeout(() => follow(onEvent, onLine), RETRY_MS);
  });
}

/** Posts, and returns the answer. Throws an Error whose message can be shown to a person. */
export async function request(name, body) {
  let response;
  try {
    response = await fetch(name, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  } catch {
    throw new Error("The sandbox doesn’t answer. Is it still running?");
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error ?? `The sandbox answered with status ${response.status}.`);
  return answer;
}
