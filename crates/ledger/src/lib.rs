//! What people look up: experiments, predictions against what came, and settings; in SQLite or `PostgreSQL`.
//!
//! Every write is idempotent: the same call twice changes nothing, and what was read earlier never replaces what was
//! read later. The same statements run on both databases; no other crate knows SQL of this kind.

mod access;
mod error;
mod experiment;
mod ledger;
mod migrations;
mod place;
mod roi;
mod setting;
mod statement;

pub use access::{POSTGRES_VARIABLES, PostgresAccess};
pub use error::{Class, Error};
pub use experiment::{Experiment, ExperimentId, ExperimentState, Told};
pub use ledger::Ledger;
pub use roi::{Outcome, RoiQuery, RoiRow, RoiSummary};
pub use setting::{Expected, Setting, SettingSwap};
