//! [`Config`]: limits and time-outs of WebSockets.

use std::rc::Rc;
use std::time::Duration;

use crate::websocket::connection::DEFAULT_MAX_MESSAGE_SIZE;
use crate::websocket::deflate::{DeflateConfig, DeflateOffer};
use crate::websocket::handshake::Origins;

/// Messages that wait to be received, above which reading stops: Quart-Trio's channel holds as many.
pub const DEFAULT_MAX_QUEUE: usize = 10;

/// Both as in Python's `websockets` and uvicorn.
const DEFAULT_PING: Duration = Duration::from_secs(20);

/// As in Python's `websockets`.
const DEFAULT_CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// Limits, time-outs and what is agreed on in a handshake, for either end. A clone is another reference.
///
/// ```
/// use std::time::Duration;
/// use foster::websocket::Config;
///
/// let config = Config::new()
///     .subprotocols(["chat.v2", "chat.v1"])
///     .max_message_size(Some(64 * 1024))
///     .ping_interval(Some(Duration::from_secs(30)));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Config(Rc<Settings>);

#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) max_message_size: Option<usize>,
    pub(super) max_queue: usize,
    pub(super) ping_interval: Option<Duration>,
    pub(super) ping_timeout: Option<Duration>,
    pub(super) close_timeout: Duration,
    pub(super) origins: Origins,
    pub(super) subprotocols: Vec<String>,
    pub(super) compression: Option<DeflateConfig>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            max_message_size: Some(DEFAULT_MAX_MESSAGE_SIZE),
            max_queue: DEFAULT_MAX_QUEUE,
            ping_interval: Some(DEFAULT_PING),
            ping_timeout: Some(DEFAULT_PING),
            close_timeout: DEFAULT_CLOSE_TIMEOUT,
            origins: Origins::default(),
            subprotocols: Vec::new(),
            compression: Some(DeflateConfig::default()),
        }
    }
}

impl Config {
    /// The defaults, each of which its method names.
    pub fn new() -> Self {
        Config::default()
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.0
    }

    pub(in crate::websocket) fn offered_subprotocols(&self) -> &[String] {
        &self.0.subprotocols
    }

    pub(in crate::websocket) fn compression_offer(&self) -> Option<DeflateOffer> {
        self.0.compression.as_ref()?.offer()
    }

    fn with(mut self, set: impl FnOnce(&mut Settings)) -> Self {
        set(Rc::make_mut(&mut self.0));
        self
    }

    /// The largest message that is received, in bytes, after decompression; a larger one closes the connection with
    /// 1009. 16 MiB unless set; `None` for no limit.
    pub fn max_message_size(self, size: Option<usize>) -> Self {
        self.with(|settings| settings.max_message_size = size)
    }

    /// How many messages may wait to be received; above it, and 64 KiB of bytes behind them, nothing more is read from
    /// the peer. 10 unless set; 0 counts as 1.
    pub fn max_queue(self, n: usize) -> Self {
        self.with(|settings| settings.max_queue = n.max(1))
    }

    /// How often the peer is sent a ping; `None` for never. 20 seconds unless set.
    ///
    /// Without pings a peer that has vanished without a word is noticed only when something is sent to it.
    pub fn ping_interval(self, interval: Option<Duration>) -> Self {
        self.with(|settings| settings.ping_interval = interval.filter(|interval| !interval.is_zero()))
    }

    /// How long after a ping the peer may stay silent; then the connection is closed with 1011. 20 seconds unless set;
    /// `None` for ever.
    pub fn ping_timeout(self, timeout: Option<Duration>) -> Self {
        self.with(|settings| settings.ping_timeout = timeout)
    }

    /// How long the closing handshake may take, and how long a handler may go on after its connection was lost, before
    /// it is cancelled. 10 seconds unless set.
    pub fn close_timeout(self, timeout: Duration) -> Self {
        self.with(|settings| settings.close_timeout = timeout)
    }

    /// Which pages of browsers may connect: their own server's alone unless set. Servers only.
    pub fn origins(self, origins: Origins) -> Self {
        self.with(|settings| settings.origins = origins)
    }

    /// The subprotocols, best first: a server takes the first that the client offers, a client offers all.
    pub fn subprotocols<S: Into<String>>(self, names: impl IntoIterator<Item = S>) -> Self {
        self.with(|settings| settings.subprotocols = names.into_iter().map(Into::into).collect())
    }

    /// Compression by permessage-deflate (RFC 7692), as far as the peer knows it; `None` for none. On unless set.
    pub fn compression(self, compression: Option<DeflateConfig>) -> Self {
        self.with(|settings| settings.compression = compression)
    }
}
