//! A damaged store is refused with words that help; a repair saves every row of the pages that are whole, and what is
//! lost no longer counts as loaded.

#![expect(clippy::unwrap_used, reason = "test code outside of test functions, too, fails by panicking")]

mod damage;

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::PathBuf,
};

use damage::{damage, pages_of_rows, pages_with};
use fastrand::Rng;
use serde_json::json;
use streamforge_events::{Decimal, Interval, Kline, SeriesId, SeriesKind, TimeRange, Trade};
use streamforge_store::{
    Edge, Error, GraphDocument, GraphStore, LeaseStore, Missing, Node, PredictionQuery, PredictionStore, Repair,
    SeriesStore, SqliteStore, Versioned, WorkflowDocument, WorkflowQuery, WorkflowStore, repair,
};
use tempfile::TempDir;
use tokio::sync::OnceCell;

const PAGE: usize = 8192;
const SEEDS: u64 = 8;
const MINUTE: i64 = 60_000;
const BARS: i64 = 1000;
const SYMBOLS: [&str; 3] = ["AAAUSDT", "BBBUSDT", "CCCUSDT"];
/// Bars that the exchange never had.
const HALT: std::ops::Range<i64> = 700..720;

/// What a store answers about what it holds.
#[derive(Clone, Debug, Default, PartialEq)]
struct Content {
    klines: BTreeMap<(SeriesId, i64), Kline>,
    trades: BTreeMap<(SeriesId, i64), Trade>,
    loaded: BTreeMap<SeriesId, Vec<TimeRange>>,
    workflows: BTreeMap<String, WorkflowDocument>,
    graphs: BTreeMap<String, GraphDocument>,
    predictions: Vec<String>,
}

/// A whole store as bytes, and what is in it.
struct Model {
    file: Vec<u8>,
    wal: Vec<u8>,
    content: Content,
    /// The pages on which each row of a series stands, by its digits.
    rows: BTreeMap<String, BTreeSet<usize>>,
    /// The pages on which each workflow and its document stand.
    workflows: BTreeMap<String, BTreeSet<usize>>,
    /// The pages on which anything of graphs stands.
    graphs: BTreeSet<usize>,
}

fn klines(symbol: &str) -> SeriesId {
    SeriesId { symbol: symbol.parse().unwrap(), kind: SeriesKind::Klines(Interval::M1) }
}

fn trades(symbol: &str) -> SeriesId {
    SeriesId { symbol: symbol.parse().unwrap(), kind: SeriesKind::Trades }
}

/// Digits that no other row has.
fn token(series: &SeriesId, number: i64) -> String {
    let place = SYMBOLS.iter().position(|symbol| *symbol == series.symbol.as_str()).unwrap();
    let kind = if series.kind == SeriesKind::Trades { 7 } else { 3 };
    format!("{kind}{place}{number:06}.00{kind}{place}{number:06}")
}

fn kline(series: &SeriesId, bar: i64) -> Versioned<Kline> {
    let decimal: Decimal = token(series, bar).parse().unwrap();
    let value = Kline {
        open_time: bar * MINUTE,
        open: decimal,
        high: decimal,
        low: decimal,
        close: decimal,
        volume: decimal,
        close_time: (bar + 1) * MINUTE - 1,
        quote_asset_volume: decimal,
        number_of_trades: 1,
        taker_buy_base_asset_volume: decimal,
        taker_buy_quote_asset_volume: decimal,
    };
    Versioned { version: 1, value }
}

fn trade(series: &SeriesId, id: i64) -> Versioned<Trade> {
    let decimal: Decimal = token(series, id).parse().unwrap();
    // Three at a time.
    let timestamp = id / 3 * 1000;
    Versioned {
        version: 1,
        value: Trade { trade_id: id, price: decimal, quantity: decimal, timestamp, is_buyer_maker: true },
    }
}

fn workflow(number: i64) -> WorkflowDocument {
    let is_live = number % 5 == 4;
    WorkflowDocument {
        id: format!("workflow-{number:03}").parse().unwrap(),
        status: if is_live { "loading" } else { "finished" }.to_owned(),
        created_at: number,
        next_deadline: is_live.then_some(number),
        json: json!({"long": format!("<{number:05}>").repeat(usize::try_from(number * 211 % 5000).unwrap())}),
    }
}

fn graph(number: i64) -> GraphDocument {
    let symbol = |node: i64| format!("S{node:03}USDT").parse().unwrap();
    let count = 20 + number * 7 % 30;
    let node = |node| Node { symbol: symbol(node), observations: 9, mean_return: 0.0, volatility: 0.5 };
    let edge = |node| Edge { from: symbol(node), to: symbol(node + 1), correlation: 0.5, weight: 1.0, observations: 9 };
    GraphDocument {
        id: format!("graph-{number:03}"),
        version: u64::try_from(number).unwrap() + 1,
        interval: Interval::M1,
        range: TimeRange::new(0, BARS * MINUTE).unwrap(),
        parameters: json!({"top": 1}),
        nodes: (0..count).map(node).collect(),
        edges: (0..count - 1).map(edge).collect(),
    }
}

