//! The table of behaviours in the wild: what each partner, or something on the way to it, was seen
//! to do, under a name that a test or a person can ask for.
//!
//! Owns the names and what each stands for on the wire. Must not know what the bot makes of it.

mod fivetran;
mod slack;

use std::net::SocketAddr;

use crate::fault::{Fault, Faults};

/// Whose calls a row concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Partner {
    /// Calls to Fivetran.
    Fivetran,
    /// Calls to Slack.
    Slack,
}

/// One behaviour in the wild.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// What to ask for, in kebab case, unique in the table.
    pub name: &'static str,
    /// Whose calls it concerns.
    pub partner: Partner,
    /// The routes that behave so, by the names that the stand-in counts calls by.
    pub routes: &'static [&'static str],
    /// How they behave.
    pub fault: fn() -> Fault,
    /// Who saw or documents it.
    pub source: &'static str,
}

/// Something that is wrong with the way to a partner, and not with an answer.
#[derive(Debug, Clone, Copy)]
pub struct Way {
    /// What to ask for, in kebab case, unique in the table.
    pub name: &'static str,
    /// What is wrong.
    kind: Wrong,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrong {
    Refused,
    NoTls,
}

/// Every such way.
pub const WAYS: &[Way] = &[
    Way { name: "fivetran-refused", kind: Wrong::Refused },
    Way { name: "fivetran-without-tls", kind: Wrong::NoTls },
];

impl Way {
    /// The address to call in the place of a stand-in that listens there.
    #[must_use]
    pub fn url(&self, stand_in: SocketAddr) -> String {
        match self.kind {
            // Nobody but the system's own services listens at so low a port, and none at this one.
            Wrong::Refused => "http://127.0.0.1:1".to_owned(),
            Wrong::NoTls => format!("https://{stand_in}"),
        }
    }
}

/// For how long a behaviour lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasts {
    /// For so many calls of each of its routes.
    Calls(usize),
    /// Until `heal`.
    UntilHealed,
}

/// Every behaviour that can be asked for.
pub fn all() -> impl Iterator<Item = &'static Row> {
    fivetran::ROWS.iter().chain(slack::ROWS)
}

/// The row of this name.
#[must_use]
pub fn row(name: &str) -> Option<&'static Row> {
    all().find(|row| row.name == name)
}

/// Lets a stand-in behave so.
///
/// # Panics
///
/// If no row has this name, or it is another partner's: whoever asks for it is wrong.
#[expect(clippy::panic, reason = "whoever asks names a row of the table, or is wrong")]
pub(crate) fn befall(faults: &mut Faults, partner: Partner, name: &str, lasts: Lasts) {
    let row = row(name).filter(|row| row.partner == partner);
    let Some(row) = row else { panic!("{partner:?} has no behaviour called {name}") };
    for route in row.routes {
        match lasts {
            Lasts::Calls(times) => faults.fail_next(route, (row.fault)(), times),
            Lasts::UntilHealed => faults.fail_always(route, (row.fault)()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_row_has_a_name_of_its_own_routes_and_a_source() {
        let names: BTreeSet<_> = all().map(|row| row.name).collect();
        assert_eq!(names.len(), all().count());
        for row in all() {
            let kebab = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(row.name.chars().all(kebab), "{}", row.name);
            assert!(!row.routes.is_empty() && !row.source.is_empty(), "{}", row.name);
        }
    }

    #[test]
    #[should_panic(expected = "no behaviour called fivetran-gateway-404")]
    fn a_behaviour_of_the_other_partner_cannot_be_asked_for() {
        befall(&mut Faults::default(), Partner::Slack, "fivetran-gateway-404", Lasts::UntilHealed);
    }
}
