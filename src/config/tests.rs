//! Tests of the variables: what is read, what is refused, and that no value is repeated.

use std::path::Path;

use secrecy::ExposeSecret;

use super::*;
use crate::fivetran::keys::ApiKey;

const FULL: [(&str, &str); 6] = [
    ("SLACK_SIGNING_SECRET", "one"),
    ("FIVETRAN_API_KEY", "key"),
    ("FIVETRAN_API_SECRET", "canary-secret"),
    ("FIVETRAN_GROUP_ID", "projected_sickle"),
    ("PUBLIC_URL", "https://bot.example.com/"),
    ("SLACK_BOT_TOKEN", ""),
];

fn with(changes: &[(&str, &str)]) -> Result<Config, Faults> {
    serve(&Vars::from_pairs(FULL.into_iter().chain(changes.iter().copied())))
}

fn faulty(changes: &[(&str, &str)]) -> Vec<String> {
    with(changes).err().unwrap_or_default().0.into_iter().map(|fault| fault.variable).collect()
}

#[test]
fn everything_that_is_missing_is_named_at_once() {
    let faults = serve(&Vars::default()).err().unwrap_or_default();
    let names: Vec<_> = faults.0.iter().map(|fault| fault.variable.as_str()).collect();
    assert_eq!(
        names,
        [
            "PUBLIC_URL",
            "SLACK_SIGNING_SECRET",
            "FIVETRAN_API_KEY",
            "FIVETRAN_API_SECRET",
            "FIVETRAN_GROUP_ID"
        ]
    );
    assert_eq!(faults.to_string().lines().count(), 5);
}

#[test]
fn a_full_environment_is_read_and_slashes_are_trimmed() {
    let config = with(&[]).ok();
    assert_eq!(
        config.as_ref().and_then(|config| config.server.public_url.as_deref()),
        Some("https://bot.example.com")
    );
    assert_eq!(config.as_ref().map(|config| config.slack.api_url.as_str()), Some("https://slack.com/api"));
    assert!(config.is_some_and(|config| config.slack.bot_token.is_none()), "an empty variable is unset");
}

