//! How the tables come to be: each step once, in its order, whoever starts first.

use sqlx::{
    AnyConnection, AssertSqlSafe, Connection as _, Executor as _, SqlSafeStr as _,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
};

/// The steps: number, name and statements. One that was released never changes.
const STEPS: [(i64, &str, &str); 1] = [(1, "ledger", include_str!("../migrations/0001_ledger.sql"))];

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
    connection.execute("PRAGMA journal_mode = WAL").await?;
    connection.execute("PRAGMA synchronous = FULL").await?;
    // A container may have no folder for temporary files: https://sqlite.org/tempfiles.html
    connection.execute("PRAGMA temp_store = MEMORY").await?;
    Ok(())
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
