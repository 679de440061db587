//! Owns the names a connection may have: their rule, the nearest good name for a bad one, and the
//! `config` keys each kind of service wants them under.
//!
//! It must not know which services exist (that is [`catalog`](super::catalog)), nor what the
//! destination already holds.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::letters;

/// The longest name the bot lets through, in characters.
///
/// Fivetran states no limit of its own; 63 is what `PostgreSQL`, the strictest destination, keeps.
pub const MAX_NAME_LEN: usize = 63;

/// How much of a refused text a [`BadName`] carries, in characters.
const MAX_TYPED_LEN: usize = 160;

/// A schema name or schema prefix: `[a-z_][a-z0-9_]*`, at most [`MAX_NAME_LEN`] characters.
///
/// See <https://fivetran.com/docs/core-concepts/no-renaming>.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SchemaName(String);

/// A table name or table group name, under the same rule as [`SchemaName`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TableName(String);

macro_rules! name {
    ($name:ident) => {
        impl $name {
            /// Takes `typed` as it stands, nothing trimmed or mended.
            ///
            /// # Errors
            /// [`BadName`] with the first fault found and, if there is one, the nearest good name.
            pub fn parse(typed: &str) -> Result<Self, BadName> {
                match fault(typed) {
                    None => Ok(Self(typed.to_owned())),
                    Some(why) => Err(BadName::new(typed, why, nearest(typed))),
                }
            }

            /// The name as Fivetran takes it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadName;

            fn try_from(name: String) -> Result<Self, BadName> {
                Self::parse(&name)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(SchemaName);
name!(TableName);

/// A name, or a `schema.table` pair, which Fivetran would not take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{typed:?} is not a usable name: {why}")]
pub struct BadName {
    /// What was typed, cut if it was very long.
    pub typed: String,
    /// The first fault in it.
    pub why: Why,
    /// A good name close to what was typed, in the same form: the function that refused the one
    /// accepts the other. `None` if nothing usable is left.
    pub nearest: Option<String>,
}

impl BadName {
    fn new(typed: &str, why: Why, nearest: Option<String>) -> Self {
        let typed = typed.chars().take(MAX_TYPED_LEN).collect();
        Self { typed, why, nearest }
    }
}

/// What is wrong with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// There is nothing in it.
    #[error("it is empty")]
    Empty,
    /// It has more than [`MAX_NAME_LEN`] characters.
    #[error("it is longer than {MAX_NAME_LEN} characters")]
    TooLong,
    /// Names begin with a letter or an underscore.
    #[error("it starts with a digit")]
    StartsWithDigit,
    /// This one is not among `a-z`, `0-9` and `_`; capital letters are reported so, too.
    #[error("it contains {0:?}")]
    BadCharacter(char),
}

fn fault(name: &str) -> Option<Why> {
    let good = |c: &char| matches!(c, 'a'..='z' | '0'..='9' | '_');
    if name.is_empty() {
        Some(Why::Empty)
    } else if let Some(bad) = name.chars().find(|c| !good(c)) {
        Some(Why::BadCharacter(bad))
    } else if name.starts_with(|c: char| c.is_ascii_digit()) {
        Some(Why::StartsWithDigit)
    } else if name.len() > MAX_NAME_LEN {
        Some(Why::TooLong)
    } else {
        None
    }
}

/// The good name closest to `typed`. Separators at either end are dropped, not turned into
/// underscores. A name without a single usable letter or digit has no nearest one, nor has one with a
/// letter that cannot be written otherwise, which would be lost, nor an address.
fn nearest(typed: &str) -> Option<String> {
    if typed.contains("://") {
        return None;
    }
    let mut name = String::with_capacity(MAX_NAME_LEN + 1);
    let mut gap = false;
    for c in typed.chars().flat_map(char::to_lowercase).flat_map(letters::plain) {
        match c {
            'a'..='z' | '0'..='9' | '_' => {
                let parted = gap && !name.is_empty();
                let leading_digit = name.is_empty() && c.is_ascii_digit();
                if (parted || leading_digit) && !name.ends_with('_') {
                    name.push('_');
                }
                if c != '_' || !name.ends_with('_') {
                    name.push(c);
                }
                gap = false;
            }
            c if c.is_alphanumeric() => return None,
            _ => gap = true,
        }
        if name.len() >= MAX_NAME_LEN {
            break;
        }
    }
    name.truncate(MAX_NAME_LEN);
    let says_something = name.contains(|c: char| c.is_ascii_alphanumeric());
    says_something.then_some(name)
}

/// Which names a service wants, and under which `config` keys of `POST /v1/connections`.
///
/// See <https://fivetran.com/docs/core-concepts/no-renaming>.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SchemaKind {
    /// `schema`.
    Schema,
    /// `schema` and `table`.
    Table,
    /// `schema_prefix`, which is put before the name of every schema of the source.
    Prefix,
    /// `schema` and `table_group_name`.
    TableGroup,
}

impl SchemaKind {
    /// The required `config` keys, the schema's first and the table's (if any) second.
    pub const fn config_keys(self) -> &'static [&'static str] {
        match self {
            Self::Schema => &["schema"],
            Self::Table => &["schema", "table"],
            Self::Prefix => &["schema_prefix"],
            Self::TableGroup => &["schema", "table_group_name"],
        }
    }

    /// Whether the service wants a table (or table group) name besides the schema's.
    pub const fn wants_table(self) -> bool {
        self.config_keys().len() > 1
    }
}

/// Where the data of a connection shall land: `schema` or `schema.table`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Target {
    /// The schema, or the prefix for services of [`SchemaKind::Prefix`].
    pub schema: SchemaName,
    /// The table, or the table group for services of [`SchemaKind::TableGroup`].
    pub table: Option<TableName>,
}

