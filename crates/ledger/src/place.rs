//! Where a ledger is: `sqlite:///absolute/path` or `postgres://[USER@]HOST[:PORT]/DATABASE`, `postgres+ssl://` for TLS.

use std::{fmt, path::PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{Error, PostgresAccess};

/// Where `PostgreSQL` listens unless a URL says otherwise.
const DEFAULT_PORT: u16 = 5432;
/// What is encoded in a path: all but what divides it.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/');

/// The parts of a ledger's URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Sqlite(PathBuf),
    Postgres { user: Option<String>, host: String, port: u16, database: String, is_secured: bool },
}

impl Place {
    pub(crate) fn parse(url: &str) -> Result<Self, Error> {
        let fail = |reason| Error::Url { url: without_password(url), reason };
        if let Some(path) = url.strip_prefix("sqlite://") {
            return sqlite_path(path).map(Self::Sqlite).map_err(fail);
        }
        let (is_secured, rest) = match (url.strip_prefix("postgres://"), url.strip_prefix("postgres+ssl://")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            _ => return Err(fail("only `sqlite:///absolute/path` and `postgres://HOST:PORT/DATABASE` can be opened")),
        };
        let (authority, database) = rest
            .split_once('/')
            .ok_or_else(|| fail("it names no database; expected `postgres://HOST:PORT/DATABASE`"))?;
        let (user, address) = match authority.rsplit_once('@') {
            Some((user, address)) => (Some(user), address),
            None => (None, authority),
        };
        if user.is_some_and(|user| user.contains(':')) {
            return Err(fail("a password does not belong into it; set POSTGRES_PASSWORD_FILE"));
        }
        if user.is_some_and(|user| user.is_empty() || user.contains(['/', '%', ',', '@', '?'])) {
            return Err(fail("its user is no name"));
        }
        if !is_database(database) {
            return Err(fail("a database is a letter or `_`, then at most 62 letters, digits, `_` and `-`"));
        }
        let (host, port) = address_of(address).ok_or_else(|| fail("its server must be HOST or HOST:PORT"))?;
        Ok(Self::Postgres {
            user: user.map(str::to_owned),
            host: host.to_owned(),
            port,
            database: database.to_owned(),
            is_secured,
        })
    }

    /// The URL that the driver takes; it holds the password and is never shown.
    ///
    /// # Source
    /// Parameters of a connection: <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS>
    pub(crate) fn driver_url(&self, access: &PostgresAccess) -> Result<String, Error> {
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        match self {
            Self::Sqlite(path) => {
                let path = path.display().to_string();
                Ok(format!("sqlite://{}?mode=rwc", utf8_percent_encode(&path, PATH)))
            }
            Self::Postgres { user, host, port, database, is_secured } => {
                let user = user.as_ref().or(access.user.as_ref()).ok_or_else(|| Error::Login {
                    place: self.to_string(),
                    reason: "nobody is named to log in; set POSTGRES_USER".to_owned(),
                })?;
                let password = access.read_password()?.map(|password| format!(":{}", encoded(&password)));
                let mode = if *is_secured { "verify-full" } else { "disable" };
                let mut url = format!(
                    "postgres://{}{}@{host}:{port}/{database}?sslmode={mode}&application_name=streamforge",
                    encoded(user),
                    password.unwrap_or_default()
                );
                match (access.checked_authorities()?, is_secured) {
                    (Some(path), true) => {
                        url.push_str("&sslrootcert=");
                        url.push_str(&encoded(&path.display().to_string()));
                    }
                    (Some(_), false) => {
                        let reason = "POSTGRES_CA_FILE is set but the URL asks for no TLS; write `postgres+ssl://`";
                        return Err(Error::Url { url: self.to_string(), reason });
                    }
                    (None, _) => {}
                }
                Ok(url)
            }
        }
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        matches!(self, Self::Sqlite(_))
    }
}

/// As in the URL, without the user.
impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(formatter, "{}", path.display()),
            Self::Postgres { host, port, database, is_secured, .. } => {
                write!(formatter, "postgres{}://{host}:{port}/{database}", if *is_secured { "+ssl" } else { "" })
            }
        }
    }
}

fn sqlite_path(path: &str) -> Result<PathBuf, &'static str> {
    if !path.starts_with('/') {
        return Err("the path must be absolute, as in `sqlite:///absolute/path`");
    }
    if path.ends_with('/') || path.contains('\0') {
        return Err("the path must name a file");
    }
    Ok(PathBuf::from(path))
}

/// Names that need no quotes and no encoding in a path.
fn is_database(name: &str) -> bool {
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.len() <= 63
        && name.bytes().all(sound)
}

