//! [`View`]: a function that answers requests, with the arguments it takes from them.

use std::future::Future;
use std::marker::PhantomData;

use futures::future::LocalBoxFuture;

use super::from_request::{FromRequest, Requirements};
use super::request::Request;
use crate::Result;
use crate::http::Response;

/// A view function: an `async fn` of up to eight arguments, each of which is taken [from the request](FromRequest).
///
/// What it gives is a response ([`IntoResponse`](crate::http::IntoResponse)), or, for a WebSocket or a hook, maybe one
/// ([`MaybeResponse`](super::MaybeResponse)). A function that is not `async` is one in [`blocking`](super::blocking).
///
/// Its future is polled in the place of the request. It is cancelled when the client goes away, and need not be `Send`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no view function",
    label = "a view is an `async fn`, or an `async` closure, of up to eight arguments that come from the request",
    note = "write `async fn`; wrap a function that blocks in `foster::app::blocking`"
)]
pub trait View<Args>: 'static {
    /// What it gives.
    type Output;

    /// Calls it.
    fn call(&self, args: Args) -> impl Future<Output = Self::Output>;

    /// The name of the type of the function, whose last part is the endpoint.
    #[doc(hidden)]
    fn type_name(&self) -> &'static str {
        std::any::type_name::<Self>()
    }
}

/// The arguments of a view: a tuple of what is taken from the request, from the first to the last.
#[diagnostic::on_unimplemented(
    message = "the arguments `{Self}` cannot be taken from a request",
    note = "each argument of a view has to implement `foster::app::FromRequest`"
)]
pub trait Arguments: Sized + 'static {
    /// Takes them.
    ///
    /// # Errors
    ///
    /// Of the first that cannot be taken.
    fn extract(request: &Request) -> impl Future<Output = Result<Self>>;

    /// What has to be there for them, looked at when the application starts.
    fn require(requirements: &mut Requirements<'_>);
}

macro_rules! arities {
    ($(($($arg:ident)*))*) => {$(
        impl<F, R, $($arg,)*> View<($($arg,)*)> for F
        where
            F: AsyncFn($($arg),*) -> R + 'static,
        {
            type Output = R;

            #[allow(non_snake_case, reason = "the arguments are called as their types; there may be none")]
            fn call(&self, ($($arg,)*): ($($arg,)*)) -> impl Future<Output = R> {
                self($($arg),*)
            }
        }

        impl<$($arg: FromRequest + 'static,)*> Arguments for ($($arg,)*) {
            async fn extract(_request: &Request) -> Result<Self> {
                Ok(($($arg::from_request(_request).await?,)*))
            }

            fn require(_requirements: &mut Requirements<'_>) {
                $($arg::require(_requirements);)*
            }
        }
    )*};
}

/// Has a macro make what it makes for all numbers of arguments that a view may have.
macro_rules! for_each_arity {
    ($make:ident) => {
        $make! {
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
    };
}
pub(super) use for_each_arity;

for_each_arity!(arities);

/// A view, or a hook before it, without its types.
pub(super) trait Callable {
    /// Calls it with its arguments. What it answers is put where it is to be, so that it is not moved about.
    fn call<'a>(&'a self, request: &'a Request, answer: &'a mut Option<Response>) -> LocalBoxFuture<'a, Result<()>>;
    fn require(&self, requirements: &mut Requirements<'_>);
}

/// Erases the types of a view; `convert` makes a response of what it gives.
pub(super) struct Erased<F, Args, C> {
    view: F,
    convert: C,
    args: PhantomData<fn(Args)>,
}

impl<F, Args, C> Erased<F, Args, C> {
    pub(super) fn new(view: F, convert: C) -> Self {
        Erased { view, convert, args: PhantomData }
    }
}

impl<F, Args, C> Callable for Erased<F, Args, C>
where
    F: View<Args>,
    Args: Arguments,
    C: Fn(F::Output) -> Result<Option<Response>>,
{
    fn call<'a>(&'a self, request: &'a Request, answer: &'a mut Option<Response>) -> LocalBoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let args = Args::extract(request).await?;
            *answer = (self.convert)(self.view.call(args).await)?;
            Ok(())
        })
    }

    fn require(&self, requirements: &mut Requirements<'_>) {
        Args::require(requirements);
    }
}
