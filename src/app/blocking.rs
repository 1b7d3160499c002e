//! [`blocking`]: a function that is not `async` as a view.

use std::marker::PhantomData;
use std::sync::Arc;

use super::view::View;
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
pub fn blocking<F, Args>(view: F) -> Blocking<F, Args>
where
    F: BlockingView<Args>,
    Args: Send + 'static,
{
    Blocking { view: Arc::new(view), args: PhantomData }
}

/// What [`blocking`] gives: a view.
pub struct Blocking<F, Args> {
    view: Arc<F>,
    args: PhantomData<fn(Args)>,
}

/// A function that [`blocking`] makes a view of: `Fn`, of up to eight arguments, `Send` and `Sync`, with a result that is
/// `Send`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no function that can run on another thread",
    label = "`blocking` takes a function, or a closure, that is not `async`, of up to eight arguments",
    note = "what it holds has to be `Send` and `Sync`, what it returns `Send`",
    note = "an `async fn` is a view without `blocking`"
)]
pub trait BlockingView<Args>: Send + Sync + 'static {
    /// What it gives.
    type Output: Send + 'static;

    /// Calls it.
    fn call(&self, args: Args) -> Self::Output;
}

macro_rules! arities {
    ($(($($arg:ident)*))*) => {$(
        impl<F, R, $($arg,)*> BlockingView<($($arg,)*)> for F
        where
            F: Fn($($arg),*) -> R + Send + Sync + 'static,
            R: Send + 'static,
        {
            type Output = R;

            #[allow(non_snake_case, reason = "the arguments are called as their types; there may be none")]
            fn call(&self, ($($arg,)*): ($($arg,)*)) -> R {
                self($($arg),*)
            }
        }
    )*};
}

arities! {
    ()
    (A)
    (A B)
    (A B C)
    (A B C D)
    (A B C D E)
    (A B C D E G)
    (A B C D E G H)
    (A B C D E G H I)
}

impl<F, Args> View<Args> for Blocking<F, Args>
where
    F: BlockingView<Args>,
    Args: Send + 'static,
{
    type Output = F::Output;

    async fn call(&self, args: Args) -> F::Output {
        let view = self.view.clone();
        to_thread::run_sync(move || view.call(args)).await
    }

    fn type_name() -> &'static str {
        std::any::type_name::<F>()
    }
}
