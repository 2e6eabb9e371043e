//! What can be wrong with a text, a record or an event.

/// Why a value could not be read.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone)]
pub enum Error {
    /// The symbol is empty, too long or holds characters that no exchange uses.
    #[error("symbol `{0}` is not valid: 1 to 64 bytes without spaces, control or invisible characters")]
    Symbol(String),
    /// The interval is not one of the sixteen.
    #[error(
        "interval `{0}` is not valid: use one of 1s 1m 3m 5m 15m 30m 1h 2h 4h 6h 8h 12h 1d 3d 1w 1M (case matters)"
    )]
    Interval(String),
    /// The time range is malformed, empty or reversed.
    #[error("time range `{text}` is not valid: {reason}")]
    TimeRange {
        /// The text as it was given.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The queue id is empty, too long or holds other characters than those we write.
    #[error("queue id `{0}` is not valid")]
    QueueId(String),
    /// The model's name could leave its place in a store of objects, or no file could bear it.
    #[error(
        "model name `{0}` is not valid: 1 to 100 bytes of letters, digits, `-`, `_` and `.`, not beginning with a point"
    )]
    ModelName(String),
    /// The model's version could leave its place in a store of objects, or no file could bear it.
    #[error(
        "model version `{0}` is not valid: 1 to 100 bytes of letters, digits, `-`, `_` and `.`, not beginning with a \
         point, not `latest`"
    )]
    ModelVersion(String),
    /// The prediction is none that a model can have made.
    #[error("prediction for `{symbol}` at {open_time} is not valid: {reason}")]
    Prediction {
        /// Whose prediction.
        symbol: String,
        /// Open time of the bar after which it was made.
        open_time: i64,
        /// What is wrong with it.
        reason: String,
    },
    /// The decimal is not plain digits with at most one point, or has more than 28 digits.
    #[error("decimal `{0}` is not valid: plain digits with at most one point, 28 digits at most")]
    Decimal(String),
    /// The event type is not one of ours.
    #[error("event type `{0}` is not known")]
    EventType(String),
    /// The event carries no data, or data that does not fit its type.
    #[error("data of event `{id}` is not valid: {reason}")]
    Data {
        /// Id of the event.
        id: String,
        /// What is wrong with its data.
        reason: String,
    },
    /// The event could not be built.
    #[error("event could not be built: {0}")]
    Build(String),
}
