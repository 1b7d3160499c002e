//! Actions on datagram endpoints.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use foster_compat::{Address, DatagramTransportRef, Result, create_datagram_endpoint};
use serde_json::Value;

use crate::actor::Actor;
use crate::any_transport::AnyTransport;
use crate::datagram_object::DatagramObject;
use crate::factory::{Factory, no_protocol};
use crate::options::Options;
use crate::params::PeerAddress;
use crate::performer::Performer;
use crate::session::Session;
use crate::words::Words;

#[derive(Debug)]
pub(crate) enum DatagramAction {
    SendTo { data: Vec<u8>, to: To },
}

#[derive(Debug)]
pub(crate) enum To {
    /// Whoever sent the last datagram.
    Sender,
    /// The address that the endpoint is connected to.
    Peer,
    Address(Address),
}

impl DatagramAction {
    pub(crate) fn parse(words: Words<'_>) -> Result<Option<Self>, String> {
        let data = match words.name {
            "sendto" => words.text(0)?.into_bytes(),
            "sendto_n" => vec![b'u'; words.number(0)?],
            _ => return Ok(None),
        };
        let to = match words.given(1) {
            None => To::Sender,
            Some(Value::Null) => To::Peer,
            Some(address) => match PeerAddress::parse(address)? {
                PeerAddress::Inet { host, port } => {
                    let ip: IpAddr = host.parse().map_err(|_| words.wrong(1, "an address"))?;
                    To::Address(Address::Inet(SocketAddr::from((ip, port))))
                }
                PeerAddress::Unix(_) => return Err(words.wrong(1, "an address with a port")),
            },
        };
        Ok(Some(DatagramAction::SendTo { data, to }))
    }

    pub(crate) fn perform(&self, by: &Performer) -> Result<()> {
        let DatagramAction::SendTo { data, to } = self;
        let AnyTransport::Datagram(transport) = by.transport() else {
            by.session().refuse("sendto is for datagram transports");
        };
        match to {
            To::Sender => transport.sendto(data, by.actor().and_then(|actor| actor.sender()).as_ref()),
            To::Peer => transport.sendto(data, None),
            To::Address(address) => transport.sendto(data, Some(address)),
        }
    }
}

/// The endpoint of the kinds `udp` and `udp-connected`; the latter has a peer.
pub(crate) async fn make_endpoint(
    session: &Rc<Session>,
    factory: &Rc<Factory>,
    peer: Option<&PeerAddress>,
) -> Result<(DatagramTransportRef, Rc<Actor>)> {
    let endpoint = create_datagram_endpoint(session.lp().nursery(), no_protocol::<DatagramObject>);
    let endpoint = endpoint.try_factory(factory.call(DatagramObject));
    match peer {
        None => endpoint.local_addr("127.0.0.1", 0).await,
        Some(PeerAddress::Inet { host, port }) => endpoint.remote_addr(host, *port).await,
        Some(PeerAddress::Unix(_)) => session.refuse("an endpoint connects to an address with a port"),
    }
}

/// The options of `create_datagram_endpoint`.
#[derive(Debug)]
pub(crate) struct EndpointOptions {
    protocol: String,
    to: String,
}

impl EndpointOptions {
    pub(crate) fn parse(options: &Value) -> Result<Self, String> {
        let options = Options::parse("create_datagram_endpoint", options, &["protocol", "to"])?;
        Ok(EndpointOptions { protocol: options.text("protocol")?, to: options.text("to")? })
    }

    pub(crate) async fn make(&self, session: &Rc<Session>) -> Result<Rc<Actor>> {
        let address = session.message().params.destination(&self.to);
        let address = address.unwrap_or_else(|| session.refuse(&format!("there is no address {}", self.to)));
        Ok(make_endpoint(session, &Factory::named(session, &self.protocol), Some(address)).await?.1)
    }
}
