//! Runs the cases of a property, and bounds each of them in time and memory.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestError, TestRunner};

use crate::allocations::count_allocated;

/// A case that takes longer is taken for an endless loop; others take milliseconds, on a machine that is busy too.
const CASE_SECONDS_MAX: u64 = 60;
/// What a decoder may allocate whatever the input is.
const ALLOCATED_BYTES_MIN: usize = 1 << 18;
/// Bytes that a decoder may allocate per byte of its input: it collects some inputs in vectors that grow by doubling.
const ALLOCATED_PER_BYTE: usize = 200;

/// Tests a property with `case_count` inputs, or as many as `PROPTEST_CASES` says. `PROPTEST_RNG_SEED` determines them;
/// otherwise each run draws new ones, and tells the seed if one fails.
pub fn check<T: std::fmt::Debug>(case_count: u32, inputs: impl Strategy<Value = T>, property: impl Fn(T)) {
    let environment = Config::default();
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { environment.cases } else { case_count };
    let seed = match environment.rng_seed {
        RngSeed::Fixed(seed) => seed,
        RngSeed::Random => SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64,
    };
    let config = Config { cases, rng_seed: RngSeed::Fixed(seed), failure_persistence: None, ..environment };
    let begun = watch();
    let tested = TestRunner::new(config).run(&inputs, |input| {
        begun.send(()).unwrap();
        property(input);
        Ok(())
    });
    match tested {
        Ok(()) => {}
        Err(TestError::Fail(reason, input)) => {
            panic!("{reason}\nPROPTEST_RNG_SEED={seed} repeats it; the least input is {input:?}")
        }
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}

/// Decodes an input of `byte_count` bytes, and checks what it allocates. `allowance` are bytes that a library is known to
/// allocate besides.
pub fn decode<T>(byte_count: usize, allowance: usize, decode: impl FnOnce() -> T) -> T {
    let (decoded, allocated) = count_allocated(decode);
    let allowed = ALLOCATED_BYTES_MIN + allowance + ALLOCATED_PER_BYTE * byte_count;
    assert!(allocated <= allowed, "{byte_count} bytes caused {allocated} to be allocated; {allowed} are allowed");
    decoded
}

/// Ends the process once [`CASE_SECONDS_MAX`] have passed since the last case began. Send something as each begins.
fn watch() -> Sender<()> {
    let (sender, begun) = channel();
    std::thread::spawn(move || {
        loop {
            match begun.recv_timeout(Duration::from_secs(CASE_SECONDS_MAX)) {
                Ok(()) => {}
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {
                    eprintln!("a case has taken more than {CASE_SECONDS_MAX} s");
                    std::process::abort();
                }
            }
        }
    });
    sender
}

#[test]
#[should_panic(expected = "bytes caused")]
fn an_allocation_out_of_proportion_fails() {
    decode(10, 0, || drop(vec![0u8; ALLOCATED_BYTES_MIN + 11 * ALLOCATED_PER_BYTE]));
}
