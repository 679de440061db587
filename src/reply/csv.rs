//! A list of links as a file for spreadsheets.
//!
//! Owns the format: RFC 4180, in UTF-8, and that no cell is a formula, whoever named what is in it. No link of a
//! Connect Card is in it, and nothing of what Fivetran says of one that is broken, which may quote anything.
//! <https://www.rfc-editor.org/rfc/rfc4180>, <https://owasp.org/www-community/attacks/CSV_Injection>

use jiff::Timestamp;

use crate::life::{Link, State};

/// What the columns are called.
const HEAD: [&str; 11] = [
    "service",
    "service_id",
    "schema",
    "destination",
    "state",
    "changed_at",
    "link_created_at",
    "link_expires_at",
    "channel_id",
    "requested_by",
    "reference",
];

/// The links as a file, a line each below the names of the columns.
#[must_use]
pub fn csv(links: &[Link]) -> String {
    let mut file = String::new();
    line(&mut file, HEAD.map(str::to_owned));
    for link in links {
        line(&mut file, cells(link));
    }
    file
}

fn cells(link: &Link) -> [String; 11] {
    let request = &link.request;
    // Of a source of an onboarding no link stands anywhere.
    let stands = matches!(link.state, State::Waiting | State::Expired) && link.onboarding.is_none();
    let expires = stands.then(|| time(link.expires_at));
    [
        request.service_name.clone(),
        request.service.to_string(),
        request.target.connection_name(),
        request.destination.clone().unwrap_or_default(),
        link.state.name().to_owned(),
        time(link.changed_at),
        time(link.posted_at),
        expires.unwrap_or_default(),
        link.channel_id.clone(),
        link.requester.clone().unwrap_or_default(),
        link.id.clone(),
    ]
}

/// To the second, in UTC: spreadsheets read this form as a moment.
fn time(moment: Timestamp) -> String {
    Timestamp::from_second(moment.as_second()).unwrap_or(moment).to_string()
}

fn line(file: &mut String, cells: [String; 11]) {
    for (at, text) in cells.iter().enumerate() {
        if at > 0 {
            file.push(',');
        }
        cell(file, text);
    }
    file.push_str("\r\n");
}

/// A cell that a spreadsheet would take for a formula begins with an apostrophe, which makes it text.
fn cell(file: &mut String, text: &str) {
    let is_formula = text
        .trim_start_matches(' ')
        .starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    let quoted = is_formula || text.contains([',', '"', '\r', '\n', '\t', ';', '\'']);
    if quoted {
        file.push('"');
    }
    if is_formula {
        file.push('\'');
    }
    file.push_str(&if quoted { text.replace('"', "\"\"") } else { text.to_owned() });
    if quoted {
        file.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_quoted_where_it_must_be_and_never_a_formula() {
        for (text, expected) in [
            ("Google Ads", "Google Ads"),
            ("", ""),
            ("a,b", "\"a,b\""),
            ("a;b", "\"a;b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("two\r\nlines", "\"two\r\nlines\""),
            ("=1+1", "\"'=1+1\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("-2", "\"'-2\""),
            ("+2", "\"'+2\""),
            (" =1", "\"' =1\""),
            ("\t=1", "\"'\t=1\""),
            ("＝1", "\"'＝1\""),
            ("=HYPERLINK(\"x\")", "\"'=HYPERLINK(\"\"x\"\")\""),
        ] {
            let mut file = String::new();
            cell(&mut file, text);
            assert_eq!(file, expected, "{text:?}");
        }
    }
}
