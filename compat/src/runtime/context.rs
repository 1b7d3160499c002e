//! Context variables: values that a task hands down to the tasks and callbacks it starts.

use std::any::Any;
use std::cell::{Cell, OnceCell};
use std::marker::PhantomData;
use std::rc::Rc;

use super::core;

/// The values of one task, copied when it changes one of them.
#[derive(Clone, Default)]
pub(crate) struct Context(Vec<(u64, Rc<dyn Any>)>);

/// A variable whose value a task inherits from whoever started it: Python's `contextvars.ContextVar`.
///
/// A child task and a callback queued with `call_soon` or `call_later` see the values of the moment they were
/// started; what they set stays their own. A few variables per program are meant, as in Python; a lookup is linear.
/// Outside a loop there are no values.
///
/// Differs from Python: no tokens, [`sync_scope`](ContextVar::sync_scope) restores the old value instead; a value is handed out by
/// clone, so share larger ones in an `Rc`.
///
/// # Examples
///
/// ```
/// use foster_compat::{ContextVar, open_nursery, run};
///
/// thread_local!(static USER: ContextVar<&'static str> = const { ContextVar::new() });
///
/// fn user() -> Option<&'static str> {
///     USER.with(ContextVar::get)
/// }
///
/// run(async {
///     USER.with(|user| user.set("ada"));
///     open_nursery(async |nursery| {
///         nursery.start_soon(async { assert_eq!(user(), Some("ada")) });
///         USER.with(|user| user.set("bob"));
///         Ok(())
///     })
///     .await?;
///     assert_eq!(user(), Some("bob"));
///     foster_compat::Ok(())
/// })?;
/// # foster_compat::Ok(())
/// ```
pub struct ContextVar<T> {
    /// Given out at first use, so that `new` is `const`.
    key: OnceCell<u64>,
    value: PhantomData<T>,
}

impl<T: Clone + 'static> ContextVar<T> {
    /// A variable without a value.
    pub const fn new() -> Self {
        ContextVar { key: OnceCell::new(), value: PhantomData }
    }

    /// The value of the running task or callback, if it or an ancestor has set one.
    pub fn get(&self) -> Option<T> {
        let core = core::try_current()?;
        let context = core.context()?;
        let (_, value) = context.0.iter().find(|(key, _)| *key == self.key())?;
        value.downcast_ref().cloned()
    }

    /// Sets the value for the running task or callback and for what it starts from now on.
    ///
    /// Does nothing outside a loop.
    pub fn set(&self, value: T) {
        self.replace(Some(Rc::new(value)));
    }

    /// Sets the value while `call` runs, then restores the old one, also after a panic.
    pub fn sync_scope<R>(&self, value: T, call: impl FnOnce() -> R) -> R {
        struct Restore<'a, T: Clone + 'static>(&'a ContextVar<T>, Option<Rc<dyn Any>>);
        impl<T: Clone + 'static> Drop for Restore<'_, T> {
            fn drop(&mut self) {
                self.0.replace(self.1.take());
            }
        }
        let old = self.replace(Some(Rc::new(value)));
        let _restore = Restore(self, old);
        call()
    }

    fn replace(&self, value: Option<Rc<dyn Any>>) -> Option<Rc<dyn Any>> {
        let core = core::try_current()?;
        let mut context = core.context().unwrap_or_default();
        let values = &mut Rc::make_mut(&mut context).0;
        let old = values.iter().position(|(key, _)| *key == self.key()).map(|at| values.swap_remove(at).1);
        if let Some(value) = value {
            values.push((self.key(), value));
        }
        core.set_context(Some(context));
        old
    }

    fn key(&self) -> u64 {
        thread_local!(static NEXT: Cell<u64> = const { Cell::new(0) });
        *self.key.get_or_init(|| {
            NEXT.with(|next| {
                next.set(next.get() + 1);
                next.get()
            })
        })
    }
}

impl<T: Clone + 'static> Default for ContextVar<T> {
    fn default() -> Self {
        ContextVar::new()
    }
}
