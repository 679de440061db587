// The sandbox's time, and how a person reads it. Must not know what happens at which time.

let aheadMs = 0;

/** Takes over the sandbox's clock, which may be hours ahead of the browser's. */
export function setClock(clock) {
  aheadMs = Date.parse(clock.now) - Date.now();
}

/** What time it is in the sandbox. */
export const now = () => new Date(Date.now() + aheadMs);

/** The time of a message, by Slack's `ts`. */
export const ofTs = (ts) => new Date(Number.parseFloat(ts) * 1000);

// English whatever the browser speaks, because everything else here is; the zone is the viewer's.
const short = new Intl.DateTimeFormat("en-US", { hour: "numeric", minute: "2-digit" });
const exact = new Intl.DateTimeFormat("en-US", { hour: "numeric", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-US", { weekday: "long", month: "long", day: "numeric" });
const zone = new Intl.DateTimeFormat("en-US", { timeZoneName: "long" });

export const clockTime = (date) => short.format(date);
export const exactTime = (date) => exact.format(date);
export const fullDay = (date) => day.format(date);
export const fullTime = (date) => `${day.format(date)}, ${short.format(date)}`;
export const zoneName = () => zone.formatToParts(new Date()).find((part) => part.type === "timeZoneName")?.value ?? "";

/** The day as a heading: Today, Yesterday, or its date. */
export function dayName(date) {
  const days = Math.round((startOf(now()) - startOf(date)) / 86_400_000);
  if (days === 0) return "Today";
  if (days === 1) return "Yesterday";
  return fullDay(date);
}

const startOf = (date) => new Date(date.getFullYear(), date.getMonth(), date.getDate());

/** A span as a person says it: “13 hours”, “2 days and 1 hour”. */
export function span(seconds) {
  const minutes = Math.round(Math.abs(seconds) / 60);
  const parts = [
    [Math.floor(minutes / 1440), "day"],
    [Math.floor((minutes % 1440) / 60), "hour"],
    [minutes % 60, "minute"],
  ];
  const said = parts.filter(([count]) => count > 0).map(([count, unit]) => `${count} ${unit}${count === 1 ? "" : "s"}`);
  return said.length ? said.slice(0, 2).join(" and ") : "less than a minute";
}
