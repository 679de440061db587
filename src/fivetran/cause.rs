//! Who can help where a connection does not work, by what Fivetran says of it.
//!
//! Owns the codes and the words that tell one fault from another. Pure: must not know an endpoint, a
//! link or a sentence. No list of codes is published and details are free text, so whatever is not
//! certain is [`Cause::Unknown`]: nobody is asked for what may not help, and nobody is told that it
//! would not.

use serde::{Deserialize, Serialize};

/// What is at fault when a connection is broken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The access to the source: only whoever has it can give it again.
    Access,
    /// A sync that failed, and that another one may make up for.
    Sync,
    /// The destination. That is ours to look after, not the customer's.
    Destination,
    /// A transformation of what has arrived. The same.
    Transformation,
    /// The account at Fivetran: its trial, its plan, its bills. The same.
    Account,
    /// The way from Fivetran to the source.
    Network,
    /// Fivetran does not say, or says it by a code that is new to us.
    #[default]
    #[serde(other)]
    Unknown,
}

impl Cause {
    /// Each, what weighs most first: where the access does not work, nothing does, whatever else is
    /// wrong.
    pub const ALL: [Self; 7] = [
        Self::Access,
        Self::Account,
        Self::Destination,
        Self::Transformation,
        Self::Network,
        Self::Sync,
        Self::Unknown,
    ];

    /// Its name in the log.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Sync => "sync",
            Self::Destination => "destination",
            Self::Transformation => "transformation",
            Self::Account => "account",
            Self::Network => "network",
            Self::Unknown => "unknown",
        }
    }
}

/// The codes that are known to be used, and where they are found.
const CODES: [(&str, Cause); 5] = [
    // An example of the API definition, and in "Retrieve Connection Errors" among the common ones:
    // <https://fivetran.com/docs/rest-api/api-reference/connections/connection-errors>
    ("reconnect", Cause::Access),
    // Among the `taskType`s of a failed sync in pyatlan's models of Fivetran's log.
    ("update_service_account", Cause::Access),
    // The `taskType` of a sync that met a warehouse with too little memory, as people have posted it.
    ("reconnect_warehouse", Cause::Destination),
    // Both among the common ones of "Retrieve Connection Errors". That a sync clears what syncs have
    // left: <https://github.com/astronomer/airflow-provider-fivetran-async/issues/234>
    ("unknown_sync_failure", Cause::Sync),
    ("sync_warning", Cause::Sync),
];

/// Words of a code that is not listed by which it speaks of something all the same: those that come
/// first outweigh the others, as permissions are those of a destination then.
const CODE_WORDS: [(Cause, &[&str]); 6] = [
    (Cause::Destination, &["warehouse", "destination"]),
    (Cause::Transformation, &["transformation", "transformations", "dbt"]),
    (Cause::Account, &["billing", "trial", "invoice"]),
    (Cause::Network, &["network", "firewall", "tunnel", "ssh", "host", "dns", "unreachable"]),
    // As `authentication_error` and `permission_denied` do, which are error types of Fivetran's log:
    // <https://fivetran.com/docs/logs>
    (
        Cause::Access,
        &[
            "reconnect",
            "reauthorize",
            "reauthenticate",
            "credential",
            "credentials",
            "password",
            "login",
            "auth",
            "oauth",
            "authentication",
            "authorization",
            "unauthorized",
            "permission",
            "permissions",
        ],
    ),
    (Cause::Sync, &["sync", "syncs", "rescheduled", "timeout", "quota"]),
];

// What details say, as `plain` writes it. A space at either end is that of a word.

