//! What a person typed, out of what arrives: Slack and keyboards put marks around it.
//!
//! Owns what is taken off before the words are read: formatting, quotation, Slack's way of writing
//! what it recognises, with the app's “escape” option on or off, and characters that nobody sees.
//! Pure. Must not know what the words mean.
//!
//! Only what no name can hold is taken off in silence. A name may begin and end with `_`, which is
//! also how Slack writes italics: so such a word is asked about, unless it stands in quotes.
//! <https://docs.slack.dev/messaging/formatting-message-text>

use super::is_invisible;
use super::is_quote;
use super::several::list::COMMAS;
use crate::fivetran::schema::Target;

/// What stands around a word, or around several, and is in no name: bold and struck out.
const MARKS: [char; 2] = ['*', '~'];
/// What stands before a line of a list.
const BULLETS: [&str; 5] = ["•", "◦", "▪", "-", "*"];

/// A word, and whether it stood in quotes, so that it means just what it says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Word {
    text: String,
    quoted: bool,
}

/// The words with single spaces between them.
pub(super) fn text(typed: &str) -> String {
    words(typed).into_iter().map(|word| word.text).collect::<Vec<_>>().join(" ")
}

/// What stands in quotes behind the first word, with single spaces: whoever puts them means one name by it. Quotes
/// around the whole line say nothing.
pub(super) fn quoted(typed: &str) -> Vec<String> {
    let visible: String = typed.chars().filter(|&character| !is_invisible(character)).collect();
    let words = visible.split(|c: char| c.is_whitespace() || COMMAS.contains(&c));
    let words: Vec<&str> =
        words.map(|word| word.trim_matches(MARKS)).filter(|word| !word.is_empty()).collect();
    let mut quoted = Vec::new();
    let mut from = 0;
    while let Some(first) = words.get(from) {
        let rest = words.get(from..).unwrap_or_default();
        let ends = |word: &&str| word.ends_with(is_quote) && word.chars().nth(1).is_some();
        let end = rest.iter().position(ends).filter(|_| first.starts_with(is_quote));
        let count = end.map_or(1, |end| end + 1);
        let is_all = count == words.len() || (from == 0 && count == 1);
        if end.is_some() && !is_all {
            let bare = rest.iter().take(count).map(|word| word.trim_matches(is_quote));
            quoted.push(bare.collect::<Vec<_>>().join(" "));
        }
        from += count;
    }
    quoted
}

/// The two lines that may be meant where a target was typed as Slack writes italics: without the
/// marks, and with the name in quotes.
pub(super) fn italic(typed: &str, target: &Target) -> Option<[String; 2]> {
    let name = target.connection_name();
    let words = words(typed);
    let at = words.iter().position(|word| !word.quoted && word.text == name)?;
    let bare = without_italics(&name)?;
    let bare = match Target::parse(&bare) {
        Ok(_) => bare,
        // `2024` cannot be a name, and it is what was typed.
        Err(bad) => bad.nearest?,
    };
    Some([bare, format!("\"{name}\"")].map(|instead| with(&words, at, &instead)))
}

/// The line with a word in quotes, where it is there without them.
pub(super) fn in_quotes(typed: &str, name: &str) -> Option<String> {
    let words = words(typed);
    // The schema stands last of those that look like it.
    let at = words.iter().rposition(|word| word.text == name)?;
    (!words.get(at)?.quoted).then(|| with(&words, at, &format!("\"{name}\"")))
}

/// The words with another in the place of one.
fn with(words: &[Word], at: usize, instead: &str) -> String {
    let line = words.iter().enumerate().map(|(n, word)| if n == at { instead } else { word.text.as_str() });
    line.collect::<Vec<_>>().join(" ")
}

/// A target without the marks around it, or around one of its halves; `None` if there are none.
fn without_italics(name: &str) -> Option<String> {
    let halves: Vec<_> = name.split('.').collect();
    if halves.iter().any(|half| inside(half, '_').is_some()) {
        let bare = halves.into_iter().map(|half| inside(half, '_').map_or(half, |_| half.trim_matches('_')));
        return Some(bare.collect::<Vec<_>>().join("."));
    }
    inside(name, '_').map(|_| name.trim_matches('_').to_owned())
}

/// What is between two of the same mark.
fn inside(text: &str, mark: char) -> Option<&str> {
    let inner = text.strip_prefix(mark)?.strip_suffix(mark)?;
    (!inner.trim_matches(mark).is_empty()).then_some(inner)
}

