//! JournaledStore writes: batches reach the journal before they show in the store.

pub mod group_commit;
pub mod journal;

mod back_pressure;
mod disk_fault;
