//! Drives sockets that end, hang, or carry what nobody expects.

use tokio_tungstenite::tungstenite::error::Error;

use super::super::*;
use super::app::*;
use super::json;

#[tokio::test]
async fn a_socket_is_rotated_with_and_without_a_warning() {
    let slack = stand_in().await;
    let mut warned = App::open(&slack).await;
    slack.rotate_sockets(Which::Newest, Rotation::Warning, Duration::from_secs(3600));
    let last = warned.next().await;
    assert_eq!((&last["type"], &last["reason"]), (&json!("disconnect"), &json!("warning")));
    let typing = type_command(&slack);
    warned.serve(&Value::Null).await;
    typing.await.unwrap().unwrap();
    slack.rotate_sockets(Which::Newest, Rotation::Warning, SOON);
    assert_eq!(warned.last().await, (vec!["warning".to_owned()], Some(1000)));

    let mut refreshed = App::open(&slack).await;
    slack.rotate_sockets(Which::Newest, Rotation::RefreshRequested, SOON);
    let nowhere = type_command(&slack).await.unwrap();
    assert_eq!(nowhere.unwrap_err().kind(), io::ErrorKind::NotConnected);
    assert_eq!(refreshed.last().await, (vec!["refresh_requested".to_owned()], Some(1000)));

    // As it goes by itself.
    slack.set_socket_life(SOON * 2, SOON);
    let mut aged = App::connect(&address(&slack).await).await.unwrap();
    let (reasons, code) = aged.last().await;
    assert_eq!(
        (reasons, code),
        (["", "warning", "refresh_requested"].map(str::to_owned).to_vec(), Some(1000))
    );
    assert!(slack.violations().is_empty(), "{:?}", slack.violations());
    slack.shutdown();
}

#[tokio::test]
async fn nobody_gets_a_socket_while_socket_mode_is_off() {
    let slack = stand_in().await;
    let (mut one, mut other) = (App::open(&slack).await, App::open(&slack).await);
    slack.disable_links();
    for app in [&mut one, &mut other] {
        assert_eq!(app.last().await, (vec!["link_disabled".to_owned()], Some(1000)));
    }
    let refused = ask(&slack, Some(&format!("Bearer {APP_TOKEN}")), "{}").await.json();
    assert_eq!((&refused["ok"], &refused["error"]), (&json!(false), &json!("link_disabled")));
    slack.enable_links();
    App::open(&slack).await;
    slack.shutdown();
}

#[tokio::test]
async fn sockets_break_in_every_way() {
    let slack = stand_in().await;
    let mut app = App::open(&slack).await;
    let typing = type_command(&slack);
    app.next().await;
    assert_eq!(slack.reset_sockets(Which::All), 1);
    assert_eq!(app.last().await, (Vec::new(), None));
    assert_eq!(typing.await.unwrap().unwrap_err().kind(), io::ErrorKind::ConnectionAborted);

    let mut app = App::open(&slack).await;
    assert_eq!(slack.close_sockets(Which::Any, 1011, "try again"), 1);
    assert_eq!(app.last().await, (Vec::new(), Some(1011)));

    let mut app = App::open(&slack).await;
    assert!(app.pongs().await);
    let number = slack.live_sockets()[0];
    assert_eq!(slack.hang_sockets(Which::Number(number)), 1);
    assert!(slack.live_sockets().is_empty());
    assert!(!app.pongs().await);
    assert_eq!(type_command(&slack).await.unwrap().unwrap_err().kind(), io::ErrorKind::NotConnected);
    slack.route_to_hung_sockets(true);
    let lost = type_command(&slack);
    slack.reset_sockets(Which::Number(number));
    assert!(lost.await.unwrap().is_err());
    assert_eq!(app.last().await, (Vec::new(), None));

    for opening in [Opening::Refused(503), Opening::Reset] {
        slack.fail_next_links(opening, 1);
        let failed = App::connect(&address(&slack).await).await.err();
        match (opening, &failed) {
            (Opening::Refused(_), Some(Error::Http(response))) => assert_eq!(response.status(), 503),
            (Opening::Reset, Some(_)) => {}
            _ => panic!("{opening:?}: {failed:?}"),
        }
    }
    let patience = Duration::from_millis(200);
    slack.fail_next_links(Opening::Hangs, 1);
    let url = address(&slack).await;
    assert!(tokio::time::timeout(patience, App::connect(&url)).await.is_err());
    slack.fail_next_links(Opening::Silent, 1);
    let mut app = App::connect(&address(&slack).await).await.unwrap();
    assert!(app.pongs().await);
    assert!(slack.live_sockets().is_empty());
    assert!(slack.violations().is_empty(), "{:?}", slack.violations());
    slack.shutdown();
}

