//! The values of the rows of a slice, read from its columns.

use super::loaded_rows::load;
use super::measure::{Condition, RowValue, TrafficMeasure};
use crate::columns::call_duration::CallDurations;
use crate::columns::dictionary::{CodeWidth, DictionaryColumn};
use crate::columns::integer::IntValues;
use crate::columns::slice::RecordSlice;
use crate::record::schema::{ABSENT, dictionary_slot, int_slot};
use crate::scan::dense_ids::TextIds;

pub(super) const US_PER_MS: i64 = 1_000;
const US_PER_SECOND: i64 = 1_000_000;
/// Delays are multiples of this, so that many calls have few of them.
const MS_PER_DELAY_STEP: i64 = 100;

/// The columns that measures are read from.
pub(super) struct CallColumns<'a> {
    pub(super) setup_us: &'a [i64],
    pub(super) alert_us: IntValues<'a>,
    pub(super) answer_us: IntValues<'a>,
    pub(super) end_us: IntValues<'a>,
    pub(super) received_us: &'a [i64],
    /// Durations in milliseconds, -1 for a call that was not answered; `None` if the measures do not follow from these.
    pub(super) duration_ms: Option<&'a [i32]>,
    pub(super) cause: IntValues<'a>,
    pub(super) customer_price: IntValues<'a>,
    pub(super) vendor_price: IntValues<'a>,
    currencies: [Currencies<'a>; 2],
}

/// The currencies of the rows, whose texts have ids: the same for the same text in both columns.
struct Currencies<'a> {
    column: DictionaryColumn<'a>,
    /// By code + 1.
    ids: Vec<u32>,
}

impl<'a> CallColumns<'a> {
    /// The columns of a slice that these measures need.
    pub(super) fn new(slice: &'a RecordSlice<'a>, measures: &[TrafficMeasure]) -> Self {
        let ints = &slice.fields.ints;
        let mut texts = measures.contains(&TrafficMeasure::Sum(RowValue::Margin)).then(TextIds::default);
        let currencies = [dictionary_slot::CURRENCY, dictionary_slot::VENDOR_CURRENCY].map(|slot| {
            let column = slice.fields.dictionaries[slot];
            let ids = texts.as_mut().map_or_else(Vec::new, |texts| {
                std::iter::once(0).chain((0..column.entries.count()).map(|code| texts.id(column.entries.get(code)))).collect()
            });
            Currencies { column, ids }
        });
        Self {
            setup_us: slice.setup_us,
            alert_us: ints[int_slot::ALERT_TIME],
            answer_us: ints[int_slot::ANSWER_TIME],
            end_us: ints[int_slot::END_TIME],
            received_us: slice.received_us,
            duration_ms: stored_durations(slice, measures),
            cause: ints[int_slot::DISCONNECT_CAUSE],
            customer_price: ints[int_slot::CUSTOMER_PRICE],
            vendor_price: ints[int_slot::VENDOR_PRICE],
            currencies,
        }
    }

    /// The value of a row that a sum adds, if it has one.
    pub(super) fn value(&self, value: RowValue, row: usize) -> Option<i128> {
        let (alert_us, answer_us) = (present(self.alert_us, row), present(self.answer_us, row));
        let setup_us = self.setup_us[row];
        match value {
            RowValue::DurationMs => Some(ms_of_us(present(self.end_us, row)? - answer_us?)),
            RowValue::RingMs => Some(ms_of_us(answer_us? - alert_us.unwrap_or(setup_us))),
            RowValue::PddMs => Some(ms_of_us(alert_us.or(answer_us)? - setup_us)),
            RowValue::CustomerPrice => present(self.customer_price, row),
            RowValue::VendorPrice => present(self.vendor_price, row),
            RowValue::SetupSecond => Some(second_of_us(setup_us)),
            RowValue::DelayMs => Some(delay_ms(self.received_us[row], present(self.end_us, row)?)),
            RowValue::Margin => {
                let prices = present(self.customer_price, row).zip(present(self.vendor_price, row));
                let (customer, vendor) = prices.filter(|_| self.is_same_currency(row))?;
                return Some(i128::from(customer) - i128::from(vendor));
            }
        }
        .map(i128::from)
    }

