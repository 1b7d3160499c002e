//! [`TypeMap`]: one value of each type.

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::rc::Rc;

/// Values by their type. They are few: a lookup walks the list.
#[derive(Default)]
pub(super) struct TypeMap {
    values: RefCell<Values>,
}

/// The first needs no list: many a request has no other.
#[derive(Default)]
struct Values {
    first: Option<Rc<dyn Any>>,
    others: Vec<Rc<dyn Any>>,
}

impl TypeMap {
    /// Puts a value in the place of the one of its type, which is given back.
    pub(super) fn insert<T: Any>(&self, value: T) -> Option<Rc<T>> {
        self.values.borrow_mut().insert(TypeId::of::<T>(), Rc::new(value))?.downcast().ok()
    }

    pub(super) fn get<T: Any>(&self) -> Option<Rc<T>> {
        let value = self.values.borrow().iter().find(|value| value.is::<T>()).cloned();
        value?.downcast().ok()
    }

    pub(super) fn remove<T: Any>(&self) -> Option<Rc<T>> {
        let value = self.values.borrow_mut().remove(TypeId::of::<T>());
        value?.downcast().ok()
    }

    pub(super) fn contains(&self, of: TypeId) -> bool {
        self.values.borrow().iter().any(|value| is(value, of))
    }
}

impl Values {
    fn insert(&mut self, of: TypeId, value: Rc<dyn Any>) -> Option<Rc<dyn Any>> {
        let mut places = self.first.iter_mut().chain(&mut self.others);
        if let Some(place) = places.find(|place| is(place, of)) {
            return Some(std::mem::replace(place, value));
        }
        match &self.first {
            None => self.first = Some(value),
            Some(_) => self.others.push(value),
        }
        None
    }

    fn remove(&mut self, of: TypeId) -> Option<Rc<dyn Any>> {
        self.first.take_if(|first| is(first, of)).or_else(|| {
            let at = self.others.iter().position(|value| is(value, of))?;
            Some(self.others.swap_remove(at))
        })
    }

    fn iter(&self) -> impl Iterator<Item = &Rc<dyn Any>> {
        self.first.iter().chain(&self.others)
    }
}

fn is(value: &Rc<dyn Any>, of: TypeId) -> bool {
    (**value).type_id() == of
}