#[tokio::test]
async fn an_envelope_comes_twice_where_that_is_asked_for() {
    let slack = stand_in().await;
    let (mut one, mut other) = (App::open(&slack).await, App::open(&slack).await);
    slack.deliver_next_twice(Twice::AtOnce, 1);
    let typing = type_command(&slack);
    let (first, second) = (one.serve(&Value::Null).await, other.serve(&Value::Null).await);
    assert_eq!(first, second);
    typing.await.unwrap().unwrap();

    slack.deliver_next_twice(Twice::AfterALostAck, 1);
    let typing = type_command(&slack);
    let answer = json!({ "text": "once" });
    let first = tokio::select! {
        envelope = one.next() => envelope,
        envelope = other.next() => {
            std::mem::swap(&mut one, &mut other);
            envelope
        }
    };
    one.ack(&first, &json!({ "text": "lost" })).await;
    let second = other.serve(&answer).await;
    assert_eq!(first, second);
    assert_eq!(typing.await.unwrap().unwrap().json(), answer);
    assert!(slack.violations().is_empty(), "{:?}", slack.violations());
    slack.shutdown();
}

#[tokio::test]
async fn frames_come_that_nobody_expects() {
    let slack = stand_in().await;
    let mut app = App::open(&slack).await;
    for (oddity, is) in [
        (Oddity::Binary, "{\"debug_info\""),
        (Oddity::Unauthenticated, "UNAUTHENTICATED"),
        (Oddity::PingInText, "Ping from "),
        (Oddity::Array, "[]"),
        (Oddity::Unknown, "{\"debug_info\""),
        (Oddity::Huge, "{\"padding\""),
    ] {
        assert_eq!(slack.send_oddity(Which::All, oddity), 1);
        let frame = app.frame().await.unwrap();
        assert_eq!(frame.is_binary(), oddity == Oddity::Binary);
        assert_eq!(frame.len() > 2_000_000, oddity == Oddity::Huge);
        let said = frame.into_text().unwrap();
        assert!(said.starts_with(is), "{oddity:?}: {}", said.get(..40).unwrap_or_default());
    }
    slack.send_oddity(Which::All, Oddity::Pieces);
    assert_eq!(app.next().await["type"], "of_tomorrow");
    slack.send_oddity(Which::All, Oddity::UnknownEnvelope);
    app.serve(&Value::Null).await;

    slack.deliver_in_pieces(true);
    let typing = type_command(&slack);
    assert_eq!(app.serve(&Value::Null).await["payload"]["text"], "adwords customer_schema");
    typing.await.unwrap().unwrap();
    assert!(slack.violations().is_empty(), "{:?}", slack.violations());
    slack.shutdown();
}

#[tokio::test]
async fn slack_pings_and_gives_up_who_never_answers() {
    let slack = stand_in().await;
    slack.ping_sockets(SOON, Duration::from_secs(60));
    let mut app = App::open(&slack).await;
    let ping = app.frame().await.unwrap();
    assert!(ping.is_ping() && ping.into_text().unwrap().starts_with("Ping from "));
    slack.ping_sockets(SOON, SOON * 15);
    // It reads nothing, so it answers nothing.
    let _deaf = App::connect(&address(&slack).await).await.unwrap();
    slack.wait_for_sockets(|count| count == 2).await;
    slack.wait_for_sockets(|count| count == 1).await;
    slack.shutdown();
}
