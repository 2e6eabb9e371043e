//! `streamforge roi`: predictions against what came, and what following them would have brought.

use std::io::{self, Write};

use serde_json::json;
use streamforge_events::{ModelName, Prediction, Symbol};
use streamforge_ledger::{Outcome as Came, RoiQuery, RoiRow, RoiSummary};

use super::{
    exit::{Failure, Outcome},
    experiments,
    output::{self, Output},
};
use crate::platform::Places;

const HEADER: &str = "model,version,symbol,interval,horizon,open_time,volatility,down,sideways,up,predicted_class,\
                      realised_volatility,realised_class,log_return,gain,grade";

/// Rows that are read at once.
const PAGE: u32 = 5_000;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Only predictions of this model.
    #[arg(long, value_name = "NAME")]
    model: Option<ModelName>,
    /// Only predictions for this symbol; for the rows.
    #[arg(long)]
    symbol: Option<Symbol>,
    /// A table that sums up each version and symbol, or a row for each prediction. With `--json`, ndjson of the rows.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Table,
    Csv,
}

pub(super) async fn execute(arguments: Arguments, places: &Places, output: Output) -> Outcome {
    let ledger = experiments::open(places).await?;
    let Arguments { model, symbol, format } = arguments;
    if format == Format::Table && !output.is_json() {
        let mut sums = ledger.roi_summary(model.as_ref()).await?;
        sums.retain(|sum| symbol.as_ref().is_none_or(|symbol| sum.symbol == *symbol));
        if sums.is_empty() {
            return Err(nothing());
        }
        return table(&sums);
    }
    let query = RoiQuery { model, symbol, ..RoiQuery::default() };
    let mut writer = output::writer();
    let mut page = ledger.roi(&query, None, PAGE).await?;
    if page.is_empty() {
        return Err(nothing());
    }
    if !output.is_json() {
        writeln!(writer, "{HEADER}")?;
    }
    while let Some(last) = page.last() {
        page.iter().try_for_each(|row| line(&mut writer, row, output))?;
        page = ledger.roi(&query, Some(last), PAGE).await?;
    }
    writer.flush()?;
    Ok(())
}

fn nothing() -> Failure {
    Failure::Failed("no such prediction is in the ledger".to_owned())
}

fn table(sums: &[RoiSummary]) -> Outcome {
    let share = |part: i64, whole: i64| if whole == 0 { String::new() } else { percent(ratio(part, whole)) };
    let row = |sum: &RoiSummary| {
        vec![
            sum.model.to_string(),
            sum.version.to_string(),
            sum.symbol.to_string(),
            sum.interval.to_string(),
            sum.horizon.to_string(),
            sum.predictions.to_string(),
            sum.closed.to_string(),
            share(sum.right, sum.closed),
            sum.mean_gain.map(|gain| format!("{:+.3} %", gain * 100.0)).unwrap_or_default(),
        ]
    };
    let rows: Vec<Vec<String>> = sums.iter().map(row).collect();
    let names = ["model", "version", "symbol", "interval", "bars ahead", "predictions", "closed", "right", "mean gain"];
    Ok(output::table(&names, &[4, 5, 6, 7, 8], &rows)?)
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn ratio(part: i64, whole: i64) -> f64 {
    part as f64 / whole as f64
}

fn percent(ratio: f64) -> String {
    format!("{:.1} %", ratio * 100.0)
}

fn line(writer: &mut impl Write, row: &RoiRow, output: Output) -> io::Result<()> {
    let RoiRow { prediction, predicted_class, outcome, .. } = row;
    if output.is_json() {
        let mut value = json!(prediction);
        value["predicted_class"] = json!(predicted_class);
        value["realised_volatility"] = json!(outcome.as_ref().map(|came| came.volatility));
        value["realised_class"] = json!(outcome.as_ref().map(|came| &came.class));
        value["log_return"] = json!(outcome.as_ref().map(|came| came.log_return));
        value["gain"] = json!(outcome.as_ref().map(|came| came.gain));
        return writeln!(writer, "{value}");
    }
    let Prediction { model, version, symbol, interval, horizon, open_time, volatility, .. } = prediction;
    let [down, sideways, up] = prediction.probabilities.array();
    write!(writer, "{model},{version},{symbol},{interval},{horizon},{open_time},{volatility},{down},{sideways},{up},")?;
    match outcome {
        Some(Came { volatility, class, log_return, gain }) => {
            write!(writer, "{predicted_class},{volatility},{class},{log_return},{gain},")?;
        }
        None => write!(writer, "{predicted_class},,,,,")?,
    }
    writeln!(writer, "{}", prediction.health.map_or("", |health| health.grade.as_str()))
}
