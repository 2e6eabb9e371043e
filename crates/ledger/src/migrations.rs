//! How the tables come to be: each step once, in its order, whoever starts first.

use std::time::Duration;

use sqlx::{
    AnyConnection, AssertSqlSafe, Connection as _, Executor as _, SqlSafeStr as _,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
};

/// The steps: number, name and statements. One that was released never changes.
const STEPS: [(i64, &str, &str); 2] = [
    (1, "ledger", include_str!("../migrations/0001_ledger.sql")),
    (2, "health", include_str!("../migrations/0002_health.sql")),
];
/// How long SQLite is left alone while another has the file.
const BUSY_PAUSE: Duration = Duration::from_millis(5);

/// Brings the tables of a database to this program's version.
///
/// # Errors
/// What the database said, or that its tables are of a newer version.
pub(crate) async fn run(connection: &mut AnyConnection, is_sqlite: bool) -> Result<(), MigrateError> {
    let migrator = migrator(is_sqlite);
    if !is_sqlite {
        // Under a lock of the server.
        return migrator.run_direct(None, connection, false).await;
    }
    // The driver's own lock does nothing in SQLite; this is one.
    let mut turn = connection.begin_with("BEGIN IMMEDIATE").await?;
    migrator.run_direct(None, &mut *turn, false).await?;
    Ok(turn.commit().await?)
}

/// What SQLite has to be told on each connection.
pub(crate) async fn prepare(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    connection.execute("PRAGMA busy_timeout = 30000").await?;
    while let Err(error) = connection.execute("PRAGMA journal_mode = WAL").await {
        // The first switch of a file fails at once when two make it, whatever the timeout; the caller ends the wait.
        if !is_busy(&error) {
            return Err(error);
        }
        tokio::time::sleep(BUSY_PAUSE).await;
    }
    connection.execute("PRAGMA synchronous = FULL").await?;
    // A container may have no folder for temporary files: https://sqlite.org/tempfiles.html
    connection.execute("PRAGMA temp_store = MEMORY").await?;
    Ok(())
}

/// # Source
/// Codes: <https://sqlite.org/rescode.html>
fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|refusal| refusal.code()?.parse::<u32>().ok());
    code.is_some_and(|code| code & 0xff == 5)
}

fn migrator(is_sqlite: bool) -> Migrator {
    let step = |(version, name, sql): (i64, &'static str, &'static str)| {
        // Texts are compared by their bytes in both, which each calls by another name.
        let own = if is_sqlite { sql.replace("COLLATE \"C\"", "COLLATE BINARY") } else { sql.to_owned() };
        let sql = AssertSqlSafe(own).into_sql_str();
        Migration::new(version, name.into(), MigrationType::Simple, sql, false)
    };
    Migrator::with_migrations(STEPS.map(step).to_vec())
}
