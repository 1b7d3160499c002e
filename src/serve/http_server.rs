//! [`HttpServer`]: a server that serves, as its program sees it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foster_compat::Address;
use tokio::sync::watch;

use super::stats::{Counters, Stats};

/// A server made by [`serve`](crate::serve()) or [`serve_workers`](crate::serve_workers): a cheap clone for any thread.
#[derive(Clone, Debug)]
pub struct HttpServer {
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    addresses: Vec<Address>,
    tally: Mutex<Tally>,
    stop: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Tally {
    /// Of the workers that are gone.
    past: Stats,
    live: Vec<Arc<Counters>>,
}

impl HttpServer {
    pub(crate) fn new(addresses: Vec<Address>) -> Self {
        HttpServer { state: Arc::new(State { addresses, tally: Mutex::default(), stop: watch::Sender::new(false) }) }
    }

    /// Where it listens, in the order of [`Config::bind`](crate::Config::bind); several for a host with several
    /// addresses.
    pub fn addresses(&self) -> &[Address] {
        &self.state.addresses
    }

    /// What was counted since it started.
    pub fn stats(&self) -> Stats {
        let tally = self.tally();
        tally.live.iter().map(|counters| counters.stats()).fold(tally.past, Stats::plus)
    }

    /// Tells it to stop, as a signal does: nothing more is accepted, idle connections are closed, requests under way
    /// have `graceful_timeout`, then they are cancelled. Idempotent; returns at once.
    pub fn shutdown(&self) {
        self.state.stop.send_replace(true);
    }

    /// Whether it was told to stop.
    pub fn is_stopping(&self) -> bool {
        *self.state.stop.borrow()
    }

    /// Waits until it was told to stop.
    pub(crate) async fn told_to_stop(&self) {
        // An error would say that nobody is left who could tell it to stop; this is one.
        let _ = self.state.stop.subscribe().wait_for(|is_stopping| *is_stopping).await;
    }

    pub(crate) fn add_counters(&self, counters: Arc<Counters>) {
        self.tally().live.push(counters);
    }

    /// Keeps what a worker has counted that is gone.
    pub(super) fn retire_counters(&self, counters: &Arc<Counters>) {
        let mut tally = self.tally();
        tally.live.retain(|live| !Arc::ptr_eq(live, counters));
        // Whatever it had open went with it.
        tally.past = tally.past.plus(Stats { n_connections: 0, n_requests: 0, ..counters.stats() });
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.state.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
