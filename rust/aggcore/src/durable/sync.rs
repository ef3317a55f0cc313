//! The locks of group commit: those of `parking_lot` and the standard library. Unit tests get stand-ins of
//! [shuttle](https://docs.rs/shuttle), which runs the threads of a test one at a time and chooses at each operation of a
//! lock which one goes on; `group_commit/tests.rs` runs many such schedules.
//!
//! The store, the files and [`CancelToken`](crate::cancellation::CancelToken) keep their real locks in these tests. That is
//! sound because no thread of a test is suspended while it holds one of them: nothing below this folder uses a lock of this
//! file.

#[cfg(not(test))]
pub use std::sync::{OnceLock, atomic::AtomicBool};

#[cfg(not(test))]
pub use parking_lot::Mutex;

#[cfg(test)]
pub use stand_ins::{AtomicBool, Mutex, OnceLock};

#[cfg(test)]
mod stand_ins {
    use std::sync::atomic::Ordering;
    use std::sync::{PoisonError, TryLockError};
    use std::time::Duration;

    pub use shuttle::sync::atomic::AtomicBool;
    use shuttle::sync::{self, MutexGuard};

    /// A lock that a panic does not poison, as that of `parking_lot`.
    #[derive(Default)]
    pub struct Mutex<T>(sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }

        /// Time passes in no schedule: the other threads run before this one tries again.
        pub fn try_lock_for(&self, _: Duration) -> Option<MutexGuard<'_, T>> {
            match self.0.try_lock() {
                Ok(guard) => Some(guard),
                Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => {
                    shuttle::thread::yield_now();
                    None
                }
            }
        }
    }

    /// A cell that is set once; other threads may run before each operation.
    pub struct OnceLock<T> {
        value: std::sync::OnceLock<T>,
        is_set: AtomicBool,
    }

    impl<T> OnceLock<T> {
        pub fn new() -> Self {
            Self { value: std::sync::OnceLock::new(), is_set: AtomicBool::new(false) }
        }

        pub fn get(&self) -> Option<&T> {
            self.is_set.load(Ordering::Acquire).then(|| self.value.get()).flatten()
        }

        pub fn set(&self, value: T) -> Result<(), T> {
            let set = self.value.set(value);
            self.is_set.store(true, Ordering::Release);
            set
        }
    }
}
