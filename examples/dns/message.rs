//! [`Message`]: what is asked and answered (RFC 1035, 4). Twisted's `dns.Message`.

use std::collections::HashMap;
use std::rc::Rc;

use super::name::Name;

pub(crate) const A: u16 = 1;
pub(crate) const NS: u16 = 2;
pub(crate) const CNAME: u16 = 5;
pub(crate) const SOA: u16 = 6;
pub(crate) const HINFO: u16 = 13;
pub(crate) const MX: u16 = 15;
pub(crate) const AAAA: u16 = 28;
pub(crate) const SRV: u16 = 33;
const OPT: u16 = 41;
pub(crate) const IXFR: u16 = 251;
pub(crate) const AXFR: u16 = 252;
pub(crate) const ALL_RECORDS: u16 = 255;

pub(crate) const IN: u16 = 1;
pub(crate) const ANY_CLASS: u16 = 255;

/// The response codes.
pub(crate) const OK: u16 = 0;
pub(crate) const EFORMAT: u16 = 1;
pub(crate) const ENAME: u16 = 3;
pub(crate) const ENOTIMP: u16 = 4;
pub(crate) const EREFUSED: u16 = 5;
pub(crate) const EBADVERSION: u16 = 16;

/// The flags of the header: a response, authoritative, truncated, recursion desired.
const QR: u16 = 0x8000;
const AA: u16 = 0x0400;
const TC: u16 = 0x0200;
const RD: u16 = 0x0100;
const OP_CODE: u16 = 0x7800;

/// The largest message that everybody takes over UDP (RFC 1035, 4.2.1), and the largest that is sent: what passes
/// without fragments, and the default of BIND, NSD and Unbound.
const MIN_UDP_SIZE: u16 = 512;
const MAX_UDP_SIZE: u16 = 1232;

const HEADER_SIZE: usize = 12;

/// What an OPT record without options takes.
const OPT_SIZE: usize = 11;

/// Where a pointer can lead to: it has 14 bits.
const MAX_POINTER: usize = 0x3fff;

#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    id: u16,
    flags: u16,
    /// With the upper bits that are in the OPT record.
    pub(crate) r_code: u16,
    pub(crate) query: Option<Query>,
    pub(crate) answers: Vec<RRHeader>,
    pub(crate) authority: Vec<RRHeader>,
    pub(crate) additional: Vec<RRHeader>,
    pub(crate) edns: Option<Edns>,
}

#[derive(Clone, Debug)]
pub(crate) struct Query {
    pub(crate) name: Name,
    pub(crate) type_: u16,
    pub(crate) cls: u16,
}

/// What an OPT record says (RFC 6891): how much its sender takes, its version, and whether DNSSEC is wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edns {
    payload_size: u16,
    pub(crate) version: u8,
    dnssec_ok: u8,
}

/// A record as an answer names it.
#[derive(Clone, Debug)]
pub(crate) struct RRHeader {
    pub(crate) name: Name,
    pub(crate) record: Record,
}

/// A record, whose data is what it says but for the name that it may end with or that stands in it.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) type_: u16,
    pub(crate) ttl: u32,
    pub(crate) payload: Rc<[Part]>,
}

#[derive(Clone, Debug)]
pub(crate) enum Part {
    Bytes(Vec<u8>),
    Name(Name),
}

impl Message {
    /// The header; `None` if there is none.
    pub(crate) fn decode_header(data: &[u8]) -> Option<Self> {
        let mut reader = Reader { data: data.get(..HEADER_SIZE)?, at: 0 };
        Some(Message { id: reader.u16()?, flags: reader.u16()?, ..Message::default() })
    }

    /// What is behind the header: one query, records that do not matter, perhaps an OPT record. `None` for all else.
    pub(crate) fn decode_body(&mut self, data: &[u8]) -> Option<()> {
        let mut reader = Reader { data, at: 4 };
        let (n_queries, n_answers, n_authority, n_additional) =
            (reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?);
        let (name, at) = Name::decode(data, reader.at).filter(|_| n_queries == 1)?;
        reader.at = at;
        self.query = Some(Query { name, type_: reader.u16()?, cls: reader.u16()? });
        for section in [n_answers, n_authority, n_additional] {
            for _ in 0..section {
                let is_root = reader.skip_name()?;
                let (type_, payload_size) = (reader.u16()?, reader.u16()?);
                let [_, version, dnssec_ok, _] = *reader.take(4)? else { return None };
                let length = reader.u16()?;
                reader.take(length.into())?;
                if type_ == OPT && (!is_root || self.edns.replace(Edns { payload_size, version, dnssec_ok }).is_some())
                {
                    return None;
                }
            }
        }
        (reader.at == data.len()).then_some(())
    }

    pub(crate) fn is_response(&self) -> bool {
        self.flags & QR != 0
    }

    pub(crate) fn is_standard_query(&self) -> bool {
        self.flags & OP_CODE == 0
    }

