//! The other end of the connection, which plays the peer steps of a scenario in a thread of its own.

use std::fmt;
use std::net::Shutdown;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, JoinHandle};

use socket2::Socket;

use crate::driver_link::DriverLink;
use crate::player::Player;
use crate::scenario::Scenario;
use crate::stage::PeerSockets;
use crate::trace::Trace;

/// A peer at work. Its sockets stay open until it is dropped, so that the driver sees no end that the scenario does
/// not ask for.
pub(crate) struct Peer {
    thread: Option<JoinHandle<Player>>,
    shared: Arc<Shared>,
}

/// What the runner and the peer's thread both use.
#[derive(Default)]
pub(crate) struct Shared {
    trace: Mutex<Trace>,
    /// All sockets of the peer, so that a blocked thread can be woken at the end. They are weak, because the step
    /// `close` must really close.
    sockets: Mutex<Vec<Weak<Socket>>>,
}

impl Peer {
    /// Starts to play. The driver must have told its address, unless the peer is the one that accepts.
    pub(crate) fn start(scenario: &Scenario, link: &Arc<DriverLink>, sockets: PeerSockets) -> Peer {
        let shared = Arc::new(Shared::default());
        let player = Player::new(scenario.clone(), Arc::clone(link), Arc::clone(&shared), sockets);
        Peer { thread: Some(thread::spawn(|| player.play())), shared }
    }

    pub(crate) fn has_finished(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Takes the snapshot of its lines.
    pub(crate) fn freeze(&self) -> Vec<String> {
        if !self.has_finished() {
            self.shared.log("(peer still running)");
        }
        self.shared.trace().freeze()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.shared.trace().freeze();
        for socket in self.shared.sockets().iter().filter_map(Weak::upgrade) {
            // A socket that is not connected has nobody blocked in it.
            drop(socket.shutdown(Shutdown::Both));
        }
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed, and its missing lines are a difference.
            drop(thread.join());
        }
    }
}

impl Shared {
    /// Adds a line to the peer's trace.
    pub(crate) fn log(&self, text: impl fmt::Display) {
        self.trace().add(format!("c {text}"));
    }

    /// Has the socket woken at the end.
    pub(crate) fn register(&self, socket: &Arc<Socket>) {
        self.sockets().push(Arc::downgrade(socket));
    }

    fn trace(&self) -> MutexGuard<'_, Trace> {
        self.trace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sockets(&self) -> MutexGuard<'_, Vec<Weak<Socket>>> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