fn words(typed: &str) -> Vec<Word> {
    let visible: String = typed.chars().filter(|&character| !is_invisible(character)).collect();
    let text = unescaped(&plain_links(&visible));
    let mut words: Vec<Word> = Vec::new();
    for line in text.lines() {
        // A quotation.
        let line = line.trim_start().trim_start_matches('>');
        let mut line = line.split_whitespace().peekable();
        line.next_if(|first| BULLETS.contains(first));
        words.extend(line.map(|word| Word { text: word.to_owned(), quoted: false }));
    }
    // Marks stand within quotes, and quotes within marks.
    bare(&mut words);
    upright(&mut words);
    bare(&mut words);
    words.retain(|word| !word.text.is_empty());
    words
}

fn bare(words: &mut [Word]) {
    while unquote(words) | MARKS.into_iter().any(|mark| unmark(words, mark)) {}
}

/// Takes quotes off the ends of words. One within a word stays, so that a schema never silently
/// becomes another one.
fn unquote(words: &mut [Word]) -> bool {
    let mut changed = false;
    for word in words {
        let inner = word.text.trim_matches(is_quote);
        if inner.len() < word.text.len() {
            word.quoted |= word.text.starts_with(is_quote) && word.text.ends_with(is_quote);
            word.text = inner.to_owned();
            changed = true;
        }
    }
    changed
}

/// Takes one pair of marks off, around a word or several. A single one stays.
fn unmark(words: &mut [Word], mark: char) -> bool {
    let ends =
        |word: &Word, same: bool| word.text.ends_with(mark) && (!same || inside(&word.text, mark).is_some());
    let pair = (0..words.len()).find_map(|from| {
        words.get(from).filter(|word| word.text.starts_with(mark) && word.text.len() > 1)?;
        let to = (from..words.len()).find(|&to| words.get(to).is_some_and(|word| ends(word, to == from)))?;
        Some((from, to))
    });
    pair.is_some_and(|pair| take_off(words, pair, mark))
}

/// Takes italics off that begin at the first word: no verb and no service begins with `_`.
fn upright(words: &mut [Word]) {
    let Some(first) = words.first().filter(|first| first.text.starts_with('_') && !first.quoted) else {
        return;
    };
    let to = match inside(&first.text, '_') {
        Some(_) => Some(0),
        None => words.iter().rposition(|word| word.text.ends_with('_') && word.text.len() > 1),
    };
    if let Some(to) = to.filter(|&to| to > 0 || words.len() > 1) {
        take_off(words, (0, to), '_');
    }
}

fn take_off(words: &mut [Word], (from, to): (usize, usize), mark: char) -> bool {
    if let Some(word) = words.get_mut(from) {
        word.text.remove(0);
    }
    if let Some(word) = words.get_mut(to) {
        word.text = word.text.strip_suffix(mark).unwrap_or(&word.text).to_owned();
    }
    true
}

/// The text with what Slack recognised as it was typed: `<http://acme.com|acme.com>` was `acme.com`,
/// and `<#C1|acme>` was `#acme`. Of a mention whose name is not told, nothing is left to make a name
/// of.
fn plain_links(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('<') {
        plain.push_str(before);
        let Some((inner, after)) = behind.split_once('>').filter(|(inner, _)| is_recognised(inner)) else {
            plain.push('<');
            rest = behind;
            continue;
        };
        let (target, label) = inner.split_once('|').unwrap_or((inner, ""));
        match target.chars().next() {
            Some(sign @ ('#' | '@')) => plain.push_str(&mention(sign, label)),
            // A group's id is no name.
            Some('!') if label.is_empty() && target.contains('^') => plain.push_str(&mention('@', "")),
            Some('!') if label.is_empty() => plain.push_str(&mention('@', target.trim_start_matches('!'))),
            Some('!') => plain.push_str(&mention('@', label.trim_start_matches('@'))),
            Some('A'..='Z') => plain.push_str(&mention('#', label)),
            _ if is_only_recognised(target, label) => plain.push_str(label),
            _ => plain.push_str(target),
        }
        rest = after;
    }
    plain + rest
}

fn mention(sign: char, label: &str) -> String {
    if label.is_empty() { format!("{sign}…") } else { format!("{sign}{label}") }
}

fn is_recognised(inner: &str) -> bool {
    !inner.contains(char::is_whitespace)
        && (inner.starts_with(['#', '@', '!'])
            || is_bare_id(inner)
            || ["http://", "https://", "mailto:", "tel:"].iter().any(|scheme| inner.starts_with(scheme)))
}

