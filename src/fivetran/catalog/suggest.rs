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
    let typed: Vec<char> = fold(typed).filter(|c| c.is_alphanumeric()).take(MAX_COMPARED).collect();
    let text: String = typed.iter().collect();

    let hinted = HINTS.iter().find(|(name, _)| *name == text);
    let mut found: Vec<&Service> =
        hinted.into_iter().flat_map(|(_, ids)| ids.iter().filter_map(|id| catalog.get(id))).collect();

    let mut near: Vec<_> = catalog
        .entries
        .iter()
        .filter_map(|entry| {
            let rank = [&entry.folded_id, &entry.folded_name]
                .into_iter()
                .filter_map(|name| whole_rank(&typed, &text, name))
                .chain(entry.words().filter_map(|word| word_rank(&typed, word)))
                .min()?;
            let extra = entry.folded_id.len().abs_diff(text.len());
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
fn whole_rank(typed: &[char], text: &str, name: &str) -> Option<usize> {
    let contained = if typed.len() >= 3 && name.starts_with(text) {
        Some(2)
    } else if typed.len() >= 3 && name.contains(text) {
        Some(3)
    } else if name.len() >= 5 && name.len() * 2 >= text.len() && text.contains(name) {
        Some(4)
    } else {
        None
    };
    let mistyped = distance(typed, name, tolerance(typed.len()));
    [contained, mistyped].into_iter().flatten().min()
}

/// How far `typed` is from one word of an id, behind any equally near whole id.
fn word_rank(typed: &[char], word: &str) -> Option<usize> {
    let most = tolerance(typed.len()).min(2);
    (word.len() >= 4).then(|| distance(typed, word, most)).flatten().map(|distance| distance + 2)
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

/// Damerau-Levenshtein distance (restricted: no edit inside a swapped pair), `None` above `most`.
fn distance(a: &[char], b: &str, most: usize) -> Option<usize> {
    let b: Vec<char> = b.chars().take(MAX_COMPARED + most + 1).collect();
    if a.len().abs_diff(b.len()) > most {
        return None;
    }
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut before = last.clone();
    let mut from_before = None;
    for (i, &from) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(b.len() + 1);
        row.push(i + 1);
        let mut left = i + 1;
        let mut to_before = None;
        let above = last.iter().skip(1);
        // Two rows up and two columns left; the first column has none, and no pair to swap.
        let swapped = std::iter::once(&0).chain(&before);
        for (((&to, diagonal), above), swapped) in b.iter().zip(&last).zip(above).zip(swapped) {
            let mut cost = (diagonal + usize::from(from != to)).min(above + 1).min(left + 1);
            if from_before == Some(to) && to_before == Some(from) {
                cost = cost.min(swapped + 1);
            }
            row.push(cost);
            left = cost;
            to_before = Some(to);
        }
        before = std::mem::replace(&mut last, row);
        from_before = Some(from);
    }
    last.last().copied().filter(|&distance| distance <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(typed: &str) -> Vec<String> {
        let near = nearest(&Catalog::built_in(), typed);
        near.iter().map(|service| service.id.to_string()).collect()
    }

    #[test]
    fn distances() {
        for (a, b, expected) in [
            ("", "", Some(0)),
            ("hubspot", "hubspot", Some(0)),
            ("hubspto", "hubspot", Some(1)),
            ("stripe", "strip", Some(1)),
            ("kitten", "sitting", Some(3)),
            ("abc", "xyz", Some(3)),
            ("abcd", "wxyz", None),
            ("a", "abcde", None),
        ] {
            let a: Vec<char> = a.chars().collect();
            assert_eq!(distance(&a, b, 3), expected, "{a:?} {b}");
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
