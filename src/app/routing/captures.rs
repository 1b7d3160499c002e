//! [`Captures`]: what variables took, while a path is matched and after.

use std::any::Any;
use std::ops::Range;
use std::rc::Rc;

use super::converter::Parsed;
use super::uuid::Uuid;
use super::value::PathValue;

/// What variables took, in the order of these. The first few need no allocation: a match is moved about, and kept short.
#[derive(Clone, Default)]
pub(super) struct Captures {
    first: [Capture; N_INLINE],
    n_first: u8,
    /// What has no place among these.
    more: Option<Box<More>>,
}

#[derive(Clone, Default)]
struct More {
    rest: Vec<Capture>,
    uuids: Vec<Uuid>,
    custom: Vec<Rc<dyn Any>>,
}

/// What one variable took. Paths are smaller than 4 GiB.
#[derive(Clone, Copy, Default)]
struct Capture {
    start: u32,
    end: u32,
    is_of_host: bool,
    kept: Kept,
}

/// A [`Parsed`] that is a copy, or the number of what is large.
#[derive(Clone, Copy, Default)]
enum Kept {
    #[default]
    Text,
    Int(i64),
    Float(f64),
    Uuid(u32),
    Custom(u32),
}

impl Captures {
    pub(super) fn len(&self) -> usize {
        usize::from(self.n_first) + self.more.as_ref().map_or(0, |more| more.rest.len())
    }

    /// Adds what was taken of the path or the host.
    pub(super) fn push(&mut self, range: Range<usize>, is_of_host: bool, parsed: Parsed) {
        let kept = match parsed {
            Parsed::Text => Kept::Text,
            Parsed::Int(number) => Kept::Int(number),
            Parsed::Float(number) => Kept::Float(number),
            Parsed::Uuid(uuid) => Kept::Uuid(push(&mut self.more().uuids, uuid)),
            Parsed::Custom(value) => Kept::Custom(push(&mut self.more().custom, value)),
        };
        let capture = Capture { start: range.start as u32, end: range.end as u32, is_of_host, kept };
        match self.first.get_mut(usize::from(self.n_first)) {
            Some(free) => {
                *free = capture;
                self.n_first += 1;
            }
            None => self.more().rest.push(capture),
        }
    }

    fn more(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }

    /// Forgets those that were pushed when there were `n_captures` already.
    pub(super) fn truncate(&mut self, n_captures: usize) {
        while self.len() > n_captures {
            let last = match self.more.as_mut().and_then(|more| more.rest.pop()) {
                Some(last) => last,
                None => {
                    self.n_first -= 1;
                    self.first[usize::from(self.n_first)]
                }
            };
            match (last.kept, &mut self.more) {
                (Kept::Uuid(nth), Some(more)) => more.uuids.truncate(nth as usize),
                (Kept::Custom(nth), Some(more)) => more.custom.truncate(nth as usize),
                _ => {}
            }
        }
    }

    /// The text of a capture, of which this is the host and that the path.
    pub(super) fn text<'t>(&self, nth: usize, host: &'t str, path: &'t str) -> Option<&'t str> {
        let capture = self.get(nth)?;
        (if capture.is_of_host { host } else { path }).get(capture.start as usize..capture.end as usize)
    }

    /// The value of a capture, of which this is the host and that the path.
    pub(super) fn value<'t>(&self, nth: usize, host: &'t str, path: &'t str) -> Option<PathValue<'t>> {
        Some(match self.get(nth)?.kept {
            Kept::Text => self.text(nth, host, path)?.into(),
            Kept::Int(number) => PathValue::Int(number),
            Kept::Float(number) => PathValue::Float(number),
            Kept::Uuid(nth) => PathValue::Uuid(*self.more.as_ref()?.uuids.get(nth as usize)?),
            Kept::Custom(nth) => PathValue::Custom(Rc::clone(self.more.as_ref()?.custom.get(nth as usize)?)),
        })
    }

    /// Whether the text of one is its value.
    pub(super) fn has_text(&self) -> bool {
        (0..self.len()).any(|nth| self.get(nth).is_some_and(|capture| matches!(capture.kept, Kept::Text)))
    }

    fn get(&self, nth: usize) -> Option<&Capture> {
        match nth.checked_sub(N_INLINE) {
            None => self.first[..usize::from(self.n_first)].get(nth),
            Some(nth) => self.more.as_ref()?.rest.get(nth),
        }
    }
}

/// Adds a value, and gives its number.
fn push<T>(values: &mut Vec<T>, value: T) -> u32 {
    values.push(value);
    values.len() as u32 - 1
}

/// As many variables as nearly every rule has.
const N_INLINE: usize = 2;
