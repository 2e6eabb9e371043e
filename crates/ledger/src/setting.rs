//! What users have chosen: a value under each name, changed by who has seen the present one.

use serde::Serialize;
use serde_json::Value;
use sqlx::{Row as _, any::AnyRow};

use crate::{Error, Ledger};

/// Longest name of a user or a setting.
const LONGEST: usize = 100;

/// A setting of a user.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Setting {
    /// The user.
    pub user: String,
    /// What is set.
    pub name: String,
    /// The value.
    pub value: Value,
    /// How often it was changed, from 1.
    pub revision: i64,
}

/// What must be there for a change to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Whatever there is.
    Anything,
    /// Nothing yet.
    Nothing,
    /// The value of this revision.
    Revision(i64),
}

/// What became of a change.
#[derive(Clone, Debug, PartialEq)]
pub enum SettingSwap {
    /// This is stored now.
    Stored(Setting),
    /// This is there instead of what was expected; none if there is nothing.
    Lost(Option<Setting>),
}

impl Ledger {
    /// Reads a setting; none if it was never set.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn setting(&self, user: &str, name: &str) -> Result<Option<Setting>, Error> {
        let query = sqlx::query("SELECT * FROM settings WHERE user_name = $1 AND name = $2").bind(user).bind(name);
        let row = self.call(query.fetch_optional(&self.pool)).await?;
        row.map(|row| self.read_setting(&row)).transpose()
    }

    /// Reads all settings of a user, by name.
    ///
    /// # Errors
    /// A failure of the database.
    pub async fn settings(&self, user: &str) -> Result<Vec<Setting>, Error> {
        let query = sqlx::query("SELECT * FROM settings WHERE user_name = $1 ORDER BY name").bind(user);
        let rows = self.call(query.fetch_all(&self.pool)).await?;
        rows.iter().map(|row| self.read_setting(row)).collect()
    }

    /// Sets a value where what is expected is there; the same call again finds its own work and says so.
    ///
    /// # Errors
    /// [`Error::Rejected`] for a user or name that is none, or a failure of the database.
    pub async fn set(&self, user: &str, name: &str, value: &Value, expected: Expected) -> Result<SettingSwap, Error> {
        check("user", user)?;
        check("name of a setting", name)?;
        let text = value.to_string();
        let statement = match expected {
            Expected::Anything => {
                "INSERT INTO settings (user_name, name, value, revision) VALUES ($1, $2, $3, 1) \
                 ON CONFLICT (user_name, name) DO UPDATE SET value = excluded.value, revision = settings.revision + 1 \
                 WHERE settings.value <> excluded.value"
            }
            Expected::Nothing => {
                "INSERT INTO settings (user_name, name, value, revision) VALUES ($1, $2, $3, 1) \
                 ON CONFLICT (user_name, name) DO NOTHING"
            }
            Expected::Revision(_) => {
                "UPDATE settings SET value = $3, revision = revision + 1 \
                 WHERE user_name = $1 AND name = $2 AND revision = $4"
            }
        };
        let mut query = sqlx::query(statement).bind(user).bind(name).bind(text);
        if let Expected::Revision(revision) = expected {
            query = query.bind(revision);
        }
        let changed = self.call(query.execute(&self.pool)).await?.rows_affected();
        let next = match expected {
            Expected::Anything => None,
            Expected::Nothing => Some(1),
            Expected::Revision(revision) => Some(revision.saturating_add(1)),
        };
        let current = self.setting(user, name).await?;
        // A reply that was lost leaves the caller's own value behind.
        let is_own = |current: &Setting| {
            changed > 0 || (current.value == *value && next.is_none_or(|next| next == current.revision))
        };
        Ok(match current {
            Some(current) if is_own(&current) => {
                // Somebody may have changed it again meanwhile; our own change was made all the same.
                let revision = next.unwrap_or(current.revision);
                SettingSwap::Stored(Setting { value: value.clone(), revision, ..current })
            }
            current => SettingSwap::Lost(current),
        })
    }

    fn read_setting(&self, row: &AnyRow) -> Result<Setting, Error> {
        let read = || -> Result<(String, String, String, i64), sqlx::Error> {
            Ok((row.try_get("user_name")?, row.try_get("name")?, row.try_get("value")?, row.try_get("revision")?))
        };
        let (user, name, value, revision) = read().map_err(|error| Error::of(&self.place, &error))?;
        let value = serde_json::from_str(&value).map_err(|error| self.row_error(error))?;
        Ok(Setting { user, name, value, revision })
    }
}

/// Names that stand in a path as they are.
fn check(what: &str, text: &str) -> Result<(), Error> {
    let is_sound = |character: char| character.is_alphanumeric() || matches!(character, '-' | '_' | '.' | '@');
    if text.is_empty() || text.len() > LONGEST || !text.chars().all(is_sound) {
        return Err(Error::Rejected(format!(
            "{what} is not valid: at most {LONGEST} bytes of letters, digits, `-`, `_`, `.` and `@`"
        )));
    }
    Ok(())
}
