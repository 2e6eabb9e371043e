//! Making a backup beside those who write: what says that something is stored is read before what is stored.

use streamforge_events::{Millis, ModelName, ModelVersion, Prediction, SeriesId, SeriesKind, Split, TimeRange};
use streamforge_store::{GapQuery, PredictionQuery, Store, WorkflowQuery};

use crate::{
    BackupName, Chunk, Contents, Error, FORMAT, Holdings, Limits, Manifest, Place, SeriesPart, Tally, models,
    packing::{Packed, Packing},
    period::Period,
    place::Writing,
    rows::Row,
};

/// Rows that are read at once.
const PAGE: usize = 10_000;

/// Workflow documents that are read at once; one can be large.
const DOCUMENTS: usize = 100;

/// Which backup to make.
#[derive(Clone, Debug)]
pub struct Order {
    /// Its name.
    pub name: BackupName,
    /// The time now.
    pub created: Millis,
    /// What it is to hold.
    pub limits: Limits,
}

/// A backup that was made.
#[derive(Clone, Debug, PartialEq)]
pub struct Created {
    /// What it is made of.
    pub manifest: Manifest,
    /// Objects that were written for it.
    pub written: Tally,
    /// Objects that were there already.
    pub kept: Tally,
}

/// Makes a backup of a store and its models, which others may use meanwhile.
///
/// All that was acknowledged before the call is in it. A document that says that a workflow is finished, a range that
/// counts as loaded and a prediction are read before what they speak of, so that it is there as well.
///
/// # Errors
/// [`Error::Exists`] if there is a backup of this name, or a failure of the store or of the place.
pub async fn create(source: &Holdings<'_>, place: &Place, order: Order) -> Result<Created, Error> {
    let Order { name, created, mut limits } = order;
    limits.symbols.sort_unstable();
    limits.symbols.dedup();
    if place.has(&name).await? {
        return Err(Error::Exists(name));
    }
    let mut writing = place.write().await?;
    let is_whole = limits.is_none();
    let workflows = if is_whole { workflows(source.store, &mut writing).await? } else { Vec::new() };
    let predictions = predictions(source.store, &limits, &mut writing).await?;
    let mut left_out = Vec::new();
    let models = match source.models.filter(|_| is_whole) {
        Some(registry) => models::copy(registry, &mut writing, &mut left_out).await?,
        None => Vec::new(),
    };
    let graphs = if is_whole { graphs(source.store, &mut writing).await? } else { Vec::new() };
    let series = series(source.store, &limits, &mut writing).await?;
    // After the rows, so that none is in the backup as missing without a word.
    let gaps = gaps(source.store, &limits, &mut writing).await?;
    let manifest = Manifest {
        format: FORMAT,
        name,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        created,
        limits,
        series,
        workflows,
        graphs,
        predictions,
        gaps,
        models,
        left_out,
    };
    place.seal(&manifest).await?;
    Ok(Created { manifest, written: writing.written, kept: writing.kept })
}

/// Chunks of rows as they are packed and written.
struct Chunks<'a, 'place> {
    packing: Packing,
    writing: &'a mut Writing<'place>,
    written: Vec<Chunk>,
}

impl<'a, 'place> Chunks<'a, 'place> {
    fn new(contents: Contents, period: Period, writing: &'a mut Writing<'place>) -> Self {
        Self { packing: Packing::new(contents, period), writing, written: Vec::new() }
    }

    async fn add<R: Row>(&mut self, row: &R) -> Result<(), Error> {
        let complete = self.packing.add(row)?;
        self.write(complete).await
    }

    async fn cut(&mut self) -> Result<(), Error> {
        let complete = self.packing.cut()?;
        self.write(complete).await
    }

    async fn finish(mut self) -> Result<Vec<Chunk>, Error> {
        self.cut().await?;
        Ok(self.written)
    }

    async fn write(&mut self, complete: Option<Packed>) -> Result<(), Error> {
        if let Some((chunk, bytes)) = complete {
            self.writing.put(&chunk.sha256, bytes).await?;
            self.written.push(chunk);
        }
        Ok(())
    }
}

