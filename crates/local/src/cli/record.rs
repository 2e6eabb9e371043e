//! `streamforge record`: streams of the exchange as they come, into files that can be played again.

use std::{path::PathBuf, time::Duration};

use clap::ValueEnum;
use serde_json::json;
use streamforge_events::{StreamKind, Symbol};
use streamforge_exchange::{
    Client, ClientConfig, Error,
    recording::{Recorder, Rotation, Summary},
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{
    exit::{Failure, Outcome, chain},
    output::{self, Output},
    streams,
};
use crate::platform::{self, Exchange, shutdown_signal};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Symbols, as the exchange writes them; repeated, or separated by commas.
    #[arg(long = "symbol", value_name = "SYMBOL", required = true, value_delimiter = ',')]
    symbols: Vec<Symbol>,
    /// What to record of each: `ws_trades`, `ws_orderbook` or `ws_candles_<interval>`; repeated, or with commas.
    #[arg(long = "stream", value_name = "TYPE", required = true, value_delimiter = ',', value_parser = streams::parse)]
    kinds: Vec<StreamKind>,
    /// Folder to record into: a new or empty one, or one that holds a recording, which is then continued.
    #[arg(long, value_name = "FOLDER")]
    output: PathBuf,
    /// Exchange to record: a URL, `synthetic:SEED` or `capture:DIR`.
    #[arg(long, value_name = "EXCHANGE", default_value = platform::DEFAULT_EXCHANGE)]
    exchange: String,
    /// How long to record, such as `90s`, `10m`, `6h` or `2d`; without it, until it is stopped.
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    duration: Option<Duration>,
    /// Begin new files each day or each hour, UTC.
    #[arg(long, value_name = "WHEN", value_enum, default_value = "day")]
    rotate: Rotate,
    /// Begin a new file as well when one has so many MiB.
    #[arg(long, value_name = "MIB", default_value_t = 1_024, value_parser = clap::value_parser!(u64).range(1..1 << 20))]
    rotate_mib: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Rotate {
    /// At midnight.
    Day,
    /// Each hour.
    Hour,
}

fn duration(text: &str) -> Result<Duration, String> {
    let words = || "write a whole number and s, m, h or d, such as 90s".to_owned();
    let unit = text.chars().next_back().ok_or_else(words)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(words()),
    };
    let count: u32 = text[..text.len() - 1].parse().ok().filter(|count| *count > 0).ok_or_else(words)?;
    Ok(Duration::from_secs(u64::from(count) * seconds))
}

pub(super) async fn execute(arguments: Arguments, output: Output) -> Outcome {
    // Signals count from the start: whoever stops a recording that has just begun gets its summary.
    let stopped = shutdown_signal();
    let exchange: Exchange = arguments.exchange.parse()?;
    let (serving, mut services) = (CancellationToken::new(), JoinSet::new());
    let url = platform::serve_exchange(exchange, &serving, &mut services).await?;
    let client = Client::new(ClientConfig::new(url.clone())).map_err(|error| failure(&error))?;
    let rotation = Rotation { is_hourly: arguments.rotate == Rotate::Hour, bytes: arguments.rotate_mib << 20 };
    let Arguments { symbols, kinds, output: folder, duration, .. } = arguments;
    let recorder = Recorder::new(client, &url, &symbols, &kinds, &folder, rotation);
    let recorder = recorder.await.map_err(|error| failure(&error))?;
    let shown = folder.display().to_string();
    if output.is_json() {
        output::value(&json!({ "recording": shown }))?;
    } else {
        output::line(&format!("recording {url} into {shown}; stop with Ctrl-C"))?;
    }
    let stop = async {
        tokio::select! {
            () = stopped => {}
            () = tokio::time::sleep(duration.unwrap_or(Duration::MAX)) => {}
        }
    };
    let summary = recorder.run(stop).await.map_err(|error| failure(&error))?;
    serving.cancel();
    print(&summary, output)
}

fn failure(error: &Error) -> Failure {
    match error {
        Error::Configuration { .. } | Error::Folder { .. } => Failure::Configuration(chain(error)),
        _ => Failure::failed(error),
    }
}

fn print(summary: &Summary, output: Output) -> Outcome {
    let Summary { frames, foreign, gaps, interruptions, dropped, snapshots, bytes, files } = summary;
    let all: u64 = frames.values().sum();
    if output.is_json() {
        output::value(&json!({
            "frames": all, "streams": frames, "snapshots": snapshots, "foreign": foreign, "gaps": gaps,
            "interruptions": interruptions, "dropped": dropped, "bytes": bytes, "files": files,
        }))?;
        return Ok(());
    }
    let rows: Vec<Vec<String>> = frames.iter().map(|(stream, count)| vec![stream.clone(), count.to_string()]).collect();
    output::table(&["stream", "frames"], &[1], &rows)?;
    output::line(&format!("{all} frames and {snapshots} snapshots in {files} files of {bytes} bytes"))?;
    output::line(&format!(
        "{interruptions} interruptions, {gaps} gaps, {dropped} frames dropped, {foreign} messages that are no frames"
    ))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_a_number_and_a_unit() {
        for (text, seconds) in [("90s", 90), ("10m", 600), ("6h", 21_600), ("2d", 172_800)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)));
        }
        for text in ["", "s", "10", "0s", "-1s", "1.5h", "10µ", "99999999999s"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
