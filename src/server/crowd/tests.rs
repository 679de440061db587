//! Connections without a socket, in virtual time.

use axum::Router;
use axum::body::Bytes;
use axum::routing::{get, post};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream};
use tokio::time::Instant;

use super::*;

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: bot\r\n\r\n";
const SLOW: &[u8] = b"GET /slow HTTP/1.1\r\nhost: bot\r\n\r\n";
/// How long an answer to that takes.
const WORK: Duration = Duration::from_secs(1);

/// One in which so many have a place.
fn crowd(heard: usize) -> Arc<Crowd> {
    Crowd::new(Bounds { all: 64, heard, unfinished: 1024 * 1024 })
}

/// A peer, and its connection, carried by a task of its own.
async fn connect(crowd: &Arc<Crowd>) -> DuplexStream {
    let (peer, io) = tokio::io::duplex(4096);
    let routes = Router::new()
        .route("/", get(async || "well").post(async |_: Bytes| "well"))
        .route("/unread", post(async || tokio::time::sleep(WORK).await))
        .route("/slow", get(async || tokio::time::sleep(WORK).await));
    let service = TowerToHyperService::new(routes);
    let first = async {
        let mut io = BufReader::new(io);
        io.fill_buf().await.ok()?;
        Some(io)
    };
    let carried = crowd.enter().await.hold(first, |place, io| {
        let (io, service) = place.noted(io, service);
        crate::server::http().serve_connection(TokioIo::new(io), service)
    });
    tokio::spawn(carried);
    peer
}

/// The head of a request with so much in it.
fn head(path: &str, length: usize) -> String {
    format!("POST {path} HTTP/1.1\r\nhost: bot\r\ncontent-length: {length}\r\n\r\n")
}

/// Whether a request is answered; `false`: the connection is closed.
async fn asks(peer: &mut DuplexStream) -> bool {
    peer.write_all(REQUEST).await.is_ok() && is_answered(peer).await
}

async fn is_answered(peer: &mut DuplexStream) -> bool {
    let mut answer = Vec::new();
    while !answer.ends_with(b"well") {
        if peer.read_buf(&mut answer).await.unwrap_or(0) == 0 {
            return false;
        }
    }
    answer.starts_with(b"HTTP/1.1 200 OK")
}

/// After how many whole seconds of silence the connection is closed.
async fn closes_after(peer: &mut DuplexStream) -> u64 {
    let began = Instant::now();
    let mut nothing = [0];
    assert_eq!(peer.read(&mut nothing).await.unwrap_or(0), 0);
    began.elapsed().as_secs()
}

/// Lets everything happen that can happen now.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_has_been_used_is_kept_for_longer_than_a_balancer_keeps_it() {
    let crowd = crowd(8);
    let mut peer = connect(&crowd).await;
    for seconds in [0, 5, 60, 74] {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        assert!(asks(&mut peer).await, "after {seconds} s");
    }
    assert_eq!(closes_after(&mut peer).await, 75);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_was_dialled_ahead_answers_its_first_request_whenever_that_comes() {
    let crowd = crowd(8);
    for seconds in [0, 4, 5, 6, 60, 74] {
        let mut peer = connect(&crowd).await;
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        assert!(asks(&mut peer).await, "after {seconds} s");
    }
    assert_eq!(closes_after(&mut connect(&crowd).await).await, 75);
}

