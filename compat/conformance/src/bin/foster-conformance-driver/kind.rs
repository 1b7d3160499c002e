//! The kinds of scenarios: what is set up, and which control line says so.

use std::rc::Rc;

use foster_compat::{Result, create_server, create_unix_server};

use crate::client::connect_to_peer;
use crate::datagram_action::make_endpoint;
use crate::exception;
use crate::factory::{Factory, no_protocol};
use crate::performer::Performer;
use crate::protocol_object::ProtocolObject;
use crate::protocol_spec::ProtocolKind;
use crate::session::Session;
use crate::tls::{server_context, with_timeouts};

/// What a scenario plays: section 3 of `SCENARIOS.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Tcp,
    Tls,
    Unix,
    Udp,
    UdpConnected,
    /// A TCP or Unix client; the peer's address says which.
    Client,
    TlsClient,
    Program,
}

impl Kind {
    pub(crate) fn parse(name: &str) -> Result<Self, String> {
        match name {
            "tcp" => Ok(Kind::Tcp),
            "tls" => Ok(Kind::Tls),
            "unix" => Ok(Kind::Unix),
            "udp" => Ok(Kind::Udp),
            "udp-connected" => Ok(Kind::UdpConnected),
            "tcp-client" | "unix-client" => Ok(Kind::Client),
            "tls-client" => Ok(Kind::TlsClient),
            "program" => Ok(Kind::Program),
            _ => Err(format!("unknown kind {name}")),
        }
    }

    /// The kind of its protocols that say nothing about theirs.
    pub(crate) fn usual_protocol(self) -> ProtocolKind {
        match self {
            Kind::Udp | Kind::UdpConnected => ProtocolKind::Datagram,
            _ => ProtocolKind::Stream,
        }
    }

    /// Sets the scenario up; a program runs to its end.
    pub(crate) async fn set_up(self, session: &Rc<Session>) -> Result<()> {
        let message = session.message();
        let factory = Factory::new(session, "A", message.protocol.clone(), message.other_protocol.clone());
        let nursery = session.lp().nursery();
        match self {
            Kind::Tcp | Kind::Tls => {
                let server = create_server(nursery, no_protocol::<ProtocolObject>, "127.0.0.1", 0);
                let mut server = server.try_factory(factory.call(ProtocolObject));
                if self == Kind::Tls {
                    server = with_timeouts!(server.ssl(&server_context(&message.params)?), message.tls_timeouts);
                }
                let server = server.await?;
                if let (Some(size), Some(socket)) = (message.send_buffer_size, server.sockets().first()) {
                    socket.set_send_buffer_size(size)?;
                }
                session.say_address(&server, "")
            }
            Kind::Unix => {
                let server = create_unix_server(nursery, no_protocol::<ProtocolObject>, &message.params.path);
                let server = server.try_factory(factory.call(ProtocolObject)).await?;
                session.say_address(&server, "")
            }
            Kind::Udp => {
                let (transport, _) = make_endpoint(session, &factory, None).await?;
                session.output().emit("endpoint ready");
                session.say_sockname(transport.sockname())
            }
            Kind::UdpConnected => {
                let (transport, _) = make_endpoint(session, &factory, Some(session.peer_address())).await?;
                session.output().emit("endpoint ready");
                session.say_sockname(transport.sockname())
            }
            Kind::Client | Kind::TlsClient => {
                session.output().control("READY");
                if let Err(err) = self.play_client(session, &factory).await {
                    session.output().emit(format!("create_connection raised {}", exception::name(Some(&err))));
                }
                Ok(())
            }
            Kind::Program => {
                session.output().control("READY");
                session.start_clock();
                let program = Performer::program(session.clone());
                if let Err(err) = program.run_waiting(&message.program).await {
                    session.output().emit(format!("PROGRAM {}", exception::raised(&err)));
                }
                session.output().control("DONE");
                Ok(())
            }
        }
    }

    async fn play_client(self, session: &Rc<Session>, factory: &Rc<Factory>) -> Result<()> {
        let actor = connect_to_peer(session, factory, self == Kind::TlsClient).await?;
        session.output().emit("create_connection returned");
        actor.performer().run(&session.message().after_connect)
    }
}
