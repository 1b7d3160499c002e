//! [`Accept`]: what a client prefers.

use std::cmp::Reverse;
use std::fmt;

use super::headers::Headers;
use super::quoted::{parameter, split_quoted, split_quoted_once};

/// The values of `Accept`, `Accept-Language`, `Accept-Encoding` or `Accept-Charset` with their qualities: Werkzeug's
/// `MIMEAccept`, `LanguageAccept`, `CharsetAccept` and `Accept`.
///
/// A field that was not sent is empty, and nothing matches it, though it says that all is welcome. A value without a
/// quality has 1; one whose quality is no number from 0 to 1 is left out. What is asked for has the quality of the most
/// specific value that matches it, so that `text/html;q=0, */*` is all but HTML.
///
/// What differs from Werkzeug: what is offered may have more parameters than the value that matches it, so that
/// `text/html` accepts `text/html; charset=utf-8` (RFC 9110, 12.5.1); values stand in the order of their qualities;
/// aliases of charsets are not known, but for hyphens and underscores.
///
/// ```
/// use foster::http::Accept;
///
/// let accept = Accept::mimetypes("text/html, application/json;q=0.9, */*;q=0.1");
/// assert_eq!(accept.best_match(["application/json", "text/plain"]), Some("application/json"));
/// assert_eq!(accept.quality("image/png"), 0.1);
///
/// let accept = Accept::languages("de-AT, en;q=0.5");
/// assert_eq!(accept.best_match(["fr", "de"]), Some("de"));
/// ```
#[derive(Clone)]
pub struct Accept<'a> {
    kind: Kind,
    /// The most preferred first.
    items: Vec<Item<'a>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Mimetypes,
    Languages,
    Charsets,
    /// Compared as they are, but for case.
    Others,
}

#[derive(Clone, Copy)]
struct Item<'a> {
    value: &'a str,
    /// In thousandths, as no sender is to say it more exactly (RFC 9110, 12.4.2).
    quality: u16,
}

impl<'a> Accept<'a> {
    /// The value of `Accept`.
    pub fn mimetypes(field: &'a str) -> Self {
        Accept::of(Kind::Mimetypes, [field])
    }

    /// The value of `Accept-Language`.
    pub fn languages(field: &'a str) -> Self {
        Accept::of(Kind::Languages, [field])
    }

    /// The value of `Accept-Charset`.
    pub fn charsets(field: &'a str) -> Self {
        Accept::of(Kind::Charsets, [field])
    }

    /// The value of `Accept-Encoding`, or of another field like it.
    pub fn encodings(field: &'a str) -> Self {
        Accept::of(Kind::Others, [field])
    }

    fn of(kind: Kind, fields: impl IntoIterator<Item = &'a str>) -> Self {
        let mut items: Vec<_> =
            fields.into_iter().flat_map(|field| split_quoted(field, b',')).filter_map(Item::parse).collect();
        items.sort_by_key(|item| Reverse((item.quality, specificity(kind, item.value))));
        Accept { kind, items }
    }

    /// Of what is offered, that with the highest quality; of several, the one that a more specific value matches, then
    /// the first. `None` if nothing matches, or nothing but values with the quality 0.
    ///
    /// A language that does not match as it is does so without its region: first those of the client, then those that
    /// are offered.
    pub fn best_match<T: AsRef<str>>(&self, offered: impl IntoIterator<Item = T>) -> Option<T> {
        if self.kind != Kind::Languages {
            return self.best_of(offered, |item, offered| self.matches(item, offered));
        }
        let mut offered: Vec<T> = offered.into_iter().collect();
        let tags = || offered.iter().map(AsRef::as_ref).enumerate().map(|(nth, tag)| Numbered { nth, tag });
        let found = self
            .best_of(tags(), |item, offered| self.matches(item, offered))
            .or_else(|| self.best_of(tags(), |item, offered| self.matches(primary(item), offered)))
            .or_else(|| self.best_of(tags(), |item, offered| self.matches(item, primary(offered))));
        let nth = found?.nth;
        Some(offered.swap_remove(nth))
    }

