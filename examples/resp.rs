//! A key-value server that speaks Redis's protocol: strings, lists, keys that expire, and publish/subscribe.
//!
//! ```text
//! cargo run --example resp -- [--host HOST] [--port PORT]
//! redis-cli -p 6379
//! ```
//!
//! Structured as the server of "Writing Redis in Python with asyncio", where each client is a `RedisServerProtocol`
//! and all share a database and a `PubSub`. What one client may cost is named below and in `wire`; all keys together
//! may take any room, as in a Redis without `maxmemory`.

#[cfg(test)]
mod child;
#[cfg(test)]
mod clients;
#[path = "resp/commands.rs"]
mod commands;
#[path = "resp/database.rs"]
mod database;
mod options;
#[cfg(test)]
#[path = "resp/tests.rs"]
mod tests;
#[path = "resp/wire.rs"]
mod wire;

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::mem;
use std::rc::Rc;
use std::time::Duration;

use foster::{Error, Loop, NurseryError, Protocol, Result, Server, TransportRef};
use foster::{create_server, open_nursery, run};

use database::Database;
use options::{Options, announce};
use wire::{Reply, parse};

/// How many may be connected; more wait to be accepted. Redis's `maxclients`.
const MAX_CLIENTS: usize = 10_000;

/// The most bytes of a client that wait to be dealt with, and the most that answer one request. Redis has 1 GiB for the
/// former, `client-query-buffer-limit`, and no limit for the latter.
const MAX_BUFFER: usize = 32 * 1024 * 1024;

/// The most bytes that wait for a subscriber to read them. Redis has 32 MiB, `client-output-buffer-limit pubsub`.
const MAX_BACKLOG: usize = 8 * 1024 * 1024;

/// Replies are sent when so much of them is there, however much the client has asked for: where writing is paused. An
/// idle client's buffers keep no more.
const CHUNK: usize = 16 * 1024;

/// How long a client may do nothing in the middle of a request, or while it has replies to read. Redis's soft limits
/// count 60 seconds too.
const PATIENCE: Duration = Duration::from_secs(60);

/// Who has subscribed to what.
#[derive(Default)]
struct PubSub {
    channels: HashMap<Vec<u8>, HashSet<TransportRef>>,
}

impl PubSub {
    fn subscribe(&mut self, channel: &[u8], transport: &TransportRef) {
        self.channels.entry(channel.to_vec()).or_default().insert(transport.clone());
    }

    fn unsubscribe(&mut self, channel: &[u8], transport: &TransportRef) {
        let Some(subscribers) = self.channels.get_mut(channel) else { return };
        subscribers.remove(transport);
        if subscribers.is_empty() {
            self.channels.remove(channel);
        }
    }

    /// Tells those who have subscribed, and gives their number. Who is too far behind is dropped, so that nobody waits
    /// for it.
    fn publish(&self, channel: &[u8], message: &[u8]) -> usize {
        let mut text = Reply::default();
        text.bulks([b"message", channel, message].map(Some).into_iter());
        let tell = |transport: &TransportRef| {
            // It fails only after write_eof, which nobody calls.
            let _ = transport.write(&text.0);
            if transport.get_write_buffer_size() > MAX_BACKLOG {
                transport.abort();
            }
        };
        let subscribers = self.channels.get(channel).into_iter().flatten();
        subscribers.filter(|transport| !transport.is_closing()).map(tell).count()
    }
}

/// One client.
struct RedisServerProtocol {
    loop_: Loop,
    db: Rc<RefCell<Database>>,
    pubsub: Rc<RefCell<PubSub>>,
    transport: TransportRef,
    /// What has come and is not dealt with: an incomplete request, or what is behind replies that the client must read.
    buffer: Vec<u8>,
    reply: Reply,
    channels: HashSet<Vec<u8>>,
    /// No more is read from the client, and the connection ends behind its replies.
    is_quitting: bool,
}

impl RedisServerProtocol {
    fn new(loop_: Loop, db: Rc<RefCell<Database>>, pubsub: Rc<RefCell<PubSub>>) -> Self {
        RedisServerProtocol {
            loop_,
            db,
            pubsub,
            transport: TransportRef::default(),
            buffer: Vec::new(),
            reply: Reply::default(),
            channels: HashSet::new(),
            is_quitting: false,
        }
    }

    /// Deals with the requests that have come, and answers them with one write.
    fn deal_with_buffer(&mut self) -> Result<()> {
        let mut buffer = mem::take(&mut self.buffer);
        let (mut rest, mut args) = (&*buffer, Vec::new());
        while !(self.is_quitting || self.transport.is_writing_paused() || self.transport.is_closing()) {
            match parse(&mut rest, &mut args) {
                Ok(false) => break,
                Ok(true) => self.execute(&args).unwrap_or_else(|refusal| self.reply.error(&refusal)),
                Err(reason) => {
                    self.reply.error(&format!("ERR Protocol error: {reason}"));
                    self.is_quitting = true;
                }
            }
            if self.reply.0.len() > MAX_BUFFER {
                self.transport.abort();
            }
            if self.reply.0.len() > CHUNK {
                self.transport.write(&mem::take(&mut self.reply).0)?;
            }
        }
        self.transport.write(&self.reply.0)?;
        self.reply.0.clear();
        let n_done = buffer.len() - rest.len();
        if n_done > 0 {
            buffer.drain(..n_done);
            buffer.shrink_to(CHUNK);
        }
        if self.is_quitting {
            self.transport.close();
        } else if buffer.len() > MAX_BUFFER {
            self.transport.abort();
        }
        let is_waiting = !buffer.is_empty() || self.is_quitting || self.transport.is_writing_paused();
        self.transport.set_idle_timeout(is_waiting.then_some(PATIENCE));
        self.buffer = buffer;
        Ok(())
    }
}

impl Protocol for RedisServerProtocol {
    fn connection_made(&mut self, transport: TransportRef) -> Result<()> {
        // The messages of all that is published in one read go to a subscriber in one write.
        transport.set_write_batching(true);
        self.transport = transport;
        Ok(())
    }

    fn data_received(&mut self, data: &[u8]) -> Result<()> {
        self.buffer.extend_from_slice(data);
        self.deal_with_buffer()
    }

    fn pause_writing(&mut self) -> Result<()> {
        self.transport.pause_reading();
        self.transport.set_idle_timeout(Some(PATIENCE));
        Ok(())
    }

    fn resume_writing(&mut self) -> Result<()> {
        self.transport.resume_reading();
        self.deal_with_buffer()
    }

    fn connection_lost(&mut self, _exc: Option<Error>) -> Result<()> {
        for channel in self.channels.drain() {
            self.pubsub.borrow_mut().unsubscribe(&channel, &self.transport);
        }
        Ok(())
    }
}

async fn app(options: Options, on_serving: impl FnOnce(&Server) -> Result<()>) -> Result<Option<()>, NurseryError> {
    open_nursery(async |nursery| {
        let (loop_, db, pubsub) = (Loop::new(&nursery), Rc::default(), Rc::default());
        let factory = move || RedisServerProtocol::new(loop_.clone(), Rc::clone(&db), Rc::clone(&pubsub));
        let server = create_server(&nursery, factory, options.host, options.port)
            .max_connections(MAX_CLIENTS)
            .keep_alive(true)
            .await?;
        on_serving(&server)
    })
    .await
}

fn main() -> Result<()> {
    run(app(Options::from_args("resp", 6379), announce))?;
    Ok(())
}
