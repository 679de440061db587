//! The terminal in which questions are asked.
//!
//! Owns how a person is asked: a line, a hidden one, a short one, yes or no. What is hidden is never shown,
//! only how much of it there is, and of a short one the beginning. Nothing that is said can steer the
//! terminal. Must not know what is asked.

use std::io::{self, BufRead as _, ErrorKind, IsTerminal as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rpassword::ConfigBuilder;
use secrecy::{ExposeSecret as _, SecretString};

use crate::cli;
use crate::config::Faults;

/// Why the questions came to an end before the last one.
#[derive(Debug)]
pub(super) enum End {
    /// Ctrl-C, Ctrl-D, or nobody types any more.
    Stopped,
    /// What was answered cannot be kept.
    Unkept(Faults),
}

/// How much of a short answer is shown as it is typed, in characters: as much as `yes` has. People expect
/// to see a `y`, so hiding it would confuse; but whoever pastes the secret that is asked for next finds it
/// in no window and in no record of one.
const SHORT: usize = 3;

/// What was answered to a question for yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Yes.
    Yes,
    /// No.
    No,
    /// Something else, perhaps what is asked for next. It was not taken.
    Neither,
}

/// A person's terminal.
pub(super) struct Terminal {
    hiding: Arc<AtomicBool>,
}

impl Terminal {
    /// That of this process, if a person can read and write there.
    pub(super) fn of_this_process() -> Option<Self> {
        let is_there = io::stdin().is_terminal() && io::stdout().is_terminal();
        is_there.then(|| Self { hiding: Arc::default() })
    }

    /// Whether something is being typed that is hidden. Then Ctrl-C is an answer like any other: who ended
    /// the process instead would leave a terminal that shows nothing.
    pub(super) fn hiding(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.hiding)
    }

    /// Says something.
    pub(super) fn say(&self, text: &str) {
        let _ = cli::print(&format!("{}\n", in_lines(text)));
    }

    /// Asks for a line; without the blanks around it.
    pub(super) async fn line(&self, question: &str) -> Result<String, End> {
        loop {
            let _ = cli::print(&format!("{} ", in_lines(question)));
            match tokio::task::spawn_blocking(shown).await {
                Ok(Ok(Some(line))) => return Ok(line),
                Ok(Err(error)) if error.kind() == ErrorKind::InvalidData => {
                    self.say("That is not a text in UTF-8.");
                }
                _ => {
                    self.say("");
                    return Err(End::Stopped);
                }
            }
        }
    }

    /// Asks for a word of a few letters; without the blanks around it.
    pub(super) async fn short(&self, question: &str) -> Result<SecretString, End> {
        self.unseen(question, |terminal| terminal.password_feedback_partial_mask('*', SHORT)).await
    }

    /// Asks for a secret; without the blanks around it.
    pub(super) async fn hidden(&self, question: &str) -> Result<SecretString, End> {
        self.unseen(question, |terminal| terminal.password_feedback_mask('*')).await
    }

    async fn unseen(
        &self,
        question: &str,
        shown: fn(ConfigBuilder) -> ConfigBuilder,
    ) -> Result<SecretString, End> {
        let _ = cli::print(&format!("{} ", in_lines(question)));
        self.hiding.store(true, Ordering::SeqCst);
        let typed = tokio::task::spawn_blocking(move || unseen(shown)).await;
        self.hiding.store(false, Ordering::SeqCst);
        match typed {
            Ok(Ok(secret)) => Ok(secret),
            // Ctrl-C has ended the line.
            Ok(Err(error)) if error.kind() == ErrorKind::Interrupted => Err(End::Stopped),
            _ => {
                self.say("");
                Err(End::Stopped)
            }
        }
    }

    /// Asks a question that is answered by yes or no; an empty answer is `usual`. Anything else is neither,
    /// and is never shown: it may be a secret.
    pub(super) async fn answer(&self, question: &str, usual: bool) -> Result<Answer, End> {
        let choice = if usual { "[Y/n]" } else { "[y/N]" };
        let typed = self.short(&format!("{question} {choice}")).await?;
        Ok(match typed.expose_secret().to_lowercase().as_str() {
            "" if usual => Answer::Yes,
            "y" | "yes" => Answer::Yes,
            "" | "n" | "no" => Answer::No,
            _ => {
                self.say("That was neither y nor n. Nothing was taken.");
                Answer::Neither
            }
        })
    }

    /// The same, where only a clear yes is one.
    pub(super) async fn yes(&self, question: &str, usual: bool) -> Result<bool, End> {
        Ok(self.answer(question, usual).await? == Answer::Yes)
    }
}

/// A text without what steers a terminal, except for the ends of its lines: somebody else's words are in
/// some.
fn in_lines(text: &str) -> String {
    text.split('\n').map(cli::plain).collect::<Vec<_>>().join("\n")
}

/// Reads a line; nothing at the end of the input.
fn shown() -> io::Result<Option<String>> {
    let mut line = String::new();
    let bytes = io::stdin().lock().read_line(&mut line)?;
    Ok((bytes > 0).then(|| line.trim().to_owned()))
}

/// Reads what is shown in part or not at all, from the terminal that is the standard input. Where that may
/// not be opened once more, which is so after `su`, it is the terminal of the session.
fn unseen(shown: fn(ConfigBuilder) -> ConfigBuilder) -> io::Result<SecretString> {
    let terminal =
        ["/dev/stdin", "/dev/tty"].into_iter().find(|path| std::fs::File::open(Path::new(path)).is_ok());
    let terminal =
        ConfigBuilder::new().input_file_path(terminal.unwrap_or("/dev/tty")).output_writer(io::stdout());
    rpassword::read_password_with_config(shown(terminal).build())
        .map(|typed| SecretString::from(typed.trim().to_owned()))
}
