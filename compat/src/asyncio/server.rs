//! [`Server`]: listening sockets and the connections they made.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::poll_fn;
use std::rc::{Rc, Weak};
use std::task::{Poll, Waker};
use std::time::Duration;

use slab::Slab;

use super::acceptor::{Acceptor, Client, ConnectionOptions};
use super::event_loop::Loop;
use super::exceptions::RuntimeError;
use super::extra_info::TransportSocket;
use super::listener::Listener;
use super::loop_state::LoopState;
use super::protocol_cell::ProtocolCell;
use super::tls::{self, TlsParameters};
use super::waiters::add_waiter;
use crate::error::Result;
use crate::nursery::{Nursery, finally, move_on_after, primitive};
use crate::runtime::{Core, Event, Exit, Failure, NodeId, Source};

/// A server made by `create_server`, `create_unix_server` or `run_server`: `asyncio.Server`, a cheap clone.
///
/// It is one child of the nursery it was made in, until it is closed, and each connection is another. Cancelling the
/// nursery closes the server and aborts the connections; each protocol still gets its `connection_lost`.
#[derive(Clone)]
pub struct Server {
    state: Rc<ServerState>,
}

/// Makes the protocol of a new connection.
pub(crate) type Factory = Box<dyn FnMut() -> Result<ProtocolCell>>;

pub(crate) struct ServerState {
    pub(super) lp: Rc<LoopState>,
    pub(super) nursery: Nursery,
    node: Cell<NodeId>,
    listeners: RefCell<Vec<Rc<Listener>>>,
    /// Taken out while it runs.
    factory: RefCell<Option<Factory>>,
    options: ConnectionOptions,
    tls: Option<Rc<TlsParameters>>,
    pub(super) max_connections: usize,
    clients: RefCell<Slab<Weak<dyn Client>>>,
    is_serving: Cell<bool>,
    is_closed: Cell<bool>,
    has_forever: Cell<bool>,
    waiters: RefCell<Vec<Waker>>,
}

impl Server {
    /// Puts a new server into its nursery.
    pub(super) fn new(
        nursery: &Nursery,
        factory: Factory,
        options: ConnectionOptions,
        tls: Option<Rc<TlsParameters>>,
        max_connections: Option<usize>,
    ) -> Result<Self> {
        let lp = LoopState::of(nursery.core());
        let state = Rc::new(ServerState {
            lp,
            nursery: nursery.clone(),
            node: Cell::new(NodeId::NONE),
            listeners: RefCell::default(),
            factory: RefCell::new(Some(factory)),
            options,
            tls,
            max_connections: max_connections.unwrap_or(usize::MAX).max(1),
            clients: RefCell::default(),
            is_serving: Cell::new(false),
            is_closed: Cell::new(false),
            has_forever: Cell::new(false),
            waiters: RefCell::default(),
        });
        state.node.set(nursery.adopt(state.clone())?);
        Ok(Server { state })
    }

    pub(super) fn add_listener(&self, listener: Listener) {
        self.state.listeners.borrow_mut().push(Rc::new(listener));
    }

    pub(super) fn weak(&self) -> Weak<ServerState> {
        Rc::downgrade(&self.state)
    }

    /// The loop, bound to the nursery the server was made in.
    pub fn get_loop(&self) -> Loop {
        Loop::new(&self.state.nursery)
    }

    /// The listening sockets, in the order they were bound; none once the server is closed.
    pub fn sockets(&self) -> Vec<TransportSocket> {
        self.state.listeners.borrow().iter().map(|listener| TransportSocket::new(listener.clone())).collect()
    }

    /// Whether connections are accepted.
    pub fn is_serving(&self) -> bool {
        self.state.is_serving.get()
    }

    /// How many connections live.
    pub fn n_connections(&self) -> usize {
        self.state.clients.borrow().len()
    }

    /// Starts to listen and to accept, for a server that was made with `start_serving(false)`. Idempotent.
    ///
    /// # Errors
    ///
    /// An error of the operating system, for example if the address was taken by another listener meanwhile; a
    /// [`RuntimeError`] if the server is closed.
    pub fn start_serving(&self) -> Result<()> {
        let state = &self.state;
        if state.is_closed.get() {
            return Err(RuntimeError::new(format!("{self:?} is closed")).into());
        }
        if state.is_serving.replace(true) {
            return Ok(());
        }
        for listener in state.listeners.borrow().clone() {
            if let Err(err) = listener.listen() {
                state.is_serving.set(false);
                return Err(err.into());
            }
        }
        Ok(())
    }