#[test]
fn each_bad_value_is_blamed_on_its_variable_without_being_repeated() {
    for (name, value) in [
        ("PUBLIC_URL", "http://bot.example.com"),
        ("PUBLIC_URL", "https://bot.example.com/?canary=1"),
        ("PUBLIC_URL", "canary"),
        ("PUBLIC_URL", "https://bot.example.com/canary&b"),
        ("CONNECT_CARD_REDIRECT_URL", "https://example.com/canary&b"),
        ("SLACK_SIGNING_SECRET", "canary,"),
        ("SLACK_SIGNING_SECRET", "canary,b,c"),
        ("SLACK_BOT_TOKEN", "canary"),
        ("SLACK_RESPONSE_URL_ORIGINS", "http://canary.example.com"),
        ("FIVETRAN_GROUP_ID", "canary/../x"),
        ("FIVETRAN_API_URL", "https://api.example.com/v1?canary"),
        ("FIVETRAN_API_SECRET", "'canary'"),
        ("PORT", "\"canary\""),
        ("FIVETRAN_API_KEY", "otherkey:canary"),
        ("FIVETRAN_API_KEY", "Basic canary"),
        ("FIVETRAN_API_SECRET", "Y2FuYXJ5Y2FuYXJ5"),
        ("FIVETRAN_API_SECRET", "canary\ncanary"),
        ("SLACK_BOT_TOKEN", "SLACK_BOT_TOKEN=xoxb-canary"),
        ("CONFIG", "/"),
        ("DATABASE_URL_FILE", "/"),
        ("https_proxy", "socks5://canary:1080"),
        ("HTTP_PROXY", "http://"),
        ("ALL_PROXY", "canary"),
        ("SSL_CERT_FILE", "/nonexistent/canary"),
        ("SSL_CERT_DIR", "/nonexistent/canary"),
        ("ALLOWED_USER", "canary"),
        ("FIVETRAN_API_KEY_FILE", "/nonexistent/canary"),
        ("DATABASE_URL", "mysql://canary"),
        ("DATABASE_URL", "sqlite:"),
        ("PORT", "canary"),
        ("HOST", "canary"),
        ("METRICS_ADDR", "canary"),
        ("LOG_FORMAT", "canary"),
        ("RUST_LOG", "canary"),
        ("RUST_LOG", "info,connect_card=canary"),
        ("PUBLIC_URL", "https://:canary@bot.example.com"),
        ("LEASE_SECONDS", "canary"),
        ("LEASE_SECONDS", "0"),
        ("COMMANDS_PER_PERSON", "canary"),
        ("COMMANDS_PER_PERSON", "0"),
        ("COMMANDS_PER_WORKSPACE", "-1"),
        ("COMMANDS_PER_WORKSPACE", "1000001"),
        ("HTTPS_PROXY", "canary"),
        ("CONFIG", "/nonexistent/canary"),
        ("LINK_VISIBILITY", "canary"),
        ("FIVETRAN_API_KEY_EXPIRES", "canary"),
        ("FIVETRAN_API_KEY_EXPIRES", "31.3.2027"),
        ("ALLOWED_USERS", "canary"),
        ("ALLOWED_USERS", ","),
        ("ALLOWED_USERS", "U0ALICE,S0CANARY"),
        ("ALLOWED_USER_GROUPS", "U0CANARY"),
        ("ALLOWED_CHANNELS", "#canary"),
        ("AUDIT_CHANNEL", "#canary"),
        ("AUDIT_CHANNEL", "D0CANARY"),
        ("AUDIT_CHANNEL", "C0CANARY"),
        ("ALLOWED_USERS_FILE", "/run/secrets/canary"),
        ("ALLOWED_USER_GROUPS_FILE", "/run/secrets/canary"),
        ("ALLOWED_CHANNELS_FILE", "/run/secrets/canary"),
    ] {
        let faults = with(&[(name, value)]).err().unwrap_or_default();
        assert_eq!(faults.0.len(), 1, "{name}={value}: {faults}");
        let blamed = if value == "otherkey:canary" { "FIVETRAN_API_SECRET" } else { name };
        assert!(blamed.starts_with(&faults.0[0].variable), "{name}: {faults}");
        assert!(!faults.to_string().contains("canary"), "{faults}");
    }
}

#[test]
fn an_audit_channel_needs_a_token() {
    let channel = |token| {
        let config = with(&[("AUDIT_CHANNEL", "C0AUDIT"), ("SLACK_BOT_TOKEN", token)]);
        config.map(|config| config.slack.audit_channel)
    };
    assert_eq!(channel("xoxb-1-2-abc"), Ok(Some("C0AUDIT".to_owned())));
    let faults = channel("").unwrap_err().to_string();
    assert_eq!(
        faults,
        "AUDIT_CHANNEL is set, but SLACK_BOT_TOKEN isn't: set the token, or unset AUDIT_CHANNEL"
    );
}

#[test]
fn two_signing_secrets_are_kept_in_order() {
    let config = with(&[("SLACK_SIGNING_SECRET", "new, old")]).ok();
    let secrets: Vec<_> = config
        .iter()
        .flat_map(|config| &config.slack.signing_secrets)
        .map(|secret| secret.expose_secret().to_owned())
        .collect();
    assert_eq!(secrets, ["new", "old"]);
}

#[test]
fn a_second_key_is_whole_or_absent() {
    let config = with(&[("FIVETRAN_API_KEY_2", "other"), ("FIVETRAN_API_SECRET_2", "canary")]).ok();
    let fivetran = config.map(|config| config.fivetran);
    let halves = |key: &ApiKey| (key.variable, key.key.expose_secret().to_owned());
    assert_eq!(
        fivetran.as_ref().map(|it| halves(&it.key)),
        Some(("FIVETRAN_API_KEY", "key".to_owned())),
        "the first stays the first"
    );
    assert_eq!(
        fivetran.and_then(|it| it.second_key).as_ref().map(halves),
        Some(("FIVETRAN_API_KEY_2", "other".to_owned()))
    );
    assert_eq!(faulty(&[("FIVETRAN_API_KEY_2", "other")]), ["FIVETRAN_API_SECRET_2"]);
    assert_eq!(faulty(&[("FIVETRAN_API_SECRET_2", "canary")]), ["FIVETRAN_API_KEY_2"]);
}

