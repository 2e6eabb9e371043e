//! `streamforge coverage`: how complete what is stored of a symbol is, and why what is missing is missing.

use std::io::{self, Write};

use clap::ValueEnum;
use streamforge_events::{FeedInterrupted, Health, Interval, Millis, Symbol, TimeRange, rfc3339};
use streamforge_store::{Completeness, completeness};

use super::{
    exit::{Failure, Outcome},
    instant,
    output::{self, Output},
    queues::open,
};
use crate::platform::{Places, now};

const HEADER: &str = "symbol,stream,what,from,to,records,state,since,why";

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Symbol, as the exchange writes it.
    #[arg(long)]
    symbol: Symbol,
    /// Only klines of this interval, case-sensitive: `1m` is a minute, `1M` a month.
    #[arg(long)]
    interval: Option<Interval>,
    /// First instant: a day (midnight UTC), an RFC 3339 instant or milliseconds; else all that is stored.
    #[arg(long, value_name = "T", value_parser = instant::parse)]
    from: Option<Millis>,
    /// First instant that is left out, in the same forms.
    #[arg(long, value_name = "T", value_parser = instant::parse)]
    to: Option<Millis>,
    /// Form of the output; with `--json`, json. CSV has a line for each range.
    #[arg(long, value_enum)]
    format: Option<Format>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Csv,
    Json,
}

pub(super) async fn execute(arguments: Arguments, places: &Places, output: Output) -> Outcome {
    let Arguments { symbol, interval, from, to, format } = arguments;
    let all = TimeRange::WIDEST;
    let range = TimeRange::new(from.unwrap_or(all.from()), to.unwrap_or(all.to()))
        .map_err(|error| Failure::Configuration(error.to_string()))?;
    let range = from.or(to).map(|_| range);
    let store = open(places).await?;
    let found = completeness(store.as_ref(), &symbol, interval, range, now()).await?;
    if found.is_empty() {
        return Err(Failure::Failed(format!("nothing like it is stored of {symbol}")));
    }
    match format.unwrap_or(if output.is_json() { Format::Json } else { Format::Table }) {
        Format::Json => Ok(output::value(&found)?),
        Format::Csv => {
            let mut writer = output::writer();
            writeln!(writer, "{HEADER}")?;
            found.iter().try_for_each(|series| csv(&mut writer, series))?;
            Ok(writer.flush()?)
        }
        Format::Table => table(&found),
    }
}

fn csv(writer: &mut impl Write, series: &Completeness) -> io::Result<()> {
    let Completeness { symbol, stream, loaded, first, last, missing, declared, health, .. } = series;
    for range in loaded {
        writeln!(writer, "{symbol},{stream},loaded,{},{},,,,", range.from(), range.to())?;
    }
    if let (Some(first), Some(last)) = (first, last) {
        let (present, grade) = (health.present, health.grade.as_str());
        writeln!(writer, "{symbol},{stream},present,{first},{last},{present},{grade},,")?;
    }
    for gap in missing {
        writeln!(writer, "{symbol},{stream},missing,{},{},{},,,", gap.from, gap.to, gap.missing)?;
    }
    for FeedInterrupted { from, to, state, why, since, .. } in declared {
        let (state, why) = (state.as_str(), why.replace('"', "\"\""));
        writeln!(writer, "{symbol},{stream},declared,{from},{to},,{state},{since},\"{why}\"")?;
    }
    Ok(())
}

