//! The transport of a process.
//!
//! ```text
//!   MADE ──> (pipe data | pipe lost | EXIT)* ──> process reaped and pipes disconnected ──> LOST ──> released
//!             close, CANCELLED ── SIGKILL, or SIGTERM and KILL after a while ──┘
//! ```
//!
//! Every arrow is an event in the loop's queue. The process is one child of the nursery it was started in, and each of
//! its pipes another; what the protocol starts with `start_soon` is a child of the process. There is no task.

mod calling;
mod ending;
mod signalling;

use std::cell::{Cell, OnceCell, RefCell};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::process::Child as TokioChild;

use super::pipe_protocol::PipeProtocol;
use super::protocol_cell::{Call, SubprocessProtocolCell};
use super::transport::SubprocessTransport;
use super::transport_ref::SubprocessTransportRef;
use crate::asyncio::acceptor::ConnectionOptions;
use crate::asyncio::extra_info::ExtraInfo;
use crate::asyncio::loop_state::LoopState;
use crate::asyncio::membership::Membership;
use crate::asyncio::own_extras::OwnExtras;
use crate::asyncio::pipes::{ReadPipe, WritePipe};
use crate::asyncio::protocol_cell::{IntoProtocol, Shared};
use crate::asyncio::stream_io::StreamIo;
use crate::asyncio::stream_transport::StreamTransport;
use crate::asyncio::transport::BaseTransport;
use crate::asyncio::transport_ref::TransportRef;
use crate::asyncio::waiters::add_waiter;
use crate::error::{Error, Result};
use crate::nursery::{Closed, Nursery};
use crate::runtime::{Core, Event, Source, SourceKey, TimerKey, log_warning};

// The events of a process.
const EXIT: u8 = 0;
const MADE: u8 = 1;
const LOST: u8 = 2;
const KILL: u8 = 3;
const CANCELLED: u8 = Event::CANCELLED.kind;

/// The return code of a process that somebody else has reaped, as in asyncio.
pub(super) const UNKNOWN_RETURNCODE: i32 = 255;

/// Python's `ProcessLookupError`.
pub(super) fn process_lookup_error() -> Error {
    io::Error::from_raw_os_error(rustix::io::Errno::SRCH.raw_os_error()).into()
}

pub(super) struct Child {
    me: Weak<Self>,
    lp: Rc<LoopState>,
    membership: Membership,
    key: Cell<Option<SourceKey>>,
    exit_waker: OnceCell<Waker>,
    pid: u32,
    /// Until it has been reaped: as long as it is here, the process id is the process's.
    process: RefCell<Option<TokioChild>>,
    returncode: Cell<Option<i32>>,
    /// Set once they are connected, before `connection_made`.
    pipes: OnceCell<[Option<Pipe>; 3]>,
    protocol: RefCell<Option<SubprocessProtocolCell>>,
    kill_grace: Duration,
    kill_timer: Cell<Option<TimerKey>>,
    is_made: Cell<bool>,
    is_closing: Cell<bool>,
    /// Its nursery was cancelled.
    is_cancelled: Cell<bool>,
    /// `connection_lost` is queued.
    is_finished: Cell<bool>,
    /// `connection_lost` was called.
    is_lost: Cell<bool>,
    /// A callback panicked: the protocol gets `connection_lost` and nothing else.
    is_poisoned: Cell<bool>,
    exc: RefCell<Option<Error>>,
    extras: RefCell<OwnExtras>,
    exit_waiters: RefCell<Vec<Waker>>,
    closed_waiters: RefCell<Vec<Waker>>,
}

/// One standard stream of the process.
struct Pipe {
    transport: TransportRef,
    source: Rc<dyn Source>,
    is_disconnected: Cell<bool>,
}

/// What a process is made of.
pub(super) struct NewChild {
    pub(super) process: TokioChild,
    pub(super) protocol: SubprocessProtocolCell,
    pub(super) stdin: Option<WritePipe>,
    pub(super) stdout: Option<ReadPipe>,
    pub(super) stderr: Option<ReadPipe>,
    pub(super) kill_grace: Duration,
}

