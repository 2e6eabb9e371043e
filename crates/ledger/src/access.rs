//! Who logs in, and whom the connection trusts: from files and variables of the environment, never from a URL.

use std::{env, fs, path::PathBuf};

use crate::Error;

/// The variables of the environment that [`PostgresAccess::from_environment`] reads: name, form and meaning.
pub const POSTGRES_VARIABLES: [(&str, &str, &str); 3] = [
    ("POSTGRES_USER", "name", "who logs in, unless the URL says so"),
    ("POSTGRES_PASSWORD_FILE", "path", "file with the password, read anew by each process"),
    ("POSTGRES_CA_FILE", "path", "certificates of further authorities that are trusted, as PEM; for `postgres+ssl://`"),
];

/// What a ledger needs beside its URL to be let in.
#[derive(Clone, Debug, Default)]
pub struct PostgresAccess {
    /// Who logs in, unless the URL names somebody.
    pub user: Option<String>,
    /// The file with the password; it is empty where there is none.
    pub password: Option<PathBuf>,
    /// Certificates of further authorities that are trusted, as PEM.
    pub authorities: Option<PathBuf>,
}

impl PostgresAccess {
    /// Reads the [`POSTGRES_VARIABLES`]; an empty value counts as not set.
    #[must_use]
    pub fn from_environment() -> Self {
        let read = |name| env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            user: read("POSTGRES_USER"),
            password: read("POSTGRES_PASSWORD_FILE").map(PathBuf::from),
            authorities: read("POSTGRES_CA_FILE").map(PathBuf::from),
        }
    }

    /// The password, if there is one.
    pub(crate) fn read_password(&self) -> Result<Option<String>, Error> {
        let Some(path) = &self.password else { return Ok(None) };
        let text = fs::read_to_string(path).map_err(|source| Error::File {
            variable: "POSTGRES_PASSWORD_FILE",
            path: path.clone(),
            source,
        })?;
        Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
    }

    /// The file of the authorities, if one is named; one that cannot be read is told of here, since the driver does not
    /// say which it is.
    pub(crate) fn checked_authorities(&self) -> Result<Option<&PathBuf>, Error> {
        let Some(path) = &self.authorities else { return Ok(None) };
        let text = fs::read_to_string(path).map_err(|source| Error::File {
            variable: "POSTGRES_CA_FILE",
            path: path.clone(),
            source,
        })?;
        if !text.contains("-----BEGIN CERTIFICATE-----") {
            let source = std::io::Error::other("it holds no certificate as PEM");
            return Err(Error::File { variable: "POSTGRES_CA_FILE", path: path.clone(), source });
        }
        Ok(Some(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_and_a_missing_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        fs::write(&path, "geheim \n").unwrap();
        let access = PostgresAccess { password: Some(path.clone()), ..PostgresAccess::default() };
        assert_eq!(access.read_password().unwrap().as_deref(), Some("geheim "));
        let wrong = PostgresAccess {
            password: Some(folder.path().join("no")),
            authorities: Some(path),
            ..PostgresAccess::default()
        };
        let told = wrong.read_password().unwrap_err().to_string();
        assert!(told.contains("POSTGRES_PASSWORD_FILE"), "{told}");
        let told = wrong.checked_authorities().unwrap_err().to_string();
        assert!(told.contains("POSTGRES_CA_FILE") && !told.contains("geheim"), "{told}");
    }
}
