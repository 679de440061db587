// Owns how a moment is written: Slack's date tokens, in one zone and in English. Must not know the
// page, or what a message is.
//
// https://docs.slack.dev/messaging/formatting-message-text#date-formatting and, for the tokens that
// only rich text has, https://docs.slack.dev/reference/block-kit/block-elements/date-element

const DAY_MS = 86_400_000;

// Slack leaves the year out of a date that is less than six months away. Half a mean year in days.
const NEAR_DAYS = 182.6;

// What one unit of `{ago}` is in seconds, and the largest that fits is named.
const AGO_UNITS = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
];

// One formatter for each zone: making one costs more than all that it is used for in a message.
const formatters = new Map();

function formatter(zone) {
  if (!formatters.has(zone)) {
    formatters.set(zone, new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      year: "numeric",
      month: "long",
      day: "numeric",
      weekday: "long",
      hour: "numeric",
      minute: "2-digit",
      second: "2-digit",
      hour12: true,
    }));
  }
  return formatters.get(zone);
}

/** The zone of whoever looks at the page. */
export function viewerZone() {
  return Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
}

function readClock(ms, zone) {
  const parts = Object.fromEntries(
    formatter(zone).formatToParts(ms).map((part) => [part.type, part.value]),
  );
  const month = MONTHS.indexOf(parts.month) + 1;
  return { ...parts, number: month, date: Date.UTC(Number(parts.year), month - 1, Number(parts.day)) };
}

const MONTHS = [
  "January", "February", "March", "April", "May", "June", "July",
  "August", "September", "October", "November", "December",
];

function ordinal(day) {
  const teens = day % 100 > 10 && day % 100 < 14;
  return `${day}${teens ? "th" : ["th", "st", "nd", "rd"][day % 10] ?? "th"}`;
}

function nearDay(then, now) {
  const days = (then.date - now.date) / DAY_MS;
  return { "-1": "yesterday", 0: "today", 1: "tomorrow" }[days];
}

/** "3 minutes ago", or "in 3 minutes" for what is to come. */
function ago(ms, nowMs) {
  const seconds = Math.trunc((ms - nowMs) / 1000);
  const [unit, size] = AGO_UNITS.find(([, length]) => Math.abs(seconds) >= length) ?? AGO_UNITS.at(-1);
  if (seconds === 0) return "just now";
  return new Intl.RelativeTimeFormat("en", { numeric: "always" }).format(Math.trunc(seconds / size), unit);
}

function writers(ms, nowMs, zone) {
  const then = readClock(ms, zone);
  const now = readClock(nowMs, zone);
  const day = Number(then.day);
  const near = Math.abs(ms - nowMs) < NEAR_DAYS * DAY_MS;
  const two = (number) => String(number).padStart(2, "0");
  const year = near ? "" : `, ${then.year}`;
  const long = `${then.month} ${ordinal(day)}`;
  const short = `${then.month.slice(0, 3)} ${day}`;
  const pretty = (otherwise) => nearDay(then, now) ?? otherwise;
  const weekday = `${then.weekday}, ${long}`;
  return {
    date: `${long}${year}`,
    date_short: `${short}${year}`,
    date_long: `${weekday}${year}`,
    date_long_full: `${then.month} ${day}, ${then.year}`,
    date_pretty: pretty(`${long}${year}`),
    date_short_pretty: pretty(`${short}${year}`),
    date_long_pretty: pretty(`${weekday}${year}`),
    date_num: `${then.year}-${two(then.number)}-${two(day)}`,
    date_slash: `${two(day)}/${two(then.number)}/${then.year}`,
    day_divider_pretty: pretty(then.year === now.year ? weekday : `${weekday}, ${then.year}`),
    time: `${then.hour}:${then.minute} ${then.dayPeriod}`,
    time_secs: `${then.hour}:${then.minute}:${then.second} ${then.dayPeriod}`,
    ago: ago(ms, nowMs),
  };
}

function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/**
 * `format` with its tokens filled in, or undefined if the moment or a token makes no sense: then
 * Slack shows the fallback.
 */
export function formatDate(seconds, format, { zone, now }) {
  const ms = Number(seconds) * 1000;
  if (!/^-?\d+$/.test(String(seconds)) || Number.isNaN(new Date(ms).getTime())) return undefined;
  const words = writers(ms, now, zone);
  let known = true;
  const text = format.replace(/\{([a-z_]+)\}/g, (token, name) => {
    if (Object.hasOwn(words, name)) return words[name];
    known = false;
    return token;
  });
  // Slack's clients begin a date with a capital wherever it stands, so it is "until Tomorrow". No
  // page of Slack's says so; a format that begins with a zero-width space escapes it there as here.
  return known ? capital(text) : undefined;
}

/** The whole moment, for those who point at a date: "Monday, September 21, 2026 at 2:13 PM, UTC". */
export function wholeMoment(ms, zone) {
  const words = writers(ms, ms, zone);
  const { weekday } = readClock(ms, zone);
  return `${weekday}, ${words.date_long_full} at ${words.time}, ${zone}`;
}
