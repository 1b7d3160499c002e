//! [`FileAuthority`]: what a zone has to say. Twisted's `authority.FileAuthority`.

use std::collections::HashMap;

use super::message::{
    A, AAAA, ALL_RECORDS, CNAME, ENAME, EREFUSED, HINFO, MX, Message, NS, Part, Query, RRHeader, Record, SOA, SRV,
};
use super::name::Name;

/// How many aliases are followed, so that a circle of them ends: BIND's limit.
const MAX_ALIASES: usize = 16;

/// One zone in memory.
pub(crate) struct FileAuthority {
    /// What a denial says; its name is the zone's.
    soa: RRHeader,
    /// By the keys of their names. A name without records is there if there is one below it.
    records: HashMap<Vec<u8>, Vec<Record>>,
}

/// Where a name leads to.
enum Found<'a> {
    Records(&'a [Record]),
    /// Into another zone, of which this one knows the servers.
    Referral(Name, &'a [Record]),
    Nothing,
}

impl FileAuthority {
    /// # Errors
    ///
    /// A sentence that says what is wrong with the zone.
    pub(crate) fn new(all: Vec<(Name, Record)>) -> Result<Self, String> {
        let mut starts = all.iter().filter(|(_, record)| record.type_ == SOA);
        let (Some((name, record)), None) = (starts.next().cloned(), starts.next()) else {
            return Err("a zone has exactly one SOA record".to_owned());
        };
        let Some(Part::Bytes(minimum)) = record.payload.last() else { return Err("the SOA has no minimum".to_owned()) };
        // How long a denial counts: RFC 2308, 5.
        let ttl = minimum.iter().fold(0, |ttl, byte| ttl << 8 | u32::from(*byte)).min(record.ttl);
        let soa = RRHeader { name, record: Record { ttl, ..record.clone() } };
        let mut records: HashMap<Vec<u8>, Vec<Record>> = HashMap::new();
        for (name, record) in all {
            if !name.is_subdomain_of(&soa.name) {
                return Err(format!("{} is not in the zone", name.wire().escape_ascii()));
            }
            for key in name.keys().into_iter().filter(|key| key.len() >= soa.name.wire().len()) {
                let is_its_own = key.len() == name.wire().len();
                records.entry(key).or_default().extend(is_its_own.then(|| record.clone()));
            }
        }
        if records.values().any(|here| here.len() > 1 && here.iter().any(|record| record.type_ == CNAME)) {
            return Err("a name with a CNAME has no other records".to_owned());
        }
        Ok(FileAuthority { soa, records })
    }

    /// Answers `query` in `response`: RFC 1034, 4.3.2.
    pub(crate) fn lookup(&self, query: &Query, response: &mut Message) {
        let mut name = query.name.clone();
        if !name.is_subdomain_of(&self.soa.name) {
            response.r_code = EREFUSED;
            return;
        }
        response.set_auth(true);
        for _ in 0..=MAX_ALIASES {
            match self.find(&name) {
                Found::Records(records) => {
                    let n_answers = response.answers.len();
                    response.answers.extend(of_type(records, &[query.type_], &name));
                    if response.answers.len() > n_answers {
                        break;
                    }
                    match records.first().map(|first| (first, first.payload.last())) {
                        Some((alias, Some(Part::Name(target)))) if alias.type_ == CNAME => {
                            response.answers.extend(of_type(records, &[CNAME], &name));
                            let is_new = !response.answers.iter().any(|answer| answer.name == *target);
                            if is_new && query.type_ != ALL_RECORDS && target.is_subdomain_of(&self.soa.name) {
                                name = target.clone();
                                continue;
                            }
                        }
                        // Not all of them, which would make of a small question a large answer: RFC 8482, 4.2.
                        Some((first, _)) if query.type_ == ALL_RECORDS => {
                            let payload = [Part::Bytes(b"\x07RFC8482\0".to_vec())].into();
                            let record = Record { type_: HINFO, ttl: first.ttl, payload };
                            response.answers.push(RRHeader { name, record });
                        }
                        _ => response.authority.push(self.soa.clone()),
                    }
                }
                Found::Referral(cut, records) => {
                    // An alias on the way there is this zone's own word.
                    response.set_auth(!response.answers.is_empty());
                    response.authority.extend(of_type(records, &[NS], &cut));
                }
                Found::Nothing => {
                    response.r_code = ENAME;
                    response.authority.push(self.soa.clone());
                }
            }
            break;
        }
        self.additional_records(response);
    }

    /// Walks down from the zone's own name. Where it cannot go on, the `*` there is the last way.
    fn find(&self, name: &Name) -> Found<'_> {
        let (mut closest, mut records) = (Vec::new(), &[][..]);
        for key in name.keys().into_iter().rev().filter(|key| key.len() >= self.soa.name.wire().len()) {
            let Some(here) = self.records.get(&key) else {
                let wildcard = [&b"\x01*"[..], &closest].concat();
                return self.records.get(&wildcard).map_or(Found::Nothing, |records| Found::Records(records));
            };
            if key.len() > self.soa.name.wire().len() && here.iter().any(|record| record.type_ == NS) {
                let cut = name.wire().get(name.wire().len() - key.len()..).unwrap_or_default();
                return Name::decode(cut, 0).map_or(Found::Nothing, |(cut, _)| Found::Referral(cut, here));
            }
            (closest, records) = (key, here);
        }
        Found::Records(records)
    }

    /// Adds the addresses of the hosts that are named, as far as the zone knows them.
    fn additional_records(&self, response: &mut Message) {
        let mut hosts: Vec<Name> = Vec::new();
        for RRHeader { record, .. } in response.answers.iter().chain(&response.authority) {
            match record.payload.last() {
                Some(Part::Name(host)) if matches!(record.type_, NS | MX | SRV) && !hosts.contains(host) => {
                    hosts.push(host.clone());
                }
                _ => {}
            }
        }
        for host in hosts {
            let records = host.keys().first().and_then(|key| self.records.get(key)).map_or(&[][..], Vec::as_slice);
            response.additional.extend(of_type(records, &[A, AAAA], &host));
        }
    }
}

fn of_type(records: &[Record], types: &[u16], name: &Name) -> Vec<RRHeader> {
    let wanted = records.iter().filter(|record| types.contains(&record.type_));
    wanted.map(|record| RRHeader { name: name.clone(), record: record.clone() }).collect()
}
