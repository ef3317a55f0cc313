//! Protobuf: batches of records in, answers out.

pub mod columnar_batch;
pub mod versions;

mod batch;
mod reader;
mod record;

pub use batch::decode_batch;
pub use record::{decode_partial, encode_record};

/// The messages of the contract, generated from `proto/`.
#[allow(missing_docs, clippy::all)]
pub mod v1 {
    include!(concat!(env!("OUT_DIR"), "/pegcount.v1.rs"));
}
