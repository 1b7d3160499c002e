//! The protocol of a server's connection: bytes to the machine, requests to the handler, answers to the transport.
//!
//! ```text
//!   data_received ──> machine ──Request──> exchange, first step at once ──ready──> outbox ──one write──> transport
//!                        │                     └──waits──> a task of the connection ──> outbox, write
//!                        └──Data──> body, pulled by the handler
//! ```
//!
//! Requests are answered in order: while one waits for its answer, what comes behind it is held, up to a limit. Reading
//! stops while too much waits: of the answers, of the next requests, or of a body that nobody pulls.

mod connection;
mod deadline;
mod exchange;
mod logging;
mod reading;
mod site;
mod span;

pub(crate) use connection::Http1Protocol;
pub(crate) use site::Site;
