//! `streamforge export`: stored klines, trades, graphs, predictions and datasets, printed, in a file or in a bucket.

mod dataset;
mod graph;
mod market;
mod parquet;
mod predictions;
mod rows;
mod target;

use std::io::Write;

use clap::ValueEnum;
use streamforge_events::{Interval, Millis, SeriesId, SeriesKind, Symbol, TimeRange};
use streamforge_store::Store;

use self::{
    market::{Bar, Deal},
    rows::Rows,
    target::Target,
};
use super::{
    exit::{Failure, Outcome},
    instant,
    output::Output,
    queues::open,
};
use crate::platform::Places;

/// Rows that are held in memory at once.
const PAGE: usize = 10_000;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// File to write, or object of a bucket, `s3://BUCKET/KEY`, either whole or not there; else standard output.
    #[arg(long, global = true, value_name = "FILE|URL")]
    output: Option<String>,
    #[command(subcommand)]
    content: Content,
}

#[derive(Debug, clap::Subcommand)]
enum Content {
    /// Print klines: open time and the exchange's eleven other fields, ascending.
    Candles {
        #[command(flatten)]
        series: Series,
        /// Interval, case-sensitive: `1m` is a minute, `1M` a month.
        #[arg(long)]
        interval: Interval,
    },
    /// Print trades, ascending by trade id.
    Trades {
        #[command(flatten)]
        series: Series,
    },
    /// Print a graph as one JSON object.
    Graph {
        /// Id of the graph; without it, the newest.
        #[arg(long)]
        id: Option<String>,
        /// Form of the output.
        #[arg(long, default_value = "json", value_parser = ["json"])]
        format: String,
    },
    /// Write features, targets and where they are missing, as a training on a graph sees them.
    Dataset(dataset::Arguments),
    /// Print predictions and what came: by model, version, split, symbol, interval, horizon and open time.
    #[command(disable_version_flag = true)]
    Predictions(predictions::Arguments),
}

#[derive(Debug, clap::Args)]
pub(super) struct Series {
    /// Symbol, as the exchange writes it.
    #[arg(long)]
    symbol: Symbol,
    /// First instant: a day (midnight UTC), an RFC 3339 instant or milliseconds.
    #[arg(long, value_name = "T", value_parser = instant::parse)]
    from: Option<Millis>,
    /// First instant that is left out, in the same forms.
    #[arg(long, value_name = "T", value_parser = instant::parse)]
    to: Option<Millis>,
    /// Form of the rows; with `--json`, ndjson.
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Begin CSV with a line of names.
    #[arg(long)]
    header: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Comma-separated values.
    Csv,
    /// One JSON value a line.
    Ndjson,
    /// Columns for polars, pandas and others: prices as exact decimals, times in UTC milliseconds.
    Parquet,
}

impl Content {
    fn is_parquet(&self, output: Output) -> bool {
        match self {
            Self::Candles { series, .. } | Self::Trades { series } => series.format(output) == Format::Parquet,
            Self::Graph { .. } => false,
            Self::Dataset(_) => true,
            Self::Predictions(arguments) => arguments.format(output) == Format::Parquet,
        }
    }
}

impl Series {
    fn range(&self) -> Result<TimeRange, Failure> {
        let all = TimeRange::WIDEST;
        let (from, to) = (self.from.unwrap_or(all.from()), self.to.unwrap_or(all.to()));
        TimeRange::new(from, to).map_err(|error| Failure::Configuration(error.to_string()))
    }

    fn format(&self, output: Output) -> Format {
        self.format.unwrap_or(if output.is_json() { Format::Ndjson } else { Format::Csv })
    }
}

pub(super) async fn execute(arguments: Arguments, places: &Places, output: Output) -> Outcome {
    let Arguments { output: target, content } = arguments;
    let target = match &content {
        Content::Dataset(arguments) => Target(arguments.to.clone().or(target)),
        _ => Target(target),
    };
    if content.is_parquet(output) && target.is_terminal() {
        return Err(Failure::Configuration("Parquet is not for terminals: name a file by --output".to_owned()));
    }
    let store = open(places).await?;
    let mut sink = target.open()?;
    match content {
        Content::Candles { series, interval } => {
            candles(store.as_ref(), &series, interval, series.format(output), &mut sink).await?;
        }
        Content::Trades { series } => trades(store.as_ref(), &series, series.format(output), &mut sink).await?,
        Content::Graph { id, format: _ } => {
            let graph = store.graph(id.as_deref()).await?.ok_or_else(|| {
                Failure::Failed(
                    id.map_or_else(|| "no graph is stored".to_owned(), |id| format!("graph `{id}` is not stored")),
                )
            })?;
            writeln!(sink, "{}", graph::describe(&graph))?;
        }
        Content::Dataset(arguments) => dataset::execute(store.as_ref(), &arguments, &mut sink).await?,
        Content::Predictions(arguments) => {
            predictions::execute(store.as_ref(), places, &arguments, output, &mut sink).await?;
        }
    }
    sink.finish().await
}

