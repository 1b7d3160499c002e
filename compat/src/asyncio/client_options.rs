//! What the builders of clients have in common.

use std::time::Duration;

use super::acceptor::{ConnectionOptions, water_marks};
use super::tls::SslOptions;
use crate::error::Result;

#[derive(Clone, Debug, Default)]
pub(super) struct ClientOptions {
    pub(super) write_buffer_limits: Option<(Option<usize>, Option<usize>)>,
    pub(super) idle_timeout: Option<Duration>,
    pub(super) is_strict: bool,
    pub(super) ssl: SslOptions,
}

impl ClientOptions {
    /// The options of the connection.
    ///
    /// # Errors
    ///
    /// Limits that make no sense.
    pub(super) fn check(&self) -> Result<ConnectionOptions> {
        let mut options = self.below_tls();
        if let Some((high, low)) = self.write_buffer_limits {
            (options.low, options.high) = water_marks(high, low)?;
        }
        Ok(options)
    }

    /// The options of the transport below TLS: the marks are those of the transport above.
    pub(super) fn below_tls(&self) -> ConnectionOptions {
        ConnectionOptions { is_strict: self.is_strict, idle_timeout: self.idle_timeout, ..ConnectionOptions::default() }
    }
}

macro_rules! client_options {
    () => {
        /// A factory that may fail instead of the one given: the socket is then closed, and its error is what awaiting
        /// the builder gives.
        pub fn try_factory(mut self, factory: impl FnOnce() -> Result<P> + 'n) -> Self {
            self.factory = Box::new(factory);
            self
        }

        /// The marks that the connection starts with; see
        /// [`set_write_buffer_limits`](crate::WriteTransport::set_write_buffer_limits).
        pub fn write_buffer_limits(mut self, high: Option<usize>, low: Option<usize>) -> Self {
            self.options.write_buffer_limits = Some((high, low));
            self
        }

        /// The idle time-out that the connection starts with; see
        /// [`set_idle_timeout`](crate::ReadTransport::set_idle_timeout).
        pub fn idle_timeout(mut self, timeout: Duration) -> Self {
            self.options.idle_timeout = Some(timeout);
            self
        }

        /// Whether an error or panic in a callback or a task of the connection, other than an `io::Error`, also ends
        /// the nursery, which gives it. Off unless set: asyncio reports it and goes on.
        pub fn strict(mut self, is_on: bool) -> Self {
            self.options.is_strict = is_on;
            self
        }
    };
}
pub(super) use client_options;
