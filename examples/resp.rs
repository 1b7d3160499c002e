//! A key-value server that speaks Redis's protocol: strings, lists, keys that expire, and publish/subscribe.
//!
//! ```text
//! cargo run --example resp -- [--host HOST] [--port PORT]
//! redis-cli -p 6379
//! ```
//!
//! Structured as the server of "Writing Redis in Python with asyncio", where each client is a `RedisServerProtocol`
//! and all share a database, a `PubSub` and a `KeyBlocker`. What one client may cost is named below and in `wire`.

#[cfg(test)]
mod child;
#[cfg(test)]
mod clients;
#[path = "resp/commands.rs"]
mod commands;
#[path = "resp/database.rs"]
mod database;
#[path = "resp/introspection.rs"]
mod introspection;
#[path = "resp/key_blocker.rs"]
mod key_blocker;
#[path = "resp/keys.rs"]
mod keys;
mod options;
#[path = "resp/pubsub.rs"]
mod pubsub;
#[path = "resp/redis.rs"]
mod redis;
#[cfg(test)]
#[path = "resp/tests.rs"]
mod tests;
#[path = "resp/wire.rs"]
mod wire;

use std::collections::BTreeSet;
use std::mem;
use std::rc::Rc;
use std::time::Duration;

use foster::{Error, Loop, NurseryError, Protocol, Result, Server, TimerHandle, TransportRef};
use foster::{create_server, open_nursery, run};

use database::Key;
use key_blocker::Waiter;
use options::{Options, announce};
use redis::Redis;
use wire::{MAX_REPLY, Parser, Reply};

/// How many may be connected; more wait to be accepted. Redis's `maxclients`.
const MAX_CLIENTS: usize = 10_000;

/// The most bytes of a client that wait to be dealt with. Redis has 1 GiB, `client-query-buffer-limit`.
const MAX_QUERY: usize = 32 * 1024 * 1024;

/// The most bytes that wait for a subscriber to read them. Redis has 32 MiB, `client-output-buffer-limit pubsub`.
const MAX_BACKLOG: usize = 8 * 1024 * 1024;

/// Replies are sent when so much of them is there, however much the client has asked for: where writing is paused.
const FLUSH_AT: usize = 64 * 1024;

/// How long a client may keep the server waiting, in the middle of a request or to read what it has asked for. Redis's
/// soft limits count 60 seconds too.
const PATIENCE: Duration = Duration::from_secs(60);

/// One client.
struct RedisServerProtocol {
    redis: Rc<Redis>,
    transport: TransportRef,
    id: i64,
    name: Vec<u8>,
    parser: Parser,
    /// What has come and is not dealt with: an incomplete request, or what is behind a reply that waits.
    rest: Vec<u8>,
    /// Empty, and without memory, but while a read is dealt with.
    reply: Reply,
    channels: BTreeSet<Key>,
    patterns: BTreeSet<Key>,
    /// What a blocking command waits for.
    waiter: Option<Rc<Waiter>>,
    /// Runs while writing is paused.
    patience: Option<TimerHandle>,
}

impl RedisServerProtocol {
    fn new(redis: Rc<Redis>) -> Self {
        RedisServerProtocol {
            id: redis.next_id(),
            redis,
            transport: TransportRef::default(),
            name: Vec::new(),
            parser: Parser::default(),
            rest: Vec::new(),
            reply: Reply::default(),
            channels: BTreeSet::new(),
            patterns: BTreeSet::new(),
            waiter: None,
            patience: None,
        }
    }

    /// Deals with the requests in `input`, answers them with one write, and gives the length of what is done.
    fn deal_with(&mut self, input: &[u8]) -> Result<usize> {
        let (mut n_done, mut args) = (0, Vec::new());
        self.reply = self.redis.begin();
        while self.waiter.is_none() && !self.transport.is_writing_paused() && !self.transport.is_closing() {
            let rest = input.get(n_done..).unwrap_or_default();
            match self.parser.parse(rest, &mut args) {
                Ok(None) => break,
                Ok(Some(n)) => n_done += n,
                Err(reason) => {
                    self.reply.error(&format!("ERR Protocol error: {reason}"));
                    self.close()?;
                    break;
                }
            }
            if let Err(refusal) = self.execute(&args) {
                self.reply.error(&refusal);
            }
            if self.reply.0.len() > MAX_REPLY {
                self.reply.0.clear();
                self.transport.abort();
            } else if self.reply.0.len() > FLUSH_AT {
                self.flush()?;
            }
        }
        self.flush()?;
        self.redis.end(mem::take(&mut self.reply));
        Ok(n_done)
    }

    fn flush(&mut self) -> Result<()> {
        self.transport.write(&self.reply.0)?;
        self.reply.0.clear();
        Ok(())
    }

    /// Deals with what waits, now that the client may go on.
    fn resume(&mut self) -> Result<()> {
        let mut input = mem::take(&mut self.rest);
        if !self.transport.is_closing() {
            self.transport.set_idle_timeout(None);
        }
        let n_done = self.deal_with(&input)?;
        if n_done > 0 {
            input.drain(..n_done);
            input.shrink_to_fit();
        }
        self.keep(input);
        Ok(())
    }

    fn keep(&mut self, rest: Vec<u8>) {
        if rest.len() > MAX_QUERY {
            self.transport.abort();
        }
        if !rest.is_empty() && !self.transport.is_closing() {
            self.rest = rest;
            self.transport.set_idle_timeout(self.waiter.is_none().then_some(PATIENCE));
        }
    }

    /// Ends the connection once the client has read the answers.
    fn close(&mut self) -> Result<()> {
        self.flush()?;
        self.transport.set_idle_timeout(Some(PATIENCE));
        self.transport.close();
        Ok(())
    }
}

impl Protocol for RedisServerProtocol {
    fn connection_made(&mut self, transport: TransportRef) -> Result<()> {
        // The messages of all that is published in one read go to a subscriber in one write.
        transport.set_write_batching(true);
        self.transport = transport;
        self.redis.n_clients.set(self.redis.n_clients.get() + 1);
        Ok(())
    }

    fn data_received(&mut self, data: &[u8]) -> Result<()> {
        if self.rest.is_empty() {
            let n_done = self.deal_with(data)?;
            self.keep(data.get(n_done..).unwrap_or_default().to_vec());
            return Ok(());
        }
        self.rest.extend_from_slice(data);
        self.resume()
    }

    fn pause_writing(&mut self) -> Result<()> {
        self.transport.pause_reading();
        let transport = self.transport.clone();
        self.patience = Some(self.redis.loop_.call_later(PATIENCE, move || transport.abort()));
        Ok(())
    }

    fn resume_writing(&mut self) -> Result<()> {
        self.patience.take().inspect(TimerHandle::cancel);
        self.transport.resume_reading();
        self.resume()
    }

    fn connection_lost(&mut self, _exc: Option<Error>) -> Result<()> {
        self.patience.take().inspect(TimerHandle::cancel);
        self.waiter.take().inspect(|waiter| self.redis.key_blocker.borrow_mut().forget(waiter));
        self.unsubscribe_from_all();
        self.redis.n_clients.set(self.redis.n_clients.get() - 1);
        Ok(())
    }
}

async fn app(options: Options, on_serving: impl FnOnce(&Server) -> Result<()>) -> Result<Option<()>, NurseryError> {
    open_nursery(async |nursery| {
        let redis = Rc::new(Redis::new(Loop::new(&nursery)));
        let factory = move || RedisServerProtocol::new(redis.clone());
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
