//! What a [`StreamReader`](super::StreamReader), its clones and whoever feeds it share.

use std::cell::{Cell, RefCell, RefMut};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::read_buffer::{ReadBuffer, find, find_byte};
use super::read_error::{IncompleteReadError, LimitOverrunError};
use crate::asyncio::exceptions::RuntimeError;
use crate::asyncio::transport_ref::TransportRef;
use crate::error::{Error, Result};

pub(super) struct ReaderState {
    buffer: RefCell<ReadBuffer>,
    /// So many bytes at the front hold no end of a line, so that nobody looks through them again.
    n_searched: Cell<usize>,
    /// Bytes that one clone has taken out to lend them as a slice; they count as unread.
    pub(super) n_claimed: Cell<usize>,
    pub(super) limit: usize,
    pub(super) is_eof: Cell<bool>,
    /// The transport was paused from here, and not resumed since.
    pub(super) is_paused: Cell<bool>,
    pub(super) exception: RefCell<Option<Error>>,
    pub(super) transport: RefCell<Option<TransportRef>>,
    /// The one read that waits.
    waiting: Cell<Waiting>,
    waiter: RefCell<Option<Waker>>,
    /// Who polled last through tokio's traits and found nothing.
    poller: RefCell<Option<Waker>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    Nobody,
    Waits,
    /// Something has come, and the read has not gone on yet.
    Woken,
}

/// Why a search for separators found none.
pub(super) enum SearchError {
    Incomplete(IncompleteReadError),
    Overrun(LimitOverrunError),
    Other(Error),
}

impl<E: Into<Error>> From<E> for SearchError {
    fn from(err: E) -> Self {
        SearchError::Other(err.into())
    }
}

impl ReaderState {
    pub(super) fn new(limit: usize) -> Self {
        ReaderState {
            buffer: RefCell::default(),
            n_searched: Cell::new(0),
            n_claimed: Cell::new(0),
            limit,
            is_eof: Cell::new(false),
            is_paused: Cell::new(false),
            exception: RefCell::new(None),
            transport: RefCell::new(None),
            waiting: Cell::new(Waiting::Nobody),
            waiter: RefCell::new(None),
            poller: RefCell::new(None),
        }
    }

    #[inline]
    pub(super) fn n_unread(&self) -> usize {
        self.buffer.borrow().len() + self.n_claimed.get()
    }

    // ---- feeding

    pub(super) fn feed(&self, data: &[u8]) -> Result<()> {
        if self.is_eof.get() {
            return Err(RuntimeError::new("feed_data after feed_eof").into());
        }
        if data.is_empty() {
            return Ok(());
        }
        self.buffer.borrow_mut().extend(data);
        self.wake();
        if !self.is_paused.get() && self.n_unread() > self.limit.saturating_mul(2) {
            let transport = self.transport.borrow().clone();
            if let Some(transport) = transport {
                self.is_paused.set(true);
                transport.pause_reading();
            }
        }
        Ok(())
    }

    /// Tells whoever waits that something has changed.
    pub(super) fn wake(&self) {
        if self.waiting.get() == Waiting::Waits {
            self.waiting.set(Waiting::Woken);
        }
        let (waiter, poller) = (self.waiter.take(), self.poller.take());
        waiter.into_iter().chain(poller).for_each(Waker::wake);
    }

    // ---- reading

    pub(super) fn check_exception(&self) -> Result<()> {
        match &*self.exception.borrow() {
            Some(exc) => Err(exc.clone()),
            None => Ok(()),
        }
    }

    /// Resumes the transport once enough was read.
    #[inline]
    pub(super) fn maybe_resume(&self) {
        if self.is_paused.get() && self.n_unread() <= self.limit {
            self.resume();
        }
    }

    /// Whoever waits for bytes must not wait for a transport that is paused.
    fn resume(&self) {
        if self.is_paused.replace(false) {
            let transport = self.transport.borrow().clone();
            if let Some(transport) = transport {
                transport.resume_reading();
            }
        }
    }

    /// Ready once something was fed after the first call with this place; `name` is the method that asks.
    pub(super) fn poll_news(
        self: &Rc<Self>,
        place: &mut Option<Place>,
        name: &str,
        cx: &mut Context<'_>,
    ) -> Poll<Result<()>> {
        if place.is_none() {
            self.check_sole_reader(name)?;
            self.waiting.set(Waiting::Waits);
            *place = Some(Place { state: self.clone() });
            self.buffer.borrow_mut().rest();
            self.resume();
        }
        if self.waiting.get() == Waiting::Woken {
            *place = None;
            return Poll::Ready(Ok(()));
        }
        let is_known = self.waiter.borrow().as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
        if !is_known {
            let old = self.waiter.replace(Some(cx.waker().clone()));
            drop(old);
        }
        Poll::Pending
    }

