//! What is known of servers and sessions without any server.

use futures_util::FutureExt as _;

use super::*;

fn urls(url: &str) -> Result<Vec<String>, &'static str> {
    Ok(split(url)?.iter().map(|url| url.expose_secret().to_owned()).collect())
}

#[test]
fn each_server_of_a_url_gets_a_url_of_its_own() {
    for (url, expected) in [
        ("postgres://u:p@a/db", vec!["postgres://u:p@a/db"]),
        ("postgres://a", vec!["postgres://a"]),
        ("postgres://u:p,q@a:1/db?sslmode=require", vec!["postgres://u:p,q@a:1/db?sslmode=require"]),
        (
            "postgresql://u@a:1,[::1]:2,c/db?target_session_attrs=read-write&sslmode=require",
            vec![
                "postgresql://u@a:1/db?sslmode=require",
                "postgresql://u@[::1]:2/db?sslmode=require",
                "postgresql://u@c/db?sslmode=require",
            ],
        ),
        ("postgres://a,b?target_session_attrs=any", vec!["postgres://a", "postgres://b"]),
        ("postgres:///db?host=/run/postgresql", vec!["postgres:///db?host=/run/postgresql"]),
    ] {
        assert_eq!(urls(url).unwrap(), expected, "{url}");
    }
}

#[test]
fn a_url_that_cannot_work_is_refused_and_not_repeated() {
    for (url, word) in [
        ("postgres://u:hunter2@a,/db", "missing"),
        ("postgres://u:hunter2@a,b/db?target_session_attrs=standby", "takes no writes"),
        ("postgres://u:hunter2@a/db?target_session_attrs=prefer-standby", "takes no writes"),
        ("postgres://u:hunter2@/db?host=a,b", "before the database"),
        ("postgres://u:hunter2@a:1:2/db", "cannot be read"),
    ] {
        let error = Servers::read(&SecretString::from(url)).err().expect("it is refused").to_string();
        assert!(error.contains(word) && !error.contains("hunter2"), "{url}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_from_before_the_distrust_is_not_trusted() {
    let trust = Trust::default();
    let second = Duration::from_secs(1);
    assert!(trust.trusts(second));
    trust.distrust_all();
    assert!(!trust.trusts(Duration::ZERO) && !trust.trusts(second));
    tokio::time::advance(second * 2).await;
    assert!(trust.trusts(second));
    assert!(!trust.trusts(second * 3));
}

/// Servers that are not there: nobody listens at these sockets.
fn missing(count: usize) -> Servers {
    let servers = ["a", "b", "c"].into_iter().take(count);
    let url = |name| format!("postgres:///db?host=/nonexistent/{name}");
    Servers(servers.map(|name| PgConnectOptions::from_str(&url(name)).unwrap()).collect())
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_not_there_is_waited_for_a_little() {
    let began = Instant::now();
    let refused = timeout(START_LIMIT * 2, missing(2).prepare()).await.expect("it ends").unwrap_err();
    assert!(matches!(refused, OpenError::Unreachable(_)), "{refused}");
    assert!(began.elapsed() >= START_LIMIT);
    let none = Servers(Vec::new()).prepare().await.unwrap_err();
    assert!(matches!(none, OpenError::Address(_)), "{none}");
}

#[tokio::test]
async fn none_of_those_that_are_not_there_takes_writes() {
    assert_eq!(missing(2).writable(1).await, None);
}

#[tokio::test(start_paused = true)]
async fn that_new_sessions_are_of_no_use_is_said_once_a_minute_and_another_server_looked_for_each_time() {
    let (trust, error) = (Trust::default(), OpenError::ReadOnly);
    let mut said = Vec::new();
    for pause in [Duration::ZERO, SAY_EVERY - Duration::from_millis(1), Duration::from_millis(1)] {
        tokio::time::advance(pause).await;
        assert!(trust.look.notified().now_or_never().is_none());
        trust.reject(&error);
        assert!(trust.look.notified().now_or_never().is_some());
        said.push(*trust.said.lock().unwrap() == Some(Instant::now()));
    }
    assert_eq!(said, [true, false, true]);
}

#[test]
fn a_server_is_good_if_it_takes_writes_and_keeps_what_it_has_committed() {
    let judged = |is_read_only, fsync: &str, commit: &str| {
        judge_settings(is_read_only, fsync.to_owned(), commit.to_owned()).map_err(|error| error.to_string())
    };
    for commit in ["on", "local", "remote_write", "remote_apply"] {
        assert_eq!(judged(false, "on", commit), Ok(()));
    }
    for (refused, words) in [
        (judged(true, "on", "on"), "takes no writes"),
        (judged(false, "off", "on"), "fsync is off"),
        (judged(false, "on", "off"), "synchronous_commit is off"),
    ] {
        let refused = refused.unwrap_err();
        assert!(refused.contains(words), "{refused}");
    }
}

/// Only where there is another server to turn to does anything wait for that, until the sessions are closed.
#[tokio::test]
async fn another_server_is_looked_for_where_there_is_one() {
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let mut counts = Vec::new();
    for count in [1, 2] {
        let sessions = Sessions::open(missing(count), 0).unwrap();
        tokio::task::yield_now().await;
        let open = tasks();
        sessions.close().await;
        tokio::task::yield_now().await;
        counts.push(open - tasks());
    }
    assert_eq!(counts[1], counts[0] + 1, "{counts:?}");
}

#[tokio::test(start_paused = true)]
async fn a_session_is_given_up_with_its_server_when_that_takes_no_writes() {
    let sessions = Sessions::open(missing(1), 0).unwrap();
    let code = |code: &str| StoreError::Refused(format!("code {code}"));
    for (error, is_given_up, is_distrusted) in
        [(code("23505"), false, false), (StoreError::Unanswered, true, false), (code("25006"), true, true)]
    {
        assert_eq!(sessions.gives_up(&error), is_given_up, "{error}");
        assert_eq!(!sessions.trust.trusts(Duration::ZERO), is_distrusted, "{error}");
    }
    assert!(matches!(sessions.acquire().await.err(), Some(StoreError::Unreached(_))));
    assert!(Sessions::open(missing(1), 1).is_err(), "there is no such server");
    assert!(!sessions.is_closed());
    sessions.close().await;
    assert!(sessions.is_closed());
}
