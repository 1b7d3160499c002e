//! Two connections in memory whose peers are joined by the test, which carries the bytes and so decides how they come.

#![allow(dead_code, reason = "each test binary needs only a part")]

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use foster_compat::testing::{self, Peer};
use foster_compat::{IntoProtocol, Nursery, Result, SslContext, StartTls, TransportRef, checkpoint, start_tls};

/// Both ends of a wire; what one end writes lies in its peer until it is carried to the other's.
pub(crate) struct Wired {
    pub(crate) client: TransportRef,
    pub(crate) server: TransportRef,
    client_end: Ended,
    server_end: Ended,
}

/// A peer, and whether the end of the other side's stream was carried to it.
struct Ended {
    peer: Peer,
    is_told: Cell<bool>,
    /// Taken from the peer and not carried on.
    kept: RefCell<Vec<u8>>,
}

impl Ended {
    fn new(peer: Peer) -> Self {
        Ended { peer, is_told: Cell::new(false), kept: RefCell::default() }
    }
}

impl Wired {
    /// `connection_made` of both protocols was called when this returns.
    pub(crate) async fn connect(nursery: &Nursery, client: impl IntoProtocol, server: impl IntoProtocol) -> Self {
        let (client, _, client_peer) = testing::connect(nursery, client);
        let (server, _, server_peer) = testing::connect(nursery, server);
        checkpoint().await;
        Wired { client, server, client_end: Ended::new(client_peer), server_end: Ended::new(server_peer) }
    }

    pub(crate) fn client_peer(&self) -> &Peer {
        &self.client_end.peer
    }

    pub(crate) fn server_peer(&self) -> &Peer {
        &self.server_end.peer
    }

    /// Carries everything that lies there, both ways; `false` if there was nothing.
    pub(crate) fn carry(&self) -> bool {
        self.carry_some(|n| n)
    }

    /// Carries `how_many` of the bytes that lie on each side; `false` if there was nothing.
    pub(crate) fn carry_some(&self, mut how_many: impl FnMut(usize) -> usize) -> bool {
        let up = carry(&self.client_end, &self.server_end, &mut how_many);
        let down = carry(&self.server_end, &self.client_end, &mut how_many);
        up || down
    }

    /// Carries for so many turns.
    pub(crate) async fn carry_for(&self, n_turns: usize) {
        for _ in 0..n_turns {
            self.carry();
            checkpoint().await;
        }
    }

    /// Begins TLS on both sides, and carries until both are done.
    pub(crate) async fn secure(
        &self,
        nursery: &Nursery,
        contexts: &(SslContext, SslContext),
        configure: impl Fn(StartTls) -> StartTls,
    ) -> Result<(TransportRef, TransportRef)> {
        let done = Rc::new(RefCell::new((None, None)));
        let server = configure(start_tls(&self.server, &contexts.0).server_side(true));
        let client = configure(start_tls(&self.client, &contexts.1).server_hostname("localhost"));
        let seen = done.clone();
        nursery.start_soon(async move {
            let transport = server.await?;
            seen.borrow_mut().1 = Some(transport);
            foster_compat::Ok(())
        });
        let seen = done.clone();
        nursery.start_soon(async move {
            let transport = client.await?;
            seen.borrow_mut().0 = Some(transport);
            foster_compat::Ok(())
        });
        loop {
            self.carry_for(1).await;
            if let (Some(client), Some(server)) = &*done.borrow() {
                return Ok((client.clone(), server.clone()));
            }
        }
    }
}

/// Carries bytes, and the end of the stream behind the last of them.
fn carry(from: &Ended, to: &Ended, how_many: &mut impl FnMut(usize) -> usize) -> bool {
    if from.peer.n_unread() == 0 && from.kept.borrow().is_empty() {
        let is_end = from.peer.is_eof() && !to.is_told.replace(true);
        if is_end {
            to.peer.close_write();
        }
        return is_end;
    }
    let mut kept = from.kept.borrow_mut();
    kept.extend(from.peer.received());
    let n = how_many(kept.len()).min(kept.len());
    let data: Vec<u8> = kept.drain(..n).collect();
    if !to.is_told.get() {
        to.peer.send(&data);
    }
    true
}
