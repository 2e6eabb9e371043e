//! The exchange's limits on connections: how long to wait before the next one; pure.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

/// Connections that may be opened in five minutes; the exchange allows 300, and others may share the address.
const MOST_ATTEMPTS: usize = 150;
const WINDOW: Duration = Duration::from_mins(5);

/// A connection that lived for so long was sound: the next pause is the shortest again.
const SOUND: Duration = Duration::from_mins(1);

/// Attempts to connect, and the pauses between them.
#[derive(Debug)]
pub(super) struct Pace {
    attempts: VecDeque<Instant>,
    failures: u32,
    shortest: Duration,
    longest: Duration,
}

impl Pace {
    pub(super) fn new(shortest: Duration, longest: Duration) -> Self {
        Self { attempts: VecDeque::new(), failures: 0, shortest, longest }
    }

    /// When the next connection may be opened, which counts as opened then; `chance` lies between 0 and 1.
    pub(super) fn next(&mut self, now: Instant, chance: f64) -> Instant {
        let pause = match self.failures {
            0 => Duration::ZERO,
            failures => {
                let doubled = self.shortest.saturating_mul(1 << (failures - 1).min(16));
                doubled.min(self.longest).mul_f64(0.5 + chance / 2.0)
            }
        };
        let mut due = now + pause;
        while self.attempts.front().is_some_and(|first| *first + WINDOW <= due) {
            self.attempts.pop_front();
        }
        if self.attempts.len() >= MOST_ATTEMPTS
            && let Some(first) = self.attempts.pop_front()
        {
            due = due.max(first + WINDOW);
        }
        self.attempts.push_back(due);
        due
    }

    /// Tells how long a connection lived, nothing for one that never stood.
    pub(super) fn ended(&mut self, lived: Duration) {
        self.failures = if lived >= SOUND { 1 } else { self.failures.saturating_add(1) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_begin_anew_after_a_sound_connection() {
        let second = Duration::from_secs(1);
        let mut pace = Pace::new(second, 8 * second);
        let now = Instant::now();
        let mut pauses = Vec::new();
        for lived in [0, 0, 0, 0, 0, 60, 0] {
            pauses.push((pace.next(now, 1.0) - now).as_secs());
            pace.ended(Duration::from_secs(lived));
        }
        assert_eq!(pauses, [0, 1, 2, 4, 8, 8, 1]);
    }

    #[test]
    fn no_more_connections_than_the_exchange_allows() {
        let mut pace = Pace::new(Duration::ZERO, Duration::ZERO);
        let begun = Instant::now();
        let mut now = begun;
        for number in 0..=2 * MOST_ATTEMPTS {
            now = pace.next(now, 0.5);
            let windows = u32::try_from(number / MOST_ATTEMPTS).unwrap();
            assert_eq!(now - begun, WINDOW * windows, "{number}");
            pace.ended(Duration::ZERO);
        }
    }
}
