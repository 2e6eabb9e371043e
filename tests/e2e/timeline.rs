//! Pods over time: sampled while a test waits, drawn as a picture beside the other output of the tests.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path, time::Instant};

use crate::world::World;

const WIDTH: f64 = 720.0;
/// Height of a function's lane.
const LANE: f64 = 36.0;
/// Width of the names.
const LABELS: f64 = 210.0;
const COLOURS: [&str; 8] = ["#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#8c564b", "#17becf", "#7f7f7f"];

/// How many pods each function had, and when.
pub(crate) struct Timeline {
    began: Instant,
    samples: Vec<(f64, BTreeMap<String, usize>)>,
}

impl Timeline {
    pub(crate) fn start() -> Self {
        Self { began: Instant::now(), samples: Vec::new() }
    }

    /// Counts the pods as they are now, by function.
    pub(crate) fn sample(&mut self, world: &World) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for name in world.pods() {
            *counts.entry(name).or_default() += 1;
        }
        self.samples.push((self.seconds(), counts.clone()));
        counts
    }

    /// Seconds since the start.
    pub(crate) fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// The most pods that a function had at once.
    pub(crate) fn most(&self, name: &str) -> usize {
        self.samples.iter().filter_map(|(_, counts)| counts.get(name)).max().copied().unwrap_or_default()
    }

    /// Writes the picture to a file of this name and prints where it is.
    pub(crate) fn draw(&self, name: &str) {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        fs::create_dir_all(folder).unwrap();
        let path = folder.join(format!("{name}.svg"));
        fs::write(&path, self.picture()).unwrap();
        eprintln!("pods over time: {}", path.display());
    }

    /// A lane for each function in the order in which they appear, as high as its most pods.
    fn picture(&self) -> String {
        let end = self.samples.last().map_or(1.0, |(seconds, _)| seconds.max(1.0));
        let mut names: Vec<&String> = Vec::new();
        for name in self.samples.iter().flat_map(|(_, counts)| counts.keys()) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let x = |seconds: f64| LABELS + seconds / end * WIDTH;
        let bottom = LANE * height(names.len()) + 8.0;
        let mut picture = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" font-family=\"sans-serif\" \
             font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
            LABELS + WIDTH + 30.0,
            bottom + 24.0
        );
        for sixth in 0..=6 {
            let seconds = end * f64::from(sixth) / 6.0;
            let (at, low) = (x(seconds), bottom + 16.0);
            writeln!(
                picture,
                "<path d=\"M{at:.1} 8V{bottom}\" stroke=\"#ddd\"/>\
                 <text x=\"{at:.1}\" y=\"{low}\" text-anchor=\"middle\">{seconds:.0} s</text>"
            )
            .unwrap();
        }
        for ((name, colour), lane) in names.into_iter().zip(COLOURS.iter().cycle()).zip(1_u8..) {
            let (floor, most) = (LANE * f64::from(lane), self.most(name));
            let path = self.steps(name, x, |pods| floor - height(pods) / height(most) * (LANE - 10.0));
            let (text, right) = (floor - 4.0, LABELS - 10.0);
            writeln!(
                picture,
                "<path d=\"M{LABELS} {floor}{path}V{floor}Z\" fill=\"{colour}\"/>\
                 <text x=\"{right}\" y=\"{text}\" text-anchor=\"end\">{name}, at most {most}</text>"
            )
            .unwrap();
        }
        picture + "</svg>\n"
    }

    /// The way of a function's pods over time, with a point for each change.
    fn steps(&self, name: &str, x: impl Fn(f64) -> f64, y: impl Fn(usize) -> f64) -> String {
        let mut path = String::new();
        let mut before = 0;
        for (seconds, counts) in &self.samples {
            let pods = counts.get(name).copied().unwrap_or_default();
            if pods != before {
                write!(path, "H{:.1}V{:.1}", x(*seconds), y(pods)).unwrap();
                before = pods;
            }
        }
        if let Some((seconds, _)) = self.samples.last() {
            write!(path, "H{:.1}", x(*seconds)).unwrap();
        }
        path
    }
}

#[expect(clippy::cast_precision_loss, reason = "a handful of pods")]
fn height(pods: usize) -> f64 {
    pods as f64
}
