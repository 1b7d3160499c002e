//! [`open_memory_channel`]: values from task to task.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use async_channel::{Receiver, Sender, TryRecvError, TrySendError};
use futures::Stream;

use super::sleep::primitive;
use crate::runtime::current;

/// Opens a channel that holds up to `max_buffer_size` values: `trio.open_memory_channel`.
///
/// Both ends can be cloned, and an end is closed when its last clone is dropped. Every value goes to one receiver.
/// `usize::MAX` is no limit.
///
/// Differs from trio: there is no rendezvous, so a size of 0 is taken as 1. Closing is dropping
/// ([`close`](MemorySendChannel::close) takes the handle), so there is no `ClosedResourceError`. Values that can be
/// sent between threads may be: there [`send_nowait`](MemorySendChannel::send_nowait) and
/// [`receive_nowait`](MemoryReceiveChannel::receive_nowait) work, the waits need a loop.
///
/// # Examples
///
/// ```
/// use foster_compat::{open_memory_channel, open_nursery, run};
/// use futures::StreamExt;
///
/// run(async {
///     let (sender, receiver) = open_memory_channel(1);
///     open_nursery(async |nursery| {
///         nursery.start_soon(async move {
///             for n in 0..3 {
///                 sender.send(n).await?;
///             }
///             Ok(())
///         });
///         assert_eq!(receiver.collect::<Vec<_>>().await, [0, 1, 2]);
///         Ok(())
///     })
///     .await
/// })?;
/// # foster_compat::Ok(())
/// ```
pub fn open_memory_channel<T>(max_buffer_size: usize) -> (MemorySendChannel<T>, MemoryReceiveChannel<T>) {
    let (sender, receiver) = match max_buffer_size {
        usize::MAX => async_channel::unbounded(),
        size => async_channel::bounded(size.max(1)),
    };
    (MemorySendChannel { sender }, MemoryReceiveChannel { receiver: Box::pin(receiver), has_begun: false })
}

/// The end of a memory channel that values go in at: `trio.MemorySendChannel`.
#[derive(Clone)]
pub struct MemorySendChannel<T> {
    sender: Sender<T>,
}

impl<T> MemorySendChannel<T> {
    /// Sends a value, and waits while the channel is full.
    ///
    /// # Cancel safety
    ///
    /// Cancelled or dropped, the value was not sent, and is dropped.
    ///
    /// # Errors
    ///
    /// [`SendError::BrokenResource`] if every receiver is closed, also while it waits.
    ///
    /// # Panics
    ///
    /// Outside a loop.
    pub async fn send(&self, value: T) -> Result<(), SendError<T>> {
        let sent = primitive("a full memory channel", self.sender.send(value)).await;
        sent.map_err(|err| SendError::BrokenResource(err.into_inner()))
    }

    /// Sends a value if the channel is not full.
    ///
    /// # Errors
    ///
    /// [`SendError::WouldBlock`] if it is full, [`SendError::BrokenResource`] if every receiver is closed. Both give
    /// the value back.
    pub fn send_nowait(&self, value: T) -> Result<(), SendError<T>> {
        self.sender.try_send(value).map_err(|err| match err {
            TrySendError::Full(value) => SendError::WouldBlock(value),
            TrySendError::Closed(value) => SendError::BrokenResource(value),
        })
    }

    /// Closes this handle; the channel ends with its last one. The same as dropping it.
    pub fn close(self) {}

    /// The state of the channel.
    pub fn statistics(&self) -> MemoryChannelStatistics {
        MemoryChannelStatistics {
            current_buffer_used: self.sender.len(),
            max_buffer_size: self.sender.capacity().unwrap_or(usize::MAX),
            open_send_channels: self.sender.sender_count(),
            open_receive_channels: self.sender.receiver_count(),
        }
    }
}

impl<T> fmt::Debug for MemorySendChannel<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemorySendChannel({:?})", self.statistics())
    }
}

/// The end of a memory channel that values come out at, one by one or as a [`Stream`]: `trio.MemoryReceiveChannel`.
pub struct MemoryReceiveChannel<T> {
    /// Boxed, so that the stream can be moved.
    receiver: Pin<Box<Receiver<T>>>,
    /// The stream has been found empty since its last value.
    has_begun: bool,
}

