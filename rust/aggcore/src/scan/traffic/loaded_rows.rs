//! The rows of a block, loaded from the columns of a slice: each column once, one value after the other.
//!
//! The loops over them have no branch, so that the compiler vectorizes them.

use super::call_columns::{CallColumns, US_PER_MS, delay_ms, second_of_us, turn_into_ms};
use super::measure::{Condition, RowValue, TrafficMeasure};
use crate::columns::integer::{IntValues, IntWidth, with_int_values};
use crate::columns::slice::contiguous_range;
use crate::record::schema::ABSENT;

/// The greatest release cause of ITU-T Q.850; some records may have others.
const CAUSE_MAX: i64 = 127;
/// The byte of a call without a cause.
const NO_CAUSE: u8 = 128;

/// Which columns the measures of a scan need.
#[derive(Clone, Copy, Default)]
struct Needs {
    setup: bool,
    alert: bool,
    answer: bool,
    delay: bool,
    is_answered: bool,
    duration: bool,
    cause: bool,
    /// Whether `cause` needs its numbers beyond [`CAUSE_MAX`].
    all_causes: bool,
    customer_price: bool,
    vendor_price: bool,
    currencies: bool,
}

/// The columns of the rows of one block; those that no measure needs are empty.
#[derive(Default)]
pub(super) struct LoadedRows {
    needs: Needs,
    setup_us: Vec<i64>,
    alert_us: Vec<i64>,
    answer_us: Vec<i64>,
    end_us: Vec<i64>,
    received_us: Vec<i64>,
    /// Time from answer to end, [`ABSENT`] without either.
    duration: Vec<i64>,
    /// Microseconds of one unit of `duration`: 1, or those of a millisecond.
    duration_unit_us: i64,
    is_answered: Vec<bool>,
    /// Causes up to [`CAUSE_MAX`], [`NO_CAUSE`] or another byte.
    cause: Vec<u8>,
    /// All causes, if some measure needs others.
    all_causes: Vec<i64>,
    customer_price: Vec<i64>,
    vendor_price: Vec<i64>,
    /// Whether both currencies are the same.
    is_same_currency: Vec<bool>,
}

impl Needs {
    fn of(measures: &[TrafficMeasure]) -> Self {
        measures.iter().fold(Self::default(), |needs, measure| match measure {
            TrafficMeasure::Count(condition) => needs.with_condition(condition),
            TrafficMeasure::Sum(value) | TrafficMeasure::Values(value) => needs.with_value(*value),
            TrafficMeasure::Occupied(_) | TrafficMeasure::Occupancy(_) => needs,
        })
    }

    fn with_condition(self, condition: &Condition) -> Self {
        match condition {
            Condition::All => self,
            Condition::Answered => Self { is_answered: true, ..self },
            Condition::AnsweredWithin { .. } => Self { answer: true, setup: true, ..self },
            Condition::Shorter { .. } => Self { duration: true, ..self },
            Condition::CauseKnown => Self { cause: true, ..self },
            Condition::CauseIn { causes } => Self { cause: true, ..self.with_causes(causes) },
            Condition::Delivered { causes } => Self { is_answered: true, cause: true, ..self.with_causes(causes) },
            Condition::PddKnown => Self { answer: true, alert: true, ..self },
            Condition::Alerted => Self { alert: true, ..self },
            Condition::Priced => Self { is_answered: true, customer_price: true, ..self },
            Condition::Unrated => Self { is_answered: true, customer_price: true, vendor_price: true, ..self },
        }
    }

    fn with_causes(self, causes: &[i64]) -> Self {
        Self { all_causes: self.all_causes || !causes.iter().all(|cause| (0..=CAUSE_MAX).contains(cause)), ..self }
    }

    fn with_value(self, value: RowValue) -> Self {
        match value {
            RowValue::DurationMs => Self { duration: true, ..self },
            RowValue::RingMs | RowValue::PddMs => Self { setup: true, alert: true, answer: true, ..self },
            RowValue::CustomerPrice => Self { customer_price: true, ..self },
            RowValue::VendorPrice => Self { vendor_price: true, ..self },
            RowValue::Margin => Self { customer_price: true, vendor_price: true, currencies: true, ..self },
            RowValue::SetupSecond => Self { setup: true, ..self },
            RowValue::DelayMs => Self { delay: true, ..self },
        }
    }
}

