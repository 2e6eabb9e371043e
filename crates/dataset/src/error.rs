//! Why no dataset can be made of what was given.

/// What is wrong with bars, features or splits.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone)]
pub enum Error {
    /// The bars of a symbol do not form ascending columns on the grid of the interval.
    #[error("bars of `{symbol}` cannot be aligned: {reason}")]
    Bars {
        /// The symbol.
        symbol: String,
        /// What is wrong with its bars.
        reason: String,
    },
    /// There is no bar at all.
    #[error("a panel needs at least one bar")]
    NoBars,
    /// The bars span more time than can be held as a grid.
    #[error("a panel of {rows} bars and {symbols} symbols is too large")]
    TooLarge {
        /// Bars from the first to the last.
        rows: u64,
        /// Symbols.
        symbols: usize,
    },
    /// The name of a feature is not known.
    #[error("feature `{0}` is not known")]
    Feature(String),
    /// A feature is needed that was not computed.
    #[error("feature `{0}` is not among those computed")]
    FeatureAbsent(String),
    /// The settings of a dataset contradict each other.
    #[error("definition of the dataset is not valid: {0}")]
    Definition(String),
    /// Nothing is left to learn from or to measure on.
    #[error("no complete row is left for {0}")]
    NoRows(String),
    /// There are rows, and too few of them.
    #[error(
        "{found} bars with all that is computed of them are too few for a {what}, at least {needed} are needed: \
         widen `time_range` or take a shorter interval"
    )]
    TooFew {
        /// What they are for.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there have to be.
        needed: usize,
    },
    /// The cuts of a walk-forward split do not ascend inside of 0 to 1.
    #[error("cuts of a split must ascend strictly between 0 and 1")]
    Cuts,
    /// The card of a model contradicts itself.
    #[error("card of the model is not valid: {0}")]
    Card(String),
}
