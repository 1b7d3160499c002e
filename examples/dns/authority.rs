//! [`FileAuthority`]: what a zone has to say. Twisted's `authority.FileAuthority`.

use std::collections::HashMap;

use domain::base::iana::{Class, OptRcode, Rcode, Rtype};
use domain::base::name::{FlattenInto, Name, RelativeName, ToName};
use domain::base::record::Record;
use domain::rdata::ZoneRecordData;
use domain::zonefile::inplace::{Entry, Zonefile};

type OwnedName = Name<Vec<u8>>;
type RRHeader = Record<OwnedName, ZoneRecordData<Vec<u8>, OwnedName>>;

/// How many aliases are followed, so that a circle of them ends: BIND's limit.
const MAX_ALIASES: usize = 16;

/// One zone in memory.
pub(crate) struct FileAuthority {
    /// What a denial says; its name is the zone's.
    soa: RRHeader,
    /// A name without records is there if there is one below it.
    records: HashMap<OwnedName, Vec<RRHeader>>,
}

/// What is answered to a question.
pub(crate) struct Answer {
    pub(crate) r_code: OptRcode,
    pub(crate) is_authoritative: bool,
    pub(crate) answers: Vec<RRHeader>,
    pub(crate) authority: Vec<RRHeader>,
    pub(crate) additional: Vec<RRHeader>,
}

