//! The sandbox with the real Fivetran, and what is left of a sandbox that has ended. What its page does
//! is tested in a browser: `.ci/check_page`.

use std::process::Stdio;

use stand_ins::fivetran::{API_KEY, API_SECRET, FivetranStandIn, GROUP_ID};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::harness::{Outside, Program, client, until};

/// A shell that has the variables of a Fivetran, which here is the stand-in.
fn with_fivetran(fivetran: &FivetranStandIn) -> Program {
    Program::bare()
        .with("FIVETRAN_API_URL", &fivetran.url())
        .with("FIVETRAN_API_KEY", API_KEY)
        .with("FIVETRAN_API_SECRET", API_SECRET)
        .with("FIVETRAN_GROUP_ID", GROUP_ID)
}

#[tokio::test]
async fn the_real_fivetran_is_driven_after_a_yes_and_what_was_made_there_is_listed() {
    let fivetran = Outside::start().await.fivetran;
    let typed = "yes\n/connect-card adwords acme\nquit\n";
    let output = with_fivetran(&fivetran).run_typing(&["sandbox", "--real-fivetran"], typed).await;
    assert_eq!(output.code, 0, "{output:?}");
    assert!(output.stderr.contains("real Fivetran account"), "{output:?}");
    let made = fivetran.connections();
    assert_eq!(made.len(), 1, "{made:?}");
    let id = made[0]["id"].as_str().unwrap();
    let delete = format!(
        "# google_ads acme\n    curl -X DELETE -u KEY:SECRET {}/v1/connections/{id}\n",
        fivetran.url()
    );
    assert!(output.stdout.contains(&delete), "{output:?}");
    assert!(output.stdout.contains(&format!("{}/connect-card/setup?", fivetran.url())), "{output:?}");
    assert!(!output.stdout.contains(API_SECRET) && !output.stderr.contains(API_SECRET), "{output:?}");
}

#[tokio::test]
async fn nothing_is_asked_of_the_real_fivetran_without_a_yes() {
    let fivetran = Outside::start().await.fivetran;
    for typed in ["", "y\n", "/connect-card adwords acme\n"] {
        let output = with_fivetran(&fivetran).run_typing(&["sandbox", "--real-fivetran"], typed).await;
        assert_eq!((output.code, output.stdout.as_str()), (1, ""), "{output:?}");
        assert!(output.stderr.ends_with("Nothing was done.\n"), "{output:?}");
    }
    assert!(fivetran.calls().is_empty());
}

#[tokio::test]
async fn without_its_variables_the_real_fivetran_is_not_driven() {
    let output = Program::bare().run(&["sandbox", "--real-fivetran"]).await;
    assert_eq!((output.code, output.stdout.as_str()), (2, ""), "{output:?}");
    assert!(output.stderr.contains("FIVETRAN_API_KEY"), "{output:?}");
}

/// A sandbox that nobody types into.
struct Running {
    child: Child,
    page: String,
    bot: String,
    folder: TempDir,
}

impl Running {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = Program::bare();
        let mut command = program.command(&["sandbox"]);
        let mut child = command.env("TMPDIR", folder.path()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut address = async |before: &str| loop {
            let line = lines.next_line().await.unwrap().expect("an address");
            if let Some((_, rest)) = line.split_once(before) {
                return format!("http://{}", rest.split(' ').next().unwrap());
            }
        };
        let page = address("    http://").await;
        let bot = address("The bot runs at http://").await;
        Self { child, page, bot, folder }
    }

    async fn is_there(&self, url: &str) -> bool {
        client().get(url).send().await.is_ok_and(|answer| answer.status() == 200)
    }

    async fn bot_is_alive(&self) -> bool {
        self.is_there(&format!("{}/healthz", self.bot)).await
    }

    fn files(&self) -> usize {
        std::fs::read_dir(self.folder.path()).unwrap().count()
    }
}

#[tokio::test]
async fn nothing_is_left_of_a_sandbox_that_is_terminated() {
    let mut sandbox = Running::start().await;
    assert!(sandbox.is_there(&sandbox.page).await && sandbox.bot_is_alive().await);
    assert_eq!(sandbox.files(), 1);
    let id = sandbox.child.id().unwrap().to_string();
    assert!(Command::new("kill").arg(id).status().await.unwrap().success());
    assert_eq!(sandbox.child.wait().await.unwrap().code(), Some(0));
    assert!(!sandbox.is_there(&sandbox.page).await && !sandbox.bot_is_alive().await);
    assert_eq!(sandbox.files(), 0);
}

#[tokio::test]
async fn a_sandbox_that_is_killed_takes_its_bot_with_it() {
    let mut sandbox = Running::start().await;
    sandbox.child.kill().await.unwrap();
    until("the bot to end", async || (!sandbox.bot_is_alive().await).then_some(())).await;
}

#[tokio::test]
async fn a_port_that_is_taken_is_told_with_what_to_do() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = Program::bare().run(&["sandbox", "--port", &port]).await;
    assert_eq!((output.code, output.stdout.as_str()), (1, ""), "{output:?}");
    assert!(output.stderr.contains("choose another --port"), "{output:?}");
}
