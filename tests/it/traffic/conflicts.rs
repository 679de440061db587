//! Requests that say two things at once about where they end, or about who has signed them: whether each is taken
//! or refused, and how many commands came of it. A second command follows each on the same connection, or hides in
//! it.

use tokio::net::TcpStream;

use super::{COMMANDS, Target, Typed, chunked, head, hear, seconds, statuses, tell};

/// How the body of the first request is written.
#[derive(Clone, Copy)]
enum Body {
    /// As it is signed.
    Plain,
    /// In chunks.
    Chunked,
}
use Body::{Chunked, Plain};

/// Any status of 4xx: which it is is a matter of taste, as long as nothing comes of what is refused.
const NO: u16 = 4;

/// Lines of the first request's head, in which `LEN` is the length of what follows it, its body, the answers, and
/// how many of the two commands were accepted.
type Row = (&'static str, Body, &'static [u16], usize);

/// RFC 9112, section 6.3: what has both is read by its Transfer-Encoding, and nothing that follows it is read at
/// all; what is wrong in either is refused, and the connection ends.
const LENGTHS: &[Row] = &[
    ("content-length: LEN", Plain, &[200, 200], 2),
    ("transfer-encoding: chunked", Chunked, &[200, 200], 2),
    // Both.
    ("content-length: LEN\r\ntransfer-encoding: chunked", Plain, &[NO], 0),
    ("transfer-encoding: chunked\r\ncontent-length: LEN", Plain, &[NO], 0),
    ("content-length: LEN\r\ntransfer-encoding: chunked", Chunked, &[200], 1),
    ("transfer-encoding: chunked\r\ncontent-length: LEN", Chunked, &[200], 1),
    ("content-length: 0\r\nTRANSFER-ENCODING:\tChunked", Chunked, &[200], 1),
    ("transfer-encoding: chunked\r\ncontent-length: nonsense", Chunked, &[200], 1),
    // A Transfer-Encoding in disguise.
    ("content-length: LEN\r\ntransfer-encoding : chunked", Plain, &[NO], 0),
    ("content-length: LEN\r\n transfer-encoding: chunked", Plain, &[NO], 0),
    ("content-length: LEN\r\nx: y\r\n transfer-encoding: chunked", Plain, &[NO], 0),
    ("content-length: LEN\r\ntransfer-encoding:\r\n chunked", Plain, &[NO], 0),
    ("content-length: LEN\r\ntransfer-encoding: xchunked", Plain, &[NO], 0),
    ("content-length: LEN\r\ntransfer-encoding: \"chunked\"", Plain, &[NO], 0),
    ("content-length: LEN\r\ntransfer-encoding: chunked;q=1", Plain, &[NO], 0),
    ("content-length: LEN\r\ntransfer-encoding: \u{b}chunked", Plain, &[NO], 0),
    ("content-length: LEN\r\ntransfer-encoding: chunked\0", Plain, &[NO], 0),
    ("content-length: LEN\r\ntransfer-encoding: identity", Plain, &[NO], 0),
    ("content-length: LEN\r\ntransfer-encoding:", Plain, &[NO], 0),
    ("content-length: LEN\r\ntransfer-encoding", Plain, &[NO], 0),
    ("content-length: LEN\r\nx: y\rtransfer-encoding: chunked", Plain, &[NO], 0),
    ("content-length: LEN\r\nx: y\ntransfer-encoding: chunked", Plain, &[NO], 0),
    ("transfer-encoding: chunked\r\ntransfer-encoding: identity", Chunked, &[NO], 0),
    ("transfer-encoding: chunked, gzip", Chunked, &[NO], 0),
    // That is another name, of which nobody has heard.
    ("content-length: LEN\r\ntransfer_encoding: chunked", Plain, &[200, 200], 2),
    // Lengths.
    ("content-length: LEN\r\ncontent-length: LEN", Plain, &[200, 200], 2),
    ("content-length: LEN\r\ncontent-length: 0", Plain, &[NO], 0),
    ("content-length: 0\r\ncontent-length: LEN", Plain, &[NO], 0),
    ("content-length: LEN, LEN", Plain, &[NO], 0),
    ("content-length: LEN LEN", Plain, &[NO], 0),
    ("content-length: +LEN", Plain, &[NO], 0),
    ("content-length: -LEN", Plain, &[NO], 0),
    ("content-length: 0xLEN", Plain, &[NO], 0),
    ("content-length: LEN.0", Plain, &[NO], 0),
    ("content-length: LENe0", Plain, &[NO], 0),
    ("content-length: \0LEN", Plain, &[NO], 0),
    ("content-length:", Plain, &[NO], 0),
    ("content-length: 18446744073709551616", Plain, &[NO], 0),
    ("content-length: 18446744073709551615", Plain, &[NO], 0),
    ("content-length: 9223372036854775807", Plain, &[NO], 0),
    ("content-length: 000LEN", Plain, &[200, 200], 2),
    // None: the body is the next request, and no request at all.
    ("x: y", Plain, &[NO, NO], 0),
    // Names and lines.
    ("content-length: LEN\r\nx y: z", Plain, &[NO], 0),
    ("content-length: LEN\r\n: z", Plain, &[NO], 0),
    ("content-length: LEN\r\nx\0: z", Plain, &[NO], 0),
    ("content-length: LEN\r\nx: \u{e9}\u{fc}", Plain, &[200, 200], 2),
    ("content-length: LEN\r\nexpect: 100-continue", Plain, &[200, 200], 2),
    ("content-length: LEN\r\nupgrade: h2c\r\nconnection: upgrade, http2-settings", Plain, &[200, 200], 2),
    ("content-length: LEN\r\nconnection: close", Plain, &[200], 1),
    ("content-length: LEN\r\nconnection: close\r\nconnection: keep-alive", Plain, &[200], 1),
    // Somebody else's signature beside the one that is right.
    ("content-length: LEN\r\nx-slack-signature: v0=00", Plain, &[NO, 200], 1),
    ("content-length: LEN\r\nX-SLACK-REQUEST-TIMESTAMP: 1", Plain, &[NO, 200], 1),
];