#[test]
fn plain_http_is_for_loopback() {
    assert_eq!(faulty(&[("PUBLIC_URL", "http://127.0.0.1:3000")]), Vec::<String>::new());
    assert_eq!(faulty(&[("PUBLIC_URL", "http://localhost:3000")]), Vec::<String>::new());
    assert_eq!(faulty(&[("FIVETRAN_API_URL", "http://10.0.0.1")]), ["FIVETRAN_API_URL"]);
}

#[test]
fn database_urls_name_a_file_or_a_server() {
    for (text, path) in [
        ("sqlite:bot.db", "bot.db"),
        ("sqlite:///var/lib/bot.db", "/var/lib/bot.db"),
        ("sqlite:/var/lib/bot.db", "/var/lib/bot.db"),
    ] {
        match with(&[("DATABASE_URL", text)]).map(|config| config.database) {
            Ok(DatabaseUrl::Sqlite(found)) => assert_eq!(found, Path::new(path)),
            _ => panic!("{text} names a file"),
        }
    }
    assert!(matches!(
        with(&[("DATABASE_URL", "postgres://u:p@db/bot")]).map(|config| config.database),
        Ok(DatabaseUrl::Postgres(_))
    ));
}

#[test]
fn link_needs_fivetran_alone() {
    let vars = Vars::from_pairs(FULL.into_iter().filter(|(name, _)| name.starts_with("FIVETRAN")));
    let config = link(&vars).ok();
    assert_eq!(config.map(|config| config.landing), Some(Landing::Fixed(FIVETRAN_HOME.to_owned())));
    let config = link(&Vars::from_pairs(FULL)).ok();
    let uri = config.map(|config| config.landing.uri("link"));
    assert_eq!(uri.as_deref(), Some("https://bot.example.com/connected/link"));
}

#[test]
fn allow_lists_are_ids_with_commas() {
    let config =
        with(&[("ALLOWED_USERS", " U0ALICE,W0BOB ,, U0ALICE"), ("ALLOWED_CHANNELS", "C0A,D0B")]).ok();
    let permissions = config.map(|config| config.permissions).unwrap_or_default();
    assert_eq!(permissions.users, ["U0ALICE", "W0BOB"]);
    assert_eq!(permissions.channels, ["C0A", "D0B"]);
    assert!(permissions.user_groups.is_empty());
}

#[test]
fn a_link_is_for_the_channel_unless_told_otherwise() {
    let visibility = |changes: &[(&str, &str)]| with(changes).map(|config| config.visibility).ok();
    assert_eq!(visibility(&[]), Some(Audience::Channel));
    assert_eq!(visibility(&[("LINK_VISIBILITY", "requester")]), Some(Audience::Requester));
}

#[test]
fn the_default_destination_is_the_variable_then_the_files_then_the_only_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("customers.toml");
    let default = |file: &str, group: &str| {
        std::fs::write(&path, file).unwrap();
        let config = with(&[("CONFIG", path.to_str().unwrap()), ("FIVETRAN_GROUP_ID", group)])
            .map_err(|it| it.to_string());
        config.map(|config| config.destinations.default_group).unwrap()
    };
    let one = "[destinations.a]\ngroup_id = \"group_a\"\n";
    let two = &format!("{one}[destinations.b]\ngroup_id = \"group_b\"\n");
    let named = &format!("default_destination = \"b\"\n{two}");
    assert_eq!(default(named, "projected_sickle").as_deref(), Some("projected_sickle"));
    assert_eq!(default(named, "").as_deref(), Some("group_b"));
    assert_eq!(default(one, "").as_deref(), Some("group_a"));
    assert_eq!(default(two, ""), None);
}

