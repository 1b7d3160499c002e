//! Serving HTTP.

mod access_log;
mod alarms;
mod backoff;
mod config;
mod http_server;
mod lifespan;
mod nobody;
mod place;
mod reservation;
mod roster;
#[expect(clippy::module_inception, reason = "the function is named serve, and what it needs stands around it")]
mod serve;
mod stats;
mod worker;
mod workers;

pub use access_log::AccessLog;
pub use config::Config;
pub use http_server::HttpServer;
pub use serve::{Serve, serve};
pub use stats::Stats;
pub use workers::{ServeWorkers, serve_workers};

pub(crate) use access_log::{Entry, Known, Logger};
pub(crate) use alarms::{Alarm, Alarmed, Alarms};
#[cfg(feature = "app")]
pub(crate) use backoff::Backoff;
#[cfg(feature = "testing")]
pub(crate) use lifespan::{shut_down, start_up};
pub(crate) use nobody::nobody;
pub(crate) use roster::{Drain, Roster, Seat};
#[cfg(feature = "app")]
pub(crate) use serve::{Options, serve_options};
pub(crate) use stats::{Count, Counters};