impl LoadedRows {
    /// Rows with the columns that these measures need.
    pub(super) fn new(measures: &[TrafficMeasure]) -> Self {
        Self { needs: Needs::of(measures), ..Self::default() }
    }

    /// Bytes of memory that the columns take.
    pub(super) fn bytes(&self) -> usize {
        let columns = [
            &self.setup_us,
            &self.alert_us,
            &self.answer_us,
            &self.end_us,
            &self.received_us,
            &self.duration,
            &self.all_causes,
            &self.customer_price,
            &self.vendor_price,
        ];
        let bytes = self.cause.capacity() + self.is_answered.capacity() + self.is_same_currency.capacity();
        columns.iter().map(|column| column.capacity() * size_of::<i64>()).sum::<usize>() + bytes
    }

    /// Loads rows in place of the last ones.
    pub(super) fn load(&mut self, columns: &CallColumns<'_>, rows: &[u32]) {
        let needs = self.needs;
        let loads = [
            (needs.setup, IntValues::I64(columns.setup_us), &mut self.setup_us),
            (needs.alert, columns.alert_us, &mut self.alert_us),
            (needs.answer | needs.is_answered, columns.answer_us, &mut self.answer_us),
            (needs.delay, columns.end_us, &mut self.end_us),
            (needs.delay, IntValues::I64(columns.received_us), &mut self.received_us),
            (needs.all_causes, columns.cause, &mut self.all_causes),
            (needs.customer_price, columns.customer_price, &mut self.customer_price),
            (needs.vendor_price, columns.vendor_price, &mut self.vendor_price),
        ];
        loads.into_iter().filter(|(is_needed, ..)| *is_needed).for_each(|(_, values, loaded)| load(values, rows, loaded));
        if needs.is_answered {
            self.is_answered.clear();
            self.is_answered.extend(self.answer_us.iter().map(is_present));
        }
        if needs.cause {
            load_causes(columns.cause, rows, &mut self.cause);
        }
        if needs.duration {
            columns.load_durations(rows, &mut self.duration);
            self.duration_unit_us = columns.duration_unit_us();
        }
        if needs.currencies {
            self.is_same_currency.clear();
            self.is_same_currency.extend(rows.iter().map(|&row| columns.is_same_currency(row as usize)));
        }
    }

    /// Sets a bit of each row that satisfies a condition.
    pub(super) fn set_bits(&self, condition: &Condition, bit: u8, bits: &mut [u8]) {
        let (answer, is_answered) = (&self.answer_us, &self.is_answered);
        match condition {
            Condition::All => bits.iter_mut().for_each(|bits| *bits |= bit),
            Condition::Answered => set_if(bits, bit, is_answered.iter().copied()),
            Condition::AnsweredWithin { limit_us } => {
                let us = answer.iter().zip(&self.setup_us);
                set_if(bits, bit, us.map(|(us, setup_us)| is_present(us) & (us.wrapping_sub(*setup_us) <= *limit_us)));
            }
            Condition::Shorter { limit_us } => {
                let limit = limit_us / self.duration_unit_us;
                set_if(bits, bit, self.duration.iter().map(|duration| is_present(duration) & (*duration < limit)));
            }
            Condition::CauseKnown => set_if(bits, bit, self.cause.iter().map(|cause| *cause != NO_CAUSE)),
            Condition::CauseIn { causes } => self.set_causes(bits, bit, causes),
            Condition::Delivered { causes } => {
                set_if(bits, bit, is_answered.iter().copied());
                self.set_causes(bits, bit, causes);
            }
            Condition::PddKnown => {
                let times = answer.iter().zip(&self.alert_us);
                set_if(bits, bit, times.map(|(answer, alert)| is_present(answer) | is_present(alert)));
            }
            Condition::Alerted => set_if(bits, bit, self.alert_us.iter().map(is_present)),
            Condition::Priced => {
                let answered = is_answered.iter().zip(&self.customer_price);
                set_if(bits, bit, answered.map(|(is_answered, price)| is_answered & is_present(price)));
            }
            Condition::Unrated => {
                let prices = self.customer_price.iter().zip(&self.vendor_price);
                let is_unrated = |(is_answered, (customer, vendor)): (&bool, (&i64, &i64))| {
                    is_answered & !(is_present(customer) & is_present(vendor))
                };
                set_if(bits, bit, is_answered.iter().zip(prices).map(is_unrated));
            }
        }
    }

