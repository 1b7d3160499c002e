//! The compression of RFC 7692: [`Deflate`] for a connection, and how two ends agree on it.

mod budget;
mod config;
mod deflater;
mod inflater;
mod negotiation;
mod params;
mod pool;

use std::fmt;

use budget::Reservation;
pub use budget::{DEFAULT_DEFLATE_BUDGET, DeflateBudget, INFLATER_SIZE, deflater_size};
pub use config::DeflateConfig;
use deflater::{Deflater, EMPTY, Settings};
use inflater::Inflater;
pub use negotiation::DeflateOffer;
pub use params::DeflateParams;

use super::error::WebSocketError;

/// The compression of one connection, as both ends agreed: [`DeflateConfig::accept`] and [`DeflateConfig::offer`] make it.
///
/// It holds a compressor and a decompressor only while it needs them: a message is between its pieces, or the next may
/// refer to it. Dropping it gives back what it holds, and what it was promised.
pub struct Deflate {
    params: DeflateParams,
    settings: Settings,
    /// Whether this end may refer to the messages it has sent.
    keeps_sent: bool,
    /// Whether the peer may.
    keeps_received: bool,
    min_size: usize,
    budget: DeflateBudget,
    deflater: Option<Deflater>,
    inflater: Option<Inflater>,
    /// For the inflater, whether it is there or not.
    _promise: Reservation,
}

impl Deflate {
    /// What both ends agreed on.
    pub fn params(&self) -> DeflateParams {
        self.params
    }

    /// Appends the compressed payload of a whole message to `out`. False if the message is to go uncompressed, with
    /// nothing appended: it is small, would not get smaller, or there is no memory for it.
    pub fn compress(&mut self, payload: &[u8], out: &mut Vec<u8>) -> bool {
        self.is_worthwhile(payload) && self.append(payload, true, payload.len(), out)
    }

    /// Appends a compressed piece of a message that is sent as it comes. It can be decompressed at once.
    ///
    /// The first piece decides: if false is given for it, with nothing appended, all of the message goes uncompressed, and
    /// nothing more of it is given here.
    pub fn compress_piece(&mut self, piece: &[u8], is_first: bool, is_last: bool, out: &mut Vec<u8>) -> bool {
        if is_first && is_last {
            return self.compress(piece, out);
        }
        if piece.is_empty() && !is_first {
            // zlib has nothing to say a second time. A piece before has ended a block.
            if is_last {
                out.push(EMPTY);
                self.end_sent();
            }
            return true;
        }
        (!is_first || self.is_worthwhile(piece)) && self.append(piece, is_last, usize::MAX, out)
    }

    /// The compressed payload of a message on its own, for any connection whose compressor has at least this one's
    /// [window](Deflate::window_bits). `None` as [`compress`](Deflate::compress) gives false. A connection that sends it
    /// needs to [`forget_context`](Deflate::forget_context).
    pub fn compress_once(&self, payload: &[u8]) -> Option<Vec<u8>> {
        if !self.is_worthwhile(payload) {
            return None;
        }
        let mut deflater = pool::take_deflater(self.settings, &self.budget)?;
        let mut out = Vec::new();
        let is_smaller = deflater.compress(payload, true, &mut out, payload.len());
        pool::give_deflater(deflater);
        is_smaller.then_some(out)
    }

    /// How far back what this end sends may refer, as a power of two.
    pub fn window_bits(&self) -> u8 {
        self.settings.window_bits
    }

    /// The next message will not refer to those before it: the peer has got a compressed one that this did not make.
    pub fn forget_context(&mut self) {
        if let Some(deflater) = self.deflater.take() {
            pool::give_deflater(deflater);
        }
    }

    /// Appends what a piece of the payload of a compressed message decompresses to. `out` holds what the message has come
    /// to so far, and grows to `limit` bytes at most, in steps that are no longer than what is there already.
    ///
    /// # Errors
    ///
    /// [`WebSocketError::InvalidData`] if it is not compressed data, or with `is_last` ends too early;
    /// [`WebSocketError::MessageTooBig`] above `limit`. Neither leaves anything to go on with.
    pub fn decompress(
        &mut self,
        piece: &[u8],
        is_last: bool,
        out: &mut Vec<u8>,
        limit: Option<usize>,
    ) -> Result<(), WebSocketError> {
        let inflater = self.inflater.get_or_insert_with(pool::take_inflater);
        inflater.receive_data(piece, out, limit)?;
        if is_last {
            inflater.receive_end(self.keeps_received)?;
            if !self.keeps_received {
                self.end_received();
            }
        }
        Ok(())
    }

    fn new(config: &DeflateConfig, params: DeflateParams, side: Side, promise: Reservation) -> Self {
        let server = (params.server_max_window_bits, !params.server_no_context_takeover);
        let client = (params.client_max_window_bits, !params.client_no_context_takeover);
        let ((window_bits, keeps_sent), (_, keeps_received)) = match side {
            Side::Server => (server, client),
            Side::Client => (client, server),
        };
        Deflate {
            params,
            settings: Settings { level: config.level.clamp(1, 9), window_bits },
            keeps_sent,
            keeps_received,
            min_size: config.min_size,
            budget: config.budget.clone(),
            deflater: None,
            inflater: None,
            _promise: promise,
        }
    }

    fn is_worthwhile(&self, payload: &[u8]) -> bool {
        !payload.is_empty() && payload.len() >= self.min_size
    }

    fn append(&mut self, piece: &[u8], is_last: bool, max_len: usize, out: &mut Vec<u8>) -> bool {
        let deflater = self.deflater.take().or_else(|| pool::take_deflater(self.settings, &self.budget));
        let Some(mut deflater) = deflater else { return false };
        let start = out.len();
        let is_smaller = deflater.compress(piece, is_last, out, max_len);
        self.deflater = Some(deflater);
        if !is_smaller {
            // The peer will not see what the compressor has.
            out.truncate(start);
            self.forget_context();
        } else if is_last {
            self.end_sent();
        }
        is_smaller
    }

    fn end_sent(&mut self) {
        if !self.keeps_sent || !self.budget.can_keep_context() {
            self.forget_context();
        }
    }

    fn end_received(&mut self) {
        if let Some(inflater) = self.inflater.take() {
            pool::give_inflater(inflater, &self.budget);
        }
    }
}

impl Drop for Deflate {
    fn drop(&mut self) {
        self.forget_context();
        self.end_received();
    }
}

impl fmt::Debug for Deflate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deflate").field("params", &self.params).finish_non_exhaustive()
    }
}

/// Which end this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}
