//! Owns what does not tell the names of services apart, so that what people type meets what
//! Fivetran's catalogue writes.
//!
//! It must not know which services there are.

use crate::fivetran::letters;

/// Words that only join others: `Display & Video` is `display and video`, or `display video`.
const JOINING: [&str; 2] = ["and", "amp"];

/// Words before a name that somebody gave up, as in `X (formerly Twitter)`.
const FORMERLY: [&str; 5] = ["formerly", "previously", "was", "ex", "aka"];

/// `text` without what does not tell names apart: case, accents, everything that is neither a letter
/// nor a digit, and words that only join others.
pub(super) fn fold(text: &str) -> String {
    words(text).concat()
}

/// [`fold`], and a word's `s` at its end does not count either: `google ad` is `google ads`.
pub(super) fn fold_loosely(text: &str) -> String {
    loosely(&words(text))
}

/// [`fold_loosely`] of the words of a text.
pub(super) fn loosely(words: &[String]) -> String {
    let singular = |word: &String| {
        let plural = word.len() > 2 && word.ends_with('s') && !word.ends_with("ss");
        word[..word.len() - usize::from(plural)].to_owned()
    };
    words.iter().map(singular).collect()
}

/// The other names that a name with brackets has: what stands before and behind them, and what is in
/// them if it is a former name.
pub(super) fn other_names(name: &str) -> Vec<String> {
    let Some((before, rest)) = name.split_once('(') else { return Vec::new() };
    let (inside, behind) = rest.split_once(')').unwrap_or((rest, ""));
    let former = inside.trim().split_once(char::is_whitespace).filter(|(first, _)| {
        let first = first.to_lowercase();
        FORMERLY.contains(&first.trim_matches(|c: char| !c.is_alphanumeric()))
    });
    let mut names = vec![format!("{before} {behind}")];
    if let Some((_, former)) = former {
        names.push(former.to_owned());
        names.push(format!("{former} {behind}"));
    }
    names
}

/// The words of a text, folded, in order.
pub(super) fn words(text: &str) -> Vec<String> {
    let plain: String = text.chars().flat_map(char::to_lowercase).flat_map(letters::plain).collect();
    let words: Vec<String> = plain
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    let telling = |word: &String| !JOINING.contains(&word.as_str());
    match words.iter().any(telling) {
        true => words.into_iter().filter(telling).collect(),
        false => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_tell_names_apart_is_left_out() {
        for (typed, name) in [
            ("google display and video 360", "Google Display & Video 360"),
            ("Google Display &amp; Video 360", "Google Display & Video 360"),
            ("google display + video 360", "Google Display & Video 360"),
            ("GOOGLE—DISPLAY video_360", "Google Display & Video 360"),
            ("Cálcom", "Cal.com"),
            ("moëngage", "MoEngage"),
            ("MoE\u{308}ngage", "MoEngage"),
            ("e conomic", "e-conomic"),
            ("yahoo display ads yahoo japan", "Yahoo! Display Ads (Yahoo! Japan)"),
            ("HiBob's", "hibobs"),
        ] {
            assert_eq!(fold(typed), fold(name), "{typed}");
        }
        assert_ne!(fold("brand"), fold("br"));
        assert_eq!(fold("and"), "and");
        assert_eq!(fold("&<!>"), "");
    }

    #[test]
    fn a_plural_is_its_singular_and_short_or_hissing_words_stay() {
        for (typed, name) in [
            ("google ad", "google ads"),
            ("Facebook Pages", "facebook page"),
            ("google sheet", "Google Sheets"),
        ] {
            assert_eq!(fold_loosely(typed), fold_loosely(name), "{typed}");
        }
        assert_eq!(fold_loosely("business s3"), "businesss3");
    }

    #[test]
    fn brackets_hold_another_name() {
        assert_eq!(other_names("X Ads"), Vec::<String>::new());
        let folded = |name: &str| other_names(name).iter().map(|name| fold(name)).collect::<Vec<_>>();
        assert_eq!(folded("X (formerly Twitter) Ads"), ["xads", "twitter", "twitterads"]);
        assert_eq!(folded("Oracle (High-Volume Agent)"), ["oracle"]);
        assert_eq!(folded("Meta (formerly"), ["meta"]);
    }
}
