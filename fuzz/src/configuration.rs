//! The files `CONFIG` and `.env`.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use connect_card::command::naming::Schema;
use connect_card::command::owner::{Named, Owner};
use connect_card::config::env_file::EnvFile;
use connect_card::config::{self, Faults, Vars};
use secrecy::SecretString;
use tempfile::TempDir;
use toml::{Table, Value};

use crate::line;
use crate::typed::CATALOG;

/// What no fault may repeat.
const SECRET: &str = "c4n4ry";

thread_local! {
    static FOLDER: OnceCell<TempDir> = const { OnceCell::new() };
}

/// Where `config` writes its file.
fn file() -> PathBuf {
    FOLDER.with(|folder| folder.get_or_init(|| tempfile::tempdir().unwrap()).path().join("customers.toml"))
}

/// The file that `CONFIG` names. A fault names a key and repeats no value; and what is taken means something:
/// no channel leads to a destination that is not there, and each tells its own connections from others'.
pub fn config(data: &[u8]) {
    let path = file();
    fs::write(&path, data).unwrap();
    let vars = Vars::from_pairs([
        ("CONFIG", path.to_str().unwrap()),
        ("SLACK_SIGNING_SECRET", "8f742231b10e8888abcd99yyyzzz85a5"),
        ("SLACK_BOT_TOKEN", "xoxb-1-2-abc"),
        ("FIVETRAN_API_KEY", "key"),
        ("FIVETRAN_API_SECRET", "secret"),
        ("FIVETRAN_GROUP_ID", "projected_sickle"),
        ("PUBLIC_URL", "https://bot.example"),
    ]);
    let text = std::str::from_utf8(data).ok();
    let parsed = text.map(|text| text.trim_start_matches('\u{FEFF}').parse::<Table>());
    match config::serve(&vars) {
        Err(faults) => {
            let keys = match &parsed {
                Some(Ok(table)) => keys(table),
                // The key that is there twice is named.
                Some(Err(_)) => twice(&faults),
                None => String::new(),
            };
            assert!(!faults.0.is_empty());
            assert!(keys.contains(SECRET) || !faults.to_string().contains(SECRET), "{faults}");
            for fault in &faults.0 {
                assert!(!fault.problem.is_empty() && !fault.remedy.is_empty());
                assert!(!format!("{} {} {}", fault.variable, fault.problem, fault.remedy).contains('\n'));
            }
        }
        Ok(config) => {
            assert!(matches!(parsed, Some(Ok(_))), "what is no TOML is no configuration");
            let keys = keys(&parsed.unwrap().unwrap());
            for remark in &config.remarks {
                assert!(keys.contains(SECRET) || !remark.contains(SECRET), "{remark}");
            }
            for (id, channel) in &config.channels.by_id {
                let place = channel.destination.as_ref();
                assert!(
                    place.is_none_or(|name| config.destinations.named.contains_key(name)),
                    "{id}: {place:?}"
                );
                for service in channel.services.iter().filter_map(|it| CATALOG.get(it.as_str())).take(3) {
                    let group = place.and_then(|name| config.destinations.named.get(name));
                    let Some(group_id) = group.or(config.destinations.default_group.as_ref()) else {
                        continue;
                    };
                    let name = place.map(String::as_str).or_else(|| config.destinations.name_of(group_id));
                    let Some(Ok(target)) = channel.name(service, name) else { continue };
                    let named = Named { service, target: &target, group_id };
                    let owner = config.channels.owner_of(named, &config.destinations);
                    let is_of_all =
                        !matches!(&channel.schema, Some(Schema::Template(it)) if it.wants_customer());
                    assert!(
                        owner == Owner::Channel(id) || owner == Owner::Several || is_of_all,
                        "{id}: {owner:?}"
                    );
                }
            }
            let said = config.channels.misnamed(&CATALOG, &config.destinations);
            let said = said.chain(config.channels.rivals(&CATALOG, &config.destinations));
            let said = said.chain(config.channels.patterns(&CATALOG, &config.destinations));
            assert!(said.chain(config.bundles.unusable_services(&CATALOG)).all(|it| !it.contains('\n')));
        }
    }
}

fn keys(table: &Table) -> String {
    let deeper = |value: &Value| match value {
        Value::Table(table) => keys(table),
        Value::Array(values) => {
            values.iter().filter_map(Value::as_table).map(keys).collect::<Vec<_>>().join(" ")
        }
        _ => String::new(),
    };
    table.iter().map(|(key, value)| format!("{key} {}", deeper(value))).collect::<Vec<_>>().join(" ")
}

