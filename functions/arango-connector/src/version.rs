//! Versions of the rows of a batch: newer readings of the exchange win.

use streamforge_events::Millis;
use streamforge_store::Versioned;

/// Marks a closed record, so that it beats every open one under the same key whatever the times.
const CLOSED: u64 = 1 << 50;

/// Gives every row of a batch the version `closed << 50 | read_at`; loaders hand out closed records alone.
///
/// # Errors
/// Words for the sender, if `read_at` does not fit below the mark.
pub fn versioned<T>(read_at: Millis, rows: Vec<T>) -> Result<Vec<Versioned<T>>, String> {
    let time = u64::try_from(read_at).ok().filter(|time| *time < CLOSED);
    let time = time.ok_or_else(|| format!("read_at {read_at} is no time in milliseconds"))?;
    Ok(rows.into_iter().map(|value| Versioned { version: CLOSED | time, value }).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_readings_have_higher_versions_and_fit_a_double() {
        let version = |read_at| versioned(read_at, vec![()]).unwrap()[0].version;
        assert_eq!(version(1_722_500_000_123), (1 << 50) + 1_722_500_000_123);
        assert!(version(2) > version(1));
        assert!(version((1 << 50) - 1) < streamforge_store::MAX_VERSION);
    }

    #[test]
    fn times_that_do_not_fit_are_refused() {
        for read_at in [-1, 1 << 50, i64::MIN, i64::MAX] {
            assert!(versioned(read_at, vec![()]).unwrap_err().contains("read_at"), "{read_at}");
        }
    }
}
