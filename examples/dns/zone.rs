//! [`BindAuthority`]: reads a zone from a master file (RFC 1035, 5). Twisted's `authority.BindAuthority`.

use std::iter::Peekable;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::{mem, vec};

use super::authority::FileAuthority;
use super::message::{Part, Record};
use super::name::Name;

/// The types of records, and what their data is: addresses of 4 and 16 bytes, numbers of 2, seconds, names, strings.
const TYPES: [(&str, u16, &str); 9] = [
    ("A", 1, "4"),
    ("NS", 2, "n"),
    ("CNAME", 5, "n"),
    ("SOA", 6, "nnttttt"),
    ("PTR", 12, "n"),
    ("MX", 15, "2n"),
    ("TXT", 16, "s"),
    ("AAAA", 28, "6"),
    ("SRV", 33, "222n"),
];

/// What a master file has said so far.
#[derive(Default)]
pub(crate) struct BindAuthority {
    origin: Option<Name>,
    owner: Option<Name>,
    ttl: Option<u32>,
    records: Vec<(Name, Record)>,
}

/// A word or a quoted string: its bytes, and whether each stands for nothing but itself.
type Token = Vec<(u8, bool)>;

/// What stands on a line, or in parentheses on several.
#[derive(Default)]
struct Entry {
    is_indented: bool,
    tokens: Vec<Token>,
}

impl BindAuthority {
    /// # Errors
    ///
    /// A sentence that says what is wrong, and where.
    pub(crate) fn load(text: &[u8]) -> Result<FileAuthority, String> {
        let mut authority = BindAuthority::default();
        for (line, entry) in entries(text)? {
            authority.parse_entry(entry).map_err(|err| format!("line {line}: {err}"))?;
        }
        FileAuthority::new(authority.records)
    }

    fn parse_entry(&mut self, entry: Entry) -> Result<(), String> {
        let mut fields = Fields { tokens: entry.tokens.into_iter().peekable(), origin: self.origin.clone() };
        match fields.peek().as_deref() {
            Some("$ORIGIN") => self.origin = Some(fields.skip().name()?),
            Some("$TTL") => self.ttl = Some(fields.skip().ttl()?),
            Some(word) if word.starts_with('$') => return Err(format!("{word} is not implemented")),
            _ => self.parse_record(&mut fields, entry.is_indented)?,
        }
        fields.peek().map_or(Ok(()), |word| Err(format!("{word} is too much")))
    }

    fn parse_record(&mut self, fields: &mut Fields, is_indented: bool) -> Result<(), String> {
        if !is_indented {
            self.owner = Some(fields.name()?);
        }
        let owner = self.owner.clone().ok_or("the first record has to have a name")?;
        let mut ttl = self.ttl;
        let word = loop {
            match fields.peek().ok_or("the type is missing")? {
                word if word == "IN" => drop(fields.skip()),
                word if word.starts_with(|first: char| first.is_ascii_digit()) => ttl = Some(fields.ttl()?),
                word => break word,
            }
        };
        let known = TYPES.iter().find(|(name, ..)| *name == word);
        let (_, type_, format) = *known.ok_or_else(|| format!("records of type {word} are not implemented"))?;
        fields.skip();
        let payload: Result<Vec<Part>, String> = format.chars().map(|field| fields.part(field)).collect();
        let record = Record { type_, ttl: ttl.ok_or("no $TTL was said before")?, payload: payload?.into() };
        self.records.push((owner, record));
        Ok(())
    }
}

/// What an entry has still to say.
struct Fields {
    tokens: Peekable<vec::IntoIter<Token>>,
    origin: Option<Name>,
}

impl Fields {
    /// The next word in capitals.
    fn peek(&mut self) -> Option<String> {
        self.tokens.peek().map(|token| text(token).to_ascii_uppercase())
    }

    fn skip(&mut self) -> &mut Self {
        self.tokens.next();
        self
    }

    fn next(&mut self) -> Result<Token, String> {
        self.tokens.next().ok_or_else(|| "something is missing at the end".to_owned())
    }

    fn parse<T: FromStr>(&mut self) -> Result<T, String> {
        let text = text(&self.next()?);
        text.parse().map_err(|_| format!("{text:?} is not what has to be there"))
    }

