//! `streamforge backup create`: a backup beside those who write.

use serde_json::json;
use streamforge_backup::{BackupName, Created, Holdings, Limits, Manifest, Order, Tally, create};
use streamforge_events::{Millis, Symbol, TimeRange, rfc3339};
use streamforge_store::Store;

use super::place;
use crate::{
    cli::{
        exit::{Failure, Outcome},
        instant, models,
        output::{self, Output},
        queues::open,
    },
    platform::{Places, now},
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Where to: `file:FOLDER` or `s3://BUCKET`; without it, beside the objects of the data folder.
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    /// Name of the backup; without it, the time.
    #[arg(long)]
    name: Option<BackupName>,
    /// Only series and predictions of this symbol; may be given several times.
    #[arg(long)]
    symbol: Vec<Symbol>,
    /// Only series and predictions from this instant on: a day, an RFC 3339 instant or milliseconds.
    #[arg(long, value_name = "T", value_parser = instant::parse)]
    from_time: Option<Millis>,
    /// Only series and predictions before this instant, in the same forms.
    #[arg(long, value_name = "T", value_parser = instant::parse)]
    to_time: Option<Millis>,
}

pub(super) async fn execute(arguments: Arguments, places: &Places, output: Output) -> Outcome {
    // Before anything is opened: what was acknowledged until now will be in the backup.
    let now = now();
    let limits = Limits { range: arguments.range()?, symbols: arguments.symbol };
    let store = open(places).await?;
    require(store.as_ref(), &limits.symbols).await?;
    let registry = models::open_if_there(places).await?;
    let place = place::open(arguments.to.as_deref(), places).await?;
    let order = Order { name: arguments.name.unwrap_or_else(|| BackupName::of_time(now)), created: now, limits };
    let source = Holdings { store: store.as_ref(), models: registry.as_ref() };
    let created = create(&source, &place, order).await?;
    print(&created, output)?;
    let Manifest { name, left_out, .. } = &created.manifest;
    if left_out.is_empty() {
        return Ok(());
    }
    Err(Failure::Failed(format!("backup {name} was made without what is damaged: {}", left_out.join("; "))))
}

impl Arguments {
    fn range(&self) -> Result<Option<TimeRange>, Failure> {
        if self.from_time.is_none() && self.to_time.is_none() {
            return Ok(None);
        }
        let all = TimeRange::WIDEST;
        let range = TimeRange::new(self.from_time.unwrap_or(all.from()), self.to_time.unwrap_or(all.to()));
        range.map(Some).map_err(|error| Failure::Configuration(error.to_string()))
    }
}

/// Fails for a symbol of which nothing is stored.
async fn require(store: &dyn Store, symbols: &[Symbol]) -> Outcome {
    let stored = store.series().await?;
    match symbols.iter().find(|symbol| !stored.iter().any(|series| series.symbol == **symbol)) {
        Some(missing) => Err(Failure::Failed(format!("nothing is stored of {missing}"))),
        None => Ok(()),
    }
}

fn print(created: &Created, output: Output) -> Outcome {
    let Created { manifest, written, kept } = created;
    let (name, since) = (&manifest.name, rfc3339(manifest.created));
    let (rows, series) = (manifest.rows(), manifest.series.len());
    if output.is_json() {
        let tally = |tally: &Tally| json!({"objects": tally.objects, "bytes": tally.bytes});
        let mut value = json!({
            "name": name,
            "created": since,
            "series": series,
            "rows": rows,
            "bytes": manifest.bytes(),
            "written": tally(written),
            "there_already": tally(kept),
            "left_out": manifest.left_out,
        });
        for (what, count) in manifest.others() {
            value[what] = json!(count);
        }
        return Ok(output::value(&value)?);
    }
    let others = manifest.others().map(|(what, count)| format!("{what}: {count}")).join(", ");
    output::line(&format!("backup {name} holds {rows} rows of {series} series; {others}"))?;
    output::line(&format!(
        "wrote {} objects of {} bytes; {} objects of {} bytes were there already",
        written.objects, written.bytes, kept.objects, kept.bytes
    ))?;
    Ok(output::line(&format!("what was stored before {since} is in it, what came later may be absent"))?)
}
