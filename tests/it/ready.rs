//! `connect-card check --ready`: what a health check gets to see.

use std::net::{Ipv4Addr, SocketAddr};

use connect_card::cli::check::ready::{self, Address, Unready};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::harness::{Output, Outside, Program, free_port};

/// Something that answers every request so, and where it listens.
async fn answering(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 1024];
            let read = stream.read(&mut request).await.unwrap();
            assert!(request[..read].starts_with(b"GET /readyz HTTP/1.1\r\n"));
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    address
}

async fn ask(program: &Program, address: SocketAddr) -> Output {
    program.run(&["check", "--ready", "--address", &address.to_string()]).await
}

#[track_caller]
fn assert_not_ready(output: &Output, words: &str) {
    assert_eq!((output.code, output.stdout.as_str()), (1, ""), "{output:?}");
    assert_eq!(output.stderr.lines().count(), 1, "{output:?}");
    assert!(output.stderr.contains(words), "{output:?}");
}

#[tokio::test]
async fn a_bot_that_runs_is_ready_whatever_else_is_set_and_one_that_has_ended_is_not() {
    let outside = Outside::start().await;
    let program = Program::against(&outside);
    let bot = program.start().await;
    // Only the port is needed. A proxy is not used, and what is written in .env meanwhile is passed over.
    let asker = Program::bare()
        .with("PORT", program.var("PORT"))
        .with("HTTP_PROXY", "http://127.0.0.1:9")
        .with("http_proxy", "http://127.0.0.1:9")
        .with("ALL_PROXY", "http://127.0.0.1:9")
        .with("SSL_CERT_FILE", "/nonexistent");
    std::fs::write(asker.folder().join(".env"), "SLACK_BOT_TOKEN='half\n").unwrap();
    let ready = asker.run(&["check", "--ready"]).await;
    assert_eq!((ready.code, ready.stdout.as_str(), ready.stderr.as_str()), (0, "ready\n", ""));
    let in_file = Program::bare();
    std::fs::write(in_file.folder().join(".env"), format!("PORT={}\n", program.var("PORT"))).unwrap();
    assert_eq!(in_file.run(&["check", "--ready"]).await.code, 0);
    bot.stop().await;
    assert_not_ready(&asker.run(&["check", "--ready"]).await, "nothing listens at 127.0.0.1:");
}

#[tokio::test]
async fn a_bot_that_is_not_ready_says_why_and_what_is_no_bot_is_called_so() {
    let program = Program::bare();
    let unready = answering(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 34\r\n\r\nthe database cannot be written to\n",
    );
    assert_not_ready(&ask(&program, unready.await).await, "not ready: the database cannot be written to");
    for foreign in [
        "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>",
        "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 302 Found\r\nlocation: /login\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
    ] {
        let output = ask(&program, answering(foreign).await).await;
        assert_not_ready(&output, "is not connect-card");
    }
    let sockets = answering("HTTP/1.1 200 OK\r\ncontent-length: 22\r\n\r\nready, 2 of 2 sockets\n").await;
    let output = ask(&program, sockets).await;
    assert_eq!((output.code, output.stdout.as_str()), (0, "ready, 2 of 2 sockets\n"), "{output:?}");
}

#[tokio::test]
async fn where_nothing_listens_nothing_is_ready_and_an_address_must_be_one() {
    let program = Program::bare().with("PORT", &free_port().to_string());
    assert_not_ready(&program.run(&["check", "--ready"]).await, "nothing listens at 127.0.0.1:");
    let nowhere = program.clone().with("PORT", "0").run(&["check", "--ready"]).await;
    assert_eq!((nowhere.code, nowhere.stdout.as_str()), (2, ""), "{nowhere:?}");
    assert!(nowhere.stderr.contains("--address HOST:PORT"), "{nowhere:?}");
    for arguments in [
        &["check", "--ready", "--address", "3000"][..],
        &["check", "--ready", "--address", "http://127.0.0.1:3000"],
        &["check", "--address", "127.0.0.1:3000"],
    ] {
        assert_eq!(program.run(arguments).await.code, 2, "{arguments:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_hangs_is_given_up() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = Address::from(listener.local_addr().unwrap());
    assert_eq!(ready::ask(&address).await, Err(Unready::Late(address)));
}
