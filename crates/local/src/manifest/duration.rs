//! ISO 8601 durations, as Knative's delivery settings write them: `PT0.25S`, `PT10M`, `P1DT2H`.

use std::time::Duration;

/// Parses one duration; years and months have no fixed length and are refused.
///
/// # Source
/// Knative `DeliverySpec.backoffDelay` and `.timeout`:
/// <https://knative.dev/docs/eventing/event-delivery/>
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let refuse = || format!("must be an ISO 8601 duration like PT0.25S, not `{text}`");
    let rest = text.strip_prefix('P').ok_or_else(refuse)?;
    let (days, time) = match rest.split_once('T') {
        Some((_, "")) => return Err(refuse()),
        Some((days, time)) => (days, time),
        None => (rest, ""),
    };
    let date_seconds = sum(days, &[('W', 604_800.0), ('D', 86_400.0)]).ok_or_else(refuse)?;
    let time_seconds = sum(time, &[('H', 3_600.0), ('M', 60.0), ('S', 1.0)]).ok_or_else(refuse)?;
    if rest.is_empty() {
        return Err(refuse());
    }
    Duration::try_from_secs_f64(date_seconds + time_seconds).map_err(|_| refuse())
}

/// Adds up `number unit` pairs; each unit at most once and in the given order.
fn sum(mut text: &str, mut units: &[(char, f64)]) -> Option<f64> {
    let mut total = 0.0;
    while !text.is_empty() {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = text[..end].parse().ok()?;
        let unit = text[end..].chars().next()?;
        let position = units.iter().position(|(name, _)| *name == unit)?;
        total += number * units[position].1;
        units = &units[position + 1..];
        text = &text[end + unit.len_utf8()..];
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_parsed_or_refused() {
        for (text, milliseconds) in [
            ("PT0.25S", 250),
            ("PT30S", 30_000),
            ("PT10M", 600_000),
            ("P1DT2H3M4.5S", 93_784_500),
            ("PT1.5S", 1_500),
            ("P2D", 172_800_000),
            ("PT0S", 0),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "P", "PT", "30s", "PT30", "PTS", "P1M", "P1Y", "PT1S1M", "PT1.2.3S", "-PT1S", "PT1é"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
