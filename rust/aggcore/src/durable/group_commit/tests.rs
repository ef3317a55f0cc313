//! Group commit in many schedules of its threads: each test is one situation, and ends with [`World::check`].
//!
//! `PEGCOUNT_SCHEDULES` is the number of schedules of each situation and scheduler, `PEGCOUNT_SEED` chooses them. A failure
//! prints its schedule, and the same numbers repeat it.

#![allow(clippy::unwrap_used, clippy::panic)] // A test may panic.

mod world;

use std::sync::Arc;
use std::time::Duration;

use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::thread;
use shuttle::{Config, MaxSteps, Runner};

use super::*;
use world::{INTERRUPTING, Limits, World};

/// Schedules of each situation and scheduler, unless `PEGCOUNT_SCHEDULES` says otherwise.
const SCHEDULES: usize = 5;
/// Points at which PCT lets another thread overtake, plus one: most errors need few of them (Burckhardt et al., [A
/// Randomized Scheduler with Probabilistic Guarantees of Finding Bugs](https://doi.org/10.1145/1736020.1736040), 2010).
const PCT_DEPTH: usize = 4;
/// Operations of locks of one schedule. The longest has some hundreds; more is a thread that waits for ever.
const STEPS_MAX: usize = 20_000;
/// Scans and Arrow need more stack than the default.
const STACK_BYTES: usize = 1 << 20;

