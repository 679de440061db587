//! A table of what people read: what reads the same stands together, in the order of coming up.
//!
//! Owns what counts as the same: a status and the words that a partner is quoted with are left out. Must not know who is read to.

use std::fmt::{Display, Formatter, Result};

/// Names, with the lines that were read under them.
#[derive(Default)]
pub(super) struct Table(Vec<(Vec<String>, Vec<String>)>);

impl Table {
    /// Adds a row.
    pub(super) fn row(&mut self, name: &str, lines: Vec<String>) {
        let lines: Vec<_> = lines.iter().map(|line| quoted(&word(line))).collect();
        match self.0.iter_mut().find(|(_, known)| *known == lines) {
            Some((names, _)) => {
                if !names.iter().any(|known| known == name) {
                    names.push(name.to_owned());
                }
            }
            None => self.0.push((vec![name.to_owned()], lines)),
        }
    }

    /// Adds a line to the row of this name, which is the last one.
    pub(super) fn add(&mut self, name: &str, line: &str) {
        match self.0.last_mut().filter(|(names, _)| names[0] == name) {
            Some((_, lines)) => lines.push(line.to_owned()),
            None => self.row(name, vec![line.to_owned()]),
        }
    }
}

/// What stands in parentheses, if it is a word or a status, without it.
fn word(line: &str) -> String {
    let mut parts = line.split('(');
    let first = parts.next().unwrap_or_default().to_owned();
    let is_word = |word: &str| {
        let word = word.strip_prefix("status ").unwrap_or(word);
        word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    parts.fold(first, |line, part| match part.split_once(')') {
        Some((word, rest)) if is_word(word) => line + "(…)" + rest,
        _ => line + "(" + part,
    })
}

/// What stands in quotation marks without its words.
fn quoted(line: &str) -> String {
    let mut parts = line.split('“');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |line, part| line + "“…”" + part.split_once('”').map_or(part, |(_, rest)| rest))
}

impl Display for Table {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        for (names, lines) in &self.0 {
            writeln!(out, "{}", names.join(", "))?;
            if lines.is_empty() {
                writeln!(out, "    as if all were well")?;
            }
            for line in lines.iter().flat_map(|line| line.lines()) {
                writeln!(out, "    {line}")?;
            }
        }
        Ok(())
    }
}
