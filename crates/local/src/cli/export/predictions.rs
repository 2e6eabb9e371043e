//! `streamforge export predictions`: what models said, and what came.

use std::io::{self, Write};

use streamforge_dataset::Realised;
use streamforge_events::{Health, ModelName, ModelVersion, Prediction, Split, Symbol};
use streamforge_hindsight::{History, is_same_series, shown};
use streamforge_store::{PredictionQuery, Store};

use super::{
    Format, Output, PAGE,
    parquet::{Column, Values, always, column, maybe},
    rows::{Row, Rows},
};
use crate::cli::{
    exit::{Failure, Outcome},
    models,
};
use crate::platform::Places;

/// A prediction and what came, once that is known.
struct Judged {
    prediction: Prediction,
    came: Option<Realised>,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Only predictions of this model.
    #[arg(long, value_name = "NAME")]
    model: Option<ModelName>,
    /// Only predictions of this version.
    #[arg(long)]
    version: Option<ModelVersion>,
    /// Only predictions for this symbol.
    #[arg(long)]
    symbol: Option<Symbol>,
    /// Only predictions of this kind: those that judge a model, or those for use.
    #[arg(long, value_parser = parse_split, value_name = "test|live")]
    split: Option<Split>,
    /// Form of the rows; CSV begins with a line of names. With `--json`, ndjson.
    #[arg(long, value_enum)]
    format: Option<Format>,
}

fn parse_split(text: &str) -> Result<Split, String> {
    let found = [Split::Test, Split::Live].into_iter().find(|split| split.as_str() == text);
    found.ok_or_else(|| "write `test` or `live`".to_owned())
}

impl Arguments {
    pub(super) fn format(&self, output: Output) -> Format {
        self.format.unwrap_or(if output.is_json() { Format::Ndjson } else { Format::Csv })
    }
}

pub(super) async fn execute(
    store: &dyn Store,
    places: &Places,
    arguments: &Arguments,
    output: Output,
    writer: &mut (impl Write + Send),
) -> Outcome {
    let query = PredictionQuery {
        model: arguments.model.clone(),
        version: arguments.version.clone(),
        symbol: arguments.symbol.clone(),
        split: arguments.split,
        ..PredictionQuery::default()
    };
    let mut history = History::new(store, models::open_if_there(places).await?);
    let mut page = store.read_predictions(&query, None, PAGE).await?;
    if page.is_empty() {
        return Err(Failure::Failed("no such prediction is stored".to_owned()));
    }
    let mut rows = Rows::begin(writer, arguments.format(output), true)?;
    while let Some(last) = page.last().cloned() {
        let mut came = Vec::with_capacity(page.len());
        for run in page.chunk_by(is_same_series) {
            came.extend(history.of(run).await?);
        }
        rows.write(page.into_iter().zip(came).map(|(prediction, came)| Judged { prediction, came }))?;
        page = store.read_predictions(&query, Some(&last), PAGE).await?;
    }
    rows.end()
}

impl Row for Judged {
    const HEADER: &'static str = "symbol,open_time,horizon,version,volatility,down,sideways,up,realised_volatility,\
                                  realised_class,grade,bars_needed,bars_present,bars_filled,open_gaps,lacking_symbols,age";

    fn csv(&self, writer: &mut impl Write) -> io::Result<()> {
        let Prediction { symbol, open_time, horizon, version, volatility, .. } = &self.prediction;
        let [down, sideways, up] = self.prediction.probabilities.array();
        write!(writer, "{symbol},{open_time},{horizon},{version},{volatility},{down},{sideways},{up},")?;
        match self.came {
            Some(Realised { volatility, direction, .. }) => write!(writer, "{volatility},{},", direction.as_str())?,
            None => write!(writer, ",,")?,
        }
        match self.prediction.health {
            Some(Health { needed, present, filled, open_gaps, lacking, age, grade }) => {
                let (grade, age) = (grade.as_str(), age.map(|age| age.to_string()).unwrap_or_default());
                writeln!(writer, "{grade},{needed},{present},{filled},{open_gaps},{lacking},{age}")
            }
            None => writeln!(writer, ",,,,,,"),
        }
    }

    fn ndjson(&self, writer: &mut impl Write) -> io::Result<()> {
        writeln!(writer, "{}", shown(&self.prediction, self.came.as_ref()))
    }

