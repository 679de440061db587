//! One answer for whatever is asked: what a partner's client makes of it is up to the client.
//!
//! Owns a socket on loopback and a client of the bot's with one connection to it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use connect_card::outbound::{self, Network};
use reqwest::Client;
use tokio::runtime::{Builder, Runtime};

use crate::line;

/// A partner.
pub(crate) struct Partner {
    /// Its address, without a slash at its end.
    pub(crate) url: String,
    pub(crate) http: Client,
    pub(crate) runtime: Runtime,
    answer: Arc<Mutex<Vec<u8>>>,
}

impl Partner {
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answer = Arc::new(Mutex::new(Vec::new()));
        let answers = Arc::clone(&answer);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let answers = Arc::clone(&answers);
                thread::spawn(move || serve(stream, &answers));
            }
        });
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let http = outbound::client(&Network::default()).unwrap();
        Self { url, http, runtime, answer }
    }

    /// Answers with a status and, behind the first line's end, with a body, until it is told otherwise. The first
    /// line is the status, and behind a space a `Retry-After`. Returns the status and the body.
    pub(crate) fn answers<'a>(&self, data: &'a [u8]) -> Option<(u16, &'a [u8])> {
        let (head, body) = line(data);
        let head = std::str::from_utf8(head).ok()?;
        let (status, pause) = head.split_once(' ').unwrap_or((head, ""));
        // Of one below 200 the client waits for another one.
        let status = status.parse::<u16>().ok().filter(|it| (200..600).contains(it))?;
        let pause: String = pause.chars().filter(|it| (' '..='~').contains(it)).collect();
        // These have no body.
        let body = if matches!(status, 204 | 304) { &[] } else { body };
        let mut answer = format!("HTTP/1.1 {status} x\r\nRetry-After: {pause}\r\n").into_bytes();
        if !matches!(status, 204 | 304) {
            answer.extend(format!("Content-Length: {}\r\n", body.len()).into_bytes());
        }
        answer.extend(b"\r\n");
        answer.extend(body);
        *self.answer.lock().unwrap() = answer;
        Some((status, body))
    }
}

/// Reads requests and answers each.
fn serve(stream: TcpStream, answer: &Mutex<Vec<u8>>) {
    let _ = stream.set_nodelay(true);
    let Ok(mut writing) = stream.try_clone() else { return };
    let mut reading = BufReader::new(stream);
    loop {
        let mut length = 0;
        loop {
            let mut header = String::new();
            if reading.read_line(&mut header).is_ok_and(|it| it > 0) {
                if header == "\r\n" {
                    break;
                }
                if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap_or(0);
                }
            } else {
                return;
            }
        }
        if std::io::copy(&mut (&mut reading).take(length), &mut std::io::sink()).is_err() {
            return;
        }
        let answer = answer.lock().unwrap().clone();
        if writing.write_all(&answer).is_err() {
            return;
        }
    }
}