    /// As [`poll_news`](ReaderState::poll_news) for who polls through a trait and leaves no place behind: the next
    /// that is fed wakes it.
    pub(super) fn register_poller(&self, name: &str, cx: &mut Context<'_>) -> Result<()> {
        self.check_sole_reader(name)?;
        let old = self.poller.replace(Some(cx.waker().clone()));
        drop(old);
        self.buffer.borrow_mut().rest();
        self.resume();
        Ok(())
    }

    fn check_sole_reader(&self, name: &str) -> Result<(), RuntimeError> {
        match self.waiting.get() {
            Waiting::Nobody => Ok(()),
            Waiting::Waits | Waiting::Woken => Err(two_readers(name)),
        }
    }

    /// What can be read, for somebody who takes of it.
    #[inline]
    pub(super) fn unread(&self) -> RefMut<'_, ReadBuffer> {
        self.n_searched.set(0);
        self.buffer.borrow_mut()
    }

    pub(super) fn take_all(&self) -> Vec<u8> {
        let mut buffer = self.unread();
        let n = buffer.len();
        buffer.take(n)
    }

    /// As [`search`](ReaderState::search), for the end of a line.
    pub(super) fn search_line(&self) -> Result<Option<usize>, SearchError> {
        match self.find_line() {
            Some(n_before) => self.found(n_before, 1),
            None => self.not_found(self.n_searched.get()),
        }
    }

    /// The end of a line that is there and not over the limit.
    pub(super) fn line_at_hand(&self) -> Option<usize> {
        self.find_line().filter(|n_before| *n_before <= self.limit).map(|n_before| n_before + 1)
    }

    fn find_line(&self) -> Option<usize> {
        let buffer = self.buffer.borrow();
        let unread = buffer.as_slice();
        let searched = self.n_searched.get();
        let at = find_byte(unread.get(searched..).unwrap_or_default(), b'\n');
        if at.is_none() {
            self.n_searched.set(unread.len());
        }
        Some(searched + at?)
    }

    /// Looks for the first end of a separator, from `offset` on, which moves past what needs no second look. `None`
    /// if more has to come.
    pub(super) fn search(&self, separators: &[&[u8]], offset: &Cell<usize>) -> Result<Option<usize>, SearchError> {
        let buffer = self.buffer.borrow();
        let unread = buffer.as_slice();
        let searched = offset.get();
        let looked_at = unread.get(searched..).unwrap_or_default();
        let found = separators.iter().filter_map(|separator| {
            let at = searched + find(looked_at, separator)?;
            Some((at + separator.len(), separator.len()))
        });
        // The shortest of those that end at one place.
        if let Some((end, length)) = found.min() {
            return self.found(end - length, length);
        }
        // The beginning of a separator may stand at the end.
        let longest = separators.iter().map(|separator| separator.len()).max().unwrap_or(1);
        let searched = searched.max((unread.len() + 1).saturating_sub(longest));
        drop(buffer);
        offset.set(searched);
        self.not_found(searched)
    }

    /// A separator of this length stands behind `n_before` bytes.
    fn found(&self, n_before: usize, length: usize) -> Result<Option<usize>, SearchError> {
        if n_before > self.limit {
            let message = "Separator is found, but chunk is longer than limit";
            return Err(SearchError::Overrun(LimitOverrunError::new(message, n_before)));
        }
        Ok(Some(n_before + length))
    }

    /// No separator begins in the first `searched` bytes.
    fn not_found(&self, searched: usize) -> Result<Option<usize>, SearchError> {
        if searched > self.limit {
            let message = "Separator is not found, and chunk exceed the limit";
            return Err(SearchError::Overrun(LimitOverrunError::new(message, searched)));
        }
        self.check_exception()?;
        if self.is_eof.get() {
            let partial = self.take_all();
            return Err(SearchError::Incomplete(IncompleteReadError::new(partial, None)));
        }
        Ok(None)
    }

    /// After a line over the limit: forgets it, or all that has come of it.
    pub(super) fn skip_line(&self, n_before: usize) {
        let mut buffer = self.unread();
        if buffer.as_slice().get(n_before) == Some(&b'\n') {
            buffer.consume(n_before + 1);
        } else {
            buffer.clear();
        }
        drop(buffer);
        self.maybe_resume();
    }
}

/// A reader that is gone leaves no transport paused: what comes then has nobody to wait for.
impl Drop for ReaderState {
    fn drop(&mut self) {
        self.resume();
    }
}

pub(super) fn two_readers(name: &str) -> RuntimeError {
    RuntimeError::new(format!("{name}() called while another coroutine is already waiting for incoming data"))
}

/// The place of the one read that waits; dropped, it waits no longer.
pub(super) struct Place {
    state: Rc<ReaderState>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.state.waiting.set(Waiting::Nobody);
        let waker = self.state.waiter.take();
        drop(waker);
    }
}