    fn columns() -> Vec<Column<'static, Self>> {
        let text = |get: fn(&Prediction) -> String| Values::Text(always(move |row: &Self| get(&row.prediction)));
        let double = |get: fn(&Prediction) -> f64| Values::Double(always(move |row: &Self| get(&row.prediction)));
        let count = |get: fn(Health) -> u64| Values::Count(maybe(move |row: &Self| row.prediction.health.map(get)));
        vec![
            column("model", text(|prediction| prediction.model.to_string())),
            column("version", text(|prediction| prediction.version.to_string())),
            column("split", text(|prediction| prediction.split.as_str().to_owned())),
            column("symbol", text(|prediction| prediction.symbol.to_string())),
            column("interval", text(|prediction| prediction.interval.to_string())),
            column("open_time", Values::Instant(always(|row: &Self| row.prediction.open_time))),
            column("horizon", Values::Count(always(|row: &Self| row.prediction.horizon.get().into()))),
            column("volatility", double(|prediction| prediction.volatility)),
            column("down", double(|prediction| prediction.probabilities.down)),
            column("sideways", double(|prediction| prediction.probabilities.sideways)),
            column("up", double(|prediction| prediction.probabilities.up)),
            column("realised_volatility", Values::Double(maybe(|row: &Self| row.came.map(|came| came.volatility)))),
            column(
                "realised_class",
                Values::Text(maybe(|row: &Self| row.came.map(|came| came.direction.as_str().to_owned()))),
            ),
            column(
                "grade",
                Values::Text(maybe(|row: &Self| row.prediction.health.map(|health| health.grade.as_str().to_owned()))),
            ),
            column("bars_needed", count(|health| health.needed)),
            column("bars_present", count(|health| health.present)),
            column("bars_filled", count(|health| health.filled)),
            column("open_gaps", count(|health| health.open_gaps)),
            column("lacking_symbols", count(|health| health.lacking)),
            column("age", Values::Integer(maybe(|row: &Self| row.prediction.health.and_then(|health| health.age)))),
        ]
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, num::NonZeroU32};

    use ::parquet::{
        file::reader::{FileReader as _, SerializedFileReader},
        record::Field,
    };
    use serde_json::json;
    use streamforge_events::{Decimal, Interval, Kline, SeriesId, SeriesKind};
    use streamforge_store::Versioned;

    use super::*;
    use crate::cli::queues::open;
    use crate::platform::Urls;

    const HOUR: i64 = 3_600_000;
    /// Bars that are stored; the price doubles at every third of them and comes back at the next.
    const BARS: i64 = 60;

    fn kline(bar: i64) -> Versioned<Kline> {
        let close: Decimal = if bar % 3 == 0 { "2" } else { "1" }.parse().unwrap();
        let value = Kline {
            open_time: bar * HOUR,
            open: close,
            high: close,
            low: close,
            close,
            volume: Decimal::ZERO,
            close_time: (bar + 1) * HOUR - 1,
            quote_asset_volume: Decimal::ZERO,
            number_of_trades: 0,
            taker_buy_base_asset_volume: Decimal::ZERO,
            taker_buy_quote_asset_volume: Decimal::ZERO,
        };
        Versioned { version: 1, value }
    }

    fn prediction(bar: i64, split: Split) -> Versioned<Prediction> {
        let value = Prediction {
            model: "gnn".parse().unwrap(),
            version: "7".parse().unwrap(),
            symbol: "BTCUSDT".parse().unwrap(),
            interval: Interval::H1,
            open_time: bar * HOUR,
            horizon: NonZeroU32::MIN,
            volatility: 0.5,
            probabilities: [0.25, 0.5, 0.25].into(),
            split,
            health: (split == Split::Live).then(|| Health { age: Some(1_200), ..Health::of(97, 96) }.graded(None)),
        };
        Versioned { version: 1, value }
    }

    fn asked(split: Option<Split>, model: &str) -> Arguments {
        Arguments { model: model.parse().ok(), version: None, symbol: None, split, format: None }
    }

    #[tokio::test]
    async fn predictions_stand_beside_what_came() {
        let temporary = tempfile::tempdir().unwrap();
        let places = Places::new(temporary.path(), Urls::default()).unwrap();
        let url = format!("sqlite://{}", temporary.path().join("store.db").display());
        streamforge_store::open(&url).await.unwrap();
        let store = open(&places).await.unwrap();
        let id = SeriesId { symbol: "BTCUSDT".parse().unwrap(), kind: SeriesKind::Klines(Interval::H1) };
        // The bar of hour 45 is missing.
        let klines: Vec<_> = (0..BARS).filter(|bar| *bar != 45).map(kline).collect();
        store.upsert_klines(&id, &klines).await.unwrap();
        let bars = [3, 29, 30, 31, 44, BARS - 1, BARS + 9];
        let rows: Vec<_> = bars.into_iter().map(|bar| prediction(bar, Split::Test)).collect();
        store.upsert_predictions(&rows).await.unwrap();
        store.upsert_predictions(&[prediction(30, Split::Live)]).await.unwrap();
        let text = async |arguments: Arguments, json| {
            let mut text = Vec::new();
            let output = Output::new(json);
            execute(store.as_ref(), &places, &arguments, output, &mut text).await?;
            Ok::<_, Failure>(String::from_utf8(text).unwrap())
        };
        let csv = text(asked(Some(Split::Test), "gnn"), false).await.unwrap();
        let (header, rows) = csv.split_once('\n').unwrap();
        assert_eq!(header, Judged::HEADER);
        let rows: Vec<Vec<&str>> = rows.lines().map(|row| row.split(',').collect()).collect();
        assert_eq!(rows[0][..8], ["BTCUSDT", "10800000", "1", "7", "0.5", "0.25", "0.5", "0.25"]);
        let classes: Vec<&str> = rows.iter().map(|row| row[9]).collect();
        // Too early for a band, up, down, sideways, before a gap, before the end, beyond it.
        assert_eq!(classes, ["", "up", "down", "sideways", "", "", ""]);
        let volatility = |row: usize| rows[row][8].parse::<f64>().ok();
        assert!((volatility(1).unwrap() - 2_f64.ln()).abs() < 1e-6 && volatility(3) == Some(0.0), "{csv}");
        assert!([0, 4, 5, 6].into_iter().all(|row| volatility(row).is_none()), "{csv}");
        let ndjson = text(asked(Some(Split::Live), "gnn"), true).await.unwrap();
        let value: serde_json::Value = serde_json::from_str(&ndjson).unwrap();
        assert_eq!((&value["realised_class"], &value["split"]), (&json!("down"), &json!("live")));
        assert_eq!(value["health"]["grade"], "degraded");
        assert!(rows.iter().all(|row| row[10..] == [""; 7]), "{csv}");
        let live = text(asked(Some(Split::Live), "gnn"), false).await.unwrap();
        let live_rows: Vec<Vec<&str>> = live.lines().skip(1).map(|row| row.split(',').collect()).collect();
        assert_eq!(live_rows[0][10..], ["degraded", "97", "96", "0", "0", "0", "1200"]);
        assert_eq!((Judged::HEADER.split(',').count(), live_rows[0].len()), (17, 17));
        assert_eq!(text(asked(None, "gnn"), false).await.unwrap().lines().count(), 9);

        let mut file = Vec::new();
        let asked_as_table = Arguments { format: Some(Format::Parquet), ..asked(None, "gnn") };
        execute(store.as_ref(), &places, &asked_as_table, Output::new(false), &mut file).await.unwrap();
        let reader = SerializedFileReader::new(bytes::Bytes::from(file)).unwrap();
        let table: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
        // Predictions that judge come after those for use.
        let expected = live_rows.into_iter().chain(rows);
        assert_eq!(table.len(), 8);
        for (row, expected) in table.iter().zip(expected) {
            let columns: HashMap<&String, &Field> = row.get_column_iter().collect();
            for (name, expected) in Judged::HEADER.split(',').zip(expected) {
                let found = match columns[&name.to_owned()] {
                    Field::Null => String::new(),
                    Field::Str(text) => text.clone(),
                    Field::Long(number) | Field::TimestampMillis(number) => number.to_string(),
                    Field::Double(number) => number.to_string(),
                    other => panic!("{name} is {other:?}"),
                };
                assert_eq!(found, expected, "{name} of {row:?}");
            }
            let split = if columns[&"grade".to_owned()] == &Field::Null { "test" } else { "live" };
            let others = ["model", "split", "interval"].map(|name| columns[&name.to_owned()].clone());
            assert_eq!(others, ["gnn", split, "1h"].map(|text| Field::Str(text.to_owned())));
        }
        let Err(Failure::Failed(reason)) = text(asked(None, "other"), false).await else { panic!() };
        assert_eq!(reason, "no such prediction is stored");
    }
}