    fn part(&mut self, field: char) -> Result<Part, String> {
        Ok(Part::Bytes(match field {
            'n' => return self.name().map(Part::Name),
            '4' => self.parse::<Ipv4Addr>()?.octets().to_vec(),
            '6' => self.parse::<Ipv6Addr>()?.octets().to_vec(),
            '2' => self.parse::<u16>()?.to_be_bytes().to_vec(),
            't' => self.ttl()?.to_be_bytes().to_vec(),
            _ => {
                let mut strings = Vec::new();
                while strings.is_empty() || self.tokens.peek().is_some() {
                    let string = self.next()?;
                    strings.push(u8::try_from(string.len()).map_err(|_| "a string has at most 255 bytes")?);
                    strings.extend(string.iter().map(|(byte, _)| *byte));
                }
                strings
            }
        }))
    }

    /// Seconds, or as in `2h`.
    fn ttl(&mut self) -> Result<u32, String> {
        let word = text(&self.next()?).to_ascii_uppercase();
        let units = [("S", 1), ("M", 60), ("H", 3_600), ("D", 86_400), ("W", 604_800)];
        let with_unit = units.iter().find_map(|(unit, seconds)| Some((word.strip_suffix(unit)?, *seconds)));
        let (number, seconds) = with_unit.unwrap_or((&word, 1));
        let ttl = number.parse().ok().and_then(|number: u32| number.checked_mul(seconds));
        ttl.ok_or_else(|| format!("{word:?} is no number of seconds"))
    }

    /// A name; one that does not end with a dot is below the origin.
    fn name(&mut self) -> Result<Name, String> {
        let mut token = self.next()?;
        let is_absolute = token.last() == Some(&(b'.', false));
        token.truncate(token.len() - usize::from(is_absolute));
        let origin = self.origin.as_ref().filter(|_| !is_absolute);
        if origin.is_none() && !is_absolute {
            return Err("a name without a dot at its end needs an $ORIGIN before it".to_owned());
        }
        let labels =
            token.split(|char| *char == (b'.', false)).map(|label| label.iter().map(|(byte, _)| *byte).collect());
        let has_labels = !token.is_empty() && token != [(b'@', false)];
        let labels: Vec<Vec<u8>> = labels.filter(|_| has_labels).collect();
        Name::new(&labels, origin).ok_or_else(|| format!("{:?} is no name", text(&token)))
    }
}

fn text(token: &Token) -> String {
    token.iter().map(|(byte, _)| char::from(*byte)).collect()
}

/// Cuts a file into its entries, each with the number of its last line.
fn entries(file: &[u8]) -> Result<Vec<(usize, Entry)>, String> {
    let (mut entries, mut entry, mut token) = (Vec::new(), Entry::default(), None::<Token>);
    let (mut line, mut depth, mut is_quoted, mut is_start) = (1, 0, false, true);
    let mut bytes = file.iter().copied().chain([b'\n']).peekable();
    while let Some(byte) = bytes.next() {
        let is_first = mem::replace(&mut is_start, false);
        match byte {
            b'\\' => token
                .get_or_insert_default()
                .push((escaped(&mut bytes).ok_or(format!("line {line}: a bad escape"))?, true)),
            b'\n' if is_quoted => return Err(format!("line {line}: the quotation has no end")),
            b'"' => {
                entry.tokens.extend(token.take());
                is_quoted = !is_quoted;
                token = is_quoted.then(Vec::new);
            }
            _ if is_quoted => token.get_or_insert_default().push((byte, true)),
            b'(' | b')' | b' ' | b'\t' | b'\r' | b'\n' => {
                entry.tokens.extend(token.take());
                entry.is_indented |= is_first && byte != b'\n';
                depth += i32::from(byte == b'(') - i32::from(byte == b')');
                if byte == b'\n' && depth == 0 {
                    entries.push((line, mem::take(&mut entry)));
                    is_start = true;
                }
                line += usize::from(byte == b'\n');
            }
            b';' => while bytes.next_if(|byte| *byte != b'\n').is_some() {},
            _ => token.get_or_insert_default().push((byte, false)),
        }
    }
    entries.retain(|(_, entry)| !entry.tokens.is_empty());
    if depth == 0 { Ok(entries) } else { Err("the parentheses do not match".to_owned()) }
}

/// What stands behind a backslash: three digits for any byte, or a byte for itself.
fn escaped(bytes: &mut impl Iterator<Item = u8>) -> Option<u8> {
    let first = bytes.next().filter(|byte| *byte != b'\n')?;
    if !first.is_ascii_digit() {
        return Some(first);
    }
    std::str::from_utf8(&[first, bytes.next()?, bytes.next()?]).ok()?.parse().ok()
}
