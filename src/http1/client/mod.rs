//! [`Client`]: requests over one connection.

mod connect;
mod connection;
mod error;
mod request;
mod response;
mod sending;

use std::fmt;
#[cfg(unix)]
use std::path::PathBuf;
use std::rc::Rc;

use crate::http::{HeaderList, Method, ResponseBody};
use crate::{Nursery, TransportRef};

pub use connect::Connect;
pub use error::ClientError;
pub use request::ClientRequest;
pub use response::{ClientResponse, Upgraded};

use connection::Connection;

/// A client of HTTP/1.1 on one connection, which is kept for one request after the other. What tests and proxies stand
/// on: there is no pool, no redirect, no cookie, no content coding and no second attempt.
///
/// One request is under way at a time. Another one before the response was read to its end is refused with
/// [`ClientError::Busy`]. Once the server has closed the connection, every request is refused with
/// [`ClientError::Closed`]: connect again. Time-outs are the caller's:
/// [`move_on_after`](crate::move_on_after) around [`send`](ClientRequest::send).
///
/// A server that refuses a request while its body is still being sent should wait for the client to close: if it closes
/// at once, a reset may come before its response was read, which is then lost.
///
/// The connection is a child of the nursery. Dropped, the client closes it, after the exchange that is under way.
///
/// # Examples
///
/// ```no_run
/// use foster::http::Method;
/// use foster::http1::Client;
/// use foster::{Result, open_nursery, run};
///
/// fn main() -> Result<()> {
///     run(async {
///         open_nursery(async |nursery| {
///             let client = Client::connect(&nursery, "http://127.0.0.1:8000").await?;
///             let mut response = client.get("/").await?;
///             println!("{} {}", response.status(), response.text().await?);
///             let response = client.request(Method::POST, "/items").body("a new one").await?;
///             println!("{}", response.status());
///             Ok(())
///         })
///         .await?;
///         foster::Ok(())
///     })
/// }
/// ```
pub struct Client {
    connection: Rc<Connection>,
}

impl Client {
    /// Connects to the host of a URL, which is `http://host:port` or, with the feature `tls`, `https://host:port`; the
    /// port is 80 or 443 where there is none. Await what it gives, whose methods are the options.
    ///
    /// # Cancel safety
    ///
    /// Cancelled or dropped, it closes what it has opened.
    ///
    /// # Errors
    ///
    /// [`ClientError::Url`], [`ClientError::Connect`] and [`ClientError::Protocol`].
    pub fn connect(nursery: &Nursery, url: impl Into<String>) -> Connect<'_> {
        Connect::to_url(nursery, url.into())
    }

    /// As [`connect`](Client::connect), to a Unix socket. `Host` says `localhost` unless a request has its own.
    #[cfg(unix)]
    pub fn connect_unix(nursery: &Nursery, path: impl Into<PathBuf>) -> Connect<'_> {
        Connect::to_unix(nursery, path.into())
    }

    /// A GET of a path, with its query: await it.
    pub fn get(&self, target: impl Into<String>) -> ClientRequest {
        self.request(Method::GET, target)
    }

    /// A request to be sent: await it. The target is a path with its query, percent-encoded, or what else the method may
    /// have: a URL for a proxy, `host:port` for CONNECT, `*` for OPTIONS.
    pub fn request(&self, method: Method, target: impl Into<String>) -> ClientRequest {
        ClientRequest {
            connection: self.connection.clone(),
            method,
            target: target.into(),
            headers: HeaderList::new(),
            body: ResponseBody::empty(),
            expects_continue: false,
            on_informational: None,
        }
    }

    /// Whether a request can be sent now. The server may have closed the connection all the same, and this side not know
    /// yet.
    pub fn is_idle(&self) -> bool {
        self.connection.is_idle()
    }

    /// Whether the connection is closed, so that every request is refused.
    pub fn is_closed(&self) -> bool {
        self.connection.transport().is_closing()
    }

    /// The transport, to look at: its addresses, TLS and socket.
    pub fn transport(&self) -> TransportRef {
        self.connection.transport()
    }

    /// Closes the connection at once, with what is under way on it.
    pub fn close(&self) {
        self.connection.abandon();
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.connection.close_when_idle();
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("transport", &self.transport()).finish_non_exhaustive()
    }
}
