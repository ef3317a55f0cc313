//! The queue in which Linux tells what happens in watched directories (inotify).
//!
//! An event is in the queue before the system call that caused it returns. Other systems have no such queue.

#[cfg(target_os = "linux")]
pub use linux::Queue;
#[cfg(not(target_os = "linux"))]
pub use other::Queue;

/// What happened; `watch` numbers a watched directory.
pub enum Event<'a> {
    /// A program opened a file.
    Opened { watch: i32, name: &'a [u8] },
    /// A file was closed.
    Closed { watch: i32, name: &'a [u8] },
    /// A file was written, truncated, replaced, moved or removed, or its status changed.
    Changed { watch: i32, name: &'a [u8] },
    /// A directory was moved: any path may lead elsewhere now.
    Moved,
    /// A directory was removed, or its file system unmounted: its events have ended.
    Ended { watch: i32 },
    /// Events were lost.
    Overflowed,
}

#[cfg(target_os = "linux")]
mod linux {
    use std::ffi::CStr;
    use std::io;
    use std::mem::MaybeUninit;
    use std::os::fd::OwnedFd;
    use std::path::Path;

    use rustix::fs::inotify::{CreateFlags, ReadFlags, Reader, WatchFlags, add_watch, init, remove_watch};
    use rustix::io::Errno;

    use super::Event;

    /// Bytes that are read at once: some 100 events with the names of segments.
    const BUFFER_BYTES: usize = 1 << 12;

    /// Events that are taken at once. The kernel keeps 16,384 by default, so that more come only if they come as fast
    /// as they are taken.
    const EVENT_COUNT_MAX: usize = 1 << 16;

    /// The descriptor of a queue.
    pub struct Queue(OwnedFd);

    impl Queue {
        /// Opens a queue without watches.
        ///
        /// # Errors
        /// The error of the operating system, such as too many queues (`fs.inotify.max_user_instances`) or files.
        pub fn open() -> io::Result<Self> {
            Ok(Self(init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?))
        }

        /// Watches the files of a directory; a directory that is watched already keeps its number.
        ///
        /// # Errors
        /// The error of the operating system, such as too many watches (`fs.inotify.max_user_watches`).
        pub fn watch_files(&self, directory: &Path) -> io::Result<i32> {
            let changes = WatchFlags::MODIFY | WatchFlags::ATTRIB | WatchFlags::MOVE | WatchFlags::DELETE;
            let uses = WatchFlags::OPEN | WatchFlags::CLOSE;
            Ok(add_watch(&self.0, directory, changes | uses | WatchFlags::MOVE_SELF | WatchFlags::ONLYDIR)?)
        }

        /// Watches whether a directory is moved.
        ///
        /// # Errors
        /// As [`Queue::watch_files`].
        pub fn watch_moves(&self, directory: &Path) -> io::Result<()> {
            add_watch(&self.0, directory, WatchFlags::MOVE_SELF | WatchFlags::ONLYDIR)?;
            Ok(())
        }

        /// Ends a watch, unless its directory was removed.
        pub fn unwatch(&self, watch: i32) {
            // Fails if the kernel has ended the watch, which is as good.
            let _ = remove_watch(&self.0, watch);
        }

        /// Takes all events out of the queue without waiting; `handle` must not block.
        pub fn take(&self, mut handle: impl FnMut(Event<'_>)) {
            let mut buffer = [MaybeUninit::uninit(); BUFFER_BYTES];
            let mut reader = Reader::new(&self.0, &mut buffer);
            for _ in 0..EVENT_COUNT_MAX {
                match reader.next() {
                    Ok(event) => handle(event_of(event.events(), event.wd(), event.file_name())),
                    Err(Errno::AGAIN) => return,
                    Err(Errno::INTR) => {}
                    Err(_) => break,
                }
            }
            handle(Event::Overflowed);
        }
    }

    fn event_of(flags: ReadFlags, watch: i32, name: Option<&CStr>) -> Event<'_> {
        let name = name.map_or(&[][..], CStr::to_bytes);
        if flags.intersects(ReadFlags::QUEUE_OVERFLOW) {
            Event::Overflowed
        } else if flags.intersects(ReadFlags::IGNORED | ReadFlags::UNMOUNT) {
            Event::Ended { watch }
        } else if flags.intersects(ReadFlags::MOVE_SELF) {
            Event::Moved
        } else if flags.intersects(ReadFlags::OPEN) {
            Event::Opened { watch, name }
        } else if flags.intersects(ReadFlags::CLOSE_WRITE | ReadFlags::CLOSE_NOWRITE) {
            Event::Closed { watch, name }
        } else {
            Event::Changed { watch, name }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    use std::io;
    use std::path::Path;

    use super::Event;

    /// Never exists.
    pub enum Queue {}

    impl Queue {
        pub fn open() -> io::Result<Self> {
            Err(io::ErrorKind::Unsupported.into())
        }

        pub fn watch_files(&self, _directory: &Path) -> io::Result<i32> {
            match *self {}
        }

        pub fn watch_moves(&self, _directory: &Path) -> io::Result<()> {
            match *self {}
        }

        pub fn unwatch(&self, _watch: i32) {
            match *self {}
        }

        pub fn take(&self, _handle: impl FnMut(Event<'_>)) {
            match *self {}
        }
    }
}
