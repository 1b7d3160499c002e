//! [`Descriptor`]: one direction of a file descriptor, watched as a level-triggered poll watches it.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::task::{Context, Poll};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// What a descriptor is watched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Read,
    Write,
}

/// A duplicate of the caller's descriptor, so that the caller's may be watched twice, closed, or tokio's own. It names
/// the same open file, so both become ready together.
pub(crate) struct Descriptor {
    fd: RefCell<AsyncFd<OwnedFd>>,
    direction: Direction,
}

impl Descriptor {
    /// Begins to watch. Nothing is known of it before the driver was polled.
    ///
    /// # Errors
    ///
    /// The process is out of descriptors, or the system watches no files of this kind.
    pub(crate) fn new(fd: BorrowedFd<'_>, direction: Direction) -> io::Result<Self> {
        let watched = watch(fd.try_clone_to_owned()?, direction).map_err(|err| refusal(fd, err))?;
        Ok(Descriptor { fd: RefCell::new(watched), direction })
    }

    /// Ready if the descriptor is ready now, or has an error or a hang-up to tell; else leaves the waker for that.
    pub(crate) fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..2 {
            match self.look(cx) {
                Look::Ready => return Poll::Ready(()),
                Look::Nothing => return Poll::Pending,
                Look::Stale => {}
            }
        }
        // tokio holds on to errors and hang-ups for good, also when the program has dealt with them.
        if self.watch_anew().is_err() || self.look(cx) != Look::Nothing {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// Whether the descriptor is ready now, whatever the driver knows of it. Leaves no waker.
    pub(crate) fn is_ready(&self) -> bool {
        is_ready(self.fd.borrow().get_ref().as_fd(), self.direction)
    }

    fn look(&self, cx: &mut Context<'_>) -> Look {
        let fd = self.fd.borrow();
        let read = match self.direction {
            Direction::Read => fd.poll_read_ready(cx),
            Direction::Write => Poll::Pending,
        };
        // An error alone shows on the writing side, also of what is watched for reading only.
        let hints = [read, fd.poll_write_ready(cx)].map(|hint| match hint {
            Poll::Ready(Ok(guard)) => Some(guard),
            // An error means that the runtime is being shut down.
            Poll::Ready(Err(_)) | Poll::Pending => None,
        });
        if hints.iter().all(Option::is_none) {
            return Look::Nothing;
        }
        if is_ready(fd.get_ref().as_fd(), self.direction) {
            return Look::Ready;
        }
        // Only what tokio knew of before the look is forgotten.
        for mut hint in hints.into_iter().flatten() {
            hint.clear_ready();
        }
        Look::Stale
    }

    fn watch_anew(&self) -> io::Result<()> {
        let fresh = watch(self.fd.borrow().get_ref().try_clone()?, self.direction)?;
        let old = self.fd.replace(fresh);
        drop(old);
        Ok(())
    }
}

/// What a look at the driver and then at the descriptor has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    Ready,
    /// The driver knew of something that is over.
    Stale,
    /// The waker is left.
    Nothing,
}

#[expect(deprecated, reason = "its successor is unsafe for the sake of types that may close their descriptor early")]
fn watch(fd: OwnedFd, direction: Direction) -> io::Result<AsyncFd<OwnedFd>> {
    let interest = match direction {
        Direction::Read => Interest::READABLE,
        Direction::Write => Interest::WRITABLE,
    };
    AsyncFd::with_interest(fd, interest)
}

/// Asks the system without waiting; errors and hang-ups count, as for asyncio's selector.
fn is_ready(fd: BorrowedFd<'_>, direction: Direction) -> bool {
    let flags = match direction {
        Direction::Read => PollFlags::IN,
        Direction::Write => PollFlags::OUT,
    };
    let mut fds = [PollFd::from_borrowed_fd(fd, flags)];
    let n = retry_on_intr(|| poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })));
    n.is_ok_and(|n| n > 0)
}

fn refusal(fd: BorrowedFd<'_>, err: io::Error) -> io::Error {
    if err.kind() != io::ErrorKind::PermissionDenied {
        return err;
    }
    let message = format!(
        "descriptor {} cannot be watched: the system tells the readiness of sockets, pipes and terminals, and a file \
         is always ready; read it in run_in_executor",
        fd.as_raw_fd()
    );
    io::Error::new(err.kind(), message)
}
