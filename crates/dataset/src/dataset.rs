//! Features and targets side by side.

use std::ops::Range;

use crate::{Definition, Error, Features, Fold, Panel, Targets, split::walk_forward};

/// Features with the targets that belong to them.
///
/// A cell is a symbol in a row; it is complete when both its features and its targets are there.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names say all")]
pub struct Dataset {
    pub features: Features,
    pub targets: Targets,
}

/// A symbol in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Number of the bar.
    pub row: usize,
    /// Number of the symbol.
    pub symbol: usize,
    /// Place in `[times, symbols]`.
    pub index: usize,
}

impl Dataset {
    /// Computes features and targets.
    #[must_use]
    pub fn compute(panel: &Panel, definition: &Definition) -> Self {
        Self { features: Features::compute(panel, &definition.features), targets: Targets::compute(panel, definition) }
    }

    /// Complete cells of some rows, row by row.
    pub fn cells(&self, rows: Range<usize>) -> impl Iterator<Item = Cell> {
        let symbols = self.features.symbols.len();
        let end = rows.end.min(self.features.times.len());
        (rows.start.min(end) * symbols..end * symbols).filter(|index| self.is_complete(*index)).map(move |index| Cell {
            row: index / symbols,
            symbol: index % symbols,
            index,
        })
    }

    /// Rows with a complete cell, ascending.
    #[must_use]
    pub fn rows(&self) -> Vec<usize> {
        let mut rows: Vec<usize> = self.cells(0..self.features.times.len()).map(|cell| cell.row).collect();
        rows.dedup();
        rows
    }

    /// Cuts the complete rows at fractions of their number, with the embargo that the definition asks for.
    ///
    /// # Errors
    /// As of [`walk_forward`].
    pub fn walk_forward(&self, fractions: &[f64], embargo: usize) -> Result<Vec<Fold>, Error> {
        walk_forward(&self.rows(), fractions, embargo)
    }

    fn is_complete(&self, index: usize) -> bool {
        self.features.present[index] && self.targets.present[index]
    }
}
