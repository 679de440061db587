//! Statements that go to the database together.
//!
//! Owns that SQLite is handed them at once: each hand-over wakes its thread and then ours, which costs more
//! than most statements do. Postgres takes one statement at a time from the driver. Must not know what
//! they say.

use std::future::Future;

use sqlx::{AssertSqlSafe, PgConnection, Row as _, SqliteConnection};

use super::StoreError;

/// A statement with what it binds: `$1` is a list of rows, `$2` the time.
pub(super) struct Step {
    sql: &'static str,
    rows: Option<String>,
    now: Option<i64>,
}

impl Step {
    /// One that binds nothing.
    pub(super) fn bare(sql: &'static str) -> Self {
        Self { sql, rows: None, now: None }
    }

    /// One with rows, as JSON.
    pub(super) fn of(sql: &'static str, rows: String) -> Self {
        Self { sql, rows: Some(rows), now: None }
    }

    /// One with rows and the time, in ms since 1970.
    pub(super) fn at(sql: &'static str, rows: String, now: i64) -> Self {
        Self { sql, rows: Some(rows), now: Some(now) }
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
}

impl Together for SqliteConnection {
    async fn together(&mut self, steps: Vec<Step>) -> Result<Returned, StoreError> {
        let mut text = String::with_capacity(steps.iter().map(|step| step.sql.len() + 16).sum());
        let mut bound = 0;
        for step in &steps {
            renumber(step.sql, bound, &mut text);
            text.push(';');
            bound += usize::from(step.rows.is_some()) + usize::from(step.now.is_some());
        }
        // Ours, put together, with other numbers.
        let mut query = sqlx::query(AssertSqlSafe(text));
        for Step { rows, now, .. } in steps {
            if let Some(rows) = rows {
                query = query.bind(rows);
            }
            if let Some(now) = now {
                query = query.bind(now);
            }
        }
        let rows = query.fetch_all(self).await?;
        rows.iter().map(|row| (0..row.len()).map(|at| Ok(row.try_get(at)?)).collect()).collect()
    }
}

impl Together for PgConnection {
    async fn together(&mut self, steps: Vec<Step>) -> Result<Returned, StoreError> {
        let mut returned = Vec::new();
        for Step { sql, rows, now } in steps {
            let mut query = sqlx::query(sql);
            if let Some(rows) = rows {
                query = query.bind(rows);
            }
            if let Some(now) = now {
                query = query.bind(now);
            }
            for row in query.fetch_all(&mut *self).await? {
                returned.push((0..row.len()).map(|at| row.try_get(at)).collect::<Result<_, _>>()?);
            }
        }
        Ok(returned)
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
}
