//! The scenario that is being played.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use foster_compat::asyncio::{Future, Task};
use foster_compat::{Address, ExceptionContext, Loop, Nursery, Result, Server};

use crate::action::Actions;
use crate::actor::Actor;
use crate::descriptors::SpareDescriptors;
use crate::exception;
use crate::output::Output;
use crate::params::PeerAddress;
use crate::performer::Performer;
use crate::pipe_action::Pipe;
use crate::protocol_spec::ProtocolSpec;
use crate::start_message::StartMessage;
use crate::thing::Thing;

/// One scenario, with everything in it that has a name.
pub(crate) struct Session {
    lp: Loop,
    output: Output,
    message: StartMessage,
    is_shared: bool,
    /// When the program began, on the loop's clock.
    start_time: Cell<f64>,
    things: RefCell<HashMap<String, Thing>>,
    /// Kept as the reference driver keeps it: a task is not given up before the next.
    last_task: RefCell<Option<Task<()>>>,
    /// The names that `GO` has released, and the tasks that wait for one.
    gone: RefCell<HashSet<String>>,
    waiting: RefCell<HashMap<String, Future<()>>>,
    /// What other threads ask for by its number.
    left: RefCell<Vec<(Performer, Actions)>>,
    descriptors: RefCell<SpareDescriptors>,
    descriptors_at_mark: Cell<isize>,
}

thread_local!(static CURRENT: RefCell<Option<Rc<Session>>> = const { RefCell::new(None) });

impl Session {
    /// The session of this process, for its loop's thread.
    pub(crate) fn new(nursery: &Nursery, message: StartMessage, output: Output, is_shared: bool) -> Rc<Self> {
        let lp = Loop::new(nursery);
        let session = Rc::new(Session {
            start_time: Cell::new(lp.time()),
            lp,
            output,
            message,
            is_shared,
            things: RefCell::default(),
            last_task: RefCell::default(),
            gone: RefCell::default(),
            waiting: RefCell::default(),
            left: RefCell::default(),
            descriptors: RefCell::default(),
            descriptors_at_mark: Cell::new(0),
        });
        CURRENT.with(|current| current.replace(Some(session.clone())));
        let reporter = session.clone();
        session.lp.set_exception_handler(Some(move |_: &Loop, context: &ExceptionContext| {
            reporter.say_reported(context);
        }));
        session
    }

    /// The session, as a call from another thread finds it.
    pub(crate) fn current() -> Rc<Self> {
        CURRENT.with(|current| current.borrow().clone()).expect("the loop's thread has made its session")
    }

    pub(crate) fn lp(&self) -> &Loop {
        &self.lp
    }

    pub(crate) fn output(&self) -> &Output {
        &self.output
    }

    pub(crate) fn message(&self) -> &StartMessage {
        &self.message
    }

    pub(crate) fn is_shared(&self) -> bool {
        self.is_shared
    }

    pub(crate) async fn set_up(self: &Rc<Self>) -> Result<()> {
        self.message.kind.set_up(self).await
    }

    /// Ends everything: connections are aborted, tasks cancelled.
    pub(crate) fn stop(&self) {
        self.lp.nursery().cancel();
    }

    /// Ends the process, because the scenario asks for what the driver cannot do.
    pub(crate) fn refuse(&self, problem: &str) -> ! {
        eprintln!("foster-conformance-driver: {problem}");
        std::process::exit(1)
    }

    /// Where the peer of a client or of an endpoint is.
    pub(crate) fn peer_address(&self) -> &PeerAddress {
        let address = self.message.params.connect.as_ref();
        address.unwrap_or_else(|| self.refuse("the start message does not say where to connect"))
    }

    // ---- time

    pub(crate) fn start_time(&self) -> f64 {
        self.start_time.get()
    }

    pub(crate) fn start_clock(&self) {
        self.start_time.set(self.lp.time());
    }

    // ---- lines

    /// `HANDLER MESSAGE [EXC]`; the runner does not compare which callback it was.
    pub(crate) fn say_reported(&self, context: &ExceptionContext) {
        self.output.emit(format!("HANDLER {} [{}]", context.message(), exception::name(context.exception())));
    }

    /// `ADDR …` of an endpoint, `READY` for one that has no address.
    pub(crate) fn say_sockname(&self, address: Option<Address>) -> Result<()> {
        match address {
            Some(Address::Inet(address)) => self.output.control(&format!("ADDR {} {}", address.ip(), address.port())),
            _ => self.output.control("READY"),
        }
        Ok(())
    }

    /// `ADDR …` of the first socket, with the name of a server that has one.
    pub(crate) fn say_address(&self, server: &Server, name: &str) -> Result<()> {
        let gap = if name.is_empty() { "" } else { " " };
        let sockets = server.sockets();
        match sockets.first().map(|socket| socket.getsockname()).transpose()? {
            Some(Address::Inet(address)) => {
                self.output.control(&format!("ADDR{gap}{name} {} {}", address.ip(), address.port()));
            }
            Some(Address::Unix(path)) => self.output.control(&format!("ADDR{gap}{name} unix {path}")),
            _ => self.refuse("the server has no address"),
        }
        Ok(())
    }