/// Host and port; the host of version 6 stands in brackets.
fn address_of(address: &str) -> Option<(&str, u16)> {
    let end_of_host = address.rfind(']').map_or(0, |bracket| bracket + 1);
    let (host, port) = match address[end_of_host..].rsplit_once(':') {
        Some((_, port)) => (&address[..address.len() - port.len() - 1], port.parse().ok().filter(|port| *port > 0)?),
        None => (address, DEFAULT_PORT),
    };
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let is_six = |host: &str| {
        let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        inner.is_some_and(|inner| inner.parse::<std::net::Ipv6Addr>().is_ok())
    };
    (!host.is_empty() && (host.bytes().all(is_name) || is_six(host))).then_some((host, port))
}

/// Error texts end up in logs; what stands between `://` and `@` may be a password, and so may a parameter.
fn without_password(url: &str) -> String {
    let url = url.split_once('?').map_or(url, |(url, _)| url);
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, place))) => format!("{scheme}://…@{place}"),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn postgres(url: &str) -> (Option<String>, String, u16, String, bool) {
        match Place::parse(url).unwrap() {
            Place::Postgres { user, host, port, database, is_secured } => (user, host, port, database, is_secured),
            Place::Sqlite(path) => panic!("{}", path.display()),
        }
    }

    #[test]
    fn parts_are_taken_as_they_stand() {
        let path = PathBuf::from("/data/a b%20/ledger.db");
        assert_eq!(Place::parse("sqlite:///data/a b%20/ledger.db").unwrap(), Place::Sqlite(path));
        let own = |text: &str| text.to_owned();
        let found = postgres("postgres://ada@db-1.example.com:6432/stream_forge");
        assert_eq!(found, (Some(own("ada")), own("db-1.example.com"), 6432, own("stream_forge"), false));
        assert_eq!(postgres("postgres+ssl://[::1]/db"), (None, own("[::1]"), 5432, own("db"), true));
        let place = Place::parse("postgres+ssl://ada@h/db").unwrap();
        assert_eq!(place.to_string(), "postgres+ssl://h:5432/db");
    }

    #[test]
    fn other_urls_are_refused_without_their_password() {
        for url in [
            "",
            "ledger.db",
            "sqlite://ledger.db",
            "sqlite:///",
            "mysql://u:secret@host/db",
            "postgres://host",
            "postgres://host/",
            "postgres://host/1db",
            "postgres://host/db/x",
            "postgres://host/db?password=secret",
            "postgres://host:port/db",
            "postgres://host:0/db",
            "postgres:///db",
            "postgres://@host/db",
            "postgres://[::1/db",
            "postgres://ada:secret@host/db",
            "postgres://ada:sec@ret@host/db",
        ] {
            let error = Place::parse(url).unwrap_err();
            assert!(matches!(error, Error::Url { .. }), "{url}");
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("secret") && !shown.contains("ret@"), "{shown}");
        }
    }

    #[test]
    fn the_driver_gets_what_the_environment_says() {
        let folder = tempfile::tempdir().unwrap();
        let (password, authorities) = (folder.path().join("password"), folder.path().join("ca.pem"));
        std::fs::write(&password, "a:b@c/d?e\n").unwrap();
        std::fs::write(&authorities, "-----BEGIN CERTIFICATE-----").unwrap();
        let access =
            PostgresAccess { user: Some("ada".to_owned()), password: Some(password), authorities: Some(authorities) };
        let url = Place::parse("postgres+ssl://h/db").unwrap().driver_url(&access).unwrap();
        let beginning = "postgres://ada:a%3Ab%40c%2Fd%3Fe@h:5432/db?sslmode=verify-full&application_name=streamforge";
        assert!(url.starts_with(&format!("{beginning}&sslrootcert=%2F")), "{url}");
        let plain = Place::parse("postgres://eve@h/db").unwrap();
        let told = plain.driver_url(&access).unwrap_err().to_string();
        assert!(told.contains("POSTGRES_CA_FILE"), "{told}");
        let plain = plain.driver_url(&PostgresAccess { authorities: None, ..access }).unwrap();
        assert!(plain.starts_with("postgres://eve:") && plain.contains("sslmode=disable"), "{plain}");
        let told = Place::parse("postgres://h/db").unwrap().driver_url(&PostgresAccess::default()).unwrap_err();
        assert!(told.to_string().contains("POSTGRES_USER"), "{told}");
        let file = Place::Sqlite("/a b/ä?%.db".into()).driver_url(&PostgresAccess::default()).unwrap();
        assert_eq!(file, "sqlite:///a%20b/%C3%A4%3F%25%2Edb?mode=rwc");
    }
}
