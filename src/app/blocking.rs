//! [`blocking`]: a function that is not `async` as a view.

use std::any::type_name;
use std::future::{Future, IntoFuture};
use std::sync::Arc;

use futures::future::LocalBoxFuture;

use super::view::{View, for_each_arity};
use crate::to_thread;

/// Makes a view of a function that is not `async` and may block: it is called on a thread of the pool, without holding up
/// other requests. Quart's `run_sync`, which Quart applies by itself.
///
/// Its arguments and what it returns are `Send`: values of the path and the query, JSON, the body as `Bytes` or `String`.
/// What it needs besides, as a pool of connections, it brings along in a closure. The thread has no context: there is no
/// [`request()`](super::request()), no [`g()`](super::g) and no [`current_app()`](super::current_app) in the function,
/// where Quart copies its contexts.
///
/// At most [`DEFAULT_LIMIT`](to_thread::DEFAULT_LIMIT) of them run at once in each worker; others wait. A panic of the
/// function is an error of the view.
///
/// # Cancel safety
///
/// A thread cannot be stopped: once the function runs, it runs to its end, and a client that goes away is let go of then.
///
/// ```
/// use foster::app::{App, Path, blocking};
///
/// let mut app = App::new();
/// app.get("/fib/<int:n>", blocking(|Path(n): Path<u32>| fib(n).to_string()));
///
/// fn fib(n: u32) -> u64 {
///     if n < 2 { n.into() } else { fib(n - 1) + fib(n - 2) }
/// }
/// # assert!(app.into_handler().is_ok());
/// ```
pub fn blocking<F, Args>(view: F) -> Blocking<Args, F::Output>
where
    F: BlockingView<Args> + Send + Sync,
    Args: BlockingArguments,
    F::Output: ToThread,
{
    let view = Arc::new(view);
    let call = move |args| {
        let view = view.clone();
        to_thread::run_sync(move || view.call(args)).into_future()
    };
    Blocking { call: Box::new(call), type_name: type_name::<F>() }
}

/// What [`blocking`] gives: a view.
pub struct Blocking<Args, R> {
    call: Box<dyn Fn(Args) -> LocalBoxFuture<'static, R>>,
    type_name: &'static str,
}

impl<Args: 'static, R: 'static> View<Args> for Blocking<Args, R> {
    type Output = R;

    fn call(&self, args: Args) -> impl Future<Output = R> {
        (self.call)(args)
    }

    fn type_name(&self) -> &'static str {
        self.type_name
    }
}

/// A function that [`blocking`] makes a view of: one that is not `async`, of up to eight arguments.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no function that blocks",
    label = "`blocking` takes a function, or a closure, of up to eight arguments that come from the request"
)]
pub trait BlockingView<Args>: 'static {
    /// What it gives.
    type Output;

    /// Calls it.
    fn call(&self, args: Args) -> Self::Output;
}

/// The arguments of a [`blocking`] view: a tuple of what can go to another thread.
#[diagnostic::on_unimplemented(
    message = "the arguments `{Self}` cannot go to another thread",
    note = "each argument of a `blocking` view has to be `Send`"
)]
pub trait BlockingArguments: Send + 'static {}

/// What can go to another thread and come back from it: all that is `Send` and borrows nothing.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can neither go to the thread that a `blocking` view runs on nor come back from it",
    label = "arguments and what is returned have to be `Send`",
    note = "take values of the path, the query or the body, as `Path<T>`, `Query<T>`, `Json<T>`, `Bytes` or `String`, and \
            return text, bytes, `Json` or a `Result` of these",
    note = "what needs a `Request`, a `State`, a `Body` or a `Response` is an `async` view, which calls \
            `foster::to_thread::run_sync` for the part that blocks"
)]
pub trait ToThread: Send + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Send + 'static> ToThread for T {}

macro_rules! arities {
    ($(($($arg:ident)*))*) => {$(
        impl<F, R, $($arg,)*> BlockingView<($($arg,)*)> for F
        where
            F: Fn($($arg),*) -> R + 'static,
        {
            type Output = R;

            #[allow(non_snake_case, reason = "the arguments are called as their types; there may be none")]
            fn call(&self, ($($arg,)*): ($($arg,)*)) -> R {
                self($($arg),*)
            }
        }

        impl<$($arg: ToThread,)*> BlockingArguments for ($($arg,)*) {}
    )*};
}

for_each_arity!(arities);
