//! What an app may say on a socket: one acknowledgement an envelope, and nothing else.
//!
//! Owns how such a frame is read and the names of what it can break, by docs.slack.dev,
//! apis/events-api/using-socket-mode. Pure; must not know which envelopes there are.

use std::fmt;

use serde_json::Value;

/// What a frame has broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// The frames are what RFC 6455 allows.
    WebSocket,
    /// A frame is text.
    Text,
    /// It is a JSON object.
    Object,
    /// It names its envelope.
    EnvelopeId,
    /// It has no fields but `envelope_id` and `payload`, which is an object.
    Fields,
    /// The envelope was sent.
    Known,
    /// It was sent on this socket.
    SameSocket,
    /// It has not been acknowledged here before.
    Once,
    /// It was sent less than three seconds ago.
    InTime,
    /// It accepts a payload, where there is one.
    Accepted,
    /// The payload is one that Slack takes as the answer.
    Payload,
}

/// A frame that Slack makes nothing of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// What it has broken.
    pub rule: Rule,
    /// The frame, or what is wrong with it.
    pub said: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.rule, self.said)
    }
}

/// An acknowledgement as it was said.
#[derive(Debug, PartialEq)]
pub(super) struct Acknowledged {
    pub(super) envelope_id: String,
    /// What is answered with it. The empty object that Slack's own SDK for Node always sends is nothing.
    pub(super) payload: Option<Value>,
}

/// Reads a frame's text.
pub(super) fn read(text: &str) -> Result<Acknowledged, Rule> {
    let Ok(Value::Object(mut fields)) = serde_json::from_str(text) else { return Err(Rule::Object) };
    let Some(Value::String(envelope_id)) = fields.remove("envelope_id") else {
        return Err(Rule::EnvelopeId);
    };
    let payload = match fields.remove("payload") {
        None => None,
        Some(Value::Object(payload)) if payload.is_empty() => None,
        Some(Value::Object(payload)) => Some(Value::Object(payload)),
        Some(_) => return Err(Rule::Fields),
    };
    if !fields.is_empty() {
        return Err(Rule::Fields);
    }
    Ok(Acknowledged { envelope_id, payload })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_acknowledgement_names_its_envelope_and_may_carry_an_object() {
        let read = |text: &str| read(text).map(|ack| (ack.envelope_id, ack.payload));
        assert_eq!(read(r#"{"envelope_id":"a"}"#), Ok(("a".to_owned(), None)));
        // node-slack-sdk, SocketModeClient.send.
        assert_eq!(read(r#"{"envelope_id":"a","payload":{}}"#), Ok(("a".to_owned(), None)));
        let answered = Some(json!({ "text": "x" }));
        assert_eq!(read(r#"{"payload":{"text":"x"},"envelope_id":"a"}"#), Ok(("a".to_owned(), answered)));
        for (said, rule) in [
            ("", Rule::Object),
            ("ok", Rule::Object),
            ("[]", Rule::Object),
            ("{}", Rule::EnvelopeId),
            (r#"{"envelope_id":7}"#, Rule::EnvelopeId),
            (r#"{"envelope_id":"a","payload":"x"}"#, Rule::Fields),
            (r#"{"envelope_id":"a","payload":null}"#, Rule::Fields),
            (r#"{"envelope_id":"a","type":"ack"}"#, Rule::Fields),
        ] {
            assert_eq!(read(said), Err(rule), "{said}");
        }
    }
}