    /// The quality of a value, from 0 to 1: 0 if none matches.
    pub fn quality(&self, value: &str) -> f32 {
        let quality = self.rate(value, |item, offered| self.matches(item, offered)).map_or(0, |(quality, _)| quality);
        f32::from(quality) / 1000.0
    }

    /// Whether a value is welcome: its quality is not 0.
    pub fn accepts(&self, value: &str) -> bool {
        self.quality(value) > 0.0
    }

    /// The value that is preferred, be it a wildcard.
    pub fn best(&self) -> Option<&'a str> {
        self.items.first().filter(|item| item.quality > 0).map(|item| item.value)
    }

    /// Values with their qualities, the most preferred first, among those of one quality the most specific.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&'a str, f32)> {
        self.items.iter().map(|item| (item.value, f32::from(item.quality) / 1000.0))
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there are none: the field was not sent, or it is empty.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    fn best_of<T: AsRef<str>>(
        &self,
        offered: impl IntoIterator<Item = T>,
        matches: impl Fn(&str, &str) -> bool,
    ) -> Option<T> {
        let mut best: Option<((u16, usize), T)> = None;
        for offered in offered {
            let Some(rating) = self.rate(offered.as_ref(), &matches).filter(|(quality, _)| *quality > 0) else {
                continue;
            };
            if best.as_ref().is_none_or(|(best, _)| rating > *best) {
                best = Some((rating, offered));
            }
        }
        best.map(|(_, offered)| offered)
    }

    /// The quality of the most specific item that matches, and how specific it is.
    fn rate(&self, offered: &str, matches: impl Fn(&str, &str) -> bool) -> Option<(u16, usize)> {
        let matching = self.items.iter().filter(|item| matches(item.value, offered));
        let rated = matching.map(|item| (specificity(self.kind, item.value), item.quality));
        rated.max().map(|(specificity, quality)| (quality, specificity))
    }

    fn matches(&self, item: &str, offered: &str) -> bool {
        match self.kind {
            Kind::Mimetypes => is_mimetype_within(offered, item),
            Kind::Languages => item == "*" || is_same_language(item, offered),
            Kind::Charsets => item == "*" || is_same_charset(item, offered),
            Kind::Others => item == "*" || item.eq_ignore_ascii_case(offered),
        }
    }
}

impl<'a> Item<'a> {
    fn parse(member: &'a str) -> Option<Self> {
        let (value, quality) = match split_weight(member) {
            Some((value, quality)) => (value, thousandths(quality)?),
            None => (member, 1000),
        };
        (!value.is_empty()).then_some(Item { value, quality })
    }
}

/// What stands before `;q=`, and what behind it up to the next parameter.
fn split_weight(member: &str) -> Option<(&str, &str)> {
    let mut n_read = 0;
    loop {
        let (before, behind) = split_quoted_once(&member[n_read..], b';')?;
        let end = n_read + before.len();
        let parameter = split_quoted_once(behind, b';').map_or(behind, |(parameter, _)| parameter);
        match parameter.split_once('=') {
            Some((name, quality)) if name.trim_ascii().eq_ignore_ascii_case("q") => {
                return Some((member[..end].trim_ascii(), quality.trim_ascii()));
            }
            _ => n_read = end + 1,
        }
    }
}

/// `0.5` as 500; more digits than three are cut off.
fn thousandths(quality: &str) -> Option<u16> {
    let (whole, fraction) = quality.split_once('.').unwrap_or((quality, ""));
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(3);
    let fraction = digits.fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    match (whole, fraction) {
        ("0", fraction) => Some(fraction),
        ("1", 0) => Some(1000),
        _ => None,
    }
}

/// Of two values that match, the one with more is meant.
fn specificity(kind: Kind, value: &str) -> usize {
    match kind {
        Kind::Mimetypes => match mimetype(value) {
            ("*", "*") => 0,
            (_, "*") => 1,
            _ => 2 + split_quoted(value, b';').skip(1).count(),
        },
        _ => usize::from(value != "*"),
    }
}