/// Of access.
const OF_ACCESS: [&str; 26] = [
    " credential",
    "password",
    "passphrase",
    "authenticat",
    "authoriz",
    "authoris",
    " permission",
    " privilege",
    " denied ",
    " access token",
    " refresh token",
    " token has expired ",
    " token expired ",
    " invalid grant ",
    " revoked ",
    " forbidden ",
    " log in ",
    " login",
    " sign in ",
    " not allowed ",
    " api key ",
    " secret",
    " account is locked ",
    " user is locked ",
    " locked out ",
    " oauth",
];
/// Of the access that a person gives by signing in, which is seldom that of a destination.
const OF_SIGN_IN: [&str; 10] = [
    " access token",
    " refresh token",
    " token has expired ",
    " token expired ",
    " invalid grant ",
    " oauth",
    " reauthor",
    " re author",
    " sign in ",
    " log in ",
];
/// Of the destination. No source needs anything created in it.
const OF_DESTINATION: [&str; 4] = [" destination", " warehouse", " create schema ", " create table "];
/// Of what is mostly the destination.
const OF_WAREHOUSE: [&str; 7] = [
    " bigquery ",
    " snowflake ",
    " redshift ",
    " databricks ",
    " synapse ",
    " operate on schema ",
    " datasets create ",
];
/// Of transformations.
const OF_TRANSFORMATION: [&str; 2] = [" transformation", " dbt "];
/// Of what somebody has to pay. It is Fivetran only where Fivetran is named.
const OF_BILLING: [&str; 9] = [
    " billing ",
    " trial ",
    " suspended ",
    " payment",
    " credit card ",
    " invoice",
    " subscription ",
    " past due ",
    " free plan ",
];
/// Of the way to the source.
const OF_NETWORK: [&str; 28] = [
    " connection refused ",
    " connection reset ",
    " firewall",
    " unknown host ",
    " unknownhost",
    " host not found ",
    " no such host ",
    " not resolve ",
    " name resolution ",
    " service not known ",
    " no route to host ",
    " network error ",
    " network unreachable ",
    " unreachable ",
    " not reachable ",
    " not be reached ",
    " can t be reached ",
    " cannot be reached ",
    " ssh ",
    " tunnel",
    " vpn ",
    " privatelink",
    " private link ",
    " allowlist",
    " safelist",
    " whitelist",
    " ip address",
    " handshake ",
];
/// Of what is used up, and is there again another time.
const OF_EXHAUSTION: [&str; 10] = [
    " quota ",
    " quotas ",
    " no space left ",
    " disk full ",
    " disk is full ",
    " out of memory ",
    " out of disk ",
    " limit exceeded ",
    " limit has been exceeded ",
    " exhausted ",
];
/// Of a source that is in no state to answer: nobody who signs in again changes that, unless access
/// is spoken of too. A `reconnect` with the first of them is in the fixtures of DataHub's tests.
const PASSING: [&str; 19] = [
    " too many connections ",
    " too many clients ",
    " connection limit ",
    " connection slots ",
    " deadlock",
    " lock wait ",
    " lock timeout ",
    " is locked ",
    " locked by ",
    " timed out ",
    " timeout",
    " temporarily unavailable ",
    " service unavailable ",
    " try again later ",
    " rate limit",
    " too many requests ",
    " internal server error ",
    " bad gateway ",
    " maintenance ",
];

/// What is at fault by a code, by its label and by the details.
pub(super) fn judge(code: &str, label: &str, details: &str) -> Cause {
    let listed = CODES.iter().find(|(known, _)| *known == code).map(|(_, cause)| *cause);
    let by_code = listed.unwrap_or_else(|| by_words(code));
    let said = plain(&format!("{label} {details}"));
    // A label names the subject, as the code does: what passes is said behind it.
    let happened = plain(if details.is_empty() { label } else { details });
    let passes = has(&happened, &PASSING) && !has(&happened, &OF_ACCESS);
    match by_code {
        // Fivetran's own code, which names whose it is.
        Cause::Destination | Cause::Transformation | Cause::Account => by_code,
        _ => match outside_of_access(&said) {
            Some(cause) => cause,
            None if by_code == Cause::Access && passes => Cause::Sync,
            // What a sync met may have been a closed door.
            None if matches!(by_code, Cause::Sync | Cause::Network) && has(&said, &OF_ACCESS) => {
                Cause::Unknown
            }
            None => by_code,
        },
    }
}