impl<T> MemoryReceiveChannel<T> {
    /// Receives a value, and waits while there is none.
    ///
    /// # Cancel safety
    ///
    /// Cancelled or dropped, no value is lost.
    ///
    /// # Errors
    ///
    /// [`ReceiveError::EndOfChannel`] once every sender is closed and every value was received.
    ///
    /// # Panics
    ///
    /// Outside a loop.
    pub async fn receive(&self) -> Result<T, ReceiveError> {
        let received = primitive("an empty memory channel", self.receiver.recv()).await;
        received.map_err(|_| ReceiveError::EndOfChannel)
    }

    /// Receives a value if there is one.
    ///
    /// # Errors
    ///
    /// [`ReceiveError::WouldBlock`] if there is none, [`ReceiveError::EndOfChannel`] if there will be none.
    pub fn receive_nowait(&self) -> Result<T, ReceiveError> {
        self.receiver.try_recv().map_err(|err| match err {
            TryRecvError::Empty => ReceiveError::WouldBlock,
            TryRecvError::Closed => ReceiveError::EndOfChannel,
        })
    }

    /// Closes this handle; the channel is broken with its last one. The same as dropping it.
    pub fn close(self) {}

    /// The state of the channel.
    pub fn statistics(&self) -> MemoryChannelStatistics {
        MemoryChannelStatistics {
            current_buffer_used: self.receiver.len(),
            max_buffer_size: self.receiver.capacity().unwrap_or(usize::MAX),
            open_send_channels: self.receiver.sender_count(),
            open_receive_channels: self.receiver.receiver_count(),
        }
    }
}

impl<T> Clone for MemoryReceiveChannel<T> {
    fn clone(&self) -> Self {
        MemoryReceiveChannel { receiver: self.receiver.clone(), has_begun: false }
    }
}

impl<T> Stream for MemoryReceiveChannel<T> {
    type Item = T;

    /// # Panics
    ///
    /// Outside a loop.
    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let core = current();
        if core.holds_wait(self.has_begun) {
            return Poll::Pending;
        }
        let poll = self.receiver.as_mut().poll_next(cx);
        self.has_begun = poll.is_pending();
        if self.has_begun {
            core.waits_for.set("an empty memory channel");
        }
        poll
    }
}

impl<T> fmt::Debug for MemoryReceiveChannel<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryReceiveChannel({:?})", self.statistics())
    }
}

/// The state of a memory channel: `trio.MemoryChannelStatistics`, without the numbers of those who wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryChannelStatistics {
    /// Values that wait to be received.
    pub current_buffer_used: usize,
    /// Values that may wait; `usize::MAX` for no limit.
    pub max_buffer_size: usize,
    /// Handles that can send.
    pub open_send_channels: usize,
    /// Handles that can receive.
    pub open_receive_channels: usize,
}

/// Why a value was not sent; it holds the value.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError<T> {
    /// The channel is full: `trio.WouldBlock`.
    WouldBlock(T),
    /// Nobody can receive it any more: `trio.BrokenResourceError`.
    BrokenResource(T),
}

impl<T> SendError<T> {
    /// The value that was not sent.
    pub fn into_inner(self) -> T {
        match self {
            SendError::WouldBlock(value) | SendError::BrokenResource(value) => value,
        }
    }
}

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SendError::WouldBlock(_) => "WouldBlock(..)",
            SendError::BrokenResource(_) => "BrokenResource(..)",
        })
    }
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SendError::WouldBlock(_) => "the memory channel is full",
            SendError::BrokenResource(_) => "every receiver of the memory channel is closed",
        })
    }
}

impl<T> std::error::Error for SendError<T> {}

/// Why no value was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReceiveError {
    /// The channel is empty: `trio.WouldBlock`.
    WouldBlock,
    /// The channel is empty and every sender is closed: `trio.EndOfChannel`.
    EndOfChannel,
}

impl fmt::Display for ReceiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ReceiveError::WouldBlock => "the memory channel is empty",
            ReceiveError::EndOfChannel => "the memory channel has ended: every sender is closed",
        })
    }
}

impl std::error::Error for ReceiveError {}
