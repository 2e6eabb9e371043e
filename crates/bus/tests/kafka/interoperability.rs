//! Kafka's own tools read what we write, we read what they write, and both count the same lag.

use std::{
    io::Write as _,
    process::{Command, Output, Stdio},
};

use streamforge_bus::{Bus as _, Record, TopicConfig, partition_for_key};

use crate::cluster::{fresh, kafka};

const PARTITIONS: u32 = 3;
const KEY: &str = "币安人生USDT";

/// What we write and others read.
fn record() -> Record {
    Record {
        key: Some(KEY.as_bytes().to_vec()),
        headers: vec![("ce_id".to_owned(), b"1".to_vec()), ("content-type".to_owned(), b"application/json".to_vec())],
        value: br#"{"a": 1}"#.to_vec(),
        timestamp: 1_717_200_000_000,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn java_reads_and_writes_the_same_records_and_counts_the_same_lag() {
    let (bus, _turn) = fresh().await;
    bus.create_topic("t", &TopicConfig { partitions: PARTITIONS, ..TopicConfig::default() }).await.unwrap();
    let (partition, _) = bus.publish("t", record()).await.unwrap();

    let read = tool("org.apache.kafka.tools.consumer.ConsoleConsumer", |command| {
        let shown = ["key", "headers", "partition", "timestamp"].map(|what| format!("print.{what}=true"));
        command.args(["--topic", "t", "--from-beginning", "--max-messages", "1", "--timeout-ms", "60000"]);
        command.args(shown.iter().flat_map(|shown| ["--formatter-property", shown.as_str()]));
    });
    let read = String::from_utf8(read.stdout).unwrap();
    let expected = format!(
        "CreateTime:1717200000000\tPartition:{partition}\tce_id:1,content-type:application/json\t{KEY}\t{{\"a\": 1}}"
    );
    assert_eq!(read.lines().next(), Some(expected.as_str()), "{read}");

    let mut producer = kafka().tool("org.apache.kafka.tools.ConsoleProducer");
    producer.args(["--bootstrap-server", &kafka().bootstrap(), "--topic", "t"]);
    producer.args(["--reader-property", "parse.key=true", "--reader-property", "parse.headers=true"]);
    write(producer, "ce_id:2,ce_type:x\tBTCUSDT\tfrom Java\n");
    let place = partition_for_key(b"BTCUSDT", PARTITIONS);
    let from = u64::from(place == partition);
    let [stored] = &bus.fetch("t", place, from, 10, usize::MAX).await.unwrap()[..] else { panic!("one record") };
    assert_eq!(stored.record.key.as_deref(), Some(&b"BTCUSDT"[..]));
    assert_eq!(stored.record.value, b"from Java");
    assert_eq!((stored.record.header("ce_id"), stored.record.header("ce_type")), (Some(&b"2"[..]), Some(&b"x"[..])));

    bus.publish_many("t", vec![Record::default(); 10]).await.unwrap();
    for number in 0..PARTITIONS {
        bus.commit("g", "t", number, 1).await.unwrap();
    }
    let ours: u64 = bus.lag("g", "t").await.unwrap().iter().sum();
    let described = tool("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", |command| {
        command.args(["--describe", "--group", "g"]);
    });
    let described = String::from_utf8(described.stdout).unwrap();
    let rows = described.lines().filter(|line| line.starts_with("g "));
    let theirs: u64 = rows.map(|row| row.split_whitespace().nth(5).unwrap().parse::<u64>().unwrap()).sum();
    assert_eq!((theirs, ours), (12 - 3, 12 - 3), "{described}");
}

#[tokio::test(flavor = "multi_thread")]
async fn kcat_reads_and_writes_the_same_records() {
    let (bus, _turn) = fresh().await;
    bus.create_topic("t", &TopicConfig { partitions: PARTITIONS, ..TopicConfig::default() }).await.unwrap();
    let (partition, offset) = bus.publish("t", record()).await.unwrap();
    let mut reader = kcat();
    reader.args(["-C", "-o", "beginning", "-e", "-q", "-f", r"%p %o %T %h %k %s\n"]);
    let read = reader.output().unwrap();
    assert!(read.status.success(), "{read:?}");
    let headers = "ce_id=1,content-type=application/json";
    let expected = format!("{partition} {offset} 1717200000000 {headers} {KEY} {{\"a\": 1}}\n");
    assert_eq!(String::from_utf8(read.stdout).unwrap(), expected);

    let mut writer = kcat();
    writer.args(["-P", "-K", "|", "-H", "ce_id=2", "-H", "ce_type=x", "-X", "partitioner=murmur2_random"]);
    write(writer, "BTCUSDT|from kcat\n");
    let place = partition_for_key(b"BTCUSDT", PARTITIONS);
    let from = u64::from(place == partition);
    let [stored] = &bus.fetch("t", place, from, 10, usize::MAX).await.unwrap()[..] else { panic!("one record") };
    let Record { key, value, .. } = &stored.record;
    assert_eq!((key.as_deref(), &value[..]), (Some(&b"BTCUSDT"[..]), &b"from kcat"[..]));
    assert_eq!((stored.record.header("ce_id"), stored.record.header("ce_type")), (Some(&b"2"[..]), Some(&b"x"[..])));
}

fn kcat() -> Command {
    let mut command = Command::new("kcat");
    command.args(["-b", &kafka().bootstrap(), "-t", "t"]);
    command
}

fn tool(class: &str, arguments: impl FnOnce(&mut Command)) -> Output {
    let mut command = kafka().tool(class);
    command.args(["--bootstrap-server", &kafka().bootstrap()]);
    arguments(&mut command);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{class}: {output:?}");
    output
}

/// Runs a program that writes to Kafka what it reads.
fn write(mut command: Command, text: &str) {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "{command:?}");
}
