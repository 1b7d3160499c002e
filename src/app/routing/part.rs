//! [`Part`]: a segment of a pattern, or all that is left of it.

use std::cmp::Reverse;
use std::rc::Rc;

use super::converter::Converter;
use super::converters::Made;

/// What a path is matched against at one step.
#[derive(Clone)]
pub(super) struct Part {
    /// Texts and variables in turn. One text alone is a static part, and an empty one has none.
    pub(super) items: Vec<Item>,
    /// Whether all that is left of the path is matched at once, because a converter takes slashes.
    pub(super) is_final: bool,
    /// Whether a slash follows at the end of a final part. It is a part of its own, so that it can be missed.
    pub(super) is_suffixed: bool,
    pub(super) weight: Weight,
}

#[derive(Clone)]
pub(super) enum Item {
    /// In a final part with its slashes.
    Text(Box<str>),
    Variable(Made),
}

/// What a pattern is made of, in the order that steps are taken.
pub(super) enum Piece<'r> {
    Slash,
    Text(&'r str),
    Variable(Made),
}

/// The order in which parts are tried at one place: more text first, then longer text, then more variables, then
/// lighter ones. Werkzeug's order.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Weight {
    n_texts: Reverse<usize>,
    text_lengths: Vec<Reverse<usize>>,
    n_variables: Reverse<usize>,
    variables: Vec<u32>,
}

impl Part {
    /// Groups the pieces of a pattern behind its first slash, or of a host, into parts.
    pub(super) fn group<'r>(pieces: impl IntoIterator<Item = Piece<'r>>) -> Vec<Part> {
        let mut parts = Vec::new();
        let mut part = Part::new();
        for piece in pieces {
            match piece {
                Piece::Slash if part.is_final => part.push_text("/"),
                Piece::Slash => parts.push(std::mem::replace(&mut part, Part::new())),
                Piece::Text(text) => {
                    part.weight.n_texts.0 += 1;
                    part.weight.text_lengths.push(Reverse(text.chars().count()));
                    part.push_text(text);
                }
                Piece::Variable(made) => {
                    part.weight.n_variables.0 += 1;
                    part.weight.variables.push(made.converter.weight());
                    part.is_final |= !made.converter.is_part_isolating();
                    part.items.push(Item::Variable(made));
                }
            }
        }
        part.split_suffix();
        let is_suffixed = part.is_suffixed;
        parts.push(part);
        if is_suffixed {
            parts.push(Part::new());
        }
        parts
    }

    fn new() -> Self {
        Part { items: Vec::new(), is_final: false, is_suffixed: false, weight: Weight::default() }
    }

    fn push_text(&mut self, text: &str) {
        match self.items.last_mut() {
            Some(Item::Text(before)) => *before = format!("{before}{text}").into(),
            _ => self.items.push(Item::Text(text.into())),
        }
    }

    fn split_suffix(&mut self) {
        let Some(Item::Text(last)) = self.items.last_mut().filter(|_| self.is_final) else { return };
        let Some(rest) = last.strip_suffix('/') else { return };
        self.is_suffixed = true;
        if rest.is_empty() {
            self.items.pop();
        } else {
            *last = rest.into();
        }
    }

    /// The text of a static part.
    pub(super) fn as_static(&self) -> Option<&str> {
        match self.items.as_slice() {
            [] => Some(""),
            [Item::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The converter, if that is all there is to the part.
    pub(super) fn as_single(&self) -> Option<&Rc<dyn Converter>> {
        match self.items.as_slice() {
            [Item::Variable(made)] if !self.is_suffixed => Some(&made.converter),
            _ => None,
        }
    }

    /// Whether both take the same.
    pub(super) fn is_same(&self, other: &Part) -> bool {
        self.is_suffixed == other.is_suffixed
            && self.weight == other.weight
            && self.items.len() == other.items.len()
            && self.items.iter().zip(&other.items).all(|(one, other)| match (one, other) {
                (Item::Text(one), Item::Text(other)) => one == other,
                (Item::Variable(one), Item::Variable(other)) => one.key == other.key,
                _ => false,
            })
    }
}