/// A good [`Target`] of the wrong form for the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    /// The service wants `schema.table`, and only `schema` was given.
    #[error("a service of this kind ({kind:?}) needs a table besides the schema")]
    TableMissing {
        /// The service's kind: tells a table from a table group.
        kind: SchemaKind,
    },
    /// The service names its tables itself.
    #[error("a service of this kind takes a schema without a table")]
    TableNotWanted,
}

impl Target {
    /// Reads `schema` or `schema.table`, parted at the first dot.
    ///
    /// # Errors
    /// [`BadName`] for the whole text, with the fault of its first bad half; its `nearest` is a
    /// target too.
    pub fn parse(typed: &str) -> Result<Self, BadName> {
        let (schema, table) = match typed.split_once('.') {
            Some((schema, table)) => (schema, Some(table)),
            None => (typed, None),
        };
        let refuse = |bad: BadName| {
            let nearest = nearest(schema).map(|schema| match table.and_then(nearest) {
                Some(table) => format!("{schema}.{table}"),
                None => schema,
            });
            BadName::new(typed, bad.why, nearest)
        };
        Ok(Self {
            schema: SchemaName::parse(schema).map_err(refuse)?,
            table: table.map(TableName::parse).transpose().map_err(refuse)?,
        })
    }

    /// Whether this target has the names a service of `kind` wants, no fewer and no more.
    ///
    /// # Errors
    /// [`Misfit`] says which.
    pub fn fits(&self, kind: SchemaKind) -> Result<(), Misfit> {
        match (&self.table, kind.wants_table()) {
            (None, true) => Err(Misfit::TableMissing { kind }),
            (Some(_), false) => Err(Misfit::TableNotWanted),
            _ => Ok(()),
        }
    }

    /// What Fivetran will call the connection (its `schema` in answers): `schema`, the prefix, or
    /// `schema.table`.
    pub fn connection_name(&self) -> String {
        match &self.table {
            Some(table) => format!("{}.{table}", self.schema),
            None => self.schema.to_string(),
        }
    }

