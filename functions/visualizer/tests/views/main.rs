//! The views through their router, with a real store, log and registry in a folder of their own.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod book;
mod dead_letters;
mod follow;
mod graphs;
mod klines;
mod lineage;
mod models;
mod pages;
mod platform;
mod routes;
mod topics;
mod trades;
mod world;
