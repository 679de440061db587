//! `[digest]` of the file that `CONFIG` names: when what is unfinished is brought up each week, and where.
//!
//! Owns its keys, their shapes and remedies, and where this machine keeps time zones. Must not know what is
//! brought up.

use std::path::Path;

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use toml::{Table, Value};

use super::Walk;
use crate::digest::when::Schedule;
use crate::digest::{Plan, To};

/// Where systems keep their time zones, the image too; a few only the second.
const FOLDERS: [&str; 2] = ["/usr/share/zoneinfo", "/etc/zoneinfo"];
const DAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];

impl Walk<'_> {
    /// What the file says of digests; `None`: there are none.
    pub(super) fn digest(&mut self, table: &Table) -> Option<Plan> {
        let value = table.get("digest")?;
        let Some(table) = value.as_table() else {
            self.fault("digest", "is not a table", "write [digest] and the keys below it");
            return None;
        };
        self.known(table, "digest", &["day", "at", "timezone", "to"]);
        let day = self.day(table.get("day"));
        let at = self.at(table.get("at"));
        let zone = self.zone(table.get("timezone"));
        let to = self.to(table.get("to"));
        Some(Plan { schedule: Schedule { day: day?, at: at?, zone: zone? }, to: to? })
    }

    fn day(&mut self, value: Option<&Value>) -> Option<Weekday> {
        let Some(value) = value else { return Some(Weekday::Monday) };
        let named = |text: &str| DAYS.iter().find(|(name, _)| *name == text).map(|(_, day)| *day);
        let day = value.as_str().and_then(named);
        if day.is_none() {
            self.fault("digest.day", "is not a day", "write it out and small, such as \"monday\"");
        }
        day
    }

    fn at(&mut self, value: Option<&Value>) -> Option<Time> {
        let Some(value) = value else { return Some(Time::constant(9, 0, 0, 0)) };
        let at = value.as_str().and_then(time);
        if at.is_none() {
            self.fault("digest.at", "is not a time of day", "write it as \"09:00\", up to \"23:59\"");
        }
        at
    }

    fn zone(&mut self, value: Option<&Value>) -> Option<TimeZone> {
        let Some(value) = value else { return Some(TimeZone::UTC) };
        let zone = value.as_str().and_then(zone);
        if zone.is_none() {
            self.fault(
                "digest.timezone",
                "is not a time zone that this machine knows",
                "use a name such as \"Europe/Berlin\", or \"UTC\"; if the name is right, install tzdata, which the \
                 image has",
            );
        }
        zone
    }

    /// Nobody's customers are told of anything by an omission.
    fn to(&mut self, value: Option<&Value>) -> Option<To> {
        let remedy = "write \"channels\", for each customer's channel, or \"audit\", for AUDIT_CHANNEL";
        match value.map(Value::as_str) {
            Some(Some("channels")) => Some(To::Channels),
            Some(Some("audit")) => Some(To::Audit),
            Some(_) => {
                self.fault("digest.to", "is neither channels nor audit", remedy);
                None
            }
            None => {
                self.fault("digest", "has no to", remedy);
                None
            }
        }
    }

    /// Whether a channel has a digest of its own. One that is wanted needs to be told when.
    pub(super) fn own_digest(&mut self, at: &str, table: &Table, there_are_digests: bool) -> Option<bool> {
        match table.get("digest")?.as_bool() {
            Some(true) if !there_are_digests => {
                let at = format!("{at}.digest");
                self.fault(&at, "wants to know when", "add [digest] with to = \"audit\" or \"channels\"");
                None
            }
            None => {
                let at = format!("{at}.digest");
                self.fault(&at, "is neither true nor false", "write one of the two, without quotes");
                None
            }
            wanted => wanted,
        }
    }
}

/// A time of day in hours and minutes.
fn time(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str| -> Option<i8> {
        let is_number = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| is_number)
    };
    Time::new(number(hour)?, number(minute)?, 0, 0).ok()
}

/// The zone of that name, by the files of the system.
fn zone(name: &str) -> Option<TimeZone> {
    if name == "UTC" {
        return Some(TimeZone::UTC);
    }
    let is_word = |word: &str| {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+');
        !word.is_empty() && word.bytes().all(known)
    };
    if !name.split('/').all(is_word) {
        return None;
    }
    let data = FOLDERS.iter().find_map(|folder| std::fs::read(Path::new(folder).join(name)).ok())?;
    TimeZone::tzif(name, &data).ok()
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    fn plan(text: &str) -> Option<Plan> {
        let (file, faults) = read("customers.toml", text);
        assert_eq!(faults, Vec::new(), "{text}");
        file.digest
    }

    fn faults(text: &str) -> Vec<String> {
        let faults = read("customers.toml", text).1.into_iter();
        faults.map(|fault| format!("{} {}", fault.variable, fault.problem)).collect()
    }

    #[test]
    fn there_is_none_unless_the_file_says_for_whom() {
        assert_eq!(plan(""), None);
        assert_eq!(faults("[digest]\n"), ["customers.toml: digest has no to"]);
        let plan = plan("[digest]\nto = \"channels\"\n").unwrap();
        let schedule = Schedule { day: Weekday::Monday, at: Time::constant(9, 0, 0, 0), zone: TimeZone::UTC };
        assert_eq!(plan, Plan { schedule, to: To::Channels });
    }

    #[test]
    fn a_day_a_time_and_a_place_may_be_said() {
        let text = r#"
            [digest]
            day = "friday"
            at = "16:45"
            timezone = "UTC"
            to = "audit"
            [channels.C1]
            digest = true
            [channels.C2]
            digest = false
            [channels.C3]
        "#;
        let (file, found) = read("customers.toml", text);
        assert_eq!(found, Vec::new());
        let Plan { schedule, to } = file.digest.unwrap();
        assert_eq!((schedule.day, schedule.at), (Weekday::Friday, Time::constant(16, 45, 0, 0)));
        assert_eq!(to, To::Audit);
        let own = ["C1", "C2", "C3", "C4"].map(|channel| file.channels.of(channel).digest);
        assert_eq!(own, [Some(true), Some(false), None, None]);
    }

    #[test]
    fn every_mistake_is_a_fault_of_its_key() {
        let text = r#"
            [digest]
            day = "Canary"
            at = "9"
            timezone = "Canary/Nowhere"
            to = "canary"
            hour = 5
            [channels.C1]
            digest = "canary"
        "#;
        assert_eq!(
            faults(text),
            [
                "customers.toml: digest.hour is not a known key",
                "customers.toml: digest.day is not a day",
                "customers.toml: digest.at is not a time of day",
                "customers.toml: digest.timezone is not a time zone that this machine knows",
                "customers.toml: digest.to is neither channels nor audit",
                "customers.toml: channels.C1.digest is neither true nor false",
            ]
        );
        assert_eq!(faults("digest = true"), ["customers.toml: digest is not a table"]);
        assert_eq!(
            faults("[channels.C1]\ndigest = true\n"),
            ["customers.toml: channels.C1.digest wants to know when"]
        );
        assert_eq!(faults("[channels.C1]\ndigest = false\n"), [""; 0]);
        for at in ["24:00", "09:60", "9:00", "+9:00", "09:00:00", "", ":"] {
            assert_eq!(time(at), None, "{at}");
        }
    }

    #[test]
    fn a_name_is_looked_up_among_the_zones_and_nowhere_else() {
        for name in ["", "/etc/hostname", "../../../etc/hostname", "Europe/../UTC", "Europe//Berlin", "."] {
            assert!(zone(name).is_none(), "{name}");
        }
    }
}