impl Child {
    /// Takes a running process in; `connection_made` comes in the next turn.
    ///
    /// # Errors
    ///
    /// [`Closed`] if the nursery has ended; the process is killed and reaped then.
    pub(super) fn start(lp: &Rc<LoopState>, nursery: &Nursery, new: NewChild) -> Result<Rc<Self>, Closed> {
        let child = Rc::new_cyclic(|me| Child {
            me: me.clone(),
            lp: lp.clone(),
            membership: Membership::new(nursery),
            key: Cell::new(None),
            exit_waker: OnceCell::new(),
            pid: new.process.id().unwrap_or(0),
            process: RefCell::new(Some(new.process)),
            returncode: Cell::new(None),
            pipes: OnceCell::new(),
            protocol: RefCell::new(Some(new.protocol)),
            kill_grace: new.kill_grace,
            kill_timer: Cell::new(None),
            is_made: Cell::new(false),
            is_closing: Cell::new(false),
            is_cancelled: Cell::new(false),
            is_finished: Cell::new(false),
            is_lost: Cell::new(false),
            is_poisoned: Cell::new(false),
            exc: RefCell::new(None),
            extras: RefCell::default(),
            exit_waiters: RefCell::default(),
            closed_waiters: RefCell::default(),
        });
        child.membership.join(child.clone())?;
        let key = lp.core.register(child.clone());
        child.key.set(Some(key));
        child.exit_waker.get_or_init(|| lp.core.source_waker(key, EXIT));
        // Their connection_made comes before the one of the process: from then on a pipe tells when it is lost.
        match child.connect_all(new.stdin, new.stdout, new.stderr) {
            Ok(pipes) => child.pipes.get_or_init(|| pipes),
            Err(closed) => {
                child.on_lost();
                return Err(closed);
            }
        };
        child.push(MADE);
        Ok(child)
    }

    fn connect_all(
        &self,
        stdin: Option<WritePipe>,
        stdout: Option<ReadPipe>,
        stderr: Option<ReadPipe>,
    ) -> Result<[Option<Pipe>; 3], Closed> {
        Ok([self.connect(0, stdin)?, self.connect(1, stdout)?, self.connect(2, stderr)?])
    }

    fn connect<S: StreamIo>(&self, fd: i32, io: Option<S>) -> Result<Option<Pipe>, Closed> {
        let Some(io) = io else { return Ok(None) };
        let (protocol, _) = Shared(PipeProtocol { child: self.me(), fd }).into_protocol();
        let options = ConnectionOptions::default();
        let transport = StreamTransport::connected(&self.lp, self.membership.nursery(), protocol, &options, io)?;
        let source = transport.clone();
        Ok(Some(Pipe { transport: TransportRef::new(transport), source, is_disconnected: Cell::new(false) }))
    }

    fn me(&self) -> Rc<Self> {
        self.me.upgrade().expect("a transport is only reached through its Rc")
    }

    fn push(&self, kind: u8) {
        self.lp.core.push_event(self.me(), kind, 0);
    }

    fn pipes(&self) -> impl Iterator<Item = &Pipe> {
        self.pipes.get().into_iter().flatten().flatten()
    }

    fn pipe(&self, fd: i32) -> Option<&Pipe> {
        self.pipes.get()?.get(usize::try_from(fd).ok()?)?.as_ref()
    }

    fn on_made(&self) {
        if self.is_closing.get() {
            // Closed before it began: its pipes are lost without having been made.
            self.pipes().for_each(|pipe| pipe.is_disconnected.set(true));
        } else {
            self.is_made.set(true);
            self.call(Call::Made(SubprocessTransportRef::new(self.me())));
        }
        self.push(EXIT);
    }

    /// Something of the process has changed: reaps it if it has exited.
    fn on_exit(&self) {
        let polled = {
            let mut process = self.process.borrow_mut();
            let (Some(process), Some(waker)) = (&mut *process, self.exit_waker.get()) else { return };
            std::pin::pin!(process.wait()).poll(&mut Context::from_waker(waker))
        };
        match polled {
            Poll::Pending => {}
            Poll::Ready(Ok(status)) => self.on_reaped(returncode(status)),
            Poll::Ready(Err(_)) => {
                log_warning(&format!("Unknown child process pid {}, will report returncode 255", self.pid));
                self.on_reaped(UNKNOWN_RETURNCODE);
            }
        }
    }

