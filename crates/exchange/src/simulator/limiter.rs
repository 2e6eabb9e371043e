//! The exchange's side of the weight limit: calendar minutes, 429, and bans that grow.

use streamforge_events::Millis;

use super::fault_engine::Penalty;

const MINUTE: Millis = 60_000;

/// Refused requests of one minute that are answered with 429; the next one bans the address.
///
/// The real number is unknown; a client that obeys `Retry-After` never gets near it.
const TOLERATED: u32 = 5;

/// The limit that is told when none is enforced.
pub(super) const USUAL_LIMIT: u32 = 6_000;

const FIRST_BAN: Millis = 2 * MINUTE;
const LONGEST_BAN: Millis = 3 * 24 * 60 * MINUTE;

/// Weight of the one address that a loopback server sees.
#[derive(Debug)]
pub(super) struct Limiter {
    limit: Option<u32>,
    minute: i64,
    used: u32,
    refused: u32,
    bans: u32,
    banned_until: Millis,
    /// End of a pause that was imposed within the limit.
    quiet_until: Millis,
}

/// Whether a request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    Allowed,
    /// HTTP 429.
    TooMuch {
        limit: u32,
        retry_after_seconds: i64,
    },
    /// HTTP 418.
    Banned {
        until: Millis,
        retry_after_seconds: i64,
    },
}

impl Limiter {
    pub(super) fn new(limit: Option<u32>) -> Self {
        Self {
            limit,
            minute: i64::MIN,
            used: 0,
            refused: 0,
            bans: 0,
            banned_until: Millis::MIN,
            quiet_until: Millis::MIN,
        }
    }

    /// Whether an earlier answer's `Retry-After` is not over.
    pub(super) fn is_closed(&self, now: Millis) -> bool {
        let is_used_up = self.limit.is_some_and(|limit| self.used > limit) && now.div_euclid(MINUTE) == self.minute;
        now < self.banned_until || now < self.quiet_until || is_used_up
    }

    /// Refuses a request that is within the limit; the address has to be quiet for `pause`.
    pub(super) fn impose(&mut self, now: Millis, penalty: Penalty, pause: Millis) -> Admission {
        match penalty {
            Penalty::Banned => {
                self.banned_until = now + pause;
                self.ban(now)
            }
            Penalty::Refused => {
                self.quiet_until = now + pause;
                self.refuse(now)
            }
        }
    }

    /// Charges a request, refused or not, and says what the minute has cost so far.
    pub(super) fn charge(&mut self, now: Millis, weight: u32) -> (u32, Admission) {
        let minute = now.div_euclid(MINUTE);
        if minute != self.minute {
            (self.minute, self.used, self.refused) = (minute, 0, 0);
        }
        self.used = self.used.saturating_add(weight);
        (self.used, self.admit(now))
    }

    fn admit(&mut self, now: Millis) -> Admission {
        if now < self.banned_until {
            return self.ban(now);
        }
        if now >= self.quiet_until && self.limit.is_none_or(|limit| self.used <= limit) {
            return Admission::Allowed;
        }
        self.refused += 1;
        if self.refused > TOLERATED {
            let length = FIRST_BAN.saturating_mul(1 << self.bans.min(20)).min(LONGEST_BAN);
            self.bans += 1;
            self.banned_until = now + length;
            return self.ban(now);
        }
        self.refuse(now)
    }

    fn refuse(&self, now: Millis) -> Admission {
        let until = if now < self.quiet_until { self.quiet_until } else { (self.minute + 1) * MINUTE };
        Admission::TooMuch { limit: self.limit.unwrap_or(USUAL_LIMIT), retry_after_seconds: seconds(until - now) }
    }

    fn ban(&self, now: Millis) -> Admission {
        Admission::Banned { until: self.banned_until, retry_after_seconds: seconds(self.banned_until - now) }
    }
}

fn seconds(millis: Millis) -> i64 {
    (millis + 999) / 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_are_those_of_the_calendar() {
        let mut limiter = Limiter::new(Some(10));
        assert_eq!(limiter.charge(59_000, 10), (10, Admission::Allowed));
        let refused = Admission::TooMuch { limit: 10, retry_after_seconds: 1 };
        assert_eq!(limiter.charge(59_500, 1), (11, refused));
        assert_eq!(limiter.charge(60_000, 1), (1, Admission::Allowed));
    }

    #[test]
    fn who_keeps_calling_is_banned_longer_each_time() {
        let mut limiter = Limiter::new(Some(0));
        let mut now = 0;
        for length in [120, 240, 480] {
            for _ in 0..TOLERATED {
                assert!(matches!(limiter.charge(now, 1).1, Admission::TooMuch { .. }));
            }
            let until = now + length * 1_000;
            let ban = Admission::Banned { until, retry_after_seconds: length };
            assert_eq!(limiter.charge(now, 1).1, ban);
            assert!(matches!(limiter.charge(until - 1, 1).1, Admission::Banned { .. }));
            now = until;
        }
    }

    #[test]
    fn without_a_limit_everything_is_counted_and_allowed() {
        let mut limiter = Limiter::new(None);
        limiter.charge(0, 100_000);
        assert_eq!(limiter.charge(0, 1), (100_001, Admission::Allowed));
    }
}
