//! Changes a value in the text of a `.env` file, and leaves everything else in it as it is: remarks,
//! order and ends of lines. Pure.
//!
//! Owns where a value goes that was not there, and how it is written so that it is read back as itself.
//! Must not know which variables there are.

use super::pair;

/// What some editors put before a text in UTF-8.
const MARK: char = '\u{FEFF}';

/// The text with a variable set to a value, if such a file can hold the value.
pub(in crate::config) fn set(text: &str, name: &str, value: &str) -> Option<String> {
    if let Some(text) = text.strip_prefix(MARK) {
        return set(text, name, value).map(|text| format!("{MARK}{text}"));
    }
    let written = written(value)?;
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    // A name that stands there twice must not be left with two values.
    let is_of_name = |line: &&str| matches!(pair(bare(line)), Ok(Some((found, _))) if found == name);
    if lines.iter().any(is_of_name) {
        let changed = lines
            .iter()
            .map(|line| if is_of_name(line) { changed(line, &written) } else { (*line).to_owned() });
        return Some(changed.collect());
    }
    let line = format!("{name}={written}");
    if let Some(place) = lines.iter().position(|line| offers(bare(line), name)) {
        let put = |(at, old): (usize, &&str)| match at == place {
            true => format!("{line}{}", end_of(old)),
            false => (*old).to_owned(),
        };
        return Some(lines.iter().enumerate().map(put).collect());
    }
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let gap = if text.is_empty() || text.ends_with('\n') { "" } else { end };
    Some(format!("{text}{gap}{line}{end}"))
}

/// A value as it is written: as it is if that will do, since not every program leaves quotes out.
fn written(value: &str) -> Option<String> {
    if value.is_empty() || value.chars().any(char::is_control) {
        return None;
    }
    let is_read_back = |written: &String| pair(&format!("A={written}")) == Ok(Some(("A", value)));
    [value.to_owned(), format!("'{value}'"), format!("\"{value}\"")].into_iter().find(is_read_back)
}

/// A line with another value, and the remark that stood behind the old one.
fn changed(line: &str, written: &str) -> String {
    let (name, behind) = bare(line).split_once('=').unwrap_or((bare(line), ""));
    format!("{name}={written}{}{}", remark(behind), end_of(line))
}

/// What stands behind a value: a remark with the blanks before it, or nothing.
fn remark(behind: &str) -> &str {
    let value = behind.trim_start();
    let rest = match value.chars().next().filter(|c| matches!(c, '\'' | '"')) {
        Some(quote) => value.get(1..).and_then(|value| value.split_once(quote)).map_or("", |(_, rest)| rest),
        None => {
            let mut hashes = behind.match_indices('#').map(|(at, _)| behind.split_at(at).0);
            let before = hashes.find(|before| before.ends_with(char::is_whitespace));
            before.map_or("", |before| behind.split_at(before.trim_end().len()).1)
        }
    };
    if rest.trim_start().starts_with('#') { rest.trim_end() } else { "" }
}

/// Whether a line is a remark that offers a variable, without a value: `#NAME=`
fn offers(line: &str, name: &str) -> bool {
    let offered = line.trim().strip_prefix('#').and_then(|line| line.trim().split_once('='));
    offered.is_some_and(|(offered, value)| offered.trim_end() == name && value.trim().is_empty())
}

/// A line without its end.
fn bare(line: &str) -> &str {
    line.strip_suffix(end_of(line)).unwrap_or(line)
}

fn end_of(line: &str) -> &str {
    match line {
        _ if line.ends_with("\r\n") => "\r\n",
        _ if line.ends_with('\n') => "\n",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    #[test]
    fn only_the_value_changes_and_remarks_and_order_stay() {
        for (before, after) in [
            ("", "NAME=new\n"),
            ("A=1", "A=1\nNAME=new\n"),
            ("A=1\n", "A=1\nNAME=new\n"),
            ("A=1\r\n", "A=1\r\nNAME=new\r\n"),
            ("# first\nNAME=old\nB=2\n", "# first\nNAME=new\nB=2\n"),
            ("NAME=old # mine\r\nB=2", "NAME=new # mine\r\nB=2"),
            ("NAME= # mine", "NAME=new # mine"),
            ("NAME='o # ld'  # mine\n", "NAME=new  # mine\n"),
            ("NAME=o#ld\n", "NAME=new\n"),
            ("  export NAME = old\n", "  export NAME =new\n"),
            ("\u{FEFF}NAME=\nA=1\n", "\u{FEFF}NAME=new\nA=1\n"),
            ("NAME=\nA=1\nNAME=old\n", "NAME=new\nA=1\nNAME=new\n"),
            ("# why\n#NAME=\n#A=\n", "# why\nNAME=new\n#A=\n"),
            ("# NAME=\nNAME=old\n", "# NAME=\nNAME=new\n"),
            // A default that is told of stays told.
            ("#NAME=3000\nA=1\n", "#NAME=3000\nA=1\nNAME=new\n"),
            ("#NAME_2=\n", "#NAME_2=\nNAME=new\n"),
        ] {
            assert_eq!(set(before, "NAME", "new").as_deref(), Some(after), "{before:?}");
        }
    }

    #[test]
    fn a_value_is_read_back_as_itself_or_not_written() {
        for value in [
            "xoxb-1-2-aB",
            "ab$cd",
            r"a\n",
            "a # b",
            "#a",
            "it's",
            "say \"hi\"",
            "a b",
            "a=b",
            "'",
            "'a",
            "pässword",
            "https://bot.example.com",
        ] {
            let text = set("A=1\n", "NAME", value).unwrap();
            let (pairs, faults) = read(text.as_bytes());
            assert_eq!(faults, Vec::new(), "{value}");
            assert_eq!(pairs.last().map(|(_, read)| read.as_str()), Some(value), "{text}");
        }
        for value in ["", "two\nlines", "a\0b", "bell\x07", "' # \"", "'a' \"b\" # c", " a"] {
            assert_eq!(set("", "NAME", value), None, "{value:?}");
        }
    }
}