#[test]
fn a_faulty_file_hides_no_other_fault_and_asks_for_no_group() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("customers.toml");
    std::fs::write(&path, "[destinations.a]\ngroup = 1\n[channels.C1]\ncolour = 1\n").unwrap();
    let path = path.to_str().unwrap();
    let found = faulty(&[("CONFIG", path), ("FIVETRAN_GROUP_ID", ""), ("PORT", "many")]);
    let key = |key: &str| format!("{path}: {key}");
    let expected =
        [key("destinations.a.group"), key("destinations.a"), key("channels.C1.colour"), "PORT".to_owned()];
    assert!(expected.iter().all(|name| found.contains(name)), "{found:?}");
    assert_eq!(found.len(), 4, "{found:?}");
}

#[test]
fn a_key_may_hold_both_halves_and_the_address_may_end_in_v1() {
    for (key, secret) in [
        ("ZmFrZWtleTEyMzpmYWtlc2VjcmV0NDU2", ""),
        ("ZmFrZWtleTEyMzpmYWtlc2VjcmV0NDU2", "fakesecret456"),
        ("ZmFrZWtleTEyMzpmYWtlc2VjcmV0NDU2", "ZmFrZWtleTEyMzpmYWtlc2VjcmV0NDU2"),
        ("fakekey123", "ZmFrZWtleTEyMzpmYWtlc2VjcmV0NDU2"),
        ("fakekey123:fakesecret456", ""),
        ("", "ZmFrZWtleTEyMzpmYWtlc2VjcmV0NDU2"),
        ("", "basic ZmFrZWtleTEyMzpmYWtlc2VjcmV0NDU2"),
        ("ZmFrZWtleTEyMzpmYWtl\nc2VjcmV0NDU2", ""),
        ("ZmFrZWtleTEyMzpmYWtlc2VjcmV0NDU2Cg==", "ZmFrZWtleTEyMzpmYWtlc2VjcmV0NDU2"),
    ] {
        let set = [("FIVETRAN_API_KEY", key), ("FIVETRAN_API_SECRET", secret)];
        let config = with(&set).unwrap_or_else(|faults| panic!("{key}: {faults}"));
        let ApiKey { key, secret, .. } = config.fivetran.key;
        assert_eq!((key.expose_secret(), secret.expose_secret()), ("fakekey123", "fakesecret456"));
        assert_eq!(config.remarks.len(), 1, "{:?}", config.remarks);
        assert!(config.remarks[0].starts_with("FIVETRAN_API_"), "{:?}", config.remarks);
    }
    for url in
        ["https://api.fivetran.com/v1", "https://api.fivetran.com/v1/", "https://api.fivetran.com/v1//"]
    {
        let config = with(&[("FIVETRAN_API_URL", url)]).ok().unwrap();
        assert_eq!(config.fivetran.api_url, "https://api.fivetran.com", "{url}");
        assert_eq!(config.remarks.len(), 1);
    }
    assert_eq!(with(&[]).ok().unwrap().remarks, Vec::<String>::new());
}

#[test]
fn halves_of_two_keys_are_no_key_and_base64_of_a_half_is_none() {
    let whole = "ZmFrZWtleTEyMzpmYWtlc2VjcmV0NDU2";
    for (key, secret, blamed) in [
        (whole, "other", vec!["FIVETRAN_API_SECRET"]),
        ("otherkey", whole, vec!["FIVETRAN_API_SECRET"]),
        ("ZmFrZWtleTEyMw==", "", vec!["FIVETRAN_API_KEY", "FIVETRAN_API_SECRET"]),
        ("ZmFrZWtleTEyMw==", "ZmFrZXNlY3JldDQ1Ng==", vec!["FIVETRAN_API_KEY", "FIVETRAN_API_SECRET"]),
        // A secret may contain a colon, so that one is not the key.
        ("", "fakekey123:fakesecret456", vec!["FIVETRAN_API_KEY"]),
    ] {
        assert_eq!(
            faulty(&[("FIVETRAN_API_KEY", key), ("FIVETRAN_API_SECRET", secret)]),
            blamed,
            "{key} {secret}"
        );
    }
    let fivetran = with(&[("FIVETRAN_API_SECRET", "part:part")]).ok().unwrap().fivetran;
    assert_eq!(fivetran.key.secret.expose_secret(), "part:part");
}

