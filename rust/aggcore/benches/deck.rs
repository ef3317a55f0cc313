//! Measures the longest-prefix lookup of 1,000,000 dialled numbers in a code deck of 100,000 dial codes.

use aggcore::{CodeDeck, CodeDeckEntry};
use criterion::{Criterion, criterion_group, criterion_main};

const CODES: u64 = 100_000;
const NUMBERS: u64 = 1_000_000;

/// Returns a pseudo-random number for `n`, from a step of a linear congruential generator: the same in every
/// run.
fn scrambled(n: u64) -> u64 {
    n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407) >> 33
}

fn look_up(c: &mut Criterion) {
    let texts: Vec<_> = (0..CODES).map(|n| (format!("{n:05}"), format!("destination {n}"))).collect();
    let deck: CodeDeck = texts.iter().map(|(code, name)| CodeDeckEntry { code, name, country: "" }).collect();
    let numbers: Vec<String> = (0..NUMBERS).map(|n| format!("+{:011}", scrambled(n) % 100_000_000_000)).collect();
    c.bench_function("1,000,000 look-ups in 100,000 codes", |bencher| {
        bencher.iter(|| {
            let found = numbers.iter().filter(|number| deck.find(number).is_some()).count() as u64;
            assert_eq!(found, NUMBERS);
        });
    });
}

criterion_group! { name = benches; config = Criterion::default().sample_size(10); targets = look_up }
criterion_main!(benches);
