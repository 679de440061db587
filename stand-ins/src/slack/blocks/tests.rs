//! Each limit, met exactly and passed by one.

use serde_json::json;

use super::*;

fn button(text: &str, url: &str) -> Value {
    json!({ "type": "actions", "elements": [{
        "type": "button", "action_id": "open", "url": url,
        "text": { "type": "plain_text", "text": text },
    }] })
}

#[test]
fn a_usual_message_passes() {
    let message = json!({ "text": "hello", "blocks": [
        { "type": "section", "text": { "type": "mrkdwn", "text": "*Hi*", "verbatim": true } },
        button("Connect", "https://fivetran.com/x"),
        { "type": "context", "elements": [{ "type": "mrkdwn", "text": "until tomorrow" }] },
    ] });
    assert_eq!(block_faults(&message), Vec::<String>::new());
}

#[test]
fn every_limit_is_met_exactly() {
    for (length, faults) in [(75, 0), (76, 1)] {
        let message = json!({ "blocks": [button(&"ä".repeat(length), "https://x.test")] });
        assert_eq!(block_faults(&message).len(), faults, "button text {length}");
    }
    for (length, faults) in [(3000, 0), (3001, 1)] {
        let url = format!("https://{}", "x".repeat(length - 8));
        let message = json!({ "blocks": [button("Go", &url)] });
        assert_eq!(block_faults(&message).len(), faults, "button url {length}");
    }
    for (count, faults) in [(50, 0), (51, 1)] {
        let message = json!({ "blocks": vec![json!({ "type": "divider" }); count] });
        assert_eq!(block_faults(&message).len(), faults, "{count} blocks");
    }
}

#[test]
fn a_modal_with_inputs_wants_submit() {
    let mut modal = json!({
        "type": "modal", "title": { "type": "plain_text", "text": "New" },
        "blocks": [{ "type": "input", "block_id": "s",
            "label": { "type": "plain_text", "text": "Schema" },
            "element": { "type": "plain_text_input", "action_id": "a" } }],
    });
    assert_eq!(block_faults(&modal), ["view: submit is required with input blocks"]);
    modal["submit"] = json!({ "type": "plain_text", "text": "Create" });
    assert!(block_faults(&modal).is_empty());
    modal["title"]["text"] = json!("x".repeat(25));
    assert_eq!(block_faults(&modal).len(), 1);
}

#[test]
fn unknown_things_and_twins_are_refused() {
    let message = json!({ "blocks": [
        { "type": "sektion" },
        { "type": "divider", "block_id": "b" },
        { "type": "divider", "block_id": "b" },
        { "type": "actions", "elements": [{ "type": "knob", "action_id": "k" }] },
    ] });
    assert_eq!(block_faults(&message).len(), 3);
}

#[test]
fn a_button_leads_to_a_web_address() {
    for (url, faults) in [
        ("https://x.test/?a=1&b=2", 0),
        ("http://[::1]:80/", 0),
        ("https://", 1),
        ("x.test", 1),
        ("ftp://x.test", 1),
    ] {
        let message = json!({ "blocks": [button("Go", url)] });
        assert_eq!(block_faults(&message).len(), faults, "{url}");
    }
}

fn faults_of(block: Value) -> Vec<String> {
    block_faults(&json!({ "blocks": [block] }))
}

fn plain(text: &str) -> Value {
    json!({ "type": "plain_text", "text": text })
}

#[test]
fn a_field_is_known_and_says_something() {
    // grafana/oncall #702, slack-go #612, java-slack-sdk #853.
    let emoji = json!({ "type": "mrkdwn", "text": "x", "emoji": true });
    let option = json!({ "text": plain("x"), "value": "x", "url": "" });
    for (ill, fault) in [
        (json!({ "type": "section", "text": emoji }), "blocks[0].text: invalid additional property: emoji"),
        (json!({ "type": "section", "text": plain("x"), "accessory": null }), "blocks[0]: accessory is null"),
        (json!({ "type": "divider", "colour": "red" }), "blocks[0]: invalid additional property: colour"),
        (
            json!({ "type": "actions", "elements": [
                { "type": "static_select", "action_id": "a", "options": [option] },
            ] }),
            "blocks[0].elements[0].options[0]: invalid additional property: url",
        ),
        (
            json!({ "type": "section", "expand": "true", "text": plain("x") }),
            "blocks[0]: expand is not a boolean",
        ),
    ] {
        assert_eq!(faults_of(ill), [fault]);
    }
}

#[test]
fn an_element_stands_where_it_belongs() {
    let button = json!({ "type": "button", "action_id": "a", "text": plain("Go") });
    let entry = json!({ "type": "plain_text_input", "action_id": "a" });
    let image = json!({ "type": "image", "image_url": "https://x.test/i.png", "alt_text": "i" });
    let section =
        |accessory: &Value| json!({ "type": "section", "text": plain("x"), "accessory": accessory });
    let actions = |element: &Value| json!({ "type": "actions", "elements": [element] });
    for well in [section(&button), section(&image), actions(&button)] {
        assert_eq!(faults_of(well), Vec::<String>::new());
    }
    for ill in [section(&entry), actions(&entry), actions(&image)] {
        assert_eq!(faults_of(ill.clone()).len(), 1, "{ill}");
    }
    let view = |element: &Value| {
        json!({ "type": "modal", "title": plain("New"), "submit": plain("Go"), "blocks": [
            { "type": "input", "label": plain("x"), "element": element },
        ] })
    };
    assert_eq!((block_faults(&view(&entry)).len(), block_faults(&view(&button)).len()), (0, 1));
}

#[test]
fn a_menu_has_options_of_which_some_are_chosen() {
    // slack.md, 6.1: 100 options of 75 characters; 5 of an overflow, 10 of radio buttons.
    let option = |value: usize| json!({ "text": plain("x"), "value": value.to_string() });
    let menu = |kind: &str, count: usize| {
        let options: Vec<_> = (0..count).map(option).collect();
        json!({ "type": "actions", "elements": [{ "type": kind, "action_id": "a", "options": options }] })
    };
    for (kind, most) in [("static_select", 100), ("overflow", 5), ("radio_buttons", 10), ("checkboxes", 10)] {
        let faults = [0, 1, most, most + 1].map(|count| faults_of(menu(kind, count)).len());
        assert_eq!(faults, [1, 0, 0, 1], "{kind}");
    }
    let mut chosen = menu("static_select", 2);
    chosen["elements"][0]["initial_option"] = option(1);
    assert!(faults_of(chosen.clone()).is_empty());
    chosen["elements"][0]["initial_option"] = option(2);
    assert_eq!(faults_of(chosen), ["blocks[0].elements[0]: an initial option is none of the options"]);
    let mut marked = menu("static_select", 1);
    marked["elements"][0]["options"][0]["text"] = json!({ "type": "mrkdwn", "text": "*x*" });
    assert_eq!(faults_of(marked), ["blocks[0].elements[0].options[0].text: must be plain_text"]);
}

#[test]
fn suggestions_are_options() {
    let option = |n: usize| json!({ "text": plain("x"), "value": n.to_string() });
    let answer = |count: usize| json!({ "options": (0..count).map(option).collect::<Vec<_>>() });
    // slack.md, 6.2: at most 100.
    assert_eq!([0, 100, 101].map(|count| suggestion_faults(&answer(count)).len()), [0, 0, 1]);
    assert_eq!(suggestion_faults(&json!({})), ["answer: options or option_groups are required"]);
}
