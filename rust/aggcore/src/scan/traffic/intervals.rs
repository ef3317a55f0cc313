//! What a traffic scan asks of intervals, and the scan that answers it.
//!
//! The other measures count a record in the bin of its setup time. An interval may lie in many bins, long after the setup:
//! its records are found by a scan of their own, with one bin until the end of the range, which groups them by the keys.
//! `interval_cells` collects when the intervals of each group begin and end, and `sweep` tells the bins apart.

use super::TrafficScan;
use super::measure::{Interval, TrafficMeasure};
use crate::record::schema::ABSENT;
use crate::scan::measure::Measured;
use crate::scan::predicate::Predicate;
use crate::scan::{Scan, range_of};

/// The records that the occupancy measures of a scan are of.
#[derive(Clone, Copy, Debug, Default)]
pub struct Occupancy<'a> {
    /// The conditions that a record satisfies, whenever it was set up.
    pub predicates: &'a [Predicate],
    /// Where the intervals of active sessions end, microseconds UTC.
    pub now_us: i64,
    /// Whether, of a scan without keys, only the peak of each cell is needed: no other cell of a bin will be added to it.
    pub only_peaks: bool,
}

/// A scan of intervals.
pub type IntervalScan<'a> = Scan<'a, &'a IntervalMeasures<'a>>;

/// What a scan sums of intervals.
pub struct IntervalMeasures<'a> {
    /// Each interval that a measure is of.
    pub(super) needs: Vec<IntervalNeed>,
    /// Edges of the bins that the intervals lie in.
    pub(super) edges: &'a [i64],
    /// Where the intervals of active sessions end, microseconds UTC.
    pub(super) now_us: i64,
    /// Whether of an occupancy only the peaks are kept.
    pub(super) only_peaks: bool,
}

/// What is needed of one interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IntervalNeed {
    pub(super) interval: Interval,
    /// Whether its occupancy is needed, and not only the time that it occupies.
    pub(super) needs_steps: bool,
}

/// A traffic scan in two parts: the measures of instants, and those of intervals.
pub struct IntervalQuestion<'a> {
    instants: Vec<TrafficMeasure>,
    intervals: IntervalMeasures<'a>,
    /// The only bin of the scan of intervals.
    edges: [i64; 2],
    predicates: Vec<Predicate>,
}

impl<'a> IntervalQuestion<'a> {
    /// Splits a scan; `None` if none of its measures is of an interval, or if it has no bins.
    pub fn of(scan: &TrafficScan<'a>, occupancy: &Occupancy<'_>) -> Option<Self> {
        const ALL_TIME: [i64; 2] = [i64::MIN, i64::MAX];
        let edges = scan.edges.unwrap_or(&ALL_TIME);
        let needs = IntervalNeed::of_measures(scan.measure);
        if needs.is_empty() || edges.len() < 2 {
            return None;
        }
        let (from, to) = range_of(Some(edges));
        let mut predicates = occupancy.predicates.to_vec();
        predicates.extend(overlap_predicates(&needs, from, to));
        Some(Self {
            instants: scan.measure.iter().filter(|measure| measure.interval().is_none()).cloned().collect(),
            intervals: IntervalMeasures {
                needs,
                edges,
                now_us: occupancy.now_us,
                only_peaks: occupancy.only_peaks && scan.keys.is_empty(),
            },
            edges: [i64::MIN, to],
            predicates,
        })
    }

    /// The scan of the other measures.
    pub fn instants<'b>(&'b self, scan: &TrafficScan<'b>) -> TrafficScan<'b> {
        TrafficScan { measure: &self.instants, ..*scan }
    }

    /// Whether some measure is not of an interval.
    pub fn has_instants(&self) -> bool {
        !self.instants.is_empty()
    }

    /// The scan of the intervals.
    pub fn intervals<'b>(&'b self, scan: &TrafficScan<'b>) -> IntervalScan<'b> {
        IntervalScan {
            edges: Some(&self.edges),
            predicates: &self.predicates,
            keys: scan.keys,
            measure: &self.intervals,
            deck: scan.deck,
            cell_count_max: scan.cell_count_max,
            cancel: scan.cancel,
            memory: scan.memory,
            resources: scan.resources,
        }
    }

    /// The instant, microseconds UTC, after which an interval has to end in order to count.
    pub fn ends_after_us(&self) -> i64 {
        self.intervals.edges[0]
    }
}

impl IntervalMeasures<'_> {
    /// The range of all bins, microseconds UTC.
    pub(super) fn range(&self) -> (i64, i64) {
        range_of(Some(self.edges))
    }

    pub(super) fn bin_count(&self) -> usize {
        self.edges.len() - 1
    }
}

impl IntervalNeed {
    /// What measures need of each interval.
    fn of_measures(measures: &[TrafficMeasure]) -> Vec<Self> {
        let needs = [Interval::Talk, Interval::Seized]
            .map(|interval| Self { interval, needs_steps: measures.contains(&TrafficMeasure::Occupancy(interval)) });
        let is_asked = |need: &Self| measures.iter().any(|measure| measure.interval() == Some(need.interval));
        needs.into_iter().filter(is_asked).collect()
    }
}

/// Conditions that all records satisfy whose intervals overlap [from, to), microseconds UTC: they let a scan skip segments.
fn overlap_predicates(needs: &[IntervalNeed], from: i64, to: i64) -> Vec<Predicate> {
    let between = |column: &str, low, high| Predicate::Between { column: column.to_owned(), low, high };
    let is_active = Predicate::Present { column: "end_time".to_owned(), wanted: false };
    let ends_later = between("end_time", from.saturating_add(1), i64::MAX);
    let is_answered = between("answer_time", ABSENT + 1, to.saturating_sub(1));
    let all_talk = needs.iter().all(|need| need.interval == Interval::Talk);
    std::iter::once(Predicate::AnyOf(vec![is_active, ends_later])).chain(all_talk.then_some(is_answered)).collect()
}

impl Measured for &IntervalMeasures<'_> {
    fn column_names(&self) -> Vec<&'static str> {
        self.needs.iter().flat_map(|need| need.interval.column_names()).copied().collect()
    }
}