/// Whether a text speaks of the access to the source, and of nothing else that may be at fault.
pub(super) fn speaks_of_access(said: &str) -> bool {
    let said = plain(said);
    has(&said, &OF_ACCESS) && outside_of_access(&said).is_none()
}

/// Whether a text speaks of access at all, whosever it may be.
pub(super) fn mentions_access(said: &str) -> bool {
    has(&plain(said), &OF_ACCESS)
}

fn by_words(code: &str) -> Cause {
    let words: Vec<_> = code.split('_').collect();
    let has = |known: &[&str]| known.iter().any(|word| words.contains(word));
    let mut causes = CODE_WORDS.iter().filter(|(_, known)| has(known)).map(|(cause, _)| *cause);
    match (causes.next(), causes.next()) {
        // Access to what stands in the way, or to what lies behind it.
        (Some(Cause::Network), Some(Cause::Access)) => Cause::Unknown,
        (Some(cause), _) => cause,
        (None, _) if has(&["table"]) && has(&["lock", "locked"]) => Cause::Sync,
        (None, _) => Cause::Unknown,
    }
}

/// What details speak of that outweighs the code, since no customer who signs in can help it. A text
/// that may as well mean the source's access is [`Cause::Unknown`].
fn outside_of_access(said: &str) -> Option<Cause> {
    let cause = if has(said, &OF_DESTINATION) {
        Cause::Destination
    } else if has(said, &OF_TRANSFORMATION) {
        Cause::Transformation
    } else if has(said, &OF_BILLING) {
        if has(said, &[" fivetran "]) { Cause::Account } else { Cause::Unknown }
    } else if has(said, &OF_NETWORK) {
        Cause::Network
    } else if has(said, &OF_EXHAUSTION) {
        Cause::Sync
    } else if has(said, &OF_WAREHOUSE) {
        // A source too, at times.
        Cause::Unknown
    } else {
        return None;
    };
    let ambiguous = match cause {
        // These have passwords and permissions of their own.
        Cause::Destination | Cause::Transformation | Cause::Account => has(said, &OF_SIGN_IN),
        _ => has(said, &OF_ACCESS),
    };
    Some(if ambiguous { Cause::Unknown } else { cause })
}

/// A text in small letters, with one space before, between and behind its words.
fn plain(said: &str) -> String {
    let small = said.to_lowercase();
    let words: Vec<_> = small.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    format!(" {} ", words.join(" "))
}