/// Whether a media range covers what is offered.
fn is_mimetype_within(offered: &str, range: &str) -> bool {
    let ((kind, subkind), (of_range, of_subrange)) = (mimetype(offered), mimetype(range));
    if (of_range, of_subrange) == ("*", "*") {
        return true;
    }
    if !kind.eq_ignore_ascii_case(of_range) {
        return false;
    }
    if of_subrange == "*" {
        return true;
    }
    let has = |wanted: &str| split_quoted(offered, b';').skip(1).any(|found| is_same_parameter(found, wanted));
    subkind.eq_ignore_ascii_case(of_subrange) && split_quoted(range, b';').skip(1).all(has)
}

fn is_same_parameter(one: &str, other: &str) -> bool {
    let ((name, value), (other, of_other)) = (parameter(one), parameter(other));
    name.eq_ignore_ascii_case(other) && value.eq_ignore_ascii_case(&of_other)
}

/// Both halves, without parameters.
fn mimetype(text: &str) -> (&str, &str) {
    let text = text.split(';').next().unwrap_or_default().trim_ascii();
    text.split_once('/').unwrap_or((text, if text == "*" { "*" } else { "" }))
}

/// Whether both are one but for case, and for `_` that stands for `-`.
fn is_same_language(one: &str, other: &str) -> bool {
    let folded = |byte: u8| if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    one.bytes().map(folded).eq(other.bytes().map(folded))
}

/// Whether both are one but for case, hyphens and underscores, as `utf8` and `UTF-8` are.
fn is_same_charset(one: &str, other: &str) -> bool {
    let is_letter = |byte: &u8| !matches!(byte, b'-' | b'_');
    let (one, other) = (one.bytes().filter(is_letter), other.bytes().filter(is_letter));
    one.map(|byte| byte.to_ascii_lowercase()).eq(other.map(|byte| byte.to_ascii_lowercase()))
}

/// A language without its region.
fn primary(tag: &str) -> &str {
    tag.split(['-', '_']).next().unwrap_or_default()
}

/// A language that is offered, with its place.
struct Numbered<'t> {
    nth: usize,
    tag: &'t str,
}

impl AsRef<str> for Numbered<'_> {
    fn as_ref(&self) -> &str {
        self.tag
    }
}

impl<'a> Headers<'a> {
    /// The media types of all fields `Accept`: Werkzeug's `accept_mimetypes`.
    pub fn accept_mimetypes(&self) -> Accept<'a> {
        Accept::of(Kind::Mimetypes, self.texts("accept"))
    }

    /// The languages of all fields `Accept-Language`: Werkzeug's `accept_languages`.
    pub fn accept_languages(&self) -> Accept<'a> {
        Accept::of(Kind::Languages, self.texts("accept-language"))
    }

    /// The encodings of all fields `Accept-Encoding`: Werkzeug's `accept_encodings`. What is not encoded, `identity`, is
    /// welcome also where nothing says so (RFC 9110, 12.5.3).
    pub fn accept_encodings(&self) -> Accept<'a> {
        Accept::of(Kind::Others, self.texts("accept-encoding"))
    }

    /// The charsets of all fields `Accept-Charset`: Werkzeug's `accept_charsets`.
    pub fn accept_charsets(&self) -> Accept<'a> {
        Accept::of(Kind::Charsets, self.texts("accept-charset"))
    }

    /// The values of that name that are UTF-8.
    fn texts(&self, name: &'static str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.get_all(name).filter_map(|value| std::str::from_utf8(value).ok())
    }
}

/// As a field has it.
impl fmt::Display for Accept<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, (value, quality)) in self.iter().enumerate() {
            let separator = if nth == 0 { "" } else { ", " };
            write!(f, "{separator}{value}")?;
            if quality < 1.0 {
                write!(f, ";q={quality}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Accept<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Accept({self})")
    }
}