/// A channel that the app cannot see comes without its sign: `<C123ABC456|>`.
/// <https://docs.slack.dev/interactivity/implementing-slash-commands/>
fn is_bare_id(inner: &str) -> bool {
    let id = inner.split('|').next().unwrap_or_default();
    id.len() >= 9
        && id.starts_with(['C', 'D', 'G'])
        && id.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// Whether an address is what Slack made of its label. Behind a label of its own, the address is
/// what was meant, and no name.
fn is_only_recognised(target: &str, label: &str) -> bool {
    let bare =
        ["http://", "https://", "mailto:", "tel:"].iter().find_map(|scheme| target.strip_prefix(scheme));
    // A host's capitals do not tell hosts apart, and Slack writes them small.
    let same = |bare: &str| bare.trim_end_matches('/').eq_ignore_ascii_case(label.trim_end_matches('/'));
    !label.is_empty() && bare.is_some_and(same)
}

/// Slack's three escapes, once. <https://docs.slack.dev/messaging/formatting-message-text#escaping>
fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_that_are_in_no_name_come_off() {
        for typed in [
            "google_ads acme",
            "*google_ads acme*",
            "*google_ads* acme",
            "google_ads *acme*",
            "google_ads ~acme~",
            "google_ads `acme`",
            "```google_ads acme```",
            "> google_ads acme",
            "&gt; google_ads acme",
            "• google_ads acme",
            "\u{201C}google_ads\u{201D} \u{2018}acme\u{2019}",
            "google_ads\u{A0}acme",
            "google_ads\u{202F}ac\u{200B}me\u{FEFF}",
            "_google_ads acme_",
            "_google_ads_ acme",
            "*_google_ads acme_*",
            "_*google_ads* acme_",
            "*`google_ads`* ~*acme*~",
        ] {
            assert_eq!(text(typed), "google_ads acme", "{typed}");
        }
    }

    #[test]
    fn what_is_no_pair_of_marks_stays() {
        for typed in [
            "google_ads acme*",
            "google_ads *acme",
            "google_ads ~a b",
            "google_ads _acme",
            "_acme x",
            "a*b c",
            "_acme_",
        ] {
            assert_eq!(text(typed), typed);
        }
        assert_eq!(text("google_ads _acme_"), "google_ads _acme_", "it is asked about");
    }

    #[test]
    fn what_slack_recognised_is_what_was_typed() {
        for (arrives, typed) in [
            ("google_sheets <http://acme.info|acme.info>", "google_sheets acme.info"),
            ("x <https://acme.com/|https://acme.com>", "x https://acme.com/"),
            ("x <https://acme.com>", "x https://acme.com"),
            ("x <https://evil.example|acme>", "x https://evil.example"),
            ("x <mailto:me@acme.com|me@acme.com>", "x me@acme.com"),
            ("x <#C1|acme>", "x #acme"),
            ("x <#C1|>", "x #…"),
            ("x <#C1>", "x #…"),
            ("x <@U1|bob>", "x @bob"),
            ("x <@U1>", "x @…"),
            ("x <!here>", "x @here"),
            ("x <!subteam^S1>", "x @…"),
            ("x <C987654321|>", "x #…"),
            ("x <C987654321|acme>", "x #acme"),
            ("x <http://acme.io|ACME.io>", "x ACME.io"),
            ("x <!subteam^S1|@team>", "x @team"),
            ("display &amp; video acme", "display & video acme"),
            ("x &lt;acme&gt;", "x <acme>"),
            ("x &amp;lt;", "x &lt;"),
            ("a < b > c", "a < b > c"),
            ("a <b", "a <b"),
        ] {
            assert_eq!(text(arrives), typed, "{arrives}");
        }
    }

    #[test]
    fn a_name_in_italics_is_asked_about_and_one_in_quotes_is_not() {
        let lines = |typed: &str, target: &str| italic(typed, &Target::parse(target).unwrap());
        let both = |bare: &str, quoted: &str| Some([bare.to_owned(), quoted.to_owned()]);
        assert_eq!(
            lines("google_ads _acme_ to eu", "_acme_"),
            both("google_ads acme to eu", "google_ads \"_acme_\" to eu")
        );
        assert_eq!(lines("x _a_.b", "_a_.b"), both("x a.b", "x \"_a_.b\""));
        assert_eq!(lines("x _a.b_", "_a.b_"), both("x a.b", "x \"_a.b_\""));
        // `2024` in italics is no name, and the nearest one is another than what arrives.
        assert_eq!(lines("x _2024_", "_2024_"), both("x _2024", "x \"_2024_\""));
        for (typed, target) in [
            ("google_ads acme", "acme"),
            ("google_ads _acme", "_acme"),
            ("google_ads acme_", "acme_"),
            ("google_ads \"_acme_\"", "_acme_"),
            ("google_ads `_acme_`", "_acme_"),
            ("google_ads \u{201C}_acme_\u{201D}", "_acme_"),
            ("google_ads", "_acme_"),
            ("google_ads ___", "___"),
        ] {
            assert_eq!(lines(typed, target), None, "{typed}");
        }
    }
}