fn has(said: &str, words: &[&str]) -> bool {
    words.iter().any(|words| said.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_customer_is_asked_only_where_a_code_speaks_of_access() {
        for (code, cause) in [
            ("reconnect", Cause::Access),
            ("update_service_account", Cause::Access),
            ("authentication_error", Cause::Access),
            ("permission_denied", Cause::Access),
            ("missing_permissions", Cause::Access),
            ("invalid_credentials", Cause::Access),
            ("reconnect_warehouse", Cause::Destination),
            ("destination_permission_denied", Cause::Destination),
            ("transformation_permission_denied", Cause::Transformation),
            ("billing_permission_missing", Cause::Account),
            ("unknown_host", Cause::Network),
            ("ssh_tunnel_failed", Cause::Network),
            ("ssh_permission_denied", Cause::Unknown),
            ("unknown_sync_failure", Cause::Sync),
            ("sync_warning", Cause::Sync),
            ("table_locked", Cause::Sync),
            ("api_quota_exceeded", Cause::Sync),
            ("resync_table_warning", Cause::Unknown),
            ("account_locked", Cause::Unknown),
            ("author_missing", Cause::Unknown),
            ("null_primary_key", Cause::Unknown),
            ("some_code_of_tomorrow", Cause::Unknown),
            ("", Cause::Unknown),
        ] {
            assert_eq!(judge(code, "", ""), cause, "{code}");
        }
    }

    #[test]
    fn details_can_say_that_signing_in_again_would_change_nothing() {
        for (details, cause) in [
            ("", Cause::Access),
            ("Credentials were rejected by the source.", Cause::Access),
            ("Something happened", Cause::Access),
            ("The quotation module was renamed", Cause::Access),
            ("FATAL: too many connections for role \"fivetran\"", Cause::Sync),
            ("Table `orders` is locked by another transaction", Cause::Sync),
            ("Read timed out", Cause::Sync),
            ("No space left on device", Cause::Sync),
            ("API quota exceeded", Cause::Sync),
            ("REQUEST_LIMIT_EXCEEDED: TotalRequests Limit exceeded.", Cause::Sync),
            // Whoever is locked out has lost the access.
            ("The login is locked: too many attempts", Cause::Access),
            ("Your account is locked", Cause::Access),
            ("The access token has expired (timeout)", Cause::Access),
            ("The destination Snowflake rejected the password of FIVETRAN_USER", Cause::Destination),
            ("Destination BigQuery: access denied", Cause::Destination),
            ("Role lacks CREATE SCHEMA in the warehouse", Cause::Destination),
            ("Role lacks CREATE SCHEMA", Cause::Destination),
            ("A dbt model failed: permission denied", Cause::Transformation),
            ("Your Fivetran account is suspended because the trial has ended", Cause::Account),
            ("Connection refused: the source host is not reachable (firewall)", Cause::Network),
            ("java.net.UnknownHostException: db.example.com", Cause::Network),
            ("Unknown host", Cause::Network),
            ("The SSH tunnel could not be opened", Cause::Network),
            // Either may be meant.
            ("The access token has expired, so nothing reaches your destination", Cause::Unknown),
            ("SSH tunnel: permission denied (publickey)", Cause::Unknown),
            ("Your subscription has ended", Cause::Unknown),
            ("API key is over its quota", Cause::Unknown),
        ] {
            assert_eq!(judge("reconnect", "Reconnect", details), cause, "{details}");
        }
    }

    #[test]
    fn details_outweigh_a_code_but_make_nothing_the_customers_fault() {
        for (code, details, cause) in [
            ("insufficient_permissions", "Role lacks CREATE SCHEMA in the warehouse", Cause::Destination),
            ("unknown_sync_failure", "Destination BigQuery: access denied", Cause::Destination),
            ("some_code_of_tomorrow", "Your Fivetran trial has ended", Cause::Account),
            // The code names whose it is.
            ("reconnect_warehouse", "Connection refused", Cause::Destination),
            ("some_code_of_tomorrow", "Invalid password", Cause::Unknown),
            // A closed door: nobody is told that signing in again would change nothing.
            ("unknown_sync_failure", "FATAL: password authentication failed for user", Cause::Unknown),
            ("sync_warning", "OAuth token revoked. invalid_grant", Cause::Unknown),
            ("sync_warning", "Access denied for user", Cause::Unknown),
            ("unknown_host", "Authentication failed", Cause::Unknown),
            ("sync_warning", "A table was skipped", Cause::Sync),
            ("login_rate_limited", "rate limit: try again later", Cause::Sync),
        ] {
            assert_eq!(judge(code, "A label", details), cause, "{code}: {details}");
        }
    }

    #[test]
    fn a_label_names_the_subject_and_can_speak_of_access() {
        assert_eq!(
            judge("login_rate_limited", "Too many logins", "rate limit: try again later"),
            Cause::Sync
        );
        assert_eq!(judge("sync_warning", "OAuth token revoked", "Table orders"), Cause::Unknown);
        assert_eq!(judge("reconnect", "Read timed out", ""), Cause::Sync);
    }

    #[test]
    fn only_what_speaks_of_the_sources_access_is_for_the_customer() {
        for said in
            ["Your access token has expired", "The password is wrong.", "invalid_grant", "SELECT denied"]
        {
            assert!(speaks_of_access(said), "{said}");
        }
        for said in [
            "Something happened",
            "The destination rejected the password",
            "Connection refused",
            "SSH tunnel: permission denied",
            "",
        ] {
            assert!(!speaks_of_access(said), "{said}");
        }
    }
}
