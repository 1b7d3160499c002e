//! Actions on servers that never wait.

use foster_compat::{Address, Result, Server, TransportSocket};

use crate::performer::Performer;
use crate::transport_action::python_bool;
use crate::words::Words;

#[derive(Debug)]
pub(crate) enum ServerAction {
    Close(String),
    CloseClients(String),
    AbortClients(String),
    Log { server: String, fact: Fact },
}

/// What `server` tells.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fact {
    IsServing,
    NSockets,
    Families,
    V6Only,
    ReuseAddress,
    ReusePort,
    KeepAlive,
}

impl ServerAction {
    pub(crate) fn parse(words: Words<'_>) -> Result<Option<Self>, String> {
        Ok(Some(match words.name {
            "server_close" => ServerAction::Close(words.text(0)?),
            "close_clients" => ServerAction::CloseClients(words.text(0)?),
            "abort_clients" => ServerAction::AbortClients(words.text(0)?),
            "server" => {
                let fact = match words.text(1)?.as_str() {
                    "is_serving" => Fact::IsServing,
                    "sockets" => Fact::NSockets,
                    "families" => Fact::Families,
                    "v6only" => Fact::V6Only,
                    "reuseaddr" => Fact::ReuseAddress,
                    "reuseport" => Fact::ReusePort,
                    "keepalive" => Fact::KeepAlive,
                    _ => return Err(words.wrong(1, "a fact about a server")),
                };
                ServerAction::Log { server: words.text(0)?, fact }
            }
            _ => return Ok(None),
        }))
    }

    pub(crate) fn perform(&self, by: &Performer) -> Result<()> {
        let session = by.session();
        match self {
            ServerAction::Close(name) => session.server(name).close(),
            ServerAction::CloseClients(name) => session.server(name).close_clients(),
            ServerAction::AbortClients(name) => session.server(name).abort_clients(),
            ServerAction::Log { server, fact } => {
                by.say(&format!("{server} {}", fact.shown(&session.server(server))?));
            }
        }
        Ok(())
    }
}

impl Fact {
    fn shown(self, server: &Server) -> Result<String> {
        let sockets = server.sockets();
        let first = || sockets.first().ok_or_else(|| std::io::Error::other("the server has no socket"));
        Ok(match self {
            Fact::IsServing => format!("is_serving={}", python_bool(server.is_serving())),
            Fact::NSockets => format!("sockets={}", sockets.len()),
            Fact::Families => {
                let mut families = sockets.iter().map(family).collect::<Result<Vec<_>>>()?;
                families.sort_unstable();
                families.dedup();
                format!("families={}", families.join(","))
            }
            Fact::V6Only => {
                let mut flags = Vec::new();
                for socket in &sockets {
                    if family(socket)? == INET6 {
                        flags.push(u8::from(socket.only_v6()?).to_string());
                    }
                }
                format!("v6only={}", flags.join(","))
            }
            Fact::ReuseAddress => format!("reuseaddr={}", u8::from(first()?.reuse_address()?)),
            Fact::ReusePort => format!("reuseport={}", u8::from(first()?.reuse_port()?)),
            Fact::KeepAlive => format!("keepalive={}", u8::from(first()?.keepalive()?)),
        })
    }
}

fn family(socket: &TransportSocket) -> Result<&'static str> {
    Ok(match socket.getsockname()? {
        Address::Inet(address) if address.is_ipv4() => "AF_INET",
        Address::Inet(_) => INET6,
        _ => "AF_UNIX",
    })
}

const INET6: &str = "AF_INET6";