#[tokio::test(start_paused = true)]
async fn whoever_says_nothing_takes_no_place_and_makes_room_first() {
    let crowd = Crowd::new(Bounds { all: 4, heard: 1, unfinished: 1024 });
    let mut heard = connect(&crowd).await;
    assert!(asks(&mut heard).await);
    let mut silent = [connect(&crowd).await, connect(&crowd).await, connect(&crowd).await];
    assert!(asks(&mut heard).await, "there is room for all of them");
    let began = Instant::now();
    let mut newcomer = connect(&crowd).await;
    settle().await;
    assert!(began.elapsed() < WORK, "at once");
    assert!(asks(&mut heard).await);
    assert_eq!(closes_after(&mut silent[0]).await, 0, "who has been silent longest");
    assert!(asks(&mut silent[1]).await, "and no other");
    assert!(!asks(&mut heard).await, "there is one place for those who speak");
    assert!(asks(&mut newcomer).await);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_said_slowly_is_closed_soon() {
    let crowd = crowd(8);
    let slowly = head("/", 100);
    for (used, after) in [(false, 0), (true, 0), (false, slowly.len()), (true, slowly.len())] {
        let mut peer = connect(&crowd).await;
        if used {
            assert!(asks(&mut peer).await);
            tokio::time::sleep(Duration::from_secs(30)).await;
        }
        let began = Instant::now();
        peer.write_all(&slowly.as_bytes()[..after]).await.unwrap();
        for byte in b"POST / HTT" {
            if peer.write_all(&[*byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(900)).await;
        }
        assert_eq!(closes_after(&mut peer).await, 0, "used: {used}, after {after}");
        assert!(began.elapsed() >= Duration::from_secs(5), "used: {used}, after {after}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_house_of_idle_connections_lets_everybody_in() {
    let crowd = crowd(3);
    let mut peers = Vec::new();
    for _ in 0..3 {
        let mut peer = connect(&crowd).await;
        assert!(asks(&mut peer).await);
        tokio::time::sleep(Duration::from_secs(1)).await;
        peers.push(peer);
    }
    // The first one has been used since.
    assert!(asks(&mut peers[0]).await);
    for _ in 0..2 {
        let mut newcomer = connect(&crowd).await;
        assert!(asks(&mut newcomer).await);
        tokio::time::sleep(Duration::from_secs(1)).await;
        peers.push(newcomer);
    }
    let mut open = Vec::new();
    for peer in &mut peers {
        open.push(asks(peer).await);
    }
    assert_eq!(open, [true, false, false, true, true], "the longest idle ones have made room");
}

#[tokio::test(start_paused = true)]
async fn a_request_at_work_is_not_closed_for_a_newcomer() {
    for request in [SLOW, head("/unread", 100).as_bytes()] {
        let crowd = crowd(1);
        let mut peer = connect(&crowd).await;
        peer.write_all(request).await.unwrap();
        settle().await;
        let (began, mut newcomer) = (Instant::now(), connect(&crowd).await);
        assert!(asks(&mut newcomer).await);
        assert_eq!(began.elapsed().as_millis() + 1, WORK.as_millis(), "once the answer was given");
        let mut answer = [0; 15];
        peer.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_does_not_get_on_makes_room_and_is_not_acted_upon() {
    let whole = [head("/", 5).as_bytes(), b"12345"].concat();
    for said in [1, REQUEST.len() + 10, whole.len() - 1] {
        let crowd = crowd(2);
        let mut peers = [connect(&crowd).await, connect(&crowd).await];
        for peer in &mut peers {
            peer.write_all(&whole[..said]).await.unwrap();
            settle().await;
        }
        assert!(asks(&mut connect(&crowd).await).await, "after {said}");
        let [slowest, other] = &mut peers;
        assert!(slowest.write_all(&whole[said..]).await.is_err() || !is_answered(slowest).await);
        other.write_all(&whole[said..]).await.unwrap();
        assert!(is_answered(other).await, "after {said}: one was enough");
    }
    // If the rest comes at that very moment, it is too late.
    let line = Line::new(Arc::default(), Arc::default(), Arc::default());
    assert!(line.hears(1));
    let spare = line.spare().unwrap();
    assert!(line.leaves(spare));
    assert!(!line.hears(1) && !line.is_whole(), "it would be acted upon, and not answered");
    // And if it has come, nobody leaves.
    let line = Line::new(Arc::default(), Arc::default(), Arc::default());
    assert!(line.hears(1));
    let spare = line.spare().unwrap();
    assert!(line.is_whole() && !line.leaves(spare));
}

#[tokio::test(start_paused = true)]
async fn of_too_much_that_is_not_whole_the_oldest_goes() {
    let crowd = Crowd::new(Bounds { all: 64, heard: 8, unfinished: 1500 });
    let mut peers = Vec::new();
    for _ in 0..3 {
        let mut peer = connect(&crowd).await;
        peer.write_all(head("/", 601).as_bytes()).await.unwrap();
        peer.write_all(&[b'x'; 600]).await.unwrap();
        settle().await;
        peers.push(peer);
    }
    assert!(crowd.unfinished.load(Ordering::Relaxed) <= 1500);
    let mut answered = Vec::new();
    for peer in &mut peers {
        answered.push(peer.write_all(b"x").await.is_ok() && is_answered(peer).await);
    }
    assert_eq!(answered, [false, true, true]);
    drop(peers);
    settle().await;
    assert_eq!(crowd.unfinished.load(Ordering::Relaxed), 0);
    assert_eq!((crowd.lines().count(), crowd.seats.staying()), (0, 0));
}

#[test]
fn there_are_as_many_as_there_are_descriptors_for() {
    let table = "Limit                     Soft Limit           Hard Limit           Units     \n\
                 Max open files            1024                 524288               files     \n";
    assert_eq!(descriptors(table), Some(1024));
    assert_eq!(descriptors(&table.replace("1024  ", "unlimited")), None);
    assert_eq!(descriptors(""), None);
    let bounds = Bounds::of_this_process();
    assert!((1..=BOUNDS.all).contains(&bounds.all), "{bounds:?}");
}
