//! Filling a store from a backup: what says that something is stored is written after what is stored.
//!
//! Every write is one that the store would take from anybody, with its version: what is there and newer stays, and a
//! restore that was interrupted is simply run again.

use streamforge_events::QueueId;
use streamforge_store::{Applied, BatchReport, CreateOutcome, Store, WorkflowDocument};

use crate::{Contents, Error, Holdings, Manifest, Place, Rows, SeriesPart, models};

/// Rows that are written at once.
const BATCH: usize = 10_000;

/// What became of rows, graphs or models.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// There was nothing in their place.
    pub inserted: u64,
    /// They replaced what was older.
    pub updated: u64,
    /// The same or newer ones were there.
    pub unchanged: u64,
}

/// What a restore has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Klines and trades.
    pub rows: Counts,
    /// Predictions.
    pub predictions: Counts,
    /// What was told of gaps.
    pub gaps: Counts,
    /// Graphs.
    pub graphs: Counts,
    /// Versions of models.
    pub models: Counts,
    /// Workflows that have ended; one that is known already stays as it is.
    pub workflows: Counts,
    /// Workflows that were under way, and are not restored.
    pub under_way: Vec<QueueId>,
    /// What could not be restored because something else is in its place, in words.
    pub conflicts: Vec<String>,
}

impl Counts {
    fn add(&mut self, applied: Applied) {
        match applied {
            Applied::Inserted => self.inserted += 1,
            Applied::Updated => self.updated += 1,
            Applied::Unchanged => self.unchanged += 1,
        }
    }

    fn add_all(&mut self, contents: &Contents, report: &BatchReport) -> Result<(), Error> {
        for item in &report.items {
            match item {
                Ok(applied) => self.add(*applied),
                Err(reject) => {
                    return Err(Error::Rejected { what: contents.to_string(), reason: reject.to_string() });
                }
            }
        }
        Ok(())
    }
}

/// Restores a backup into a store and its models, empty or not; `is_over` tells which workflows have ended.
///
/// That every object is there in its size is checked before anything is written; the checksum of each before anything
/// of it is written.
///
/// # Errors
/// [`Error::Chunk`] with the object that is missing, truncated, edited or swapped, [`Error::Rejected`] for a row that
/// this store cannot hold, or a failure of the store or of the place.
pub async fn restore(
    place: &Place,
    manifest: &Manifest,
    target: &Holdings<'_>,
    is_over: impl Fn(&str) -> bool,
) -> Result<Restored, Error> {
    place.check_presence(manifest).await?;
    let mut restored = Restored::default();
    for part in &manifest.series {
        series(place, part, target.store, &mut restored).await?;
    }
    for chunk in &manifest.graphs {
        let rows = place.fetch_rows(chunk, &Contents::Graphs).await?;
        write(target.store, rows, &mut restored).await?;
    }
    if let Some(registry) = target.models {
        let models = models::restore(place, registry, &manifest.models).await?;
        restored.models = Counts { inserted: models.new, updated: 0, unchanged: models.unchanged };
        restored.conflicts = models.conflicts;
    }
    for chunk in &manifest.gaps {
        let rows = place.fetch_rows(chunk, &Contents::Gaps).await?;
        write(target.store, rows, &mut restored).await?;
    }
    for chunk in &manifest.predictions {
        let rows = place.fetch_rows(chunk, &Contents::Predictions).await?;
        write(target.store, rows, &mut restored).await?;
    }
    for chunk in &manifest.workflows {
        let rows = place.fetch_rows(chunk, &Contents::Workflows).await?;
        if let Rows::Workflows(documents) = rows {
            workflows(target.store, documents, &is_over, &mut restored).await?;
        }
    }
    Ok(restored)
}

async fn series(place: &Place, part: &SeriesPart, store: &dyn Store, restored: &mut Restored) -> Result<(), Error> {
    let SeriesPart { series, loaded, chunks } = part;
    let contents = Contents::Series(series.clone());
    for chunk in chunks {
        let rows = place.fetch_rows(chunk, &contents).await?;
        write(store, rows, restored).await?;
    }
    for range in loaded {
        store.mark_loaded(series, *range).await?;
    }
    Ok(())
}

async fn write(store: &dyn Store, rows: Rows, restored: &mut Restored) -> Result<(), Error> {
    let contents = rows.contents();
    match rows {
        Rows::Klines(series, rows) => {
            for batch in rows.chunks(BATCH) {
                restored.rows.add_all(&contents, &store.upsert_klines(&series, batch).await?)?;
            }
        }
        Rows::Trades(series, rows) => {
            for batch in rows.chunks(BATCH) {
                restored.rows.add_all(&contents, &store.upsert_trades(&series, batch).await?)?;
            }
        }
        Rows::Predictions(rows) => {
            for batch in rows.chunks(BATCH) {
                restored.predictions.add_all(&contents, &store.upsert_predictions(batch).await?)?;
            }
        }
        Rows::Gaps(gaps) => {
            for batch in gaps.chunks(BATCH) {
                restored.gaps.add_all(&contents, &store.keep_gaps(batch).await?)?;
            }
        }
        Rows::Graphs(graphs) => {
            for graph in &graphs {
                restored.graphs.add(store.put_graph(graph).await?);
            }
        }
        Rows::Workflows(_) => {}
    }
    Ok(())
}

/// Restores the workflows that have ended.
///
/// One under way would go on without the events that were on their way to it: at best it does work again that nobody
/// has asked for here, at worst the place that it comes from does the same work at the same time.
async fn workflows(
    store: &dyn Store,
    documents: Vec<WorkflowDocument>,
    is_over: &impl Fn(&str) -> bool,
    restored: &mut Restored,
) -> Result<(), Error> {
    for document in documents {
        if !is_over(&document.status) {
            restored.under_way.push(document.id);
            continue;
        }
        match store.create(&document).await? {
            CreateOutcome::Created(_) => restored.workflows.inserted += 1,
            CreateOutcome::Exists(_) => restored.workflows.unchanged += 1,
        }
    }
    Ok(())
}
