//! Bodies of Slack's requests: forms, payloads and events.

use connect_card::slack::event::Event;
use connect_card::slack::id;
use connect_card::slack::interaction::Interaction;
use connect_card::slack::{NotACommand, SlashCommand, is_ssl_check, is_typed};
use serde_json::{Map, Value};
use url::{Origin, Url};

/// The fields of a slash command that are read.
const FIELDS: [&str; 9] = [
    "team_id",
    "enterprise_id",
    "channel_id",
    "channel_name",
    "user_id",
    "command",
    "text",
    "response_url",
    "trigger_id",
];

/// Where a response_url may lead.
pub(crate) fn origins() -> Vec<Origin> {
    ["https://hooks.slack.com", "https://hooks.slack-gov.com"]
        .map(|url| Url::parse(url).unwrap().origin())
        .into()
}

/// The form of a slash command. It says what another reader of forms says, and a socket brings the same.
pub fn form(body: &[u8]) {
    let read = SlashCommand::decode(body, &origins());
    let pairs: Vec<_> = form_urlencoded::parse(body).collect();
    assert_eq!(is_typed(body), pairs.iter().any(|(name, _)| name == "command"));
    if is_ssl_check(body) {
        assert!(read.is_err() && pairs.iter().all(|(name, _)| name == "ssl_check" || name == "token"));
    }
    let is_text = |field: &[u8]| {
        // Of a name nobody reads that is none of these, nothing is asked.
        let value = field.iter().position(|&byte| byte == b'=').map_or(field.len(), |at| at + 1);
        std::str::from_utf8(&bytes_of(&field[value..])).is_ok()
    };
    if !body.split(|&byte| byte == b'&').all(is_text) {
        assert!(read.is_err(), "bytes that are no text were read as one");
        return;
    }
    let values = |field: &str| {
        let of_field = pairs.iter().filter(|(name, _)| name == field);
        of_field.map(|(_, value)| value.as_ref()).collect::<Vec<&str>>()
    };
    if FIELDS.iter().any(|field| values(field).len() > 1) {
        assert!(read.is_err(), "a field that is there twice was read");
        return;
    }
    let payload: Map<String, Value> =
        pairs.iter().map(|(name, value)| (name.to_string(), Value::from(value.as_ref()))).collect();
    let by_socket = SlashCommand::of_payload(&Value::Object(payload), &origins());
    let Ok(command) = &read else {
        // Bytes that are no text are looked for in what nobody reads, too.
        assert!(by_socket.is_err() || matches!(read, Err(NotACommand::NotUtf8)));
        return;
    };
    let said = |field: &str| values(field).first().copied();
    assert_eq!(fields(command), by_socket.as_ref().map(fields).ok().unwrap());
    assert_eq!(command.text, said("text").unwrap_or_default());
    assert_eq!(Some(command.user_id.as_str()), said("user_id"));
    assert_eq!(Some(command.channel_id.as_str()), said("channel_id"));
    assert!([&command.team_id, &command.channel_id, &command.user_id].iter().all(|it| id::is_id(it)));
    assert!(command.command.starts_with('/'));
    assert_slacks(command.response_url.as_ref().map(|url| url.expose()));
}

fn fields(command: &SlashCommand) -> [Option<&str>; 8] {
    [
        Some(&command.team_id),
        command.enterprise_id.as_deref(),
        Some(&command.channel_id),
        Some(&command.user_id),
        Some(&command.command),
        Some(&command.text),
        command.response_url.as_ref().map(|url| url.expose()),
        command.trigger_id.as_deref(),
    ]
}

/// Nothing is sent to any host but Slack's, whatever stands before or behind its name.
fn assert_slacks(url: Option<&str>) {
    let Some(url) = url else { return };
    let rest = url.strip_prefix("https://").expect("encrypted");
    let host = rest.split(['/', '?', '#', '\\']).next().unwrap();
    assert!(host.ends_with(".slack.com") || host.ends_with(".slack-gov.com"), "{host}");
    assert!(!host.contains(['@', ':', ' ']), "{host}");
}

fn bytes_of(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let digit = |at: usize| field.get(at).and_then(|&byte| char::from(byte).to_digit(16));
    let mut at = 0;
    while let Some(&byte) = field.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push(u8::try_from(high * 16 + low).unwrap());
                at += 3;
            }
            _ => {
                bytes.push(byte);
                at += 1;
            }
        }
    }
    bytes
}

