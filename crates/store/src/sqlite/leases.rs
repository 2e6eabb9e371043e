//! [`LeaseStore`] on `SQLite`: one row a key, which stays so that its fence only grows.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};
use streamforge_events::Millis;

use super::{
    SqliteStore,
    failure::{Failure, signed, unsigned},
};
use crate::{Error, Fence, Lease, LeaseOutcome, LeaseStore, lease::check_lease};

/// A row belongs to an acquisition as long as it has a holder; once the work is done it has none.
const OWNED: &str = "key = ?1 AND fence = ?2 AND holder IS NOT NULL";

#[async_trait]
impl LeaseStore for SqliteStore {
    async fn acquire(&self, key: &str, holder: &str, now: Millis, until: Millis) -> Result<LeaseOutcome, Error> {
        check_lease(key, holder, now, until)?;
        let (key, holder) = (key.to_owned(), holder.to_owned());
        self.writer.run(1, move |connection| acquire(connection, &key, &holder, now, until)).await
    }

    async fn renew(&self, key: &str, fence: Fence, now: Millis, until: Millis) -> Result<bool, Error> {
        check_lease(key, "-", now, until)?;
        let sql = format!("UPDATE leases SET (since, until) = (?3, ?4) WHERE {OWNED}");
        let key = key.to_owned();
        let renew = move |connection: &Connection| {
            Ok(connection.prepare_cached(&sql)?.execute(params![key, signed(fence.get()), now, until])? == 1)
        };
        self.writer.run(1, renew).await
    }

    async fn release(&self, key: &str, fence: Fence) -> Result<bool, Error> {
        self.end(key, fence, format!("UPDATE leases SET holder = NULL WHERE {OWNED}")).await
    }

    async fn complete(&self, key: &str, fence: Fence) -> Result<bool, Error> {
        let sql =
            format!("UPDATE leases SET (holder, done) = (NULL, 1) WHERE {OWNED} OR key = ?1 AND fence = ?2 AND done");
        self.end(key, fence, sql).await
    }

    async fn lease(&self, key: &str) -> Result<Option<Lease>, Error> {
        let key = key.to_owned();
        self.readers.run(move |connection| held(connection, &key)).await
    }
}

impl SqliteStore {
    async fn end(&self, key: &str, fence: Fence, sql: String) -> Result<bool, Error> {
        let key = key.to_owned();
        let end = move |connection: &Connection| {
            Ok(connection.prepare_cached(&sql)?.execute(params![key, signed(fence.get())])? == 1)
        };
        self.writer.run(1, end).await
    }
}

/// The columns of a lease but its key.
struct Row {
    fence: i64,
    holder: Option<String>,
    since: Millis,
    until: Millis,
    done: bool,
}

fn acquire(
    connection: &Connection,
    key: &str,
    holder: &str,
    now: Millis,
    until: Millis,
) -> Result<LeaseOutcome, Failure> {
    let fence = match read(connection, key)? {
        None => 1,
        Some(Row { done: true, .. }) => return Ok(LeaseOutcome::Done),
        Some(Row { holder: Some(holder), since, until, .. }) if now < until => {
            let until = if now < since { shorten(connection, key, now, until.saturating_sub(since))? } else { until };
            return Ok(LeaseOutcome::Held { holder, until });
        }
        Some(Row { fence, .. }) => fence + 1,
    };
    connection
        .prepare_cached(
            "INSERT INTO leases (key, fence, holder, since, until, done) VALUES (?1, ?2, ?3, ?4, ?5, 0)
             ON CONFLICT (key) DO UPDATE SET (fence, holder, since, until) = (?2, ?3, ?4, ?5)",
        )?
        .execute(params![key, fence, holder, now, until])?;
    Ok(LeaseOutcome::Acquired(Fence::new(unsigned(fence)?)))
}

/// The clock was set back: from now on the lease has its length to go, so that one of a dead holder does end.
fn shorten(connection: &Connection, key: &str, now: Millis, length: Millis) -> Result<Millis, Failure> {
    let until = now.saturating_add(length);
    connection
        .prepare_cached("UPDATE leases SET (since, until) = (?2, ?3) WHERE key = ?1")?
        .execute(params![key, now, until])?;
    Ok(until)
}

fn held(connection: &Connection, key: &str) -> Result<Option<Lease>, Failure> {
    let Some(Row { fence, holder: Some(holder), until, .. }) = read(connection, key)? else { return Ok(None) };
    Ok(Some(Lease { holder, fence: Fence::new(unsigned(fence)?), until }))
}

fn read(connection: &Connection, key: &str) -> Result<Option<Row>, Failure> {
    let mut statement =
        connection.prepare_cached("SELECT fence, holder, since, until, done FROM leases WHERE key = ?1")?;
    let row = statement.query_row([key], |row| {
        Ok(Row { fence: row.get(0)?, holder: row.get(1)?, since: row.get(2)?, until: row.get(3)?, done: row.get(4)? })
    });
    Ok(row.optional()?)
}
