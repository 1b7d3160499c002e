//! [`Stats`]: what a server counts.

use std::sync::atomic::{AtomicU64, Ordering};

/// What the server has counted since it started, over all of its workers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Connections that were accepted and, over TLS, came through their handshake.
    pub n_connections_total: u64,
    /// Of them those that are open.
    pub n_connections: u64,
    /// Requests whose head was read and taken.
    pub n_requests_total: u64,
    /// Of them those whose response is not finished.
    pub n_requests: u64,
    /// Requests that were refused with a status before a handler saw them: malformed, beyond a limit, too slow.
    pub n_refused: u64,
    /// Handlers that failed or panicked: answered with 500 or cut.
    pub n_failed: u64,
    /// Handlers that were cancelled because their client went away or the server stopped.
    pub n_cancelled: u64,
    /// Connections that were closed because a time-out passed, but for those that were idle.
    pub n_timed_out: u64,
}

impl Stats {
    pub(super) fn plus(self, other: Stats) -> Self {
        Stats {
            n_connections_total: self.n_connections_total + other.n_connections_total,
            n_connections: self.n_connections + other.n_connections,
            n_requests_total: self.n_requests_total + other.n_requests_total,
            n_requests: self.n_requests + other.n_requests,
            n_refused: self.n_refused + other.n_refused,
            n_failed: self.n_failed + other.n_failed,
            n_cancelled: self.n_cancelled + other.n_cancelled,
            n_timed_out: self.n_timed_out + other.n_timed_out,
        }
    }
}

/// The counters of one worker behind [`Stats`], which other threads read.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    connections_total: AtomicU64,
    connections_over: AtomicU64,
    requests_total: AtomicU64,
    requests_over: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
    cancelled: AtomicU64,
    timed_out: AtomicU64,
}

/// What can be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    ConnectionMade,
    ConnectionLost,
    Request,
    RequestOver,
    Refused,
    Failed,
    Cancelled,
    TimedOut,
}

impl Counters {
    pub(crate) fn add(&self, count: Count) {
        let counter = match count {
            Count::ConnectionMade => &self.connections_total,
            Count::ConnectionLost => &self.connections_over,
            Count::Request => &self.requests_total,
            Count::RequestOver => &self.requests_over,
            Count::Refused => &self.refused,
            Count::Failed => &self.failed,
            Count::Cancelled => &self.cancelled,
            Count::TimedOut => &self.timed_out,
        };
        // Only the worker's own thread counts here, so nothing is lost between the two.
        counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    pub(crate) fn stats(&self) -> Stats {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        // What is over is read first, so that no difference is negative.
        let (connections_over, requests_over) = (get(&self.connections_over), get(&self.requests_over));
        let (connections, requests) = (get(&self.connections_total), get(&self.requests_total));
        Stats {
            n_connections_total: connections,
            n_connections: connections.saturating_sub(connections_over),
            n_requests_total: requests,
            n_requests: requests.saturating_sub(requests_over),
            n_refused: get(&self.refused),
            n_failed: get(&self.failed),
            n_cancelled: get(&self.cancelled),
            n_timed_out: get(&self.timed_out),
        }
    }
}
