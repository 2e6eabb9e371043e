//! `realtime_graph`: a graph that moves with each new bar, once all symbols have it.

use std::collections::HashMap;

use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use serde_json::json;
use streamforge_events::{
    ControlCommand, Event, KlineBatch, Millis, QueueId, ReportStatus, Symbol, TimeRange, rfc3339,
};
use streamforge_function::{Context, Error};
use streamforge_store::{GraphDocument, StoredSubscription};
use tokio::task::spawn_blocking;

use crate::{Failure, GraphBuilder, LiveParameters, window::Window};

/// All that is kept of a subscription is its progress: the window is in the store of series.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Nothing {}

type Stored = StoredSubscription<Nothing>;

/// What is held in memory, by subscription.
pub(crate) type Windows = HashMap<String, Window>;

/// What became of a bar.
enum Bar {
    /// It is in the graph, or is not to be.
    Done,
    /// Not all symbols have it; the words say which.
    Awaited(String),
}

/// A window after a bar, and the graph that it makes if there are enough returns.
type Moved = (Window, Result<GraphDocument, String>);

impl GraphBuilder {
    /// Registers a subscription; answers false if its workflow has ended.
    pub(crate) async fn subscribe(&self, start: &Event, command: &ControlCommand) -> Result<bool, Failure> {
        LiveParameters::parse(command).map_err(Failure::Final)?;
        Ok(self.subscriptions.begin(start, command).await?)
    }

    /// Ends the subscriptions of a workflow and publishes their last reports.
    pub(crate) async fn unsubscribe(&self, queue_id: &QueueId, context: &Context) -> Result<(), Failure> {
        for stored in self.subscriptions.end(queue_id, context.now()).await? {
            let command = stored.subscription.command()?;
            let report = context.report(&command, ReportStatus::Interrupted);
            context.publish(context.report_event(&stored.subscription.start, &report)?).await?;
            self.subscriptions.remove(&stored).await?;
        }
        Ok(())
    }

    /// Moves the graphs of all who want it to the newest bar of a batch.
    pub(crate) async fn new_bar(&self, batch: &KlineBatch, context: &Context) -> Result<(), Failure> {
        let Some(newest) = batch.rows.last() else { return Ok(()) };
        // All symbols tell of the same bar at once; the first that finds it whole does the work.
        let mut windows = self.windows.lock().await;
        let subscriptions = self.subscriptions.all().await?;
        windows.retain(|key, _| subscriptions.iter().any(|stored| stored.key() == key));
        let mut later = None;
        for stored in &subscriptions {
            match self.serve(stored, &mut windows, batch, newest.open_time, context).await {
                Ok(Bar::Done) => {}
                Ok(Bar::Awaited(words)) => later = Some(Failure::Retry(Error::Unavailable(words))),
                Err(Failure::Final(words)) => self.give_up(stored, words, context).await?,
                Err(retry) => later = Some(retry),
            }
        }
        later.map_or(Ok(()), Err)
    }

    /// Serves one subscription.
    async fn serve(
        &self,
        stored: &Stored,
        windows: &mut Windows,
        batch: &KlineBatch,
        bar: Millis,
        context: &Context,
    ) -> Result<Bar, Failure> {
        let subscription = &stored.subscription;
        let command = subscription.command()?;
        let parameters = LiveParameters::parse(&command).map_err(Failure::Final)?;
        let is_meant = parameters.interval == batch.interval && parameters.symbols.contains(&batch.symbol);
        let is_done = subscription.done.is_some_and(|done| done >= bar);
        if !is_meant || is_done || context.is_stopped(&command.queue_id) {
            return Ok(Bar::Done);
        }
        // Nothing is stored outside of all time.
        let Ok(moment) = TimeRange::new(bar, bar.saturating_add(1)) else { return Ok(Bar::Done) };
        let closes = self.closes_of(&parameters, moment).await?;
        let there = closes.iter().flatten().count();
        let is_awaited = there < closes.len()
            && !self.subscriptions.is_waited_for(stored, there, bar, context.now(), self.patience).await?;
        if is_awaited {
            return Ok(Bar::Awaited(awaited(&parameters.symbols, &closes, bar)));
        }
        // Only a window whose bar went all the way is put back.
        let known = windows.remove(stored.key()).filter(|_| !self.builds_at_once);
        let known = known.filter(|window| window.precedes(&parameters, bar));
        let (window, graph) = match known {
            Some(window) => self.moved(window, parameters, bar, closes).await?,
            None => self.built(parameters, bar).await?,
        };
        let (message, extra) = match &graph {
            Ok(graph) => {
                self.store.put_graph(graph).await?;
                let (nodes, edges) = (graph.nodes.len(), graph.edges.len());
                let message = format!(
                    "Built graph {} with {nodes} nodes and {edges} edges after the bar of {}",
                    graph.id,
                    rfc3339(bar)
                );
                (message, json!({"graph": graph.id, "nodes": nodes, "edges": edges, "open_time": bar}))
            }
            Err(words) => (format!("No graph yet: {words}"), json!({"graph": null, "open_time": bar})),
        };
        let mut report = context.report(&command, ReportStatus::Loading);
        report.message = message;
        report.extra = Some(extra);
        context.publish(context.report_event(&subscription.start, &report)?).await?;
        self.subscriptions.change(stored, |subscription| subscription.finish(bar)).await?;
        windows.insert(stored.key().to_owned(), window);
        Ok(Bar::Done)
    }

