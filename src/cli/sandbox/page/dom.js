// Owns how elements are made and named here. Must not know Slack.

let made = 0;

/** An id that nothing else on the page has. */
export function freshId(word) {
  made += 1;
  return `${word}-${made}`;
}

/**
 * An element with its attributes and children. An attribute that is undefined, null or false is left
 * out, true is written empty; children are nodes or text, and never markup.
 */
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== undefined && child !== null));
  return element;
}

/** The text on one line. */
export function oneLine(text) {
  return text.replace(/\s+/g, " ").trim();
}
