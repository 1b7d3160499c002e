//! A level-triggered epoll set, for the load generator and the bare echo server.
//!
//! This crate calls libc directly and so holds `unsafe` code. It is part of the bench kit, not of the library, which
//! forbids it; the callers, which use this and socket2, need none.
#![expect(unsafe_code, reason = "epoll has no safe interface in std or socket2")]

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

pub struct Epoll {
    set: OwnedFd,
    events: Vec<libc::epoll_event>,
}

/// What became ready, for the token given to [`Epoll::add`]. A hang-up or an error counts as readable: the next read
/// says which it was.
#[derive(Clone, Copy, Debug)]
pub struct Ready {
    pub token: usize,
    pub readable: bool,
    pub writable: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    Read,
    Write,
    Both,
}

impl Epoll {
    pub fn new() -> io::Result<Epoll> {
        // SAFETY: the call takes no pointer.
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just made and nothing else owns it.
        let set = unsafe { OwnedFd::from_raw_fd(fd) };
        let events = vec![libc::epoll_event { events: 0, u64: 0 }; MAX_EVENTS];
        Ok(Epoll { set, events })
    }

    /// A descriptor leaves the set by being closed.
    pub fn add(&self, fd: &impl AsRawFd, interest: Interest, token: usize) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, interest, token)
    }

    pub fn modify(&self, fd: &impl AsRawFd, interest: Interest, token: usize) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, fd, interest, token)
    }

    /// Waits and returns the number of ready descriptors, 0 after the timeout or a signal; `None` waits for ever.
    /// Each is then read with [`Epoll::ready`], so that the caller may change the set in between.
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<usize> {
        let timeout = timeout.map_or(-1, |timeout| timeout.as_millis() as i32);
        let capacity = self.events.len() as i32;
        // SAFETY: the kernel writes at most `capacity` events into a buffer of that length.
        let n_ready = unsafe { libc::epoll_wait(self.set.as_raw_fd(), self.events.as_mut_ptr(), capacity, timeout) };
        if n_ready >= 0 {
            return Ok(n_ready as usize);
        }
        match io::Error::last_os_error() {
            err if err.kind() == io::ErrorKind::Interrupted => Ok(0),
            err => Err(err),
        }
    }

    #[inline]
    pub fn ready(&self, index: usize) -> Ready {
        let event = self.events[index];
        let writable = event.events & libc::EPOLLOUT as u32 != 0;
        let readable = event.events & !(libc::EPOLLOUT as u32) != 0;
        Ready { token: event.u64 as usize, readable, writable }
    }

    fn control(&self, operation: i32, fd: &impl AsRawFd, interest: Interest, token: usize) -> io::Result<()> {
        let events = match interest {
            Interest::Read => libc::EPOLLIN,
            Interest::Write => libc::EPOLLOUT,
            Interest::Both => libc::EPOLLIN | libc::EPOLLOUT,
        };
        let mut event = libc::epoll_event { events: events as u32, u64: token as u64 };
        // SAFETY: the event outlives the call, and a bad descriptor is reported, not dereferenced.
        let result = unsafe { libc::epoll_ctl(self.set.as_raw_fd(), operation, fd.as_raw_fd(), &mut event) };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

/// As many as mio asks for by default.
const MAX_EVENTS: usize = 1024;
