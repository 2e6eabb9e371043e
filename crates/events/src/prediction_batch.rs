//! Payload of `prediction.made`: what one version of a model says about one symbol.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::{Health, Interval, Millis, ModelName, ModelVersion, Prediction, Split, Symbol};

/// Up to a thousand predictions of one version of a model for one symbol.
///
/// # Shape
/// A row on the wire is an array: open time, volatility, and the probabilities of down, sideways and up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PredictionBatch {
    /// The model.
    pub model: ModelName,
    /// Its version.
    pub version: ModelVersion,
    /// Whose bars.
    pub symbol: Symbol,
    /// Their interval.
    pub interval: Interval,
    /// How many bars each prediction is about.
    pub horizon: NonZeroU32,
    /// What they were made for.
    pub split: Split,
    /// The predictions, ascending in time.
    pub rows: Vec<PredictionRow>,
    /// How sound the bars behind each row are; empty if nobody looked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub health: Vec<Health>,
}

/// Open time, volatility, and the probabilities of down, sideways and up.
pub type PredictionRow = (Millis, f64, f64, f64, f64);

impl PredictionBatch {
    /// The predictions of the batch, each by itself.
    pub fn predictions(&self) -> impl Iterator<Item = Prediction> {
        self.rows.iter().enumerate().map(|(row, &(open_time, volatility, down, sideways, up))| Prediction {
            model: self.model.clone(),
            version: self.version.clone(),
            symbol: self.symbol.clone(),
            interval: self.interval,
            open_time,
            horizon: self.horizon,
            volatility,
            probabilities: [down, sideways, up].into(),
            split: self.split,
            health: self.health.get(row).copied(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_is_a_prediction() {
        let wire = json!({"model": "gnn", "version": "1", "symbol": "BTCUSDT", "interval": "15m", "horizon": 16,
            "split": "live", "rows": [[1_722_470_400_000_i64, 0.002, 0.125, 0.5, 0.375]]});
        let batch: PredictionBatch = serde_json::from_value(wire.clone()).unwrap();
        assert_eq!(serde_json::to_value(&batch).unwrap(), wire);
        let prediction = serde_json::to_value(batch.predictions().next().unwrap()).unwrap();
        assert_eq!(prediction["open_time"], 1_722_470_400_000_i64);
        assert_eq!((&prediction["volatility"], &prediction["split"]), (&json!(0.002), &json!("live")));
        assert_eq!(prediction["probabilities"], json!({"down": 0.125, "sideways": 0.5, "up": 0.375}));
        let batch = PredictionBatch { health: vec![Health::of(9, 8)], ..batch };
        assert_eq!(serde_json::to_value(&batch).unwrap()["health"][0]["grade"], "poor");
        assert_eq!(batch.predictions().next().unwrap().health, Some(Health::of(9, 8)));
    }

    #[test]
    fn a_horizon_of_no_bars_is_refused() {
        let wire = json!({"model": "gnn", "version": "1", "symbol": "BTCUSDT", "interval": "15m", "horizon": 0,
            "split": "live", "rows": []});
        assert!(serde_json::from_value::<PredictionBatch>(wire).is_err());
    }
}
