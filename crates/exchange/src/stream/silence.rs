//! Streams that say nothing: an unknown one is acknowledged and then silent for ever; pure.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

/// A stream is silent after so many times its usual distance between two frames.
const USUAL_DISTANCES: u32 = 50;
/// No stream may be silent for longer, however thin its market is.
const LONGEST: Duration = Duration::from_mins(10);

/// What kind of silence it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// Nothing ever came: the stream does not exist, or its market does not move.
    FromTheBeginning,
    /// It has stopped.
    Since,
}

/// When the streams of a connection said something.
#[derive(Debug)]
pub(super) struct Watch {
    shortest: Duration,
    streams: HashMap<String, Heard>,
}

#[derive(Clone, Copy, Debug)]
struct Heard {
    last: Instant,
    /// Usual distance between two frames; none before the second.
    distance: Option<Duration>,
    is_first: bool,
    /// Told of already.
    is_told: bool,
}

impl Watch {
    pub(super) fn new(streams: &[String], shortest: Duration, now: Instant) -> Self {
        let heard = Heard { last: now, distance: None, is_first: true, is_told: false };
        Self { shortest, streams: streams.iter().map(|name| (name.clone(), heard)).collect() }
    }

    /// Takes note of a frame; says whether it was the first of its stream.
    pub(super) fn hear(&mut self, stream: &str, now: Instant) -> bool {
        let Some(heard) = self.streams.get_mut(stream) else { return false };
        let was_first = heard.is_first;
        if !was_first {
            let latest = now.duration_since(heard.last);
            heard.distance = Some(heard.distance.map_or(latest, |usual| (usual * 7 + latest) / 8));
        }
        *heard = Heard { last: now, is_first: false, is_told: false, ..*heard };
        was_first
    }

    /// Streams that have been silent for too long and were not told of yet.
    pub(super) fn silent(&mut self, now: Instant) -> Vec<(String, Silence)> {
        let mut silent = Vec::new();
        for (name, heard) in &mut self.streams {
            let usual = heard.distance.map_or(Duration::ZERO, |usual| usual * USUAL_DISTANCES);
            let patience = if heard.is_first { self.shortest } else { usual.min(LONGEST).max(self.shortest) };
            if !heard.is_told && now.duration_since(heard.last) > patience {
                heard.is_told = true;
                let silence = if heard.is_first { Silence::FromTheBeginning } else { Silence::Since };
                silent.push((name.clone(), silence));
            }
        }
        silent.sort_by(|one, other| one.0.cmp(&other.0));
        silent
    }

    /// How many streams have said something.
    pub(super) fn heard(&self) -> usize {
        self.streams.values().filter(|heard| !heard.is_first).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_told_once_and_measured_by_what_is_usual() {
        let (second, begun) = (Duration::from_secs(1), Instant::now());
        let names = ["busy", "thin", "none"].map(ToOwned::to_owned);
        let mut watch = Watch::new(&names, 30 * second, begun);
        for tick in 0..=100 {
            watch.hear("busy", begun + tick * second / 10);
        }
        assert!(watch.hear("thin", begun));
        assert!(!watch.hear("thin", begun + 10 * second) && !watch.hear("unknown", begun));
        assert_eq!((watch.heard(), watch.silent(begun + 20 * second)), (2, Vec::new()));
        let silent = |name: &str, silence| (name.to_owned(), silence);
        let told = [silent("busy", Silence::Since), silent("none", Silence::FromTheBeginning)];
        assert_eq!(watch.silent(begun + 41 * second), told);
        assert_eq!(watch.silent(begun + 400 * second), [], "told once, and the thin one is given its time");
        assert_eq!(watch.silent(begun + 511 * second), [silent("thin", Silence::Since)]);
        watch.hear("busy", begun + 512 * second);
        assert_eq!(watch.silent(begun + 512 * second), []);
    }
}