async fn workflows(store: &dyn Store, writing: &mut Writing<'_>) -> Result<Vec<Chunk>, Error> {
    let mut chunks = Chunks::new(Contents::Workflows, Period::Month, writing);
    let mut query = WorkflowQuery { limit: DOCUMENTS, cursor: None, status: None };
    loop {
        let page = store.list(&query).await?;
        for document in &page.documents {
            chunks.add(document).await?;
        }
        if page.next.is_none() {
            return chunks.finish().await;
        }
        query.cursor = page.next;
    }
}

/// Predictions of one version of a model and for one purpose follow each other.
async fn predictions(store: &dyn Store, limits: &Limits, writing: &mut Writing<'_>) -> Result<Vec<Chunk>, Error> {
    let mut chunks = Chunks::new(Contents::Predictions, Period::Whole, writing);
    let all = PredictionQuery { range: limits.range, ..PredictionQuery::default() };
    let queries = if limits.symbols.is_empty() {
        vec![all]
    } else {
        limits.symbols.iter().map(|symbol| PredictionQuery { symbol: Some(symbol.clone()), ..all.clone() }).collect()
    };
    for query in queries {
        let mut last: Option<Prediction> = None;
        loop {
            let page = store.read_versioned_predictions(&query, last.as_ref(), PAGE).await?;
            let is_last = page.len() < PAGE;
            for row in page {
                if last.as_ref().is_some_and(|last| maker(last) != maker(&row.value)) {
                    chunks.cut().await?;
                }
                chunks.add(&row).await?;
                last = Some(row.value);
            }
            if is_last {
                break;
            }
        }
    }
    chunks.finish().await
}

fn maker(prediction: &Prediction) -> (&ModelName, &ModelVersion, Split) {
    (&prediction.model, &prediction.version, prediction.split)
}

/// Those of some symbols whole: of the numbers of trades no time is known.
async fn gaps(store: &dyn Store, limits: &Limits, writing: &mut Writing<'_>) -> Result<Vec<Chunk>, Error> {
    let mut chunks = Chunks::new(Contents::Gaps, Period::Whole, writing);
    let mut last = None;
    loop {
        let page = store.read_gaps(&GapQuery::default(), last.as_ref(), PAGE).await?;
        let is_last = page.len() < PAGE;
        for gap in page {
            if limits.admit(&gap.symbol) {
                chunks.add(&gap).await?;
            }
            last = Some(gap);
        }
        if is_last {
            return chunks.finish().await;
        }
    }
}

async fn graphs(store: &dyn Store, writing: &mut Writing<'_>) -> Result<Vec<Chunk>, Error> {
    let mut chunks = Chunks::new(Contents::Graphs, Period::Whole, writing);
    for summary in store.graphs().await? {
        if let Some(graph) = store.graph(Some(&summary.id)).await? {
            chunks.add(&graph).await?;
            chunks.cut().await?;
        }
    }
    chunks.finish().await
}

async fn series(store: &dyn Store, limits: &Limits, writing: &mut Writing<'_>) -> Result<Vec<SeriesPart>, Error> {
    let mut parts = Vec::new();
    for series in store.series().await? {
        if limits.admit(&series.symbol) {
            parts.push(one_series(store, series, limits.range, writing).await?);
        }
    }
    Ok(parts)
}

async fn one_series(
    store: &dyn Store,
    series: SeriesId,
    limit: Option<TimeRange>,
    writing: &mut Writing<'_>,
) -> Result<SeriesPart, Error> {
    let range = limit.unwrap_or(TimeRange::WIDEST);
    // Before the rows: what counts as loaded is stored by then.
    let loaded = store.loaded(&series).await?.into_iter().filter_map(|loaded| loaded.intersection(range)).collect();
    let mut chunks = Chunks::new(Contents::Series(series.clone()), Period::of(series.kind), writing);
    match series.kind {
        SeriesKind::Klines(_) => {
            let mut last = None;
            loop {
                let page = store.read_versioned_klines(&series, range, last, PAGE).await?;
                for row in &page {
                    chunks.add(row).await?;
                }
                if page.len() < PAGE {
                    break;
                }
                last = page.last().map(|row| row.value.open_time);
            }
        }
        SeriesKind::Trades => {
            let mut last = None;
            loop {
                let page = store.read_versioned_trades(&series, range, last, PAGE).await?;
                for row in &page {
                    chunks.add(row).await?;
                }
                if page.len() < PAGE {
                    break;
                }
                last = page.last().map(|row| row.value.trade_id);
            }
        }
    }
    Ok(SeriesPart { chunks: chunks.finish().await?, loaded, series })
}
