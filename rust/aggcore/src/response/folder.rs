//! Folder statistics: calls per day and folder, with the agents of each folder.
//!
//! Rows are sorted by day and folder, agents by id. Cells are sorted in this order first, so that the rows are written
//! one after the other.

use prost::Message;

use super::answer::{AnswerLimits, AnswerWriter};
use super::figures::Figures;
use super::ratio::seconds_per_call;
use super::sort::first_rows;
use super::sort_keys::{SortColumn, SortOrder, SortValues, TextRanks};
use super::tags::{folder_agent_stats as agent_tags, folder_stats_row as row_tags, query_folder_stats_response as response_tags};
use super::wire_writer::{put_bytes, put_double, put_int64};
use crate::error::{Error, Result};
use crate::scan::sums::{Sums, add};
use crate::scan::{KeyValues, Partials};
use crate::time_text::UtcOffsets;
use crate::wire::v1::{FolderStatsTotals, QueryFolderStatsResponse};

/// The cells of a scan by day, folder and agent.
struct FolderCells<'a> {
    partials: &'a Partials,
    figures: Figures,
    /// Codes by cell, and texts by code.
    folders: (&'a [u32], &'a [String]),
    agents: (&'a [u32], &'a [String]),
}

/// Returns a `QueryFolderStatsResponse` with rows and totals, encoded, of which it has only the wanted figures.
///
/// The bins of `partials` are days, with `edges` in microseconds UTC; its group keys are folder and agent.
/// Calls without an agent count for the folder alone.
///
/// # Errors
/// `InvalidPartials` if the partials are not those of the edges, `Unknown` if the group keys are not two text columns;
/// `SumOverflow`, `AnswerTooLarge`, a memory limit, `Cancelled` or `DeadlinePassed`.
pub fn build_folder_response(
    partials: &Partials, edges: &[i64], offsets: &UtcOffsets<'_>, figures: Figures, limits: AnswerLimits<'_>,
) -> Result<Vec<u8>> {
    partials.check(edges.len().saturating_sub(1))?;
    let cells = FolderCells::new(partials, figures)?;
    let sorted = cells.sorted(limits)?;
    let mut out = AnswerWriter::new(limits);
    for row in sorted.chunk_by(|&a, &b| cells.row_of(a) == cells.row_of(b)) {
        let date = offsets.local_date(edges[partials.bins[row[0] as usize] as usize]);
        out.put_nested(response_tags::ROWS, |out| cells.put_row(row, &date, out))?;
    }
    let total = cells.sum(&sorted)?;
    let totals = FolderStatsTotals {
        call_count: Some(total[0]),
        answered_count: figures.answers.then_some(total[1]),
        duration_ms: figures.durations.then_some(total[2]),
        average_duration_seconds: seconds_per_call(total[2], total[1]).filter(|_| figures.durations),
    };
    let rest = QueryFolderStatsResponse { totals: Some(totals), ..Default::default() };
    out.put_fields(|out| out.extend_from_slice(&rest.encode_to_vec()));
    out.finish()
}

impl<'a> FolderCells<'a> {
    fn new(partials: &'a Partials, figures: Figures) -> Result<Self> {
        match partials.keys.as_slice() {
            [KeyValues::Texts { codes: folders, entries: names }, KeyValues::Texts { codes: agents, entries: ids }] => {
                Ok(Self { partials, figures, folders: (folders, names), agents: (agents, ids) })
            }
            keys => Err(Error::Unknown { what: "keys of folder cells", name: format!("{} keys", keys.len()) }),
        }
    }

    /// Returns the cells by day, folder and agent. Calls without a folder precede the folders of their day.
    fn sorted(&self, limits: AnswerLimits<'_>) -> Result<Vec<u32>> {
        let days = SortValues::Ints(Box::new(|cell| i64::from(self.partials.bins[cell as usize])));
        let (folder_ranks, agent_ranks) = (TextRanks::new(self.folders.1), TextRanks::new(self.agents.1));
        let folders = SortValues::Texts(Box::new(|cell| self.folders.0[cell as usize]), &folder_ranks);
        let agents = SortValues::Texts(Box::new(|cell| self.agents.0[cell as usize]), &agent_ranks);
        let columns = [days, folders, agents].map(|values| SortColumn::new(values, SortOrder::AbsentFirst));
        first_rows(self.partials.sums.len(), &columns, usize::MAX, limits)
    }

    /// Returns what the cells of one row have in common: day and folder.
    fn row_of(&self, cell: u32) -> (u32, u32) {
        (self.partials.bins[cell as usize], self.folders.0[cell as usize])
    }

    /// Appends the fields of a `FolderStatsRow`: those of the folder, and its agents.
    fn put_row(&self, cells: &[u32], date: &str, out: &mut AnswerWriter<'_>) -> Result<()> {
        let (sums, folder) = (self.sum(cells)?, self.folders.0[cells[0] as usize]);
        out.put_fields(|out| {
            put_bytes(row_tags::DATE, date.as_bytes(), out);
            put_bytes(row_tags::FOLDER, self.folders.1[folder as usize].as_bytes(), out);
            put_int64(row_tags::CALL_COUNT, sums[0], out);
            if self.figures.answers {
                put_int64(row_tags::ANSWERED_COUNT, sums[1], out);
            }
            if self.figures.durations {
                put_int64(row_tags::DURATION_MS, sums[2], out);
                put_double(row_tags::AVERAGE_DURATION_SECONDS, seconds_per_call(sums[2], sums[1]), out);
            }
        });
        let mut with_agent = cells.iter().map(|&cell| cell as usize).filter(|&cell| self.agents.0[cell] != 0);
        with_agent.try_for_each(|cell| out.put_message(row_tags::AGENTS, |out| self.put_agent(cell, out)))
    }

    /// Appends the fields of a `FolderAgentStats`.
    fn put_agent(&self, cell: usize, out: &mut Vec<u8>) {
        let (sums, agent) = (self.partials.sums[cell], self.agents.0[cell]);
        put_bytes(agent_tags::AGENT_ID, self.agents.1[agent as usize].as_bytes(), out);
        put_int64(agent_tags::CALL_COUNT, sums[0], out);
        if self.figures.answers {
            put_int64(agent_tags::ANSWERED_COUNT, sums[1], out);
        }
        if self.figures.durations {
            put_int64(agent_tags::DURATION_MS, sums[2], out);
            put_double(agent_tags::AVERAGE_DURATION_SECONDS, seconds_per_call(sums[2], sums[1]), out);
        }
    }

    fn sum(&self, cells: &[u32]) -> Result<Sums> {
        let mut total = Sums::default();
        cells.iter().try_for_each(|&cell| add(&mut total, self.partials.sums[cell as usize]))?;
        Ok(total)
    }
}
