//! What comes over a socket of Slack's, and what goes back: one JSON object a frame.
//!
//! Owns the shape of the frames. Who reads and writes them is `socket`'s to say. Each field is
//! read by itself, as in [`super::interaction`]: one in another shape counts as absent.
//!
//! <https://docs.slack.dev/apis/events-api/using-socket-mode>

use serde_json::{Value, json};

use crate::outbound::json as outside;

/// One frame from Slack.
///
/// No `Debug`: a payload holds a response_url.
pub enum Frame {
    /// The first: from now on envelopes may come.
    Hello {
        /// Whose app it is, if Slack says so.
        app_id: Option<String>,
        /// How many connections the app has, this one among them, if Slack says so.
        connections: Option<u64>,
    },
    /// The connection ends soon, or has ended for everything but the answers under way.
    Disconnect(Reason),
    /// Something that waits for an acknowledgement.
    Envelope(Envelope),
    /// Something else, which wants no answer.
    Other,
}

/// Why Slack ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It is replaced from time to time; another is to be opened. So is everything unknown.
    Refresh,
    /// Socket Mode was switched off in the app's settings.
    LinkDisabled,
    /// The app has more connections than Slack allows, which are ten.
    TooMany,
}

/// What Slack waits to have acknowledged, within three seconds.
pub struct Envelope {
    /// Its name, which the acknowledgement repeats.
    pub id: String,
    /// What is in it.
    pub kind: Kind,
    /// The same object that comes over HTTP: of a slash command its form's fields.
    pub payload: Value,
    /// Whether the acknowledgement may have an answer in it.
    pub takes_answer: bool,
}

/// What is in an envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Somebody typed a command.
    SlashCommand,
    /// Somebody did something with a message or a form.
    Interaction,
    /// Slack tells something of its own accord.
    Event,
    /// Something of tomorrow. It is acknowledged, or Slack would send it again.
    Another,
}

impl Frame {
    /// Reads a text frame; `None` if it is no JSON object, such as the greeting that Slack sends now and
    /// then to see whether somebody is there.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let Ok(Value::Object(mut frame)) = outside::of_text(text) else { return None };
        let payload = frame.remove("payload").unwrap_or_default();
        let frame = Value::Object(frame);
        let text = |path: &str| frame.pointer(path).and_then(Value::as_str);
        let kind = text("/type").unwrap_or_default();
        // Whatever has a name waits for an answer to it.
        if let Some(id) = text("/envelope_id").filter(|id| !id.is_empty()) {
            return Some(Self::Envelope(Envelope {
                id: id.to_owned(),
                kind: match kind {
                    "slash_commands" => Kind::SlashCommand,
                    "interactive" => Kind::Interaction,
                    "events_api" => Kind::Event,
                    _ => Kind::Another,
                },
                payload,
                takes_answer: frame.get("accepts_response_payload").and_then(Value::as_bool).unwrap_or(true),
            }));
        }
        Some(match kind {
            "hello" => Self::Hello {
                app_id: text("/connection_info/app_id").map(str::to_owned),
                connections: frame.get("num_connections").and_then(Value::as_u64),
            },
            "disconnect" => Self::Disconnect(match text("/reason").unwrap_or_default() {
                "link_disabled" => Reason::LinkDisabled,
                "too_many_websockets" => Reason::TooMany,
                _ => Reason::Refresh,
            }),
            _ => Self::Other,
        })
    }
}

impl Envelope {
    /// The text frame that acknowledges it, with what there is to say, where that is taken.
    #[must_use]
    pub fn acknowledged(&self, answer: Option<Value>) -> String {
        match answer.filter(|_| self.takes_answer) {
            Some(answer) => json!({ "envelope_id": self.id, "payload": answer }),
            None => json!({ "envelope_id": self.id }),
        }
        .to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn envelope(text: &str) -> Envelope {
        match Frame::read(text) {
            Some(Frame::Envelope(envelope)) => envelope,
            _ => panic!("no envelope: {text}"),
        }
    }

    #[test]
    fn a_hello_tells_whose_connection_it_is() {
        let text = r#"{"type":"hello","num_connections":2,"connection_info":{"app_id":"A1"},
                       "debug_info":{"host":"applink-1","approximate_connection_time":18060}}"#;
        let Some(Frame::Hello { app_id, connections }) = Frame::read(text) else { panic!("no hello") };
        assert_eq!((app_id.as_deref(), connections), (Some("A1"), Some(2)));
        for bare in [r#"{"type":"hello"}"#, r#"{"type":"hello","connection_info":[],"num_connections":"x"}"#]
        {
            assert!(
                matches!(Frame::read(bare), Some(Frame::Hello { app_id: None, connections: None })),
                "{bare}"
            );
        }
    }

    #[test]
    fn a_disconnect_is_a_refresh_unless_it_says_more() {
        for (reason, read) in [
            ("warning", Reason::Refresh),
            ("refresh_requested", Reason::Refresh),
            ("a_word_of_tomorrow", Reason::Refresh),
            ("link_disabled", Reason::LinkDisabled),
            ("too_many_websockets", Reason::TooMany),
        ] {
            let text = format!(r#"{{"type":"disconnect","reason":"{reason}","debug_info":{{}}}}"#);
            assert!(matches!(Frame::read(&text), Some(Frame::Disconnect(it)) if it == read), "{reason}");
        }
        assert!(matches!(Frame::read(r#"{"type":"disconnect"}"#), Some(Frame::Disconnect(Reason::Refresh))));
    }

    #[test]
    fn an_envelope_is_acknowledged_by_its_name() {
        let text = r#"{"envelope_id":"e-1","type":"slash_commands","accepts_response_payload":true,
                       "payload":{"command":"/connect-card"}}"#;
        let one = envelope(text);
        assert_eq!((one.kind, &one.payload["command"]), (Kind::SlashCommand, &json!("/connect-card")));
        assert_eq!(one.acknowledged(None), r#"{"envelope_id":"e-1"}"#);
        let answer = Some(json!({"text": "x"}));
        assert_eq!(one.acknowledged(answer.clone()), r#"{"envelope_id":"e-1","payload":{"text":"x"}}"#);
        let closed =
            envelope(r#"{"envelope_id":"e-2","type":"interactive","accepts_response_payload":false}"#);
        assert_eq!(
            (closed.kind, closed.acknowledged(answer)),
            (Kind::Interaction, r#"{"envelope_id":"e-2"}"#.to_owned())
        );
        // What nobody knows yet must be acknowledged too.
        for (name, kind) in [("events_api", Kind::Event), ("tomorrow", Kind::Another)] {
            assert_eq!(envelope(&format!(r#"{{"envelope_id":"e","type":"{name}"}}"#)).kind, kind);
        }
    }

    #[test]
    fn what_is_no_object_is_nothing() {
        for text in ["", "Ping from applink-1", "[]", "7", "{", "null"] {
            assert!(Frame::read(text).is_none(), "{text}");
        }
        for text in ["{}", r#"{"type":"tomorrow"}"#, r#"{"type":["hello"]}"#, r#"{"envelope_id":7}"#] {
            assert!(matches!(Frame::read(text), Some(Frame::Other)), "{text}");
        }
    }

    #[test]
    fn half_a_character_spoils_no_envelope() {
        let text = r#"{"envelope_id":"e","type":"slash_commands","payload":{"text":"a \ud83d b"}}"#;
        assert!(envelope(text).payload["text"].as_str().unwrap().starts_with("a "));
    }
}
