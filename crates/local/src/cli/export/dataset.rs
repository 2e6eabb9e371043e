//! `streamforge export dataset`: what a training on a graph learns from, as a file for other tools.

use std::io::Write;

use futures::future::try_join_all;
use streamforge_dataset::{Dataset, Definition, Panel, SymbolBars, Windows};
use streamforge_events::{SeriesId, SeriesKind, Symbol};
use streamforge_store::{GraphDocument, Store};

use super::parquet::{Column, Table, Values, always, column, maybe};
use crate::cli::exit::{Failure, Outcome};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Id of the graph whose symbols, interval and range are taken.
    #[arg(long, value_name = "ID")]
    graph: String,
    /// Bars that the targets are about; without it, as many as the middle window of the features.
    #[arg(long, value_name = "BARS", value_parser = clap::value_parser!(u32).range(1..))]
    horizon: Option<u32>,
    /// Form of the rows.
    #[arg(long, default_value = "parquet", value_parser = ["parquet"])]
    format: String,
    /// The same as `--output`.
    #[arg(long, value_name = "FILE|URL", conflicts_with = "output")]
    pub(super) to: Option<String>,
}

pub(super) async fn execute(store: &dyn Store, arguments: &Arguments, sink: &mut (impl Write + Send)) -> Outcome {
    let graph = store.graph(Some(&arguments.graph)).await?;
    let graph = graph.ok_or_else(|| Failure::Failed(format!("graph `{}` is not stored", arguments.graph)))?;
    let dataset = compute(store, &graph, arguments.horizon).await?;
    let mut table = Table::begin(columns(&dataset), sink)?;
    table.write(&(0..dataset.features.present.len()).collect::<Vec<_>>())?;
    table.end()
}

/// A row for each bar of the grid and each symbol, by its place in the dataset; absent values are nulls.
fn columns(dataset: &Dataset) -> Vec<Column<'_, usize>> {
    let Dataset { features, targets } = dataset;
    let symbols = features.symbols.len();
    let mut columns = vec![
        column("open_time", Values::Instant(always(move |cell: &usize| features.times[cell / symbols]))),
        column("symbol", Values::Text(always(move |cell: &usize| features.symbols[cell % symbols].to_string()))),
    ];
    columns.extend(features.features.iter().enumerate().map(|(place, feature)| {
        let value = move |cell: &usize| features.present[*cell].then(|| features.row(*cell)[place]);
        column(feature.to_string(), Values::Float(maybe(value)))
    }));
    let volatility = |cell: &usize| targets.present[*cell].then(|| targets.volatility[*cell]);
    let direction = |cell: &usize| targets.present[*cell].then(|| targets.direction[*cell].as_str().to_owned());
    columns.extend([
        column("present", Values::Flag(always(|cell: &usize| features.present[*cell]))),
        column("volatility", Values::Float(maybe(volatility))),
        column("direction", Values::Text(maybe(direction))),
        column("known", Values::Flag(always(|cell: &usize| targets.present[*cell]))),
    ]);
    columns
}

/// Features and targets of the symbols of a graph over its range.
async fn compute(store: &dyn Store, graph: &GraphDocument, horizon: Option<u32>) -> Result<Dataset, Failure> {
    let fail = |error: streamforge_dataset::Error| Failure::failed(&error);
    let horizon = horizon.map_or(Windows::of(graph.interval).middle, |bars| bars as usize);
    let definition = Definition::standard(graph.interval, horizon).map_err(fail)?;
    let bars = try_join_all(graph.nodes.iter().map(|node| bars(store, graph, &node.symbol))).await?;
    let panel = Panel::new(graph.interval, bars).map_err(fail)?;
    Ok(Dataset::compute(&panel, &definition))
}

async fn bars(store: &dyn Store, graph: &GraphDocument, symbol: &Symbol) -> Result<SymbolBars, Failure> {
    let series = SeriesId { symbol: symbol.clone(), kind: SeriesKind::Klines(graph.interval) };
    let columns = store.read_columns(&series, graph.range).await?;
    Ok(SymbolBars::of(symbol.clone(), columns))
}

