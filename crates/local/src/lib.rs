//! The platform on one machine and the command line.

mod bounded_text;
pub mod cli;
pub mod dispatcher;
pub mod endpoints;
mod error;
pub mod filter;
pub mod functions;
pub mod ingress;
pub mod manifest;
pub mod metrics;
pub mod platform;
pub mod scaler;
pub mod supervisor;

pub use error::Error;
pub use streamforge_message as message;