/// Where a name leads to.
enum Found<'a> {
    Records(&'a [RRHeader]),
    /// Into another zone, of which this one knows the servers.
    Referral(&'a [RRHeader]),
    Nothing,
}

impl Answer {
    /// An answer without a record.
    pub(crate) fn new(r_code: OptRcode) -> Self {
        let (answers, authority, additional) = (Vec::new(), Vec::new(), Vec::new());
        Answer { r_code, is_authoritative: false, answers, authority, additional }
    }
}

impl FileAuthority {
    /// Reads a zone from a master file (RFC 1035, 5). What BIND takes beyond that, such as `1h`, is not understood.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong with it, and where.
    pub(crate) fn load(text: &[u8]) -> Result<Self, String> {
        let mut file = Zonefile::from(text);
        // Without its end the last line would not be understood.
        file.extend_from_slice(b"\n");
        file.set_default_class(Class::IN);
        let mut all: Vec<RRHeader> = Vec::new();
        for entry in file {
            match entry.map_err(|err| format!("line {err}"))? {
                Entry::Record(record) => all.push(record.flatten_into()),
                Entry::Include { .. } => return Err("$INCLUDE is not implemented".to_owned()),
            }
        }
        FileAuthority::new(all)
    }

    fn new(all: Vec<RRHeader>) -> Result<Self, String> {
        let mut starts = all.iter().filter(|record| record.rtype() == Rtype::SOA);
        let (Some(start), None) = (starts.next(), starts.next()) else {
            return Err("a zone has exactly one SOA record".to_owned());
        };
        let mut soa = start.clone();
        if let ZoneRecordData::Soa(data) = start.data() {
            // How long a denial counts: RFC 2308, 5.
            soa.set_ttl(data.minimum().min(start.ttl()));
        }
        let mut records: HashMap<OwnedName, Vec<RRHeader>> = HashMap::new();
        for record in all {
            if !record.owner().ends_with(soa.owner()) {
                return Err(format!("{} is not in the zone", record.owner()));
            }
            if record.rtype() != Rtype::TXT && record.data().to_string().contains('@') {
                return Err(format!("{}: the name that @ stands for has to be written out", record.owner()));
            }
            for name in record.owner().iter_suffixes().take_while(|name| name.ends_with(soa.owner())) {
                records.entry(name.to_vec()).or_default();
            }
            records.entry(record.owner().clone()).or_default().push(record);
        }
        if records.values().any(|here| here.len() > 1 && here.iter().any(|record| record.rtype() == Rtype::CNAME)) {
            return Err("a name with a CNAME has no other records".to_owned());
        }
        Ok(FileAuthority { soa, records })
    }

    /// Answers a question: RFC 1034, 4.3.2.
    pub(crate) fn lookup(&self, name: OwnedName, type_: Rtype) -> Answer {
        let mut name = name;
        if !name.ends_with(self.soa.owner()) {
            return Answer::new(Rcode::REFUSED.into());
        }
        let mut answer = Answer { is_authoritative: true, ..Answer::new(Rcode::NOERROR.into()) };
        for _ in 0..=MAX_ALIASES {
            let records = match self.find(&name) {
                Found::Records(records) => records,
                Found::Referral(records) => {
                    // An alias on the way there is this zone's own word.
                    answer.is_authoritative = !answer.answers.is_empty();
                    answer.authority.extend(of_types(records, &[Rtype::NS]));
                    break;
                }
                Found::Nothing => {
                    answer.r_code = Rcode::NXDOMAIN.into();
                    answer.authority.push(self.soa.clone());
                    break;
                }
            };
            // Who asks for all gets one kind, or else a small question would make a large answer: RFC 8482, 4.1.
            let first = records.first();
            let type_ = first.filter(|_| type_ == Rtype::ANY).map_or(type_, RRHeader::rtype);
            // A wildcard's records have the name that was asked for.
            let wanted = [type_, Rtype::CNAME];
            let named = of_types(records, &wanted)
                .map(|record| RRHeader::new(name.clone(), Class::IN, record.ttl(), record.into_data()));
            let n_before = answer.answers.len();
            answer.answers.extend(named);
            match first.map(RRHeader::data) {
                Some(ZoneRecordData::Cname(alias)) if type_ != Rtype::CNAME => {
                    let target = alias.cname();
                    let is_new = !answer.answers.iter().any(|answer| answer.owner() == target);
                    if !is_new || !target.ends_with(self.soa.owner()) {
                        break;
                    }
                    name = target.clone();
                }
                _ => {
                    let is_denied = answer.answers.len() == n_before;
                    answer.authority.extend(is_denied.then(|| self.soa.clone()));
                    break;
                }
            }
        }
        self.additional_records(&mut answer);
        answer
    }

    /// Walks down from the zone's own name. Where it cannot go on, the `*` there is the last way.
    fn find(&self, name: &OwnedName) -> Found<'_> {
        let names: Vec<_> = name.iter_suffixes().take_while(|name| name.ends_with(self.soa.owner())).collect();
        let mut records = &[][..];
        for (n, name) in names.iter().enumerate().rev() {
            let Some(here) = self.records.get(name.for_slice()) else {
                let wildcard = names.get(n + 1).map(|closest| RelativeName::wildcard_ref().chain(closest));
                let wildcard = wildcard.and_then(Result::ok).and_then(|name| self.records.get(&name.to_vec()));
                return wildcard.map_or(Found::Nothing, |records| Found::Records(records));
            };
            if n + 1 < names.len() && here.iter().any(|record| record.rtype() == Rtype::NS) {
                return Found::Referral(here);
            }
            records = here;
        }
        Found::Records(records)
    }

    /// Adds the addresses of the hosts that are named, as far as the zone knows them.
    fn additional_records(&self, answer: &mut Answer) {
        let mut hosts: Vec<&OwnedName> = Vec::new();
        for record in answer.answers.iter().chain(&answer.authority) {
            let host = match record.data() {
                ZoneRecordData::Ns(ns) => ns.nsdname(),
                ZoneRecordData::Mx(mx) => mx.exchange(),
                ZoneRecordData::Srv(srv) => srv.target(),
                _ => continue,
            };
            if !hosts.contains(&host) {
                hosts.push(host);
            }
        }
        let records = hosts.into_iter().filter_map(|host| self.records.get(host));
        answer.additional = records.flat_map(|records| of_types(records, &[Rtype::A, Rtype::AAAA])).collect();
    }
}

fn of_types(records: &[RRHeader], types: &[Rtype]) -> impl Iterator<Item = RRHeader> {
    records.iter().filter(|record| types.contains(&record.rtype())).cloned()
}
