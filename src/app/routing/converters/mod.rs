//! The converters that every map has, under Werkzeug's names.

mod any;
mod float;
mod int;
mod path;
mod string;
mod uuid;

use std::fmt::Debug;
use std::rc::Rc;

use super::arguments::{ArgumentError, Arguments};
use super::converter::Converter;
use super::uuid::Uuid;
use super::value::PathValue;

/// A converter with its arguments, and a key that is equal for those that take the same and make the same of it.
#[derive(Clone)]
pub(super) struct Made {
    pub(super) converter: Rc<dyn Converter>,
    pub(super) key: Rc<str>,
    /// A value of the kind that it makes; unknown of one of the application's own.
    pub(super) sample: Option<PathValue<'static>>,
}

/// What makes a converter from its arguments.
pub(super) type Factory = Rc<dyn Fn(&Arguments) -> Result<Rc<dyn Converter>, ArgumentError>>;

/// The converters by name; later ones stand above earlier ones.
pub(super) struct Registry {
    custom: Vec<(String, Factory)>,
}

impl Registry {
    pub(super) fn new() -> Self {
        Registry { custom: Vec::new() }
    }

    pub(super) fn add(&mut self, name: String, factory: Factory) {
        self.custom.push((name, factory));
    }

    /// `None` if there is none of that name.
    pub(super) fn make(&self, name: &str, arguments: &Arguments) -> Option<Result<Made, ArgumentError>> {
        if let Some((_, factory)) = self.custom.iter().rev().find(|(custom, _)| custom == name) {
            let key = || format!("custom {name}({})", arguments.canonical()).into();
            return Some(factory(arguments).map(|converter| Made { converter, key: key(), sample: None }));
        }
        Some(match name {
            // What `default` stands for unless an application says otherwise.
            "default" | "string" => {
                string::StringConverter::new(arguments).map(|made| built_in(made, PathValue::from("text")))
            }
            "int" => int::IntConverter::new(arguments).map(|made| built_in(made, PathValue::Int(1))),
            "float" => float::FloatConverter::new(arguments).map(|made| built_in(made, PathValue::Float(1.5))),
            "path" => path::PathConverter::new(arguments).map(|made| built_in(made, PathValue::from("text"))),
            "uuid" => {
                uuid::UuidConverter::new(arguments).map(|made| built_in(made, PathValue::Uuid(Uuid::from_u128(0))))
            }
            "any" => any::AnyConverter::new(arguments).map(|made| built_in(made, PathValue::from("text"))),
            _ => return None,
        })
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.custom.iter().map(|(name, _)| name.as_str()).chain(["string", "int", "float", "path", "uuid", "any"])
    }
}

/// The fields of a converter of this module say all there is to it, so that it is its own key.
fn built_in<C: Converter + Debug + 'static>(converter: C, sample: PathValue<'static>) -> Made {
    Made { key: format!("{converter:?}").into(), converter: Rc::new(converter), sample: Some(sample) }
}
