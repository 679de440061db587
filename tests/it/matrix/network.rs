//! The way to a partner: nobody listens, the host has no name, it speaks no TLS, or it takes no connection;
//! for ever, or until one or three calls have met it.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::rule::faults_of;
use super::{side_by_side, time};
use crate::harness::{Setup, TestBot, accepted, client, free_port, is_note, link_of, until};

/// What stands in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Refused,
    NoName,
    NoTls,
    Deaf,
}
use Way::{Deaf, NoName, NoTls, Refused};

/// A socket that listens and takes nobody in: its line is full.
async fn deaf() -> (SocketAddr, TcpListener, Vec<TcpStream>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut line = Vec::new();
    while let Ok(Ok(stream)) =
        tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(address)).await
    {
        line.push(stream);
    }
    (address, listener, line)
}

/// Carries what comes to a port that was closed to a stand-in.
fn open(port: u16, to: SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).unwrap();
    let listener = socket.listen(64).unwrap();
    tokio::spawn(async move {
        while let Ok((mut from, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut to = TcpStream::connect(to).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut from, &mut to).await;
            });
        }
    });
}

/// How many calls have not got there.
async fn failed(metrics: &str) -> f64 {
    let page = client().get(metrics).send().await.unwrap().text().await.unwrap();
    let calls = page.lines().filter(|line| line.starts_with("connect_card_calls"));
    let unreachable = calls.filter(|line| line.contains("\"unreachable\"") && !line.contains("catalogue"));
    unreachable.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

/// What the person reads in the end; and how many calls did not get there.
async fn played(partner: &str, way: Way, until_met: Option<f64>) -> (Vec<String>, f64) {
    let setup = Setup::new().await;
    let at = if partner == "FIVETRAN_API_URL" { setup.fivetran.addr() } else { setup.slack.addr() };
    let port = free_port();
    let line = if way == Deaf { Some(deaf().await) } else { None };
    let root = match (way, &line) {
        (Deaf, Some((address, ..))) => format!("http://{address}"),
        (Refused, _) => format!("http://127.0.0.1:{port}"),
        (NoName, _) => "https://partner.invalid".to_owned(),
        _ => format!("https://{at}"),
    };
    let path = if partner == "SLACK_API_URL" { "/api" } else { "" };
    let metrics = format!("127.0.0.1:{}", free_port());
    let setup = setup.with(partner, &format!("{root}{path}")).with("METRICS_ADDR", &metrics);
    let bot: TestBot = setup.start_without_catalogue().await;
    let metrics = format!("http://{metrics}/metrics");
    let before = failed(&metrics).await;
    let ack = bot.send("google_ads acme").await;
    if accepted(&ack).is_none() {
        let shown = ack.json()["text"].as_str().unwrap_or_default().to_owned();
        bot.stop().await;
        return (vec![shown], 0.0);
    }
    if let Some(times) = until_met {
        until("calls that fail", async || {
            time::moves_on(&bot).await;
            (failed(&metrics).await - before >= times).then_some(())
        })
        .await;
        open(port, at);
    }
    let lasted = time::passes(&bot).await;
    assert!(lasted.is_some(), "it never ends");
    let calls = failed(&metrics).await - before;
    let (slack, fivetran) = (bot.slack.clone(), bot.fivetran.clone());
    assert!(fivetran.connections().len() <= 1);
    assert_eq!(bot.census().await.undeliverable, 0);
    bot.stop().await;
    slack.shutdown();
    fivetran.shutdown();
    let finals = slack.messages().into_iter().filter(|message| !is_note(message));
    let read = finals.map(|message| match link_of(&message) {
        Some(_) => "the link".to_owned(),
        None => {
            let text = message.payload["text"].as_str().unwrap_or_default().to_owned();
            text.split(" (ref ").next().unwrap_or_default().to_owned()
        }
    });
    (read.collect(), calls)
}

#[test]
fn whatever_stands_in_the_way_a_command_ends_in_its_link_or_in_what_it_is() {
    let fivetran = |way, says| ("FIVETRAN_API_URL", way, None, says);
    // Who may use it is not known, so nothing is begun.
    let slack = |way| ("SLACK_API_URL", way, None, "I couldn't reach Slack to ask");
    let cells = [
        fivetran(Refused, "couldn't be reached"),
        fivetran(NoName, "its name can't be resolved"),
        fivetran(NoTls, "doesn't speak HTTPS"),
        fivetran(Deaf, "couldn't be reached"),
        ("FIVETRAN_API_URL", Refused, Some(1.0), "the link"),
        ("FIVETRAN_API_URL", Refused, Some(3.0), "the link"),
        slack(Refused),
        slack(NoName),
        slack(NoTls),
        ("SLACK_API_URL", Deaf, None, "Slack didn't answer in time"),
    ];
    let came = side_by_side(&cells, async |(partner, way, times, _)| played(partner, *way, *times).await);
    for ((partner, way, times, says), came) in cells.into_iter().zip(came) {
        let (read, calls) = came.unwrap_or_else(|why| panic!("{partner} {way:?} {times:?}: {why}"));
        assert!(read.len() == 1 && read[0].contains(says), "{partner} {way:?} {times:?}: {read:#?}");
        if says != "the link" {
            assert_eq!(faults_of(&read[0]), Vec::<String>::new(), "{read:#?}");
        }
        // As often as a command tries in half an hour; and what looks after the links beside it.
        assert!(calls <= 160.0, "{partner} {way:?} {times:?}: {calls} calls");
    }
}
