//! Columns of a slice by name: the fields of the records, and columns that are derived from them
//! (`duration_ms`, and the rates of a code deck).

use super::Scan;
use super::code_deck::{CodeDeck, CodeDeckColumn};
use crate::cancellation::CancelToken;
use crate::columns::call_duration::CallDurations;
use crate::columns::dictionary::{DictionaryCodes, DictionaryColumn, EntryOrder, NO_CODE, Texts};
use crate::columns::integer::{ColumnStats, IntValues, UNKNOWN_STATS};
use crate::columns::slice::{AccountsOfRows, RecordSlice};
use crate::error::{Error, Result};
use crate::memory::Reservation;
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

/// The columns of one slice. With a code deck, its rates replace those that the records carry.
pub struct SliceColumns<'a> {
    slice: &'a RecordSlice<'a>,
    deck: Option<CodeDeckColumns<'a>>,
    /// Holds the memory of the entries.
    _memory: Option<Reservation>,
}

/// The rates of the code deck for both legs of each row, as dictionary-encoded columns: the index of the
/// deck's entry is the code, and the texts of the entries are the dictionary.
struct CodeDeckColumns<'a> {
    orig_entries: Vec<i32>,
    term_entries: Vec<i32>,
    texts: [(&'static str, CodeDeckColumn<'a>); 3],
}

impl<'a> SliceColumns<'a> {
    /// The columns of a slice without a code deck.
    pub fn of_records(slice: &'a RecordSlice<'a>) -> Self {
        Self { slice, deck: None, _memory: None }
    }

    /// The columns of a slice for a scan. If the scan has a code deck, looks up the dialled numbers of all rows.
    ///
    /// # Errors
    /// A memory limit of the scan, or those of [`CancelToken::check`].
    pub fn new(scan: &Scan<'a>, slice: &'a RecordSlice<'a>) -> Result<Self> {
        let Some(deck) = scan.deck else { return Ok(Self::of_records(slice)) };
        let memory = scan.memory.reserve(2 * slice.rows.end * size_of::<i32>())?;
        let deck = CodeDeckColumns {
            orig_entries: entries_of_rows(slice, text_slot::ORIG_DST_PARTY_ID, deck, scan.cancel)?,
            term_entries: entries_of_rows(slice, text_slot::TERM_DST_PARTY_ID, deck, scan.cancel)?,
            texts: ["rates_code", "rates_code_name", "rates_country"].map(|name| (name, deck.column(name))),
        };
        Ok(Self { slice, deck: Some(deck), _memory: Some(memory) })
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
        let slice = self.slice;
        match name {
            "duration_ms" => return Ok(Column::Duration(slice.durations)),
            "received_time" => {
                return Ok(Column::Int {
                    values: IntValues::I64(slice.received_us),
                    stats: slice.received_stats,
                    default: ABSENT,
                });
            }
            _ => {}
        }
        if let Some(column) = self.deck.as_ref().and_then(|deck| deck.get(name)) {
            return Ok(Column::Dictionary(column));
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
}

impl CodeDeckColumns<'_> {
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
