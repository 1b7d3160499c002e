//! [`Inflater`]: makes messages out of compressed data, in steps.

use flate2::{Decompress, DecompressError, FlushDecompress, Status};

use crate::websocket::WebSocketError;

/// Decompresses the messages of one direction of a connection.
///
/// Its window is always the largest: zlib-rs allocates that much for any window bits, what refers back over a smaller one
/// is read all the same, and only a window of 15 bits can be reset without another allocation.
pub(super) struct Inflater {
    inner: Decompress,
    /// A block marked as final was the last thing read (RFC 7692, 7.2.3.5), and nothing has come since.
    has_ended: bool,
}

/// What one call of zlib did.
struct Step {
    n_produced: usize,
    outcome: Result<(), WebSocketError>,
}

/// What the sender has cut off (RFC 7692, 7.2.1), and an empty block: together they change nothing, if they come between
/// two blocks, and show if they do not.
const TAIL: [u8; 9] = [0x00, 0x00, 0xff, 0xff, 0x00, 0x00, 0x00, 0xff, 0xff];

/// As [`TAIL`], with the empty block marked as final: that ends the stream nowhere but between two blocks.
const FINAL_TAIL: [u8; 9] = [0x00, 0x00, 0xff, 0xff, 0x01, 0x00, 0x00, 0xff, 0xff];

/// The least room that is made for output.
const MIN_ROOM: usize = 256;

/// The most room that is made before anything is there.
const MAX_FIRST_ROOM: usize = 16 * 1024;

const CORRUPT: WebSocketError = WebSocketError::InvalidData("compressed data is corrupt");
const CUT: WebSocketError = WebSocketError::InvalidData("a compressed message ends too early");

impl Inflater {
    pub(super) fn new() -> Self {
        Inflater { inner: Decompress::new_with_window_bits(false, 15), has_ended: false }
    }

    /// Forgets everything.
    pub(super) fn reset(&mut self) {
        self.inner.reset(false);
        self.has_ended = false;
    }

    /// Appends what `piece` decompresses to. Room is made only when there is none left, and never more than is filled
    /// already, nor beyond `limit`.
    pub(super) fn receive_data(
        &mut self,
        piece: &[u8],
        out: &mut Vec<u8>,
        limit: Option<usize>,
    ) -> Result<(), WebSocketError> {
        let max_len = limit.unwrap_or(usize::MAX);
        let mut input = piece;
        let mut holds_more = false;
        while holds_more || !input.is_empty() {
            let n_left = max_len.saturating_sub(out.len());
            if n_left == 0 {
                // One byte more is too much.
                let step =
                    self.step(&mut input, |inner, input| inner.decompress(input, &mut [0], FlushDecompress::Sync));
                if step.n_produced > 0 {
                    return Err(WebSocketError::MessageTooBig { limit: max_len });
                }
                step.outcome?;
                holds_more = false;
                continue;
            }
            if out.len() == out.capacity() {
                let first = piece.len().saturating_mul(4).clamp(MIN_ROOM, MAX_FIRST_ROOM);
                out.reserve_exact(out.len().max(first).min(n_left));
            }
            let step = self.step(&mut input, |inner, input| inner.decompress_vec(input, out, FlushDecompress::Sync));
            // What is wrong behind the limit does not matter, so that it does not either how the message was cut.
            if out.len() > max_len {
                out.truncate(max_len);
                return Err(WebSocketError::MessageTooBig { limit: max_len });
            }
            step.outcome?;
            holds_more = out.len() == out.capacity();
        }
        Ok(())
    }

    /// The end of a message. With `keeps_context` false everything is forgotten.
    ///
    /// That the message was cut is found here, but for one case: a cut in the header of a block, with the context kept,
    /// is found with the next message.
    pub(super) fn receive_end(&mut self, keeps_context: bool) -> Result<(), WebSocketError> {
        if !self.has_ended {
            let mut tail = if keeps_context { &TAIL[..] } else { &FINAL_TAIL[..] };
            let decompress =
                |inner: &mut Decompress, tail: &[u8]| inner.decompress(tail, &mut [0], FlushDecompress::Sync);
            let step = self.step(&mut tail, decompress);
            step.outcome?;
            if step.n_produced > 0 || !tail.is_empty() || self.has_ended == keeps_context {
                return Err(CUT);
            }
        }
        self.has_ended = false;
        if !keeps_context {
            self.inner.reset(false);
        }
        Ok(())
    }

    /// One call of zlib. Takes from `input` what was used.
    fn step(
        &mut self,
        input: &mut &[u8],
        decompress: impl FnOnce(&mut Decompress, &[u8]) -> Result<Status, DecompressError>,
    ) -> Step {
        let (total_in, total_out) = (self.inner.total_in(), self.inner.total_out());
        let status = decompress(&mut self.inner, input);
        let n_consumed = (self.inner.total_in() - total_in) as usize;
        let n_produced = (self.inner.total_out() - total_out) as usize;
        *input = &input[n_consumed..];
        let outcome = match status {
            Ok(Status::StreamEnd) => {
                // Another stream may follow, which knows nothing of this one: as in Chromium.
                self.reset();
                self.has_ended = true;
                Ok(())
            }
            Ok(_) if n_consumed > 0 || n_produced > 0 || input.is_empty() => {
                self.has_ended &= n_consumed == 0;
                Ok(())
            }
            _ => Err(CORRUPT),
        };
        Step { n_produced, outcome }
    }
}