    /// The window one bar further; built anew if it no longer says what its returns say.
    async fn moved(
        &self,
        mut window: Window,
        parameters: LiveParameters,
        bar: Millis,
        closes: Vec<Option<f64>>,
    ) -> Result<Moved, Failure> {
        let moved = spawn_blocking(move || {
            window.push(bar, closes);
            let is_exact = !window.is_to_be_checked() || window.is_exact();
            let graph = window.graph();
            is_exact.then_some((window, graph))
        });
        if let Some(moved) = moved.await? {
            return Ok(moved);
        }
        self.metrics.mismatches.inc();
        tracing::error!(bar, "the correlations of a live graph are not those of its window, they are built anew");
        self.built(parameters, bar).await
    }

    /// The window whose newest bar is this one, from the store.
    async fn built(&self, parameters: LiveParameters, bar: Millis) -> Result<Moved, Failure> {
        let range = parameters.range(bar).map_err(Failure::Final)?;
        let reads = parameters.symbols.iter().map(|symbol| self.closes(symbol, parameters.interval, range));
        let closes = try_join_all(reads).await?;
        let built = spawn_blocking(move || {
            let window = Window::new(parameters, &closes, bar);
            let graph = window.graph();
            (window, graph)
        });
        Ok(built.await?)
    }

    /// The stored closes of the bar that opens at one moment, by symbol.
    async fn closes_of(&self, parameters: &LiveParameters, moment: TimeRange) -> Result<Vec<Option<f64>>, Failure> {
        let reads = parameters.symbols.iter().map(|symbol| self.closes(symbol, parameters.interval, moment));
        Ok(try_join_all(reads).await?.iter().map(|read| read.closes.first().copied()).collect())
    }

    /// Ends a subscription that cannot be served any more.
    async fn give_up(&self, stored: &Stored, words: String, context: &Context) -> Result<(), Failure> {
        let command = stored.subscription.command()?;
        let report = crate::refusal(context, &command, words);
        context.publish(context.report_event(&stored.subscription.start, &report)?).await?;
        Ok(self.subscriptions.remove(stored).await?)
    }
}

fn awaited(symbols: &[Symbol], closes: &[Option<f64>], bar: Millis) -> String {
    let missing = symbols.iter().zip(closes).filter(|(_, close)| close.is_none());
    let missing: Vec<&str> = missing.map(|(symbol, _)| symbol.as_str()).take(5).collect();
    format!("the bar of {} is not stored yet for {}", rfc3339(bar), missing.join(", "))
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use streamforge_events::{Interval, SeriesId, SeriesKind};
    use streamforge_store::{Store, Versioned, open_objects};

    use super::*;
    use crate::EdgeRule;

    const MINUTE: Millis = 60_000;

    async fn store_bars(store: &dyn Store, bars: Millis) {
        for (symbol, step) in [("A", 7919), ("B", 104_729)] {
            let rows = (0..bars).map(|bar| {
                let row = json!({
                    "open_time": bar * MINUTE, "open": "1.0", "high": "1.0", "low": "1.0",
                    "close": format!("{}.0", 1000 + bar * step % 83), "volume": "1.0",
                    "close_time": (bar + 1) * MINUTE - 1, "quote_asset_volume": "1.0", "number_of_trades": 1,
                    "taker_buy_base_asset_volume": "1.0", "taker_buy_quote_asset_volume": "1.0",
                });
                Versioned { version: 1, value: serde_json::from_value(row).unwrap() }
            });
            let series = SeriesId { symbol: symbol.parse().unwrap(), kind: SeriesKind::Klines(Interval::M1) };
            store.upsert_klines(&series, &rows.collect::<Vec<_>>()).await.unwrap();
        }
    }

    #[tokio::test]
    async fn sums_that_went_wrong_are_found_after_a_hundred_bars_and_built_anew() {
        let folder = tempfile::tempdir().unwrap();
        let store = streamforge_store::open(&format!("sqlite://{}/store.db", folder.path().display())).await.unwrap();
        let objects = open_objects(&format!("file://{}/objects", folder.path().display())).await.unwrap();
        store_bars(&*store, 240).await;
        let builder = GraphBuilder::new(Arc::clone(&store), objects, Duration::ZERO);
        let parameters = LiveParameters {
            symbols: ["A", "B"].map(|symbol| symbol.parse().unwrap()).to_vec(),
            interval: Interval::M1,
            window: 150.try_into().unwrap(),
            rule: EdgeRule { threshold: 0.0, k: 1, minimum_observations: 2 },
            collection_output: None,
        };
        let (mut window, _) = builder.built(parameters.clone(), 20 * MINUTE).await.ok().unwrap();
        for bar in 21..=220 {
            if bar == 170 {
                window.damage();
                assert!(!window.is_exact());
            }
            assert!(window.precedes(&parameters, bar * MINUTE));
            let moment = TimeRange::new(bar * MINUTE, bar * MINUTE + 1).unwrap();
            let closes = builder.closes_of(&parameters, moment).await.ok().unwrap();
            let moved = builder.moved(window, parameters.clone(), bar * MINUTE, closes).await.ok().unwrap();
            window = moved.0;
            assert_eq!(builder.metrics.mismatches.get(), u64::from(bar == 220), "bar {bar}");
            assert!(window.is_exact() || (170..220).contains(&bar));
        }
        let (fresh, graph) = builder.built(parameters, 220 * MINUTE).await.ok().unwrap();
        assert_eq!(window.graph().unwrap(), graph.unwrap());
        assert!(fresh.is_exact());
    }
}
