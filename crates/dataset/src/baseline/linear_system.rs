//! Symmetric linear systems, solved by Cholesky's factors.

/// A pivot below this share of its column says that the column adds nothing to those before it.
const LEAST_PIVOT: f64 = 1e-10;

/// The factor of a symmetric matrix without negative eigenvalues.
pub(super) struct LinearSystem {
    width: usize,
    /// Lower triangle, row-major; a row of a column that adds nothing is nought.
    factor: Vec<f64>,
}

impl LinearSystem {
    /// Factors a matrix, row-major.
    pub(super) fn of(matrix: &[f64], width: usize) -> Self {
        let mut factor = vec![0.0; width * width];
        for column in 0..width {
            let before = |factor: &[f64], row: usize| -> f64 {
                (0..column).map(|k| factor[row * width + k] * factor[column * width + k]).sum()
            };
            let whole = matrix[column * width + column];
            let pivot = whole - before(&factor, column);
            if pivot <= LEAST_PIVOT * whole {
                continue;
            }
            let root = pivot.sqrt();
            for row in column..width {
                factor[row * width + column] = (matrix[row * width + column] - before(&factor, row)) / root;
            }
        }
        Self { width, factor }
    }

    /// Solves for a right side; the weight of a column that adds nothing is nought.
    pub(super) fn solve(&self, right: &[f64]) -> Vec<f64> {
        let Self { width, factor } = self;
        let mut solution = right.to_vec();
        for row in 0..*width {
            let known: f64 = (0..row).map(|k| factor[row * width + k] * solution[k]).sum();
            let pivot = factor[row * width + row];
            solution[row] = if pivot == 0.0 { 0.0 } else { (solution[row] - known) / pivot };
        }
        for row in (0..*width).rev() {
            let known: f64 = (row + 1..*width).map(|k| factor[k * width + row] * solution[k]).sum();
            let pivot = factor[row * width + row];
            solution[row] = if pivot == 0.0 { 0.0 } else { (solution[row] - known) / pivot };
        }
        solution
    }
}

/// Adds the products of all pairs of columns of a row to a matrix, its lower triangle alone.
pub(super) fn add_products(matrix: &mut [f64], row: &[f64]) {
    let width = row.len();
    for (place, value) in row.iter().enumerate() {
        for (sum, other) in matrix[place * width..=place * width + place].iter_mut().zip(row) {
            *sum += value * other;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn systems_are_solved_and_columns_that_repeat_get_no_weight() {
        let mut matrix = vec![0.0; 9];
        // The third column is nearly the first.
        let rows = [[0.1, 0.2, 0.1 + 1e-7], [0.7, 0.1, 0.7], [0.0, 0.3, 2e-7], [0.9, 1.3, 0.9 - 1e-7]];
        let mut right = vec![0.0; 3];
        for row in rows {
            add_products(&mut matrix, &row);
            for (right, value) in right.iter_mut().zip(row) {
                *right += value * (2.0 * row[0] - row[1]);
            }
        }
        let solution = LinearSystem::of(&matrix, 3).solve(&right);
        for (found, expected) in solution.iter().zip([2.0, -1.0, 0.0]) {
            assert!((found - expected).abs() < 1e-12, "{solution:?}");
        }
        assert!(solution[2].abs() < f64::MIN_POSITIVE, "{solution:?}");
    }
}
