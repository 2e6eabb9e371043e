//! Which partition a key belongs to: the arithmetic of Kafka's default partitioner.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// Picks the partition of a key exactly as Kafka's Java clients do, so that a log can move to Kafka and keep its order.
///
/// `partitions` of 0 is taken as 1.
///
/// # Source
/// `BuiltInPartitioner.partitionForKey` and `Utils.murmur2`:
/// <https://github.com/apache/kafka/blob/3.9.0/clients/src/main/java/org/apache/kafka/clients/producer/internals/BuiltInPartitioner.java>
/// <https://github.com/apache/kafka/blob/3.9.0/clients/src/main/java/org/apache/kafka/common/utils/Utils.java>
#[must_use]
pub fn partition_for_key(key: &[u8], partitions: u32) -> u32 {
    (murmur2(key) & 0x7fff_ffff) % partitions.max(1)
}

/// Whose turn it is among the partitions of each topic, for records without a key.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<HashMap<String, u32>>);

impl Turns {
    pub(crate) fn next(&self, topic: &str, partitions: u32) -> u32 {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = turns.entry(topic.to_owned()).or_default();
        let partition = *turn % partitions.max(1);
        *turn = turn.wrapping_add(1);
        partition
    }
}

/// The 32-bit variant of `MurmurHash2` with Kafka's seed.
fn murmur2(data: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const MULTIPLIER: u32 = 0x5bd1_e995;
    const ROTATION: u32 = 24;

    // Kafka's lengths are 32-bit; keys are far below that.
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let mut hash = SEED ^ length;
    let mut words = data.chunks_exact(4);
    for word in &mut words {
        let mut mixed = u32::from_le_bytes([word[0], word[1], word[2], word[3]]);
        mixed = mixed.wrapping_mul(MULTIPLIER);
        mixed ^= mixed >> ROTATION;
        mixed = mixed.wrapping_mul(MULTIPLIER);
        hash = hash.wrapping_mul(MULTIPLIER) ^ mixed;
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        for (index, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * index);
        }
        hash = hash.wrapping_mul(MULTIPLIER);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(MULTIPLIER);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Kafka's own vectors: `UtilsTest.testMurmur2`,
    /// <https://github.com/apache/kafka/blob/3.9.0/clients/src/test/java/org/apache/kafka/common/utils/UtilsTest.java>
    #[test]
    fn hash_agrees_with_kafka() {
        let cases: [(&str, i32); 6] = [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ];
        for (key, expected) in cases {
            assert_eq!(murmur2(key.as_bytes()).cast_signed(), expected, "{key}");
        }
    }

    #[test]
    fn partition_is_the_positive_hash_modulo_the_number_of_partitions() {
        // -790332482 as 31 bits is 1357151166.
        assert_eq!(partition_for_key(b"foobar", 10), 6);
        assert_eq!(partition_for_key(b"abc", 10), 7);
        assert_eq!(partition_for_key(b"foobar", 1), 0);
        assert_eq!(partition_for_key(b"", 0), 0);
    }
}
