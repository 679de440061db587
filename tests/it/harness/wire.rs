//! A wire between the bot and somebody else, which can hold an answer back, lose it, or fall
//! silent.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What a [`Wire`] does to a connection on which its word passes.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Trick {
    /// The answer to it is lost, and the connection with it. Once.
    Cut,
    /// Nothing passes any more, in either direction, and nobody is told. Once.
    Silence,
    /// Answers wait until [`Wire::release`]. Each time, until then.
    Hold,
    /// It arrives only after [`Wire::release`], whether or not the bot is still there. Once.
    Late,
}

/// A wire that plays a trick on the connection that carries a word.
pub(crate) struct Wire {
    pub(crate) port: u16,
    state: Arc<State>,
}

struct State {
    word: Mutex<Vec<u8>>,
    trick: Mutex<Option<Trick>>,
    /// How many connections a trick was played on, and whether those that are held may go on.
    played: watch::Sender<usize>,
    /// How many words that were late have arrived, and been answered.
    arrived: watch::Sender<usize>,
    released: watch::Sender<bool>,
    /// How many that were held were not waited for any more.
    given_up: AtomicUsize,
}

impl Wire {
    /// Lays a wire to this port of this machine.
    pub(crate) async fn lay(to: u16, word: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            word: Mutex::new(word.as_bytes().to_vec()),
            trick: Mutex::default(),
            played: watch::Sender::new(0),
            arrived: watch::Sender::new(0),
            released: watch::Sender::new(false),
            given_up: AtomicUsize::new(0),
        });
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let server = TcpStream::connect((Ipv4Addr::LOCALHOST, to)).await.unwrap();
                tokio::spawn(carry(client, server, Arc::clone(&shared)));
            }
        });
        Self { port, state }
    }

    /// Lays a wire to a stand-in.
    pub(crate) async fn to(stand_in: SocketAddr, word: &str) -> Self {
        Self::lay(stand_in.port(), word).await
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The trick is played on whoever says the word next.
    pub(crate) fn arm(&self, trick: Trick) {
        *self.state.trick.lock().unwrap() = Some(trick);
    }

    /// How many times a trick has been played.
    pub(crate) fn played(&self) -> usize {
        *self.state.played.borrow()
    }

    /// How many words that were late have arrived, and been answered.
    pub(crate) fn arrived(&self) -> usize {
        *self.state.arrived.borrow()
    }

    /// How many times somebody has stopped waiting for an answer that is held.
    pub(crate) fn given_up(&self) -> usize {
        self.state.given_up.load(Ordering::Relaxed)
    }

    /// Listens for another word from now on.
    pub(crate) fn listen_for(&self, word: &str) {
        *self.state.word.lock().unwrap() = word.as_bytes().to_vec();
    }

    /// Lets all go on that is held, and holds nothing more.
    pub(crate) fn release(&self) {
        *self.state.trick.lock().unwrap() = None;
        self.state.released.send_replace(true);
    }
}

impl State {
    /// The trick that these bytes from the bot meet.
    fn meets(&self, bytes: &[u8]) -> Option<Trick> {
        let word = self.word.lock().unwrap();
        if !bytes.windows(word.len()).any(|part| part == *word) {
            return None;
        }
        drop(word);
        let mut trick = self.trick.lock().unwrap();
        let met = if *trick == Some(Trick::Hold) { *trick } else { trick.take() };
        if met.is_some() {
            self.played.send_modify(|played| *played += 1);
        }
        met
    }
}

async fn carry(client: TcpStream, server: TcpStream, state: Arc<State>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let (mut up, mut down) = (vec![0; 65536], vec![0; 65536]);
    let mut met = None;
    loop {
        tokio::select! {
            read = from_client.read(&mut up) => {
                let Ok(length @ 1..) = read else { return };
                met = state.meets(&up[..length]).or(met);
                if met == Some(Trick::Silence) {
                    // Kept open, and deaf.
                    std::future::pending::<()>().await;
                }
                if met == Some(Trick::Late) {
                    let mut released = state.released.subscribe();
                    if released.wait_for(|released| *released).await.is_err() { return }
                }
                if to_server.write_all(&up[..length]).await.is_err() { return }
                if met.take_if(|met| *met == Trick::Late).is_some() {
                    let answered = from_server.read(&mut down).await.is_ok_and(|length| length > 0);
                    state.arrived.send_modify(|arrived| *arrived += usize::from(answered));
                    return;
                }
            }
            read = from_server.read(&mut down) => {
                let Ok(length @ 1..) = read else { return };
                match met {
                    Some(Trick::Cut) => return,
                    Some(Trick::Hold) => {
                        let mut released = state.released.subscribe();
                        tokio::select! {
                            released = released.wait_for(|released| *released) => {
                                if released.is_err() { return }
                            }
                            // It says nothing more before it is answered, so it has hung up.
                            _ = from_client.read(&mut up) => {
                                state.given_up.fetch_add(1, Ordering::Relaxed);
                                return;
                            }
                        }
                    }
                    Some(Trick::Silence | Trick::Late) | None => {}
                }
                if to_client.write_all(&down[..length]).await.is_err() { return }
            }
        }
    }
}
