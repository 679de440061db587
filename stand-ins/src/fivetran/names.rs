//! Connection ids in Fivetran's two-word style, and the rule for schema names.
//!
//! Owns names only. Must not know what bears them.

const FIRST: [&str; 32] = [
    "amber", "brave", "calm", "dapper", "eager", "faded", "gentle", "hollow", "idle", "jolly", "keen",
    "lucid", "mellow", "nimble", "ochre", "placid", "quaint", "rustic", "silent", "tidy", "upbeat", "velvet",
    "wistful", "young", "zesty", "brisk", "cosmic", "dusty", "frosty", "golden", "humble", "ivory",
];
const SECOND: [&str; 32] = [
    "anchor", "basin", "candle", "delta", "ember", "fable", "garden", "harbor", "island", "jigsaw", "kettle",
    "lantern", "meadow", "needle", "orchard", "pebble", "quarry", "ribbon", "saddle", "thicket", "umbrella",
    "valley", "willow", "yonder", "zephyr", "beacon", "canyon", "dune", "fjord", "glacier", "hollows",
    "inlet",
];

/// The n-th id: two words, and further ones once those are used up. Never the same twice.
pub(crate) fn connection_id(n: u64) -> String {
    let pairs = 32 * 32;
    // An odd factor permutes the pairs, so that neighbours do not look alike.
    let pair = (n % pairs).wrapping_mul(733) % pairs;
    let mut id = format!("{}_{}", word(&FIRST, pair / 32), word(&SECOND, pair));
    let mut rest = n / pairs;
    while rest > 0 {
        id.push('_');
        id.push_str(word(&SECOND, rest - 1));
        rest = (rest - 1) / 32;
    }
    id
}

/// Whether Fivetran takes this as the name of a schema, a table or a prefix.
pub(crate) fn is_valid(name: &str) -> bool {
    let starts_well = name.starts_with(|first: char| first.is_ascii_lowercase() || first == '_');
    starts_well
        && name.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_')
}

fn word(list: &[&'static str; 32], at: u64) -> &'static str {
    let [first, ..] = list;
    usize::try_from(at % 32).ok().and_then(|at| list.get(at)).unwrap_or(first)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_never_repeat() {
        let ids: HashSet<String> = (0..100_000).map(connection_id).collect();
        assert_eq!(ids.len(), 100_000);
        assert_eq!(connection_id(0).split('_').count(), 2);
    }

    #[test]
    fn schema_names_follow_the_documented_alphabet() {
        for good in ["customer_schema", "_x", "a1"] {
            assert!(is_valid(good), "{good}");
        }
        for bad in ["", "1a", "Customer", "a-b", "a.b", "ä"] {
            assert!(!is_valid(bad), "{bad}");
        }
    }
}
