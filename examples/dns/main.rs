//! Answers questions about one zone, over UDP and TCP: Twisted Names with a `FileAuthority`.
//!
//! ```text
//! cargo run --example dns -- [--host HOST] [--port PORT] [--zone FILE]
//! dig @127.0.0.1 -p 5300 www.example.com
//! ```
//!
//! It asks nobody else. Without `--zone` it serves `examples/dns/example.zone`.

mod authority;
#[cfg(test)]
#[path = "../child/mod.rs"]
mod child;
#[cfg(test)]
#[path = "../clients/mod.rs"]
mod clients;
mod message;
mod name;
#[path = "../options/mod.rs"]
mod options;
#[cfg(test)]
mod tests;
mod zone;

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::rc::Rc;
use std::time::Duration;

use authority::FileAuthority;
use foster::framing::{Int16StringProtocol, Int16StringReceiver, StringBase};
use foster::{
    Address, DatagramProtocol, DatagramTransportRef, Nursery, Result, Server, create_datagram_endpoint, create_server,
    open_nursery, run,
};
use message::{ANY_CLASS, AXFR, EBADVERSION, EFORMAT, ENOTIMP, EREFUSED, IN, IXFR, Message, OK};
use options::{Options, Own, announce, wrong_arguments};
use zone::BindAuthority;

/// How long a connection may be silent: BIND's `tcp-idle-timeout`.
const TCP_IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// How many connections are served at once; more wait to be accepted. BIND's `tcp-clients`.
const MAX_TCP_CLIENTS: usize = 150;

/// How often a port is looked for that is free for both TCP and UDP.
const MAX_PORTS_TRIED: usize = 20;

/// Answers the messages of every protocol: Twisted's `server.DNSServerFactory`.
struct DNSServerFactory {
    authority: FileAuthority,
}

impl DNSServerFactory {
    /// The answer to a message, `None` if it gets none. `max_size` is how long it may be.
    fn message_received(&self, data: &[u8], max_size: impl FnOnce(&Message) -> u16) -> Option<Vec<u8>> {
        // Who answered an answer would be answered for ever.
        let mut message = Message::decode_header(data).filter(|message| !message.is_response())?;
        let is_whole = message.decode_body(data).is_some();
        let response = match message.is_standard_query() {
            true if is_whole => self.handle_query(&message),
            true => message.response(EFORMAT),
            false => message.response(ENOTIMP),
        };
        Some(response.encode(max_size(&message).into()))
    }

    fn handle_query(&self, message: &Message) -> Message {
        let Some(query) = &message.query else { return message.response(EFORMAT) };
        if message.edns.is_some_and(|edns| edns.version != 0) {
            return message.response(EBADVERSION);
        }
        if !matches!(query.cls, IN | ANY_CLASS) || matches!(query.type_, AXFR | IXFR) {
            return message.response(EREFUSED);
        }
        let mut response = message.response(OK);
        self.authority.lookup(query, &mut response);
        response
    }
}

/// A message in each datagram: Twisted's `dns.DNSDatagramProtocol`.
struct DNSDatagramProtocol {
    controller: Rc<DNSServerFactory>,
    transport: DatagramTransportRef,
}

impl DatagramProtocol for DNSDatagramProtocol {
    fn connection_made(&mut self, transport: DatagramTransportRef) -> Result<()> {
        self.transport = transport;
        Ok(())
    }

    fn datagram_received(&mut self, data: &[u8], addr: Address) -> Result<()> {
        // Answers would pile up here. A question that is lost is asked again.
        if self.transport.is_writing_paused() {
            return Ok(());
        }
        let response = self.controller.message_received(data, Message::max_udp_size);
        response.map_or(Ok(()), |response| self.transport.sendto(&response, Some(&addr)))
    }
}

/// Messages behind their lengths (RFC 1035, 4.2.2), as many as come: Twisted's `dns.DNSProtocol`. A client that does not
/// read is read no further.
struct DNSProtocol {
    controller: Rc<DNSServerFactory>,
}

impl Int16StringReceiver for DNSProtocol {
    fn connection_made(&mut self, base: &StringBase) -> Result<()> {
        base.transport.set_idle_timeout(Some(TCP_IDLE_TIMEOUT));
        Ok(())
    }

    fn string_received(&mut self, base: &StringBase, string: &[u8]) -> Result<()> {
        match self.controller.message_received(string, |_| u16::MAX) {
            Some(response) => base.send_string(&response)?,
            None => base.transport.close(),
        }
        Ok(())
    }
}

/// Listens with both protocols, on the same port.
async fn listen(nursery: &Nursery, factory: &Rc<DNSServerFactory>, options: &Options) -> Result<Server> {
    let mut n_tried = 0;
    loop {
        let controller = factory.clone();
        let protocol = move || Int16StringProtocol::new(DNSProtocol { controller: controller.clone() });
        let server = create_server(nursery, protocol, &*options.host, options.port);
        let server = server.max_connections(MAX_TCP_CLIENTS).await?;
        n_tried += 1;
        match listen_udp(nursery, factory, &server).await {
            Err(_) if options.port == 0 && n_tried < MAX_PORTS_TRIED => server.close(),
            listening => return listening.map(|()| server),
        }
    }
}

async fn listen_udp(nursery: &Nursery, factory: &Rc<DNSServerFactory>, server: &Server) -> Result<()> {
    let mut addresses = Vec::new();
    for socket in server.sockets() {
        addresses.extend(socket.getsockname()?.ip().zip(socket.getsockname()?.port()));
    }
    // As in asyncio, and unlike TCP's, a datagram socket of all IPv6 addresses has those of IPv4 too.
    let has = addresses.clone();
    addresses
        .retain(|(ip, port)| *ip != Ipv4Addr::UNSPECIFIED || !has.contains(&(Ipv6Addr::UNSPECIFIED.into(), *port)));
    let mut transports: Vec<DatagramTransportRef> = Vec::new();
    for (ip, port) in addresses {
        let controller = factory.clone();
        let protocol = || DNSDatagramProtocol { controller, transport: DatagramTransportRef::default() };
        match create_datagram_endpoint(nursery, protocol).local_addr(ip.to_string(), port).await {
            Ok((transport, _)) => transports.push(transport),
            Err(err) => {
                transports.iter().for_each(|transport| transport.abort());
                return Err(err);
            }
        }
    }
    Ok(())
}

async fn app(options: Options, authority: FileAuthority) -> Result<()> {
    let factory = Rc::new(DNSServerFactory { authority });
    open_nursery(async |nursery| announce(&listen(&nursery, &factory, &options).await?)).await?;
    Ok(())
}

fn main() -> Result<()> {
    let zone = Own { option: "--zone", value: "FILE", help: "the zone to serve (a sample, example.com)" };
    let (options, [zone]) = Options::from_args_and("dns", 5300, [zone]);
    let loaded = match zone {
        Some(path) => match fs::read(&path) {
            Ok(text) => BindAuthority::load(&text).map_err(|err| format!("{path}: {err}")),
            Err(err) => Err(format!("cannot read {path}: {err}")),
        },
        None => BindAuthority::load(include_bytes!("example.zone")),
    };
    let authority = loaded.unwrap_or_else(|message| wrong_arguments("dns", &message));
    run(app(options, authority))
}
