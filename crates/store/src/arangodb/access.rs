//! Who logs in, and whom the connection trusts: from files and variables of the environment, never from a URL.

use std::{env, fmt, fs, path::PathBuf};

use crate::Error;

/// The variables of the environment that [`ArangoAccess::from_environment`] reads: name, form and meaning.
pub const ARANGO_VARIABLES: [(&str, &str, &str); 4] = [
    ("ARANGO_USER", "name", "who logs in, unless the URL says so; nobody does if neither is given"),
    ("ARANGO_PASSWORD_FILE", "path", "file with the password, read anew at each login"),
    ("ARANGO_PASSWORD", "text", "the password, where no file is given"),
    ("ARANGO_CA_FILE", "path", "certificates of the authorities that are trusted, as PEM; else those of the system"),
];

/// What a store needs beside its URL to be let in.
#[derive(Clone, Debug, Default)]
pub struct ArangoAccess {
    /// Who logs in, unless the URL names somebody; nobody does if neither is given.
    pub user: Option<String>,
    /// The password.
    pub password: ArangoPassword,
    /// Certificates of the authorities that are trusted, as PEM; those of the system if there are none.
    pub authorities: Option<PathBuf>,
}

/// Where the password is.
#[derive(Clone, Default)]
pub enum ArangoPassword {
    /// There is none: it is empty.
    #[default]
    Empty,
    /// This is it.
    Text(String),
    /// In a file, read anew at each login, since secrets that are mounted are exchanged in place.
    File(PathBuf),
}

impl ArangoAccess {
    /// Reads the [`ARANGO_VARIABLES`]; an empty value counts as not set.
    #[must_use]
    pub fn from_environment() -> Self {
        let read = |name| env::var(name).ok().filter(|value| !value.is_empty());
        let password = match (read("ARANGO_PASSWORD_FILE"), read("ARANGO_PASSWORD")) {
            (Some(path), _) => ArangoPassword::File(path.into()),
            (None, Some(text)) => ArangoPassword::Text(text),
            (None, None) => ArangoPassword::Empty,
        };
        Self { user: read("ARANGO_USER"), password, authorities: read("ARANGO_CA_FILE").map(PathBuf::from) }
    }
}

impl ArangoPassword {
    pub(super) fn read(&self) -> Result<String, Error> {
        match self {
            Self::Empty => Ok(String::new()),
            Self::Text(text) => Ok(text.clone()),
            Self::File(path) => {
                let text = fs::read_to_string(path).map_err(|error| Error::File {
                    action: "read the password in",
                    path: path.clone(),
                    source: std::sync::Arc::new(error),
                })?;
                Ok(text.trim_end_matches(['\r', '\n']).to_owned())
            }
        }
    }
}

/// Says where it is, not what it is.
impl fmt::Debug for ArangoPassword {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => formatter.write_str("Empty"),
            Self::Text(_) => formatter.write_str("Text(…)"),
            Self::File(path) => write!(formatter, "File({})", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn password_is_read_from_its_file_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        fs::write(&path, "geheim \n").unwrap();
        assert_eq!(ArangoPassword::File(path.clone()).read().unwrap(), "geheim ");
        fs::write(&path, "neu").unwrap();
        assert_eq!(ArangoPassword::File(path).read().unwrap(), "neu");
        assert!(matches!(ArangoPassword::File("/proc/no".into()).read(), Err(Error::File { .. })));
        let access = ArangoAccess { password: ArangoPassword::Text("geheim".to_owned()), ..ArangoAccess::default() };
        assert!(!format!("{access:?}").contains("geheim"));
    }
}
