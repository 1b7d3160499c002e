//! The descriptors that a pipe transport runs on.

use std::cell::RefCell;
use std::future::Future;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use rustix::fs::{FileType, OFlags, fcntl_getfl, fcntl_setfl, fstat};
use rustix::io::Errno;
use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::net::unix::pipe::{Receiver, Sender};

use crate::asyncio::exceptions::ValueError;
use crate::asyncio::extra_info::Address;
use crate::asyncio::stream_io::{Half, StreamIo};
use crate::error::Result;

/// The reading end.
pub(crate) enum ReadPipe {
    /// tokio says when it is readable.
    Watched(Receiver),
    /// A device that cannot be polled, such as `/dev/zero`.
    Unwatched(OwnedFd),
}

impl ReadPipe {
    /// Takes a descriptor, which is closed if this fails.
    ///
    /// # Errors
    ///
    /// A [`ValueError`] for anything but a FIFO, a socket or a character device; an error of kind `InvalidInput` for
    /// the wrong end; an error of the operating system.
    pub(crate) fn new(fd: OwnedFd) -> Result<Self> {
        let Some(kind) = Descriptor::of(&fd)? else {
            return Err(ValueError::new("Pipe transport is for pipes/sockets only.").into());
        };
        prepare(&fd, OFlags::WRONLY, "the descriptor is not open for reading")?;
        Ok(match watch(fd, kind, Receiver::from_owned_fd_unchecked)? {
            Ok(receiver) => ReadPipe::Watched(receiver),
            Err(fd) => ReadPipe::Unwatched(fd),
        })
    }

    fn fd(&self) -> BorrowedFd<'_> {
        match self {
            ReadPipe::Watched(receiver) => receiver.as_fd(),
            ReadPipe::Unwatched(fd) => fd.as_fd(),
        }
    }
}

impl StreamIo for ReadPipe {
    const HALF: Half = Half::Read;

    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            ReadPipe::Watched(receiver) => receiver.poll_read_ready(cx),
            ReadPipe::Unwatched(_) => Poll::Ready(Ok(())),
        }
    }

    fn poll_write_ready(&self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    // A read that comes back short has not always found everything: a terminal gives a line at a time.
    fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        attempt(
            self.fd(),
            |fd| rustix::io::read(fd, &mut *buffer),
            |call| match self {
                ReadPipe::Watched(receiver) => Some(receiver.try_io(call)),
                ReadPipe::Unwatched(_) => None,
            },
        )
    }

    fn try_write(&self, _data: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn try_write_vectored(&self, _pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn shutdown_write(&self) -> io::Result<()> {
        Ok(())
    }

    fn peername(&self) -> Option<Address> {
        None
    }

    fn sockname(&self) -> Option<Address> {
        None
    }

    fn with_socket(&self, look: &mut dyn FnMut(SockRef<'_>)) {
        look(SockRef::from(&self.fd()));
    }
}

/// The writing end, which is readable once nobody reads from the other.
pub(crate) enum WritePipe {
    /// A pipe has an error once its reading end is closed. The future waits for that.
    Fifo(Rc<Sender>, RefCell<Option<Pin<Box<dyn Future<Output = ()>>>>>),
    /// A socket is readable once its peer is closed.
    Socket(UnixStream),
    /// A character device says nothing.
    Device(Sender),
    /// A device that cannot be polled, such as `/dev/null`.
    Unwatched(OwnedFd),
}

impl WritePipe {
    /// Takes a descriptor, which is closed if this fails.
    ///
    /// # Errors
    ///
    /// A [`ValueError`] for anything but a FIFO, a socket or a character device; an error of kind `InvalidInput` for
    /// the wrong end; an error of the operating system.
    pub(crate) fn new(fd: OwnedFd) -> Result<Self> {
        let Some(kind) = Descriptor::of(&fd)? else {
            let message = "Pipe transport is only for pipes, sockets and character devices";
            return Err(ValueError::new(message).into());
        };
        prepare(&fd, OFlags::RDONLY, "the descriptor is not open for writing")?;
        if kind == Descriptor::Socket {
            return Ok(WritePipe::Socket(UnixStream::from_std(StdUnixStream::from(fd))?));
        }
        Ok(match watch(fd, kind, Sender::from_owned_fd_unchecked)? {
            Ok(sender) if kind == Descriptor::Fifo => {
                let sender = Rc::new(sender);
                let watched = sender.clone();
                let is_gone = async move {
                    // An error here says that the runtime has ended, and the pipe with it.
                    let _ = watched.ready(Interest::ERROR).await;
                };
                WritePipe::Fifo(sender, RefCell::new(Some(Box::pin(is_gone))))
            }
            Ok(sender) => WritePipe::Device(sender),
            Err(fd) => WritePipe::Unwatched(fd),
        })
    }

    fn fd(&self) -> BorrowedFd<'_> {
        match self {
            WritePipe::Fifo(sender, _) => sender.as_fd(),
            WritePipe::Socket(socket) => socket.as_fd(),
            WritePipe::Device(sender) => sender.as_fd(),
            WritePipe::Unwatched(fd) => fd.as_fd(),
        }
    }

    fn attempt(&self, call: impl FnMut(BorrowedFd<'_>) -> rustix::io::Result<usize>) -> io::Result<usize> {
        attempt(self.fd(), call, |call| match self {
            WritePipe::Fifo(sender, _) => Some(sender.try_io(call)),
            WritePipe::Device(sender) => Some(sender.try_io(call)),
            WritePipe::Socket(socket) => Some(socket.try_io(Interest::WRITABLE, call)),
            WritePipe::Unwatched(_) => None,
        })
    }
}

impl StreamIo for WritePipe {
    const HALF: Half = Half::Write;

    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            WritePipe::Fifo(_, is_gone) => {
                let mut is_gone = is_gone.borrow_mut();
                if is_gone.as_mut().is_some_and(|is_gone| is_gone.as_mut().poll(cx).is_pending()) {
                    return Poll::Pending;
                }
                *is_gone = None;
                Poll::Ready(Ok(()))
            }
            WritePipe::Socket(socket) => socket.poll_read_ready(cx),
            WritePipe::Device(_) | WritePipe::Unwatched(_) => Poll::Pending,
        }
    }

    fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            WritePipe::Fifo(sender, _) => sender.poll_write_ready(cx),
            WritePipe::Socket(socket) => socket.poll_write_ready(cx),
            WritePipe::Device(sender) => sender.poll_write_ready(cx),
            WritePipe::Unwatched(_) => Poll::Ready(Ok(())),
        }
    }

    fn has_input(&self) -> bool {
        match self {
            WritePipe::Socket(socket) => {
                let mut byte = [MaybeUninit::uninit()];
                let peeked = socket.try_io(Interest::READABLE, || SockRef::from(socket).peek(&mut byte));
                !matches!(peeked, Err(err) if err.kind() == io::ErrorKind::WouldBlock)
            }
            WritePipe::Fifo(..) | WritePipe::Device(_) | WritePipe::Unwatched(_) => true,
        }
    }

    fn try_read(&self, _buffer: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn try_write(&self, data: &[u8]) -> io::Result<usize> {
        self.attempt(|fd| rustix::io::write(fd, data))
    }

    fn try_write_vectored(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.attempt(|fd| rustix::io::writev(fd, pieces))
    }

    fn shutdown_write(&self) -> io::Result<()> {
        Ok(())
    }

    fn peername(&self) -> Option<Address> {
        None
    }

    fn sockname(&self) -> Option<Address> {
        None
    }

    fn with_socket(&self, look: &mut dyn FnMut(SockRef<'_>)) {
        look(SockRef::from(&self.fd()));
    }
}

/// What can be a pipe.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Descriptor {
    Fifo,
    Socket,
    CharacterDevice,
}