/// The store of a process that has ended, or that was killed, so that the last rows are in the WAL only.
async fn model(is_closed: bool) -> &'static Model {
    static MODELS: [OnceCell<Model>; 2] = [OnceCell::const_new(), OnceCell::const_new()];
    MODELS[usize::from(is_closed)].get_or_init(|| write(is_closed)).await
}

async fn write(is_closed: bool) -> Model {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = SqliteStore::open(&path).await.unwrap();
    let range = |from, to| TimeRange::new(from, to).unwrap();
    for step in 0..BARS / 100 {
        for symbol in SYMBOLS {
            let bars = (step * 100..(step + 1) * 100).filter(|bar| !HALT.contains(bar));
            let rows: Vec<_> = bars.map(|bar| kline(&klines(symbol), bar)).collect();
            store.upsert_klines(&klines(symbol), &rows).await.unwrap();
            let rows: Vec<_> = (step * 100..(step + 1) * 100).map(|id| trade(&trades(symbol), id)).collect();
            store.upsert_trades(&trades(symbol), &rows).await.unwrap();
        }
        for number in step * 2..(step + 1) * 2 {
            let mut document = workflow(number);
            "pending".clone_into(&mut document.status);
            store.create(&document).await.unwrap();
            let stored = store.get(&document.id).await.unwrap().unwrap();
            store.compare_and_set(&workflow(number), &stored.revision).await.unwrap();
            let id = workflow(number).id;
            store.remember(&format!("key {number}"), &[1; 32], &id).await.unwrap();
            store.acquire(&format!("work {number}"), "me", 1, 2).await.unwrap();
            let mut older = graph(number);
            older.version = 0;
            store.put_graph(&older).await.unwrap();
            store.put_graph(&graph(number)).await.unwrap();
        }
    }
    for symbol in SYMBOLS {
        store.mark_loaded(&klines(symbol), range(0, BARS * MINUTE)).await.unwrap();
        store.mark_loaded(&trades(symbol), range(0, BARS / 3 * 1000)).await.unwrap();
    }
    let content = read(&store).await;
    assert_eq!((content.graphs.len(), content.workflows.len()), (20, 20));
    if is_closed {
        drop(store);
    }
    let wal = fs::read(path.with_file_name("store.db-wal")).unwrap_or_default();
    let file = fs::read(&path).unwrap();
    let texts = (0..20).map(|number| (workflow(number).id.to_string(), format!("<{number:05}>")));
    let pages = |(id, text): (String, String)| {
        let pages = pages_with(&file, &id).union(&pages_with(&file, &text)).copied().collect();
        (id, pages)
    };
    Model {
        rows: pages_of_rows(&file),
        workflows: texts.map(pages).collect(),
        graphs: pages_with(&file, "graph-"),
        file,
        wal,
        content,
    }
}

async fn read(store: &SqliteStore) -> Content {
    let mut content = Content::default();
    let all = TimeRange::new(0, BARS * MINUTE).unwrap();
    for series in store.series().await.unwrap() {
        if series.kind == SeriesKind::Trades {
            for trade in store.read_trades(&series, all, None, usize::MAX).await.unwrap() {
                content.trades.insert((series.clone(), trade.trade_id), trade);
            }
        } else {
            for kline in store.read_klines(&series, all, None, usize::MAX).await.unwrap() {
                content.klines.insert((series.clone(), kline.open_time), kline);
            }
        }
        content.loaded.insert(series.clone(), store.loaded(&series).await.unwrap());
    }
    let query = WorkflowQuery { status: None, limit: 1000, cursor: None };
    for document in store.list(&query).await.unwrap().documents {
        content.workflows.insert(document.id.to_string(), document);
    }
    for summary in store.graphs().await.unwrap() {
        content.graphs.insert(summary.id.clone(), store.graph(Some(&summary.id)).await.unwrap().unwrap());
    }
    let predictions = store.read_predictions(&PredictionQuery::default(), None, usize::MAX).await.unwrap();
    content.predictions = predictions.iter().map(|prediction| format!("{prediction:?}")).collect();
    content
}

fn put(folder: &TempDir, file: &[u8], wal: &[u8]) -> PathBuf {
    let path = folder.path().join("store.db");
    fs::write(&path, file).unwrap();
    if !wal.is_empty() {
        fs::write(folder.path().join("store.db-wal"), wal).unwrap();
    }
    fs::write(folder.path().join("store.db.lock"), "\n").unwrap();
    path
}

