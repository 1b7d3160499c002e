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
#[path = "../options/mod.rs"]
mod options;
#[cfg(test)]
mod tests;

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::rc::Rc;
use std::time::Duration;

use authority::{Answer, FileAuthority};
use domain::base::iana::{Class, Opcode, OptRcode, Rcode, Rtype};
use domain::base::message_builder::TreeCompressor;
use domain::base::name::ToName;
use domain::base::{Message, MessageBuilder, ParsedName, Question};
use foster::framing::{Int16StringProtocol, Int16StringReceiver, StringBase};
use foster::{
    Address, DatagramProtocol, DatagramTransportRef, Nursery, Result, Server, create_datagram_endpoint, create_server,
    open_nursery, run,
};
use options::{Options, Own, announce, wrong_arguments};

/// How long a connection may be silent: BIND's `tcp-idle-timeout`.
const TCP_IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// How many connections are served at once; more wait to be accepted. BIND's `tcp-clients`.
const MAX_TCP_CLIENTS: usize = 150;

/// How often a port is looked for that is free for both TCP and UDP.
const MAX_PORTS_TRIED: usize = 20;

/// The largest message that everybody takes over UDP (RFC 1035, 4.2.1), and the largest that is sent: what passes
/// without fragments, and the default of BIND, NSD and Unbound.
const MIN_UDP_SIZE: u16 = 512;
const MAX_UDP_SIZE: u16 = 1232;

const HEADER_SIZE: usize = 12;

/// What an OPT record without options takes.
const OPT_SIZE: usize = 11;

/// A question has no more records with it: an OPT record, and a signature.
const MAX_RECORDS: u16 = 2;

/// Answers the messages of every protocol: Twisted's `server.DNSServerFactory`.
struct DNSServerFactory {
    authority: FileAuthority,
}

impl DNSServerFactory {
    /// The answer to a message, `None` if it gets none. `max_size` is how long it may be.
    fn message_received(&self, data: &[u8], max_size: impl FnOnce(&Message<[u8]>) -> u16) -> Option<Vec<u8>> {
        let message = Message::from_slice(data).ok()?;
        // Who answered an answer would be answered for ever.
        if message.header().qr() {
            return None;
        }
        let Some(question) = question_of(message) else {
            // Nothing of what is wrong is repeated.
            let header = Message::from_slice(data.get(..HEADER_SIZE)?).ok()?;
            let r_code = if is_query(message) { Rcode::FORMERR } else { Rcode::NOTIMP };
            return encode(header, &Answer::new(r_code.into()), MIN_UDP_SIZE);
        };
        encode(message, &self.handle_query(message, &question), max_size(message))
    }

    fn handle_query(&self, message: &Message<[u8]>, question: &Question<ParsedName<&[u8]>>) -> Answer {
        let is_other_version = message.opt().is_some_and(|opt| opt.version() != 0);
        let is_transfer = matches!(question.qtype(), Rtype::AXFR | Rtype::IXFR);
        match question.qclass() {
            _ if !is_query(message) => Answer::new(Rcode::NOTIMP.into()),
            _ if is_other_version => Answer::new(OptRcode::BADVERS),
            Class::IN | Class::ANY if !is_transfer => {
                self.authority.lookup(question.qname().to_vec(), question.qtype())
            }
            _ => Answer::new(Rcode::REFUSED.into()),
        }
    }
}

fn is_query(message: &Message<[u8]>) -> bool {
    message.header().opcode() == Opcode::QUERY
}

/// The question, if there is one and the message makes sense. How many records there are comes first, for each may have
/// a name that is read at length.
fn question_of(message: &Message<[u8]>) -> Option<Question<ParsedName<&[u8]>>> {
    let counts = message.header_counts();
    if counts.ancount() > 0 || counts.nscount() > 0 || counts.arcount() > MAX_RECORDS {
        return None;
    }
    let question = message.sole_question().ok()?;
    let records: Vec<_> = message.additional().ok()?.collect::<Result<_, _>>().ok()?;
    (records.iter().filter(|record| record.rtype() == Rtype::OPT).count() <= 1).then_some(question)
}

/// How long an answer may be that is sent over UDP.
fn max_udp_size(message: &Message<[u8]>) -> u16 {
    message.opt().map_or(MIN_UDP_SIZE, |opt| opt.udp_payload_size().clamp(MIN_UDP_SIZE, MAX_UDP_SIZE))
}

/// The answer in at most `max_size` bytes: whole records, and the flag for those that stay out and are needed (RFC 2181,
/// 9, and RFC 9471 for referrals).
fn encode(message: &Message<[u8]>, answer: &Answer, max_size: u16) -> Option<Vec<u8>> {
    let mut builder = MessageBuilder::from_target(TreeCompressor::new(Vec::new())).ok()?;
    let opt = message.opt();
    // What reaches the limit is refused.
    builder.set_push_limit(usize::from(max_size) - opt.as_ref().map_or(0, |_| OPT_SIZE) + 1);
    let mut answers = builder.start_error(message, answer.r_code.rcode());
    answers.header_mut().set_aa(answer.is_authoritative);
    let is_cut = answer.answers.iter().any(|record| answers.push(record).is_err());
    let mut authority = answers.authority();
    let is_cut = is_cut || answer.authority.iter().any(|record| authority.push(record).is_err());
    let mut additional = authority.additional();
    let is_short = is_cut || answer.additional.iter().any(|record| additional.push(record).is_err());
    additional.header_mut().set_tc(is_cut || is_short && !answer.is_authoritative);
    additional.clear_push_limit();
    if let Some(asked) = opt {
        let written = additional.opt(|opt| {
            opt.set_udp_payload_size(MAX_UDP_SIZE);
            opt.set_dnssec_ok(asked.dnssec_ok());
            opt.set_rcode(answer.r_code);
            Ok(())
        });
        written.ok()?;
    }
    Some(additional.finish().into_target())
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
        let response = self.controller.message_received(data, max_udp_size);
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
            Ok(text) => FileAuthority::load(&text).map_err(|err| format!("{path}: {err}")),
            Err(err) => Err(format!("cannot read {path}: {err}")),
        },
        None => FileAuthority::load(include_bytes!("example.zone")),
    };
    let authority = loaded.unwrap_or_else(|message| wrong_arguments("dns", &message));
    run(app(options, authority))
}
