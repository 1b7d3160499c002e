//! The kinds of scenarios: what is set up, and which control line says so.

use std::rc::Rc;

use foster_compat::{Result, create_server, create_unix_server};

use crate::exception;
use crate::factory::{Factory, NoProtocol, with_factory};
use crate::performer::Performer;
use crate::session::Session;

/// What a scenario plays: section 3 of `SCENARIOS.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Tcp,
    Unix,
    Program,
}

impl Kind {
    pub(crate) fn parse(name: &str) -> Result<Self, String> {
        match name {
            "tcp" => Ok(Kind::Tcp),
            "unix" => Ok(Kind::Unix),
            "program" => Ok(Kind::Program),
            _ => Err(format!("unknown kind {name}")),
        }
    }

    /// Sets the scenario up; a program runs to its end.
    pub(crate) async fn set_up(self, session: &Rc<Session>) -> Result<()> {
        let message = session.message();
        let factory = Factory::new(session, "A", message.protocol.clone(), message.other_protocol.clone());
        let nursery = session.lp().nursery();
        match self {
            Kind::Tcp => {
                let server = create_server(nursery, NoProtocol::default, "127.0.0.1", 0);
                let server = with_factory!(server, factory).await?;
                if let (Some(size), Some(socket)) = (message.send_buffer_size, server.sockets().first()) {
                    socket.set_send_buffer_size(size)?;
                }
                session.say_address(&server, "")
            }
            Kind::Unix => {
                let server = create_unix_server(nursery, NoProtocol::default, &message.path);
                let server = with_factory!(server, factory).await?;
                session.say_address(&server, "")
            }
            Kind::Program => {
                session.output().control("READY");
                session.start_clock();
                let program = Performer::new(session.clone(), None);
                if let Err(err) = program.run_waiting(&message.program).await {
                    session.output().emit(format!("PROGRAM {}", exception::raised(&err)));
                }
                session.output().control("DONE");
                Ok(())
            }
        }
    }
}
