//! Columns of a slice by name: the fields of the records, and columns that are derived from them
//! (`duration_ms`, the rates of a code deck, and derived keys).

use std::sync::Arc;

use super::Scan;
use super::code_deck::{CodeDeck, CodeDeckColumn};
use super::group_verdicts::GroupVerdicts;
use super::kept_verdicts::KeptVerdicts;
use super::key::{DerivedValues, Key};
use super::predicate::Predicate;
use crate::cancellation::CancelToken;
use crate::columns::call_duration::CallDurations;
use crate::columns::dictionary::{DictionaryCodes, DictionaryColumn, EntryOrder, NO_CODE, Texts};
use crate::columns::integer::{ColumnStats, IntValues, UNKNOWN_STATS};
use crate::columns::slice::{AccountsOfRows, RecordSlice};
use crate::error::{Error, Result};
use crate::memory::{QueryMemory, Reservation};
use crate::record::schema::{ABSENT, ColumnKind, default_of, dictionary_slot, field, text_slot};

/// One column of a slice.
#[derive(Clone, Copy)]
#[allow(missing_docs)] // The variants say what their fields are.
pub enum Column<'a> {
    /// Integers. An absent one counts as `default`, which is [`ABSENT`] if the field has no default.
    Int { values: IntValues<'a>, stats: ColumnStats, default: i64 },
    /// `duration_ms`, derived from answer and end time.
    Duration(CallDurations<'a>),
    /// Texts as codes into a dictionary.
    Dictionary(DictionaryColumn<'a>),
    /// Texts without a dictionary.
    Text(&'a dyn Texts),
}

impl<'a> Column<'a> {
    /// The integer of a row, [`ABSENT`] without one, or if the column has texts.
    pub(super) fn int(&self, row: usize) -> i64 {
        match self {
            Self::Int { values, default, .. } => match values.get(row) {
                ABSENT => *default,
                value => value,
            },
            Self::Duration(durations) => durations.get(row).1,
            Self::Dictionary(_) | Self::Text(_) => ABSENT,
        }
    }

    /// The text of a row, "" without one, or if the column has integers.
    pub(super) fn text(&self, row: usize) -> &'a str {
        match self {
            Self::Dictionary(column) => column.text(row),
            Self::Text(texts) => texts.get(row),
            Self::Int { .. } | Self::Duration(_) => "",
        }
    }
}

/// The columns of one slice. With a code deck, its rates replace those that the records carry.
pub struct SliceColumns<'a> {
    slice: &'a RecordSlice<'a>,
    deck: Option<CodeDeckColumns<'a>>,
    /// Values of the derived keys of the scan.
    derived: Vec<(&'a Key, DerivedValues<'a>)>,
    /// Of the rows of a rollup, the values of all keys that it has.
    given: Vec<(&'a Key, Column<'a>)>,
    /// Where verdicts on the texts of the slice are kept.
    kept_verdicts: Option<&'a KeptVerdicts>,
    /// Holds the memory of the entries, of the derived values, and of verdicts on groups.
    _memory: Vec<Reservation>,
}

/// The rates of the code deck for both legs of each row, as dictionary-encoded columns: the index of the
/// deck's entry is the code, and the texts of the entries are the dictionary.
struct CodeDeckColumns<'a> {
    orig_entries: Vec<i32>,
    term_entries: Vec<i32>,
    texts: [(&'static str, CodeDeckColumn<'a>); 3],
}

impl<'a> SliceColumns<'a> {
    /// The columns of a slice without a code deck and without derived keys.
    pub fn of_records(slice: &'a RecordSlice<'a>) -> Self {
        Self { slice, deck: None, derived: Vec::new(), given: Vec::new(), kept_verdicts: None, _memory: Vec::new() }
    }

    /// The columns of the rows of a rollup, which has the values of these keys.
    pub fn of_keys(slice: &'a RecordSlice<'a>, given: Vec<(&'a Key, Column<'a>)>) -> Self {
        Self { given, ..Self::of_records(slice) }
    }

    /// The columns of a slice for a scan. If the scan reads rates of a code deck, looks up the dialled numbers of all rows.
    ///
    /// # Errors
    /// A memory limit of the scan, those of [`CancelToken::check`], or of [`DerivedValues::new`].
    pub fn new<M>(scan: &Scan<'a, M>, slice: &'a RecordSlice<'a>) -> Result<Self> {
        let (mut columns, rows) = (Self::of_records(slice), slice.rows.end);
        let keys = scan.derived_keys();
        let deck = scan.deck.filter(|_| scan.reads_deck_rates());
        let deck_bytes = if deck.is_some() { 2 * rows * size_of::<i32>() } else { 0 };
        let bytes = deck_bytes + keys.iter().map(|key| DerivedValues::bytes(key, rows)).sum::<usize>();
        columns.hold(bytes, scan.memory)?;
        columns.deck = deck.map(|deck| CodeDeckColumns::new(slice, deck, scan.cancel)).transpose()?;
        for key in keys {
            scan.cancel.check()?;
            let values = DerivedValues::new(key, slice, scan.deck, record_column(slice, key.source())?)?;
            columns.derived.push((key, values));
        }
        let lists = || scan.predicates.iter().flat_map(Predicate::group_lists);
        let verdict_bytes = lists().map(|(keys, groups)| GroupVerdicts::bytes(keys, groups, &columns)).sum::<Result<_>>()?;
        columns.hold(verdict_bytes, scan.memory)?;
        Ok(columns)
    }

    /// The same, with the verdicts that are kept of the segment of the slice.
    pub fn with_verdicts(self, kept: &'a KeptVerdicts) -> Self {
        Self { kept_verdicts: Some(kept), ..self }
    }

