//! Slack's markup and blocks.
//!
//! Owns the only escaping for Slack, Slack's limits for texts, and how a moment is written. Must not
//! know what is said.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use slack_morphism::prelude::{
    SlackBlock, SlackBlockMarkDownText, SlackBlockPlainText, SlackContextBlock, SlackContextBlockElement,
    SlackMessageContent, SlackSectionBlock,
};

/// Slack's limit for a button's label, in characters.
pub(super) const BUTTON_LIMIT: usize = 75;
/// Slack's limit for a text object, in characters.
pub(super) const TEXT_LIMIT: usize = 3000;

/// Text for Slack's `mrkdwn` in which nothing a person typed is markup. The only way to make one
/// from foreign text escapes it.
#[derive(Clone, Debug, Default)]
pub(super) struct Mrkdwn(String);

impl Mrkdwn {
    /// Adds our own markup as it is.
    pub(super) fn raw(mut self, markup: &str) -> Self {
        self.0.push_str(markup);
        self
    }

    /// Adds what is escaped already.
    pub(super) fn add(self, more: Self) -> Self {
        self.raw(&more.0)
    }

    /// Adds foreign text, escaped. <https://docs.slack.dev/messaging/formatting-message-text#escaping>
    pub(super) fn text(mut self, text: &str) -> Self {
        self.0.push_str(&escape(text));
        self
    }

    /// Adds foreign text as code: escaped, and without the backticks and ends of lines that would end it.
    pub(super) fn code(self, text: &str) -> Self {
        let text = text.replace('`', "'").replace('\n', " ");
        self.raw("`").text(&text).raw("`")
    }

    /// Adds foreign text in bold: escaped, without what would end that, and without what would begin code.
    pub(super) fn bold(self, text: &str) -> Self {
        let text = text.replace(['*', '\n'], " ").replace('`', "'");
        self.raw("*").text(&text).raw("*")
    }

    /// Adds what was made in the same way.
    pub(super) fn then(self, other: &Self) -> Self {
        self.raw(&other.0)
    }

    /// How long it is, as Slack counts.
    pub(super) fn characters(&self) -> usize {
        self.0.chars().count()
    }

    /// As a text object that Slack must not look for links, channels or mentions in.
    pub(super) fn object(self) -> SlackBlockMarkDownText {
        SlackBlockMarkDownText::new(cut(&self.0, TEXT_LIMIT)).with_verbatim(true)
    }

    pub(super) fn section(self) -> SlackBlock {
        SlackSectionBlock::new().with_text(self.object().into()).into()
    }
}

/// Foreign text with the three characters replaced by which Slack's markup begins.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            _ => escaped.push(character),
        }
    }
    escaped
}

