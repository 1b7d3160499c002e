//! What the tests of datagram endpoints have in common: a protocol made of closures that says what it experiences.

#![allow(dead_code, reason = "each test binary needs only a part")]

use std::cell::RefCell;
use std::net::{SocketAddr, UdpSocket};
use std::rc::Rc;
use std::time::Duration;

use foster_compat::{
    Address, DatagramProtocol, DatagramProtocolCell, DatagramTransportRef, Error, IntoDatagramProtocol, Result, Shared,
    SharedDatagramProtocol,
};

use crate::journal::Journal;

/// How a protocol is borrowed for its callbacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Exclusive,
    Shared,
}

pub(crate) const KINDS: [Kind; 2] = [Kind::Exclusive, Kind::Shared];

type OnEvent = Rc<dyn Fn(&DatagramTransportRef) -> Result<()>>;
type OnDatagram = Rc<dyn Fn(&DatagramTransportRef, &[u8], &Address) -> Result<()>>;
type OnError = Rc<dyn Fn(&DatagramTransportRef, Error) -> Result<()>>;

/// A protocol that says each callback in a journal and then does what it was told to.
#[derive(Clone)]
pub(crate) struct Script {
    kind: Kind,
    journal: Journal,
    transport: RefCell<DatagramTransportRef>,
    on_made: OnEvent,
    on_datagram: OnDatagram,
    on_error: OnError,
    on_pause: OnEvent,
    on_resume: OnEvent,
    on_lost: OnEvent,
}

impl Script {
    pub(crate) fn new(journal: &Journal) -> Self {
        Script {
            kind: Kind::Exclusive,
            journal: journal.clone(),
            transport: RefCell::default(),
            on_made: Rc::new(|_| Ok(())),
            on_datagram: Rc::new(|_, _, _| Ok(())),
            on_error: Rc::new(|_, _| Ok(())),
            on_pause: Rc::new(|_| Ok(())),
            on_resume: Rc::new(|_| Ok(())),
            on_lost: Rc::new(|_| Ok(())),
        }
    }

    /// Sends every datagram back.
    pub(crate) fn echo(journal: &Journal) -> Self {
        Script::new(journal).on_datagram(|transport, data, addr| transport.sendto(data, Some(addr)))
    }

    pub(crate) fn kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    pub(crate) fn on_made(mut self, act: impl Fn(&DatagramTransportRef) -> Result<()> + 'static) -> Self {
        self.on_made = Rc::new(act);
        self
    }

    pub(crate) fn on_datagram(
        mut self,
        act: impl Fn(&DatagramTransportRef, &[u8], &Address) -> Result<()> + 'static,
    ) -> Self {
        self.on_datagram = Rc::new(act);
        self
    }

    pub(crate) fn on_error(mut self, act: impl Fn(&DatagramTransportRef, Error) -> Result<()> + 'static) -> Self {
        self.on_error = Rc::new(act);
        self
    }

    pub(crate) fn on_pause(mut self, act: impl Fn(&DatagramTransportRef) -> Result<()> + 'static) -> Self {
        self.on_pause = Rc::new(act);
        self
    }

    pub(crate) fn on_resume(mut self, act: impl Fn(&DatagramTransportRef) -> Result<()> + 'static) -> Self {
        self.on_resume = Rc::new(act);
        self
    }

    pub(crate) fn on_lost(mut self, act: impl Fn(&DatagramTransportRef) -> Result<()> + 'static) -> Self {
        self.on_lost = Rc::new(act);
        self
    }

    fn transport(&self) -> DatagramTransportRef {
        self.transport.borrow().clone()
    }

    fn made(&self, transport: DatagramTransportRef) -> Result<()> {
        self.transport.replace(transport);
        self.journal.say("made");
        (self.on_made)(&self.transport())
    }

    fn received(&self, data: &[u8], addr: &Address) -> Result<()> {
        self.journal.say(format!("'{}'", String::from_utf8_lossy(data)));
        (self.on_datagram)(&self.transport(), data, addr)
    }

    fn failed(&self, exc: Error) -> Result<()> {
        let kind = exc.downcast_ref::<std::io::Error>().map(std::io::Error::raw_os_error);
        self.journal.say(match kind.flatten() {
            Some(EMSGSIZE) => "EMSGSIZE".to_owned(),
            Some(ECONNREFUSED) => "ECONNREFUSED".to_owned(),
            _ => format!("error {exc}"),
        });
        (self.on_error)(&self.transport(), exc)
    }

    fn paused(&self) -> Result<()> {
        self.journal.say("pause");
        (self.on_pause)(&self.transport())
    }

    fn resumed(&self) -> Result<()> {
        self.journal.say("resume");
        (self.on_resume)(&self.transport())
    }

    fn lost(&self, exc: Option<Error>) -> Result<()> {
        self.journal.say(match exc {
            None => "lost".to_owned(),
            Some(exc) => format!("lost({exc})"),
        });
        (self.on_lost)(&self.transport())
    }
}

/// Linux's numbers.
const EMSGSIZE: i32 = 90;
const ECONNREFUSED: i32 = 111;

/// A script as a protocol that is borrowed for each callback.
pub(crate) struct Exclusive(pub(crate) Script);

impl DatagramProtocol for Exclusive {
    fn connection_made(&mut self, transport: DatagramTransportRef) -> Result<()> {
        self.0.made(transport)
    }

    fn datagram_received(&mut self, data: &[u8], addr: Address) -> Result<()> {
        self.0.received(data, &addr)
    }

    fn error_received(&mut self, exc: Error) -> Result<()> {
        self.0.failed(exc)
    }

    fn pause_writing(&mut self) -> Result<()> {
        self.0.paused()
    }

    fn resume_writing(&mut self) -> Result<()> {
        self.0.resumed()
    }

    fn connection_lost(&mut self, exc: Option<Error>) -> Result<()> {
        self.0.lost(exc)
    }
}

impl SharedDatagramProtocol for Script {
    fn connection_made(&self, transport: DatagramTransportRef) -> Result<()> {
        self.made(transport)
    }

    fn datagram_received(&self, data: &[u8], addr: Address) -> Result<()> {
        self.received(data, &addr)
    }

    fn error_received(&self, exc: Error) -> Result<()> {
        self.failed(exc)
    }

    fn pause_writing(&self) -> Result<()> {
        self.paused()
    }

    fn resume_writing(&self) -> Result<()> {
        self.resumed()
    }

    fn connection_lost(&self, exc: Option<Error>) -> Result<()> {
        self.lost(exc)
    }
}

impl IntoDatagramProtocol for Script {
    type Handle = ();

    fn into_datagram_protocol(self) -> (DatagramProtocolCell, ()) {
        match self.kind {
            Kind::Exclusive => (Exclusive(self).into_datagram_protocol().0, ()),
            Kind::Shared => (Shared(self).into_datagram_protocol().0, ()),
        }
    }
}

/// A blocking socket as the peer, which waits no longer than any test may take.
pub(crate) fn peer() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback has a free port");
    socket.set_read_timeout(Some(Duration::from_secs(30))).expect("a time-out can be set");
    socket
}

pub(crate) fn own_address(transport: &DatagramTransportRef) -> SocketAddr {
    match transport.sockname() {
        Some(Address::Inet(addr)) => addr,
        other => panic!("no internet address: {other:?}"),
    }
}

/// What the peer receives next.
pub(crate) fn receive(peer: &UdpSocket) -> String {
    let mut buffer = [0; 65_536];
    let n = peer.recv(&mut buffer).expect("a datagram comes");
    String::from_utf8_lossy(&buffer[..n]).into_owned()
}
