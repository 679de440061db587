//! The file `.env`: lines of `NAME=value`.
//!
//! Owns its syntax, which is what the many readers of such files have in common. Where they differ,
//! a value is either taken as it is written (nothing is expanded, nothing unescaped) or refused with
//! the reason; it is never cut in silence. A fault names the line and never repeats a value. Must
//! not know which variables there are.

pub(super) mod edit;

use super::{Fault, text};

/// Reads the file, in order. Of a name that is there twice, the last one that says something.
pub(super) fn read(bytes: &[u8]) -> (Vec<(String, String)>, Vec<Fault>) {
    let mut faults = Vec::new();
    let Some(text) = text::of(bytes) else {
        faults.push(fault(".env", "is not a text in UTF-8", "save it as UTF-8"));
        return (Vec::new(), faults);
    };
    let mut pairs: Vec<(String, String)> = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let at = format!(".env: line {number}");
        match pair(line) {
            Ok(None) => {}
            Ok(Some((name, value))) => {
                let blank = |value: &str| value.trim().is_empty();
                match pairs.iter_mut().find(|(known, _)| known == name) {
                    Some((_, known)) if blank(value) || known == value => {}
                    Some((_, known)) if blank(known) => value.clone_into(known),
                    Some(_) => faults.push(fault(
                        &at,
                        &format!("sets {name} once more, to another value"),
                        "keep one of the two",
                    )),
                    None => pairs.push((name.to_owned(), value.to_owned())),
                }
            }
            Err((problem, remedy)) => faults.push(fault(&at, problem, remedy)),
        }
    }
    (pairs, faults)
}

fn fault(variable: &str, problem: &str, remedy: &str) -> Fault {
    Fault { variable: variable.to_owned(), problem: problem.to_owned(), remedy: remedy.to_owned() }
}

/// What is wrong with a line, and what to do.
type Trouble = (&'static str, &'static str);

/// The name and value of a line; nothing, if it is blank or a comment.
fn pair(line: &str) -> Result<Option<(&str, &str)>, Trouble> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let trouble = ("is not NAME=value", "write one variable on each line, or put # before a remark");
    let (name, value) = line.split_once('=').ok_or(trouble)?;
    let name = name.trim_end();
    let name = match name.split_once(char::is_whitespace) {
        Some(("export", name)) => name.trim_start(),
        _ => name,
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(is_name) {
        return Err(trouble);
    }
    Ok(Some((name, self::value(value)?)))
}

/// A value as it is written, without the quotes around it or the remark behind it.
fn value(written: &str) -> Result<&str, Trouble> {
    let value = written.trim_start();
    let Some(quote) = value.chars().next().filter(|c| matches!(c, '\'' | '"')) else {
        return bare(written);
    };
    let Some((inside, behind)) = value[1..].split_once(quote) else {
        return Err((
            "has an opening quote and no closing one",
            "close it on the same line; a secret that contains quotes or line breaks needs NAME_FILE",
        ));
    };
    let remark = behind.starts_with(char::is_whitespace) && behind.trim_start().starts_with('#');
    if !behind.trim().is_empty() && !remark {
        return Err((
            "has something behind the closing quote",
            "put the whole value in quotes of the other kind; one that contains both kinds needs NAME_FILE",
        ));
    }
    if quote == '"' && inside.contains('\\') {
        return Err((
            "has a backslash in double quotes, which not every program reads alike",
            "use single quotes, in which everything stands for itself",
        ));
    }
    if inside != inside.trim() {
        return Err((
            "has a space just inside its quotes",
            "remove it; no value here begins or ends with one",
        ));
    }
    Ok(inside)
}

/// A value without quotes, up to the remark.
fn bare(written: &str) -> Result<&str, Trouble> {
    if written.starts_with('#') {
        return Err((
            "has a # right after the =, which may begin the value or a remark",
            "put the value in single quotes, or a space before the remark",
        ));
    }
    let remark =
        written.char_indices().find(|&(at, c)| c == '#' && written[..at].ends_with(char::is_whitespace));
    Ok(written[..remark.map_or(written.len(), |(at, _)| at)].trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<(String, String)> {
        let (pairs, faults) = read(text.as_bytes());
        assert_eq!(faults, Vec::new(), "{text}");
        pairs
    }

    #[test]
    fn a_value_is_taken_as_it_is_written() {
        for (written, value) in [
            ("ab$cd9$1x", "ab$cd9$1x"),
            ("${HOME}", "${HOME}"),
            ("$(id)`id`", "$(id)`id`"),
            (r"a\nb\\c\", r"a\nb\\c\"),
            (r"'a\n$b\'", r"a\n$b\"),
            ("\"ab$cd\"", "ab$cd"),
            ("\"it's\"", "it's"),
            ("'say \"hi\"'", "say \"hi\""),
            ("'a # b'", "a # b"),
            ("ab#cd", "ab#cd"),
            ("ab # remark", "ab"),
            ("ab\t#remark", "ab"),
            ("'ab'   # remark", "ab"),
            (" # remark", ""),
            ("", ""),
            ("''", ""),
            ("  ab  ", "ab"),
            ("a b c", "a b c"),
            ("ab'cd\"ef", "ab'cd\"ef"),
            ("abc=", "abc="),
            ("a=b=c", "a=b=c"),
            ("pässword", "pässword"),
        ] {
            assert_eq!(
                values(&format!("NAME={written}")),
                [("NAME".to_owned(), value.to_owned())],
                "{written}"
            );
        }
    }

    #[test]
    fn what_could_mean_two_things_is_refused_and_not_repeated() {
        for written in [
            "'canary",
            "\"canary",
            "'can'ary'",
            "'canary'x",
            "'canary'#x",
            "\"can\\nary\"",
            "\"can\\\"ary\"",
            "'canary '",
            "#canary",
        ] {
            let (pairs, faults) = read(format!("A=1\nNAME={written}\n").as_bytes());
            assert_eq!((pairs.len(), faults.len()), (1, 1), "{written}: {faults:?}");
            assert_eq!(faults[0].variable, ".env: line 2");
            let told = super::super::Faults(faults).to_string();
            assert!(!told.contains("ary"), "{told}");
        }
        for line in
            ["canary", "=canary", "1A=canary", "A B=canary", "A-B=canary", "export=1=", "\u{200B}A=canary"]
        {
            let expected = usize::from(line != "export=1=");
            assert_eq!(read(line.as_bytes()).1.len(), expected, "{line}");
        }
    }

    #[test]
    fn a_file_of_any_editor_is_read() {
        let expected = [("A".to_owned(), "1".to_owned()), ("B".to_owned(), "2".to_owned())];
        for text in [
            "A=1\nB=2",
            "\u{FEFF}A=1\r\nB=2\r\n",
            "# first\n\n  A = 1\n\texport  B=2\n",
            "A=\nB=2\nA=1\nA=\nB=2\n",
        ] {
            assert_eq!(values(text), expected, "{text:?}");
        }
        let utf_16: Vec<u8> = "A=1".encode_utf16().flat_map(u16::to_le_bytes).collect();
        for bytes in [&utf_16[..], b"A=\xff"] {
            assert_eq!(read(bytes).1.len(), 1);
        }
    }

    #[test]
    fn a_name_that_is_set_to_two_values_is_a_fault() {
        let (pairs, faults) = read(b"A=1\nB=2\nA=3\n");
        assert_eq!(pairs.len(), 2);
        assert_eq!(faults.iter().map(|it| it.variable.as_str()).collect::<Vec<_>>(), [".env: line 3"]);
    }
}
