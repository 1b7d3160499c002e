//! [`FrameReceiver`]: frames of any codec of tokio-util.

use std::cell::RefCell;
use std::fmt;

use bytes::BytesMut;
use tokio_util::codec::{Decoder, Encoder};

use super::base::Base;
use super::callbacks::{connection_callbacks, forward_connection_callbacks};
use super::receiver_protocol::ReceiverProtocol;
use super::receives::{Receives, State, Step};
use crate::asyncio::RuntimeError;
use crate::error::{Error, Result};

/// What a codec may leave in the buffer before that is an error, unless another is set: the largest frame that
/// tokio-util's `LengthDelimitedCodec` takes by default, 8 MiB.
const MAX_LENGTH: usize = 8 * 1024 * 1024;

/// Receives the frames that a [`Decoder`] finds, and sends those that an [`Encoder`] writes. Drive it with a
/// [`FrameProtocol`]. Not in Twisted: it is for the codecs of tokio-util, so it has `Framed`'s rules.
///
/// - An error of the decoder is fatal for the connection, as one of a callback: `connection_lost` gets it. One that is an
///   `io::Error` is not reported to the exception handler.
/// - At the end of the stream `decode_eof` is called until it gives `None`, then `eof_received`. The usual `decode_eof`
///   fails if a part of a frame is left.
/// - What the decoder leaves in the buffer is bounded by `MAX_LENGTH`: more is a [`BufferLimitError`].
///
/// # Examples
///
/// ```no_run
/// use foster_compat::framing::{FrameBase, FrameProtocol, FrameReceiver};
/// use foster_compat::{Result, run, run_server};
/// use tokio_util::codec::LinesCodec;
///
/// #[derive(Default)]
/// struct Shout;
///
/// impl FrameReceiver for Shout {
///     type Codec = LinesCodec;
///
///     fn codec(&self) -> LinesCodec {
///         LinesCodec::new_with_max_length(1000)
///     }
///
///     fn frame_received(&mut self, base: &FrameBase<LinesCodec>, line: String) -> Result<()> {
///         base.send(line.to_uppercase())
///     }
/// }
///
/// fn main() -> Result<()> {
///     run(run_server(FrameProtocol::<Shout>::default, "127.0.0.1", 8888))
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` receives no frames",
    label = "a `FrameProtocol` drives a `FrameReceiver`",
    note = "implement `FrameReceiver` for it: `Codec`, `codec` and `frame_received` are all that has to be there"
)]
pub trait FrameReceiver: 'static {
    /// What finds the frames, and writes them if it is an [`Encoder`] too.
    type Codec: Decoder<Error: Into<Error>> + 'static;

    /// The most bytes that the decoder may leave in the buffer while it waits for the rest of a frame.
    const MAX_LENGTH: usize = MAX_LENGTH;

    /// The codec of a connection, made once, with the protocol.
    fn codec(&self) -> Self::Codec;

    /// A whole frame has come.
    fn frame_received(&mut self, base: &FrameBase<Self::Codec>, frame: <Self::Codec as Decoder>::Item) -> Result<()>;

    connection_callbacks!(FrameBase<Self::Codec>);
}

/// The protocol that drives a [`FrameReceiver`].
pub type FrameProtocol<R> = ReceiverProtocol<Frames, R>;

/// The framing of a [`FrameReceiver`].
#[derive(Clone, Copy, Debug)]
pub enum Frames {}

/// What a [`FrameReceiver`] inherits.
pub type FrameBase<C> = Base<Codec<C>>;

/// What it remembers.
pub struct Codec<C> {
    /// Borrowed while it decodes or encodes.
    codec: RefCell<C>,
    max_length: usize,
}

impl<C: 'static> FrameBase<C> {
    /// Sends a frame.
    ///
    /// # Errors
    ///
    /// That of the encoder, and nothing is sent, else as [`write`](crate::WriteTransport::write). A
    /// [`RuntimeError`] if the codec itself is calling.
    pub fn send<I>(&self, item: I) -> Result<()>
    where
        C: Encoder<I>,
        <C as Encoder<I>>::Error: Into<Error>,
    {
        let mut encoded = BytesMut::new();
        self.with_codec(|codec| codec.encode(item, &mut encoded).map_err(Into::into))??;
        self.transport.write(&encoded)
    }

    /// Runs `look` on the codec, as `Framed::codec_mut`.
    ///
    /// # Errors
    ///
    /// A [`RuntimeError`] if the codec itself is calling.
    pub fn with_codec<T>(&self, look: impl FnOnce(&mut C) -> T) -> Result<T> {
        match self.core.state.codec.try_borrow_mut() {
            Ok(mut codec) => Ok(look(&mut codec)),
            Err(_) => Err(RuntimeError::new("the codec is at work: it cannot be used from inside itself").into()),
        }
    }
}

/// The decoder has found no end of a frame in more bytes than `MAX_LENGTH`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BufferLimitError {
    n_bytes: usize,
    max: usize,
}

impl BufferLimitError {
    /// How many bytes the decoder has left.
    pub fn n_bytes(&self) -> usize {
        self.n_bytes
    }

    /// How many it may leave.
    pub fn max(&self) -> usize {
        self.max
    }
}

impl fmt::Display for BufferLimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BufferLimitError { n_bytes, max } = self;
        write!(f, "no frame ends in the {n_bytes} bytes that have come: at most {max} are kept, see MAX_LENGTH")
    }
}

impl std::error::Error for BufferLimitError {}

impl<C: 'static> State for Codec<C> {}

impl<R: FrameReceiver> Receives<Frames> for R {
    type State = Codec<R::Codec>;

    /// A decoder may find several frames in one piece and give them one by one.
    const HOLDS_FRAMES: bool = true;

    fn state(&self) -> Codec<R::Codec> {
        Codec { codec: RefCell::new(self.codec()), max_length: R::MAX_LENGTH }
    }

    fn step(&mut self, base: &FrameBase<R::Codec>) -> Result<Step> {
        let core = &base.core;
        // The decoder is a program's own, so the buffer is taken out while it runs.
        let mut buffer = core.buffer.take();
        let is_eof = core.is_eof.get();
        let decoded = base.with_codec(|codec| {
            if is_eof { codec.decode_eof(&mut buffer) } else { codec.decode(&mut buffer) }.map_err(Into::into)
        })?;
        let n_left = buffer.len();
        let added = core.buffer.replace(buffer);
        base.push(&added);
        match decoded? {
            Some(frame) => {
                self.frame_received(base, frame)?;
                Ok(Step::Done)
            }
            None if n_left > core.state.max_length => {
                Err(BufferLimitError { n_bytes: n_left, max: core.state.max_length }.into())
            }
            None => Ok(Step::Starved),
        }
    }

    forward_connection_callbacks!(FrameReceiver, FrameBase<R::Codec>);
}