impl Descriptor {
    /// `None` for what cannot.
    fn of(fd: &OwnedFd) -> io::Result<Option<Self>> {
        Ok(match FileType::from_raw_mode(fstat(fd)?.st_mode) {
            FileType::Fifo => Some(Descriptor::Fifo),
            FileType::Socket => Some(Descriptor::Socket),
            FileType::CharacterDevice => Some(Descriptor::CharacterDevice),
            _ => None,
        })
    }
}

/// Makes a descriptor non-blocking, unless it has an access mode that is of no use.
fn prepare(fd: &OwnedFd, useless: OFlags, message: &'static str) -> io::Result<()> {
    let flags = fcntl_getfl(fd)?;
    if flags & OFlags::RWMODE == useless {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    if !flags.contains(OFlags::NONBLOCK) {
        fcntl_setfl(fd, flags | OFlags::NONBLOCK)?;
    }
    Ok(())
}

/// Lets tokio watch a descriptor; gives it back if it is a device that cannot be polled, and never blocks either.
fn watch<T>(fd: OwnedFd, kind: Descriptor, watch: fn(OwnedFd) -> io::Result<T>) -> io::Result<Result<T, OwnedFd>> {
    let spare = if kind == Descriptor::CharacterDevice { Some(fd.try_clone()?) } else { None };
    match (watch(fd), spare) {
        (Ok(watched), _) => Ok(Ok(watched)),
        (Err(err), Some(spare)) if err.raw_os_error() == Some(Errno::PERM.raw_os_error()) => Ok(Err(spare)),
        (Err(err), _) => Err(err),
    }
}

/// Calls the operating system through `try_io`, which lets tokio know when it would have blocked, or at once where
/// tokio does not watch, or has not heard of any readiness yet: a new descriptor is not known to be ready before the
/// driver was polled.
fn attempt(
    fd: BorrowedFd<'_>,
    mut call: impl FnMut(BorrowedFd<'_>) -> rustix::io::Result<usize>,
    try_io: impl FnOnce(&mut dyn FnMut() -> io::Result<usize>) -> Option<io::Result<usize>>,
) -> io::Result<usize> {
    let mut is_tried = false;
    let outcome = try_io(&mut || {
        is_tried = true;
        Ok(call(fd)?)
    });
    match outcome {
        Some(outcome) if is_tried => outcome,
        Some(_) | None => Ok(call(fd)?),
    }
}
