//! The bytes of an answer under construction, within its limits.

use std::sync::Arc;

use super::wire_writer::{put_bytes, put_message, put_message_of};
use crate::cancellation::CancelToken;
use crate::error::{Error, Result};
use crate::memory::{MemoryBudget, QueryMemory, Reservation};

/// What building an answer may take.
#[derive(Clone, Copy)]
pub struct AnswerLimits<'a> {
    /// Checked at least every few milliseconds.
    pub cancel: &'a CancelToken,
    /// Holds the memory of the work, and of the answer until the query ends.
    pub memory: &'a Arc<QueryMemory>,
    /// Bytes that the answer may have, those of its header included.
    pub bytes_max: usize,
    /// Bytes of the header, which precedes what the core writes.
    pub header_bytes: usize,
}

/// Limits that nothing exceeds, for tests and benches.
pub struct Unlimited {
    cancel: CancelToken,
    memory: Arc<QueryMemory>,
}

impl Default for Unlimited {
    fn default() -> Self {
        Self { cancel: CancelToken::with_limit(None), memory: Arc::new(MemoryBudget::default()).begin_query() }
    }
}

impl Unlimited {
    /// Returns the limits.
    pub fn limits(&self) -> AnswerLimits<'_> {
        AnswerLimits { cancel: &self.cancel, memory: &self.memory, bytes_max: usize::MAX, header_bytes: 0 }
    }
}

/// Writes the messages of an answer and counts its bytes.
pub struct AnswerWriter<'a> {
    limits: AnswerLimits<'a>,
    bytes: Vec<u8>,
    memory: Reservation,
    message_count: usize,
}

impl<'a> AnswerWriter<'a> {
    /// Returns a writer without bytes.
    pub fn new(limits: AnswerLimits<'a>) -> Self {
        Self { limits, bytes: Vec::new(), memory: limits.memory.reservation(), message_count: 0 }
    }

    /// Makes room for `count` messages of about `bytes_estimate` bytes. Fails at once if the answer would become too large
    /// even with the least bytes that each may have.
    ///
    /// # Errors
    /// `AnswerTooLarge`, or a memory limit.
    pub fn expect_messages(&mut self, count: usize, bytes_min: usize, bytes_estimate: usize) -> Result<()> {
        self.check_size(count.saturating_mul(bytes_min))?;
        let added = count.saturating_mul(bytes_estimate).min(self.limits.bytes_max - self.bytes.len());
        self.memory.resize(self.bytes.capacity().max(self.bytes.len() + added))?;
        self.bytes.reserve(added);
        Ok(())
    }

    /// Appends a message field, whose fields `put_fields` appends.
    ///
    /// # Errors
    /// `AnswerTooLarge`, a memory limit, or those of [`CancelToken::check`].
    #[inline]
    pub fn put_message(&mut self, tag: u32, put_fields: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
        put_message(tag, &mut self.bytes, put_fields);
        self.check()
    }

    /// Appends a message field that is encoded already.
    ///
    /// # Errors
    /// As [`AnswerWriter::put_message`].
    pub fn put_bytes(&mut self, tag: u32, message: &[u8]) -> Result<()> {
        put_bytes(tag, message, &mut self.bytes);
        self.check()
    }

    /// As [`AnswerWriter::put_message`] for a message that contains further messages of any number.
    ///
    /// # Errors
    /// As [`AnswerWriter::put_message`], and those of `put_fields`.
    pub fn put_nested(&mut self, tag: u32, put_fields: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        put_message_of(tag, self, |writer| &mut writer.bytes, put_fields)?;
        self.check()
    }

    /// Appends fields.
    pub fn put_fields(&mut self, put_fields: impl FnOnce(&mut Vec<u8>)) {
        put_fields(&mut self.bytes);
    }

    /// Returns the answer, whose bytes the query holds until it ends.
    ///
    /// # Errors
    /// As [`AnswerWriter::put_message`].
    pub fn finish(mut self) -> Result<Vec<u8>> {
        self.check_size(0)?;
        self.memory.resize(self.bytes.capacity())?;
        self.memory.keep();
        Ok(self.bytes)
    }

    fn check(&mut self) -> Result<()> {
        self.check_size(0)?;
        self.limits.cancel.check_at(self.message_count)?;
        self.message_count += 1;
        self.memory.resize(self.bytes.capacity())
    }

    /// Checks the size that the answer has with `added` more bytes.
    fn check_size(&self, added: usize) -> Result<()> {
        let AnswerLimits { bytes_max: allowed, header_bytes, .. } = self.limits;
        let asked = (header_bytes + self.bytes.len()).saturating_add(added);
        if asked > allowed { Err(Error::AnswerTooLarge { asked, allowed }) } else { Ok(()) }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)] // A test may panic.
mod tests {
    use super::*;

    #[test]
    fn an_answer_may_have_the_allowed_bytes_and_not_one_more() {
        let write = |bytes_max| {
            let unlimited = Unlimited::default();
            let mut writer = AnswerWriter::new(AnswerLimits { bytes_max, ..unlimited.limits() });
            writer.put_message(1, |out| out.extend([7; 10]))?;
            writer.finish()
        };
        assert_eq!(write(12).unwrap().len(), 12);
        assert!(matches!(write(11), Err(Error::AnswerTooLarge { asked: 12, allowed: 11 })));
    }

    #[test]
    fn messages_that_cannot_fit_are_refused_before_they_are_written() {
        let unlimited = Unlimited::default();
        let mut writer = AnswerWriter::new(AnswerLimits { bytes_max: 100, ..unlimited.limits() });
        assert!(writer.expect_messages(50, 2, 1_000).is_ok());
        assert!(matches!(writer.expect_messages(51, 2, 2), Err(Error::AnswerTooLarge { asked: 102, allowed: 100 })));
    }

    #[test]
    fn a_message_beyond_the_limit_is_refused_when_it_is_written() {
        let unlimited = Unlimited::default();
        let mut writer = AnswerWriter::new(AnswerLimits { bytes_max: 12, ..unlimited.limits() });
        assert!(writer.put_message(1, |out| out.extend([7; 10])).is_ok());
        assert!(matches!(writer.put_message(1, |_| ()), Err(Error::AnswerTooLarge { asked: 14, allowed: 12 })));
    }

    #[test]
    fn a_cancelled_answer_ends_at_its_next_messages() {
        let unlimited = Unlimited::default();
        let mut writer = AnswerWriter::new(unlimited.limits());
        writer.put_message(1, |_| ()).unwrap();
        unlimited.cancel.cancel();
        let mut messages = (0..10_000).map(|_| writer.put_message(1, |_| ()));
        assert!(matches!(messages.find(Result::is_err), Some(Err(Error::Cancelled))));
    }

    #[test]
    fn the_memory_of_expected_messages_is_held_beside_that_of_the_bytes_before_them() {
        let unlimited = Unlimited::default();
        let mut writer = AnswerWriter::new(unlimited.limits());
        writer.put_fields(|out| out.extend([7; 50]));
        writer.expect_messages(10, 2, 100).unwrap();
        assert_eq!(unlimited.memory.peak(), 50 + 10 * 100);
    }

    #[test]
    fn a_nested_message_has_its_length_before_it() {
        let unlimited = Unlimited::default();
        let mut writer = AnswerWriter::new(unlimited.limits());
        writer.put_nested(1, |writer| writer.put_message(2, |out| out.extend([7; 200]))).unwrap();
        let bytes = writer.finish().unwrap();
        assert_eq!((bytes.len(), &bytes[..6]), (206, [0x0a, 0xcb, 0x01, 0x12, 0xc8, 0x01].as_slice()));
    }
}
