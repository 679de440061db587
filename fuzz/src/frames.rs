//! Frames of Socket Mode.

use connect_card::slack::SlashCommand;
use connect_card::slack::envelope::{Frame, Kind};
use connect_card::slack::event::Event;
use connect_card::slack::interaction::Interaction;
use serde_json::{Value, json};

use crate::requests::origins;

/// A text frame. Whatever has a name is acknowledged by that name, and with an answer only where one is taken.
pub fn envelope(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let read: Option<Value> = serde_json::from_str(text).ok();
    let Some(frame) = Frame::read(text) else {
        assert!(!read.is_some_and(|it| it.is_object()), "a frame was not read");
        return;
    };
    let said = |path: &str| read.as_ref().and_then(|it| it.pointer(path)?.as_str().map(str::to_owned));
    let Frame::Envelope(envelope) = frame else {
        assert!(said("/envelope_id").is_none_or(|it| it.is_empty()), "Slack would send it again");
        return;
    };
    if read.is_some() {
        assert_eq!(Some(envelope.id.as_str()), said("/envelope_id").as_deref());
    }
    let takes_none = read.as_ref().is_some_and(|it| it["accepts_response_payload"] == json!(false));
    for answer in [None, Some(json!({ "text": "<&>\u{0}" }))] {
        let sent: Value = serde_json::from_str(&envelope.acknowledged(answer.clone())).unwrap();
        assert_eq!(sent["envelope_id"].as_str(), Some(envelope.id.as_str()));
        assert_eq!(sent.get("payload").cloned(), answer.filter(|_| !takes_none));
    }
    // A payload of one kind in the envelope of another does no harm.
    let command = SlashCommand::of_payload(&envelope.payload, &origins());
    let interaction = Interaction::of_payload(&envelope.payload);
    let event = Event::of_payload(&envelope.payload);
    let _ = (command.is_ok(), interaction.known_kind(), matches!(event, Event::Another(_)));
    let kind = said("/type").unwrap_or_default();
    if read.is_some() {
        assert_eq!(envelope.kind == Kind::SlashCommand, kind == "slash_commands");
        assert_eq!(envelope.kind == Kind::Interaction, kind == "interactive");
        assert_eq!(envelope.kind == Kind::Event, kind == "events_api");
    }
}
