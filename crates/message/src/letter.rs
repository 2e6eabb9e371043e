//! One dead letter: its place in the log, why it failed, and what it was before.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use streamforge_bus::{Bus, StoredRecord};
use streamforge_events::{Error, EventType, rfc3339};

use crate::Message;

/// The topic behind our dead-letter sink.
pub const DEAD_LETTERS: &str = "dead-letters";

/// What the data plane adds to a dead letter; `reason` is the header `kne-reason` of our functions' answers.
const ERROR_EXTENSIONS: [&str; 4] = ["knativeerrordest", "knativeerrorcode", "knativeerrordata", "reason"];

/// Attributes that belong to one delivery and not to the event.
const DELIVERY_EXTENSIONS: [&str; 2] = ["knativekafkapartition", "knativekafkaoffset"];

/// Partition and offset of a dead letter, written `PARTITION-OFFSET`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LetterId {
    /// Its partition.
    pub partition: u32,
    /// Its offset there.
    pub offset: u64,
}

impl fmt::Display for LetterId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.partition, self.offset)
    }
}

impl FromStr for LetterId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parse = || {
            let (partition, offset) = text.split_once('-')?;
            Some(Self { partition: partition.parse().ok()?, offset: offset.parse().ok()? })
        };
        parse().ok_or_else(|| "write PARTITION-OFFSET as `dead-letters list` does, for example 0-17".to_owned())
    }
}

/// A dead letter; records that are no events are shown as far as possible.
#[derive(Debug)]
pub struct Letter {
    /// Where it lies.
    pub id: LetterId,
    /// When it was set aside, in UTC milliseconds since the Unix epoch.
    pub timestamp: i64,
    /// The event, with what the data plane has added to it.
    pub event: Message,
}

impl Letter {
    /// The letter of a record.
    #[must_use]
    pub fn read(stored: &StoredRecord) -> Self {
        let id = LetterId { partition: stored.partition, offset: stored.offset };
        let event = Message::from_record(stored.record.clone()).unwrap_or_default();
        Self { id, timestamp: stored.record.timestamp, event }
    }

    /// An attribute of the event; empty if it has none.
    #[must_use]
    pub fn attribute(&self, name: &str) -> &str {
        self.event.attribute(name).unwrap_or_default()
    }

    /// Returns the answer that the subscriber gave.
    #[must_use]
    pub fn answer(&self) -> String {
        let data = self.attribute("knativeerrordata");
        STANDARD.decode(data).ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_else(|| data.to_owned())
    }

    /// Returns why the event failed, in a line.
    #[must_use]
    pub fn reason(&self) -> String {
        let answer = self.answer().replace(['\n', '\r'], " ");
        let parts = [self.attribute("knativeerrorcode"), self.attribute("reason"), answer.trim()];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        if parts.is_empty() { "no answer".to_owned() } else { parts.join(" ") }
    }

    /// Describes the letter without its data.
    #[must_use]
    pub fn summary(&self, was_replayed: bool) -> Value {
        json!({
            "letter": self.id.to_string(),
            "time": rfc3339(self.timestamp),
            "type": self.attribute("type"),
            "source": self.attribute("source"),
            "id": self.attribute("id"),
            "subject": self.event.attribute("subject"),
            "destination": self.event.attribute("knativeerrordest"),
            "code": self.event.attribute("knativeerrorcode"),
            "answer": self.answer(),
            "replayed": was_replayed,
        })
    }

    /// Returns the event as it was before it failed.
    #[must_use]
    pub fn original(&self) -> Message {
        let mut event = self.event.clone();
        for name in ERROR_EXTENSIONS.into_iter().chain(DELIVERY_EXTENSIONS) {
            event.remove(name);
        }
        event
    }

    /// Returns the Broker that takes events of this type.
    ///
    /// # Errors
    /// [`Error::EventType`] if it is not one of ours.
    pub fn broker(&self) -> Result<String, Error> {
        EventType::parse(self.attribute("type")).map(|kind| kind.topic().to_string())
    }
}

/// Reads all dead letters from these offsets on, or from the oldest; a topic that nobody made has none.
///
/// # Errors
/// A failure of the log.
pub async fn read_letters(bus: &dyn Bus, topic: &str, from: &[u64]) -> Result<Vec<Letter>, streamforge_bus::Error> {
    let Some(description) = bus.topics().await?.into_iter().find(|known| known.name == topic) else {
        return Ok(Vec::new());
    };
    let mut letters = Vec::new();
    for (partition, (index, offsets)) in (0..).zip(description.offsets.iter().enumerate()) {
        let mut next = from.get(index).copied().unwrap_or(0).max(offsets.start);
        while next < offsets.end {
            let records = bus.read(topic, partition, next, 500, 8 << 20).await?;
            let Some(last) = records.last() else { break };
            next = last.offset + 1;
            letters.extend(records.iter().map(Letter::read));
        }
    }
    letters.sort_by_key(|letter| (letter.timestamp, letter.id.partition, letter.id.offset));
    Ok(letters)
}

#[cfg(test)]
mod tests {
    use streamforge_bus::{Record, SqliteBus, TopicConfig};

    use super::*;

    fn record(extra: &[(&str, &str)]) -> Record {
        let attributes = [
            ("ce_specversion", "1.0"),
            ("ce_id", "7"),
            ("ce_source", "/streamforge/loader"),
            ("ce_type", "io.streamforge.klines.loaded.v1"),
            ("content-type", "application/json"),
        ];
        let headers =
            attributes.iter().chain(extra).map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
        Record { headers: headers.collect(), value: b"{\"a\":1}".to_vec(), timestamp: 5, ..Record::default() }
    }

    #[tokio::test]
    async fn letters_are_read_with_their_reason_and_lose_it_on_the_way_back() {
        let temporary = tempfile::tempdir().unwrap();
        let bus = SqliteBus::open(&temporary.path().join("bus.db")).unwrap();
        assert!(read_letters(&bus, DEAD_LETTERS, &[]).await.unwrap().is_empty());
        bus.create_topic(DEAD_LETTERS, &TopicConfig::default()).await.unwrap();
        let failed = [
            ("ce_knativeerrorcode", "422"),
            ("ce_knativeerrordata", "bm8gc3VjaCBpbnRlcnZhbA=="),
            ("ce_knativeerrordest", "http://arango-connector.streamforge.svc.cluster.local"),
            ("ce_knativekafkaoffset", "3"),
        ];
        bus.publish(DEAD_LETTERS, record(&failed)).await.unwrap();
        bus.publish(DEAD_LETTERS, Record { value: b"junk".to_vec(), ..Record::default() }).await.unwrap();
        let letters = read_letters(&bus, DEAD_LETTERS, &[]).await.unwrap();
        assert_eq!(letters.len(), 2);
        let letter = letters.iter().find(|letter| letter.id.to_string() == "0-0").unwrap();
        assert_eq!(letter.reason(), "422 no such interval");
        assert_eq!(letter.broker().unwrap(), "market-data");
        let original = Message::from_record(record(&[])).unwrap();
        assert_eq!(letter.original().to_record(5), original.to_record(5));
        assert!("17".parse::<LetterId>().is_err());
    }
}
