//! What a network learns from, as tensors: normalised features and what came after them.

use tch::{Device, Kind, Tensor};

/// How far a normalised feature counts; beyond, it is a rare event that would rule the mean.
pub(crate) const FARTHEST: f32 = 5.0;

/// The class that the loss passes over.
pub(crate) const UNKNOWN_CLASS: i64 = -100;

/// Which way the price went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Below the band.
    Down,
    /// Within the band.
    Sideways,
    /// Above the band.
    Up,
}

/// Features and targets of all bars, symbol by symbol as the network computes.
#[derive(Debug)]
pub struct Samples {
    /// symbols × times × features
    pub(crate) values: Tensor,
    /// symbols × times, 1 or 0; none where every symbol is always present.
    pub(crate) present: Option<Tensor>,
    /// symbols × times, 0 where unknown.
    pub(crate) volatility: Tensor,
    /// symbols × times, 1 where the target is known and the features are present.
    pub(crate) known: Tensor,
    /// symbols × times
    pub(crate) class: Tensor,
}

/// Why arrays are no samples.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SamplesError {
    /// The arrays do not belong together.
    #[error("{what} has {found} values, {times} times and {symbols} symbols need {wanted}")]
    Shape {
        /// Which array.
        what: &'static str,
        /// Values there.
        found: usize,
        /// Values needed.
        wanted: usize,
        /// Times.
        times: usize,
        /// Symbols.
        symbols: usize,
    },
    /// A feature that is marked as present is no number.
    #[error("feature {feature} of symbol {symbol} at time {time} is not finite")]
    NotFinite {
        /// Index of the time.
        time: usize,
        /// Index of the symbol.
        symbol: usize,
        /// Index of the feature.
        feature: usize,
    },
}

impl Samples {
    /// Puts arrays into tensors.
    ///
    /// # Shape
    /// `values`: times × symbols × features, normalised; what is not `present` may hold anything.
    /// `present`, `volatility`, `direction`: times × symbols; none where it is unknown.
    ///
    /// # Errors
    /// [`SamplesError`] if they do not belong together or a present feature is not finite.
    pub fn new(
        [times, symbols, features]: [usize; 3],
        values: &[f32],
        present: &[bool],
        volatility: &[Option<f32>],
        direction: &[Option<Direction>],
    ) -> Result<Self, SamplesError> {
        let cells = times * symbols;
        let lengths = [
            ("values", values.len(), cells * features),
            ("present", present.len(), cells),
            ("volatility", volatility.len(), cells),
            ("direction", direction.len(), cells),
        ];
        for (what, found, wanted) in lengths {
            if found != wanted {
                return Err(SamplesError::Shape { what, found, wanted, times, symbols });
            }
        }
        let mut clean = vec![0.0; values.len()];
        for (cell, is_present) in present.iter().enumerate().filter(|(_, is_present)| **is_present) {
            let _ = is_present;
            for feature in 0..features {
                let value = values[cell * features + feature];
                if !value.is_finite() {
                    return Err(SamplesError::NotFinite { time: cell / symbols, symbol: cell % symbols, feature });
                }
                clean[cell * features + feature] = value.clamp(-FARTHEST, FARTHEST);
            }
        }
        let is_complete = present.iter().all(|is_present| *is_present);
        let known = |cell: usize| present[cell] && volatility[cell].is_some_and(f32::is_finite);
        let class = |cell: usize| match direction[cell].filter(|_| present[cell]) {
            None => UNKNOWN_CLASS,
            Some(Direction::Down) => 0,
            Some(Direction::Sideways) => 1,
            Some(Direction::Up) => 2,
        };
        let grid = [size(times), size(symbols)];
        let by_symbol = |tensor: Tensor| tensor.transpose(0, 1).contiguous();
        let floats = |value: &dyn Fn(usize) -> f32| {
            by_symbol(Tensor::from_slice(&(0..cells).map(value).collect::<Vec<f32>>()).view(&grid[..]))
        };
        Ok(Self {
            values: by_symbol(Tensor::from_slice(&clean).view([grid[0], grid[1], size(features)])),
            present: (!is_complete).then(|| floats(&|cell| f32::from(u8::from(present[cell])))),
            volatility: floats(&|cell| if known(cell) { volatility[cell].unwrap_or_default() } else { 0.0 }),
            known: floats(&|cell| f32::from(u8::from(known(cell)))),
            class: by_symbol(Tensor::from_slice(&(0..cells).map(class).collect::<Vec<i64>>()).view(&grid[..])),
        })
    }

    /// Moves everything to a device.
    pub fn to_device(&mut self, device: Device) {
        for grid in [&mut self.values, &mut self.volatility, &mut self.known, &mut self.class] {
            *grid = grid.to_device(device);
        }
        self.present = self.present.take().map(|present| present.to_device(device));
    }

    /// Features and presence at some rows and the bars before them.
    ///
    /// # Shape
    /// symbols × rows × lags × features, and symbols × rows × lags.
    pub(crate) fn inputs(&self, rows: &Tensor, lags: &Tensor) -> (Tensor, Option<Tensor>) {
        let bars = (rows.unsqueeze(1) - lags.unsqueeze(0)).view([-1]);
        let sizes = [rows.size()[0], lags.size()[0]];
        let pick = |grid: &Tensor| grid.index_select(1, &bars).unflatten(1, sizes);
        (pick(&self.values), self.present.as_ref().map(pick))
    }

    /// Rows or lags as a tensor on the samples' device.
    pub(crate) fn indices(&self, indices: &[i64]) -> Tensor {
        Tensor::from_slice(indices).to_kind(Kind::Int64).to_device(self.values.device())
    }
}

fn size(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_that_do_not_belong_together_are_refused() {
        let error = Samples::new([2, 1, 1], &[0.0; 2], &[true; 2], &[None; 3], &[None; 2]).unwrap_err();
        assert_eq!(error.to_string(), "volatility has 3 values, 2 times and 1 symbols need 2");
        let error = Samples::new([2, 1, 1], &[0.0, f32::NAN], &[true; 2], &[None; 2], &[None; 2]).unwrap_err();
        assert_eq!(error, SamplesError::NotFinite { time: 1, symbol: 0, feature: 0 });
    }

    #[test]
    fn what_is_absent_counts_as_nothing() {
        let volatility = [Some(1.0), Some(2.0)];
        let direction = [Some(Direction::Up); 2];
        let samples = Samples::new([2, 1, 1], &[9.0, f32::NAN], &[true, false], &volatility, &direction).unwrap();
        assert_eq!(crate::weights::values(&samples.values), [5.0, 0.0]);
        assert_eq!(crate::weights::values(&samples.known), [1.0, 0.0]);
        assert_eq!(Vec::<i64>::try_from(samples.class.view([-1])).unwrap(), [2, UNKNOWN_CLASS]);
        assert_eq!(crate::weights::values(samples.present.as_ref().unwrap()), [1.0, 0.0]);
    }
}
