//! An open ledger: its connections, and how long a call may take.

use std::{fmt, fs, future::Future, str::FromStr as _, time::Duration};

use sqlx::{
    AnyConnection, AnyPool, Connection as _,
    any::{AnyConnectOptions, AnyPoolOptions, install_default_drivers},
};

use crate::{Error, PostgresAccess, migrations, place::Place};

/// Most connections of a process; each of `PostgreSQL`'s is a process there.
const CONNECTIONS: u32 = 4;
/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a call may take; a server that is gone without a word would keep it forever.
const CALL: Duration = Duration::from_secs(30);

/// Experiments, predictions against what came, and settings.
#[derive(Clone)]
pub struct Ledger {
    pub(crate) pool: AnyPool,
    pub(crate) place: String,
}

impl Ledger {
    /// Opens the ledger of a URL such as `sqlite:///var/lib/streamforge/ledger.db` or
    /// `postgres://streamforge@localhost/streamforge`; its tables, and the file, are made if they are not there.
    ///
    /// What a database asks for beside the URL comes from the environment: see [`PostgresAccess::from_environment`].
    ///
    /// # Errors
    /// [`Error::Url`] for a URL of another kind, or why the ledger cannot be used.
    pub async fn open(url: &str) -> Result<Self, Error> {
        Self::open_with(url, &PostgresAccess::from_environment()).await
    }

    /// Opens the ledger of a URL with this access.
    ///
    /// # Errors
    /// As of [`Self::open`].
    pub async fn open_with(url: &str, access: &PostgresAccess) -> Result<Self, Error> {
        let place = Place::parse(url)?;
        if let Place::Sqlite(path) = &place
            && let Some(folder) = path.parent()
        {
            fs::create_dir_all(folder).map_err(|source| Error::Folder { path: path.clone(), source })?;
        }
        // An error says that a provider is installed already, which is all that is wanted.
        install_default_drivers();
        let options = AnyConnectOptions::from_str(&place.driver_url(access)?);
        let shown = place.to_string();
        // The driver's words would repeat the URL.
        let options = options
            .map_err(|_| Error::Url { url: shown.clone(), reason: "the database's driver does not understand it" })?;
        let is_sqlite = place.is_sqlite();
        let connect = async {
            let mut connection = AnyConnection::connect_with(&options).await?;
            if is_sqlite {
                migrations::prepare(&mut connection).await?;
            }
            Ok::<_, sqlx::Error>(connection)
        };
        let mut connection = in_time(&shown, CONNECT, connect).await?;
        migrations::run(&mut connection, is_sqlite).await.map_err(|error| Error::of_migration(&shown, &error))?;
        connection.close().await.map_err(|error| Error::of(&shown, &error))?;
        let pool = AnyPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(CONNECT)
            .after_connect(move |connection, _| {
                Box::pin(async move { if is_sqlite { migrations::prepare(connection).await } else { Ok(()) } })
            })
            .connect_lazy_with(options);
        Ok(Self { pool, place: shown })
    }

    /// Where it is, without user and password.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Makes a call that ends in any case.
    pub(crate) async fn call<T>(&self, call: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, Error> {
        in_time(&self.place, CALL, call).await
    }

    pub(crate) fn row_error(&self, reason: impl fmt::Display) -> Error {
        Error::Row { place: self.place.clone(), reason: reason.to_string() }
    }
}

/// Says where it is and no more.
impl fmt::Debug for Ledger {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Ledger").field("place", &self.place).finish_non_exhaustive()
    }
}

async fn in_time<T>(
    place: &str,
    limit: Duration,
    call: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, Error> {
    let late = |_| {
        let reason = format!("it did not answer within {} seconds", limit.as_secs());
        Error::Unavailable { place: place.to_owned(), reason }
    };
    let outcome = tokio::time::timeout(limit, call).await.map_err(late)?;
    outcome.map_err(|error| Error::of(place, &error))
}
