//! Scans over all that a store holds.
//!
//! Small work is done by the thread that asks. Large work is helped with by threads that all scans share: one task at a
//! time, in turns, so that no scan waits for another to end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::thread::available_parallelism;

use rayon::{ScopeFifo, ThreadPool, ThreadPoolBuilder};

use super::state::{Frozen, Sealed, State};
use super::{Store, days_of};
use crate::bitmap::Bitmap;
use crate::error::Result;
use crate::filter::{Predicate, account_of, may_be_active, may_be_finished};
use crate::part::Part;
use crate::scan::{Partials, Scan, Scanner, any_match, column_names};
use crate::stop::Stop;

/// Fewer rows are scanned sooner than a helper wakes up.
const HELPED_ROWS: usize = 1 << 16;
/// Rows of one task; a segment is one task whatever its size, as its sums may be known.
const TASK_ROWS: usize = 1 << 18;

#[cfg(target_os = "linux")]
const HELPER_NICENESS: i32 = 10;

/// Helpers beside the thread that asks, one fewer than there are cores; `None` where there is but one.
static HELPERS: LazyLock<Option<ThreadPool>> = LazyLock::new(|| {
    let count = available_parallelism().map_or(0, |cores| cores.get() - 1);
    let pool = ThreadPoolBuilder::new().num_threads(count).thread_name(|number| format!("scan-{number}"));
    let pool = pool.start_handler(|_| give_way());
    if count == 0 { None } else { pool.build().ok() }
});

/// Lets other threads go first: a short report is not to wait while a long one is helped with.
fn give_way() {
    // On Linux a thread has a niceness of its own; elsewhere help is as urgent as all else.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), HELPER_NICENESS);
}

impl Store {
    /// Answers a scan with integer sums.
    ///
    /// # Errors
    /// What [`Scanner::add`] gives, or `Damaged`.
    pub fn partials(&self, scan: &Scan<'_>) -> Result<Partials> {
        // Also where there is nothing to scan.
        scan.stop.check()?;
        let mut scanner = Some(Scanner::new(scan));
        self.each_run(scan.range(), scan.predicates, &scan.column_names(), |parts| {
            scanner = scanner.take().map(|scanner| add_all(scanner, scan, parts)).transpose()?;
            Ok(true)
        })?;
        Ok(scanner.map(Scanner::finish).unwrap_or_default())
    }

    /// Whether any record meets all conditions.
    ///
    /// # Errors
    /// What [`any_match`] gives, or `Damaged`.
    pub fn any_match(&self, predicates: &[Predicate], stop: &Stop) -> Result<bool> {
        stop.check()?;
        let mut found = false;
        self.each_run((i64::MIN, i64::MAX), predicates, &column_names(predicates), |parts| {
            for part in parts {
                found = found || any_match(part, predicates, stop)?;
            }
            Ok(!found)
        })?;
        Ok(found)
    }

    /// Hands over the parts that may have records of a range of setup times that meet `predicates`, of which the
    /// columns `names` may be read: first those that writers change, which wait meanwhile, then all others, until `take`
    /// gives false.
    fn each_run(
        &self, (from, to): (i64, i64), predicates: &[Predicate], names: &[&str],
        mut take: impl FnMut(&[Part<'_>]) -> Result<bool>,
    ) -> Result<()> {
        let none_dead = Bitmap::default();
        let (active, finished) = (may_be_active(predicates), may_be_finished(predicates));
        let state = self.read();
        let changing = [(active, &state.active), (finished, &state.hot)];
        let changing = changing.iter().filter(|(may, _)| *may).map(|(_, table)| table.part(&none_dead));
        let meets = |part: &Part<'_>| part.setup_range.0 < to && from <= part.setup_range.1;
        if !take(&changing.filter(meets).collect::<Vec<_>>())? || !finished {
            return Ok(());
        }
        let frozen: Vec<Frozen> = state.frozen.clone();
        let sealed: Vec<Sealed> = state.readable(from, to)?;
        drop(state);
        let mut parts: Vec<Part<'_>> = frozen.iter().map(|frozen| frozen.table.part(&frozen.dead)).filter(meets).collect();
        for Sealed { segment, dead, .. } in &sealed {
            parts.push(match account_of(predicates) {
                Some(account) => segment.part_of_account(account, (from, to), names, dead)?,
                None => segment.part(names, dead)?,
            });
        }
        parts.retain(|part| !part.rows.is_empty());
        take(&parts).map(drop)
    }
}

impl State {
    /// The segments that may have records set up in [from, to).
    ///
    /// # Errors
    /// `Damaged` where one of them could not be opened.
    fn readable(&self, from: i64, to: i64) -> Result<Vec<Sealed>> {
        let days = days_of(from, to);
        if let Some(unreadable) = self.unreadable.iter().find(|unreadable| days.contains(&unreadable.day)) {
            return Err(unreadable.error());
        }
        let meets = |sealed: &&Sealed| {
            let (first, last) = sealed.segment.summary.setup_range;
            first < to && from <= last
        };
        Ok(self.sealed(days).filter(meets).cloned().collect())
    }
}

/// Parts that are left to scan.
struct Queue<'p> {
    parts: &'p [Part<'p>],
    next: AtomicUsize,
}