#[test]
fn a_second_key_that_cannot_take_the_firsts_place_is_spoken_of() {
    let twice =
        with(&[("FIVETRAN_API_KEY_2", "key"), ("FIVETRAN_API_SECRET_2", "canary-secret")]).ok().unwrap();
    assert!(twice.fivetran.second_key.is_none());
    assert_eq!(
        twice.remarks,
        [
            "FIVETRAN_API_KEY_2 is the same key as FIVETRAN_API_KEY, so it cannot take its place; the bot passes over it"
        ]
    );
    assert_eq!(
        with(&[("FIVETRAN_API_KEY_2_EXPIRES", "2027-03-31")]).ok().unwrap().remarks,
        [
            "FIVETRAN_API_KEY_2_EXPIRES is set, but FIVETRAN_API_KEY_2 is not; did you mean FIVETRAN_API_KEY_EXPIRES?"
        ]
    );
}

#[test]
fn a_secret_in_a_file_is_what_a_person_put_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    let name = [("FIVETRAN_API_SECRET", ""), ("FIVETRAN_API_SECRET_FILE", path.to_str().unwrap())];
    for text in ["canary", "\u{FEFF}canary\r\n", "  canary\n\n"] {
        std::fs::write(&path, text).unwrap();
        let secret = with(&name).ok().unwrap().fivetran.key.secret;
        assert_eq!(secret.expose_secret(), "canary", "{text:?}");
    }
    std::fs::write(&path, "a2V5OmNh\nbmFyeQ==\n").unwrap();
    assert_eq!(
        with(&name).ok().unwrap().fivetran.key.secret.expose_secret(),
        "canary",
        "Base64 in two lines"
    );
    for text in ["", "\u{FEFF}\n", "canary\ncanary", "'canary'", "FIVETRAN_API_SECRET=canary", "c\0a\0n"] {
        std::fs::write(&path, text).unwrap();
        let faults = with(&name).err().unwrap();
        assert_eq!(faults.0.len(), 1, "{text:?}: {faults}");
        assert_eq!(faults.0[0].variable, "FIVETRAN_API_SECRET_FILE");
        assert!(!faults.to_string().contains("canary"), "{faults}");
    }
}

#[test]
fn a_misspelt_variable_is_told_where_it_is_missed() {
    let faults = with(&[("FIVETRAN_API_KEY", ""), ("FIVETRAN_APIKEY", "canary")]).err().unwrap();
    assert_eq!(
        faults.to_string(),
        "FIVETRAN_API_KEY is not set: FIVETRAN_APIKEY is set; rename it to FIVETRAN_API_KEY"
    );
    // What is set is not missed: others read such names.
    assert_eq!(with(&[("FIVETRAN_APIKEY", "canary")]).ok().unwrap().remarks, Vec::<String>::new());
    let config = with(&[("SLACK_TOKEN", "canary"), ("DATABASE_URI", "canary")]).ok().unwrap();
    assert_eq!(
        config.remarks,
        [
            "DATABASE_URI is no variable of this bot; did you mean DATABASE_URL?",
            "SLACK_TOKEN is no variable of this bot; did you mean SLACK_BOT_TOKEN?"
        ]
    );
    assert_eq!(faulty(&[("ALLOWED_GROUPS", "S1"), ("ALLOWED_USERS", "U0A")]), ["ALLOWED_GROUPS"]);
    assert_eq!(faulty(&[("LINK_VISIBILTY", "requester")]), ["LINK_VISIBILTY"], "everybody would see a link");
    assert_eq!(
        faulty(&[("ALLOWED_USERS_FILE", "/ids"), ("ALLOWED_USERS", "U0A")]),
        ["ALLOWED_USERS_FILE"],
        "a list beside it does not hold what the file does"
    );
}

#[cfg(unix)]
#[test]
fn a_value_that_is_not_utf_8_is_refused_and_not_left_out() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;

    for name in
        ["ALLOWED_USERS", "SLACK_BOT_TOKEN", "FIVETRAN_API_KEY", "CONFIG", "https_proxy", "DATABASE_URL_FILE"]
    {
        let full = FULL.map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let broken = (OsString::from(name), OsString::from_vec(b"U0A,\xFFcanary".to_vec()));
        let theirs = (OsString::from("LS_COLORS"), OsString::from_vec(b"\xFF".to_vec()));
        let faults = serve(&Vars::from_system(full.into_iter().chain([broken, theirs]))).err().unwrap();
        assert_eq!(faults.to_string(), format!("{name} is not a text in UTF-8: write it again, or unset it"));
    }
}

