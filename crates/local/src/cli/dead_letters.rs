//! `streamforge dead-letters`: events that no retry would fix, with the reason, and the way back.

use std::io::Write as _;

use serde_json::{Value, json};
use streamforge_events::rfc3339;
use streamforge_message::{DEAD_LETTERS, Letter, LetterId, Replays, read_letters};

use super::{
    exit::{Failure, Outcome},
    output::{self, Output},
    remote::{self, existing_bus},
};
use crate::platform::Places;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List dead letters, oldest first.
    List(Arguments),
    /// Show one dead letter with its data.
    Show {
        /// The letter, as `list` names it.
        letter: LetterId,
        #[command(flatten)]
        arguments: Arguments,
    },
    /// Publish dead letters again, as they were before they failed.
    Replay {
        /// The letters, as `list` names them.
        #[arg(required_unless_present = "all")]
        letters: Vec<LetterId>,
        /// All letters that were not replayed yet.
        #[arg(long, conflicts_with = "letters")]
        all: bool,
        /// Replay even a letter that was replayed before.
        #[arg(long)]
        again: bool,
        /// Broker to publish to; without it, the one for the event's type.
        #[arg(long)]
        broker: Option<String>,
        /// Namespace of the Broker.
        #[arg(long, default_value = remote::NAMESPACE)]
        namespace: String,
        #[command(flatten)]
        arguments: Arguments,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Topic behind the dead-letter sink.
    #[arg(long, default_value = DEAD_LETTERS)]
    topic: String,
}

pub(super) async fn execute(command: Command, places: &Places, output: Output) -> Outcome {
    let (replays, bus) = (places.folder().replays(), existing_bus(places)?);
    let bus = bus.as_ref();
    match command {
        Command::List(arguments) => {
            let letters = read_letters(bus, &arguments.topic, &[]).await?;
            list(&letters, &replays, output)
        }
        Command::Show { letter, arguments } => {
            let letters = read_letters(bus, &arguments.topic, &[]).await?;
            show(find(&letters, letter)?, &replays, output)
        }
        Command::Replay { letters, all, again, broker, namespace, arguments } => {
            let known = read_letters(bus, &arguments.topic, &[]).await?;
            let mut chosen = Vec::new();
            for id in &letters {
                chosen.push(find(&known, *id)?);
            }
            if all {
                chosen = known.iter().filter(|letter| again || !replays.contains(letter.id)).collect();
            }
            let repeated = chosen.iter().find(|letter| !again && replays.contains(letter.id));
            if let Some(letter) = repeated {
                let id = letter.id;
                return Err(Failure::Failed(format!("letter {id} was replayed before; say --again to repeat it")));
            }
            let ingress_url = remote::running(places)?.ingress_url;
            let client = remote::client()?;
            for letter in chosen {
                let broker = broker.clone().map_or_else(|| broker_of(letter), Ok)?;
                remote::publish(&client, &ingress_url, &namespace, &broker, &letter.original()).await?;
                // After the publication: a replay that is cut short may be repeated, never lost.
                replays.add(letter.id)?;
                if output.is_json() {
                    output::value(&json!({ "letter": letter.id.to_string(), "broker": broker }))?;
                } else {
                    output::line(&format!("replayed {} to {broker}", letter.id))?;
                }
            }
            Ok(())
        }
    }
}

fn find(letters: &[Letter], id: LetterId) -> Result<&Letter, Failure> {
    letters.iter().find(|letter| letter.id == id).ok_or_else(|| Failure::Failed(format!("there is no letter {id}")))
}

fn broker_of(letter: &Letter) -> Result<String, Failure> {
    let hint = |error| Failure::Failed(format!("letter {}: {error}; name its Broker by --broker", letter.id));
    letter.broker().map_err(hint)
}

fn list(letters: &[Letter], replays: &Replays, output: Output) -> Outcome {
    if output.is_json() {
        let summaries: Vec<Value> = letters.iter().map(|letter| letter.summary(replays.contains(letter.id))).collect();
        output::value(&summaries)?;
        return Ok(());
    }
    let rows: Vec<Vec<String>> = letters
        .iter()
        .map(|letter| {
            let replayed = if replays.contains(letter.id) { "yes" } else { "" };
            vec![
                letter.id.to_string(),
                rfc3339(letter.timestamp),
                letter.attribute("type").to_owned(),
                format!("{} {}", letter.attribute("source"), letter.attribute("id")),
                replayed.to_owned(),
                letter.reason().chars().take(100).collect(),
            ]
        })
        .collect();
    output::table(&["letter", "time", "type", "source and id", "replayed", "reason"], &[], &rows)?;
    Ok(())
}

fn show(letter: &Letter, replays: &Replays, output: Output) -> Outcome {
    let text = String::from_utf8_lossy(letter.event.body());
    if output.is_json() {
        let mut summary = letter.summary(replays.contains(letter.id));
        summary["data"] = serde_json::from_str(&text).unwrap_or_else(|_| Value::from(text.as_ref()));
        output::value(&summary)?;
        return Ok(());
    }
    let mut writer = output::writer();
    for (name, value) in [
        ("letter", letter.id.to_string()),
        ("time", rfc3339(letter.timestamp)),
        ("type", letter.attribute("type").to_owned()),
        ("source", letter.attribute("source").to_owned()),
        ("id", letter.attribute("id").to_owned()),
        ("refused by", letter.attribute("knativeerrordest").to_owned()),
        ("code", letter.attribute("knativeerrorcode").to_owned()),
        ("answer", letter.answer()),
    ] {
        writeln!(writer, "{name:10}  {value}")?;
    }
    writeln!(writer, "\n{text}")?;
    writer.flush()?;
    Ok(())
}
