//! A person at a terminal: a real pseudo-terminal with a program in it, what it shows, and what is typed
//! once that has been asked for.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};
use tokio::process::{Child, Command};

use super::{PATIENCE, Program, until};

/// A program in a terminal.
pub(crate) struct Terminal {
    child: Child,
    keyboard: File,
    screen: Arc<Mutex<String>>,
    /// Fills the screen, until nothing can come any more.
    reader: JoinHandle<()>,
    /// How much of the screen has been read.
    read: usize,
}

impl Terminal {
    /// Runs a task of the program in a new terminal.
    pub(crate) fn run(program: &Program, arguments: &[&str]) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
        let person = openpt(flags).unwrap();
        grantpt(&person).unwrap();
        unlockpt(&person).unwrap();
        let name = ptsname(&person, Vec::new()).unwrap().into_string().unwrap();
        let side = || OwnedFd::from(OpenOptions::new().read(true).write(true).open(&name).unwrap());
        let mut command = program.command(arguments);
        let child = command.stdin(side()).stdout(side()).stderr(side()).spawn().unwrap();
        drop(command);
        let screen = Arc::new(Mutex::new(String::new()));
        let (mut output, shown) = (File::from(person.try_clone().unwrap()), Arc::clone(&screen));
        let reader = std::thread::spawn(move || {
            let (mut bytes, mut rest) = ([0; 4096], Vec::new());
            // Once the program has ended there is nobody on the other side, which is an error.
            while let Ok(read @ 1..) = output.read(&mut bytes) {
                rest.extend_from_slice(&bytes[..read]);
                let whole = std::str::from_utf8(&rest).map_or_else(|error| error.valid_up_to(), str::len);
                let text: Vec<u8> = rest.drain(..whole).collect();
                shown.lock().unwrap().push_str(std::str::from_utf8(&text).unwrap());
            }
        });
        Self { child, keyboard: File::from(person), screen, reader, read: 0 }
    }

    /// All that has been shown, with plain ends of lines.
    pub(crate) fn screen(&self) -> String {
        self.screen.lock().unwrap().replace("\r\n", "\n")
    }

    /// Waits until something is shown after what was waited for before.
    pub(crate) async fn shows(&mut self, words: &str) {
        let screen = Arc::clone(&self.screen);
        let from = self.read;
        let what = format!("{words:?} on the screen");
        let found = until(&what, async || {
            let screen = screen.lock().unwrap();
            assert!(!screen[from..].contains("panicked"), "{screen}");
            screen[from..].find(words).map(|at| from + at + words.len())
        });
        self.read = found.await;
    }

    /// Types a line once something is shown.
    pub(crate) async fn answer(&mut self, question: &str, line: &str) {
        self.shows(question).await;
        self.press(&format!("{line}\n"));
    }

    /// The same for what is not to be shown, once the terminal shows nothing any more.
    pub(crate) async fn answer_hidden(&mut self, question: &str, line: &str) {
        self.shows_and_hides(question).await;
        self.press(&format!("{line}\n"));
    }

    /// Waits until something is shown, and then what is typed is not.
    pub(crate) async fn shows_and_hides(&mut self, question: &str) {
        self.shows(question).await;
        until("typing to be hidden", async || (!self.shows_what_is_typed()).then_some(())).await;
    }

    /// Whether what is typed is shown.
    pub(crate) fn shows_what_is_typed(&self) -> bool {
        tcgetattr(&self.keyboard).unwrap().local_modes.contains(LocalModes::ECHO)
    }

    /// Presses keys.
    pub(crate) fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Ctrl-C as the program's terminal would send it, were it not this process's as well.
    pub(crate) async fn interrupt(&self) {
        let id = self.child.id().expect("it runs").to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().await.unwrap().success());
    }

    /// Waits for the end, and gives the exit code with all that was shown.
    pub(crate) async fn end(mut self) -> (i32, String) {
        let ended = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        let status = ended.unwrap_or_else(|_| panic!("it does not end: {}", self.screen())).unwrap();
        let code = status.code().expect("no signal ends it");
        // What it wrote last may still be on its way to the screen.
        let screen = until("the last line", async || self.reader.is_finished().then(|| self.screen()));
        (code, screen.await)
    }
}
