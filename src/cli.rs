//! The command line: what can be asked of the binary, and what a shell gets back.
//!
//! Owns the subcommands' names, arguments and exit codes (0 well, 1 refused or failed, 2 usage or
//! configuration). Must not know how any of them works; each is a module below.

pub mod check;
pub mod gallery;
pub mod init;
pub mod key_policy;
pub mod link;
pub mod manifest;
mod reach;
pub mod sandbox;
pub mod serve;

use std::io::{self, ErrorKind, Write};

use clap::{ArgGroup, Parser, Subcommand};

/// Where settings come from, and who describes them.
const SETTINGS: &str = "\
Settings are variables, from the environment and then from the file .env in this folder. One of them,
CONFIG, names a file with destinations and channel defaults. README.md and .env.example describe every
variable, docs/channels.md that file. connect-card init asks for what is needed.";

/// The same of the sandbox, which has nearly none.
const SANDBOX_SETTINGS: &str = "\
The sandbox needs no settings. Only with --real-fivetran does it take the FIVETRAN_* variables and CONFIG,
from the environment and then from the file .env in this folder. docs/sandbox.md says what is real in it.";

/// Make Fivetran Connect Card links, from Slack or a shell.
#[derive(Debug, Parser)]
#[command(name = "connect-card", version, about, after_help = SETTINGS, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Task,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Task {
    /// Ask for what the bot needs, keep it in .env, check it, and say the next step.
    Init,
    /// Run the bot.
    #[command(after_help = SETTINGS)]
    Serve,
    /// Make one link and print it, without Slack.
    #[command(after_help = SETTINGS)]
    Link {
        /// The service, e.g. google_ads; quote it if it has spaces.
        service: String,
        /// The schema the data goes to, or SCHEMA.TABLE for services that fill one table.
        schema: String,
        /// A destination other than the default.
        #[arg(long, value_name = "NAME")]
        destination: Option<String>,
        /// Print a JSON object with the link and what it is for.
        #[arg(long)]
        json: bool,
    },
    /// Play the whole story in a browser, against built-in stand-ins; no account needed.
    #[command(after_help = SANDBOX_SETTINGS)]
    Sandbox {
        /// Send this one slash command, print what each party saw, and exit.
        #[arg(long, value_name = "COMMAND")]
        once: Option<String>,
        /// Print everything people can be shown, one JSON object per line, and exit.
        #[arg(long, conflicts_with = "once")]
        gallery: bool,
        /// The port of the page on 127.0.0.1; without it, a free one.
        #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true, conflicts_with_all = ["once", "gallery"])]
        port: u16,
        /// Open the page in the browser.
        #[arg(long, conflicts_with_all = ["once", "gallery"])]
        open: bool,
        /// Drive the real Fivetran with the FIVETRAN_* variables; Slack stays simulated.
        #[arg(long, conflicts_with_all = ["once", "gallery"])]
        real_fivetran: bool,
        /// Be the bot of a sandbox, which starts it so.
        #[arg(long, hide = true, conflicts_with_all = ["once", "gallery", "port", "open", "real_fivetran"])]
        bot: bool,
    },
    /// Check the configuration and everything it points to, one line each.
    #[command(after_help = SETTINGS)]
    Check {
        /// Only ask the bot that runs on this machine whether it is ready.
        #[arg(long)]
        ready: bool,
        /// Where it listens, if not at the HOST and PORT of the environment.
        #[arg(long, value_name = "HOST:PORT", requires = "ready")]
        address: Option<check::ready::Address>,
    },
    /// Print the permissions that a Fivetran system key needs for the destinations configured.
    #[command(after_help = SETTINGS)]
    KeyPolicy {
        /// Print the whole body of Fivetran's POST /v1/system-keys, for a key of this name.
        #[arg(long, value_name = "NAME", value_parser = key_policy::key_name)]
        name: Option<String>,
    },
    /// Print the Slack app's manifest, for one of the two ways in which Slack reaches the bot.
    #[command(group(ArgGroup::new("way").required(true).args(["public_url", "socket_mode"])))]
    Manifest {
        /// Where Slack will reach the bot. In a terminal, an address has no marks around it.
        #[arg(
            long,
            value_name = "URL",
            help = "Where Slack will reach the bot, e.g. https://connect-card.example.com"
        )]
        public_url: Option<String>,
        /// For a bot that opens sockets to Slack, so that nobody has to reach it.
        #[arg(long)]
        socket_mode: bool,
    },
}

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Well.
    Well,
    /// Refused, or failed.
    Failed,
    /// The command line or the configuration is wrong.
    Usage,
}

/// Writes to standard output. Whoever has closed it, such as `head`, has read enough: that is well.
pub fn print(text: &str) -> Exit {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Exit::Failed,
        _ => Exit::Well,
    }
}

/// A name from outside as it may be shown in a terminal: on one line, and nothing in it that steers one.
#[must_use]
pub fn plain(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).collect()
}

/// Writes a line to standard error; what nobody reads is lost.
pub fn remark(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Well => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
        })
    }
}
