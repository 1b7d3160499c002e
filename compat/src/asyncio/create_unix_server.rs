//! `create_unix_server`: a server on a Unix socket.

use std::future::{Future, IntoFuture};
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};

use super::create_server::{CloseOnError, ServerOptions, server_options};
use super::exceptions::ValueError;
use super::listener::Listener;
use super::loop_state::LoopState;
use super::protocol_cell::IntoProtocol;
use super::server::{Factory, Server};
use super::tls::ssl_options;
use super::unix_socket_file::UnixSocketFile;
use crate::error::{Error, Result};
use crate::nursery::{Nursery, checkpoint};

/// Makes a server on a Unix socket in `nursery`: `loop.create_unix_server`. Await the builder.
///
/// A socket file that an earlier server left at `path` is replaced; any other file is an error. A path that begins
/// with a NUL byte is an abstract name, on Linux. The file is removed when the server closes, if it is still the one
/// that the server made.
///
/// # Errors
///
/// The path cannot be bound; a [`ValueError`](crate::ValueError) for options that make no sense;
/// [`Closed`](crate::Closed) if the nursery has ended.
pub fn create_unix_server<'n, P, F>(nursery: &'n Nursery, factory: F, path: impl Into<PathBuf>) -> CreateUnixServer<'n>
where
    F: FnMut() -> P + 'static,
    P: IntoProtocol,
{
    let mut factory = factory;
    CreateUnixServer::new(nursery, Box::new(move || Ok(factory().into_protocol().0)), path.into())
}

/// What [`create_unix_server`] will make; await it.
#[must_use = "no server is made until it is awaited"]
pub struct CreateUnixServer<'n> {
    nursery: &'n Nursery,
    factory: Factory,
    path: PathBuf,
    sock: Option<Socket>,
    cleanup_socket: bool,
    options: ServerOptions,
}

impl<'n> CreateUnixServer<'n> {
    pub(super) fn new(nursery: &'n Nursery, factory: Factory, path: PathBuf) -> Self {
        CreateUnixServer { nursery, factory, path, sock: None, cleanup_socket: true, options: ServerOptions::default() }
    }

    server_options!();
    ssl_options!();

    /// Takes a bound socket instead of a path, which must be empty.
    pub fn sock(mut self, socket: std::os::unix::net::UnixListener) -> Self {
        self.sock = Some(socket.into());
        self
    }

    /// Whether the file is removed when the server closes, which it is unless set.
    pub fn cleanup_socket(mut self, is_on: bool) -> Self {
        self.cleanup_socket = is_on;
        self
    }

    async fn make(self) -> Result<Server> {
        let (connection, tls) = self.options.check()?;
        let has_path = !self.path.as_os_str().is_empty();
        let (socket, file) = match self.sock {
            Some(_) if has_path => {
                return Err(ValueError::new("path and sock can not be specified at the same time").into());
            }
            Some(socket) => (socket, None),
            None if !has_path => return Err(ValueError::new("path was not specified, and no sock specified").into()),
            None => bind(&self.path)?,
        };
        let lp = LoopState::of(self.nursery.core());
        let server = Server::new(self.nursery, self.factory, connection, tls, self.options.max_connections)?;
        let close_on_error = CloseOnError { server: Some(&server) };
        socket.set_nonblocking(true)?;
        let file = file.filter(|_| self.cleanup_socket);
        server.add_listener(Listener::unix(&lp, server.weak(), socket, self.options.backlog, file));
        if self.options.start_serving {
            server.start_serving()?;
        }
        checkpoint().await;
        close_on_error.defuse();
        Ok(server)
    }
}

impl<'n> IntoFuture for CreateUnixServer<'n> {
    type Output = Result<Server>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<Server>> + 'n>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.make())
    }
}

fn bind(path: &Path) -> Result<(Socket, Option<UnixSocketFile>)> {
    use std::os::unix::ffi::OsStrExt;
    let is_abstract = path.as_os_str().as_bytes().first() == Some(&0);
    if !is_abstract {
        UnixSocketFile::remove_stale(path);
    }
    let address = SockAddr::unix(path).map_err(|err| bind_error(path, &err))?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&address).map_err(|err| bind_error(path, &err))?;
    let file = if is_abstract { None } else { Some(UnixSocketFile::of(path)?) };
    Ok((socket, file))
}

fn bind_error(path: &Path, err: &io::Error) -> Error {
    let message = match err.kind() {
        io::ErrorKind::AddrInUse => format!("Address {path:?} is already in use"),
        _ => format!("error while attempting to bind on address {path:?}: {err}"),
    };
    io::Error::new(err.kind(), message).into()
}
