//! What the doctor may find: all well, nothing well, and nobody who answers.
//!
//! Owns the findings that the gallery shows. Must not know their words.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::super::NOW;
use super::Sample;
use crate::command::doctor::{Backlog, Configured, Findings, Fivetran, Listed, Missing, Presence, Slack};
use crate::command::naming::{Schema, Template};

impl Sample {
    /// Each with its name.
    pub(in crate::cli::gallery) fn findings(&self) -> [(&'static str, Findings); 4] {
        let ago = |seconds| NOW.saturating_sub(SignedDuration::from_secs(seconds)).unwrap_or(NOW);
        let destination = self.request.destination.clone();
        let well = Findings {
            now: NOW,
            version: "1.2.3",
            started_at: ago(3 * 86_400),
            takes_writes: true,
            database: Some(Backlog {
                open: 2,
                oldest: Some(ago(4)),
                behind: 0,
                behind_since: None,
                undeliverable: 0,
                line_since: Some(ago(1)),
            }),
            listed: Some(Listed::At(ago(20))),
            skew_s: Some(0.0),
            slack: Slack::Works(Some(Vec::new())),
            presence: Presence::In(ago(7200)),
            by_http: true,
            sockets: Some((2, 2)),
            fivetran: Fivetran::Works(Some(destination.clone().unwrap_or_else(|| "Warehouse".to_owned()))),
            key: ("FIVETRAN_API_KEY", Some(Timestamp::constant(1_800_000_000, 0))),
            calls: Some((19_988, Some(20_000))),
            channel: Configured {
                destination,
                schema: Some(Schema::Plain(self.request.target.clone())),
                services: 0,
                who: (0, 0),
                channels: 0,
            },
        };
        let scope = Missing {
            sentence: "without the scope users:read, guests cannot be told from members, so they can use the bot \
                       too; add it under OAuth & Permissions and reinstall the app, or set ALLOWED_USERS",
            is_needed: false,
        };
        let needed = Missing {
            sentence: "the scope chat:write isn't granted, so I can't post; add it under OAuth & Permissions and \
                       reinstall the app",
            is_needed: true,
        };
        let amiss = Findings {
            database: Some(Backlog {
                open: 31,
                oldest: Some(ago(1500)),
                behind: 3,
                behind_since: Some(ago(5400)),
                undeliverable: 2,
                line_since: Some(ago(9000)),
            }),
            listed: Some(Listed::At(ago(4000))),
            skew_s: Some(-75.0),
            slack: Slack::Works(Some(vec![needed, scope])),
            presence: Presence::Out(ago(7200)),
            sockets: Some((0, 2)),
            fivetran: Fivetran::Pauses(Some(Duration::from_secs(2400))),
            key: (
                "FIVETRAN_API_KEY_2",
                Some(NOW.saturating_add(SignedDuration::from_hours(50)).unwrap_or(NOW)),
            ),
            calls: Some((12, Some(500))),
            channel: Configured {
                schema: Some(Schema::Template(Template::usual())),
                services: 2,
                who: (3, 1),
                channels: 1,
                ..well.channel.clone()
            },
            ..well.clone()
        };
        let unread = Findings {
            database: None,
            listed: Some(Listed::NotYet(Some(ago(4000)))),
            slack: Slack::Works(None),
            calls: None,
            ..well.clone()
        };
        let silent = Findings {
            takes_writes: false,
            database: None,
            listed: None,
            skew_s: None,
            slack: Slack::Silent,
            presence: Presence::Unknown,
            by_http: false,
            sockets: None,
            fivetran: Fivetran::Silent,
            key: ("FIVETRAN_API_KEY", None),
            calls: None,
            channel: Configured { destination: None, schema: None, services: 1, who: (0, 2), channels: 0 },
            ..well.clone()
        };
        [("well", well), ("amiss", amiss), ("unread", unread), ("silent", silent)]
    }
}
