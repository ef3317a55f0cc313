//! A blocked Bloom filter over key hashes: tells in one cache line that a segment does not have a key.
//!
//! It is kept as a column of the segment, 16 bits a row, so that it is mapped like any other and needs no
//! memory of its own. Putze, Sanders, Singler: Cache-, Hash- and Space-Efficient Bloom Filters (2007).

/// 64 bytes, a cache line.
const BLOCK_WORDS: usize = 32;
const PROBES: u32 = 6;

/// The filter of these hashes: one word per hash.
pub fn build(hashes: &[u64]) -> Vec<u16> {
    let mut words = vec![0; hashes.len()];
    for &hash in hashes {
        let block = block(hash, words.len());
        for bit in bits(hash, block.len()) {
            words[block.start + bit / 16] |= 1 << (bit % 16);
        }
    }
    words
}

/// Whether a hash may be among those the filter was built of; one in about a thousand others may seem so.
#[inline]
pub fn may_have(words: &[u16], hash: u64) -> bool {
    let block = block(hash, words.len());
    !block.is_empty() && bits(hash, block.len()).all(|bit| words[block.start + bit / 16] >> (bit % 16) & 1 == 1)
}

/// The words that a hash's bits lie in, selection by its upper half.
#[inline]
fn block(hash: u64, words: usize) -> std::ops::Range<usize> {
    let blocks = (words / BLOCK_WORDS).max(1);
    let start = (((hash >> 32) as usize * blocks) >> 32) * BLOCK_WORDS;
    start..words.min(start + BLOCK_WORDS)
}

/// Bit numbers within a block, by double hashing of the lower half.
#[inline]
fn bits(hash: u64, words: usize) -> impl Iterator<Item = usize> {
    let (first, step) = (hash as u16, (hash >> 16) as u16 | 1);
    (0..PROBES as u16).map(move |i| usize::from(first.wrapping_add(step.wrapping_mul(i))) % (words * 16))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashes(seed: u64, count: usize) -> Vec<u64> {
        (0..count as u64).map(|i| xxhash_rust::xxh3::xxh3_64(&(i << 8 | seed).to_le_bytes())).collect()
    }

    #[test]
    fn all_members_are_found_and_few_others() {
        assert!(!may_have(&build(&[]), 7));
        for count in [1, 2, 31, 32, 33, 1_000, 40_000] {
            let (members, others) = (hashes(1, count), hashes(2, 20_000));
            let filter = build(&members);
            assert!(members.iter().all(|&hash| may_have(&filter, hash)));
            let wrong = others.iter().filter(|&&hash| may_have(&filter, hash)).count();
            assert!(count < 32 || wrong < 100, "{wrong} of 20000 with {count} members");
        }
    }
}
