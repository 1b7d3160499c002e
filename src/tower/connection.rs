//! How a request finds the connection it came on again, behind whichever services: what is known of it stays on its
//! thread, and extensions have to be `Send`.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};

use ::http::Extensions;
#[cfg(feature = "app")]
use foster_compat::{Error, ExceptionContext, get_running_loop};
use foster_compat::{Event, TransportRef};
use slab::Slab;

use super::ConnectionInfo;
use crate::handler::{Connected, Ends, Upgraded};
use crate::http::{HeaderList, HttpError, StatusCode};

/// Stands for a connection: an extension of requests, until the response has begun.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Ticket {
    /// Of all that were ever given out.
    number: u64,
    place: usize,
}

thread_local! {
    /// Of the requests that services of this thread work on.
    static LENT: RefCell<Slab<(u64, Rc<dyn Connected>)>> = const { RefCell::new(Slab::new()) };
}

/// A connection that is lent to the services that get a request, until this is dropped.
pub(super) struct Lent {
    ticket: Ticket,
}

impl Lent {
    /// Lends the connection to who gets the request with these extensions.
    pub(super) fn to(extensions: &mut Extensions, connection: Rc<dyn Connected>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let place = LENT.with_borrow_mut(|lent| lent.insert((number, connection)));
        let ticket = Ticket { number, place };
        extensions.insert(ticket);
        Lent { ticket }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        // Once the thread ends there is nothing left.
        let lent = LENT.try_with(|lent| lent.borrow_mut().try_remove(self.ticket.place));
        drop(lent);
    }
}

/// The connection of a request. If it came on none of this thread, it is one that can nothing but say what is known:
/// whether it `is_secure` says the URI.
pub(super) fn connection_of(extensions: &Extensions, is_secure: bool) -> Rc<dyn Connected> {
    let lent = extensions.get::<Ticket>().and_then(|ticket| {
        LENT.with_borrow(|lent| {
            let (number, connection) = lent.get(ticket.place)?;
            (*number == ticket.number).then(|| connection.clone())
        })
    });
    lent.unwrap_or_else(|| Rc::new(Unconnected::new(extensions.get(), is_secure)))
}

/// What a request has that came on no connection.
struct Unconnected {
    ends: Ends,
    shutdown: Event,
}

impl Unconnected {
    fn new(info: Option<&ConnectionInfo>, is_secure: bool) -> Self {
        let ends = match info {
            Some(ConnectionInfo { peername, sockname, is_secure }) => {
                Ends { peername: peername.clone(), sockname: sockname.clone(), is_secure: *is_secure }
            }
            None => Ends { is_secure, ..Ends::default() },
        };
        Unconnected { ends, shutdown: Event::new() }
    }
}

impl Connected for Unconnected {
    fn transport(&self) -> TransportRef {
        TransportRef::default()
    }

    fn ends(&self) -> &Ends {
        &self.ends
    }

    fn shutdown(&self) -> Event {
        self.shutdown.clone()
    }

    fn send_informational(&self, _: StatusCode, _: &HeaderList) -> Result<(), HttpError> {
        Ok(())
    }

    fn switch(&self, _: &HeaderList, _: bool) -> Result<Upgraded, HttpError> {
        Err(HttpError::State("the request came on no connection, which could be given away"))
    }

    #[cfg(feature = "app")]
    fn report(&self, message: &'static str, err: Error) {
        if let Ok(loop_) = get_running_loop() {
            loop_.call_exception_handler(&ExceptionContext::new(message, Some(err)));
        }
    }
}
