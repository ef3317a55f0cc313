//! A blocked Bloom filter over key hashes: one cache line shows that a segment lacks a key.
//!
//! The upper half of a hash selects a block of 512 bits, the lower half six bits in it by double hashing
//! (Putze, Sanders, Singler: [Cache-, Hash- and Space-Efficient Bloom
//! Filters](https://doi.org/10.1007/978-3-540-72845-0_9), 2007).
//!
//! The filter is a column of the segment with 16 bits per row, so that the memory map serves it and the heap
//! does not hold it. With 16 bits per key and six probes, about 1 in 1,000 absent keys passes (a false
//! positive); the caller then searches the key index in vain. A present key always passes.

/// Words of 16 bits per block: 64 bytes, a cache line.
const BLOCK_WORDS: usize = 32;
/// Bits that each key sets.
const PROBES: u32 = 6;

/// Builds the filter of these hashes: one word of 16 bits per hash.
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

/// Whether the filter may have been built with this hash. About 1 in 1,000 other hashes passes too.
#[inline]
pub fn may_have(words: &[u16], hash: u64) -> bool {
    let block = block(hash, words.len());
    !block.is_empty() && bits(hash, block.len()).all(|bit| words[block.start + bit / 16] >> (bit % 16) & 1 == 1)
}

/// The words of a hash's block, selected by its upper half: multiply-shift instead of a modulo.
#[inline]
fn block(hash: u64, words: usize) -> std::ops::Range<usize> {
    let blocks = (words / BLOCK_WORDS).max(1);
    let start = (((hash >> 32) as usize * blocks) >> 32) * BLOCK_WORDS;
    start..words.min(start + BLOCK_WORDS)
}

/// Bit offsets within a block, by double hashing of the lower half; the step is odd, so that they differ.
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
    fn members_always_pass_and_others_rarely() {
        assert!(!may_have(&build(&[]), 7));
        for count in [1, 2, 31, 32, 33, 1_000, 40_000] {
            let (members, others) = (hashes(1, count), hashes(2, 20_000));
            let filter = build(&members);
            assert!(members.iter().all(|&hash| may_have(&filter, hash)));
            let false_positives = others.iter().filter(|&&hash| may_have(&filter, hash)).count();
            assert!(count < 32 || false_positives < 100, "{false_positives} of 20000 with {count} members");
        }
    }
}
