//! The task that serves one client of `start_server`.

use std::cell::Cell;
use std::rc::Rc;

use super::stream_reader::{DEFAULT_LIMIT, StreamReader, check_limit};
use super::stream_reader_protocol::StreamReaderProtocol;
use super::stream_writer::{StreamWriter, WeakWriter};
use crate::asyncio::exceptions::{CancelledError, is_expected};
use crate::asyncio::protocol_cell::{IntoProtocol, ProtocolCell};
use crate::asyncio::task::catch_panic;
use crate::asyncio::transport_ref::TransportRef;
use crate::error::{Error, Result};
use crate::nursery::{Nursery, Outcome};
use crate::runtime::ExceptionContext;

/// What a stream server does with each client; set before the first comes.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClientOptions {
    pub(super) limit: usize,
    pub(super) is_strict: bool,
    pub(super) cancel_on_lost: bool,
}

impl Default for ClientOptions {
    fn default() -> Self {
        ClientOptions { limit: DEFAULT_LIMIT, is_strict: false, cancel_on_lost: false }
    }
}

impl ClientOptions {
    pub(super) fn check(&self) -> Result<()> {
        Ok(check_limit(self.limit)?)
    }
}

/// The factory of a stream server: for each client a protocol that starts the task which serves it.
pub(super) fn client_factory<C, R>(
    nursery: &Nursery,
    client_connected_cb: C,
    options: &Rc<Cell<ClientOptions>>,
) -> impl FnMut() -> Result<ProtocolCell> + 'static
where
    C: AsyncFn(StreamReader, StreamWriter) -> R + 'static,
    R: Outcome,
{
    let client_connected_cb = Rc::new(client_connected_cb);
    let (nursery, options) = (nursery.clone(), options.clone());
    move || {
        let options = options.get();
        let (nursery, client_connected_cb) = (nursery.clone(), client_connected_cb.clone());
        let start = move |reader, writer| start(&nursery, client_connected_cb, options, reader, writer);
        let reader = StreamReader::with_limit(options.limit)?;
        Ok(StreamReaderProtocol::with_client_connected_cb(reader, start).into_protocol().0)
    }
}

/// The task outlives the connection, as asyncio's: it may still have something to do when the peer has left.
fn start<C, R>(
    nursery: &Nursery,
    client_connected_cb: Rc<C>,
    options: ClientOptions,
    reader: StreamReader,
    writer: StreamWriter,
) -> Result<()>
where
    C: AsyncFn(StreamReader, StreamWriter) -> R + 'static,
    R: Outcome,
{
    let transport = writer.transport();
    let closes = CloseOnDrop(Some(writer.downgrade()));
    let client = Client { nursery: nursery.clone(), transport: transport.clone(), is_strict: options.is_strict };
    let task = async move {
        let mut closes = closes;
        let served = catch_panic(client_connected_cb(reader, writer)).await;
        if let Err(err) = served.and_then(Outcome::into_result) {
            client.fail(err);
        } else {
            closes.0 = None;
        }
    };
    if options.cancel_on_lost {
        transport.start_soon(task);
        Ok(())
    } else {
        Ok(nursery.try_start_soon(task)?)
    }
}

struct Client {
    nursery: Nursery,
    transport: TransportRef,
    is_strict: bool,
}

impl Client {
    fn fail(&self, err: Error) {
        // One that says it was cancelled has failed at nothing.
        if err.is::<CancelledError>() {
            return;
        }
        let context = ExceptionContext::new("Unhandled exception in client_connected_cb", Some(err.clone()))
            .with("transport", self.transport.clone());
        self.nursery.core().call_exception_handler(&context);
        if self.is_strict && !is_expected(&err) {
            self.nursery.fail(err);
        }
    }
}

/// Closes the connection of a client whose task has failed or was cancelled, also if somebody else has the writer.
struct CloseOnDrop(Option<WeakWriter>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        if let Some(writer) = self.0.take().and_then(|writer| writer.upgrade()) {
            writer.close();
        }
    }
}
