//! A damaged log is refused with words that help, and a repair saves every record of the pages that are whole.

#![expect(clippy::unwrap_used, reason = "test code outside of test functions, too, fails by panicking")]

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::PathBuf,
};

use fastrand::Rng;
use streamforge_bus::{Bus, Error, Record, SqliteBus, TopicConfig, repair};
use tempfile::TempDir;

const PAGE: usize = 8192;
const SEEDS: u64 = 24;
/// Topic, partition and offset.
type Place = (String, u32, u64);

/// A whole log as bytes, and what is in it.
struct Model {
    file: Vec<u8>,
    wal: Vec<u8>,
    records: BTreeMap<Place, Record>,
    /// With those that retention deleted.
    published: BTreeMap<Place, Record>,
    ends: BTreeMap<(String, u32), u64>,
    /// The pages of the file on which each copy of a record lies.
    pages: BTreeMap<Place, Vec<BTreeSet<usize>>>,
}

/// Whether the last records are still in the WAL only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    Closed,
    Killed,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_record_of_an_intact_page_is_saved_at_its_offset() {
    let model = model(Left::Closed).await;
    let seeds = match env::var("STREAMFORGE_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (0..SEEDS).collect(),
    };
    let mut saved_of_damaged = 0;
    for seed in seeds {
        let mut random = Rng::with_seed(seed);
        let mut file = model.file.clone();
        let damaged = damage(&mut file, &mut random);
        println!("STREAMFORGE_SEED={seed}: {} of {} pages damaged", damaged.len(), model.file.len() / PAGE);
        let folder = tempfile::tempdir().unwrap();
        let path = put(&folder, &file, &[]);
        let report = repair(&path).unwrap();
        assert_eq!(fs::read(&report.damaged).unwrap(), file, "the damaged file stays as it was");

        let bus = SqliteBus::open(&path).unwrap();
        let held = read_all(&bus).await;
        assert_eq!(report.records, held.len() as u64);
        let hit = |place: &Place| {
            let copies = model.pages.get(place);
            copies.is_some_and(|copies| copies.iter().all(|pages| !pages.is_disjoint(&damaged)))
        };
        for (place, record) in &model.records {
            match held.get(place) {
                Some(found) => assert_eq!(found, record, "seed {seed}, {place:?}"),
                None => assert!(hit(place), "seed {seed}: {place:?} is lost"),
            }
        }
        saved_of_damaged += held.keys().filter(|place| hit(place)).count();
        // What is gone is told, to the last record; and nothing that is held is told to be gone.
        let gone: BTreeSet<Place> = report
            .gone
            .iter()
            .flat_map(|gone| (gone.from..gone.to).map(|offset| (gone.topic.clone(), gone.partition, offset)))
            .collect();
        assert!(gone.iter().all(|place| !held.contains_key(place)), "seed {seed}");
        let is_told = |place: &Place| held.contains_key(place) || gone.contains(place);
        if damaged.iter().all(|page| *page > 8) {
            assert!(model.records.keys().all(is_told), "seed {seed}: records are gone without a word");
            for ((topic, partition), end) in &model.ends {
                assert_eq!(bus.end_offsets(topic).await.unwrap()[*partition as usize], *end, "seed {seed}");
            }
            assert_eq!(bus.committed("reader", "small").await.unwrap(), [Some(7), Some(8), Some(9)], "seed {seed}");
        }
        for description in bus.topics().await.unwrap() {
            let name = &description.name;
            let before: u64 = description.offsets.iter().map(|range| range.end).sum();
            let (partition, offset) = bus.publish(name, Record::default()).await.unwrap();
            assert!(!held.contains_key(&(name.clone(), partition, offset)), "seed {seed}: an offset is given again");
            assert_eq!(bus.end_offsets(name).await.unwrap().iter().sum::<u64>(), before + 1);
        }
        drop(bus);
        SqliteBus::check(&path).unwrap();
    }
    assert!(saved_of_damaged > 0, "checksums let whole records of damaged pages be saved");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_wal_of_a_killed_process_is_read_too() {
    let model = model(Left::Killed).await;
    assert!(model.wal.len() > 10 * PAGE, "the last records are in the WAL");
    let folder = tempfile::tempdir().unwrap();
    let mut file = model.file.clone();
    file[..PAGE].fill(0);
    let path = put(&folder, &file, &model.wal);
    let report = repair(&path).unwrap();
    assert_eq!(report.gone, []);
    assert_eq!(read_all(&SqliteBus::open(&path).unwrap()).await, model.records);

    // A WAL that is cut short ends with its last whole transaction.
    let folder = tempfile::tempdir().unwrap();
    let path = put(&folder, &model.file, &model.wal[..model.wal.len() / 2]);
    repair(&path).unwrap();
    let held = read_all(&SqliteBus::open(&path).unwrap()).await;
    assert!(held.len() < model.records.len() && held.len() > 100, "{} records", held.len());
    assert!(held.iter().all(|(place, record)| model.published.get(place) == Some(record)));
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_is_told_at_the_start_with_what_to_do() {
    let whole = model(Left::Killed).await;
    let closed = model(Left::Closed).await;
    let zeroed = |from: usize, to: usize| {
        let mut file = closed.file.clone();
        file[from..to].fill(0);
        file
    };
    let mut garbage = whole.wal.clone();
    garbage[..PAGE].fill(0x5a);
    let middle = closed.file.len() / 2 / PAGE * PAGE;
    let held = closed.records.keys().filter_map(|place| closed.pages.get(place));
    let last = *held.filter(|copies| copies.len() == 1).find_map(|copies| copies[0].last()).unwrap() * PAGE;
    let cases: [(&str, Vec<u8>, &[u8]); 8] = [
        ("header of zeros", zeroed(0, 100), &[]),
        ("first page of zeros", zeroed(0, PAGE), &[]),
        ("empty file", Vec::new(), &[]),
        ("one page less", closed.file[..closed.file.len() - PAGE].to_vec(), &[]),
        ("half the file", closed.file[..middle].to_vec(), &[]),
        ("a few bytes", closed.file[..50].to_vec(), &[]),
        ("garbage in the WAL", whole.file.clone(), &garbage),
        ("a page of zeros", zeroed(last, last + PAGE), &[]),
    ];
    for (what, file, wal) in cases {
        let folder = tempfile::tempdir().unwrap();
        let path = put(&folder, &file, wal);
        let error = SqliteBus::check(&path).expect_err(what);
        assert!(matches!(error, Error::Corrupt { .. }), "{what}: {error:?}");
        let text = error.to_string();
        let advice = format!("`streamforge repair --data-dir {}`", folder.path().display());
        assert!(text.contains(&path.display().to_string()) && text.contains(&advice), "{what}: {text}");
        repair(&path).unwrap();
        SqliteBus::check(&path).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_byte_of_a_value_is_told_by_the_read_that_meets_it() {
    let model = model(Left::Closed).await;
    let mut file = model.file.clone();
    let marked = [b"<".as_slice(), &token(&("small".to_owned(), 0, 400)), b">"].concat();
    // In free pages, too, where copies may be left.
    for position in 0..file.len() {
        if file[position] == b'<' && file[position..].starts_with(&marked) {
            file[position + 3] ^= 1;
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = put(&folder, &file, &[]);
    let bus = SqliteBus::open(&path).unwrap();
    let error = bus.read("small", 0, 0, 1000, usize::MAX).await.unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }) && error.to_string().contains("streamforge repair"), "{error:?}");
    drop(bus);
    let report = repair(&path).unwrap();
    let gone: Vec<_> =
        report.gone.iter().map(|gone| (gone.topic.as_str(), gone.partition, gone.from, gone.to)).collect();
    assert_eq!(gone, [("small", 0, 400, 401)]);
    let bus = SqliteBus::open(&path).unwrap();
    let told = bus.fetch("small", 0, 400, 10, usize::MAX).await;
    assert!(matches!(told, Err(Error::RecordsGone { from: 400, resume: 401, .. })), "{told:?}");
    let before = bus.fetch("small", 0, 390, 100, usize::MAX).await.unwrap();
    assert_eq!(before.len(), 10, "a batch ends before what is gone");
}

/// Writes a log with small, large and deleted records.
async fn model(left: Left) -> Model {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bus.db");
    let bus = SqliteBus::open(&path).unwrap();
    let mut random = Rng::with_seed(7);
    let retained = TopicConfig { partitions: 3, retention_ms: Some(1000), retention_bytes: None };
    let large = TopicConfig { partitions: 2, ..TopicConfig::default() };
    bus.create_topic("small", &retained).await.unwrap();
    bus.create_topic("large", &large).await.unwrap();
    let mut records = BTreeMap::new();
    for turn in 0..60i64 {
        for (topic, count, sizes) in [("small", 50, 0..1500), ("large", 2, 5000..40_000)] {
            let ends = bus.end_offsets(topic).await.unwrap();
            let partition = u32::try_from(turn).unwrap() % u32::try_from(ends.len()).unwrap();
            let key = (0..1000u32)
                .map(|number| number.to_string().into_bytes())
                .find(|key| streamforge_bus::partition_for_key(key, u32::try_from(ends.len()).unwrap()) == partition)
                .unwrap();
            let mut batch = Vec::new();
            for offset in (ends[partition as usize]..).take(count) {
                let place = (topic.to_owned(), partition, offset);
                let token = token(&place);
                let marked = [b"<", token.as_slice(), b">"].concat();
                let value = marked.iter().copied().cycle().take(marked.len() + random.usize(sizes.clone())).collect();
                let headers = vec![("ce_id".to_owned(), offset.to_be_bytes().to_vec())];
                let record = Record { key: Some(key.clone()), headers, value, timestamp: turn };
                records.insert(place, record.clone());
                batch.push(record);
            }
            bus.publish_many(topic, batch).await.unwrap();
        }
    }
    // The first twenty batches of small records are too old; their pages become free or hold other records.
    bus.enforce_retention(1020).await.unwrap();
    let published = records.clone();
    records.retain(|(topic, ..), record| topic != "small" || record.timestamp >= 20);
    let mut ends = BTreeMap::new();
    for topic in ["small", "large"] {
        for (partition, end) in (0..).zip(bus.end_offsets(topic).await.unwrap()) {
            ends.insert((topic.to_owned(), partition), end);
            bus.commit("reader", topic, partition, 7 + u64::from(partition)).await.unwrap();
        }
    }
    assert_eq!(read_all(&bus).await, records);
    let wal = path.with_file_name("bus.db-wal");
    let (file, wal) = match left {
        Left::Closed => {
            drop(bus);
            (fs::read(&path).unwrap(), Vec::new())
        }
        Left::Killed => (fs::read(&path).unwrap(), fs::read(&wal).unwrap()),
    };
    let pages = pages(&file);
    Model { file, wal, records, published, ends, pages }
}

/// Finds, by place, the pages that each copy of a record lies on: copies may be left in pages that are free by now.
fn pages(file: &[u8]) -> BTreeMap<Place, Vec<BTreeSet<usize>>> {
    let mut found: BTreeMap<Place, Vec<BTreeSet<usize>>> = BTreeMap::new();
    let number = |bytes: &[u8]| bytes.iter().fold(0, |number, byte| number << 8 | usize::from(*byte));
    let little = |bytes: &[u8]| bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte));
    for (page, bytes) in file.chunks(PAGE).enumerate().filter(|(_, bytes)| [2, 10].contains(&bytes[0])) {
        let pointers = &bytes[if bytes[0] == 2 { 12 } else { 8 }..];
        for pointer in pointers.chunks(2).take(number(&bytes[3..5])) {
            let mut cell = &bytes[number(pointer) + if bytes[0] == 2 { 4 } else { 0 }..];
            let mut length = 0;
            while let Some((byte, rest)) = cell.split_first() {
                (length, cell) = (length << 7 | usize::from(byte & 0x7f), rest);
                if byte & 0x80 == 0 {
                    break;
                }
            }
            let (most, least) = ((PAGE - 12) * 64 / 255 - 23, (PAGE - 12) * 32 / 255 - 23);
            if length <= most || length > file.len() {
                continue;
            }
            // https://sqlite.org/fileformat2.html#b_tree_pages
            let fitting = least + (length - least) % (PAGE - 4);
            let local = if fitting <= most { fitting } else { least };
            let mut payload: Vec<(usize, u8)> = cell[..local].iter().map(|byte| (page, *byte)).collect();
            let mut next = number(&cell[local..local + 4]);
            while next > 0 && payload.len() < length {
                let Some(chunk) = file.chunks(PAGE).nth(next - 1) else { break };
                payload.extend(chunk[4..].iter().map(|byte| (next - 1, *byte)));
                next = number(&chunk[..4]);
            }
            let text: Vec<u8> = payload.iter().map(|(_, byte)| *byte).collect();
            for begin in (0..text.len().saturating_sub(48)).filter(|begin| text[*begin..].starts_with(b"\xfbSFr")) {
                let field = |from: usize, to: usize| little(&text[begin + from..begin + to]);
                let topic = if field(24, 32) == 1 { "small" } else { "large" };
                let place = (topic.to_owned(), u32::try_from(field(20, 24)).unwrap(), field(32, 40));
                let bytes = payload[begin..].iter().take(usize::try_from(field(8, 12)).unwrap());
                found.entry(place).or_default().push(bytes.map(|(page, _)| *page).collect());
            }
        }
    }
    found
}

/// Bytes that no other record has.
fn token((topic, partition, offset): &Place) -> Vec<u8> {
    format!("{topic}-{partition}-{offset:06}").into_bytes()
}

fn put(folder: &TempDir, file: &[u8], wal: &[u8]) -> PathBuf {
    let path = folder.path().join("bus.db");
    fs::write(&path, file).unwrap();
    if !wal.is_empty() {
        fs::write(folder.path().join("bus.db-wal"), wal).unwrap();
    }
    fs::write(folder.path().join("bus.db-appended"), "\n").unwrap();
    path
}

/// Damages a file as disks do, and answers which of its pages, counted from 0, are no longer what they were.
fn damage(file: &mut Vec<u8>, random: &mut Rng) -> BTreeSet<usize> {
    let pages = file.len() / PAGE;
    let mut damaged = BTreeSet::new();
    match random.u8(0..4) {
        0 => {
            let length = random.usize(1..file.len());
            file.truncate(length);
            damaged.extend(length / PAGE..pages);
        }
        1 => {
            for _ in 0..random.usize(1..4) {
                let page = random.usize(0..pages);
                file[page * PAGE..(page + 1) * PAGE].fill(random.u8(..));
                damaged.insert(page);
            }
        }
        _ => {
            for _ in 0..random.usize(1..20) {
                let page = random.usize(0..pages);
                for _ in 0..random.usize(1..64) {
                    file[page * PAGE + random.usize(0..PAGE)] ^= 1 << random.u8(0..8);
                }
                damaged.insert(page);
            }
        }
    }
    damaged
}

async fn read_all(bus: &SqliteBus) -> BTreeMap<Place, Record> {
    let mut records = BTreeMap::new();
    for description in bus.topics().await.unwrap() {
        for partition in 0..description.config.partitions {
            let mut next = 0;
            loop {
                let batch = bus.read(&description.name, partition, next, 500, usize::MAX).await.unwrap();
                let Some(last) = batch.last() else { break };
                next = last.offset + 1;
                for stored in batch {
                    records.insert((stored.topic, stored.partition, stored.offset), stored.record);
                }
            }
        }
    }
    records
}
