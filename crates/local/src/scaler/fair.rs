//! Shares a bounded number of worker processes between functions that want more.

/// Returns how many workers each function gets when all together may have `limit`.
///
/// Everyone who wants a worker gets one before anyone gets a second, so that no stage of a workflow starves
/// behind another one. With more functions than the limit the first ones win.
#[must_use]
pub fn share(wanted: &[u32], limit: u32) -> Vec<u32> {
    let mut granted = vec![0; wanted.len()];
    let mut left = limit;
    while left > 0 {
        let before = left;
        for (grant, want) in granted.iter_mut().zip(wanted) {
            if left > 0 && *grant < *want {
                *grant += 1;
                left -= 1;
            }
        }
        if left == before {
            break;
        }
    }
    granted
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn everyone_gets_one_before_anyone_gets_two() {
        let cases: [(&[u32], u32, &[u32]); 6] = [
            (&[], 4, &[]),
            (&[3, 1], 8, &[3, 1]),
            (&[10, 1, 0], 4, &[3, 1, 0]),
            (&[5, 5], 5, &[3, 2]),
            (&[1, 1, 1], 2, &[1, 1, 0]),
            (&[7], 0, &[0]),
        ];
        for (wanted, limit, expected) in cases {
            assert_eq!(share(wanted, limit), expected, "{wanted:?} within {limit}");
        }
    }
}
