//! Plays asyncio scenarios against a driver and compares the callback traces.
//!
//! A scenario is data: what the protocols of one program do on each callback, what the peer at the other end of the
//! connection does, and the trace that both must leave. A driver is an executable that runs the protocols on the
//! implementation under test and prints each callback as one line; this crate plays the peer and compares.
//! `SCENARIOS.md` beside this crate's manifest defines the language.
//!
//! One scenario goes through the modules in this order:
//!
//! ```text
//! scenario_file -> scenario, peer_step     what is to be played, and what is expected
//! stage                                    addresses and a directory for it
//! driver_process, driver_link              the driver: its process, its lines
//! peer, player                             the other end of the connection, and its steps
//! peer_connection, tls_session             what those steps send and receive, also through TLS
//! runner -> normalise -> compare           snapshot, cleaning, differences
//! suite                                    many scenarios, retries, verdicts
//! ```
//!
//! # Examples
//!
//! ```no_run
//! use foster_conformance::{DriverCommand, Suite, conforming_scenarios};
//!
//! let driver = DriverCommand::parse("target/debug/foster-conformance-driver --shared")?;
//! for played in Suite::new(driver).run(&conforming_scenarios()?) {
//!     println!("{}", played.verdict);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod compare;
mod deadline;
mod driver_command;
mod driver_link;
mod driver_process;
mod filter;
mod id_list;
mod load_error;
mod normalise;
mod package_files;
mod peer;
mod peer_connection;
mod peer_step;
mod player;
mod runner;
mod scenario;
mod scenario_directory;
mod scenario_file;
mod shown_bytes;
mod stage;
mod step_error;
mod suite;
mod tls_reason;
mod tls_session;
mod tls_side;
mod trace;

pub use compare::{Difference, Rule, compare};
pub use driver_command::{DriverCommand, DriverCommandError};
pub use filter::Filter;
pub use id_list::{IdList, conforming_scenarios, known_cpython_differences};
pub use load_error::LoadError;
pub use package_files::{cpython_driver, scenarios_file};
pub use runner::{Observation, play};
pub use scenario::{Kind, Scenario};
pub use scenario_file::load_scenarios;
pub use shown_bytes::show;
pub use suite::{Played, Suite, Verdict};
