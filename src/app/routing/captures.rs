//! [`Captures`]: what variables took, while a path is matched and after.

use std::any::Any;
use std::ops::Range;
use std::rc::Rc;

use super::converter::Parsed;
use super::uuid::Uuid;
use super::value::PathValue;

/// What variables took, in the order of these. The first few need no allocation, and nothing of them is to be dropped.
#[derive(Clone, Default)]
pub(super) struct Captures {
    first: [Capture; N_INLINE],
    n_first: u8,
    rest: Vec<Capture>,
    /// What [`Kept::Custom`] counts.
    custom: Vec<Rc<dyn Any>>,
}

/// What one variable took. Heads are smaller than 4 GiB: places in them are kept short, as a match is moved about.
#[derive(Clone, Copy, Default)]
struct Capture {
    start: u32,
    end: u32,
    is_of_host: bool,
    kept: Kept,
}

/// A [`Parsed`] that is a copy.
#[derive(Clone, Copy, Default)]
enum Kept {
    #[default]
    Text,
    Int(i64),
    Float(f64),
    Uuid(Uuid),
    Custom(usize),
}

impl Captures {
    pub(super) fn len(&self) -> usize {
        usize::from(self.n_first) + self.rest.len()
    }

    /// Adds what was taken of the path or the host.
    pub(super) fn push(&mut self, range: Range<usize>, is_of_host: bool, parsed: Parsed) {
        let kept = match parsed {
            Parsed::Text => Kept::Text,
            Parsed::Int(number) => Kept::Int(number),
            Parsed::Float(number) => Kept::Float(number),
            Parsed::Uuid(uuid) => Kept::Uuid(uuid),
            Parsed::Custom(value) => {
                self.custom.push(value);
                Kept::Custom(self.custom.len() - 1)
            }
        };
        let capture = Capture { start: range.start as u32, end: range.end as u32, is_of_host, kept };
        match self.first.get_mut(usize::from(self.n_first)) {
            Some(free) => {
                *free = capture;
                self.n_first += 1;
            }
            None => self.rest.push(capture),
        }
    }

    /// Forgets those that were pushed when there were `n_captures` already.
    pub(super) fn truncate(&mut self, n_captures: usize) {
        while self.len() > n_captures {
            let last = match self.rest.pop() {
                Some(last) => last,
                None => {
                    self.n_first -= 1;
                    self.first[usize::from(self.n_first)]
                }
            };
            if let Kept::Custom(nth) = last.kept {
                self.custom.truncate(nth);
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
            Kept::Uuid(uuid) => PathValue::Uuid(uuid),
            Kept::Custom(nth) => PathValue::Custom(Rc::clone(self.custom.get(nth)?)),
        })
    }

    /// Whether the text of one is its value.
    pub(super) fn has_text(&self) -> bool {
        let mut all = self.first[..usize::from(self.n_first)].iter().chain(&self.rest);
        all.any(|capture| matches!(capture.kept, Kept::Text))
    }

    fn get(&self, nth: usize) -> Option<&Capture> {
        match nth.checked_sub(N_INLINE) {
            None => self.first[..usize::from(self.n_first)].get(nth),
            Some(nth) => self.rest.get(nth),
        }
    }
}

/// More variables than nearly every rule has.
const N_INLINE: usize = 3;
