//! A protocol of the scenario: what its callbacks print and do.

use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::{Rc, Weak};

use foster_compat::{Address, Error, ProtocolCell, Result, TransportRef};
use foster_conformance::show;

use crate::action::{Action, Actions};
use crate::any_transport::AnyTransport;
use crate::exception;
use crate::performer::Performer;
use crate::process_action::process_of;
use crate::protocol_object::ProtocolObject;
use crate::protocol_spec::{ProtocolKind, ProtocolSpec};
use crate::session::Session;
use crate::transport_action::python_int;

/// What a protocol object and the lists that it has queued share.
pub(crate) struct Actor {
    me: Weak<Actor>,
    session: Rc<Session>,
    name: String,
    spec: Rc<ProtocolSpec>,
    transport: RefCell<AnyTransport>,
    /// Where the last datagram came from.
    sender: RefCell<Option<Address>>,
    /// The protocol object as its transport holds it.
    cell: RefCell<Option<ProtocolCell>>,
    /// The protocol to which this one may hand its transport.
    other: RefCell<Option<Rc<Actor>>>,
    keys: RefCell<HashSet<String>>,
}

impl Actor {
    pub(crate) fn new(session: &Rc<Session>, name: &str, spec: &Rc<ProtocolSpec>) -> Rc<Self> {
        Rc::new_cyclic(|me| Actor {
            me: me.clone(),
            session: session.clone(),
            name: name.to_owned(),
            spec: spec.clone(),
            transport: RefCell::default(),
            sender: RefCell::default(),
            cell: RefCell::default(),
            other: RefCell::default(),
            keys: RefCell::default(),
        })
    }

    /// Lets each of two protocols hand its transport to the other; the process lives no longer than they do.
    pub(crate) fn pair_with(self: &Rc<Self>, other: &Rc<Actor>) {
        self.other.replace(Some(other.clone()));
        other.other.replace(Some(self.clone()));
    }

    /// Prints a trace line: A is the protocol whose lines have no name.
    pub(crate) fn say(&self, line: &str) {
        match self.name.as_str() {
            "A" => self.session.output().emit(line),
            name => self.session.output().emit(format!("{name}:{line}")),
        }
    }

    pub(crate) fn transport(&self) -> AnyTransport {
        self.transport.borrow().clone()
    }

    pub(crate) fn kind(&self) -> ProtocolKind {
        self.spec.kind
    }

    /// Whether its callbacks take `&self`.
    pub(crate) fn is_shared(&self) -> bool {
        self.session.is_shared()
    }

    /// Whether it has something to do in `error_received`.
    pub(crate) fn acts_on_errors(&self) -> bool {
        !self.spec.on.error.is_empty()
    }

    pub(crate) fn performer(&self) -> Performer {
        match self.me.upgrade() {
            Some(actor) => Performer::protocol(self.session.clone(), actor),
            None => Performer::program(self.session.clone()),
        }
    }

    fn run(&self, actions: &[Action]) -> Result<()> {
        self.performer().run(actions)
    }

    fn run_some(&self, actions: Option<&Actions>) -> Result<()> {
        actions.map_or(Ok(()), |actions| self.run(actions))
    }

    // ---- what actions ask

    /// Whether this is the first time for the key.
    pub(crate) fn is_first(&self, key: &str) -> bool {
        self.keys.borrow_mut().insert(key.to_owned())
    }

    /// Where the last datagram came from.
    pub(crate) fn sender(&self) -> Option<Address> {
        self.sender.borrow().clone()
    }

    pub(crate) fn is_protocol_of(&self, transport: &TransportRef) -> bool {
        match (transport.get_protocol(), &*self.cell.borrow()) {
            (Some(theirs), Some(ours)) => theirs.ptr_eq(ours),
            _ => false,
        }
    }

    /// Gives the transport the other protocol.
    pub(crate) fn hand_over(&self) {
        let Some(other) = self.other.borrow().clone() else {
            self.session.refuse("set_protocol needs a second protocol");
        };
        let transport = self.performer().stream();
        transport.set_protocol(ProtocolObject(other.clone()));
        other.attach(transport.into());
    }

    fn attach(&self, transport: AnyTransport) {
        if let AnyTransport::Stream(stream) = &transport {
            self.cell.replace(stream.get_protocol());
        }
        self.transport.replace(transport);
    }

    /// Acts on another transport from now on, which has this protocol already.
    pub(crate) fn change_transport(&self, transport: TransportRef) {
        self.attach(transport.into());
    }

    // ---- callbacks

    pub(crate) fn made(&self, transport: impl Into<AnyTransport>) -> Result<()> {
        self.attach(transport.into());
        self.say("made");
        self.run(&self.spec.on.made)
    }

    /// `data_received` or `buffer_updated`.
    pub(crate) fn received(&self, line: &str, data: &[u8]) -> Result<()> {
        self.say(&format!("{line} {}", show(data)));
        if self.spec.echoes {
            self.performer().stream().write(data)?;
        }
        self.run_some(self.spec.on.data(data))
    }

    pub(crate) fn datagram_received(&self, data: &[u8], sender: Address) -> Result<()> {
        self.sender.replace(Some(sender));
        self.say(&format!("dgram {}", show(data)));
        self.run_some(self.spec.on.datagram(data))
    }

    pub(crate) fn error_received(&self, exc: &Error) -> Result<()> {
        self.say(&format!("error_received {}", exception::name(Some(exc))));
        self.run(&self.spec.on.error)
    }

    pub(crate) fn pipe_data_received(&self, fd: i32, data: &[u8]) -> Result<()> {
        self.say(&format!("pipe_data {fd} {}", show(data)));
        self.run_some(self.spec.on.pipe_data(fd))
    }

    pub(crate) fn pipe_lost(&self, fd: i32, exc: Option<&Error>) -> Result<()> {
        self.say(&format!("pipe_lost {fd} {}", exception::name(exc)));
        self.run_some(self.spec.on.pipe_lost(fd))
    }

    pub(crate) fn process_exited(&self) -> Result<()> {
        let returncode = process_of(&self.performer()).get_returncode();
        self.say(&format!("process_exited rc={}", python_int(returncode)));
        self.run(&self.spec.on.exited)
    }

    /// The size of the buffer that `get_buffer` shall return.
    pub(crate) fn buffer_wanted(&self, sizehint: Option<usize>) -> Result<usize> {
        if self.spec.logs_get_buffer {
            self.say(if sizehint.is_some() { "get_buffer >0" } else { "get_buffer -1" });
        }
        self.run(&self.spec.on.get_buffer)?;
        Ok(self.spec.buffer_size)
    }

    pub(crate) fn eof(&self) -> Result<bool> {
        self.say("eof");
        self.run(&self.spec.on.eof)?;
        Ok(self.spec.on.eof_return)
    }

    pub(crate) fn pause(&self) -> Result<()> {
        self.say("pause_writing");
        self.run(&self.spec.on.pause)
    }

    pub(crate) fn resume(&self) -> Result<()> {
        self.say("resume_writing");
        self.run(&self.spec.on.resume)
    }

    pub(crate) fn lost(&self, exc: Option<Error>) -> Result<()> {
        let name = exception::name(exc.as_ref());
        match &exc {
            Some(err) if self.spec.shows_lost_message || exception::shows_message(err) => {
                self.say(&format!("lost {name} {err}"));
            }
            _ => self.say(&format!("lost {name}")),
        }
        self.run(&self.spec.on.lost)
    }
}
