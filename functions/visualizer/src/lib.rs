//! The web pages, and what they read: series, events, graphs, models and the platform, all from where they are kept.
//!
//! [`calls`] are the answers under `/views`, [`pages`] the pages themselves, which are built into the program. Nothing
//! here keeps anything: only the [`Samples`] of the platform's last minutes are in memory.

mod asked;
mod book;
mod cluster;
mod dead_letters;
mod filter;
mod follow;
mod graphs;
mod klines;
mod lineage;
mod logs;
mod models;
mod pages;
mod platform;
mod predictions;
mod routes;
mod samples;
mod schemas;
mod service;
mod state;
mod symbols;
mod topics;
mod trades;

pub use pages::{pages, secured};
pub use routes::calls;
pub use samples::{ColdStart, FunctionState, Kind, Samples};
pub use service::Visualizer;
pub use state::{Sources, Views};
