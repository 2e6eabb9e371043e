//! Pods over time: sampled while a test waits, drawn as a picture beside the other output of the tests.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::Path,
    time::Instant,
};

use crate::world::World;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 240.0;
/// Left of and below the lines, for words.
const MARGIN: f64 = 40.0;
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

    fn picture(&self) -> String {
        let end = self.samples.last().map_or(1.0, |(seconds, _)| seconds.max(1.0));
        let names: BTreeSet<&String> = self.samples.iter().flat_map(|(_, counts)| counts.keys()).collect();
        let most = names.iter().map(|name| self.most(name)).max().unwrap_or(1).max(1);
        let x = |seconds: f64| MARGIN + seconds / end * (WIDTH - 2.0 * MARGIN);
        let y = |pods: usize| HEIGHT - MARGIN - height(pods) / height(most) * (HEIGHT - 2.0 * MARGIN);
        let mut picture = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {HEIGHT}\" font-family=\"sans-serif\" \
             font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
            WIDTH + 180.0
        );
        for pods in 0..=most {
            let level = y(pods);
            let right = WIDTH - MARGIN;
            writeln!(
                picture,
                "<path d=\"M{MARGIN} {level:.1}H{right}\" stroke=\"#ddd\"/><text x=\"20\" y=\"{:.1}\">{pods}</text>",
                level + 4.0
            )
            .unwrap();
        }
        for tenth in 0..=6 {
            let seconds = end * f64::from(tenth) / 6.0;
            let (at, bottom) = (x(seconds) - 8.0, HEIGHT - 20.0);
            writeln!(picture, "<text x=\"{at:.1}\" y=\"{bottom}\">{seconds:.0} s</text>").unwrap();
        }
        for ((name, colour), line) in names.iter().zip(COLOURS.iter().cycle()).zip(1_u8..) {
            let mut path = format!("M{MARGIN} {:.1}", y(0));
            for (seconds, counts) in &self.samples {
                write!(path, "H{:.1}V{:.1}", x(*seconds), y(counts.get(*name).copied().unwrap_or_default())).unwrap();
            }
            let at = MARGIN + 14.0 * f64::from(line);
            writeln!(
                picture,
                "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>\
                 <text x=\"{WIDTH}\" y=\"{at}\" fill=\"{colour}\">{name}</text>"
            )
            .unwrap();
        }
        picture + "</svg>\n"
    }
}

#[expect(clippy::cast_precision_loss, reason = "a handful of pods")]
fn height(pods: usize) -> f64 {
    pods as f64
}