    /// Serves until the server is closed. Cancelled, it closes the server and its connections first.
    ///
    /// Differs from asyncio: after [`close`](Server::close) by somebody else it returns instead of raising
    /// `CancelledError`.
    ///
    /// # Errors
    ///
    /// A [`RuntimeError`] if the server is closed, or if another task is in `serve_forever` already; errors of
    /// [`start_serving`](Server::start_serving).
    pub async fn serve_forever(&self) -> Result<()> {
        let state = &self.state;
        if state.has_forever.get() {
            return Err(RuntimeError::new(format!("{self:?} is already being awaited on serve_forever()")).into());
        }
        self.start_serving()?;
        state.has_forever.set(true);
        let _leave = Leave { has_forever: &state.has_forever };
        finally(self.wait(|state| state.is_closed.get()), async {
            if !state.is_closed.get() {
                self.close();
                self.close_clients();
                self.wait_closed().await;
            }
        })
        .await;
        Ok(())
    }

    /// Stops listening. Connections live on. Idempotent.
    pub fn close(&self) {
        self.state.close();
    }

    /// Closes every connection: what is written is sent first.
    pub fn close_clients(&self) {
        self.each_client(|client| client.close_client());
    }

    /// Aborts every connection.
    pub fn abort_clients(&self) {
        self.each_client(|client| client.abort_client());
    }

    /// Waits until the server is closed and its last connection has ended.
    pub async fn wait_closed(&self) {
        self.wait(|state| state.is_closed.get() && state.clients.borrow().is_empty()).await;
    }

    /// Stops within a bounded time: stops listening, closes the connections, waits up to `grace` for what they still
    /// send, aborts what is left. Not in asyncio, where `wait_closed` waits for ever.
    pub async fn shutdown(&self, grace: Duration) {
        self.close();
        self.close_clients();
        if move_on_after(grace, self.wait_closed()).await.is_none() {
            self.abort_clients();
            self.wait_closed().await;
        }
    }

    fn each_client(&self, call: impl Fn(&dyn Client)) {
        let clients: Vec<_> = self.state.clients.borrow().iter().filter_map(|(_, client)| client.upgrade()).collect();
        for client in clients {
            call(&*client);
        }
    }

    async fn wait(&self, is_done: impl Fn(&ServerState) -> bool) {
        let wait = poll_fn(|cx| {
            if is_done(&self.state) {
                return Poll::Ready(());
            }
            add_waiter(&mut self.state.waiters.borrow_mut(), cx.waker());
            Poll::Pending
        });
        primitive("a server to close", wait).await;
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server(sockets: {:?}, {} connections)", self.sockets(), self.n_connections())
    }
}

struct Leave<'a> {
    has_forever: &'a Cell<bool>,
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.has_forever.set(false);
    }
}

impl ServerState {
    pub(super) fn is_full(&self) -> bool {
        self.clients.borrow().len() >= self.max_connections
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed.get()
    }

    fn close(&self) {
        self.end(Exit::Finished);
    }

    fn end(&self, exit: Exit) {
        if self.is_closed.replace(true) {
            return;
        }
        self.is_serving.set(false);
        let listeners = self.listeners.take();
        for listener in listeners {
            listener.close();
        }
        self.let_factory_go();
        self.wake_waiters();
        let node = self.node.replace(NodeId::NONE);
        if !node.is_none() {
            self.nursery.release(node, exit);
        }
    }

    /// The factory may hold the server: once no connection can come any more, it is dropped.
    fn let_factory_go(&self) {
        let factory = self.factory.take();
        drop(factory);
    }

    fn wake_waiters(&self) {
        self.waiters.take().into_iter().for_each(Waker::wake);
    }
}

impl Source for ServerState {
    fn woken(self: Rc<Self>, _core: &Core, _kind: u8) {}

    fn run(self: Rc<Self>, _event: Event) {
        self.end(Exit::Cancelled);
    }

    fn orphaned(self: Rc<Self>) {
        self.close();
    }

    fn abandoned(self: Rc<Self>) {
        self.close();
    }
}

impl Acceptor for ServerState {
    fn make_protocol(&self) -> Option<Result<ProtocolCell, Failure>> {
        let mut factory = self.factory.take()?;
        let made = self.lp.call(&mut factory);
        if !self.is_closed.get() {
            self.factory.replace(Some(factory));
        }
        Some(match (made, &self.tls) {
            (Ok(protocol), Some(parameters)) => {
                tls::lay(&self.lp, protocol, parameters, None).map(|laid| laid.layer).map_err(Failure::Error)
            }
            (made, _) => made,
        })
    }

    fn detach(&self, client: u32) {
        let was_full = self.is_full();
        let mut clients = self.clients.borrow_mut();
        clients.try_remove(client as usize);
        let is_empty = clients.is_empty();
        drop(clients);
        if was_full {
            for listener in self.listeners.borrow().iter() {
                listener.resume();
            }
        }
        if is_empty {
            self.wake_waiters();
        }
    }

    fn add_client(&self, client: Weak<dyn Client>) -> u32 {
        self.clients.borrow_mut().insert(client) as u32
    }

    fn options(&self) -> &ConnectionOptions {
        &self.options
    }
}
