//! Folder statistics: calls per day and folder, with the agents of each folder.
//!
//! Rows are sorted by day and folder, agents by id: the order of the `BTreeMap`s that cells are added up in.

use std::collections::BTreeMap;

use prost::Message;

use super::ratio::seconds_per_call;
use crate::columns::sums::{Sums, add};
use crate::error::{Error, Result};
use crate::scan::{KeyValues, Partials};
use crate::time_text::UtcOffsets;
use crate::wire::v1::{FolderAgentStats, FolderStatsRow, FolderStatsTotals, QueryFolderStatsResponse};

/// Sums of a row, and of its agents.
#[derive(Default)]
struct FolderSums<'a> {
    sums: Sums,
    agents: BTreeMap<&'a str, Sums>,
}

/// Returns a `QueryFolderStatsResponse` with rows and totals, encoded.
///
/// The bins of `partials` are days, with `edges` in microseconds UTC; its group keys are folder and agent.
/// Calls without an agent count for the folder alone.
///
/// # Errors
/// `Unknown` if the group keys are not two text columns; `SumOverflow`.
pub fn build_folder_response(partials: &Partials, edges: &[i64], offsets: &UtcOffsets<'_>) -> Result<Vec<u8>> {
    let [folders @ KeyValues::Texts { .. }, agents @ KeyValues::Texts { .. }] = partials.keys.as_slice() else {
        return Err(Error::Unknown { what: "keys of folder cells", name: format!("{} keys", partials.keys.len()) });
    };
    let mut rows: BTreeMap<(u32, &str), FolderSums<'_>> = BTreeMap::new();
    let mut total = Sums::default();
    for (cell, &sums) in partials.sums.iter().enumerate() {
        let row = rows.entry((partials.bins[cell], folders.text(cell))).or_default();
        add(&mut row.sums, sums)?;
        add(&mut total, sums)?;
        if !agents.text(cell).is_empty() {
            add(row.agents.entry(agents.text(cell)).or_default(), sums)?;
        }
    }
    let rows = rows.into_iter().map(|((bin, folder), row)| folder_row(offsets.local_date(edges[bin as usize]), folder, &row));
    let totals = FolderStatsTotals {
        call_count: Some(total[0]),
        answered_count: Some(total[1]),
        duration_ms: Some(total[2]),
        average_duration_seconds: seconds_per_call(total[2], total[1]),
    };
    Ok(QueryFolderStatsResponse { rows: rows.collect(), totals: Some(totals), ..Default::default() }.encode_to_vec())
}

fn folder_row(date: String, folder: &str, row: &FolderSums<'_>) -> FolderStatsRow {
    let agents = row.agents.iter().map(|(agent, sums)| FolderAgentStats {
        agent_id: Some((*agent).to_owned()),
        call_count: Some(sums[0]),
        answered_count: Some(sums[1]),
        duration_ms: Some(sums[2]),
        average_duration_seconds: seconds_per_call(sums[2], sums[1]),
    });
    FolderStatsRow {
        date: Some(date),
        folder: Some(folder.to_owned()),
        call_count: Some(row.sums[0]),
        answered_count: Some(row.sums[1]),
        duration_ms: Some(row.sums[2]),
        average_duration_seconds: seconds_per_call(row.sums[2], row.sums[1]),
        agents: agents.collect(),
    }
}