#[cfg(test)]
mod tests {
    use ::parquet::{
        file::reader::{FileReader as _, SerializedFileReader},
        record::Field,
    };
    use serde_json::json;
    use streamforge_events::{Decimal, Interval, Kline, Millis, TimeRange};
    use streamforge_store::{GraphStore as _, Node, SeriesStore as _, SqliteStore, Versioned};

    use super::*;

    const HOUR: Millis = 3_600_000;
    /// More than the longest window of the features, a week.
    const BARS: i64 = 400;

    fn kline(bar: i64) -> Versioned<Kline> {
        let close: Decimal = ["1", "2", "1.5"][usize::try_from(bar % 3).unwrap()].parse().unwrap();
        let value = Kline {
            open_time: bar * HOUR,
            open: close,
            high: close,
            low: close,
            close,
            volume: close,
            close_time: (bar + 1) * HOUR - 1,
            quote_asset_volume: close,
            number_of_trades: 1,
            taker_buy_base_asset_volume: close,
            taker_buy_quote_asset_volume: close,
        };
        Versioned { version: 1, value }
    }

    #[tokio::test]
    async fn a_file_holds_features_targets_and_where_they_are_missing() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("store.db")).await.unwrap();
        let symbols: [Symbol; 2] = ["BTCUSDT".parse().unwrap(), "ETHUSDT".parse().unwrap()];
        for (symbol, last) in symbols.iter().zip([BARS, BARS - 9]) {
            let series = SeriesId { symbol: symbol.clone(), kind: SeriesKind::Klines(Interval::H1) };
            store.upsert_klines(&series, &(0..last).map(kline).collect::<Vec<_>>()).await.unwrap();
        }
        let node = |symbol: Symbol| Node { symbol, observations: 1, mean_return: 0.0, volatility: 0.1 };
        let graph = GraphDocument {
            id: "g".to_owned(),
            version: 1,
            interval: Interval::H1,
            range: TimeRange::new(0, BARS * HOUR).unwrap(),
            parameters: json!({}),
            nodes: symbols.map(node).into(),
            edges: Vec::new(),
        };
        store.put_graph(&graph).await.unwrap();
        let path = folder.path().join("g.parquet");
        let arguments = Arguments { graph: "g".to_owned(), horizon: Some(4), format: "parquet".to_owned(), to: None };
        execute(&store, &arguments, &mut std::fs::File::create(&path).unwrap()).await.unwrap();

        let dataset = compute(&store, &graph, Some(4)).await.unwrap();
        let reader = SerializedFileReader::try_from(path.as_path()).unwrap();
        let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
        assert_eq!(rows.len(), dataset.features.present.len());
        let (mut known, mut unknown) = (0, 0);
        for (cell, row) in rows.iter().enumerate() {
            let columns: Vec<(&String, &Field)> = row.get_column_iter().collect();
            let field = |name: &str| columns.iter().find(|(known, _)| *known == name).unwrap().1.clone();
            assert_eq!(field("open_time"), Field::TimestampMillis(i64::try_from(cell / 2).unwrap() * HOUR));
            assert_eq!(field("symbol"), Field::Str(dataset.features.symbols[cell % 2].to_string()));
            assert_eq!(field("present"), Field::Bool(dataset.features.present[cell]));
            assert_eq!(field("known"), Field::Bool(dataset.targets.present[cell]));
            for (place, feature) in dataset.features.features.iter().enumerate() {
                let value = dataset.features.present[cell].then(|| dataset.features.row(cell)[place]);
                assert_eq!(field(&feature.to_string()), value.map_or(Field::Null, Field::Float), "{feature}");
            }
            if dataset.targets.present[cell] {
                known += 1;
                assert_eq!(field("volatility"), Field::Float(dataset.targets.volatility[cell]));
                let direction = serde_json::to_value(dataset.targets.direction[cell]).unwrap();
                assert_eq!(field("direction"), Field::Str(direction.as_str().unwrap().to_owned()));
            } else {
                unknown += 1;
                assert_eq!((field("volatility"), field("direction")), (Field::Null, Field::Null));
            }
        }
        assert!(known > 100 && unknown > 10 && dataset.features.present.contains(&true), "{known} {unknown}");
        let missing = Arguments { graph: "h".to_owned(), ..arguments };
        assert_eq!(
            execute(&store, &missing, &mut Vec::new()).await,
            Err(Failure::Failed("graph `h` is not stored".to_owned()))
        );
    }
}
