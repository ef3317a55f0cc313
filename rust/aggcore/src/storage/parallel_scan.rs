//! Scans over all that a store holds.
//!
//! Small work is done by the thread that asks. Large work is helped with by threads that all scans share: one task at a
//! time, in turns, so that no scan waits for another to end.

use std::borrow::Cow;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::thread::available_parallelism;

use rayon::{ScopeFifo, ThreadPool, ThreadPoolBuilder};

use super::state::{Frozen, Sealed, State};
use super::{Store, days_of};
use crate::cancellation::CancelToken;
use crate::columns::row_set::RowSet;
use crate::columns::slice::RecordSlice;
use crate::error::Result;
use crate::scan::predicate::{Predicate, account_of, may_be_active, may_be_finished};
use crate::scan::{Partials, Scan, Scanner, any_match, column_names};

/// Fewer rows are scanned sooner than a helper wakes up.
const HELPED_ROWS: usize = 1 << 16;
/// More rows are scanned by helpers alone: the thread that asks would not give way to short reports.
const LEFT_ROWS: usize = 1 << 22;
/// Rows in memory of one task.
const TASK_ROWS: usize = 1 << 18;
/// As many rows as an account of a segment may cost with the search for it; how many it has is not known before.
const ACCOUNT_ROWS: usize = 1 << 13;

#[cfg(target_os = "linux")]
const HELPER_NICENESS: i32 = 15;

/// As many helpers as there are cores; `None` where there is but one.
static HELPERS: LazyLock<Option<ThreadPool>> = LazyLock::new(|| {
    let count = available_parallelism().map_or(1, NonZero::get);
    let pool = ThreadPoolBuilder::new().num_threads(count).thread_name(|number| format!("scan-{number}"));
    let pool = pool.start_handler(|_| give_way());
    if count == 1 { None } else { pool.build().ok() }
});

/// Lets other threads go first: a short report is not to wait while a long one is helped with.
fn give_way() {
    // On Linux a thread has a niceness of its own; elsewhere help is as urgent as all else.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), HELPER_NICENESS);
}

/// The records that a scan, or a look for any record, is about.
struct Wanted<'a> {
    /// Setup times: from, to.
    range: (i64, i64),
    predicates: &'a [Predicate],
    /// Columns that may be read.
    names: Vec<&'a str>,
}

/// Records to look at, as much as one task takes.
enum Piece<'p> {
    /// Rows of a table in memory, whose number follows.
    Rows(Box<RecordSlice<'p>>, usize),
    /// A segment whatever its size, as sums of it may be known.
    Sealed(&'p Sealed),
}

impl Store {
    /// Answers a scan with integer sums.
    ///
    /// # Errors
    /// What [`Scanner::add`] gives, or `Damaged`.
    pub fn partials(&self, scan: &Scan<'_>) -> Result<Partials> {
        // Also where there is nothing to scan.
        scan.cancel.check()?;
        let wanted = Wanted { range: scan.range(), predicates: scan.predicates, names: scan.column_names() };
        let mut scanner = Some(Scanner::new(scan));
        self.each_run(&wanted, |pieces| {
            scanner = scanner.take().map(|scanner| add_all(scanner, scan, &wanted, pieces)).transpose()?;
            Ok(true)
        })?;
        scanner.map_or_else(|| Ok(Partials::default()), Scanner::finish)
    }

    /// Whether any record meets all conditions.
    ///
    /// # Errors
    /// What [`any_match`] gives, or `Damaged`.
    pub fn any_match(&self, predicates: &[Predicate], cancel: &CancelToken) -> Result<bool> {
        cancel.check()?;
        let wanted = Wanted { range: (i64::MIN, i64::MAX), predicates, names: column_names(predicates) };
        let mut found = false;
        self.each_run(&wanted, |pieces| {
            for piece in pieces {
                found = found || any_match(&*wanted.slice(piece)?, predicates, cancel)?;
            }
            Ok(!found)
        })?;
        Ok(found)
    }

    /// Hands over all that may have records that are wanted: first what writers change, who wait meanwhile, then all
    /// else, until `take` gives false.
    fn each_run(&self, wanted: &Wanted<'_>, mut take: impl FnMut(&[Piece<'_>]) -> Result<bool>) -> Result<()> {
        let (no_tombstones, (from, to)) = (RowSet::default(), wanted.range);
        let (active, finished) = (may_be_active(wanted.predicates), may_be_finished(wanted.predicates));
        let state = self.read();
        let changing = [(active, &state.active), (finished, &state.hot)];
        let tables = changing.len();
        let changing = changing.iter().zip(0..).filter(|((may, _), _)| *may);
        let changing = changing.flat_map(|((_, table), number)| wanted.pieces(&table.slice(&no_tombstones), number));
        if !take(&changing.collect::<Vec<_>>())? || !finished {
            return Ok(());
        }
        let frozen: Vec<Frozen> = state.frozen.clone();
        let sealed: Vec<Sealed> = state.readable(from, to)?;
        drop(state);
        let frozen = frozen.iter().zip(tables..);
        let frozen = frozen.flat_map(|(frozen, number)| wanted.pieces(&frozen.table.slice(&frozen.dead), number));
        take(&frozen.chain(sealed.iter().map(Piece::Sealed)).collect::<Vec<_>>()).map(drop)
    }
}

