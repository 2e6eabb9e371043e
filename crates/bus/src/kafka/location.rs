//! What a URL says: which brokers, and how to be let in.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use rdkafka::ClientConfig;

use crate::Error;

/// Kafka behind a URL such as `kafka://host:9092` or
/// `kafka+ssl://one:9093,two:9093?ca=/run/ca.crt&user=/run/user&password=/run/password`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Location {
    brokers: String,
    security: Option<Security>,
}

/// Files that hold what TLS and SASL need; their names are no secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Security {
    /// The authorities to trust; without it, those of the system.
    authority: Option<PathBuf>,
    /// Name and password; without them, TLS alone.
    user: Option<(PathBuf, PathBuf)>,
}

/// When each file changed last; another stamp means that they have to be read again.
pub(super) type Stamp = Vec<Option<(SystemTime, u64)>>;

impl Location {
    pub(super) fn parse(url: &str) -> Result<Self, Error> {
        let (scheme, rest) = url.split_once("://").ok_or(Error::Url)?;
        let (brokers, query) = rest.split_once('?').unwrap_or((rest, ""));
        let brokers = brokers.strip_suffix('/').unwrap_or(brokers);
        if !brokers.split(',').all(is_address) {
            return Err(Error::Url);
        }
        let security = match scheme {
            "kafka" if query.is_empty() => None,
            "kafka+ssl" => Some(Security::parse(query)?),
            _ => return Err(Error::Url),
        };
        Ok(Self { brokers: brokers.to_owned(), security })
    }

    /// What all clients have in common.
    ///
    /// # Source
    /// <https://github.com/confluentinc/librdkafka/blob/v2.12.1/CONFIGURATION.md>
    pub(super) fn config(&self) -> Result<ClientConfig, Error> {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.brokers)
            .set("client.id", "streamforge")
            .set("socket.nagle.disable", "true")
            .set("log.connection.close", "false")
            .set("reconnect.backoff.max.ms", "2000")
            .set("topic.metadata.refresh.interval.ms", "10000");
        let Some(security) = &self.security else {
            return Ok(config);
        };
        config.set("security.protocol", "ssl");
        if let Some(authority) = &security.authority {
            // Read here, because librdkafka's own words about a file that is missing do not name it.
            config.set("ssl.ca.pem", read(authority)?);
        }
        if let Some((user, password)) = &security.user {
            config
                .set("security.protocol", "sasl_ssl")
                .set("sasl.mechanism", "SCRAM-SHA-512")
                .set("sasl.username", read(user)?.trim())
                .set("sasl.password", read(password)?.trim());
        }
        Ok(config)
    }

    /// When the files changed last.
    pub(super) fn stamp(&self) -> Stamp {
        let Some(security) = &self.security else {
            return Stamp::new();
        };
        let user = security.user.iter().flat_map(|(user, password)| [user, password]);
        let changed = |path: &PathBuf| {
            let file = fs::metadata(path).ok()?;
            Some((file.modified().ok()?, file.len()))
        };
        security.authority.iter().chain(user).map(changed).collect()
    }
}

/// The brokers: there is nothing secret in them.
impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.brokers)
    }
}

impl Security {
    fn parse(query: &str) -> Result<Self, Error> {
        let (mut authority, mut user, mut password) = (None, None, None);
        for part in query.split('&').filter(|part| !part.is_empty()) {
            let (name, path) = part.split_once('=').ok_or(Error::Url)?;
            let file = match name {
                "ca" => &mut authority,
                "user" => &mut user,
                "password" => &mut password,
                _ => return Err(Error::Url),
            };
            if !path.starts_with('/') || file.replace(PathBuf::from(path)).is_some() {
                return Err(Error::Url);
            }
        }
        let user = match (user, password) {
            (Some(user), Some(password)) => Some((user, password)),
            (None, None) => None,
            _ => return Err(Error::Url),
        };
        Ok(Self { authority, user })
    }
}

fn is_address(address: &str) -> bool {
    let is_name = |host: &str| {
        !host.is_empty() && host.chars().all(|letter| letter.is_ascii_alphanumeric() || ".-_:[]".contains(letter))
    };
    address.rsplit_once(':').is_some_and(|(host, port)| is_name(host) && port.parse().is_ok_and(|port: u16| port > 0))
}

fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|source| Error::Open { path: path.to_owned(), source: Arc::new(source) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_and_files_are_taken_from_the_url() {
        let plain = Location::parse("kafka://one:9092,10.0.0.2:9093").unwrap();
        assert_eq!((plain.to_string().as_str(), &plain.security), ("one:9092,10.0.0.2:9093", &None));
        assert!(plain.stamp().is_empty());
        let secured = Location::parse("kafka+ssl://a:1?user=/u&password=/p&ca=/c").unwrap().security.unwrap();
        assert_eq!(secured.authority, Some(PathBuf::from("/c")));
        assert_eq!(secured.user, Some((PathBuf::from("/u"), PathBuf::from("/p"))));
    }

    #[test]
    fn what_is_no_such_url_is_refused_without_being_repeated() {
        for url in [
            "kafka://",
            "kafka://host",
            "kafka://host:0",
            "kafka://host:99999",
            "kafka://user:secret@host:9092",
            "kafka://one:9092,",
            "kafka://one:9092?ca=/secret",
            "kafka+ssl://one:9092?user=/secret",
            "kafka+ssl://one:9092?user=secret&password=/p",
            "kafka+ssl://one:9092?ca=/a&ca=/b",
            "kafka+ssl://one:9092?token=/secret",
        ] {
            let error = Location::parse(url).expect_err(url).to_string();
            assert!(error.contains("kafka://") && !error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn secrets_are_read_anew_and_a_missing_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let shown = folder.path().display();
        let location =
            Location::parse(&format!("kafka+ssl://a:1?user={shown}/user&password={shown}/password")).unwrap();
        let missing = location.config().expect_err("no file").to_string();
        assert!(missing.contains("/user"), "{missing}");
        fs::write(path("user"), "me\n").unwrap();
        fs::write(path("password"), "one\n").unwrap();
        let before = location.stamp();
        assert_eq!(location.config().unwrap().get("sasl.password"), Some("one"));
        fs::write(path("password"), "three").unwrap();
        assert_ne!(location.stamp(), before);
        assert_eq!(location.config().unwrap().get("sasl.password"), Some("three"));
    }
}