pub(super) fn cut(text: &str, limit: usize) -> String {
    if text.chars().nth(limit).is_none() {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(limit.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// Fivetran's words without the full stop at their end, since ours go on after them.
pub(super) fn unstopped(said: &str) -> &str {
    said.trim_end_matches('.')
}

pub(super) fn plain_section(text: &str) -> SlackBlock {
    SlackSectionBlock::new().with_text(SlackBlockPlainText::new(cut(text, TEXT_LIMIT)).into()).into()
}

/// Lines in as few sections as hold them.
pub(super) fn sections(lines: impl Iterator<Item = Mrkdwn>) -> Vec<SlackBlock> {
    let mut filled: Vec<Mrkdwn> = Vec::new();
    for line in lines {
        match filled.pop() {
            Some(last) if last.characters() + 1 + line.characters() <= TEXT_LIMIT => {
                filled.push(last.raw("\n").then(&line));
            }
            last => filled.extend(last.into_iter().chain([line])),
        }
    }
    filled.into_iter().map(Mrkdwn::section).collect()
}

pub(super) fn context(elements: Vec<SlackContextBlockElement>) -> SlackBlock {
    SlackContextBlock::new(elements).into()
}

pub(super) fn content(text: &str, blocks: Vec<SlackBlock>) -> SlackMessageContent {
    SlackMessageContent::new().with_text(cut(&escape(text), TEXT_LIMIT)).with_blocks(blocks)
}

/// A message of plain sentences.
pub(super) fn sentences(text: &str) -> SlackMessageContent {
    content(text, vec![plain_section(text)])
}

/// Slack's clients begin a date with a capital wherever it stands. Behind this, which nobody sees, it is
/// "until tomorrow", not "until Tomorrow".
const WITHIN: char = '\u{200B}';

/// A moment in the reader's own time zone, and in UTC where Slack cannot tell it; within a sentence.
/// <https://docs.slack.dev/messaging/formatting-message-text#date-formatting>
pub(super) fn local_time(moment: Timestamp) -> String {
    dated(moment, &WITHIN.to_string())
}

/// The same, where a line begins.
pub(super) fn local_time_first(moment: Timestamp) -> String {
    dated(moment, "")
}

fn dated(moment: Timestamp, before: &str) -> String {
    format!("<!date^{}^{before}{{date_short_pretty}} at {{time}}|{}>", moment.as_second(), utc(moment))
}

/// A moment as `2026-11-22 14:05 UTC`.
#[must_use]
pub fn utc(moment: Timestamp) -> String {
    moment.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// Sentences with the reference, and nothing to decide.
pub(super) fn plainly(text: &str, reference: &str) -> SlackMessageContent {
    content(&format!("{text} (ref {reference})"), vec![plain_section(text), reference_line(reference)])
}

pub(super) fn reference_line(reference: &str) -> SlackBlock {
    context(vec![Mrkdwn::default().raw("Ref ").code(reference).object().into()])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a text object says.
    fn said(text: Mrkdwn) -> String {
        text.object().text
    }

    #[test]
    fn nothing_that_a_person_typed_is_markup() {
        for (typed, escaped) in [
            ("acme", "acme"),
            ("<!channel>", "&lt;!channel&gt;"),
            ("a & b", "a &amp; b"),
            ("&lt;", "&amp;lt;"),
            ("<https://evil.example|here>", "&lt;https://evil.example|here&gt;"),
        ] {
            assert_eq!(escape(typed), escaped);
            assert_eq!(said(Mrkdwn::default().raw("*").text(typed)), format!("*{escaped}"));
            assert_eq!(said(Mrkdwn::default().code(typed)), format!("`{escaped}`"));
            assert_eq!(said(Mrkdwn::default().bold(typed)), format!("*{escaped}*"));
        }
        assert_eq!(said(Mrkdwn::default().code("a`b")), "`a'b`", "nothing ends the code");
        assert_eq!(said(Mrkdwn::default().bold("a*b\nc")), "*a b c*", "nothing ends what is bold");
        let made = Mrkdwn::default().text("<");
        assert_eq!(said(Mrkdwn::default().raw("a").then(&made).add(made)), "a&lt;&lt;", "escaped once");
        assert_eq!(Mrkdwn::default().text("é<").characters(), 5);
    }

    #[test]
    fn a_text_is_cut_to_its_limit_in_characters() {
        for (text, limit, short) in [
            ("", 3, ""),
            ("abc", 3, "abc"),
            ("abcd", 3, "ab…"),
            ("éééé", 3, "éé…"),
            ("éé", 2, "éé"),
            ("ab", 1, "…"),
        ] {
            assert_eq!(cut(text, limit), short);
        }
        assert_eq!(
            ["It failed.", "It failed", "…", "..."].map(unstopped),
            ["It failed", "It failed", "…", ""]
        );
    }

    #[test]
    fn lines_stand_in_as_few_sections_as_hold_them() {
        let lengths = |lines: &[usize]| -> Vec<usize> {
            let lines = lines.iter().map(|&length| Mrkdwn::default().text(&"x".repeat(length)));
            let texts = sections(lines).into_iter().map(|block| {
                let SlackBlock::Section(section) = block else { panic!() };
                serde_json::to_value(section).unwrap()["text"]["text"].as_str().unwrap().chars().count()
            });
            texts.collect()
        };
        for (lines, expected) in [
            (&[][..], &[][..]),
            (&[10], &[10]),
            (&[10, 20, 30], &[62]),
            // With the line break between them they are just as long as one may be, or by one too long.
            (&[1500, 1499], &[3000]),
            (&[1500, 1500], &[1500, 1500]),
            (&[3000, 1], &[3000, 1]),
            (&[2000, 1999, 1000], &[2000, 3000]),
        ] {
            assert_eq!(lengths(lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_moment_is_told_in_the_readers_time_and_in_utc() {
        let moment = Timestamp::from_second(1_795_000_000).unwrap();
        assert_eq!(utc(moment), "2026-11-18 11:06 UTC");
        let first = "<!date^1795000000^{date_short_pretty} at {time}|2026-11-18 11:06 UTC>";
        assert_eq!(local_time_first(moment), first);
        assert_eq!(local_time(moment), first.replace("{date", "\u{200B}{date"));
    }
}
