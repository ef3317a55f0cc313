//! Values of `pegcount.model` as the core takes them: read by their attributes, never by position.

use std::sync::Arc;
use std::time::Duration;

use pyo3::types::PyDict;
use pyo3::{buffer::PyBuffer, prelude::*};

use super::code_deck::CodeDeck;
use super::traffic::KeyArgument;
use crate::durable::group_commit::CommitLimits;
use crate::durable::required_files::{ContentStatus, FileStatus, RequiredFile};
use crate::error::Error;
use crate::memory::{MemoryLimits, QueryMemory};
use crate::record::masked::masked;
use crate::response::OrderTerm;
use crate::scan::predicate::{KeyValue, Network, Predicate, TextMatch};
use crate::scan::{Key, Measure, Scan, ScanResources};
use crate::time_text::UtcOffsets;
use crate::tuning::Tuning;
use crate::wire::BatchLimits;
use crate::{cancellation, record};

/// The cancellation token of one call.
#[pyclass(frozen)]
pub struct CancelToken(pub Arc<cancellation::CancelToken>);

/// A `model.Predicate`; the variant is the first whose attributes fit. The most frequent come first, as each
/// one that does not fit takes about 0.4 µs: Python makes an exception.
#[derive(FromPyObject)]
pub enum PredicateArgument {
    Present { column: String, wanted: bool },
    OneOfInts { column: String, values: Vec<i64>, or_absent: bool },
    OneOfTexts { column: String, values: Vec<String>, or_absent: bool },
    Between { column: String, low: i64, high: i64 },
    TextMatch { column: String, how: String, text: String },
    InNetwork { column: String, network: String },
    OneOfPairs { column: String, second_column: String, pairs: Vec<(String, Option<String>)> },
    InGroups { keys: Vec<KeyArgument>, groups: Vec<Vec<Option<KeyValueArgument>>> },
    AnyOf { conditions: Vec<PredicateArgument> },
    Not { condition: BoxedPredicate },
}

/// A condition within another one.
pub struct BoxedPredicate(Box<PredicateArgument>);

/// A value of a key, which is not absent.
#[derive(FromPyObject)]
pub enum KeyValueArgument {
    Int(i64),
    Text(String),
}

impl<'a, 'py> FromPyObject<'a, 'py> for BoxedPredicate {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        Ok(Self(Box::new(object.extract()?)))
    }
}

/// A `model.OrderTerm`.
#[derive(FromPyObject)]
pub struct OrderArgument {
    name: String,
    descending: bool,
}

/// A `model.Measure`.
#[derive(FromPyObject)]
struct MeasureArgument {
    name: String,
    as_of_us: i64,
}

/// A `model.Scan`.
#[derive(FromPyObject)]
pub struct ScanArgument {
    edge_us: Option<PyBuffer<i64>>,
    predicates: Vec<PredicateArgument>,
    keys: Vec<String>,
    measure: MeasureArgument,
}

/// A `core.RequiredFile`.
#[derive(FromPyObject)]
pub struct RequiredFileArgument {
    name: String,
    identity: (u64, u64),
    content: Option<(u64, i64)>,
}

/// A `zone.Zone`.
#[derive(FromPyObject)]
pub struct ZoneArgument {
    change_us: PyBuffer<i64>,
    offset_s: PyBuffer<i32>,
}

/// A scan that no longer borrows from Python.
pub struct OwnedScan {
    edges: Option<Vec<i64>>,
    predicates: Vec<Predicate>,
    keys: Vec<Key>,
    measure: Measure,
}

/// The offsets of a zone that no longer borrow from Python.
pub struct OwnedOffsets {
    change_us: Vec<i64>,
    offset_s: Vec<i32>,
}

#[pymethods]
impl CancelToken {
    #[new]
    fn new(limit_seconds: Option<f64>) -> Self {
        let limit = limit_seconds.map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO));
        Self(Arc::new(cancellation::CancelToken::with_limit(limit)))
    }

    fn cancel(&self) {
        self.0.cancel();
    }

    fn check(&self) -> PyResult<()> {
        Ok(self.0.check()?)
    }
}

