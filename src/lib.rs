//! Callback servers in asyncio's style on a nursery runtime.
//!
//! ```no_run
//! use foster::{Protocol, Result, TransportRef, run, run_server};
//!
//! #[derive(Default)]
//! struct Echo {
//!     transport: TransportRef,
//! }
//!
//! impl Protocol for Echo {
//!     fn connection_made(&mut self, transport: TransportRef) -> Result<()> {
//!         self.transport = transport;
//!         Ok(())
//!     }
//!
//!     fn data_received(&mut self, data: &[u8]) -> Result<()> {
//!         self.transport.write(data)
//!     }
//! }
//!
//! fn main() -> Result<()> {
//!     run(run_server(Echo::default, "127.0.0.1", 8888))
//! }
//! ```
//!
//! Protocols, transports, nurseries and the loop are [`foster_compat`]'s, whose documentation is the place to start; what
//! stands here on top of it is HTTP, WebSocket, and the framework, [`app`].

#[cfg(feature = "app")]
pub mod app;
#[cfg(feature = "http1")]
mod handler;
#[cfg(feature = "http1")]
pub mod http;
#[cfg(feature = "http1")]
pub mod http1;
#[cfg(feature = "http1")]
mod outbox;
#[cfg(feature = "http1")]
mod serve;
#[cfg(all(feature = "http1", feature = "testing"))]
pub mod testing;
#[cfg(feature = "tower")]
pub mod tower;
#[cfg(feature = "websocket")]
pub mod websocket;

#[cfg(feature = "http1")]
pub use handler::{Handler, Request, Upgraded};
#[cfg(feature = "http1")]
pub use serve::{AccessLog, Config, HttpServer, Serve, ServeWorkers, Stats, serve, serve_workers};

pub use foster_compat::*;

/// Compiles the Rust blocks of the README with the documentation tests.
#[cfg(all(doctest, feature = "app"))]
#[doc = include_str!("../README.md")]
struct Readme;

/// Compiles the Rust blocks of the architecture with the documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../ARCHITECTURE.md")]
struct Architecture;

/// Compiles the Rust blocks of the porting guide with the documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../PORTING.md")]
struct Porting;

/// Compiles the Rust blocks of the guide for users of Quart with the documentation tests.
#[cfg(all(doctest, feature = "app"))]
#[doc = include_str!("../docs/quart.md")]
struct Quart;

/// Compiles the Rust blocks of the guide to production with the documentation tests.
#[cfg(all(doctest, feature = "app"))]
#[doc = include_str!("../DEPLOYMENT.md")]
struct Deployment;
