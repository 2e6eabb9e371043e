//! Where a database is: `arangodb://[USER@]HOST:PORT[,HOST:PORT]/DATABASE`, with `arangodb+ssl://` for TLS.

use std::fmt;

use crate::{Error, open::without_password};

/// Where `ArangoDB` listens unless a URL says otherwise.
const DEFAULT_PORT: u16 = 8529;

/// The parts of a store's URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Who logs in, if the URL says so.
    pub(super) user: Option<String>,
    /// The servers, each as `http://host:port` or `https://host:port`.
    pub(super) endpoints: Vec<String>,
    /// Name of the database.
    pub(super) database: String,
    secure: bool,
}

impl Place {
    pub(super) fn parse(url: &str) -> Result<Self, Error> {
        let fail = |reason| Error::Url { url: without_password(url), reason };
        let (secure, rest) = match (url.strip_prefix("arangodb://"), url.strip_prefix("arangodb+ssl://")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            _ => return Err(fail("expected `arangodb://[USER@]HOST:PORT[,HOST:PORT]/DATABASE`")),
        };
        let (authority, database) = rest
            .split_once('/')
            .ok_or_else(|| fail("it names no database; expected `arangodb://HOST:PORT/DATABASE`"))?;
        let (user, hosts) = match authority.rsplit_once('@') {
            Some((user, hosts)) => (Some(user), hosts),
            None => (None, authority),
        };
        if user.is_some_and(|user| user.contains(':')) {
            return Err(fail("a password does not belong into it; set ARANGO_PASSWORD_FILE or ARANGO_PASSWORD"));
        }
        if user.is_some_and(|user| user.is_empty() || user.contains(['/', '%', ','])) {
            return Err(fail("its user is no name"));
        }
        if !is_database(database) {
            return Err(fail("a database is a letter, then at most 63 letters, digits, `_` and `-`"));
        }
        let scheme = if secure { "https" } else { "http" };
        let endpoints: Option<Vec<String>> = hosts.split(',').map(|host| endpoint(scheme, host)).collect();
        let endpoints = endpoints.ok_or_else(|| fail("its servers must be HOST:PORT, separated by commas"))?;
        Ok(Self { user: user.map(str::to_owned), endpoints, database: database.to_owned(), secure })
    }

    /// Path of something in the database.
    pub(super) fn path(&self, tail: &str) -> String {
        format!("/_db/{}{tail}", self.database)
    }
}

/// Whether a URL means this kind of store at all.
pub(crate) fn is_meant(url: &str) -> bool {
    url.starts_with("arangodb://") || url.starts_with("arangodb+ssl://")
}

/// As in the URL, without the user.
impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts: Vec<&str> =
            self.endpoints.iter().filter_map(|url| url.split_once("://")).map(|(_, host)| host).collect();
        write!(formatter, "arangodb{}://{}/{}", if self.secure { "+ssl" } else { "" }, hosts.join(","), self.database)
    }
}

/// Names by the traditional rule, which every server takes and which needs no encoding in a path.
fn is_database(name: &str) -> bool {
    let sound = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let begins = name.starts_with(|first: char| first.is_ascii_alphabetic()) || name == "_system";
    begins && name.len() <= 64 && name.bytes().all(sound)
}

fn endpoint(scheme: &str, host: &str) -> Option<String> {
    let url = reqwest::Url::parse(&format!("{scheme}://{host}/")).ok()?;
    let plain = url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    let name = url.host_str().filter(|_| plain && !host.is_empty())?;
    // A port that the scheme has by default is one that was written.
    let port = host.rsplit_once(':').map_or(DEFAULT_PORT, |(_, port)| port.parse().unwrap_or(DEFAULT_PORT));
    Some(format!("{scheme}://{name}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_taken_as_they_stand() {
        let place = Place::parse("arangodb://root@db-1:8529,db-2/streamforge").unwrap();
        assert_eq!(place.user.as_deref(), Some("root"));
        assert_eq!(place.endpoints, ["http://db-1:8529", "http://db-2:8529"]);
        assert_eq!(place.to_string(), "arangodb://db-1:8529,db-2:8529/streamforge");
        let secure = Place::parse("arangodb+ssl://[::1]:443/a-b_c").unwrap();
        assert_eq!((secure.user, secure.endpoints), (None, vec!["https://[::1]:443".to_owned()]));
    }

    #[test]
    fn urls_that_name_no_database_are_refused_without_their_password() {
        for url in [
            "arangodb://",
            "arangodb://host:8529",
            "arangodb://host:8529/",
            "arangodb://host:8529/1db",
            "arangodb://host:8529/db/x",
            "arangodb://host:8529/db?password=secret",
            "arangodb://host:port/db",
            "arangodb://host:8529,/db",
            "arangodb:///db",
            "arangodb://@host:8529/db",
            "arangodb://root:secret@host:8529/db",
            "http://root:secret@host:8529/db",
        ] {
            let error = Place::parse(url).unwrap_err();
            assert!(matches!(error, Error::Url { .. }), "{url}");
            assert!(!error.to_string().contains("secret@"), "{error}");
        }
    }
}
