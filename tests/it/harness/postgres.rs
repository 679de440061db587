//! A private, throw-away PostgreSQL on loopback for the tests of one run.
//!
//! Owns its whole life: a shell holds the server and ends it, and removes its files, as soon as
//! the pipe to this process closes, however this process ends.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};

use super::{PATIENCE, free_port, needs};

/// The user `nobody`, who exists everywhere: PostgreSQL refuses to run as root.
const NOBODY: u32 = 65534;

/// A running server.
pub(crate) struct Postgres {
    /// Where its programs are.
    bin: PathBuf,
    folder: PathBuf,
    port: u16,
    databases: AtomicU32,
    shell: Mutex<Child>,
    _held: ChildStdin,
}

/// The server that all tests share, each with a database of its own; where there is no PostgreSQL,
/// the caller is to return.
#[track_caller]
pub(crate) fn shared() -> Option<&'static Postgres> {
    static SHARED: OnceLock<Postgres> = OnceLock::new();
    let bin = needs::postgres()?;
    Some(SHARED.get_or_init(|| Postgres::start(bin)))
}

impl Postgres {
    /// Starts a server of its own, for a test that ends it.
    pub(crate) fn start(bin: PathBuf) -> Self {
        let folder = tempfile::Builder::new().prefix("connect-card-pg-").tempdir().unwrap().keep();
        if is_root() {
            chown(&folder, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let initdb = as_nobody(Command::new(bin.join("initdb")))
            .args(["-U", "postgres", "--auth=trust", "-E", "UTF8", "--no-locale", "--no-sync", "-D"])
            .arg(folder.join("data"))
            .output()
            .unwrap();
        assert!(initdb.status.success(), "{}", String::from_utf8_lossy(&initdb.stderr));
        let port = free_port();
        let (shell, held) = Self::run(&bin, &folder, port);
        let server =
            Self { bin, folder, port, databases: AtomicU32::new(0), shell: Mutex::new(shell), _held: held };
        server.wait_until_up();
        server
    }

    fn run(bin: &Path, folder: &Path, port: u16) -> (Child, ChildStdin) {
        // The pipe closes when this process ends; `cat` then ends, and the shell cleans up.
        let script = format!(
            "trap '' INT TERM; '{1}/postgres' -D '{0}/data' -p {port} -k '{0}' -c listen_addresses=127.0.0.1 \
             -c max_connections=200 >'{0}/log' 2>&1 & echo $!; cat >/dev/null; \
             kill -QUIT $(head -1 '{0}/data/postmaster.pid') 2>/dev/null; wait; rm -rf '{0}'",
            folder.display(),
            bin.display()
        );
        let mut shell = as_nobody(Command::new("sh"))
            .args(["-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(shell.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let held = shell.stdin.take().unwrap();
        (shell, held)
    }

    /// Ends the server as a power cut would (`-m immediate`) and starts it again.
    pub(crate) fn crash_and_restart(&self) {
        let stop = as_nobody(Command::new(self.bin.join("pg_ctl")))
            .args(["stop", "-m", "immediate", "-w", "-D"])
            .arg(self.folder.join("data"))
            .output()
            .unwrap();
        assert!(stop.status.success(), "{}", String::from_utf8_lossy(&stop.stderr));
        let start = as_nobody(Command::new(self.bin.join("pg_ctl")))
            .args(["start", "-w", "-t", "180", "-l"])
            .arg(self.folder.join("log"))
            .args([
                "-o",
                &format!("-p {} -k {} -c listen_addresses=127.0.0.1", self.port, self.folder.display()),
                "-D",
            ])
            .arg(self.folder.join("data"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(start.success(), "{}", fs::read_to_string(self.folder.join("log")).unwrap_or_default());
    }

    /// Sets something in the server's configuration, and waits until it is in force for new sessions.
    pub(crate) fn set(&self, setting: &str, value: &str) {
        for sql in [format!("ALTER SYSTEM SET {setting} = '{value}'"), "SELECT pg_reload_conf()".to_owned()] {
            let (done, output) = self.psql("postgres", &sql);
            assert!(done, "{output}");
        }
        let deadline = std::time::Instant::now() + PATIENCE;
        while self.psql("postgres", &format!("SHOW {setting}")).1 != value {
            assert!(std::time::Instant::now() < deadline, "{setting} does not become {value:?}");
            std::thread::yield_now();
        }
    }

    /// Where it listens.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The URL of a new, empty database.
    pub(crate) fn database(&self) -> String {
        let name = format!("t{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let (done, output) = self.psql("postgres", &format!("CREATE DATABASE {name}"));
        assert!(done, "{output}");
        format!("postgres://postgres@127.0.0.1:{}/{name}", self.port)
    }

    /// Runs one statement; returns whether it worked, and its bare output.
    pub(crate) fn psql(&self, database: &str, sql: &str) -> (bool, String) {
        let output = Command::new(self.bin.join("psql"))
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-U", "postgres", "-d", database])
            .args(["-v", "ON_ERROR_STOP=1", "-tAqc", sql])
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).trim().to_owned())
    }

    fn wait_until_up(&self) {
        let deadline = std::time::Instant::now() + PATIENCE;
        while !self.psql("postgres", "SELECT 1").0 {
            assert!(
                std::time::Instant::now() < deadline
                    && self.shell.lock().unwrap().try_wait().unwrap().is_none(),
                "PostgreSQL does not start: {}",
                fs::read_to_string(self.folder.join("log")).unwrap_or_default()
            );
            std::thread::yield_now();
        }
    }
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
}

fn as_nobody(mut command: Command) -> Command {
    if is_root() {
        command.uid(NOBODY).gid(NOBODY).current_dir("/");
    }
    command
}