fn table(found: &[Completeness]) -> Outcome {
    let row = |series: &Completeness| {
        let Health { needed, present, open_gaps, age, grade, .. } = series.health;
        let time = |time: Option<Millis>| time.map_or_else(|| "-".to_owned(), rfc3339);
        vec![
            series.stream.clone(),
            time(series.first),
            time(series.last),
            format!("{present} of {needed}"),
            series.health.missing().to_string(),
            open_gaps.to_string(),
            format!("{:.1} %", 100.0 * series.filled_share()),
            age.map_or_else(|| "-".to_owned(), |age| format!("{} s", age / 1000)),
            grade.as_str().to_owned(),
        ]
    };
    let rows: Vec<Vec<String>> = found.iter().map(row).collect();
    let names = ["stream", "first", "last", "records", "missing", "open gaps", "filled", "age", "grade"];
    output::table(&names, &[3, 4, 5, 6, 7], &rows)?;
    let ranges = |what: &str, names: &[&str], numbers: &[usize], rows: Vec<Vec<String>>| {
        if rows.is_empty() {
            return Ok(());
        }
        output::line(&format!("\n{what}"))?;
        output::table(names, numbers, &rows)
    };
    let of = |series: &Completeness, cells: [String; 2]| [vec![series.stream.clone()], cells.to_vec()].concat();
    let loaded = found.iter().flat_map(|series| {
        series.loaded.iter().map(move |range| of(series, [rfc3339(range.from()), rfc3339(range.to())]))
    });
    ranges("loaded whole", &["stream", "from", "until"], &[], loaded.collect())?;
    let missing = found.iter().flat_map(|series| {
        series
            .missing
            .iter()
            .map(move |gap| [of(series, [rfc3339(gap.from), rfc3339(gap.to)]), vec![gap.missing.to_string()]].concat())
    });
    ranges("missing", &["stream", "from", "until", "records"], &[3], missing.collect())?;
    let declared = found.iter().flat_map(|series| series.declared.iter().map(move |gap| declared_row(series, gap)));
    let names = ["stream", "first", "last", "state", "found", "why"];
    Ok(ranges("told of by live feeds", &names, &[], declared.collect())?)
}

fn declared_row(series: &Completeness, gap: &FeedInterrupted) -> Vec<String> {
    let number = |number: u64| match Millis::try_from(number) {
        Ok(time) if series.stream.starts_with("klines_") => rfc3339(time),
        _ => number.to_string(),
    };
    let texts = [number(gap.from), number(gap.to), gap.state.as_str().to_owned(), rfc3339(gap.since), gap.why.clone()];
    [vec![series.stream.clone()], texts.to_vec()].concat()
}

#[cfg(test)]
mod tests {
    use streamforge_events::{GapState, SeriesId, SeriesKind};
    use streamforge_store::{Coverage, Facts, Gap};

    use super::*;

    #[test]
    fn each_range_is_a_line_with_its_words_in_quotes() {
        let gap = FeedInterrupted {
            symbol: "BTCUSDT".parse().unwrap(),
            stream: "klines_1m".to_owned(),
            from: 120_000,
            to: 180_000,
            state: GapState::Left,
            why: "the exchange said \"1008\", and no more".to_owned(),
            since: 240_000,
        };
        let gaps = vec![Gap { from: 120_000, to: 240_000, missing: 2 }];
        let coverage = Coverage { rows: 3, first: Some(0), last: Some(240_000), gaps, numbers: None };
        let loaded = vec![TimeRange::new(0, 60_000).unwrap()];
        let id = SeriesId { symbol: gap.symbol.clone(), kind: SeriesKind::Klines(Interval::M1) };
        let series = Completeness::of(&id, Facts { coverage, loaded, declared: vec![gap] }, None, 300_000);
        let mut text = Vec::new();
        csv(&mut text, &series).unwrap();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "BTCUSDT,klines_1m,loaded,0,60000,,,,\nBTCUSDT,klines_1m,present,0,240000,3,poor,,\n\
             BTCUSDT,klines_1m,missing,120000,240000,2,,,\n\
             BTCUSDT,klines_1m,declared,120000,180000,,left,240000,\"the exchange said \"\"1008\"\", and no more\"\n"
        );
        let row = declared_row(&series, &series.declared[0]);
        assert_eq!(row[1..4], ["1970-01-01T00:02:00Z", "1970-01-01T00:03:00Z", "left"]);
    }
}