/// What is sent, and what becomes of it.
struct Sent {
    what: String,
    bytes: Vec<u8>,
    statuses: Vec<u16>,
    /// The commands that are accepted.
    names: Vec<String>,
}

#[tokio::test]
async fn what_contradicts_itself_is_one_thing_or_nothing() {
    let bot = Target::start().await;
    let mut typed = Typed::default();
    let mut all = lengths(&bot);
    all.extend(chunks(&bot));
    all.extend(targets(&bot));
    let mut wrong = Vec::new();
    for Sent { what, bytes, statuses: expected, names: accepted } in all {
        typed.accepted.extend(accepted);
        let mut stream = TcpStream::connect(bot.address()).await.unwrap();
        tell(&mut stream, &bytes).await;
        let answered = statuses(&hear(&mut stream).await);
        let answered: Vec<_> =
            answered.into_iter().map(|status| if status / 100 == 4 { NO } else { status }).collect();
        let rows = bot.rows().await;
        if (&answered, rows) != (&expected, typed.accepted.len()) {
            wrong.push(format!(
                "{what:?}: {answered:?}, not {expected:?}; {rows} rows, not {}",
                typed.accepted.len()
            ));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    bot.judge(&typed).await;
}

fn lengths(bot: &Target) -> Vec<Sent> {
    let send = |(at, &(lines, body, statuses, accepted)): (usize, &Row)| {
        let names = [format!("first_{at}"), format!("second_{at}")];
        let form = bot.form(&format!("google_ads {}", names[0]));
        let written = if matches!(body, Chunked) { chunked(&form, 100) } else { form.clone() };
        let lines = lines.replace("LEN", &written.len().to_string());
        let first = [head(COMMANDS, &form, &format!("{lines}\r\n")).as_slice(), &written].concat();
        let bytes = [first, bot.good(&names[1], "connection: close\r\n")].concat();
        // Of one that is accepted alone, it is the one with 200.
        let names = match (accepted, statuses.first()) {
            (1, Some(&NO)) => names[1..].to_vec(),
            _ => names[..accepted].to_vec(),
        };
        Sent { what: lines, bytes, statuses: statuses.to_vec(), names }
    };
    LENGTHS.iter().enumerate().map(send).collect()
}

/// Chunks that are none, each with a command after it that a laxer reader would find.
fn chunks(bot: &Target) -> Vec<Sent> {
    let rows: &[(&str, &[u16], usize)] = &[
        ("LEN;name=\"value\"\r\nBODY\r\n0\r\n\r\n", &[200, 200], 2),
        ("0000LEN\r\nBODY\r\n0\r\n\r\n", &[200, 200], 2),
        ("LEN\r\nBODY\r\n0\r\nx: trailer\r\n\r\n", &[200, 200], 2),
        ("LEN\r\nBODY\r\n0\r\nx-slack-signature: v0=00\r\ncontent-length: 5\r\n\r\n", &[200, 200], 2),
        ("-LEN\r\nBODY\r\n0\r\n\r\n", &[NO], 0),
        ("+LEN\r\nBODY\r\n0\r\n\r\n", &[NO], 0),
        ("0xLEN\r\nBODY\r\n0\r\n\r\n", &[NO], 0),
        ("FFFFFFFFFFFFFFFFF\r\nBODY\r\n0\r\n\r\n", &[NO], 0),
        ("LEN\nBODY\n0\n\n", &[NO], 0),
        ("LEN\r\nBODYx\r\n0\r\n\r\n", &[NO], 0),
        ("\r\nBODY\r\n0\r\n\r\n", &[NO], 0),
        ("LEN\0\r\nBODY\r\n0\r\n\r\n", &[NO], 0),
    ];
    let send = |(at, &(template, statuses, accepted)): (usize, &(&str, &[u16], usize))| {
        let names = [format!("chunk_{at}"), format!("after_{at}")];
        let form = bot.form(&format!("google_ads {}", names[0]));
        let body = template.replace("LEN", &format!("{:x}", form.len()));
        let body = body.replace("BODY", std::str::from_utf8(&form).unwrap());
        let first = [head(COMMANDS, &form, "transfer-encoding: chunked\r\n"), body.into_bytes()].concat();
        let bytes = [first, bot.good(&names[1], "connection: close\r\n")].concat();
        Sent {
            what: template.to_owned(),
            bytes,
            statuses: statuses.to_vec(),
            names: names[..accepted].to_vec(),
        }
    };
    rows.iter().enumerate().map(send).collect()
}

/// Other first lines, other versions, other wholes.
fn targets(bot: &Target) -> Vec<Sent> {
    let mut all = Vec::new();
    let rows: &[(&str, &[u16], usize)] = &[
        ("POST http://elsewhere.example/slack/commands HTTP/1.1", &[200], 1),
        ("POST /slack/commands?x=%00%ff HTTP/1.1", &[200], 1),
        ("POST /slack/commands HTTP/1.0", &[200], 1),
        ("POST /slack/commands HTTP/1.2", &[NO], 0),
        ("POST /slack/commands HTTP/2.0", &[NO], 0),
        ("POST /slack/commands", &[NO], 0),
        ("POST  /slack/commands HTTP/1.1", &[NO], 0),
        ("POST /slack/commands  HTTP/1.1", &[NO], 0),
        ("POST /slack/com mands HTTP/1.1", &[NO], 0),
        ("POST slack/commands HTTP/1.1", &[NO], 0),
        ("POST * HTTP/1.1", &[NO], 0),
        ("POST /slack/%63ommands HTTP/1.1", &[NO], 0),
        ("POST /slack//commands HTTP/1.1", &[NO], 0),
        ("POST /slack/./commands HTTP/1.1", &[NO], 0),
        ("POST /slack/commands/ HTTP/1.1", &[NO], 0),
        ("POST /SLACK/COMMANDS HTTP/1.1", &[NO], 0),
        ("POST /slack/commands%00 HTTP/1.1", &[NO], 0),
        ("post /slack/commands HTTP/1.1", &[NO], 0),
        ("CONNECT bot:443 HTTP/1.1", &[NO], 0),
        ("PUT /slack/commands HTTP/1.1", &[NO], 0),
        ("P\0ST /slack/commands HTTP/1.1", &[NO], 0),
    ];
    for (at, (line, statuses, accepted)) in rows.iter().enumerate() {
        let name = format!("target_{at}");
        let good = String::from_utf8(bot.good(&name, "connection: close\r\n")).unwrap();
        let bytes = good.replacen("POST /slack/commands HTTP/1.1", line, 1).into_bytes();
        let names = vec![name; *accepted];
        all.push(Sent { what: (*line).to_owned(), bytes, statuses: statuses.to_vec(), names });
    }
    let refused = |what: &str, bytes: Vec<u8>| Sent {
        what: what.to_owned(),
        bytes,
        statuses: vec![NO],
        names: Vec::new(),
    };
    let many: String = (0..65).map(|n| format!("x-{n}: y\r\n")).collect();
    all.push(refused("65 headers and more", bot.good("many", &many)));
    let long = format!("x: {}\r\n", "y".repeat(17 * 1024));
    all.push(refused("17 KiB of headers", bot.good("long", &long)));
    // That is no longer said in the words of HTTP/1.
    let mut newer = refused("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec());
    newer.statuses.clear();
    all.push(newer);
    all.push(refused("TLS", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03".to_vec()));
    all.extend(bodies(bot));
    all
}

/// Bodies that are signed, and are not what they are sent as. Who has typed a command is told something.
fn bodies(bot: &Target) -> Vec<Sent> {
    let form = String::from_utf8(bot.form("google_ads never")).unwrap();
    let with = |more: &str| format!("{form}&{more}").into_bytes();
    let fields: String = (0..9000).map(|n| format!("&f{n}=")).collect();
    let deep = format!("payload={}", "%5B".repeat(20_000));
    let wide = format!("payload={{\"type\":\"block_actions\",\"actions\":[{}1e308]}}", "1,".repeat(30_000));
    let half = r#"payload={"type":"block_actions","type":"\ud800","user":{"id":"\udfff"},"n":1e400}"#;
    let fine = |path: &'static str, what: &str, body: Vec<u8>, status: u16| {
        let lines = format!("connection: close\r\ncontent-length: {}\r\n", body.len());
        let bytes = [head(path, &body, &lines), body].concat();
        Sent { what: format!("{path}: {what}"), bytes, statuses: vec![status], names: Vec::new() }
    };
    let (interactivity, events) = ("/slack/interactivity", "/slack/events");
    vec![
        fine(COMMANDS, "two texts", with("text=google_ads+other"), 200),
        fine(COMMANDS, "two commands", with("command=%2Fother"), 200),
        fine(COMMANDS, "two texts and more fields than there is room for", with(&"text&".repeat(20_000)), NO),
        fine(COMMANDS, "gzip", b"\x1f\x8b\x08\0\0\0\0\0\0\xff".to_vec(), NO),
        fine(COMMANDS, "a text with NULs", form.replace("never", "ne%00ver%zz%").into_bytes(), 200),
        fine(COMMANDS, "a text that is no UTF-8", form.replace("never", "%ff%fe%c3").into_bytes(), 200),
        fine(COMMANDS, "9000 fields and no command", format!("a=b{fields}").into_bytes(), NO),
        fine(interactivity, "deep", deep.into_bytes(), 200),
        fine(interactivity, "wide", wide.into_bytes(), 200),
        fine(interactivity, "halves of characters", half.as_bytes().to_vec(), 200),
        fine(interactivity, "nothing", Vec::new(), 200),
        fine(interactivity, "a command", form.clone().into_bytes(), 200),
        fine(events, "deep", "[".repeat(60_000).into_bytes(), NO),
        fine(events, "numbers", br#"{"type":1e308,"event":-0.0e-999999999}"#.to_vec(), 200),
        fine(events, "a command", form.clone().into_bytes(), NO),
        fine("/healthz", "a command", form.into_bytes(), NO),
    ]
}

#[tokio::test]
async fn a_hundred_thousand_fields_a_huge_body_and_a_stale_one_leave_nothing() {
    let bot = Target::start().await;
    let many =
        format!("{}{}", String::from_utf8(bot.form("google_ads never")).unwrap(), "&a=".repeat(100_000));
    let huge =
        [head(COMMANDS, b"", "transfer-encoding: chunked\r\n"), chunked(&vec![b'x'; 16 << 20], 1 << 16)];
    let fields = format!("content-length: {}\r\n", many.len());
    let stale = head(COMMANDS, &bot.form("google_ads never"), "connection: close\r\ncontent-length: 0\r\n");
    let stale = String::from_utf8(stale).unwrap().replace(&seconds().to_string()[..6], "100000");
    for bytes in [
        [head(COMMANDS, many.as_bytes(), &fields), many.into_bytes()].concat(),
        huge.concat(),
        stale.into_bytes(),
    ] {
        let mut stream = TcpStream::connect(bot.address()).await.unwrap();
        tell(&mut stream, &bytes).await;
        // Whoever goes on writing may not see the answer.
        let statuses = statuses(&hear(&mut stream).await);
        assert!(statuses.iter().all(|status| [401, 413].contains(status)), "{statuses:?}");
    }
    let mut typed = Typed::default();
    bot.types_until(1, &mut typed).await;
    bot.judge(&typed).await;
}
