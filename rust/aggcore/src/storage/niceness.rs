//! Niceness: the priority of a thread, 0 if it is normal, 19 if it is the lowest.
//!
//! Only Linux has one per thread; elsewhere all threads count as normal.

/// Whether the current thread has a low priority: if it is preempted while it has a lock, writers may wait for long
/// (priority inversion).
pub fn is_low() -> bool {
    #[cfg(target_os = "linux")]
    let niceness = rustix::process::getpriority_process(Some(rustix::thread::gettid())).unwrap_or_default();
    #[cfg(not(target_os = "linux"))]
    let niceness = 0;
    niceness > 0
}

/// Gives the current thread a low priority, so that a short report preempts it.
///
/// (Tried: niceness 19 instead of 15, without a gain.)
pub fn lower(niceness: i32) {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), niceness);
    #[cfg(not(target_os = "linux"))]
    let _ = niceness;
}