    // ---- named things

    pub(crate) fn keep(&self, name: Option<&str>, thing: Thing) {
        if let Some(name) = name {
            let old = self.things.borrow_mut().insert(name.to_owned(), thing);
            drop(old);
        }
    }

    pub(crate) fn keep_task(&self, name: Option<&str>, task: Task<()>) {
        let old = self.last_task.replace(Some(task.clone()));
        drop(old);
        self.keep(name, Thing::Task(task));
    }

    /// Gives up what has the name; a task for good.
    pub(crate) fn forget(&self, name: &str) {
        let thing = self.things.borrow_mut().remove(name);
        let task = self.last_task.take();
        drop((thing, task));
    }

    pub(crate) fn thing(&self, name: &str) -> Thing {
        let thing = self.things.borrow().get(name).cloned();
        thing.unwrap_or_else(|| self.refuse(&format!("nothing is called {name}")))
    }

    pub(crate) fn server(&self, name: &str) -> Server {
        match self.thing(name) {
            Thing::Server(server) => server,
            _ => self.refuse(&format!("{name} is no server")),
        }
    }

    pub(crate) fn future(&self, name: &str) -> Future<()> {
        match self.thing(name) {
            Thing::Future(future) => future,
            _ => self.refuse(&format!("{name} is no future")),
        }
    }

    pub(crate) fn socket(&self, name: &str) -> Rc<UnixStream> {
        match self.thing(name) {
            Thing::Socket(socket) => socket,
            _ => self.refuse(&format!("{name} is no socket")),
        }
    }

    pub(crate) fn pipe(&self, name: &str) -> Rc<Pipe> {
        match self.thing(name) {
            Thing::Pipe(pipe) => pipe,
            _ => self.refuse(&format!("{name} is no pipe")),
        }
    }

    /// Gives up the name of a socket, for its new owner.
    pub(crate) fn take_socket(&self, name: &str) -> UnixStream {
        let thing = self.things.borrow_mut().remove(name);
        match thing {
            Some(Thing::Socket(socket)) => {
                Rc::try_unwrap(socket).unwrap_or_else(|_| self.refuse(&format!("the socket {name} is in use")))
            }
            _ => self.refuse(&format!("{name} is no socket")),
        }
    }

    /// Gives a protocol its name, which is the newest one's.
    pub(crate) fn cast(&self, name: &str, actor: &Rc<Actor>) {
        self.keep(Some(name), Thing::Actor(actor.clone()));
    }

    pub(crate) fn performer_named(self: &Rc<Self>, name: &str) -> Performer {
        match self.thing(name) {
            Thing::Actor(actor) => actor.performer(),
            Thing::Streams(streams) => Performer::streams(self.clone(), streams),
            _ => self.refuse(&format!("{name} is no protocol")),
        }
    }

    /// What the scenario says about a protocol.
    pub(crate) fn protocol(&self, name: &str) -> Rc<ProtocolSpec> {
        let spec = self.message.protocols.get(name).cloned();
        spec.unwrap_or_else(|| self.refuse(&format!("no protocol is called {name}")))
    }

    pub(crate) fn hold_descriptors(&self, descriptors: SpareDescriptors) {
        let old = self.descriptors.replace(descriptors);
        drop(old);
    }

    pub(crate) fn mark_descriptors(&self, n_open: isize) {
        self.descriptors_at_mark.set(n_open);
    }

    pub(crate) fn descriptors_at_mark(&self) -> isize {
        self.descriptors_at_mark.get()
    }

    // ---- calls from other threads

    /// `GO NAME` came.
    pub(crate) fn release(&self, name: &str) {
        self.gone.borrow_mut().insert(name.to_owned());
        let waiting = self.waiting.borrow_mut().remove(name);
        if let Some(future) = waiting {
            // It is done already if nobody waits any more.
            let _ = future.set_result(());
        }
    }

    /// Done once `GO NAME` has come.
    pub(crate) fn released(&self, name: &str) -> Future<()> {
        let future = self.lp.create_future();
        if self.gone.borrow().contains(name) {
            let _ = future.set_result(());
        } else {
            self.waiting.borrow_mut().insert(name.to_owned(), future.clone());
        }
        future
    }

    /// Keeps a list that another thread will ask for; gives its number.
    pub(crate) fn leave_for_thread(&self, by: &Performer, actions: &Actions) -> usize {
        let mut left = self.left.borrow_mut();
        left.push((by.clone(), actions.clone()));
        left.len() - 1
    }

    pub(crate) fn run_left(&self, number: usize) -> Result<()> {
        let left = self.left.borrow().get(number).cloned();
        match left {
            Some((performer, actions)) => performer.run(&actions),
            None => Ok(()),
        }
    }
}
