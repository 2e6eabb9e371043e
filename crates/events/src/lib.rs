//! Every event type of StreamForge with its payload, identifiers and units: no I/O, no async.
//!
//! Parse once at the edge: each type here can only be built from text that it accepts, so code behind
//! the edge never asks again whether a symbol is a symbol.

mod batch;
mod columns;
mod control;
mod decimal;
mod envelope;
mod error;
mod feed;
mod health;
mod identity;
mod interval;
mod json;
mod kind;
mod model;
mod model_trained;
mod prediction;
mod prediction_batch;
mod queue_id;
mod record;
mod report;
mod request;
mod series;
mod symbol;
mod time;

pub use cloudevents::{AttributesReader, Event};

pub use batch::{KlineBatch, TradeBatch};
pub use columns::KlineColumns;
pub use control::{Command, ControlCommand};
pub use decimal::{Decimal, DecimalText};
pub use envelope::{Envelope, attempt, data, document, event_type, extension, queue_id, task};
pub use error::Error;
pub use feed::{Clocks, DepthBatch, DepthSnapshot, DepthUpdate, FeedInterrupted, GapState};
pub use health::{Grade, Health};
pub use identity::{digest, hex, short_code};
pub use interval::Interval;
pub use json::parse_json;
pub use kind::{EventType, Topic};
pub use model::{ModelName, ModelVersion};
pub use model_trained::ModelTrained;
pub use prediction::{Prediction, Probabilities, Split};
pub use prediction_batch::{PredictionBatch, PredictionRow};
pub use queue_id::QueueId;
pub use record::{Kline, Trade};
pub use report::{Report, ReportStatus};
pub use request::{
    FieldError, InferenceRange, RequestEntry, RequestKind, StreamKind, WorkflowRequest, inference_range,
};
pub use series::{SeriesId, SeriesKind};
pub use symbol::Symbol;
pub use time::{Millis, TimeRange, parse_instant, rfc3339};
