//! [`InMemoryServer`]: a factory of protocols, and clients without a network.

use std::cell::Cell;

use futures::future::try_join_all;

use super::connect_from;
use super::memory_stream::FIRST_PORT;
use super::peer::Peer;
use crate::asyncio::IntoProtocol;
use crate::error::Result;
use crate::nursery::Nursery;

/// Serves clients in memory with what `factory` makes: [`create_server`](crate::create_server) without a network.
///
/// # Examples
///
/// ```
/// use std::cell::RefCell;
/// use std::rc::Rc;
///
/// use foster_compat::testing::{self, Script};
/// use foster_compat::{Error, Protocol, Result, TransportRef, open_nursery, run};
///
/// /// Tells everybody what anybody says.
/// #[derive(Clone, Default)]
/// struct Room(Rc<RefCell<Vec<TransportRef>>>);
///
/// impl Protocol for Room {
///     fn connection_made(&mut self, transport: TransportRef) -> Result<()> {
///         self.0.borrow_mut().push(transport);
///         Ok(())
///     }
///
///     fn data_received(&mut self, data: &[u8]) -> Result<()> {
///         self.0.borrow().iter().try_for_each(|transport| transport.write(data))
///     }
/// }
///
/// run(open_nursery(async |nursery| {
///     let room = Room::default();
///     let server = testing::serve(&nursery, move || room.clone());
///     let (ada, bob) = (server.connect(), server.connect());
///     Script::new().send("hello").expect("hello").run(&ada).await?;
///     Script::new().expect("hello").run(&bob).await?;
///     Ok(())
/// }))?;
/// # foster_compat::Ok(())
/// ```
pub fn serve<F, P>(nursery: &Nursery, factory: F) -> InMemoryServer<F>
where
    F: FnMut() -> P,
    P: IntoProtocol,
{
    InMemoryServer { nursery: nursery.clone(), factory: Cell::new(Some(factory)), n_clients: Cell::new(0) }
}

/// What [`serve`] gives.
pub struct InMemoryServer<F> {
    nursery: Nursery,
    /// Taken while it is called.
    factory: Cell<Option<F>>,
    n_clients: Cell<u16>,
}

impl<F, P> InMemoryServer<F>
where
    F: FnMut() -> P,
    P: IntoProtocol,
{
    /// Connects a client. The factory is called at once, and `connection_made` comes in the next turn, so that of
    /// several clients in one turn all are there before the first is told, as when a listener accepts them.
    ///
    /// Each client has a port of its own in its `peername`, from 50000 on.
    ///
    /// # Panics
    ///
    /// With one sentence if the nursery is closed, or if the factory itself connects a client or has panicked.
    pub fn connect(&self) -> Peer {
        let n = self.n_clients.get();
        self.n_clients.set(n.wrapping_add(1));
        let Some(mut factory) = self.factory.take() else {
            panic!("the factory is being called, or has panicked: it makes no further protocol")
        };
        let protocol = factory();
        self.factory.set(Some(factory));
        connect_from(&self.nursery, protocol, FIRST_PORT.wrapping_add(n)).2
    }

    /// Connects `n` clients and runs them side by side: `client` gets the number of each, from 0, and its peer, which is
    /// closed when it returns. Gives what they give, in the order of the numbers.
    ///
    /// # Cancel safety
    ///
    /// Cancelled or dropped, all clients are dropped, which closes their peers.
    ///
    /// # Errors
    ///
    /// The first error of a client; the others are then dropped.
    pub async fn run_clients<T>(&self, n: usize, client: impl AsyncFn(usize, Peer) -> Result<T>) -> Result<Vec<T>> {
        let peers: Vec<Peer> = (0..n).map(|_| self.connect()).collect();
        try_join_all(peers.into_iter().enumerate().map(|(number, peer)| client(number, peer))).await
    }
}
