// Owns which `:names:` become pictures. Must not know where they stand.

// Those that the bot writes, those that its stories use, and those in Slack's own examples. Slack
// knows thousands; a name that is not here stays as it was written, as an unknown one does there.
const EMOJI = {
  "+1": "👍",
  "-1": "👎",
  arrow_right: "➡️",
  ballot_box_with_check: "☑️",
  basketball: "🏀",
  bell: "🔔",
  bulb: "💡",
  calendar: "📅",
  checkered_flag: "🏁",
  clock1: "🕐",
  eyes: "👀",
  heavy_check_mark: "✔️",
  hourglass: "⌛",
  hourglass_flowing_sand: "⏳",
  information_source: "ℹ️",
  joy: "😂",
  key: "🔑",
  large_green_circle: "🟢",
  link: "🔗",
  lock: "🔒",
  mag: "🔍",
  newspaper: "📰",
  no_entry: "⛔",
  no_entry_sign: "🚫",
  point_right: "👉",
  red_circle: "🔴",
  robot_face: "🤖",
  rotating_light: "🚨",
  smile: "😄",
  snowboarder: "🏂",
  sparkles: "✨",
  tada: "🎉",
  thumbsup: "👍",
  warning: "⚠️",
  wastebasket: "🗑️",
  wave: "👋",
  white_check_mark: "✅",
  white_circle: "⚪",
  wrench: "🔧",
  x: "❌",
  zap: "⚡",
};

// Those that blocks.css has a drawing of.
const DRAWN = new Set([
  "hourglass",
  "hourglass_flowing_sand",
  "information_source",
  "no_entry_sign",
  "warning",
  "white_check_mark",
]);

// The closing colon may also open the next name, as in 12:30:warning:.
const NAME = /:([a-z0-9_+'-]+)(?=:)/g;
const SKIN_TONE = /^:skin-tone-[2-6]:/;

/** The text as a list of strings and of `{name, picture, drawn}`. */
export function splitEmoji(text) {
  const parts = [];
  let end = 0;
  for (const { 0: found, 1: name, index } of text.matchAll(NAME)) {
    if (index < end || !Object.hasOwn(EMOJI, name)) continue;
    if (index > end) parts.push(text.slice(end, index));
    parts.push({ name, picture: EMOJI[name], drawn: DRAWN.has(name) });
    end = index + found.length + 1;
    end += SKIN_TONE.exec(text.slice(end))?.[0].length ?? 0;
  }
  if (end < text.length) parts.push(text.slice(end));
  return parts;
}
