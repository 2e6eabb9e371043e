//! The shape of a network: which layers, how wide, over which bars.

use serde::{Deserialize, Serialize};

/// How a node hears of its neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregation {
    /// Attention that looks at both ends of an edge, with the edge's weight as part of the score.
    ///
    /// # Source
    /// S. Brody, U. Alon, E. Yahav, "How attentive are graph attention networks?" (2022),
    /// <https://arxiv.org/abs/2105.14491>
    Attention {
        /// Number of heads; they share the hidden width.
        heads: usize,
    },
    /// Mean of the neighbours by edge weight.
    ///
    /// # Source
    /// W. Hamilton, R. Ying, J. Leskovec, "Inductive representation learning on large graphs" (2017),
    /// <https://arxiv.org/abs/1706.02216>
    Mean,
    /// Not at all: the same network without the graph.
    None,
}

/// How the states of several bars become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Temporal {
    /// The newest bar alone.
    Last,
    /// A mean with learned shares, for each part of the state its own.
    Mean,
    /// A gated recurrent unit from the oldest to the newest.
    Gru,
}

/// Everything that decides which weights a network has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Architecture {
    /// Symbols, in the order of the graph's nodes.
    pub symbols: usize,
    /// Features of a symbol at one bar.
    pub features: usize,
    /// Width of a node's state.
    pub hidden: usize,
    /// How a node hears of its neighbours.
    pub aggregation: Aggregation,
    /// How the states of several bars become one.
    pub temporal: Temporal,
    /// Which bars are looked at, counted back from the newest, ascending and beginning with 0.
    pub lags: Vec<usize>,
    /// Share of a state that is hidden at random in training, in hundredths.
    pub dropout_percent: u8,
}

impl Architecture {
    /// Says what is wrong with the architecture, if anything.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        if self.symbols == 0 || self.features == 0 || self.hidden == 0 {
            return Some("symbols, features and hidden must be at least 1".to_owned());
        }
        if let Aggregation::Attention { heads } = self.aggregation
            && (heads == 0 || !self.hidden.is_multiple_of(heads))
        {
            return Some(format!("hidden {} is no multiple of {heads} heads", self.hidden));
        }
        if self.lags.first() != Some(&0) || !self.lags.is_sorted_by(|left, right| left < right) {
            return Some("lags must begin with 0 and ascend".to_owned());
        }
        if self.temporal == Temporal::Last && self.lags.len() != 1 {
            return Some("the newest bar alone has the single lag 0".to_owned());
        }
        if self.dropout_percent >= 100 {
            return Some("dropout_percent must be below 100".to_owned());
        }
        None
    }

    /// How many bars back the oldest one lies.
    #[must_use]
    pub fn reach(&self) -> usize {
        self.lags.last().copied().unwrap_or_default()
    }
}
