//! `create_unix_connection`: a client on a Unix socket.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use tokio::net::UnixStream;

use super::client_options::{ClientOptions, client_options};
use super::establish::establish;
use super::exceptions::ValueError;
use super::protocol_cell::IntoProtocol;
use super::stream_socket::{Connected, StreamSocket};
use super::tls::ssl_client_options;
use super::transport_ref::TransportRef;
use crate::error::{Error, Result};
use crate::nursery::{Nursery, primitive};

/// Connects to the Unix socket at `path` and gives the connection a protocol: `loop.create_unix_connection`. Await the
/// builder; it gives the transport and the handle of the protocol. On Linux a path that begins with a NUL byte is an
/// abstract name.
///
/// # Cancel safety
///
/// As of [`create_connection`](crate::create_connection).
///
/// # Errors
///
/// The socket cannot be connected; the error of the factory; a [`ValueError`] for options that make no sense;
/// [`Closed`](crate::Closed) if the nursery has ended.
pub fn create_unix_connection<'n, P, F>(
    nursery: &'n Nursery,
    factory: F,
    path: impl Into<PathBuf>,
) -> CreateUnixConnection<'n, P>
where
    F: FnOnce() -> P + 'n,
    P: IntoProtocol,
{
    CreateUnixConnection {
        nursery,
        factory: Box::new(move || Ok(factory())),
        path: path.into(),
        sock: None,
        options: ClientOptions::default(),
    }
}

/// What [`create_unix_connection`] will make; await it.
#[must_use = "nothing is connected until it is awaited"]
pub struct CreateUnixConnection<'n, P> {
    nursery: &'n Nursery,
    factory: Box<dyn FnOnce() -> Result<P> + 'n>,
    path: PathBuf,
    sock: Option<StreamSocket>,
    options: ClientOptions,
}

impl<'n, P: IntoProtocol> CreateUnixConnection<'n, P> {
    client_options!();
    ssl_client_options!();

    /// Takes a connected socket instead of a path, which must be empty.
    pub fn sock(mut self, socket: impl Into<StreamSocket>) -> Self {
        self.sock = Some(socket.into());
        self
    }

    async fn make(self) -> Result<(TransportRef, P::Handle)> {
        self.options.check()?;
        let tls = self.options.ssl.client(None, self.options.write_buffer_limits)?;
        let has_path = !self.path.as_os_str().is_empty();
        let socket = match self.sock {
            Some(_) if has_path => {
                return Err(ValueError::new("path and sock can not be specified at the same time").into());
            }
            None if !has_path => return Err(ValueError::new("no path and sock were specified").into()),
            Some(socket) => socket.register()?,
            None => {
                let connected = primitive("a connection", UnixStream::connect(&self.path)).await;
                Connected::Unix(connected.map_err(|err| connect_failed(&self.path, &err))?)
            }
        };
        establish(self.nursery, socket, self.factory, &self.options, tls).await
    }
}

impl<'n, P: IntoProtocol> IntoFuture for CreateUnixConnection<'n, P> {
    type Output = Result<(TransportRef, P::Handle)>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + 'n>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.make())
    }
}

impl<P> fmt::Debug for CreateUnixConnection<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreateUnixConnection")
            .field("path", &self.path)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

fn connect_failed(path: &Path, err: &io::Error) -> Error {
    io::Error::new(err.kind(), format!("cannot connect to {path:?}: {err}")).into()
}
