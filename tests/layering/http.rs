//! Holds the rule of the wire machines and of the router: they do no I/O, hold no clock and know nobody above them.

use std::path::Path;

use super::paths::Outline;
use super::{read, repository, shown, sources};

/// Crates that do I/O, start tasks or look at a clock.
const OUTSIDE: [&str; 3] = ["foster_compat", "futures", "tokio"];

/// What each room of the package `foster` may name of the others, lowest first.
const ROOMS: [Room; 5] = [
    // A body is a stream to its reader: the trait is named, and nothing that runs one.
    Room {
        folder: "src/http",
        except: &[],
        outside: &["foster_compat", "tokio"],
        crate_modules: Named::Only(&["Error", "Result"]),
    },
    Room {
        folder: "src/http1",
        except: &["src/http1/client", "src/http1/protocol", "src/http1/mod.rs"],
        outside: &OUTSIDE,
        crate_modules: Named::Only(&["http"]),
    },
    Room {
        folder: "src/websocket",
        except: &["src/websocket/client", "src/websocket/mod.rs", "src/websocket/protocol"],
        outside: &OUTSIDE,
        crate_modules: Named::Only(&["http", "websocket"]),
    },
    // The router answers with the types of this package alone.
    Room {
        folder: "src/app/routing",
        except: &[],
        outside: &["foster_compat", "futures", "http", "tokio"],
        crate_modules: Named::Only(&["http"]),
    },
    // The framework stands on the seam: it names no machine, no protocol, no transport and no socket.
    Room {
        folder: "src/app",
        except: &["src/app/routing", "src/app/testing"],
        outside: &["foster_compat", "tokio"],
        crate_modules: Named::AllBut(&[
            "asyncio",
            "create_connection",
            "create_server",
            "http1",
            "outbox",
            "Protocol",
            "SharedProtocol",
            "testing",
            "Transport",
            "TransportRef",
        ]),
    },
];

struct Room {
    folder: &'static str,
    except: &'static [&'static str],
    outside: &'static [&'static str],
    crate_modules: Named,
}

/// What a room may name of this crate.
enum Named {
    Only(&'static [&'static str]),
    AllBut(&'static [&'static str]),
}

impl Named {
    fn allows(&self, name: &str) -> bool {
        match self {
            Named::Only(names) => names.contains(&name),
            Named::AllBut(names) => !names.contains(&name),
        }
    }
}

#[test]
fn the_machines_of_http_do_no_io_and_name_only_what_lies_below() {
    let mut broken = Vec::new();
    for room in &ROOMS {
        let files = sources(&repository().join(room.folder));
        assert!(files.len() > 5, "{} has moved", room.folder);
        for file in files {
            let path = shown(&file);
            if !room.except.iter().any(|except| Path::new(&path).starts_with(except)) {
                broken.extend(room.broken_in(&read(&file)).into_iter().map(|message| format!("{path}:{message}")));
            }
        }
    }
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

#[test]
fn a_machine_that_looks_up_is_found() {
    let [vocabulary, machines, websocket, router, app] = &ROOMS;
    for source in [
        "use tokio::time::Instant;",
        "use foster_compat::TransportRef;",
        "use crate::http1::ServerConnection;",
        "use crate::serve::Config;",
        "fn call() { crate::handler::start() }",
    ] {
        assert_eq!(vocabulary.broken_in(&Outline::of(source)).len(), 1, "{source}");
    }
    for source in ["use futures::Stream;", "use crate::handler::Request;", "use crate::Error;"] {
        assert_eq!(machines.broken_in(&Outline::of(source)).len(), 1, "{source}");
    }
    for source in ["use tokio::time::Sleep;", "use crate::http1::ServerConnection;", "use crate::Error;"] {
        assert_eq!(websocket.broken_in(&Outline::of(source)).len(), 1, "{source}");
    }
    for source in ["use crate::handler::Request;", "use crate::websocket::Message;", "use futures::Stream;"] {
        assert_eq!(router.broken_in(&Outline::of(source)).len(), 1, "{source}");
    }
    for source in ["use crate::http1::ServerConnection;", "use crate::TransportRef;", "use tokio::net::TcpStream;"] {
        assert_eq!(app.broken_in(&Outline::of(source)).len(), 1, "{source}");
    }
    assert!(app.broken_in(&Outline::of("use crate::{Error, Nursery, handler, open_nursery};")).is_empty());
    assert!(router.broken_in(&Outline::of("use crate::http::Method;\nuse super::rule::Rule;")).is_empty());
    assert!(websocket.broken_in(&Outline::of("use crate::websocket::Message;\nuse bytes::Bytes;")).is_empty());
    assert!(vocabulary.broken_in(&Outline::of("use crate::{Error, Result};\nuse super::head::Span;")).is_empty());
    assert!(machines.broken_in(&Outline::of("use crate::http::Limits;\nuse ::http::Method;")).is_empty());
}

impl Room {
    fn broken_in(&self, outline: &Outline) -> Vec<String> {
        let mut broken = Vec::new();
        for found in outline.paths() {
            let names = |nth: usize| found.segments.get(nth).map_or("", String::as_str);
            let is_allowed = match names(0) {
                "crate" => self.crate_modules.allows(names(1)),
                outside => !self.outside.contains(&outside),
            };
            if !is_allowed {
                broken.push(format!("{}: `{}` lies above, or outside", found.line, found.segments.join("::")));
            }
        }
        broken
    }
}
