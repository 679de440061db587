//! Everything that people can be shown, held to Slack's limits and to the words in
//! `fixtures/gallery`. `UPDATE_GOLDEN=1 cargo test gallery` rewrites those.

use std::collections::BTreeSet;
use std::path::PathBuf;

use connect_card::cli::gallery::{Entry, Kind, entries};
use serde_json::{Value, json};
use stand_ins::slack::block_faults;

use crate::harness::{Program, objects, strings};

fn golden_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/gallery")
}

/// The limits that a payload breaks.
fn faults(entry: &Entry) -> Vec<String> {
    match entry.kind {
        Kind::Message | Kind::Modal | Kind::Home => block_faults(&entry.payload),
        // As the choices of a select, whose limits they share; none at all is allowed.
        Kind::Options if entry.payload["options"] == json!([]) => Vec::new(),
        Kind::Options => {
            let mut select = entry.payload.clone();
            (select["type"], select["action_id"]) = (json!("static_select"), json!("any"));
            block_faults(&json!({ "blocks": [{ "type": "actions", "elements": [select] }] }))
        }
    }
}

#[test]
fn everything_keeps_slacks_limits() {
    for entry in entries() {
        assert_eq!(faults(&entry), Vec::<String>::new(), "{}", entry.name);
        let text = entry.payload["text"].as_str().unwrap_or_default();
        match entry.kind {
            Kind::Message => {
                assert!(!text.is_empty() && text.chars().count() <= 3000, "{}", entry.name);
            }
            Kind::Modal => assert_eq!(entry.payload["type"], "modal", "{}", entry.name),
            Kind::Home => assert_eq!(entry.payload["type"], "home", "{}", entry.name),
            Kind::Options => {}
        }
    }
}

#[test]
fn links_are_obviously_fake_and_only_in_buttons() {
    let mut links = 0;
    for entry in entries() {
        for (path, text) in strings(&entry.payload) {
            if text.contains("://") {
                let buttons = [".blocks[].elements[].url", ".blocks[].accessory.url"];
                assert!(buttons.contains(&path.as_str()), "{}: {path}", entry.name);
                assert!(text.starts_with("https://example.invalid/not-a-link"), "{}: {text}", entry.name);
                links += 1;
            }
        }
    }
    assert_eq!(links, 52);
}

#[test]
fn nothing_in_markup_is_what_somebody_typed() {
    for entry in entries() {
        for object in objects(&entry.payload) {
            let text = object.get("text").and_then(Value::as_str).unwrap_or_default();
            if object.get("type") == Some(&json!("mrkdwn")) {
                assert_eq!(object.get("verbatim"), Some(&json!(true)), "{}", entry.name);
                assert!(!text.contains("<!channel") && !text.contains("<!here"), "{}: {text}", entry.name);
            }
        }
        let text = entry.payload["text"].as_str().unwrap_or_default();
        assert!(!text.contains("<!"), "{}: {text}", entry.name);
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a variable of this test alone")]
fn everything_reads_as_in_the_golden_files() {
    let folder = golden_folder();
    let rewrite = std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1");
    let entries = entries();
    let names: BTreeSet<_> = entries.iter().map(|entry| format!("{}.json", entry.name)).collect();
    assert_eq!(names.len(), entries.len(), "each name is there once");
    if rewrite {
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
    }
    let mut changed = Vec::new();
    for entry in &entries {
        let path = folder.join(format!("{}.json", entry.name));
        let text = format!("{}\n", serde_json::to_string_pretty(&entry.payload).unwrap());
        if rewrite {
            std::fs::write(&path, text).unwrap();
        } else if std::fs::read_to_string(&path).unwrap_or_default() != text {
            changed.push(&entry.name);
        }
    }
    assert!(changed.is_empty(), "{changed:?} changed; if that is meant: UPDATE_GOLDEN=1 cargo test gallery");
    let there: BTreeSet<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(there, names, "a golden file for each entry and none besides");
}

#[tokio::test]
async fn the_sandbox_prints_the_gallery() {
    let output = Program::bare().run(&["sandbox", "--gallery"]).await;
    assert_eq!((output.code, output.stderr.as_str()), (0, ""));
    let lines: Vec<Value> = output.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), entries().len());
    for line in lines {
        let keys: Vec<_> = line.as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, ["kind", "name", "payload"]);
        assert!(matches!(line["kind"].as_str(), Some("message" | "modal" | "home" | "options")), "{line}");
    }
}
