//! Owns the guess at which services somebody meant whose text names none.
//!
//! It must not decide anything: a guess is shown to a person, never acted upon.

use super::{Catalog, Service, fold};

/// No more than this many guesses are shown.
const MAX_SUGGESTIONS: usize = 3;

/// Only this much of what was typed is compared, in characters.
const MAX_COMPARED: usize = 64;

/// Common names which Fivetran's catalogue does not use, folded, and the ids to offer first.
const HINTS: &[(&str, &[&str])] = &[
    ("awss3", &["s3"]),
    ("bigquery", &["bigquery_db"]),
    ("bing", &["bingads"]),
    ("databricks", &["databricks_db"]),
    ("excel", &["share_point", "one_drive"]),
    ("facebook", &["facebook_ads", "facebook_pages"]),
    ("facebookadaccount", &["facebook_ads"]),
    ("ga4", &["google_analytics_4"]),
    ("googleanalytics", &["google_analytics_4"]),
    ("googlecloudstorage", &["gcs"]),
    ("gsheets", &["google_sheets"]),
    ("instagram", &["instagram_business"]),
    ("mariadb", &["maria"]),
    ("meta", &["facebook_ads"]),
    ("metaads", &["facebook_ads"]),
    ("microsoftads", &["bingads"]),
    ("microsoftadvertising", &["bingads"]),
    ("mongodb", &["mongo"]),
    ("mssql", &["sql_server"]),
    ("netsuite", &["netsuite_suiteanalytics"]),
    ("postgresql", &["postgres"]),
    ("saphana", &["sap_hana_db"]),
    ("snowflake", &["snowflake_db"]),
    ("tiktok", &["tiktok_ads"]),
    ("twitterx", &["twitter_ads"]),
    ("youtube", &["youtube_analytics"]),
];

/// The services nearest to `typed`, best first; none if nothing is near.
pub(super) fn nearest(catalog: &Catalog, typed: &str) -> Vec<Service> {
    let typed: String = fold(typed).chars().take(MAX_COMPARED).collect();

    let hinted = HINTS.iter().find(|(name, _)| *name == typed);
    let mut found: Vec<&Service> =
        hinted.into_iter().flat_map(|(_, ids)| ids.iter().filter_map(|id| catalog.get(id))).collect();

    let mut near: Vec<_> = catalog
        .entries
        .iter()
        .filter_map(|entry| {
            let rank = [&entry.folded_id, &entry.folded_name]
                .into_iter()
                .filter_map(|name| whole_rank(&typed, name))
                .chain(entry.words().filter_map(|word| word_rank(&typed, word)))
                .min()?;
            let extra = entry.folded_id.len().abs_diff(typed.len());
            Some(((rank, entry.popularity, extra), &entry.service))
        })
        .collect();
    near.sort_by_key(|(rank, _)| *rank);

    for (_, service) in near {
        if found.len() >= MAX_SUGGESTIONS {
            break;
        }
        if !found.iter().any(|other| other.id == service.id) {
            found.push(service);
        }
    }
    found.truncate(MAX_SUGGESTIONS);
    found.into_iter().cloned().collect()
}

/// How far `typed` is from a whole id or name: 0 is the same, `None` is not near.
fn whole_rank(typed: &str, name: &str) -> Option<usize> {
    let long_enough = typed.chars().count() >= 3;
    let contained = if long_enough && name.starts_with(typed) {
        Some(2)
    } else if long_enough && name.contains(typed) {
        Some(3)
    } else if name.len() >= 5 && name.len() * 2 >= typed.len() && typed.contains(name) {
        Some(4)
    } else {
        None
    };
    let mistyped = slips(typed, name, tolerance(typed.chars().count()));
    [contained, mistyped].into_iter().flatten().min()
}

/// How far `typed` is from one word of an id, behind any equally near whole id.
fn word_rank(typed: &str, word: &str) -> Option<usize> {
    let most = tolerance(typed.chars().count()).min(2);
    (word.len() >= 4).then(|| slips(typed, word, most)).flatten().map(|slips| slips + 2)
}

/// How many slips of the keyboard (a letter more, less, other, or two swapped) lie between two texts;
/// `None` above `most`.
fn slips(typed: &str, name: &str, most: usize) -> Option<usize> {
    // Each slip changes the length by one at most, so most names need not be compared at all.
    let near = typed.chars().count().abs_diff(name.chars().count()) <= most;
    near.then(|| strsim::osa_distance(typed, name)).filter(|&slips| slips <= most)
}

/// How many slips a text of `len` characters may hold and still be taken for a name.
const fn tolerance(len: usize) -> usize {
    match len {
        0..=2 => 0,
        3..=5 => 1,
        6..=8 => 2,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(typed: &str) -> Vec<String> {
        let near = nearest(&Catalog::built_in(), typed);
        near.iter().map(|service| service.id.to_string()).collect()
    }

    #[test]
    fn a_text_with_more_slips_than_allowed_is_not_near() {
        for (typed, name, expected) in [
            ("hubspot", "hubspot", Some(0)),
            ("hubspto", "hubspot", Some(1)),
            ("stripe", "strip", Some(1)),
            ("kitten", "sitting", Some(3)),
            ("abcd", "wxyz", None),
            ("a", "abcde", None),
        ] {
            assert_eq!(slips(typed, name, 3), expected, "{typed} {name}");
        }
    }

    #[test]
    fn typos_find_their_service_first() {
        for (typed, id) in [
            ("googel_ads", "google_ads"),
            ("sales forse", "salesforce"),
            ("hubspto", "hubspot"),
            ("facebok", "facebook_ads"),
            ("shopfy", "shopify"),
            ("linkedin", "linkedin_ads"),
            ("Twiter Ads", "twitter_ads"),
            ("salesforce_prod", "salesforce"),
            ("<stripe>", "stripe"),
        ] {
            assert_eq!(ids(typed).first().map(String::as_str), Some(id), "{typed}");
        }
    }

    #[test]
    fn hints_come_first_and_point_at_real_services() {
        let catalog = Catalog::built_in();
        for (name, hinted) in HINTS {
            assert!(hinted.iter().all(|id| catalog.get(id).is_some()), "{name}");
            assert_eq!(ids(name)[..hinted.len()], **hinted, "{name}");
        }
        assert!(HINTS.is_sorted());
    }

    #[test]
    fn nothing_near_gives_nothing() {
        for typed in ["", "--", "q", "qqqqqqqq", "日本語", &"x".repeat(4096)] {
            assert_eq!(ids(typed), Vec::<String>::new(), "{typed}");
        }
    }

    #[test]
    fn never_more_than_three() {
        assert_eq!(ids("google").len(), 3);
        assert_eq!(ids("google")[0], "google_ads");
    }
}
