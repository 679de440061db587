//! Statements that go to the database together.
//!
//! Owns that SQLite is handed them at once: each hand-over wakes its thread and then ours, which costs more
//! than most statements do. Postgres takes one statement at a time from the driver. Must not know what
//! they say.

use std::future::Future;

use sqlx::{AssertSqlSafe, PgConnection, Row as _, SqliteConnection};

use super::StoreError;

/// Fails unless the statement before it has changed `$1` rows; nothing after it is done then. What it is that
/// fails must not be known before: a constant would be tried first.
const UNLESS_CHANGED: &str =
    "SELECT 1 WHERE json(CASE WHEN changes() = $1 THEN 'null' ELSE 'other rows' END) IS NULL";

/// A statement with what it binds: `$1` is a list of rows, and what comes next a number.
pub(super) struct Step {
    sql: &'static str,
    rows: Option<String>,
    number: Option<i64>,
}

impl Step {
    /// One that binds nothing.
    pub(super) fn bare(sql: &'static str) -> Self {
        Self { sql, rows: None, number: None }
    }

    /// One with rows, as JSON.
    pub(super) fn of(sql: &'static str, rows: String) -> Self {
        Self { sql, rows: Some(rows), number: None }
    }

    /// One with rows and the time, in ms since 1970.
    pub(super) fn at(sql: &'static str, rows: String, now: i64) -> Self {
        Self { sql, rows: Some(rows), number: Some(now) }
    }
}

/// What they return: each row's columns, all of them text.
pub(super) type Returned = Vec<Vec<String>>;

/// A connection with either engine.
pub(super) trait Together {
    /// Runs statements one after another, up to the first that fails. A transaction that is begun by one of
    /// them is only ended by one of them.
    ///
    /// # Errors
    /// Of the one that failed; those before it were done.
    fn together(&mut self, steps: Vec<Step>) -> impl Future<Output = Result<Returned, StoreError>> + Send;

    /// A statement that fails unless the one before it has changed so many rows; none where nothing would be
    /// saved by that.
    fn if_changed(rows: usize) -> Option<Step>;
}

impl Together for SqliteConnection {
    async fn together(&mut self, steps: Vec<Step>) -> Result<Returned, StoreError> {
        let mut text = String::with_capacity(steps.iter().map(|step| step.sql.len() + 16).sum());
        let mut bound = 0;
        for step in &steps {
            renumber(step.sql, bound, &mut text);
            text.push(';');
            bound += usize::from(step.rows.is_some()) + usize::from(step.number.is_some());
        }
        // Ours, put together, with other numbers.
        let mut query = sqlx::query(AssertSqlSafe(text));
        for Step { rows, number, .. } in steps {
            if let Some(rows) = rows {
                query = query.bind(rows);
            }
            if let Some(number) = number {
                query = query.bind(number);
            }
        }
        let rows = query.fetch_all(self).await?;
        rows.iter().map(|row| (0..row.len()).map(|at| Ok(row.try_get(at)?)).collect()).collect()
    }

    fn if_changed(rows: usize) -> Option<Step> {
        Some(Step { sql: UNLESS_CHANGED, rows: None, number: Some(i64::try_from(rows).ok()?) })
    }
}

impl Together for PgConnection {
    async fn together(&mut self, steps: Vec<Step>) -> Result<Returned, StoreError> {
        let mut returned = Vec::new();
        for Step { sql, rows, number } in steps {
            let mut query = sqlx::query(sql);
            if let Some(rows) = rows {
                query = query.bind(rows);
            }
            if let Some(number) = number {
                query = query.bind(number);
            }
            for row in query.fetch_all(&mut *self).await? {
                returned.push((0..row.len()).map(|at| row.try_get(at)).collect::<Result<_, _>>()?);
            }
        }
        Ok(returned)
    }

    fn if_changed(_: usize) -> Option<Step> {
        None
    }
}

