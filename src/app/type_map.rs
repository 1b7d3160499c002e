//! [`TypeMap`]: one value of each type.

use std::any::{Any, TypeId};
use std::cell::RefCell;
use std::rc::Rc;

/// Values by their type. They are few: a lookup walks the list.
#[derive(Default)]
pub(super) struct TypeMap {
    values: RefCell<Vec<(TypeId, Rc<dyn Any>)>>,
}

impl TypeMap {
    /// Puts a value in the place of the one of its type, which is given back.
    pub(super) fn insert<T: Any>(&self, value: T) -> Option<Rc<T>> {
        let (key, value) = (TypeId::of::<T>(), Rc::new(value));
        let mut values = self.values.borrow_mut();
        match values.iter_mut().find(|(found, _)| *found == key) {
            Some((_, place)) => std::mem::replace(place, value).downcast().ok(),
            None => {
                values.push((key, value));
                None
            }
        }
    }

    pub(super) fn get<T: Any>(&self) -> Option<Rc<T>> {
        let key = TypeId::of::<T>();
        let value = self.values.borrow().iter().find(|(found, _)| *found == key).map(|(_, value)| value.clone());
        value?.downcast().ok()
    }

    pub(super) fn remove<T: Any>(&self) -> Option<Rc<T>> {
        let key = TypeId::of::<T>();
        let mut values = self.values.borrow_mut();
        let at = values.iter().position(|(found, _)| *found == key)?;
        let (_, value) = values.swap_remove(at);
        value.downcast().ok()
    }

    pub(super) fn contains(&self, of: TypeId) -> bool {
        self.values.borrow().iter().any(|(found, _)| *found == of)
    }
}
