//! What `conversations.info` tells, and to whom.

use serde_json::{Value, json};

use super::{api, stand_in};
use crate::slack::{ENTERPRISE_ID, OTHER_TEAM_ID, SIBLING_TEAM_ID, SlackStandIn, TEAM_ID};

async fn info(slack: &SlackStandIn, channel: &str) -> Value {
    api(slack, "conversations.info", json!({ "channel": channel })).await
}

#[tokio::test]
async fn a_conversation_is_told_to_those_with_the_scope_of_its_kind() {
    let slack = stand_in().await;
    let any = "channels:read,groups:read,im:read,mpim:read";
    for (scopes, channel, error, needed) in [
        (&["commands"][..], "C0CUSTOMER", "missing_scope", any),
        (&["commands"], "C0NOWHERE", "missing_scope", any),
        (&["channels:read"], "C0CUSTOMER", "", ""),
        (&["channels:read"], "C0AUDIT", "missing_scope", "groups:read"),
        (&["groups:read"], "C0CUSTOMER", "missing_scope", "channels:read"),
        (&["groups:read"], "C0AUDIT", "", ""),
        // What the bot is not in, it cannot know the kind of.
        (&["channels:read", "groups:read"], "C0PRIVATE", "channel_not_found", ""),
        (&["channels:read"], "C0NOWHERE", "channel_not_found", ""),
    ] {
        slack.set_scopes(scopes);
        let told = info(&slack, channel).await;
        let word = |field: &str| told[field].as_str().unwrap_or_default().to_owned();
        assert_eq!((word("error"), word("needed")), (error.to_owned(), needed.to_owned()), "{channel}");
    }
    slack.shutdown();
}

#[tokio::test]
async fn a_shared_channel_names_the_parties_and_the_own_workspaces() {
    let slack = stand_in().await;
    let told = info(&slack, "C0CUSTOMER").await["channel"].clone();
    assert_eq!((&told["is_ext_shared"], &told["connected_team_ids"]), (&json!(false), &Value::Null));
    slack.share("C0CUSTOMER", &[OTHER_TEAM_ID, "E0THIRD"], &["T0FOURTH"]);
    let told = info(&slack, "C0CUSTOMER").await["channel"].clone();
    assert_eq!(told["connected_team_ids"], json!([TEAM_ID, OTHER_TEAM_ID, "E0THIRD"]));
    assert_eq!(told["internal_team_ids"], json!([TEAM_ID]));
    assert_eq!(told["pending_connected_team_ids"], json!(["T0FOURTH"]));
    assert_eq!((&told["is_ext_shared"], &told["is_org_shared"]), (&json!(true), &json!(false)));
    slack.join_organisation();
    let told = info(&slack, "C0CUSTOMER").await["channel"].clone();
    assert_eq!(told["connected_team_ids"], json!([ENTERPRISE_ID, OTHER_TEAM_ID, "E0THIRD"]));
    assert_eq!(told["internal_team_ids"], json!([TEAM_ID, SIBLING_TEAM_ID]));
    let told = info(&slack, "C0AUDIT").await["channel"].clone();
    assert_eq!((&told["is_ext_shared"], &told["is_org_shared"]), (&json!(false), &json!(true)));
    slack.shutdown();
}