impl ScanArgument {
    /// Copies the values out of Python's buffers, so that they can be read without the GIL.
    pub fn resolve(self, py: Python<'_>) -> PyResult<OwnedScan> {
        let edges = self.edge_us.map(|edges| edges.to_vec(py)).transpose()?;
        let (predicates, measure) = (predicates(self.predicates)?, self.measure.try_into()?);
        Ok(OwnedScan { edges, predicates, keys: Key::columns(&self.keys), measure })
    }
}

impl From<RequiredFileArgument> for RequiredFile {
    fn from(file: RequiredFileArgument) -> Self {
        let content = file.content.map(|(bytes_min, modified_ns)| ContentStatus { bytes_min, modified_ns });
        Self { name: file.name, status: FileStatus { identity: file.identity, content } }
    }
}

impl OwnedScan {
    /// Borrows the scan, with the caller's code deck, cell limit, cancellation token and memory.
    pub fn borrow<'a>(
        &'a self, deck: Option<&'a CodeDeck>, cell_count_max: usize, cancel: &'a CancelToken, memory: &'a Arc<QueryMemory>,
        resources: &'a ScanResources,
    ) -> Scan<'a> {
        Scan {
            edges: self.edges.as_deref(),
            predicates: &self.predicates,
            keys: &self.keys,
            measure: self.measure,
            deck: deck.map(|deck| deck.0.as_ref()),
            cell_count_max,
            cancel: &cancel.0,
            memory,
            resources,
        }
    }
}

impl ZoneArgument {
    /// Copies the values out of Python's buffers, so that they can be read without the GIL.
    pub fn resolve(self, py: Python<'_>) -> PyResult<OwnedOffsets> {
        Ok(OwnedOffsets { change_us: self.change_us.to_vec(py)?, offset_s: self.offset_s.to_vec(py)? })
    }
}

impl OwnedOffsets {
    /// Borrows the offsets for formatting times.
    pub fn offsets(&self) -> UtcOffsets<'_> {
        UtcOffsets { change_us: &self.change_us, offset_s: &self.offset_s }
    }
}

impl From<OrderArgument> for OrderTerm {
    fn from(argument: OrderArgument) -> Self {
        Self { name: argument.name, descending: argument.descending }
    }
}

impl TryFrom<MeasureArgument> for Measure {
    type Error = Error;

    fn try_from(argument: MeasureArgument) -> Result<Self, Error> {
        match argument.name.as_str() {
            "sessions" => Ok(Self::Sessions),
            "calls" => Ok(Self::Calls),
            "elapsed" => Ok(Self::Elapsed { as_of_us: argument.as_of_us }),
            _ => Err(Error::Unknown { what: "measure", name: argument.name }),
        }
    }
}

impl TryFrom<PredicateArgument> for Predicate {
    type Error = Error;

    fn try_from(argument: PredicateArgument) -> Result<Self, Error> {
        Ok(match argument {
            PredicateArgument::Between { column, low, high } => Self::Between { column, low, high },
            PredicateArgument::OneOfInts { column, values, or_absent } => Self::one_of_ints(column, values, or_absent),
            PredicateArgument::OneOfTexts { column, values, or_absent } => Self::one_of_texts(column, values, or_absent),
            PredicateArgument::TextMatch { column, how, text } => Self::Text { column, how: TextMatch::named(&how)?, text },
            PredicateArgument::InNetwork { column, network } => {
                let unknown = || Error::Unknown { what: "network", name: masked(&network) };
                Self::InNetwork { column, network: Network::parse(&network).ok_or_else(unknown)? }
            }
            PredicateArgument::Present { column, wanted } => Self::Present { column, wanted },
            PredicateArgument::OneOfPairs { column, second_column, pairs } => Self::text_pairs([column, second_column], pairs),
            PredicateArgument::InGroups { keys, groups } => {
                let value = |value: Option<KeyValueArgument>| value.map_or(KeyValue::Absent, Into::into);
                let groups = groups.into_iter().map(|group| group.into_iter().map(value).collect()).collect();
                Self::InGroups { keys: keys.into_iter().map(Key::try_from).collect::<Result<_, _>>()?, groups }
            }
            PredicateArgument::AnyOf { conditions } => Self::AnyOf(predicates(conditions)?),
            PredicateArgument::Not { condition } => Self::Not(Box::new((*condition.0).try_into()?)),
        })
    }
}