    pub(crate) fn set_auth(&mut self, is_on: bool) {
        self.flags = self.flags & !AA | if is_on { AA } else { 0 };
    }

    /// How long an answer may be that is sent over UDP.
    pub(crate) fn max_udp_size(&self) -> u16 {
        self.edns.map_or(MIN_UDP_SIZE, |edns| edns.payload_size.clamp(MIN_UDP_SIZE, MAX_UDP_SIZE))
    }

    /// The answer to this message, without a record so far.
    pub(crate) fn response(&self, r_code: u16) -> Self {
        let edns = self.edns.map(|edns| Edns { payload_size: MAX_UDP_SIZE, version: 0, ..edns });
        let flags = QR | self.flags & (OP_CODE | RD);
        Message { id: self.id, flags, r_code, query: self.query.clone(), edns, ..Message::default() }
    }

    /// The message in at most `max_size` bytes: whole records, and the flag for those that stay out and are needed
    /// (RFC 2181, 9, and RFC 9471 for referrals).
    pub(crate) fn encode(&self, max_size: usize) -> Vec<u8> {
        let mut writer = Writer { bytes: vec![0; HEADER_SIZE], names: HashMap::new() };
        let (mut flags, mut counts) = (self.flags | self.r_code & 0xf, [0_u16; 4]);
        if let Some(query) = &self.query {
            counts[0] = 1;
            writer.name(&query.name);
            writer.u16s(&[query.type_, query.cls]);
        }
        let max_size = max_size - if self.edns.is_some() { OPT_SIZE } else { 0 };
        'sections: for (n, section) in [&self.answers, &self.authority, &self.additional].into_iter().enumerate() {
            for record in section {
                let end = writer.bytes.len();
                writer.record(record);
                if writer.bytes.len() > max_size {
                    // No name is written any more, so none can point to what is gone.
                    writer.bytes.truncate(end);
                    flags |= if n < 2 || flags & AA == 0 { TC } else { 0 };
                    break 'sections;
                }
                counts[n + 1] += 1;
            }
        }
        if let Some(edns) = self.edns {
            let [_, upper, ..] = (u32::from(self.r_code) << 12).to_be_bytes();
            writer.bytes.push(0);
            writer.u16s(&[OPT, edns.payload_size]);
            writer.bytes.extend([upper, edns.version, edns.dnssec_ok & 0x80, 0, 0, 0]);
            counts[3] += 1;
        }
        let header = [self.id, flags].into_iter().chain(counts).flat_map(u16::to_be_bytes);
        writer.bytes.splice(..HEADER_SIZE, header);
        writer.bytes
    }
}

struct Reader<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let taken = self.data.get(self.at..)?.get(..n)?;
        self.at += n;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    /// Passes a name without following its pointer, so that many of them cost no more than their length. Says whether
    /// it was the root.
    fn skip_name(&mut self) -> Option<bool> {
        let start = self.at;
        loop {
            match *self.take(1)? {
                [0] => return Some(self.at == start + 1),
                [length @ ..0x40] => self.take(length.into())?,
                [length] if length >= 0xc0 => return self.take(1).map(|_| false),
                _ => return None,
            };
        }
    }
}

struct Writer {
    bytes: Vec<u8>,
    /// Where names are that a pointer may lead to, by their keys.
    names: HashMap<Vec<u8>, usize>,
}

impl Writer {
    fn u16s(&mut self, numbers: &[u16]) {
        self.bytes.extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
    }

    /// Writes as much of a name as is not there yet, and a pointer to the rest.
    fn name(&mut self, name: &Name) {
        let (mut wire, start) = (name.wire().iter(), self.bytes.len());
        for key in name.keys() {
            let n_before = name.wire().len() - key.len();
            if let Some(at) = self.names.get(&key).and_then(|at| u16::try_from(*at).ok()) {
                self.bytes.extend(wire.by_ref().take(n_before));
                return self.u16s(&[0xc000 | at]);
            }
            if key.len() > 1 && start + n_before <= MAX_POINTER {
                self.names.insert(key, start + n_before);
            }
        }
        self.bytes.extend(wire);
    }

    fn record(&mut self, RRHeader { name, record }: &RRHeader) {
        self.name(name);
        self.u16s(&[record.type_, IN]);
        self.bytes.extend(record.ttl.to_be_bytes());
        self.u16s(&[0]);
        let start = self.bytes.len();
        for part in record.payload.iter() {
            match part {
                Part::Bytes(bytes) => self.bytes.extend(bytes),
                // Not to be compressed: RFC 2782.
                Part::Name(name) if record.type_ == SRV => self.bytes.extend(name.wire()),
                Part::Name(name) => self.name(name),
            }
        }
        // What is longer than this can say is longer than any message.
        let length = u16::try_from(self.bytes.len() - start).unwrap_or(u16::MAX);
        self.bytes.splice(start - 2..start, length.to_be_bytes());
    }
}