fn twice(faults: &Faults) -> String {
    let of = faults.0.iter().filter(|fault| fault.problem.ends_with("for the second time"));
    of.map(|fault| fault.problem.clone()).collect()
}

/// An empty folder that is this process's working folder until it is dropped, and goes then.
struct WorkingFolder {
    before: PathBuf,
    _here: TempDir,
    /// There is one such folder for the process, so only one of these at a time.
    _alone: MutexGuard<'static, ()>,
}

impl WorkingFolder {
    fn new() -> Self {
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        // In memory, if it can be: each input is synced to the disk twice.
        let here = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let before = std::env::current_dir().unwrap();
        std::env::set_current_dir(&here).unwrap();
        Self { before, _here: here, _alone: alone }
    }
}

impl Drop for WorkingFolder {
    fn drop(&mut self) {
        let _ = std::env::set_current_dir(&self.before);
    }
}

/// The names of those variables of Fivetran's that this process was started with: whoever develops the bot may
/// have some. They come before those of a file, and so are passed over.
fn own() -> BTreeSet<String> {
    Vars::from_process().unwrap().of_fivetran().into_iter().map(|(name, _)| name).collect()
}

/// The first line is a value that `init` is given, the rest a `.env`. What `init` writes, `serve` reads, and all
/// else in the file stays; a fault repeats no value.
pub fn dotenv(data: &[u8]) {
    const NAME: &str = "FIVETRAN_API_SECRET";
    let (value, text) = line(data);
    let Ok(value) = std::str::from_utf8(value) else { return };
    let _folder = WorkingFolder::new();
    let own = own();
    fs::write(".env", text).unwrap();
    let before = Vars::from_process();
    if let Err(faults) = &before {
        assert_silent(faults, text);
    }
    let known: Vec<_> = before.as_ref().map(Vars::of_fivetran).unwrap_or_default();
    simple_lines_are_read(text, before.as_ref().ok(), &own);
    let file = EnvFile::of_this_folder().unwrap();
    if let Err(faults) = file.set(&[(NAME, SecretString::from(value))]) {
        assert_silent(&faults, text);
        assert!(value.is_empty() || !faults.to_string().contains(value) || faults.to_string().len() < 200);
        assert_eq!(fs::read(".env").unwrap(), text, "it is as it was");
        return;
    }
    let after = Vars::from_process();
    match (&before, &after) {
        (Ok(_), Ok(after)) => {
            let mut expected: Vec<_> = known.into_iter().filter(|(name, _)| name != NAME).collect();
            expected.push((NAME.to_owned(), value.to_owned()));
            let mut found = after.of_fivetran();
            for pairs in [&mut expected, &mut found] {
                pairs.retain(|(name, _)| !own.contains(name));
                pairs.sort();
            }
            assert_eq!(found, expected, "of a value that was written");
        }
        // What was faulty before may be so by the lines of this name alone, which are mended.
        (Err(_), _) => {}
        (Ok(_), Err(faults)) => panic!("what init has written, serve does not read: {faults}"),
    }
    // Once more changes nothing.
    let written = fs::read(".env").unwrap();
    file.set(&[(NAME, SecretString::from(value))]).unwrap();
    assert_eq!(fs::read(".env").unwrap(), written);
}

fn assert_silent(faults: &Faults, text: &[u8]) {
    let names = String::from_utf8_lossy(text)
        .split('=')
        .any(|before| before.rsplit(['\n', ' ', '\t']).next().is_some_and(|name| name.contains(SECRET)));
    assert!(names || !faults.to_string().contains(SECRET), "{faults}");
}

/// What every program reads alike, this one does too.
fn simple_lines_are_read(text: &[u8], vars: Option<&Vars>, own: &BTreeSet<String>) {
    let (Some(vars), Ok(text)) = (vars, std::str::from_utf8(text)) else { return };
    let is_name = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_uppercase() || it == b'_');
    let is_plain = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_alphanumeric());
    for line in text.lines().skip(1) {
        if let Some((name, value)) =
            line.split_once('=').filter(|(name, value)| is_name(name) && is_plain(value))
            && name.starts_with("FIVETRAN_")
            && !own.contains(name)
        {
            assert!(vars.of_fivetran().iter().any(|(it, said)| it == name && said == value), "{name}");
        }
    }
}