impl Wanted<'_> {
    /// Rows of a table in memory in pieces.
    fn pieces<'p>(&self, slice: &RecordSlice<'p>, table: usize) -> Vec<Piece<'p>> {
        let ((from, to), (first, last), rows) = (self.range, slice.setup_range, &slice.rows);
        if rows.is_empty() || last < from || to <= first {
            return Vec::new();
        }
        let size = rows.len().div_ceil(rows.len().div_ceil(TASK_ROWS));
        let rows_of = |start: usize| start..rows.end.min(start + size);
        let piece = |start: usize| Piece::Rows(Box::new(RecordSlice { rows: rows_of(start), ..slice.clone() }), table);
        rows.clone().step_by(size).map(piece).collect()
    }

    /// The columns of a piece.
    fn slice<'p>(&self, piece: &'p Piece<'p>) -> Result<Cow<'p, RecordSlice<'p>>> {
        match piece {
            Piece::Rows(slice, _) => Ok(Cow::Borrowed(slice)),
            Piece::Sealed(Sealed { segment, dead, .. }) => Ok(Cow::Owned(match account_of(self.predicates) {
                Some(account) => segment.slice_of_account(account, self.range, &self.names, dead)?,
                None => segment.slice(&self.names, dead)?,
            })),
        }
    }

    /// About how many rows a piece has to look at.
    fn rows(&self, piece: &Piece<'_>) -> usize {
        match piece {
            Piece::Rows(slice, _) => slice.rows.len(),
            Piece::Sealed(sealed) if account_of(self.predicates).is_some() => sealed.segment.rows().min(ACCOUNT_ROWS),
            Piece::Sealed(sealed) => sealed.segment.rows(),
        }
    }

    fn add(&self, piece: &Piece<'_>, scanner: &mut Scanner<'_>) -> Result<()> {
        let slice = self.slice(piece)?;
        match piece {
            Piece::Rows(_, table) => scanner.add_of_table(&slice, *table),
            Piece::Sealed(sealed) => sealed.cubes.add(&sealed.segment, &slice, scanner),
        }
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

/// Pieces that are left to scan.
struct Queue<'p> {
    wanted: &'p Wanted<'p>,
    pieces: &'p [Piece<'p>],
    next: AtomicUsize,
}

impl<'p> Queue<'p> {
    fn next(&self) -> Option<&'p Piece<'p>> {
        self.pieces.get(self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// Adds a piece to a scanner. Where that fails the others are left.
    fn add(&self, piece: &Piece<'_>, scanner: &mut Scanner<'_>) -> Result<()> {
        self.wanted.add(piece, scanner).inspect_err(|_| self.next.store(self.pieces.len(), Ordering::Relaxed))
    }

    fn add_all(&self, scanner: &mut Scanner<'_>) -> Result<()> {
        std::iter::from_fn(|| self.next()).try_for_each(|piece| self.add(piece, scanner))
    }
}

/// What the helpers collected.
type Collected<'a> = Mutex<Vec<Result<Scanner<'a>>>>;

/// Adds pieces to a scanner, with helpers where it is worth it; what takes long is left to them.
fn add_all<'a>(mut scanner: Scanner<'a>, scan: &'a Scan<'a>, wanted: &Wanted<'_>, pieces: &[Piece<'_>]) -> Result<Scanner<'a>> {
    let rows: usize = pieces.iter().map(|piece| wanted.rows(piece)).sum();
    // Writers wait for rows in memory, which are not left to threads that give way.
    let is_long = rows >= LEFT_ROWS && pieces.iter().any(|piece| matches!(piece, Piece::Sealed(_)));
    let queue = Queue { wanted, pieces, next: AtomicUsize::new(0) };
    let collected = Collected::default();
    match HELPERS.as_ref().filter(|_| rows >= HELPED_ROWS && pieces.len() > 1) {
        None => queue.add_all(&mut scanner)?,
        Some(helpers) => helpers.in_place_scope_fifo(|scope| {
            for _ in usize::from(!is_long)..helpers.current_num_threads() {
                scope.spawn_fifo(|scope| help(scope, scan, None, &queue, &collected));
            }
            if is_long { Ok(()) } else { queue.add_all(&mut scanner) }
        })?,
    }
    let collected = collected.into_inner().unwrap_or_else(PoisonError::into_inner);
    collected.into_iter().try_fold(scanner, |scanner, other| scanner.merge(other?))
}

/// Does one task, then waits for its next turn.
fn help<'s, 'a: 's>(
    scope: &ScopeFifo<'s>, scan: &'a Scan<'a>, scanner: Option<Scanner<'a>>, queue: &'s Queue<'s>, collected: &'s Collected<'a>,
) {
    let collect = |scanner| collected.lock().unwrap_or_else(PoisonError::into_inner).extend(scanner);
    let Some(piece) = queue.next() else { return collect(scanner.map(Ok)) };
    let mut scanner = scanner.unwrap_or_else(|| Scanner::new(scan));
    match queue.add(piece, &mut scanner) {
        Ok(()) => scope.spawn_fifo(move |scope| help(scope, scan, Some(scanner), queue, collected)),
        Err(error) => collect(Some(Err(error))),
    }
}