    /// Whether both currencies of a row are the same text, or both absent.
    pub(super) fn is_same_currency(&self, row: usize) -> bool {
        let [customer, vendor] = &self.currencies;
        customer.id(row) == vendor.id(row)
    }

    /// Microseconds of one unit of the durations that [`CallColumns::load_durations`] writes.
    pub(super) fn duration_unit_us(&self) -> i64 {
        if self.duration_ms.is_some() { US_PER_MS } else { 1 }
    }

    /// Writes the time from answer to end of rows, [`ABSENT`] without either.
    pub(super) fn load_durations(&self, rows: &[u32], durations: &mut Vec<i64>) {
        if let Some(ms) = self.duration_ms {
            load(IntValues::I32(ms), rows, durations);
            return durations.iter_mut().for_each(|ms| *ms = if *ms < 0 { ABSENT } else { *ms });
        }
        let mut answers_us = Vec::new();
        load(self.answer_us, rows, &mut answers_us);
        load(self.end_us, rows, durations);
        durations.iter_mut().zip(answers_us).for_each(|(us, answer_us)| {
            *us = if (*us == ABSENT) | (answer_us == ABSENT) { ABSENT } else { us.wrapping_sub(answer_us) };
        });
    }
}

/// The durations that a slice stores, if all its calls have ended and no measure needs a part of a millisecond.
fn stored_durations<'a>(slice: &RecordSlice<'a>, measures: &[TrafficMeasure]) -> Option<&'a [i32]> {
    let needs_part = |measure: &TrafficMeasure| matches!(measure, TrafficMeasure::Count(Condition::Shorter { limit_us }) if limit_us % US_PER_MS != 0);
    let have_ended = slice.column_stats.is_some_and(|stats| !stats[int_slot::END_TIME].has_absent);
    match slice.durations {
        CallDurations::Milliseconds(ms) if have_ended && !measures.iter().any(needs_part) => Some(ms),
        CallDurations::Milliseconds(_) | CallDurations::Times { .. } => None,
    }
}

impl Currencies<'_> {
    fn id(&self, row: usize) -> u32 {
        self.ids[self.column.code(row).one_based()]
    }
}

fn present(values: IntValues<'_>, row: usize) -> Option<i64> {
    Some(values.get(row)).filter(|&value| value != ABSENT)
}

/// Milliseconds, rounded down.
#[inline]
pub(super) fn ms_of_us(us: i64) -> i64 {
    us.div_euclid(US_PER_MS)
}

/// Turns microseconds into milliseconds, rounded down; [`ABSENT`] stays.
///
/// Times of 0 to 9.5 hours divide by a multiplication of 32 bits, which the compiler vectorizes: us / 1000 is
/// (us / 8) / 125, and `RECIPROCAL` is 2^35 / 125, rounded up, exact for all numerators of 32 bits.
pub(super) fn turn_into_ms(times_us: &mut [i64]) {
    const RECIPROCAL: u64 = 274_877_907;
    let bits = times_us.iter().fold(0, |bits, &us| bits | if us == ABSENT { 0 } else { us as u64 });
    if bits >> 35 == 0 {
        times_us.iter_mut().for_each(|us| {
            let ms = ((u64::from((*us as u64 >> 3) as u32) * RECIPROCAL) >> 35) as i64;
            *us = if *us == ABSENT { ABSENT } else { ms };
        });
    } else {
        times_us.iter_mut().filter(|us| **us != ABSENT).for_each(|us| *us = ms_of_us(*us));
    }
}

/// Milliseconds from the end of a call until it was received, rounded down to a multiple of [`MS_PER_DELAY_STEP`].
#[inline]
pub(super) fn delay_ms(received_us: i64, end_us: i64) -> i64 {
    (received_us - end_us).div_euclid(MS_PER_DELAY_STEP * US_PER_MS) * MS_PER_DELAY_STEP
}

/// Seconds, rounded down.
#[inline]
pub(super) fn second_of_us(us: i64) -> i64 {
    us.div_euclid(US_PER_SECOND)
}