    fn on_reaped(&self, returncode: i32) {
        let process = self.process.take();
        drop(process);
        self.returncode.set(Some(returncode));
        self.clear_kill_timer();
        let waiters = self.exit_waiters.take();
        waiters.into_iter().for_each(Waker::wake);
        self.call(Call::Exited);
        if self.is_closing.get() {
            self.close_pipes();
        }
        self.try_finish();
    }
}

/// asyncio's return code: minus the signal for a process that a signal has killed.
fn returncode(status: std::process::ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().or_else(|| status.signal().map(|signal| -signal)).unwrap_or(UNKNOWN_RETURNCODE)
}

impl Source for Child {
    fn woken(self: Rc<Self>, core: &Core, kind: u8) {
        core.push_event(self, kind, 0);
    }

    fn run(self: Rc<Self>, event: Event) {
        match event.kind {
            EXIT => self.on_exit(),
            MADE => self.on_made(),
            LOST => self.on_lost(),
            KILL => self.on_kill(),
            CANCELLED => self.on_cancelled(),
            other => debug_assert!(false, "no such event: {other}"),
        }
    }

    fn orphaned(self: Rc<Self>) {
        self.close();
    }

    fn abandoned(self: Rc<Self>) {
        self.close();
        for pipe in self.pipes() {
            pipe.source.clone().abandoned();
        }
        self.on_lost();
    }
}

impl BaseTransport for Child {
    fn get_extra_info(&self, name: &str) -> Option<ExtraInfo> {
        let own = self.extras.borrow().get(name);
        own.or_else(|| match name {
            "subprocess" => Some(ExtraInfo::Other(Rc::new(SubprocessTransportRef::new(self.me())))),
            _ => None,
        })
    }

    fn set_extra_info(&self, name: &'static str, value: ExtraInfo) {
        let old = self.extras.borrow_mut().set(name, value);
        drop(old);
    }

    fn is_closing(&self) -> bool {
        self.is_closing.get() || self.is_cancelled.get()
    }

    fn close(&self) {
        if !self.is_closing.replace(true) {
            self.close_pipes();
            self.send_kill();
        }
    }

    fn start_soon_boxed(&self, name: &'static str, task: Pin<Box<dyn Future<Output = Result<()>>>>) {
        if self.is_lost.get() {
            return log_warning(&format!("a task of a lost process was not started: {name}"));
        }
        self.membership.start_soon(self.me(), name, task);
    }

    fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<Option<Error>> {
        if self.is_lost.get() {
            return Poll::Ready(self.exc.borrow().clone());
        }
        add_waiter(&mut self.closed_waiters.borrow_mut(), cx.waker());
        Poll::Pending
    }
}

impl SubprocessTransport for Child {
    fn get_pid(&self) -> u32 {
        self.pid
    }

    fn get_returncode(&self) -> Option<i32> {
        self.returncode.get()
    }

    fn get_pipe_transport(&self, fd: i32) -> Option<TransportRef> {
        self.pipe(fd).map(|pipe| pipe.transport.clone())
    }

    fn send_signal(&self, signal: i32) -> Result<()> {
        self.signal(signal)
    }

    fn terminate(&self) -> Result<()> {
        self.signal(rustix::process::Signal::TERM.as_raw())
    }

    fn kill(&self) -> Result<()> {
        self.signal(rustix::process::Signal::KILL.as_raw())
    }

    fn set_protocol_cell(&self, protocol: SubprocessProtocolCell) {
        if !self.is_lost.get() {
            let old = self.protocol.replace(Some(protocol));
            drop(old);
        }
    }

    fn get_protocol(&self) -> Option<SubprocessProtocolCell> {
        self.protocol.borrow().clone()
    }

    fn poll_exited(&self, cx: &mut Context<'_>) -> Poll<i32> {
        match self.returncode.get() {
            Some(returncode) => Poll::Ready(returncode),
            None if self.is_lost.get() => Poll::Ready(UNKNOWN_RETURNCODE),
            None => {
                add_waiter(&mut self.exit_waiters.borrow_mut(), cx.waker());
                Poll::Pending
            }
        }
    }
}
