//! Clients: of the kinds that are one, and of programs.

use std::rc::Rc;

use foster_compat::{Result, SslContext, connect_accepted_socket, create_connection, create_unix_connection};
use serde_json::Value;

use crate::actor::Actor;
use crate::factory::{Factory, no_protocol};
use crate::options::Options;
use crate::params::PeerAddress;
use crate::protocol_object::ProtocolObject;
use crate::session::Session;
use crate::tls::{client_context, with_timeouts};

/// The client of the kinds `tcp-client`, `unix-client` and `tls-client`.
pub(crate) async fn connect_to_peer(
    session: &Rc<Session>,
    factory: &Rc<Factory>,
    speaks_tls: bool,
) -> Result<Rc<Actor>> {
    let context = speaks_tls.then(|| client_context(session.message().verifies)).transpose()?;
    connect(session, session.peer_address(), factory, context.as_ref()).await
}

async fn connect(
    session: &Rc<Session>,
    address: &PeerAddress,
    factory: &Rc<Factory>,
    tls: Option<&SslContext>,
) -> Result<Rc<Actor>> {
    let nursery = session.lp().nursery();
    match address {
        PeerAddress::Inet { host, port } => {
            let client = create_connection(nursery, no_protocol::<ProtocolObject>, host, *port);
            let mut client = client.try_factory(factory.call(ProtocolObject));
            if let Some(context) = tls {
                client = with_timeouts!(client.ssl(context), session.message().tls_timeouts);
            }
            Ok(client.await?.1)
        }
        PeerAddress::Unix(path) => {
            let client = create_unix_connection(nursery, no_protocol::<ProtocolObject>, path)
                .try_factory(factory.call(ProtocolObject));
            Ok(client.await?.1)
        }
    }
}

/// The options of `create_connection`.
#[derive(Debug)]
pub(crate) struct ClientOptions {
    protocol: String,
    to: String,
}

impl ClientOptions {
    pub(crate) fn parse(options: &Value) -> Result<Self, String> {
        let options = Options::parse("create_connection", options, &["protocol", "to"])?;
        Ok(ClientOptions {
            protocol: options.text("protocol")?,
            to: options.optional_text("to")?.unwrap_or_else(|| "listen".to_owned()),
        })
    }

    pub(crate) async fn make(&self, session: &Rc<Session>) -> Result<Rc<Actor>> {
        let Some(address) = session.message().params.destination(&self.to) else {
            session.refuse(&format!("the start message has no address {}", self.to));
        };
        connect(session, address, &Factory::named(session, &self.protocol), None).await
    }
}

/// Makes a connection of one end of a socket pair.
pub(crate) async fn connect_accepted(session: &Rc<Session>, socket: &str, protocol: &str) -> Result<Rc<Actor>> {
    let socket = session.take_socket(socket);
    let connection = connect_accepted_socket(session.lp().nursery(), no_protocol::<ProtocolObject>, socket);
    Ok(connection.try_factory(Factory::named(session, protocol).call(ProtocolObject)).await?.1)
}
