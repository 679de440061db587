//! Slack's tokens by their look, so that whoever pasted another one learns which it is.
//!
//! Owns what may stand in `SLACK_BOT_TOKEN` and in `SLACK_APP_TOKEN`, and what to do about anything else. Must not know where
//! the text came from, and repeats none of it.
//! <https://docs.slack.dev/authentication/tokens>

/// What is wrong with a text that is not the token it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What it is, after the variable's name.
    pub what: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

/// Where the right one is.
const COPY: &str = "copy the Bot User OAuth Token (xoxb-…) from OAuth & Permissions in the app's settings";
/// Where the other one is.
const MAKE: &str = "make an app-level token (xapp-…) with the scope connections:write under Basic Information > App-Level Tokens";
/// What stands in examples in the place of a token.
const PLACEHOLDERS: [&str; 5] = ["...", "…", "***", "your", "xxx"];

/// Whether a text can be a bot token that lasts.
///
/// # Errors
/// [`Fault`].
pub fn check(text: &str) -> Result<(), Fault> {
    let fault = |what, remedy| Err(Fault { what, remedy });
    in_one_piece(text)?;
    if text.contains("hooks.slack.com") || text.starts_with("http") {
        return fault(
            "is a web address, such as that of an incoming webhook",
            "the bot posts with a token: copy the Bot User OAuth Token (xoxb-…) from OAuth & Permissions",
        );
    }
    match kind(text) {
        Kind::Bot(rest) => whole(rest, "is not a whole bot token", COPY),
        Kind::App(_) => fault("is an app-level token, which can only open Socket Mode connections", COPY),
        Kind::Other(what, remedy) => fault(what, remedy),
    }
}

/// Whether a text can be an app-level token.
///
/// # Errors
/// [`Fault`].
pub fn check_app(text: &str) -> Result<(), Fault> {
    in_one_piece(text)?;
    match kind(text) {
        Kind::App(rest) => whole(rest, "is not a whole app-level token", MAKE),
        Kind::Bot(_) => Err(Fault { what: "is a bot token, which opens no sockets", remedy: MAKE }),
        Kind::Other(NO_TOKEN, _) => Err(Fault { what: "is not an app-level token", remedy: MAKE }),
        Kind::Other(what, _) => Err(Fault { what, remedy: MAKE }),
    }
}

/// Whether nothing of how it was copied is left around it.
fn in_one_piece(text: &str) -> Result<(), Fault> {
    let fault = |what, remedy| Err(Fault { what, remedy });
    let quote = |c: char| matches!(c, '"' | '\'' | '`' | '“' | '”' | '‘' | '’');
    if text.starts_with(quote) || text.ends_with(quote) {
        return fault("has quotation marks in it", "leave them out");
    }
    let first = text.split_whitespace().next().unwrap_or_default();
    if first.eq_ignore_ascii_case("bearer") {
        return fault("begins with the word Bearer", "leave that word out");
    }
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return fault("has a blank or a line break in it", "copy the token again, in one piece");
    }
    Ok(())
}

/// Whether what follows the prefix can be a token's.
fn whole(rest: &str, cut: &'static str, copy: &'static str) -> Result<(), Fault> {
    // At the beginning alone: what follows in a real one is left to chance.
    if PLACEHOLDERS.iter().any(|known| rest.to_ascii_lowercase().starts_with(known)) {
        return Err(Fault { what: "is an example, not a token", remedy: copy });
    }
    if rest.is_empty() || !rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Err(Fault { what: cut, remedy: "copy the token again, in one piece" });
    }
    Ok(())
}

/// Of what is none of Slack's tokens.
const NO_TOKEN: &str = "is not a bot token";