async fn candles(
    store: &dyn Store,
    series: &Series,
    interval: Interval,
    format: Format,
    writer: &mut (impl Write + Send),
) -> Outcome {
    let range = series.range()?;
    let id = SeriesId { symbol: series.symbol.clone(), kind: SeriesKind::Klines(interval) };
    require(store, &id).await?;
    let mut rows = Rows::begin(writer, format, series.header)?;
    let mut after = None;
    loop {
        let page = store.read_klines(&id, range, after, rows.page()).await?;
        let Some(last) = page.last() else {
            return rows.end();
        };
        after = Some(last.open_time);
        rows.write(page.into_iter().map(|kline| Bar { symbol: &id.symbol, kline }))?;
    }
}

async fn trades(store: &dyn Store, series: &Series, format: Format, writer: &mut (impl Write + Send)) -> Outcome {
    let range = series.range()?;
    let id = SeriesId { symbol: series.symbol.clone(), kind: SeriesKind::Trades };
    require(store, &id).await?;
    let mut rows = Rows::begin(writer, format, series.header)?;
    let mut after = None;
    loop {
        let page = store.read_trades(&id, range, after, rows.page()).await?;
        let Some(last) = page.last() else {
            return rows.end();
        };
        after = Some(last.trade_id);
        rows.write(page.into_iter().map(|trade| Deal { symbol: &id.symbol, trade }))?;
    }
}

/// Fails for a series that is not stored at all, and names those that are.
async fn require(store: &dyn Store, wanted: &SeriesId) -> Outcome {
    let stored = store.series().await?;
    if stored.contains(wanted) {
        return Ok(());
    }
    let describe = |id: &SeriesId| match id.kind {
        SeriesKind::Klines(interval) => format!("{} {interval}", id.symbol),
        SeriesKind::Trades => format!("{} trades", id.symbol),
    };
    let names: Vec<String> = stored.iter().take(20).map(describe).collect();
    let known = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
    Err(Failure::Failed(format!("{} is not stored; stored: {known}", describe(wanted))))
}

#[cfg(test)]
mod tests {
    use ::parquet::{
        file::reader::{FileReader as _, SerializedFileReader},
        record::Row,
    };
    use streamforge_events::{Decimal, Kline, Trade};
    use streamforge_store::{SeriesStore as _, SqliteStore, Versioned};

    use super::*;
    use crate::platform::Urls;

    const HOUR: Millis = 3_600_000;

    fn series(from: Option<Millis>, to: Option<Millis>) -> Series {
        Series { symbol: "BTCUSDT".parse().unwrap(), from, to, format: None, header: false }
    }

    fn kline(open_time: Millis) -> Versioned<Kline> {
        let price: Decimal = "1.50".parse().unwrap();
        let value = Kline {
            open_time,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: Decimal::ZERO,
            close_time: open_time + HOUR - 1,
            quote_asset_volume: Decimal::ZERO,
            number_of_trades: 0,
            taker_buy_base_asset_volume: Decimal::ZERO,
            taker_buy_quote_asset_volume: Decimal::ZERO,
        };
        Versioned { version: 1, value }
    }

    /// The klines of an hour as a reader of Parquet sees them.
    async fn table(store: &dyn Store, series: &Series) -> Vec<Row> {
        let mut file = Vec::new();
        candles(store, series, Interval::H1, Format::Parquet, &mut file).await.unwrap();
        let reader = SerializedFileReader::new(bytes::Bytes::from(file)).unwrap();
        reader.get_row_iter(None).unwrap().map(Result::unwrap).collect()
    }

