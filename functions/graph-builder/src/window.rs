//! The newest bars of a live graph: their returns, and the correlations that are kept up to date with them.

use std::collections::VecDeque;

use serde_json::json;
use streamforge_events::{Millis, Symbol, short_code};
use streamforge_store::GraphDocument;

use crate::{
    Closes, LiveParameters, Parameters, Returns, SlidingCorrelation, correlation::correlations, edges::chosen,
    graph::assembled,
};

/// How far a correlation may lie from the one that is computed anew.
const TOLERANCE: f64 = 1e-9;

/// After how many bars the correlations are compared with those that are computed anew.
const CHECKED_AFTER: usize = 100;

/// Returns of the symbols of a live graph over its window.
#[derive(Debug)]
pub(crate) struct Window {
    parameters: LiveParameters,
    /// When the newest bar opened.
    bar: Millis,
    /// Closes of the newest bar, by symbol.
    closes: Vec<Option<f64>>,
    /// Open times of the bars of the window with their returns, by symbol; none before the first return of any.
    rows: VecDeque<(Millis, Vec<Option<f64>>)>,
    sliding: SlidingCorrelation,
    /// Bars since it was built.
    pushed: usize,
}

impl Window {
    /// The window whose newest bar is this one, from the stored closes of its range by symbol.
    pub(crate) fn new(parameters: LiveParameters, closes: &[Closes], bar: Millis) -> Self {
        let before = |open: &Millis| Some(parameters.interval.previous_open(*open));
        let mut times: Vec<Millis> =
            std::iter::successors(Some(bar), before).take(parameters.window.get()).filter(|open| *open > 0).collect();
        times.reverse();
        let mut rows: Vec<Vec<Option<f64>>> = vec![vec![None; closes.len()]; times.len()];
        let mut newest = vec![None; closes.len()];
        for (symbol, closes) in closes.iter().enumerate() {
            let returns = Returns::of(parameters.interval, &closes.open_times, &closes.closes);
            for (time, value) in returns.open_times.iter().zip(returns.values) {
                if let Ok(place) = times.binary_search(time) {
                    rows[place][symbol] = Some(value);
                }
            }
            let place = closes.open_times.iter().rposition(|time| *time == bar);
            newest[symbol] = place.and_then(|place| closes.closes.get(place)).copied();
        }
        let mut window = Self {
            sliding: SlidingCorrelation::new(closes.len(), parameters.window),
            parameters,
            bar,
            closes: newest,
            rows: VecDeque::new(),
            pushed: 0,
        };
        let rows = times.into_iter().zip(rows);
        for (time, row) in rows.skip_while(|(_, row)| row.iter().all(Option::is_none)) {
            window.keep(time, row);
        }
        window
    }

    /// Whether a bar is the next one of a graph with these parameters.
    pub(crate) fn precedes(&self, parameters: &LiveParameters, bar: Millis) -> bool {
        self.parameters == *parameters && parameters.interval.is_adjacent(self.bar, bar)
    }

    /// Adds the closes of the next bar, by symbol.
    ///
    /// A symbol without a close in this bar or in the one before has no return.
    pub(crate) fn push(&mut self, bar: Millis, closes: Vec<Option<f64>>) {
        let pairs = self.closes.iter().zip(&closes);
        let row = pairs.map(|(before, now)| {
            let (before, now) = ((*before)?, (*now)?);
            let value = (now / before).ln();
            (before > 0.0 && now > 0.0 && value.is_finite()).then_some(value)
        });
        let row = row.collect();
        self.keep(bar, row);
        self.bar = bar;
        self.closes = closes;
        self.pushed += 1;
    }

    /// Whether it is time to compare the correlations with those that are computed anew.
    pub(crate) fn is_to_be_checked(&self) -> bool {
        self.pushed > 0 && self.pushed.is_multiple_of(CHECKED_AFTER)
    }

    /// Whether the correlations are those that are computed anew from the returns of the window.
    pub(crate) fn is_exact(&self) -> bool {
        let minimum = self.parameters.rule.minimum_observations;
        let (found, exact) = (self.sliding.pairs(minimum), correlations(&self.returns(), minimum));
        let are_close = found.iter().zip(&exact).all(|(found, exact)| {
            (found.first, found.second, found.observations) == (exact.first, exact.second, exact.observations)
                && (found.correlation - exact.correlation).abs() <= TOLERANCE
        });
        found.len() == exact.len() && are_close
    }

    /// The graph of the window; its version is when the newest bar is over.
    ///
    /// # Errors
    /// The reason, in words for a report, if fewer than two symbols have a return.
    pub(crate) fn graph(&self) -> Result<GraphDocument, String> {
        let LiveParameters { symbols, interval, window, rule, collection_output } = &self.parameters;
        let over = Parameters {
            symbols: symbols.clone(),
            interval: *interval,
            range: self.parameters.range(self.bar)?,
            rule: *rule,
            collection_output: collection_output.clone(),
        };
        let pairs = chosen(&self.sliding.pairs(rule.minimum_observations), symbols.len(), *rule);
        let described = json!({ "symbols": symbols, "edges": rule, "window": window });
        let version = u64::try_from(interval.next_open(self.bar)).unwrap_or(0);
        let names: Vec<_> = symbols.iter().collect();
        assembled(live_graph_id(&self.parameters), version, &over, described, &names, &self.returns(), &pairs)
    }

    /// Moves the sums as no bar does.
    #[cfg(test)]
    pub(crate) fn damage(&mut self) {
        self.sliding.push(&[Some(0.5), Some(-0.5)]);
    }

    fn keep(&mut self, bar: Millis, row: Vec<Option<f64>>) {
        self.sliding.push(&row);
        self.rows.push_back((bar, row));
        if self.rows.len() > self.parameters.window.get() {
            self.rows.pop_front();
        }
    }

    fn returns(&self) -> Vec<Returns> {
        let of = |symbol: usize| {
            let values = self.rows.iter().filter_map(|(time, row)| Some((*time, (*row.get(symbol)?)?)));
            let (open_times, values) = values.unzip();
            Returns { open_times, values }
        };
        (0..self.parameters.symbols.len()).map(of).collect()
    }
}

/// Names the graph: what the user called it, else its interval, window and a code of its symbols and rule, so that each
/// bar's graph takes the place of the one before.
fn live_graph_id(parameters: &LiveParameters) -> String {
    let LiveParameters { symbols, interval, window, rule, collection_output } = parameters;
    if let Some(name) = collection_output {
        return name.clone();
    }
    let rule = format!("{} {} {}", rule.threshold, rule.k, rule.minimum_observations);
    let mut parts: Vec<&str> = symbols.iter().map(Symbol::as_str).collect();
    parts.push(&rule);
    format!("graph-{interval}-live-{window}-{}", short_code(&parts))
}