/// The payload of an interaction: what comes in a form and what comes over a socket are read alike, and no
/// field spoils another.
pub fn interaction(payload: &[u8]) {
    let encoded: String = form_urlencoded::byte_serialize(payload).collect();
    let by_form = Interaction::decode(format!("payload={encoded}").as_bytes());
    let Ok(text) = std::str::from_utf8(payload) else { return };
    let Ok(value) = serde_json::from_str::<Value>(text) else {
        if let Ok(mended) = &by_form {
            assert!(text.contains("\\u"), "no JSON, and not for half a character");
            interacted(mended);
        }
        return;
    };
    let Ok(by_form) = by_form else {
        assert!(!value.is_object(), "a payload was not read");
        return;
    };
    let by_socket = Interaction::of_payload(&value);
    assert_eq!(told(&by_form), told(&by_socket));
    interacted(&by_socket);
    // Whatever stands in the place of one field, the others are as they were.
    if let Value::Object(fields) = &value {
        for odd in [Value::Null, Value::from(vec![1]), Value::from("x"), Value::from(-1.5e300)] {
            for (field, about) in
                [("user", 0), ("channel", 1), ("actions", 2), ("response_url", 3), ("value", 4)]
            {
                let mut fields = fields.clone();
                fields.insert(field.to_owned(), odd.clone());
                let read = Interaction::of_payload(&Value::Object(fields));
                interacted(&read);
                let (now, before) = (told(&read), told(&by_socket));
                let others = |told: &[Option<String>; 6]| {
                    let mut told = told.clone();
                    told[about] = None;
                    told
                };
                assert_eq!(others(&now), others(&before), "{field} = {odd}");
            }
        }
    }
}

fn told(read: &Interaction) -> [Option<String>; 6] {
    let action = read.action.as_ref();
    [
        read.user_id.clone(),
        read.channel_id.clone(),
        action.map(|it| format!("{} {:?} {}", it.id, it.value, it.ts)),
        read.response_url(&origins()).map(|url| url.expose().to_owned()),
        Some(read.typed.clone()),
        Some(format!(
            "{} {:?} {:?} {:?}",
            read.kind,
            read.workspace,
            read.message_ts,
            read.view.as_ref().map(|view| (&view.id, &view.callback_id, &view.private_metadata))
        )),
    ]
}

fn interacted(read: &Interaction) {
    for it in [&read.user_id, &read.channel_id, &read.workspace.team_id, &read.workspace.enterprise_id] {
        assert!(it.as_deref().is_none_or(id::is_id), "{it:?}");
    }
    assert_slacks(read.response_url(&origins()).as_ref().map(|url| url.expose()));
    assert!(read.known_kind().bytes().all(|it| it.is_ascii_lowercase() || it == b'_'));
    assert!(read.home().is_none_or(|view| view.kind == "home"));
    for block in ["service", "schema", "table", "customer", "destination"] {
        let view = read.view.as_ref();
        let chosen = view.map(|view| view.chosen(block)).unwrap_or_default();
        assert_eq!(view.and_then(|view| view.input(block)), chosen.first().copied());
        assert!(chosen.iter().all(|value| !value.trim().is_empty()));
    }
}

/// An event. Only somebody who has an id has opened a Home.
pub fn event(body: &[u8]) {
    let Some(event) = Event::decode(body) else {
        let read = std::str::from_utf8(body).ok().and_then(|it| serde_json::from_str::<Value>(it).ok());
        assert!(!read.is_some_and(|it| it.is_object()), "an event was not read");
        return;
    };
    match event {
        Event::Verification(challenge) => assert!(challenge.len() <= body.len() * 3),
        Event::HomeOpened(opened) => {
            assert!(id::is_id(&opened.user_id));
            assert!(opened.channel_id.as_deref().is_none_or(id::is_id));
            assert!(opened.workspace.id().is_none_or(id::is_id));
        }
        Event::Another(kind) => {
            assert!(kind.len() <= 40 && kind.bytes().all(|it| it.is_ascii_lowercase() || it == b'_'));
        }
    }
}
