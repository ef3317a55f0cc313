//! Every constant that trades speed for memory or work; none changes a figure.
//!
//! A store gets its own copy and shares nothing with other stores of the process. Sizes that are array
//! lengths (a chunk, a minute lane) stay constants beside their loops, because the compiler needs them.
//! `pegcount.config.Tuning` has these fields with the same defaults, and further ones; tests/test_core.py
//! compares them.

/// Names contain their unit (row, byte, cell, slot, entry). `_min`: from this value on; `_max`: up to this
/// value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// Rows of a batch from which its repeating texts are dictionary-encoded in the journal. A dictionary takes some 300
    /// bytes of its own.
    pub batch_dictionary_row_count_min: usize,
    /// Bytes of batches that one group commit writes with one `fdatasync`.
    pub commit_group_bytes: usize,
    /// Entries from which an interner of a memtable drops the ones that no row uses, once it has more than
    /// two entries per row.
    pub interner_entry_count_min: usize,
    /// Bytes of removed texts from which a text column drops them, once they are more than half of it.
    pub text_garbage_bytes_min: usize,
    /// Rows of a chunk per selected row up to which a selection is a mask; with fewer selected rows it is a list.
    pub mask_rows_per_selected_max: usize,
    /// Rows of a slice from which bins are added up from a minute histogram. Below, a binary search per row is cheaper than
    /// adding up 1,440 minutes.
    pub histogram_row_count_min: usize,
    /// Rows of a slice from which the histogram uses lanes. Below, adding row by row is cheaper than flushing the lanes,
    /// which touches 64 KiB.
    pub lanes_row_count_min: usize,
    /// Span of a key column, by its min/max statistics, below which these serve as the range of its offsets;
    /// from it on, the rows are searched for their own least and greatest value.
    pub offset_stats_span_max: usize,
    /// Slots that a direct table of dense ids may have, 4 bytes each.
    pub direct_id_slot_count_max: usize,
    /// Slots that a direct table may have per row. Clearing more costs more than hashing the rows.
    pub direct_id_slots_per_row_max: usize,
    /// Direct tables that the pool of a store holds for the next scan.
    pub pooled_id_table_count_max: usize,
    /// Slots from which a direct table is pooled. Below, zeroing a new one is cheaper than taking the lock of the pool.
    pub pooled_id_slot_count_min: usize,
    /// Rows of a scan from which helper threads take part. Fewer are scanned before a helper wakes up.
    pub parallel_row_count_min: usize,
    /// Rows of a scan of segments from which helper threads run it alone, at low priority.
    pub delegated_row_count_min: usize,
    /// Rows of one task of a memtable.
    pub task_row_count_max: usize,
    /// Estimated rows that a scan of one account reads in one segment, including the cost of finding it.
    pub account_row_count_estimate: usize,
    /// Helper threads; 0 is one per core. A single one is not started.
    pub helper_thread_count: usize,
    /// Niceness of a helper thread on Linux; 0 is normal, 19 the lowest priority.
    pub helper_niceness: i32,
    /// Bytes of the versions and parts of one record from which more of them are rejected.
    pub record_versions_bytes_max: usize,
    /// Bytes of all rollups of the four reports; beyond, scans read the rows of segments.
    pub rollup_bytes_max: usize,
    /// Bytes of all rollups of traffic scans; beyond, those go that were used least recently.
    pub traffic_rollup_bytes_max: usize,
    /// Rows of a segment per row of a rollup from which the rollup is stored.
    pub rollup_rows_per_row_min: usize,
    /// Maximum cells of the scan that builds a rollup; with more, scans read the rows of the segment.
    pub rollup_cell_count_max: usize,
    /// Values (rows times columns, texts and group keys count several times) that a scan reads of mutable memtables while it
    /// has their lock. A scan of more values copies them first.
    pub locked_scan_value_count_max: usize,
    /// Values of a memtable that a scan copies each time it takes the lock.
    pub copy_step_value_count: usize,
    /// Rows of a memtable that are copied for the active snapshot, or looked at for those of dropped days, each time the
    /// lock is taken.
    pub memtable_step_row_count: usize,
    /// Rows of one file of the active snapshot.
    pub snapshot_file_row_count_max: usize,
    /// Least number of segments of one compaction.
    pub compaction_segment_count_min: usize,
    /// Total rows of a tier up to which two segments suffice.
    pub compaction_small_row_count_max: usize,
    /// Size ratio of a tier: from its third segment on, each has at most this multiple of the rows of all smaller ones.
    pub compaction_size_ratio_max: usize,
    /// Percentage of rows with a tombstone above which a segment is rewritten alone.
    pub compaction_tombstone_percent_max: usize,
    /// Bytes of a new segment between two syncs. One sync of the whole file would delay the syncs of the
    /// journal.
    pub segment_sync_bytes: usize,
    /// Least bytes of the trial write that ends a fault of the journal: about one batch of a few thousand records.
    pub trial_write_bytes_min: usize,
    /// Directories of segments, one per day, that a store has watched for changes. Each report looks at the files that
    /// it reads in further ones, which takes 1 to 2 µs each; with 0, in all of them.
    pub watched_directory_count_max: usize,
    /// Cells of a result from which building the response releases the GIL. Below, releasing and taking it costs more.
    pub gil_release_cell_count_min: usize,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            batch_dictionary_row_count_min: 32,
            commit_group_bytes: 8 << 20,
            interner_entry_count_min: 1 << 14,
            text_garbage_bytes_min: 1 << 16,
            mask_rows_per_selected_max: 8,
            histogram_row_count_min: 1 << 8,
            lanes_row_count_min: 1 << 13,
            offset_stats_span_max: 1 << 12,
            direct_id_slot_count_max: 1 << 22,
            direct_id_slots_per_row_max: 16,
            pooled_id_table_count_max: 4,
            pooled_id_slot_count_min: 1 << 12,
            parallel_row_count_min: 1 << 16,
            delegated_row_count_min: 1 << 22,
            task_row_count_max: 1 << 18,
            account_row_count_estimate: 1 << 13,
            helper_thread_count: 0,
            helper_niceness: 15,
            record_versions_bytes_max: 512 << 10,
            rollup_bytes_max: 512 << 20,
            traffic_rollup_bytes_max: 256 << 20,
            rollup_rows_per_row_min: 8,
            rollup_cell_count_max: 1 << 20,
            locked_scan_value_count_max: 1 << 25,
            copy_step_value_count: 1 << 18,
            memtable_step_row_count: 1_024,
            snapshot_file_row_count_max: 1 << 16,
            compaction_segment_count_min: 3,
            compaction_small_row_count_max: 1 << 14,
            compaction_size_ratio_max: 2,
            compaction_tombstone_percent_max: 25,
            segment_sync_bytes: 4 << 20,
            trial_write_bytes_min: 1 << 20,
            watched_directory_count_max: 1 << 12,
            gil_release_cell_count_min: 1 << 11,
        }
    }
}