    /// The part of a connection's `config` that names it: exactly the keys `kind` requires.
    ///
    /// For a target that does not [fit](Self::fits), a missing table's key is absent and an
    /// unwanted table is dropped; ask first.
    pub fn config(&self, kind: SchemaKind) -> Map<String, Value> {
        let names = [Some(self.schema.as_str()), self.table.as_ref().map(TableName::as_str)];
        let keys = kind.config_keys().iter();
        keys.zip(names.into_iter().flatten())
            .map(|(key, name)| ((*key).to_owned(), Value::from(name)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bad(typed: &str) -> (Why, Option<String>) {
        let bad = SchemaName::parse(typed).unwrap_err();
        (bad.why, bad.nearest)
    }

    #[test]
    fn good_names_are_taken_as_they_are() {
        for name in ["a", "_", "_1", "customer_schema", "a__b", &"x".repeat(63)] {
            assert_eq!(SchemaName::parse(name).unwrap().as_str(), name);
            assert_eq!(TableName::parse(name).unwrap().to_string(), name);
        }
    }

    #[test]
    fn bad_names_come_with_a_reason_and_a_proposal() {
        let long = "x".repeat(64);
        for (typed, why, nearest) in [
            ("", Why::Empty, None),
            ("   ", Why::BadCharacter(' '), None),
            ("---", Why::BadCharacter('-'), None),
            ("日本", Why::BadCharacter('日'), None),
            ("2024_sales", Why::StartsWithDigit, Some("_2024_sales")),
            ("7", Why::StartsWithDigit, Some("_7")),
            ("-7", Why::BadCharacter('-'), Some("_7")),
            ("Customer", Why::BadCharacter('C'), Some("customer")),
            (" acme ", Why::BadCharacter(' '), Some("acme")),
            ("acme - _ corp", Why::BadCharacter(' '), Some("acme_corp")),
            ("a.b", Why::BadCharacter('.'), Some("a_b")),
            ("_A__b_", Why::BadCharacter('A'), Some("_a_b_")),
            ("Müller-Café", Why::BadCharacter('M'), Some("muller_cafe")),
            ("Cafe\u{301}s", Why::BadCharacter('C'), Some("cafes")),
            ("<!channel>", Why::BadCharacter('<'), Some("channel")),
            ("a\u{202e}b", Why::BadCharacter('\u{202e}'), Some("a_b")),
            (&long, Why::TooLong, Some(&long[..63])),
        ] {
            assert_eq!(bad(typed), (why, nearest.map(str::to_owned)), "{typed:?}");
        }
    }

    #[test]
    fn four_kilobytes_are_refused_and_not_repeated() {
        for typed in ["Z9".repeat(2048), "9".repeat(4096), "é!".repeat(1400)] {
            let bad = Target::parse(&typed).unwrap_err();
            assert_eq!(bad.typed.chars().count(), MAX_TYPED_LEN);
            assert_eq!(bad.nearest.unwrap().len(), MAX_NAME_LEN);
        }
    }

    #[test]
    fn every_proposal_is_good() {
        let alphabet: Vec<char> = "azAZ09__ -.!<>#@é日İſß\u{212a}\u{0}\n🦀".chars().collect();
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut next = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state >> 33).unwrap() % below
        };
        let mut proposed = 0;
        for round in 0..20_000 {
            let len = next(if round % 10 == 0 { 200 } else { 12 });
            let typed: String = (0..len).map(|_| alphabet[next(alphabet.len())]).collect();
            if let Some(name) = nearest(&typed) {
                assert!(SchemaName::parse(&name).is_ok(), "{typed:?} -> {name:?}");
            }
            if let Err(BadName { nearest: Some(name), .. }) = Target::parse(&typed) {
                assert!(Target::parse(&name).is_ok(), "{typed:?} -> {name:?}");
                proposed += 1;
            }
        }
        assert!(proposed > 5_000);
    }

    #[test]
    fn a_target_is_a_schema_or_a_schema_and_a_table() {
        let plain = Target::parse("acme").unwrap();
        let pair = Target::parse("acme.orders").unwrap();
        assert_eq!(plain.connection_name(), "acme");
        assert_eq!(pair.connection_name(), "acme.orders");

        use SchemaKind::{Prefix, Schema, Table, TableGroup};
        for kind in [Schema, Prefix] {
            assert_eq!(plain.fits(kind), Ok(()));
            assert_eq!(pair.fits(kind), Err(Misfit::TableNotWanted));
        }
        for kind in [Table, TableGroup] {
            assert_eq!(pair.fits(kind), Ok(()));
            assert_eq!(plain.fits(kind), Err(Misfit::TableMissing { kind }));
        }
    }

    #[test]
    fn a_bad_target_is_answered_with_a_target() {
        for (typed, why, nearest) in [
            ("My Shop.Order Lines", Why::BadCharacter('M'), Some("my_shop.order_lines")),
            ("acme.", Why::Empty, Some("acme")),
            (".orders", Why::Empty, None),
            ("a.b.c", Why::BadCharacter('.'), Some("a.b_c")),
            ("acme.1st", Why::StartsWithDigit, Some("acme._1st")),
        ] {
            let bad = Target::parse(typed).unwrap_err();
            assert_eq!(bad.typed, typed);
            assert_eq!((bad.why, bad.nearest.as_deref()), (why, nearest));
        }
    }
}