    #[tokio::test]
    async fn trades_come_out_in_every_form() {
        let temporary = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&temporary.path().join("store.db")).await.unwrap();
        let id = SeriesId { symbol: "BTCUSDT".parse().unwrap(), kind: SeriesKind::Trades };
        let trade = |trade_id: i64| Trade {
            trade_id,
            price: "61586.37".parse().unwrap(),
            quantity: "0.26168000".parse().unwrap(),
            timestamp: 1_774_915_209_494 + trade_id,
            is_buyer_maker: trade_id == 2,
        };
        let stored: Vec<_> = [3, 2].map(|trade_id| Versioned { version: 1, value: trade(trade_id) }).into();
        store.upsert_trades(&id, &stored).await.unwrap();
        let export = async |format| {
            let mut bytes = Vec::new();
            trades(&store, &series(None, None), format, &mut bytes).await.unwrap();
            bytes
        };
        let csv = String::from_utf8(export(Format::Csv).await).unwrap();
        assert_eq!(csv, "2,61586.37,0.26168000,1774915209496,true\n3,61586.37,0.26168000,1774915209497,false\n");
        let table = SerializedFileReader::new(bytes::Bytes::from(export(Format::Parquet).await)).unwrap();
        let texts: Vec<String> = table.get_row_iter(None).unwrap().map(|row| row.unwrap().to_string()).collect();
        assert_eq!(
            texts,
            [("2", "96", true), ("3", "97", false)].map(|(id, millis, is_buyer_maker)| format!(
                "{{symbol: \"BTCUSDT\", trade_id: {id}, price: 61586.37000000, quantity: 0.26168000, timestamp: \
                 2026-03-31 00:00:09.4{millis} +00:00, is_buyer_maker: {is_buyer_maker}}}"
            ))
        );
    }

    #[tokio::test]
    async fn klines_come_out_ascending_and_inside_the_range() {
        let temporary = tempfile::tempdir().unwrap();
        let places = Places::new(temporary.path(), Urls::default()).unwrap();
        assert!(matches!(open(&places).await, Err(Failure::Unavailable(_))));
        let url = format!("sqlite://{}", temporary.path().join("store.db").display());
        streamforge_store::open(&url).await.unwrap();
        let store = open(&places).await.unwrap();
        let id = SeriesId { symbol: "BTCUSDT".parse().unwrap(), kind: SeriesKind::Klines(Interval::H1) };
        store.upsert_klines(&id, &[kline(2 * HOUR), kline(0), kline(HOUR), kline(3 * HOUR)]).await.unwrap();
        let text = async |series: Series, interval, format| {
            let mut text = Vec::new();
            candles(store.as_ref(), &series, interval, format, &mut text).await?;
            Ok::<_, Failure>(String::from_utf8(text).unwrap())
        };
        let csv = text(series(Some(HOUR), Some(3 * HOUR)), Interval::H1, Format::Csv).await.unwrap();
        assert_eq!(
            csv,
            "3600000,1.50,1.50,1.50,1.50,0,7199999,0,0,0,0,0\n7200000,1.50,1.50,1.50,1.50,0,10799999,0,0,0,0,0\n"
        );
        let all = text(series(None, None), Interval::H1, Format::Ndjson).await.unwrap();
        assert_eq!(all.lines().count(), 4);
        let table = table(store.as_ref(), &series(Some(HOUR), Some(3 * HOUR))).await;
        let texts: Vec<String> = table.iter().map(ToString::to_string).collect();
        assert_eq!(texts.len(), 2);
        assert_eq!(
            texts[1],
            "{symbol: \"BTCUSDT\", open_time: 1970-01-01 02:00:00.000 +00:00, open: 1.50000000, high: 1.50000000, low: \
             1.50000000, close: 1.50000000, volume: 0.00000000, close_time: 1970-01-01 02:59:59.999 +00:00, \
             quote_asset_volume: 0.00000000, number_of_trades: 0, taker_buy_base_asset_volume: 0.00000000, \
             taker_buy_quote_asset_volume: 0.00000000}"
        );
        let with_header = Series { header: true, ..series(None, Some(1)) };
        let headed = text(with_header, Interval::H1, Format::Csv).await.unwrap();
        assert!(headed.starts_with("open_time,") && headed.lines().count() == 2, "{headed}");
        assert_eq!(text(series(Some(9 * HOUR), None), Interval::H1, Format::Csv).await.unwrap(), "");
        let Err(Failure::Failed(reason)) = text(series(None, None), Interval::M1, Format::Csv).await else { panic!() };
        assert_eq!(reason, "BTCUSDT 1m is not stored; stored: BTCUSDT 1h");
    }
}
