//! Traffic scans of intervals: two scans of one state of the store, that of the other measures and that of the intervals.

use super::Store;
use super::parallel_scan::ScanTask;
use super::task_queue::add_tasks;
use crate::error::Result;
use crate::scan::TrafficScan;
use crate::scan::traffic::{IntervalQuestion, IntervalScanner, RunningSweep, TrafficPartials, TrafficScanner};

impl Store {
    /// Runs both scans, and returns the measures of both.
    pub(super) fn partials_with_intervals(
        &self, scan: &TrafficScan<'_>, question: &IntervalQuestion<'_>,
    ) -> Result<TrafficPartials> {
        scan.cancel.check()?;
        let (instants, intervals) = (question.instants(scan), question.intervals(scan));
        let targets = [self.target(&instants), self.target(&intervals).ending_after(question.ends_after_us())];
        let begin_instants = || TrafficScanner::new(&instants);
        let running = RunningSweep::new(&intervals);
        let begin_intervals = || IntervalScanner::new(&intervals, &running);
        let (mut of_instants, mut of_intervals) = (Some(begin_instants()), Some(begin_intervals()));
        self.visit_tasks(&targets, |tasks, threads| {
            if question.has_instants() {
                add_tasks(&mut of_instants, &begin_instants, &targets[0], &tasks[0], threads)?;
            }
            // Segments are the last to be read; memtables before them may be only a part.
            if tasks[1].iter().any(|task| task.segment().is_some()) {
                running.expect_tasks(tasks[1].iter().map(ScanTask::least_setup_us));
            }
            add_tasks(&mut of_intervals, &begin_intervals, &targets[1], &tasks[1], threads)?;
            Ok(true)
        })?;
        let Some((instants, intervals)) = of_instants.zip(of_intervals) else { return Ok(TrafficPartials::default()) };
        instants.finish_with(intervals, scan.measure, self.helpers.get(self.tuning()))
    }
}