    /// Sets a bit of the rows that have one of some causes, which ascend.
    fn set_causes(&self, bits: &mut [u8], bit: u8, causes: &[i64]) {
        if self.needs.all_causes {
            return set_if(bits, bit, self.all_causes.iter().map(|cause| causes.binary_search(cause).is_ok()));
        }
        for &wanted in causes {
            set_if(bits, bit, self.cause.iter().map(|&cause| cause == wanted as u8));
        }
    }

    /// Writes the value of each row, [`ABSENT`] without one. `None`, and nothing is written, if one needs more than 64 bits.
    pub(super) fn values(&self, value: RowValue, values: &mut Vec<i64>) -> Option<()> {
        values.clear();
        // Values rather than references: the choice between two of these would not vectorize.
        let times = self.setup_us.iter().zip(&self.alert_us).zip(&self.answer_us);
        let times = times.map(|((&setup, &alert), &answer)| (setup, alert, answer));
        match value {
            RowValue::DurationMs => {
                values.extend_from_slice(&self.duration);
                if self.duration_unit_us != US_PER_MS {
                    turn_into_ms(values);
                }
            }
            RowValue::RingMs => {
                values.extend(times.map(|(setup, alert, answer)| {
                    let ring_us = answer.wrapping_sub(if is_present(&alert) { alert } else { setup });
                    if is_present(&answer) { ring_us } else { ABSENT }
                }));
                turn_into_ms(values);
            }
            RowValue::PddMs => {
                values.extend(times.map(|(setup, alert, answer)| {
                    let end = if is_present(&alert) { alert } else { answer };
                    let pdd_us = end.wrapping_sub(setup);
                    if is_present(&end) { pdd_us } else { ABSENT }
                }));
                turn_into_ms(values);
            }
            RowValue::CustomerPrice => values.extend_from_slice(&self.customer_price),
            RowValue::VendorPrice => values.extend_from_slice(&self.vendor_price),
            RowValue::Margin => {
                let prices = self.customer_price.iter().zip(&self.vendor_price);
                let is_narrow = |price: &i64| !is_present(price) | (price.unsigned_abs() < 1 << 62);
                if !prices.clone().fold(true, |all, (customer, vendor)| all & is_narrow(customer) & is_narrow(vendor)) {
                    return None;
                }
                values.extend(prices.zip(&self.is_same_currency).map(|((customer, vendor), is_same)| {
                    let has_margin = is_present(customer) & is_present(vendor) & is_same;
                    if has_margin { customer.wrapping_sub(*vendor) } else { ABSENT }
                }));
            }
            RowValue::SetupSecond => values.extend(self.setup_us.iter().map(|&us| second_of_us(us))),
            RowValue::DelayMs => {
                let times = self.end_us.iter().zip(&self.received_us);
                values.extend(times.map(|(end, &us)| if is_present(end) { delay_ms(us, *end) } else { ABSENT }));
            }
        }
        Some(())
    }
}

#[inline]
fn is_present(value: &i64) -> bool {
    *value != ABSENT
}

/// Loads the values of rows. Contiguous rows are read as a slice, without an index per row.
pub(super) fn load(values: IntValues<'_>, rows: &[u32], loaded: &mut Vec<i64>) {
    loaded.clear();
    with_int_values!(values, values => match contiguous_range(rows) {
        Some(range) => loaded.extend(values[range].iter().map(|value| value.to_i64())),
        None => loaded.extend(rows.iter().map(|&row| values[row as usize].to_i64())),
    }, loaded.resize(rows.len(), ABSENT));
}

/// Loads causes as bytes.
fn load_causes(values: IntValues<'_>, rows: &[u32], loaded: &mut Vec<u8>) {
    loaded.clear();
    with_int_values!(values, values => match contiguous_range(rows) {
        Some(range) => loaded.extend(values[range].iter().map(|value| cause_byte(value.to_i64()))),
        None => loaded.extend(rows.iter().map(|&row| cause_byte(values[row as usize].to_i64()))),
    }, loaded.resize(rows.len(), NO_CAUSE));
}

#[inline]
fn cause_byte(cause: i64) -> u8 {
    let known = if cause as u64 <= CAUSE_MAX as u64 { cause as u8 } else { u8::MAX };
    if cause == ABSENT { NO_CAUSE } else { known }
}

#[inline]
fn set_if(bits: &mut [u8], bit: u8, holds: impl Iterator<Item = bool>) {
    bits.iter_mut().zip(holds).for_each(|(bits, holds)| *bits |= if holds { bit } else { 0 });
}