impl<'p> Queue<'p> {
    fn next(&self) -> Option<&'p Part<'p>> {
        self.parts.get(self.next.fetch_add(1, Ordering::Relaxed))
    }

    fn give_up(&self) {
        self.next.store(self.parts.len(), Ordering::Relaxed);
    }
}

/// What the helpers collected.
type Collected<'a> = Mutex<Vec<Result<Scanner<'a>>>>;

/// Adds parts to a scanner, with helpers where it is worth it.
fn add_all<'a>(mut scanner: Scanner<'a>, scan: &'a Scan<'a>, parts: &[Part<'_>]) -> Result<Scanner<'a>> {
    let parts: Vec<Part<'_>> = parts.iter().flat_map(split).collect();
    let rows: usize = parts.iter().map(|part| part.rows.len()).sum();
    let queue = Queue { parts: &parts, next: AtomicUsize::new(0) };
    let collected = Collected::default();
    match HELPERS.as_ref().filter(|_| rows >= HELPED_ROWS && parts.len() > 1) {
        None => add_next(&mut scanner, &queue)?,
        Some(helpers) => helpers.in_place_scope_fifo(|scope| {
            for _ in 0..helpers.current_num_threads() {
                scope.spawn_fifo(|scope| help(scope, scan, None, &queue, &collected));
            }
            add_next(&mut scanner, &queue)
        })?,
    }
    let collected = collected.into_inner().unwrap_or_else(PoisonError::into_inner);
    collected.into_iter().try_fold(scanner, |scanner, other| scanner.merge(other?))
}

/// Adds what is left, part by part.
fn add_next(scanner: &mut Scanner<'_>, queue: &Queue<'_>) -> Result<()> {
    while let Some(part) = queue.next() {
        scanner.add(part).inspect_err(|_| queue.give_up())?;
    }
    Ok(())
}

/// Does one task, then waits for its next turn.
fn help<'s, 'a: 's>(
    scope: &ScopeFifo<'s>, scan: &'a Scan<'a>, scanner: Option<Scanner<'a>>, queue: &'s Queue<'s>, collected: &'s Collected<'a>,
) {
    let Some(part) = queue.next() else {
        collected.lock().unwrap_or_else(PoisonError::into_inner).extend(scanner.map(Ok));
        return;
    };
    let mut scanner = scanner.unwrap_or_else(|| Scanner::new(scan));
    match scanner.add(part) {
        Ok(()) => scope.spawn_fifo(move |scope| help(scope, scan, Some(scanner), queue, collected)),
        Err(error) => {
            queue.give_up();
            collected.lock().unwrap_or_else(PoisonError::into_inner).push(Err(error));
        }
    }
}

/// A part in pieces of one task each.
fn split<'p>(part: &Part<'p>) -> Vec<Part<'p>> {
    if part.cubes.is_some() || part.rows.len() <= TASK_ROWS {
        return vec![part.clone()];
    }
    let (end, pieces) = (part.rows.end, part.rows.len().div_ceil(TASK_ROWS));
    let size = part.rows.len().div_ceil(pieces);
    part.rows.clone().step_by(size).map(|start| Part { rows: start..end.min(start + size), ..part.clone() }).collect()
}