enum Kind<'a> {
    /// A bot token; what follows its prefix.
    Bot(&'a str),
    /// An app-level token; what follows its prefix.
    App(&'a str),
    /// What it is instead, and what to do.
    Other(&'static str, &'static str),
}

fn kind(text: &str) -> Kind<'_> {
    let is = |prefix: &str| text.starts_with(prefix);
    if let Some(rest) = text.strip_prefix("xoxb-") {
        return Kind::Bot(rest);
    }
    if let Some(rest) = text.strip_prefix("xapp-") {
        return Kind::App(rest);
    }
    let (what, remedy) = if is("xoxe.xoxb-") {
        (
            "is a bot token that expires after 12 hours: token rotation is on for this app, and Slack cannot switch it off again",
            "create a new app from the manifest (connect-card manifest), where rotation is off, install it, and use its token and its signing secret",
        )
    } else if is("xoxe.xoxp-") {
        ("is an app configuration token, or a user token that expires", COPY)
    } else if is("xoxe-") {
        (
            "is a refresh token: token rotation is on for this app, and Slack cannot switch it off again",
            "create a new app from the manifest (connect-card manifest), where rotation is off, install it, and use its token and its signing secret",
        )
    } else if is("xoxp-") {
        ("is a user token, which would post in that person's name", COPY)
    } else if is("xoxa-") {
        ("is a token of a kind that Slack has retired (xoxa-)", COPY)
    } else if is("xoxr-") {
        ("is a refresh token of a kind that Slack has retired (xoxr-)", COPY)
    } else if is("xoxc-") || is("xoxs-") || is("xoxd-") {
        ("is the session of somebody's browser, and gives away all that person's rights", COPY)
    } else if is("xwfp-") {
        ("is a workflow token, which lasts for 15 minutes", COPY)
    } else if text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        ("looks like a signing secret or a client secret", COPY)
    } else if text.to_ascii_lowercase().starts_with("xoxb") {
        ("is not written like a bot token, which begins with xoxb- in small letters", COPY)
    } else {
        (NO_TOKEN, "use the one under OAuth & Permissions that starts with xoxb-, or unset it")
    };
    Kind::Other(what, remedy)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_bot_token_that_lasts_is_taken() {
        // In pieces, or scanners of repositories take it for a leak.
        let whole = ["xoxb", "2444333222111", "2444333222112", "AbCdEfGhIjKlMnOpQrStUvWx"].join("-");
        assert_eq!(check(&whole), Ok(()));
        assert_eq!(check("xoxb-sandbox-not-a-real-token"), Ok(()));
    }

    #[test]
    fn an_app_level_token_is_taken_and_nothing_else() {
        let whole = ["xapp", "1", "A0123456789", "2444333222111", "0123456789abcdef"].join("-");
        assert_eq!(check_app(&whole), Ok(()));
        for (text, what) in [
            ("xoxb-1-2-abcdef", "is a bot token, which opens no sockets"),
            ("xoxp-1-2-3-abcdef", "is a user token, which would post in that person's name"),
            ("xapp-…", "is an example, not a token"),
            ("xapp-", "is not a whole app-level token"),
            ("xapp-1 2", "has a blank or a line break in it"),
            ("\"xapp-1-2\"", "has quotation marks in it"),
            ("hunter2", "is not an app-level token"),
        ] {
            assert_eq!(check_app(text).unwrap_err().what, what, "{text}");
        }
    }

    #[test]
    fn everything_else_is_called_by_its_name() {
        let mut table = String::new();
        for text in [
            "xoxe.xoxb-1-abcdef",
            "xoxe.xoxp-1-abcdef",
            "xoxe-1-abcdef",
            "xoxp-1-2-3-abcdef",
            "xapp-1-A0-1-abcdef",
            "xoxa-2-abcdef",
            "xoxr-abcdef",
            "xoxc-1-2-abcdef",
            "xwfp-1-2-abcdef",
            "https://hooks.slack.com/services/T0/B0/abcdef",
            "hooks.slack.com/services/T0/B0/abcdef",
            "\"xoxb-1-2-abcdefghij\"",
            "Bearer xoxb-1-2-abcdefghij",
            "xoxb-1-2-abcde fghij",
            "xoxb-your-bot-token",
            "xoxb-…",
            "xoxb-",
            "xoxb-1-2-abcdefghij;",
            "XOXB-1-2-abcdefghij",
            "0123456789abcdef0123456789abcdef",
            "hunter2",
        ] {
            let Fault { what, remedy } = check(text).unwrap_err();
            assert!(!what.contains("abcdef") && !remedy.contains("abcdef"));
            table += &format!("{text}: {what}; {remedy}\n");
        }
        expect![[r#"
            xoxe.xoxb-1-abcdef: is a bot token that expires after 12 hours: token rotation is on for this app, and Slack cannot switch it off again; create a new app from the manifest (connect-card manifest), where rotation is off, install it, and use its token and its signing secret
            xoxe.xoxp-1-abcdef: is an app configuration token, or a user token that expires; copy the Bot User OAuth Token (xoxb-…) from OAuth & Permissions in the app's settings
            xoxe-1-abcdef: is a refresh token: token rotation is on for this app, and Slack cannot switch it off again; create a new app from the manifest (connect-card manifest), where rotation is off, install it, and use its token and its signing secret
            xoxp-1-2-3-abcdef: is a user token, which would post in that person's name; copy the Bot User OAuth Token (xoxb-…) from OAuth & Permissions in the app's settings
            xapp-1-A0-1-abcdef: is an app-level token, which can only open Socket Mode connections; copy the Bot User OAuth Token (xoxb-…) from OAuth & Permissions in the app's settings
            xoxa-2-abcdef: is a token of a kind that Slack has retired (xoxa-); copy the Bot User OAuth Token (xoxb-…) from OAuth & Permissions in the app's settings
            xoxr-abcdef: is a refresh token of a kind that Slack has retired (xoxr-); copy the Bot User OAuth Token (xoxb-…) from OAuth & Permissions in the app's settings
            xoxc-1-2-abcdef: is the session of somebody's browser, and gives away all that person's rights; copy the Bot User OAuth Token (xoxb-…) from OAuth & Permissions in the app's settings
            xwfp-1-2-abcdef: is a workflow token, which lasts for 15 minutes; copy the Bot User OAuth Token (xoxb-…) from OAuth & Permissions in the app's settings
            https://hooks.slack.com/services/T0/B0/abcdef: is a web address, such as that of an incoming webhook; the bot posts with a token: copy the Bot User OAuth Token (xoxb-…) from OAuth & Permissions
            hooks.slack.com/services/T0/B0/abcdef: is a web address, such as that of an incoming webhook; the bot posts with a token: copy the Bot User OAuth Token (xoxb-…) from OAuth & Permissions
            "xoxb-1-2-abcdefghij": has quotation marks in it; leave them out
            Bearer xoxb-1-2-abcdefghij: begins with the word Bearer; leave that word out
            xoxb-1-2-abcde fghij: has a blank or a line break in it; copy the token again, in one piece
            xoxb-your-bot-token: is an example, not a token; copy the Bot User OAuth Token (xoxb-…) from OAuth & Permissions in the app's settings
            xoxb-…: is an example, not a token; copy the Bot User OAuth Token (xoxb-…) from OAuth & Permissions in the app's settings
            xoxb-: is not a whole bot token; copy the token again, in one piece
            xoxb-1-2-abcdefghij;: is not a whole bot token; copy the token again, in one piece
            XOXB-1-2-abcdefghij: is not written like a bot token, which begins with xoxb- in small letters; copy the Bot User OAuth Token (xoxb-…) from OAuth & Permissions in the app's settings
            0123456789abcdef0123456789abcdef: looks like a signing secret or a client secret; copy the Bot User OAuth Token (xoxb-…) from OAuth & Permissions in the app's settings
            hunter2: is not a bot token; use the one under OAuth & Permissions that starts with xoxb-, or unset it
        "#]].assert_eq(&table);
    }
}