impl From<KeyValueArgument> for KeyValue<'static> {
    fn from(value: KeyValueArgument) -> Self {
        match value {
            KeyValueArgument::Int(value) => Self::Int(value),
            KeyValueArgument::Text(text) => Self::Text(text.into()),
        }
    }
}

/// The predicates of a scan.
///
/// # Errors
/// `Unknown` for a comparison or network that the core does not know.
pub fn predicates(arguments: Vec<PredicateArgument>) -> Result<Vec<Predicate>, Error> {
    arguments.into_iter().map(Predicate::try_from).collect()
}

/// Reads the limits of a commit from a `config.Config`.
///
/// # Errors
/// As [`tuning`].
pub fn commit_limits(config: &Bound<'_, PyAny>) -> PyResult<CommitLimits> {
    Ok(CommitLimits {
        batch: BatchLimits {
            rows: config.getattr("batch_row_count_max")?.extract()?,
            id_bytes: config.getattr("batch_id_bytes_max")?.extract()?,
        },
        call_seconds: config.getattr("call_seconds_max")?.extract()?,
        waiting_bytes: config.getattr("waiting_bytes_max")?.extract()?,
        counted_sources: config.getattr("counted_source_count_max")?.extract()?,
    })
}

/// Reads the limits of the memory of queries from a `config.Config`.
///
/// # Errors
/// As [`tuning`].
pub fn memory_limits(config: &Bound<'_, PyAny>) -> PyResult<MemoryLimits> {
    Ok(MemoryLimits {
        query_bytes_max: config.getattr("query_memory_bytes_max")?.extract()?,
        total_bytes_max: config.getattr("query_memory_bytes_total_max")?.extract()?,
    })
}

/// Calls a macro with the fields of [`Tuning`], so that reading and writing share one list.
macro_rules! with_tuning_fields {
    ($macro:ident) => {
        $macro!(
            account_row_count_estimate,
            batch_dictionary_row_count_min,
            commit_group_bytes,
            compaction_segment_count_min,
            compaction_size_ratio_max,
            compaction_small_row_count_max,
            compaction_tombstone_percent_max,
            delegated_row_count_min,
            direct_id_slot_count_max,
            direct_id_slots_per_row_max,
            gil_release_cell_count_min,
            helper_niceness,
            helper_thread_count,
            histogram_row_count_min,
            interner_entry_count_min,
            lanes_row_count_min,
            mask_rows_per_selected_max,
            offset_stats_span_max,
            parallel_row_count_min,
            pooled_id_slot_count_min,
            pooled_id_table_count_max,
            record_versions_bytes_max,
            rollup_bytes_max,
            rollup_cell_count_max,
            rollup_rows_per_row_min,
            segment_sync_bytes,
            snapshot_file_row_count_max,
            locked_scan_value_count_max,
            copy_step_value_count,
            memtable_step_row_count,
            task_row_count_max,
            text_garbage_bytes_min,
            traffic_rollup_bytes_max,
            trial_write_bytes_min,
            watched_directory_count_max,
        )
    };
}

/// Reads a `config.Tuning` by its attributes; it may have more than the core needs.
///
/// # Errors
/// AttributeError, or TypeError or OverflowError for a value that is not a count.
pub fn tuning(object: &Bound<'_, PyAny>) -> PyResult<Tuning> {
    macro_rules! read {
        ($($field:ident),* $(,)?) => { Tuning { $($field: object.getattr(stringify!($field))?.extract()?),* } };
    }
    Ok(with_tuning_fields!(read))
}

/// The core's own defaults, by name.
#[pyfunction]
pub fn tuning_defaults(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let (tuning, values) = (Tuning::default(), PyDict::new(py));
    macro_rules! write {
        ($($field:ident),* $(,)?) => { $(values.set_item(stringify!($field), tuning.$field)?;)* };
    }
    with_tuning_fields!(write);
    Ok(values)
}

/// Names of the fields of a record, in the order of their tags.
#[pyfunction]
pub fn record_fields() -> Vec<&'static str> {
    record::schema::FIELDS.iter().map(|field| field.name).collect()
}
