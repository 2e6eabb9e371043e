//! The request weight budget: pure arithmetic over the exchange's calendar minutes.
//!
//! The exchange counts weight per address in fixed calendar minutes and reports its count with each answer. Other
//! processes may share the address, so the count kept here is the larger of what was sent and what was reported.

use streamforge_events::Millis;

const MINUTE: Millis = 60_000;

/// The minute is taken to begin this much later than the estimated clock of the exchange says, so that an error of
/// the estimate never sends a new minute's requests into the old one.
const GUARD: Millis = 500;

/// What may still be sent, and when sending goes on.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Budget {
    limit: u32,
    share: f64,
    minute: i64,
    used: u32,
    in_flight: u32,
    /// Booked so near to the end of the minute that the exchange may charge the next one.
    late: u32,
    blocked_until: Millis,
}

impl Budget {
    /// A budget of `share` of `limit` weight for each minute.
    pub(super) fn new(limit: u32, share: f64) -> Self {
        Self { limit, share, minute: i64::MIN, used: 0, in_flight: 0, late: 0, blocked_until: Millis::MIN }
    }

    /// Takes the limit that the exchange announces.
    pub(super) fn set_limit(&mut self, limit: u32) {
        self.limit = limit;
    }

    /// Books `weight` for a request that is sent at once.
    ///
    /// # Errors
    /// The time at which to ask again.
    pub(super) fn reserve(&mut self, now: Millis, weight: u32) -> Result<(), Millis> {
        self.roll(now);
        if now < self.blocked_until {
            return Err(self.blocked_until);
        }
        if self.used > 0 && self.used.saturating_add(weight) > self.allowance() {
            return Err(self.end());
        }
        self.used = self.used.saturating_add(weight);
        self.in_flight = self.in_flight.saturating_add(weight);
        if now >= self.end() - 2 * GUARD {
            self.late = self.late.saturating_add(weight);
        }
        Ok(())
    }

    /// Ends a request that was booked, whether it was answered or given up.
    pub(super) fn release(&mut self, weight: u32) {
        self.in_flight = self.in_flight.saturating_sub(weight);
    }

    /// Takes the exchange's own count from the answer to a request that was sent at `sent`.
    ///
    /// An answer from an earlier minute says nothing about the present one. Requests still on their way may not be
    /// in the exchange's count, so they are added to it.
    pub(super) fn observe(&mut self, sent: Millis, now: Millis, reported: u32) {
        self.roll(now);
        if minute_of(sent) == self.minute {
            self.used = self.used.max(reported.saturating_add(self.in_flight));
        }
    }

    /// Stops everything until `until`, as a 429 or 418 demands.
    pub(super) fn block(&mut self, until: Millis) {
        self.blocked_until = self.blocked_until.max(until);
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a u32, between 0 and the u32"
    )]
    fn allowance(&self) -> u32 {
        (f64::from(self.limit) * self.share) as u32
    }

    /// Begins a new minute; a clock that was corrected by less than a minute does not go back to an old one.
    fn roll(&mut self, now: Millis) {
        let minute = minute_of(now);
        if minute > self.minute || minute < self.minute.saturating_sub(1) {
            let late = if minute == self.minute.saturating_add(1) { self.late } else { 0 };
            self.used = self.in_flight.saturating_add(late);
            (self.minute, self.late) = (minute, 0);
        }
    }

    fn end(&self) -> Millis {
        (self.minute + 1) * MINUTE + GUARD
    }
}

fn minute_of(time: Millis) -> i64 {
    (time - GUARD).div_euclid(MINUTE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_pass_until_the_minute_is_used_up() {
        let mut budget = Budget::new(100, 0.5);
        for (now, weight, expected) in [
            (60_500, 20, Ok(())),
            (60_600, 20, Ok(())),
            (61_000, 11, Err(120_500)),
            (61_000, 10, Ok(())),
            (120_499, 1, Err(120_500)),
            (120_500, 1, Err(180_500)), // the fifty are still on their way
        ] {
            assert_eq!(budget.reserve(now, weight), expected, "{weight} at {now}");
        }
        budget.release(50);
        assert_eq!(budget.reserve(180_500, 50), Ok(()));
    }

    #[test]
    fn the_exchanges_count_includes_other_processes() {
        let mut budget = Budget::new(100, 1.0);
        budget.reserve(1_000, 2).unwrap();
        budget.reserve(1_000, 4).unwrap();
        budget.release(2);
        budget.observe(1_000, 1_100, 90);
        assert_eq!(budget.reserve(1_200, 6), Ok(()), "90 reported and 4 on their way");
        assert_eq!(budget.reserve(1_200, 1), Err(60_500));
    }

    #[test]
    fn a_late_answer_does_not_charge_the_new_minute() {
        let mut budget = Budget::new(100, 1.0);
        budget.reserve(59_000, 10).unwrap();
        budget.release(10);
        budget.observe(59_000, 60_700, 100);
        assert_eq!(budget.reserve(60_700, 100), Ok(()));
    }

    #[test]
    fn what_is_sent_around_the_turn_of_the_minute_is_charged_to_both() {
        let mut budget = Budget::new(100, 1.0);
        for (now, weight) in [(59_400, 30), (59_500, 20), (60_400, 20)] {
            budget.reserve(now, weight).unwrap();
            budget.release(weight);
        }
        assert_eq!(budget.reserve(60_500, 61), Err(120_500));
        assert_eq!(budget.reserve(60_500, 60), Ok(()));
        assert_eq!(budget.reserve(60_500, 1), Err(120_500));
    }

    #[test]
    fn a_ban_stops_everything_and_never_shrinks() {
        let mut budget = Budget::new(100, 1.0);
        budget.block(200_000);
        budget.block(100_000);
        assert_eq!(budget.reserve(199_999, 1), Err(200_000));
        assert_eq!(budget.reserve(200_000, 1), Ok(()));
    }

    #[test]
    fn a_request_heavier_than_the_share_goes_alone() {
        let mut budget = Budget::new(100, 0.1);
        assert_eq!(budget.reserve(1_000, 20), Ok(()));
        assert_eq!(budget.reserve(1_000, 1), Err(60_500));
    }

    #[test]
    fn a_clock_set_back_a_little_keeps_the_minute_and_a_first_clock_replaces_it() {
        let mut budget = Budget::new(100, 1.0);
        budget.reserve(120_600, 100).unwrap();
        budget.release(100);
        assert_eq!(budget.reserve(120_400, 1), Err(180_500));
        assert_eq!(budget.reserve(1_700_000_000_000, 1), Ok(()));
    }
}