fn number_from(variable: &str, default: usize) -> usize {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

fn config() -> Config {
    let mut config = Config::new();
    config.stack_size = STACK_BYTES;
    config.max_steps = MaxSteps::FailAfter(STEPS_MAX);
    config
}

/// Runs a situation in schedules of both kinds.
fn check(situation: impl Fn() + Clone + Send + Sync + 'static) {
    let (seed, count) = (number_from("PEGCOUNT_SEED", 1) as u64, number_from("PEGCOUNT_SCHEDULES", SCHEDULES));
    Runner::new(RandomScheduler::new_from_seed(seed, count), config()).run(situation.clone());
    Runner::new(PctScheduler::new_from_seed(seed, PCT_DEPTH, count), config()).run(situation);
}

/// Runs threads over a store of default limits, in schedules of both kinds.
fn check_threads(threads: Vec<fn(&World)>) {
    check(move || {
        let world = World::new(Limits::default());
        run_all(&world, threads.clone());
        world.check();
    });
}

/// Stands for a bug of the store: panics before a batch is applied, if its name asks for it.
pub fn panic_if_asked(batch: &ColumnarBatch) {
    if batch.batch_id.as_deref() == Some(INTERRUPTING) {
        // Without the panic hook, which would print the schedule as that of a failed test.
        std::panic::resume_unwind(Box::new(INTERRUPTING));
    }
}

/// Starts threads, and waits for all of them.
fn run_all(world: &Arc<World>, threads: Vec<fn(&World)>) {
    let started: Vec<_> = threads
        .into_iter()
        .map(|work| {
            let world = Arc::clone(world);
            thread::spawn(move || work(&world))
        })
        .collect();
    started.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn several_writers_share_groups() {
    check(|| {
        let world = World::new(Limits::default());
        run_all(
            &world,
            vec![|world| world.write_all(&["a1", "a2"]), |world| world.write_all(&["b1", "b2"]), |world| {
                world.write_all(&["c1", "c2"])
            }],
        );
        assert_eq!(world.refused(), 0);
        world.check();
    });
}

#[test]
fn counters_wait_for_no_commit() {
    check(|| {
        let world = World::new(Limits::default());
        run_all(&world, vec![|world| world.write_all(&["a1"]), |world| world.write_all(&["b1"])]);
        let waiting = world.submit("a2");
        // As a caller has it while the disk syncs.
        let writer = world.store.journal.lock();
        assert_eq!(world.store.journal_bytes(), writer.bytes());
        assert_eq!(world.store.queued_bytes(), waiting.frame_bytes);
        let commits = world.store.commit_counts();
        assert_eq!((commits.commits.clamp(1, 2), commits.batches), (commits.commits, 2));
        assert_eq!(world.store.source_counts().len(), 1);
    });
}

#[test]
fn a_full_queue_makes_its_writers_commit() {
    check(|| {
        let world = World::new(Limits { waiting_bytes: 1, group_bytes: 1 });
        run_all(
            &world,
            vec![|world| world.submit_and_leave(&["a1", "a2"]), |world| world.write_all(&["b1", "b2"]), |world| {
                world.write_all(&["c1", "c2"])
            }],
        );
        assert_eq!(world.refused(), 0);
        world.check();
    });
}

#[test]
fn a_flush_takes_each_batch_once() {
    check(|| {
        let world = World::new(Limits { group_bytes: 1, ..Limits::default() });
        run_all(
            &world,
            vec![|world| world.write_all(&["a1", "a2"]), |world| world.write_all(&["b1", "b2"]), |world| {
                world.flush();
                world.flush();
            }],
        );
        assert_eq!(world.refused(), 0);
        world.check();
    });
}

#[test]
fn corrections_are_resolved_after_all_batches_before_them() {
    for limits in [Limits::default(), Limits { waiting_bytes: 1, group_bytes: 1 }] {
        check(move || {
            let world = World::new(limits);
            run_all(
                &world,
                vec![
                    |world| world.write_all(&["a1", "correction a2", "a3"]),
                    |world| world.submit_and_leave(&["correction b1", "b2", "correction b3"]),
                    |world| world.write_all(&["correction c1"]),
                    |world| {
                        world.flush();
                    },
                ],
            );
            assert_eq!(world.refused(), 0);
            world.check();
        });
    }
}

#[test]
fn a_disk_that_fails_once_refuses_corrections_too() {
    check_threads(vec![
        |world| world.write_all(&["a1", "correction a2"]),
        |world| world.write_all(&["correction b1", "b2"]),
        World::change_journal,
        World::repair,
    ]);
}

#[test]
fn a_disk_that_fails_once_refuses_whole_groups() {
    check_threads(vec![
        |world| world.write_all(&["a1", "a2"]),
        |world| world.write_all(&["b1", "b2"]),
        World::change_journal,
        World::repair,
    ]);
}

#[test]
fn a_journal_file_that_is_removed_refuses_whole_groups() {
    check_threads(vec![
        |world| world.write_all(&["a1", "a2"]),
        |world| world.write_all(&["b1", "b2"]),
        World::remove_journal,
        World::repair,
    ]);
}

#[test]
fn a_batch_whose_caller_left_is_committed_by_others() {
    check_threads(vec![
        |world| world.write_cancelled("a1"),
        |world| world.write_all(&["b1", "b2"]),
        |world| world.write_all(&["c1"]),
        |world| world.cancel.cancel(),
    ]);
}

#[test]
fn a_panic_in_a_commit_ends_all_commits() {
    check(|| {
        let world = World::new(Limits::default());
        run_all(
            &world,
            vec![
                |world| world.write_all(&["a1", "a2"]),
                |world| world.write_all(&[INTERRUPTING]),
                |world| world.write_all(&["b1", "b2"]),
                |world| {
                    world.flush();
                },
            ],
        );
        world.check_interrupted();
    });
}

#[test]
fn a_deletion_leaves_nothing_of_what_it_covers() {
    check(|| {
        let world = World::new(Limits { group_bytes: 1, ..Limits::default() });
        run_all(
            &world,
            // Versions of the shared sessions that the deletion covers, and from outside of it. The first ones may still wait
            // for their commit when it begins.
            vec![|world| world.write_all(&["a1", "a2"]), |world| world.write_all(&["late 1", "late 2"]), World::delete],
        );
        world.check_deleted();
    });
}

#[test]
fn a_caller_whose_time_is_over_leaves_its_batch_to_the_others() {
    let situation = || {
        let world = World::new(Limits::default());
        let store = &world.store;
        let (pending, over) = (world.submit("a"), CancelToken::with_limit(Some(Duration::ZERO)));
        // Another caller commits, and its disk takes long.
        let writer = store.journal.lock();
        assert!(matches!(store.wait(&pending, &over), Err(Error::DeadlinePassed)));
        let cancelled = CancelToken::with_limit(None);
        cancelled.cancel();
        assert!(matches!(store.wait(&pending, &cancelled), Err(Error::Cancelled)));
        drop(writer);
        assert!(store.commit_group());
        assert_eq!(store.wait(&pending, &over).unwrap().accepted, 3);
    };
    Runner::new(RandomScheduler::new_from_seed(1, 1), config()).run(situation);
}
