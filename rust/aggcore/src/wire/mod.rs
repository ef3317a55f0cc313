//! Records on the wire and in the journal: protobuf batches, columnar batches, and the versions of a record.
//!
//! [`decode_batch`] reads `WriteRecordsRequest` and validates each record; [`columnar_batch`] turns the valid
//! ones into columns, [`version_batch`] into versions for a store outside the core; [`versions`] defines how several
//! versions of one record become one, `parts.rs` how several parts do, and [`corrections`] which version a correction is.
//! [`stored_records`] moves records with all their versions from one store to another. [`code_deck`] reads code decks; [`lists`] counts
//! the values of a request before it is parsed.

pub mod code_deck;
pub mod columnar_batch;
pub mod corrections;
pub mod lists;
pub mod parts;
pub mod stored_records;
pub mod version_batch;
pub mod versions;

mod batch;
mod layers;
mod reader;
mod record;

pub use batch::{BatchLimits, Rejections, decode_batch, encode_response_head, outline, record_outside};
pub use record::encode_record;

/// The messages of the contract, generated from `proto/`.
#[allow(missing_docs, clippy::all)]
pub mod v1 {
    include!(concat!(env!("OUT_DIR"), "/pegcount.v1.rs"));
}
