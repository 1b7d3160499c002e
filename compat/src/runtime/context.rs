//! Context variables: values that a task hands down to the tasks and callbacks it starts.

use std::any::Any;
use std::cell::{Cell, OnceCell};
use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;

use super::core::{self, Core};

/// The values of context variables at one moment: Python's `contextvars.Context`.
///
/// A clone is another reference until one of them changes. Usually the loop keeps them, one for each task; this is for
/// who calls code in the name of another, as a server that polls the handler of a request.
///
/// # Examples
///
/// ```
/// use std::rc::Rc;
///
/// use foster_compat::{ContextVar, copy_context, run};
///
/// thread_local!(static USER: ContextVar<&'static str> = const { ContextVar::new() });
///
/// run(async {
///     let mut context = USER.with(|user| copy_context().with(user, Rc::new("ada")));
///     context.run(|| {
///         assert_eq!(USER.with(ContextVar::get), Some("ada"));
///         USER.with(|user| user.set("bob"));
///     });
///     assert_eq!(USER.with(ContextVar::get), None);
///     context.run(|| assert_eq!(USER.with(ContextVar::get), Some("bob")));
///     foster_compat::Ok(())
/// })?;
/// # foster_compat::Ok(())
/// ```
#[derive(Clone, Default)]
pub struct Context {
    newest: Option<Rc<Binding>>,
}

/// One value, and those that were set before it. No key stands in a list twice.
struct Binding {
    key: u64,
    value: Rc<dyn Any>,
    older: Context,
}

impl Context {
    /// One without values.
    pub const fn new() -> Self {
        Context { newest: None }
    }

    /// The same with another value for one variable.
    pub fn with<T: 'static>(self, variable: &ContextVar<T>, value: Rc<T>) -> Self {
        self.bind(variable.key(), value)
    }

    /// Calls in this context: variables have its values, and what is set stays in it.
    ///
    /// Outside a loop there are no values, and it is only called.
    pub fn run<R>(&mut self, call: impl FnOnce() -> R) -> R {
        struct Leave<'a> {
            core: &'a Core,
            context: &'a mut Context,
        }
        impl Drop for Leave<'_> {
            fn drop(&mut self) {
                *self.context = self.core.swap_context(std::mem::take(self.context));
            }
        }
        let Some(core) = core::try_current() else { return call() };
        let outer = core.swap_context(std::mem::take(self));
        *self = outer;
        let _leave = Leave { core: &core, context: self };
        call()
    }

    fn get(&self, key: u64) -> Option<&Rc<dyn Any>> {
        let mut bindings = std::iter::successors(self.newest.as_deref(), |binding| binding.older.newest.as_deref());
        bindings.find(|binding| binding.key == key).map(|binding| &binding.value)
    }

    fn bind(self, key: u64, value: Rc<dyn Any>) -> Self {
        let older = if self.get(key).is_some() { self.without(key) } else { self };
        Context { newest: Some(Rc::new(Binding { key, value, older })) }
    }

    fn without(&self, key: u64) -> Self {
        let Some(newest) = &self.newest else { return Context::new() };
        if newest.key == key {
            return newest.older.clone();
        }
        newest.older.without(key).bind(newest.key, newest.value.clone())
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").finish_non_exhaustive()
    }
}

/// The values of the running task or callback: Python's `contextvars.copy_context`. None outside a loop.
pub fn copy_context() -> Context {
    core::try_current().map(|core| core.context()).unwrap_or_default()
}

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

impl<T> ContextVar<T> {
    /// A variable without a value.
    pub const fn new() -> Self {
        ContextVar { key: OnceCell::new(), value: PhantomData }
    }
}

impl<T: Clone + 'static> ContextVar<T> {
    /// The value of the running task or callback, if it or an ancestor has set one.
    pub fn get(&self) -> Option<T> {
        self.get_shared().map(|value| (*value).clone())
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
}

impl<T: 'static> ContextVar<T> {
    /// As [`get`](ContextVar::get), for a value that is shared and not cloned.
    pub fn get_shared(&self) -> Option<Rc<T>> {
        let value = core::try_current()?.with_context(|context| context.get(self.key()).cloned())?;
        value.downcast().ok()
    }

    fn replace(&self, value: Option<Rc<dyn Any>>) -> Option<Rc<dyn Any>> {
        let core = core::try_current()?;
        let context = core.context();
        let old = context.get(self.key()).cloned();
        core.set_context(match value {
            Some(value) => context.bind(self.key(), value),
            None => context.without(self.key()),
        });
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

impl<T> Default for ContextVar<T> {
    fn default() -> Self {
        ContextVar::new()
    }
}
