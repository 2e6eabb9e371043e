//! A point in time as a person or a script writes it.

use streamforge_events::{Millis, parse_instant};

/// Reads a day (its first instant, UTC), an RFC 3339 instant or milliseconds since the epoch.
///
/// Ranges are half-open, so `--from 2024-06-01 --to 2024-07-01` is the whole of June and nothing of July.
pub(super) fn parse(text: &str) -> Result<Millis, String> {
    if let Some(instant) = parse_instant(text).or_else(|| parse_instant(&format!("{text}T00:00:00Z"))) {
        return Ok(instant);
    }
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten().ok_or_else(|| {
        "write a day (2024-06-01), an RFC 3339 instant (2024-06-01T12:00:00Z) or milliseconds since 1970".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn days_instants_and_milliseconds_are_read() {
        let noon = 1_717_243_200_000;
        assert_eq!(parse("2024-06-01"), Ok(noon - 43_200_000));
        assert_eq!(parse("2024-06-01T12:00:00Z"), Ok(noon));
        assert_eq!(parse("2024-06-01T14:00:00+02:00"), Ok(noon));
        assert_eq!(parse("1717243200000"), Ok(noon));
        for text in ["", "today", "2024-06-31", "-5", "1e3", "99999999999999999999"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