    fn hold(&mut self, bytes: usize, memory: &Arc<QueryMemory>) -> Result<()> {
        if bytes > 0 {
            self._memory.push(memory.reserve(bytes)?);
        }
        Ok(())
    }

    /// Where verdicts on the texts of the columns are kept; `None` if some of them are those of a code deck.
    pub(super) fn kept_verdicts(&self) -> Option<&'a KeptVerdicts> {
        self.kept_verdicts.filter(|_| self.deck.is_none())
    }

    /// The slice.
    pub fn slice(&self) -> &'a RecordSlice<'a> {
        self.slice
    }

    /// The account of all rows, "" if it is absent, if they are known to have the same.
    pub fn account(&self) -> Option<&'a str> {
        match self.slice.accounts {
            AccountsOfRows::Any => None,
            AccountsOfRows::One(code) => Some(self.slice.fields.dictionaries[dictionary_slot::ACCOUNT_ID].entries.get(code)),
            AccountsOfRows::Absent => Some(""),
        }
    }

    /// Returns a column by name.
    ///
    /// # Errors
    /// `Unknown` if records do not have such a column.
    pub fn get(&self, name: &str) -> Result<Column<'_>> {
        if let Some(column) = self.deck.as_ref().and_then(|deck| deck.get(name)) {
            return Ok(Column::Dictionary(column));
        }
        let is_named = |key: &Key| matches!(key, Key::Column(column) if column == name);
        match self.given.iter().find(|(key, _)| is_named(key)) {
            Some((_, column)) => Ok(*column),
            None if self.given.is_empty() => record_column(self.slice, name),
            None => Err(Error::Unknown { what: "column of the rollup", name: name.to_owned() }),
        }
    }

    /// Returns the values of a key of the scan.
    ///
    /// # Errors
    /// As [`SliceColumns::get`].
    pub fn key(&self, key: &Key) -> Result<Column<'_>> {
        if let Some((_, column)) = self.given.iter().find(|(given, _)| *given == key) {
            return Ok(*column);
        }
        match self.derived.iter().find(|(derived, _)| *derived == key) {
            Some((_, values)) => Ok(values.column()),
            None if key.is_derived() => Err(Error::Unknown { what: "derived key of the scan", name: format!("{key:?}") }),
            None => self.get(key.source()),
        }
    }
}

/// Returns a column of the records of a slice.
fn record_column<'a>(slice: &'a RecordSlice<'a>, name: &str) -> Result<Column<'a>> {
    match name {
        "duration_ms" => return Ok(Column::Duration(slice.durations)),
        "received_time" => {
            let (values, stats) = (IntValues::I64(slice.received_us), slice.received_stats);
            return Ok(Column::Int { values, stats, default: ABSENT });
        }
        _ => {}
    }
    let field = field(name).ok_or_else(|| Error::Unknown { what: "column", name: name.to_owned() })?;
    Ok(match field.field_type.column_kind() {
        ColumnKind::Dictionary => Column::Dictionary(slice.fields.dictionaries[field.slot]),
        ColumnKind::Text => Column::Text(slice.fields.texts[field.slot]),
        ColumnKind::Int => Column::Int {
            values: slice.fields.ints[field.slot],
            stats: slice.column_stats.map_or(UNKNOWN_STATS, |column_stats| column_stats[field.slot]),
            default: default_of(field.slot),
        },
    })
}

/// Whether a code deck replaces a column of records.
pub(super) fn is_deck_rate(name: &str) -> bool {
    let rate = name.strip_prefix("orig_").or_else(|| name.strip_prefix("term_"));
    rate.is_some_and(|rate| DECK_RATES.contains(&rate))
}

/// The columns of a code deck, by their names without the leg.
const DECK_RATES: [&str; 3] = ["rates_code", "rates_code_name", "rates_country"];

impl<'a> CodeDeckColumns<'a> {
    fn new(slice: &RecordSlice<'_>, deck: &'a CodeDeck, cancel: &CancelToken) -> Result<Self> {
        Ok(Self {
            orig_entries: entries_of_rows(slice, text_slot::ORIG_DST_PARTY_ID, deck, cancel)?,
            term_entries: entries_of_rows(slice, text_slot::TERM_DST_PARTY_ID, deck, cancel)?,
            texts: DECK_RATES.map(|name| (name, deck.column(name))),
        })
    }

    fn get(&self, name: &str) -> Option<DictionaryColumn<'_>> {
        let (entry_of_row, column) = match name.split_at_checked(5)? {
            ("orig_", column) => (&self.orig_entries, column),
            ("term_", column) => (&self.term_entries, column),
            _ => return None,
        };
        let (_, texts) = self.texts.iter().find(|(name, _)| *name == column)?;
        Some(DictionaryColumn { codes: DictionaryCodes::I32(entry_of_row), entries: texts, order: EntryOrder::Any })
    }
}

/// The deck's entry for the dialled number of each row, [`NO_CODE`] if none matches. The list begins at row 0
/// of the columns, so that it can be indexed by row; rows before the slice are not looked up.
fn entries_of_rows(slice: &RecordSlice<'_>, slot: usize, deck: &CodeDeck, cancel: &CancelToken) -> Result<Vec<i32>> {
    let dialled = slice.fields.texts[slot];
    let mut entries = vec![NO_CODE; slice.rows.end];
    for (entry, row) in entries[slice.rows.start..].iter_mut().zip(slice.rows.clone()) {
        cancel.check_at(row)?;
        *entry = deck.find(dialled.get(row)).map_or(NO_CODE, |entry| entry as i32);
    }
    Ok(entries)
}
