//! Row watchers: who must see a row of a table before a writer changes it.
//!
//! The table is a type parameter: this file knows no memtable, so that the memtable need not know who watches it.
//!
//! A table has weak references to its watchers, so that one that is dropped has ended. Writers pay for a virtual call per
//! watcher, and for nothing while there is none.

use std::sync::{Arc, Weak};

/// Sees the rows of a table before they change.
pub trait RowWatcher<Table>: Send + Sync {
    /// To be called before row `row` is replaced.
    fn before_replace(&self, table: &Table, row: usize);
    /// To be called before row `row` is removed and the last row moves to its number.
    fn before_removal(&self, table: &Table, row: usize);
    /// To be called once the table has become immutable, and can be read without its lock.
    fn note_immutable(&self, table: &Arc<Table>);
}

/// The watchers of one table.
pub struct RowWatchers<Table>(Vec<Weak<dyn RowWatcher<Table>>>);

impl<Table> Default for RowWatchers<Table> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<Table> RowWatchers<Table> {
    /// Adds a watcher.
    pub fn add(&mut self, watcher: Weak<dyn RowWatcher<Table>>) {
        self.0.push(watcher);
    }

    /// Whether there are none.
    pub fn is_empty(&mut self) -> bool {
        self.0.retain(|watcher| watcher.strong_count() > 0);
        self.0.is_empty()
    }

    /// Tells all of them that a row is about to be replaced.
    pub fn before_replace(&self, table: &Table, row: usize) {
        self.present().for_each(|watcher| watcher.before_replace(table, row));
    }

    /// Tells all of them that a row is about to be removed.
    pub fn before_removal(&self, table: &Table, row: usize) {
        self.present().for_each(|watcher| watcher.before_removal(table, row));
    }

    /// Tells all of them that the table has become immutable.
    pub fn note_immutable(self, table: &Arc<Table>) {
        self.present().for_each(|watcher| watcher.note_immutable(table));
    }

    fn present(&self) -> impl Iterator<Item = Arc<dyn RowWatcher<Table>>> {
        self.0.iter().filter_map(Weak::upgrade)
    }
}