/// Adds a statement whose parameters come after the first `bound`.
fn renumber(sql: &str, bound: usize, text: &mut String) {
    let mut pieces = sql.split('$');
    text.extend(pieces.next());
    for piece in pieces {
        let digits = piece.len() - piece.trim_start_matches(|it: char| it.is_ascii_digit()).len();
        let (number, rest) = piece.split_at(digits);
        text.push('$');
        match number.parse::<usize>() {
            Ok(number) => text.push_str(&(bound + number).to_string()),
            Err(_) => text.push_str(number),
        }
        text.push_str(rest);
    }
}

#[cfg(test)]
mod tests {
    use sqlx::Connection as _;

    use super::*;

    async fn table() -> SqliteConnection {
        let mut db = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        db.together(vec![Step::bare("CREATE TABLE t (id TEXT PRIMARY KEY, at INTEGER)")]).await.unwrap();
        db
    }

    const ALL: &str = "SELECT id, CAST(at AS TEXT) FROM t ORDER BY id";
    const PUT: &str = "INSERT INTO t SELECT value, $2 FROM jsonb_each($1)";
    const TAKE: &str = "DELETE FROM t WHERE id IN (SELECT value FROM jsonb_each($1)) RETURNING id";

    fn rows(ids: &[&str]) -> String {
        serde_json::to_string(ids).unwrap()
    }

    #[tokio::test]
    async fn each_binds_what_is_its_own_and_what_they_return_is_in_their_order() {
        let mut db = table().await;
        let put = vec![
            Step::bare("BEGIN"),
            Step::at(PUT, rows(&["a", "b"]), 1),
            Step::of(TAKE, rows(&["b"])),
            Step::at(PUT, rows(&["c"]), 2),
            Step::bare(ALL),
            Step::bare("COMMIT"),
        ];
        let expected = [vec!["b"], vec!["a", "1"], vec!["c", "2"]];
        assert_eq!(db.together(put).await.unwrap(), expected);
        assert_eq!(db.together(vec![Step::bare(ALL)]).await.unwrap(), expected[1..]);
    }

    #[tokio::test]
    async fn none_is_run_after_one_that_failed() {
        let mut db = table().await;
        let twice = vec![
            Step::bare("BEGIN"),
            Step::at(PUT, rows(&["a"]), 1),
            Step::at(PUT, rows(&["a"]), 1),
            Step::bare("COMMIT"),
        ];
        assert!(db.together(twice).await.is_err());
        db.together(vec![Step::bare("ROLLBACK")]).await.expect("it was not ended");
        assert_eq!(db.together(vec![Step::bare(ALL)]).await.unwrap(), Returned::new());
    }

    #[tokio::test]
    async fn what_changes_other_rows_than_it_should_is_not_committed() {
        let mut db = table().await;
        for (put, changes, is_done) in [(["a", "b"], 2, true), (["c", "d"], 1, false), (["e", "f"], 3, false)]
        {
            let steps = vec![
                Step::bare("BEGIN"),
                Step::at(PUT, rows(&put), 1),
                SqliteConnection::if_changed(changes).unwrap(),
                Step::bare("COMMIT"),
            ];
            let done = db.together(steps).await;
            assert_eq!(done.is_ok(), is_done, "{put:?}: {done:?}");
            assert!(done.is_err() || done.unwrap().is_empty());
            let undone = db.together(vec![Step::bare("ROLLBACK")]).await;
            assert_eq!(undone.is_err(), is_done);
        }
        let mut all = db.together(vec![Step::bare(ALL)]).await.unwrap();
        assert_eq!(all.drain(..).map(|row| row[0].clone()).collect::<Vec<_>>(), ["a", "b"]);
        // With what it returns, as ours do.
        let taken = vec![Step::of(TAKE, rows(&["a", "x"])), SqliteConnection::if_changed(1).unwrap()];
        assert_eq!(db.together(taken).await.unwrap(), [["a"]]);
    }
}
