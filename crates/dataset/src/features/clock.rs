//! Features of the time of day and week at which a bar opens, in UTC.

use std::f64::consts::TAU;

use streamforge_events::Millis;

const DAY: i64 = 86_400_000;
const WEEK: i64 = 7 * DAY;

pub(super) fn day_sin(time: Millis, parameters: &[usize]) -> f64 {
    angle(time, DAY, parameters).sin()
}

pub(super) fn day_cos(time: Millis, parameters: &[usize]) -> f64 {
    angle(time, DAY, parameters).cos()
}

pub(super) fn week_sin(time: Millis, parameters: &[usize]) -> f64 {
    angle(since_monday(time), WEEK, parameters).sin()
}

pub(super) fn week_cos(time: Millis, parameters: &[usize]) -> f64 {
    angle(since_monday(time), WEEK, parameters).cos()
}

/// One on the weekday of this number, Monday being 1; nought on the others.
pub(super) fn weekday(time: Millis, parameters: &[usize]) -> f64 {
    let days = since_monday(time) / DAY;
    f64::from(u8::from(usize::try_from(days + 1) == Ok(parameters[0])))
}

/// One on Saturdays and Sundays, nought on the others.
pub(super) fn weekend(time: Millis, _: &[usize]) -> f64 {
    f64::from(u8::from(since_monday(time) >= 5 * DAY))
}

/// The epoch was a Thursday.
fn since_monday(time: Millis) -> i64 {
    (time + 3 * DAY).rem_euclid(WEEK)
}

/// Angle of a hand that turns as often in a period as the parameter says.
#[expect(clippy::cast_precision_loss, reason = "a week has far fewer than 2^53 milliseconds")]
fn angle(time: Millis, period: i64, parameters: &[usize]) -> f64 {
    let turns = i64::try_from(parameters[0]).unwrap_or(1);
    TAU * (time.rem_euclid(period).saturating_mul(turns).rem_euclid(period) as f64) / period as f64
}

#[cfg(test)]
mod tests {
    use streamforge_events::parse_instant;

    use super::*;

    #[test]
    fn hands_stand_where_the_calendar_says() {
        let at = |text| parse_instant(text).unwrap();
        assert!((day_sin(at("2024-02-29T06:00:00Z"), &[1]) - 1.0).abs() < 1e-12);
        assert!((day_cos(at("2024-02-29T06:00:00Z"), &[2]) + 1.0).abs() < 1e-12);
        assert!((week_cos(at("2024-02-26T00:00:00Z"), &[1]) - 1.0).abs() < 1e-12, "a Monday");
        assert!((week_sin(at("2024-02-27T18:00:00Z"), &[1]) - 1.0).abs() < 1e-12, "a quarter of the week");
        let weekends = ["2024-03-01T23:59:59Z", "2024-03-02T00:00:00Z", "2024-03-03T23:59:59Z", "2024-03-04T00:00:00Z"];
        assert_eq!(weekends.map(|text| weekend(at(text), &[]) > 0.5), [false, true, true, false]);
        assert_eq!([4, 5].map(|day| weekday(at("2024-02-29T12:00:00Z"), &[day]) > 0.5), [true, false], "a Thursday");
    }
}
