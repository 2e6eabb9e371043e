//! The views through their router, with a real store, log and registry in a folder of their own.

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
