//! What a ledger must do, on SQLite and on a real server of `PostgreSQL`.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod experiments;
mod opening;
mod roi;
mod settings;

use std::sync::{
    LazyLock,
    atomic::{AtomicU32, Ordering},
};

use streamforge_ledger::{Ledger, PostgresAccess};
use streamforge_servers::{Lifetime, Postgres};
use tempfile::TempDir;

static SERVER: LazyLock<Postgres> =
    LazyLock::new(|| Postgres::start(Lifetime::WithStarter, false).expect("a server of PostgreSQL"));
static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A place for one ledger, empty at first.
pub(crate) struct Place {
    pub(crate) url: String,
    access: PostgresAccess,
    pub(crate) folder: Option<TempDir>,
}

impl Place {
    /// Opens the ledger once more, as another process would.
    pub(crate) async fn open(&self) -> Ledger {
        Ledger::open_with(&self.url, &self.access).await.unwrap()
    }

    pub(crate) async fn refusal(&self) -> streamforge_ledger::Error {
        Ledger::open_with(&self.url, &self.access).await.unwrap_err()
    }

    /// Has the database execute a statement behind the ledger's back.
    pub(crate) async fn execute(&self, statement: &str) {
        sqlx::any::install_default_drivers();
        let mut url = self.url.clone();
        if self.folder.is_none() {
            let password = std::fs::read_to_string(SERVER.password_file()).unwrap();
            url = url.replacen('@', &format!(":{password}@"), 1);
        }
        let mut connection = <sqlx::AnyConnection as sqlx::Connection>::connect(&url).await.unwrap();
        sqlx::query(sqlx::AssertSqlSafe(statement.to_owned())).execute(&mut connection).await.unwrap();
    }
}

fn sqlite() -> Place {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/a b/ledger.db", folder.path().display());
    Place { url, access: PostgresAccess::default(), folder: Some(folder) }
}

fn postgres() -> Place {
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let url = SERVER.create(&format!("test_{number}")).unwrap();
    let access = PostgresAccess { password: Some(SERVER.password_file()), ..PostgresAccess::default() };
    Place { url, access, folder: None }
}

/// The seed of what is drawn: that of `STREAMFORGE_SEED`, or a new one; printed, so that a failure can be repeated.
fn seed() -> u64 {
    let given = std::env::var("STREAMFORGE_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| fastrand::u64(..));
    eprintln!("STREAMFORGE_SEED={seed}");
    seed
}

#[tokio::test]
async fn a_file_that_is_no_ledger_is_told() {
    let place = sqlite();
    let path = std::path::PathBuf::from(place.url.strip_prefix("sqlite://").unwrap());
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, [b'x'; 5_000]).unwrap();
    let told = place.refusal().await.to_string();
    assert!(told.contains(&path.display().to_string()) && told.contains("not a ledger"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_many_make_at_once_is_made_each_time() {
    for _ in 0..40 {
        let place = sqlite();
        let opened = (0..8).map(|_| async { Ledger::open_with(&place.url, &place.access).await.map(drop) });
        for outcome in futures::future::join_all(opened).await {
            outcome.unwrap();
        }
    }
}

/// Makes a test of each promise for each database.
macro_rules! contract {
    ($($module:ident: $($name:ident),+;)+) => {
        mod on_sqlite {
            $(mod $module {
                $(#[tokio::test(flavor = "multi_thread")]
                async fn $name() {
                    crate::$module::$name(&crate::sqlite()).await;
                })+
            })+
        }
        mod on_postgres {
            $(mod $module {
                $(#[tokio::test(flavor = "multi_thread")]
                async fn $name() {
                    crate::$module::$name(&crate::postgres()).await;
                })+
            })+
        }
    };
}

contract! {
    opening: many_open_it_at_once, what_is_there_stays, tables_of_a_newer_version_are_refused;
    settings: what_was_set_is_read, a_change_needs_the_present_revision, the_same_change_again_is_one,
        racing_changes_are_each_made_once, names_that_are_none_are_refused;
    experiments: a_training_is_read_as_it_was_told, reports_come_in_any_order, the_end_of_a_workflow_ends_its_trainings,
        the_newest_are_listed_first;
    roi: rows_are_read_as_they_were_kept, later_readings_win_and_open_rows_are_closed, pages_join_in_the_order_of_bytes,
        open_rows_are_found, a_large_batch_with_repetitions_is_kept, sums_are_those_of_the_rows;
}
