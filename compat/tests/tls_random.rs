//! Random doings in every callback, on both sides of a wire that carries bytes in random pieces: the same for the same
//! seed.

#![cfg(all(feature = "testing", any(feature = "tls", feature = "tls-aws-lc")))]

mod stage;
mod tls;
mod wired;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use foster_compat::testing::{Trace, Traced};
use foster_compat::{
    Buffered, BufferedProtocol, Error, Nursery, Protocol, Result, Shared, SharedProtocol, SslContext, TransportRef,
    checkpoint, start_tls,
};
use stage::{Reports, paused};
use tls::contexts;
use wired::Wired;

/// Seeds for each mix of kinds; raise it to search for more.
const N_SEEDS: u64 = 4;
/// What each side sends in all.
const TOTAL: usize = 100_000;
/// Turns after which a run has got stuck.
const MAX_TURNS: usize = 60_000;

/// Marsaglia's xorshift64.
struct Random(Cell<u64>);

impl Random {
    fn new(seed: u64) -> Rc<Self> {
        let random = Rc::new(Random(Cell::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)));
        for _ in 0..8 {
            random.next();
        }
        random
    }

    fn next(&self) -> u64 {
        let mut x = self.0.get();
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.0.set(x);
        x
    }

    fn below(&self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn one_in(&self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// How a run may end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// When both have everything.
    InGoodOrder,
    /// Whenever it comes to somebody's mind.
    AtAnyTime,
}

/// One side: what it has sent, what has come, and what it does meanwhile.
struct Side {
    name: &'static str,
    random: Rc<Random>,
    ends: Ends,
    transport: RefCell<TransportRef>,
    other: RefCell<Option<Rc<Side>>>,
    n_sent: Cell<usize>,
    n_received: Cell<usize>,
    /// It has the transport of the top layer, and may use it.
    has_begun: Cell<bool>,
    is_paused: Cell<bool>,
    is_lost: Cell<bool>,
    problems: RefCell<Vec<String>>,
}

/// Byte `n` of either stream.
fn byte(n: usize) -> u8 {
    (n.wrapping_mul(31) >> 3) as u8
}

impl Side {
    fn new(name: &'static str, random: &Rc<Random>, ends: Ends) -> Rc<Self> {
        Rc::new(Side {
            name,
            random: random.clone(),
            ends,
            transport: RefCell::default(),
            other: RefCell::default(),
            n_sent: Cell::new(0),
            n_received: Cell::new(0),
            has_begun: Cell::new(false),
            is_paused: Cell::new(false),
            is_lost: Cell::new(false),
            problems: RefCell::default(),
        })
    }

    fn problem(&self, problem: String) {
        self.problems.borrow_mut().push(format!("{}: {problem}", self.name));
    }

    fn take(&self, data: &[u8]) {
        let at = self.n_received.get();
        if data.iter().enumerate().any(|(n, got)| *got != byte(at + n)) {
            self.problem(format!("other bytes than were sent, from {at}"));
        }
        self.n_received.set(at + data.len());
    }

    fn write(&self, n: usize) {
        let transport = self.transport.borrow().clone();
        if transport.is_closing() {
            return;
        }
        let at = self.n_sent.get();
        let n = n.min(TOTAL - at);
        let data: Vec<u8> = (at..at + n).map(byte).collect();
        // A write may call back before it returns.
        self.n_sent.set(at + n);
        let written = match self.random.below(3) {
            0 => {
                let pieces: Vec<&[u8]> = data.chunks(1 + self.random.below(5000)).collect();
                transport.writelines(&pieces)
            }
            _ => transport.write(&data),
        };
        if let Err(err) = written {
            self.problem(format!("write: {err}"));
        }
    }

    fn size(&self) -> usize {
        match self.random.below(6) {
            0 => 0,
            1 => 1,
            2 => self.random.below(100),
            3 => self.random.below(20_000),
            _ => self.random.below(80_000),
        }
    }

    /// Does something, as a callback may.
    fn act(&self) {
        if !self.has_begun.get() {
            return;
        }
        for _ in 0..self.random.below(4) {
            self.act_once();
        }
    }

    fn act_once(&self) {
        let transport = self.transport.borrow().clone();
        match self.random.below(16) {
            0 | 1 => self.write(self.size()),
            2 => transport.pause_reading(),
            3 | 4 => transport.resume_reading(),
            5 => transport.set_write_batching(self.random.one_in(2)),
            6 => {
                let high = [0, 1, 1000, 64 * 1024, 512 * 1024][self.random.below(5)];
                transport.set_write_buffer_limits(Some(high), None).expect("limits");
            }
            7 => {
                let high = [1, 1000, 64 * 1024, 256 * 1024][self.random.below(4)];
                transport.set_read_buffer_limits(Some(high), None).expect("limits");
            }
            8 => {
                let sizes = (transport.get_write_buffer_size(), transport.get_read_buffer_size());
                let facts = (transport.is_closing(), transport.is_reading(), transport.ssl_object().is_some());
                let _ = (sizes, facts, format!("{transport:?}"));
            }
            9 => {
                let later = transport.clone();
                transport.start_soon(async move {
                    checkpoint().await;
                    later.resume_reading();
                });
            }
            10 => {
                let other = self.other.borrow().clone();
                if let Some(other) = other.filter(|_| self.random.one_in(3)) {
                    other.act_once();
                }
            }
            11 if self.ends == Ends::AtAnyTime && self.random.one_in(40) => transport.close(),
            12 if self.ends == Ends::AtAnyTime && self.random.one_in(60) => transport.abort(),
            13 if self.ends == Ends::AtAnyTime && self.random.one_in(60) => transport.abort_with(Error::msg("enough")),
            _ => {}
        }
    }

    fn is_done(&self) -> bool {
        self.n_sent.get() == TOTAL && self.n_received.get() == TOTAL
    }

    /// Called for the plain connection, in which nothing is done.
    fn made(&self, transport: TransportRef) -> Result<()> {
        self.transport.replace(transport);
        Ok(())
    }

    fn lost(&self) -> Result<()> {
        self.is_lost.set(true);
        self.act();
        Ok(())
    }
}

/// The callbacks of a side; one type for each kind of protocol.
#[derive(Clone)]
struct Actor(Rc<Side>);

macro_rules! callbacks {
    ($me:ident: $($receiver:tt)+) => {
        fn connection_made($($receiver)+, transport: TransportRef) -> Result<()> {
            $me.0.made(transport)
        }

        fn eof_received($($receiver)+) -> Result<bool> {
            $me.0.act();
            Ok(false)
        }

        fn pause_writing($($receiver)+) -> Result<()> {
            $me.0.is_paused.set(true);
            $me.0.act();
            Ok(())
        }

        fn resume_writing($($receiver)+) -> Result<()> {
            $me.0.is_paused.set(false);
            $me.0.act();
            Ok(())
        }

        fn connection_lost($($receiver)+, _exc: Option<Error>) -> Result<()> {
            $me.0.lost()
        }
    };
}

impl Protocol for Actor {
    callbacks!(self: &mut self);

    fn data_received(&mut self, data: &[u8]) -> Result<()> {
        self.0.take(data);
        self.0.act();
        Ok(())
    }
}

impl SharedProtocol for Actor {
    callbacks!(self: &self);

    fn data_received(&self, data: &[u8]) -> Result<()> {
        self.0.take(data);
        self.0.act();
        Ok(())
    }
}

struct Filled {
    actor: Actor,
    buffer: Vec<u8>,
}

impl BufferedProtocol for Filled {
    fn connection_made(&mut self, transport: TransportRef) -> Result<()> {
        self.actor.0.made(transport)
    }

    fn get_buffer(&mut self, _sizehint: Option<usize>) -> Result<&mut [u8]> {
        let n = 1 + self.actor.0.random.below(10_000);
        self.buffer.resize(n, 0);
        self.actor.0.act();
        Ok(&mut self.buffer)
    }

    fn buffer_updated(&mut self, nbytes: usize) -> Result<()> {
        self.actor.0.take(&self.buffer[..nbytes]);
        self.actor.0.act();
        Ok(())
    }

    fn eof_received(&mut self) -> Result<bool> {
        self.actor.0.act();
        Ok(false)
    }

    fn pause_writing(&mut self) -> Result<()> {
        self.actor.0.is_paused.set(true);
        self.actor.0.act();
        Ok(())
    }

    fn resume_writing(&mut self) -> Result<()> {
        self.actor.0.is_paused.set(false);
        self.actor.0.act();
        Ok(())
    }

    fn connection_lost(&mut self, _exc: Option<Error>) -> Result<()> {
        self.actor.0.lost()
    }
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Exclusive,
    Shared,
    Buffered,
}

async fn connect(nursery: &Nursery, kinds: (Kind, Kind), traces: &(Trace, Trace), sides: &[Rc<Side>; 2]) -> Wired {
    fn buffered(trace: &Trace, side: &Rc<Side>) -> Buffered<Traced<Filled>> {
        Buffered(trace.wrap(Filled { actor: Actor(side.clone()), buffer: Vec::new() }))
    }
    let (of_client, of_server) = (&traces.0, &traces.1);
    let (client, server) = (|| of_client.wrap(Actor(sides[0].clone())), || of_server.wrap(Actor(sides[1].clone())));
    match kinds {
        (Kind::Exclusive, Kind::Exclusive) => Wired::connect(nursery, client(), server()).await,
        (Kind::Exclusive, Kind::Shared) => Wired::connect(nursery, client(), Shared(server())).await,
        (Kind::Exclusive, Kind::Buffered) => Wired::connect(nursery, client(), buffered(of_server, &sides[1])).await,
        (Kind::Shared, Kind::Exclusive) => Wired::connect(nursery, Shared(client()), server()).await,
        (Kind::Shared, Kind::Shared) => Wired::connect(nursery, Shared(client()), Shared(server())).await,
        (Kind::Shared, Kind::Buffered) => {
            Wired::connect(nursery, Shared(client()), buffered(of_server, &sides[1])).await
        }
        (Kind::Buffered, _) => {
            let client = buffered(of_client, &sides[0]);
            Wired::connect(nursery, client, buffered(of_server, &sides[1])).await
        }
    }
}

/// One run; `n_layers` of TLS over the wire.
async fn run(
    nursery: &Nursery,
    seed: u64,
    kinds: (Kind, Kind),
    n_layers: usize,
    ends: Ends,
    contexts: &(SslContext, SslContext),
) -> Result<()> {
    let what = format!("seed {seed}, {kinds:?}, {n_layers} layers");
    let random = Random::new(seed);
    let sides = [Side::new("client", &random, ends), Side::new("server", &random, ends)];
    let traces = (Trace::new(), Trace::new());
    let wired = connect(nursery, kinds, &traces, &sides).await;
    let mut transports = (wired.client.clone(), wired.server.clone());
    for _ in 0..n_layers {
        let made = Rc::new(RefCell::new((None, None)));
        let (of_client, of_server) = (made.clone(), made.clone());
        let server = start_tls(&transports.1, &contexts.0).server_side(true);
        let client = start_tls(&transports.0, &contexts.1).server_hostname("localhost");
        nursery.start_soon(async move {
            let transport = server.await?;
            of_server.borrow_mut().1 = Some(transport);
            foster_compat::Ok(())
        });
        nursery.start_soon(async move {
            let transport = client.await?;
            of_client.borrow_mut().0 = Some(transport);
            foster_compat::Ok(())
        });
        for turn in 0.. {
            assert!(turn < MAX_TURNS, "{what}: no handshake\n{traces:?}");
            wired.carry_some(|n| 1 + random.below(n));
            checkpoint().await;
            if let (Some(client), Some(server)) = &*made.borrow() {
                transports = (client.clone(), server.clone());
                break;
            }
        }
    }
    for (side, transport) in sides.iter().zip([&transports.0, &transports.1]) {
        side.transport.replace(transport.clone());
        side.has_begun.set(true);
    }
    sides[0].other.replace(Some(sides[1].clone()));
    sides[1].other.replace(Some(sides[0].clone()));
    let capacity = [3000, 70_000, 1_000_000][random.below(3)];
    wired.client_peer().set_capacity(capacity);
    wired.server_peer().set_capacity(capacity);
    for turn in 0.. {
        assert!(turn < MAX_TURNS, "{what}: stuck: {:?}\n{:?}", describe(&sides), traces);
        if !random.one_in(4) {
            wired.carry_some(|n| if random.one_in(3) { n } else { 1 + random.below(n) });
        }
        checkpoint().await;
        for side in &sides {
            if random.one_in(3) && !side.is_paused.get() {
                side.write(side.size());
            }
            if random.one_in(8) {
                side.act();
            }
            // Nobody pauses for ever.
            if random.one_in(10) {
                let transport = side.transport.borrow().clone();
                transport.resume_reading();
            }
        }
        let is_lost = sides.iter().all(|side| side.is_lost.get());
        if is_lost || sides.iter().all(|side| side.is_done()) {
            break;
        }
    }
    if ends == Ends::InGoodOrder {
        assert!(sides.iter().all(|side| side.is_done()), "{what}: {:?}\n{traces:?}", describe(&sides));
    }
    transports.0.close();
    if random.one_in(2) {
        transports.1.close();
    }
    for turn in 0.. {
        assert!(turn < MAX_TURNS, "{what}: does not end: {:?}\n{traces:?}", describe(&sides));
        wired.carry_some(|n| n);
        checkpoint().await;
        if sides.iter().all(|side| side.is_lost.get()) {
            break;
        }
        for side in &sides {
            let transport = side.transport.borrow().clone();
            transport.resume_reading();
        }
    }
    traces.0.assert_complete();
    traces.1.assert_complete();
    for trace in [&traces.0, &traces.1] {
        assert!(trace.count("eof") <= 1, "{what}: {trace:?}");
        if ends == Ends::InGoodOrder {
            assert_eq!(trace.count("lost None"), 1, "{what}: {trace:?}");
        }
    }
    for side in &sides {
        assert_eq!(*side.problems.borrow(), [] as [&str; 0], "{what}");
        side.other.replace(None);
        side.transport.replace(TransportRef::default());
    }
    let weak = sides.each_ref().map(Rc::downgrade);
    drop((sides, wired, transports));
    checkpoint().await;
    checkpoint().await;
    assert!(weak.iter().all(|side| side.upgrade().is_none()), "{what}: something is left");
    Ok(())
}

fn describe(sides: &[Rc<Side>; 2]) -> Vec<String> {
    let of = |side: &Rc<Side>| {
        let transport = side.transport.borrow();
        format!(
            "{}: {} sent, {} received, paused {}, lost {}, closing {}, reading {}, {} to write, {} to read",
            side.name,
            side.n_sent.get(),
            side.n_received.get(),
            side.is_paused.get(),
            side.is_lost.get(),
            transport.is_closing(),
            transport.is_reading(),
            transport.get_write_buffer_size(),
            transport.get_read_buffer_size(),
        )
    };
    sides.iter().map(of).collect()
}

fn play(n_layers: usize, ends: Ends) {
    paused(async |nursery| {
        let reports = Reports::of(&nursery);
        let contexts = contexts()?;
        let kinds = [Kind::Exclusive, Kind::Shared, Kind::Buffered];
        for seed in 1..=N_SEEDS {
            for client in kinds {
                for server in kinds {
                    run(&nursery, seed, (client, server), n_layers, ends, &contexts).await?;
                    let said = reports.take();
                    let unexpected: Vec<_> = said.iter().filter(|line| !line.contains("enough")).collect();
                    assert!(unexpected.is_empty(), "seed {seed}, {client:?}, {server:?}: {unexpected:?}");
                }
            }
        }
        Ok(())
    });
}

#[test]
fn no_byte_is_lost_and_all_is_in_order_over_tls() {
    play(1, Ends::InGoodOrder);
}

#[test]
fn no_byte_is_lost_and_all_is_in_order_over_tls_over_tls() {
    play(2, Ends::InGoodOrder);
}

#[test]
fn connections_over_tls_that_end_at_any_time_are_made_and_lost_once() {
    play(1, Ends::AtAnyTime);
}

#[test]
fn connections_over_tls_over_tls_that_end_at_any_time_are_made_and_lost_once() {
    play(2, Ends::AtAnyTime);
}