fn mend(path: &std::path::Path) -> Option<Repair> {
    repair(path, |status| status == "finished").unwrap()
}

fn is_told(missing: &[Missing], series: &SeriesId, time: i64) -> bool {
    let covers =
        |missing: &Missing| missing.from.is_none_or(|from| from <= time) && missing.to.is_none_or(|to| time < to);
    missing.iter().any(|missing| missing.series == *series && covers(missing))
}

/// What must hold after any repair.
fn assert_kept(model: &Model, held: &Content, report: &Repair, damaged: &BTreeSet<usize>, case: &str) {
    let is_hit = |series: &SeriesId, number: i64| !model.rows[&token(series, number)].is_disjoint(damaged);
    let has_name = |series: &SeriesId| held.loaded.contains_key(series);
    let is_loaded = |series: &SeriesId, time: i64| {
        held.loaded[series].iter().any(|range| (range.from()..range.to()).contains(&time))
    };
    for ((series, time), kline) in &model.content.klines {
        match held.klines.get(&(series.clone(), *time)) {
            Some(found) => assert_eq!(found, kline, "{case}"),
            None if has_name(series) => {
                assert!(is_hit(series, time / MINUTE), "{case}: {series} at {time} is lost");
                assert!(is_told(&report.missing, series, *time), "{case}: {series} at {time} is gone without a word");
                assert!(!is_loaded(series, *time), "{case}: {series} at {time} still counts as loaded");
            }
            None => assert!(report.nameless > 0 || is_hit(series, time / MINUTE), "{case}"),
        }
    }
    for ((series, id), trade) in &model.content.trades {
        match held.trades.get(&(series.clone(), *id)) {
            Some(found) => assert_eq!(found, trade, "{case}"),
            None if has_name(series) => {
                assert!(is_hit(series, *id), "{case}: {series} {id} is lost");
                assert!(is_told(&report.missing, series, trade.timestamp), "{case}: {series} {id}");
                assert!(!is_loaded(series, trade.timestamp), "{case}: {series} {id} still counts as loaded");
            }
            None => assert!(report.nameless > 0 || is_hit(series, *id), "{case}"),
        }
    }
    assert!(held.klines.keys().all(|key| model.content.klines.contains_key(key)), "{case}: rows are made up");
    assert!(held.trades.keys().all(|key| model.content.trades.contains_key(key)), "{case}: rows are made up");
    for (id, document) in &model.content.workflows {
        match held.workflows.get(id) {
            Some(found) => assert_eq!(found, document, "{case}"),
            None if report.workflows.contains(id) => assert_ne!(document.status, "finished", "{case}"),
            None => assert!(!model.workflows[id].is_disjoint(damaged), "{case}: {id} is lost"),
        }
    }
    for (id, graph) in &held.graphs {
        assert_eq!(graph, &model.content.graphs[id], "{case}");
    }
    if model.graphs.is_disjoint(damaged) {
        assert_eq!(held.graphs, model.content.graphs, "{case}");
    }
    let rows = |name: &str| report.tables.iter().find(|kept| kept.table == name).unwrap().rows;
    assert_eq!(rows("klines"), held.klines.len() as u64, "{case}");
    assert_eq!(rows("trades"), held.trades.len() as u64, "{case}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_of_an_intact_page_is_saved_and_no_lost_one_counts_as_loaded() {
    let model = model(true).await;
    let seeds = match env::var("STREAMFORGE_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (0..SEEDS).collect(),
    };
    let mut lossy = 0;
    for seed in seeds {
        let mut random = Rng::with_seed(seed);
        let mut file = model.file.clone();
        let damaged = damage(&mut file, &mut random);
        let case = format!("STREAMFORGE_SEED={seed}: {} of {} pages", damaged.len(), model.file.len() / PAGE);
        println!("{case}");
        let folder = tempfile::tempdir().unwrap();
        let path = put(&folder, &file, &[]);
        let checked = SqliteStore::check(&path).await;
        if let Err(error) = &checked {
            assert!(matches!(error, Error::Corrupt { .. }), "{case}: {error:?}");
            assert!(error.to_string().contains("run `streamforge repair"), "{case}: {error}");
        }
        let Some(report) = mend(&path) else {
            assert!(checked.is_ok(), "{case}: damaged, but not to be repaired");
            assert_eq!(read(&SqliteStore::open(&path).await.unwrap()).await, model.content, "{case}");
            continue;
        };
        assert!(fs::read(&report.damaged).unwrap() == file, "{case}: the damaged file stays as it was");
        SqliteStore::check(&path).await.unwrap();
        let store = SqliteStore::open(&path).await.unwrap();
        let held = read(&store).await;
        assert_kept(model, &held, &report, &damaged, &case);
        lossy += usize::from(!report.missing.is_empty());
        // It takes what is loaded again, and is whole then.
        for series in SYMBOLS.map(klines) {
            let lost = |bar: &i64| !HALT.contains(bar) && !held.klines.contains_key(&(series.clone(), bar * MINUTE));
            let rows: Vec<_> = (0..BARS).filter(lost).map(|bar| kline(&series, bar)).collect();
            store.upsert_klines(&series, &rows).await.unwrap();
        }
        assert_eq!(read(&store).await.klines, model.content.klines, "{case}");
        drop(store);
        assert_eq!(mend(&path), None, "{case}: a repaired store is whole");
    }
    assert!(lossy > 0 || env::var("STREAMFORGE_SEED").is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_beginning_loses_nothing_else() {
    let model = model(true).await;
    let folder = tempfile::tempdir().unwrap();
    let mut file = model.file.clone();
    file[..PAGE].fill(0);
    let path = put(&folder, &file, &[]);
    let report = mend(&path).unwrap();
    assert_eq!((&report.missing, &report.graphs, report.nameless), (&Vec::new(), &Vec::new(), 0));
    assert_eq!(read(&SqliteStore::open(&path).await.unwrap()).await, model.content);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fact_is_not_asked_for_again_where_nothing_was_lost() {
    let model = model(true).await;
    let folder = tempfile::tempdir().unwrap();
    let mut file = model.file.clone();
    // A page in the middle of the second series, whose rows alone are lost.
    let page = *pages_with(&file, &token(&klines(SYMBOLS[1]), 850)).first().unwrap();
    file[page * PAGE..(page + 1) * PAGE].fill(0x5a);
    let path = put(&folder, &file, &[]);
    let report = mend(&path).unwrap();
    let [Missing { series, from: Some(from), to: Some(to) }] = report.missing.as_slice() else {
        panic!("{:?}", report.missing);
    };
    assert_eq!(*series, klines(SYMBOLS[1]));
    assert!(HALT.end * MINUTE < *from && *from <= 850 * MINUTE && 850 * MINUTE < *to, "{from} to {to}");
    let held = read(&SqliteStore::open(&path).await.unwrap()).await;
    let range = |from, to| TimeRange::new(from, to).unwrap();
    assert_eq!(held.loaded[series], [range(0, *from), range(*to, BARS * MINUTE)]);
    for symbol in [SYMBOLS[0], SYMBOLS[2]] {
        assert_eq!(held.loaded[&klines(symbol)], [range(0, BARS * MINUTE)]);
    }
    // Those that were under way counted on it.
    assert!(!report.workflows.is_empty() && held.workflows.values().all(|document| document.status == "finished"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wal_of_a_killed_process_is_read_too() {
    let model = model(false).await;
    assert!(model.wal.len() > 10 * PAGE, "the last rows are in the WAL");
    let folder = tempfile::tempdir().unwrap();
    let mut file = model.file.clone();
    file[..PAGE].fill(0);
    let path = put(&folder, &file, &model.wal);
    mend(&path);
    assert_eq!(read(&SqliteStore::open(&path).await.unwrap()).await, model.content);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_sqlite_takes_for_an_empty_store_is_refused() {
    let model = model(false).await;
    let mut wal = model.wal.clone();
    wal[..32].fill(0x77);
    let gone = put(&tempfile::tempdir().unwrap(), &[], &[]);
    for (what, file, wal) in [("an empty file", &[][..], &[][..]), ("a WAL without a beginning", &model.file, &wal)] {
        let folder = tempfile::tempdir().unwrap();
        let path = put(&folder, file, wal);
        let error = SqliteStore::open(&path).await.err().expect(what);
        assert!(matches!(error, Error::Corrupt { .. }), "{what}: {error:?}");
        let advice = format!("`streamforge repair --data-dir {}`", folder.path().display());
        assert!(error.to_string().contains(&advice), "{what}: {error}");
        assert!(mend(&path).is_some(), "{what}");
        SqliteStore::check(&path).await.unwrap();
    }
    assert!(!gone.exists());
}

#[tokio::test]
async fn a_whole_store_stays_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = SqliteStore::open(&path).await.unwrap();
    store.upsert_klines(&klines(SYMBOLS[0]), &[kline(&klines(SYMBOLS[0]), 1)]).await.unwrap();
    drop(store);
    assert_eq!(mend(&path), None);
    let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.collect::<BTreeSet<_>>(), BTreeSet::from(["store.db".to_owned(), "store.db.lock".to_owned()]));
    assert_eq!(SqliteStore::open(&path).await.unwrap().series().await.unwrap(), [klines(SYMBOLS[0])]);
}
