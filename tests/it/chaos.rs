//! Every behaviour in the wild that the stand-ins have a name for, asked for by its name; and what the
//! person reads then, to be read as that person: is it true, is it told at once if it is certain to
//! stay, does it say what to do?

mod fivetran;
mod life;
mod slack;
mod table;

use stand_ins::chaos::{self, Partner};
use stand_ins::slack::QUIRKS;

#[test]
fn every_behaviour_that_has_a_name_is_asked_for() {
    for row in chaos::all() {
        let asked = match row.partner {
            // Those of the catalogue are asked for by a test of their own.
            Partner::Fivetran => {
                !row.routes.contains(&"connector_types") || *row.routes == ["connector_types"]
            }
            Partner::Slack => row.routes.iter().any(|route| slack::ASKED.concat().contains(route)),
        };
        assert!(asked, "{}", row.name);
    }
    let tests = [include_str!("payloads.rs"), include_str!("organisation.rs")].concat();
    for quirk in QUIRKS {
        assert!(tests.contains(&format!("\"{}\"", quirk.name)), "{}", quirk.name);
    }
}
