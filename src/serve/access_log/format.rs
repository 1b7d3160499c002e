//! [`Format`]: what a line is made of.

use std::env;

use foster_compat::{Result, ValueError};

use crate::http::HeaderName;

/// How a request is written down.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// In Gunicorn's way.
    Text(Vec<Piece>),
    Json,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    Atom(Atom),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Atom {
    RemoteAddress,
    Dash,
    User,
    Date,
    RequestLine,
    Method,
    Path,
    Query,
    PathAndQuery,
    Protocol,
    Scheme,
    Status,
    Phrase,
    Size,
    SizeOrDash,
    Referer,
    UserAgent,
    Seconds,
    Milliseconds,
    Microseconds,
    DecimalSeconds,
    Process,
    RequestField(String),
    /// With its place among those that the format names.
    ResponseField(HeaderName, usize),
    /// A variable of the environment.
    Fixed(Option<String>),
}

impl Format {
    /// # Errors
    ///
    /// A [`ValueError`] that says which part of `text` is no atom.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let mut pieces = Vec::new();
        let mut n_fields = 0;
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('%') {
            push_text(&mut pieces, before);
            if let Some(behind) = behind.strip_prefix('%') {
                push_text(&mut pieces, "%");
                rest = behind;
                continue;
            }
            let wrong = |what: &str| wrong(text, what);
            let inner = behind.strip_prefix('(').ok_or_else(|| wrong("a % begins no atom like %(h)s"))?;
            let (name, behind) = inner.split_once(")s").ok_or_else(|| wrong("an atom does not end in )s"))?;
            let atom = atom(name, &mut n_fields).ok_or_else(|| wrong(&format!("there is no atom {name:?}")))?;
            pieces.push(Piece::Atom(atom));
            rest = behind;
        }
        push_text(&mut pieces, rest);
        Ok(Format::Text(pieces))
    }

    /// The fields of the response that are named, in their order.
    pub(super) fn response_fields(&self) -> impl Iterator<Item = &HeaderName> {
        let pieces = match self {
            Format::Text(pieces) => &pieces[..],
            Format::Json => &[],
        };
        pieces.iter().filter_map(|piece| match piece {
            Piece::Atom(Atom::ResponseField(name, _)) => Some(name),
            _ => None,
        })
    }
}

fn push_text(pieces: &mut Vec<Piece>, text: &str) {
    match pieces.last_mut() {
        Some(Piece::Text(last)) => last.push_str(text),
        _ if text.is_empty() => {}
        _ => pieces.push(Piece::Text(text.to_owned())),
    }
}

fn atom(name: &str, n_fields: &mut usize) -> Option<Atom> {
    Some(match name {
        "h" => Atom::RemoteAddress,
        "l" => Atom::Dash,
        "u" => Atom::User,
        "t" => Atom::Date,
        "r" | "R" => Atom::RequestLine,
        "m" => Atom::Method,
        "U" => Atom::Path,
        "q" => Atom::Query,
        "Uq" => Atom::PathAndQuery,
        "H" => Atom::Protocol,
        "S" => Atom::Scheme,
        "s" => Atom::Status,
        "st" => Atom::Phrase,
        "B" => Atom::Size,
        "b" => Atom::SizeOrDash,
        "f" => Atom::Referer,
        "a" => Atom::UserAgent,
        "T" => Atom::Seconds,
        "M" => Atom::Milliseconds,
        "D" => Atom::Microseconds,
        "L" => Atom::DecimalSeconds,
        "p" => Atom::Process,
        _ => {
            let (name, kind) = name.strip_prefix('{')?.split_once('}')?;
            match kind {
                "i" => Atom::RequestField(HeaderName::try_from(name).ok()?.as_str().to_owned()),
                "o" => {
                    let nth = *n_fields;
                    *n_fields += 1;
                    Atom::ResponseField(HeaderName::try_from(name).ok()?, nth)
                }
                // The name of a variable is neither empty nor has it such a sign.
                "e" if !name.is_empty() && !name.contains('=') => Atom::Fixed(env::var(name).ok()),
                _ => return None,
            }
        }
    })
}

fn wrong(text: &str, why: &str) -> foster_compat::Error {
    ValueError::new(format!("{text:?} is no format of an access log: {why}")).into()
}