#[test]
fn a_proxy_may_be_set_in_small_letters_for_all_or_for_one_scheme() {
    let proxy = |changes: &[(&str, &str)], url: &str| {
        let proxies = with(changes).ok().unwrap().network.proxies;
        proxies.of(&url::Url::parse(url).unwrap()).map(ToString::to_string)
    };
    let slack = "https://slack.com";
    assert_eq!(proxy(&[], slack), None);
    assert_eq!(proxy(&[("HTTPS_PROXY", "a:1")], slack).as_deref(), Some("http://a:1/"));
    assert_eq!(proxy(&[("HTTPS_PROXY", "a:1")], "http://127.0.0.1:5"), None);
    assert_eq!(proxy(&[("http_proxy", "a:1")], "http://127.0.0.1:5").as_deref(), Some("http://a:1/"));
    assert_eq!(
        proxy(&[("HTTPS_PROXY", "a:1"), ("https_proxy", "b:1")], slack).as_deref(),
        Some("http://b:1/")
    );
    assert_eq!(proxy(&[("ALL_PROXY", "a:1"), ("HTTPS_PROXY", "b:1")], slack).as_deref(), Some("http://b:1/"));
    assert_eq!(proxy(&[("all_proxy", "a:1")], slack).as_deref(), Some("http://a:1/"));
    assert_eq!(proxy(&[("all_proxy", "a:1"), ("no_proxy", ".slack.com")], slack), None);
    // curl would not look at it.
    let (socks, both) = ("socks5://a:1", [("https_proxy", "b:1"), ("HTTP_PROXY", "c:1")]);
    for useless in [socks, "'quoted'", "\u{FFFD}"] {
        assert_eq!(faulty(&[("all_proxy", useless), both[0], both[1]]), Vec::<String>::new(), "{useless}");
    }
    assert_eq!(faulty(&[("all_proxy", socks), both[0]]), ["all_proxy"]);
    let config = with(&[("NO_PROXY", "192.168.*")]).ok().unwrap();
    assert!(config.remarks.iter().any(|remark| remark.starts_with("NO_PROXY")), "{:?}", config.remarks);
}

#[test]
fn a_proxy_of_the_process_wins_over_one_of_the_file_in_either_spelling() {
    let proxies = |process: &[(&str, &str)], file: &[(&str, &str)]| {
        let vars = Vars::from_pairs(process.iter().copied()).before(Vars::from_pairs(file.iter().copied()));
        let mut pairs: Vec<_> = vars.0.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.sort();
        pairs.join(" ")
    };
    assert_eq!(proxies(&[("HTTPS_PROXY", "a:1")], &[("https_proxy", "b:1")]), "HTTPS_PROXY=a:1");
    assert_eq!(proxies(&[("https_proxy", "a:1")], &[("HTTPS_PROXY", "b:1")]), "https_proxy=a:1");
    assert_eq!(
        proxies(&[("no_proxy", "*"), ("PORT", "1")], &[("HTTP_PROXY", "b:1"), ("PORT", "2")]),
        "HTTP_PROXY=b:1 PORT=1 no_proxy=*"
    );
}

#[test]
fn every_variable_that_is_read_has_its_name_in_the_list() {
    let files = [include_str!("reader.rs"), include_str!("keys.rs"), include_str!("slack.rs")];
    let text = [&files.concat(), include_str!("single.rs"), include_str!("../config.rs")].concat();
    let quoted = text.split('"').skip(1).step_by(2);
    let names = quoted.filter(|text| {
        text.len() > 3 && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
    });
    let read: std::collections::BTreeSet<_> =
        names.filter(|name| !name.starts_with("_") && !name.ends_with("_")).collect();
    assert_eq!(read, super::names::NAMES.into_iter().collect());
}
