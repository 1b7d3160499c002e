//! What WebSockets leave behind: nothing, once they have ended, and no more than is waiting while they are open.

#![cfg(all(feature = "websocket", feature = "testing"))]

#[path = "websocket/client.rs"]
#[allow(dead_code, reason = "a part of it is needed")]
mod client;
mod stage;

use std::cell::RefCell;
use std::fs;
use std::rc::{Rc, Weak};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use foster::testing::serve_http;
use foster::websocket::{Config, WebSocket, websocket};
use foster::{ExtraInfo, Result, checkpoint};

use crate::client::open;
use crate::stage::{config, paused, turns};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// One test at a time, for each looks at the memory of the process.
static ALONE: Mutex<()> = Mutex::new(());

/// The memory of this process, in bytes.
fn memory() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").expect("Linux");
    let resident = statm.split(' ').nth(1).expect("resident pages");
    resident.parse::<usize>().expect("a number") * 4096
}

#[test]
fn a_flood_that_never_pauses_takes_no_more_memory_than_its_limits_however_long_it_lasts() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    paused(async |nursery| {
        let slow = async |websocket: WebSocket| {
            loop {
                websocket.receive().await?;
                checkpoint().await;
            }
            #[expect(unreachable_code, reason = "gives the block its type")]
            foster::Ok(())
        };
        let server = serve_http(&nursery, websocket(Config::new(), slow), config());
        let client = open(&server).await;
        // So small that what is taken at once is little of what is held.
        let frames = client.text(&"x".repeat(1000)).repeat(16);
        let mut before = 0;
        for n in 0..2560 {
            if n == 256 {
                before = memory();
            }
            client.peer.send(&frames);
            while client.peer.n_waiting() > 256 * KIB {
                turns(1).await;
            }
        }
        let grown = memory().saturating_sub(before);
        assert!(grown < 8 * MIB, "{grown} bytes for 36 MiB that were taken");
        client.peer.close();
        Ok(())
    });
}

async fn echo(websocket: WebSocket) -> Result<()> {
    loop {
        let message = websocket.receive().await?;
        websocket.send(message).await?;
    }
}

#[test]
fn a_connection_that_has_ended_takes_no_memory_until_its_next_ping_would_have_been_due() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    paused(async |nursery| {
        let websockets = Config::new().ping_interval(Some(Duration::from_secs(24 * 3600)));
        let server = serve_http(&nursery, websocket(websockets, echo), config());
        let mut before = 0;
        for n in 0..4000 {
            if n == 500 {
                before = memory();
            }
            let client = open(&server).await;
            client.send("hello");
            assert_eq!(client.text_message().await, "hello");
            client.peer.close();
            turns(5).await;
        }
        assert_eq!(server.stats().n_connections, 0);
        let grown = memory().saturating_sub(before);
        assert!(grown < 512 * KIB, "{grown} bytes for 3500 connections that have ended");
        Ok(())
    });
}

#[test]
fn a_loop_that_ends_lets_its_websockets_go() {
    let kept = Rc::<RefCell<Vec<Weak<()>>>>::default();
    let keeping = kept.clone();
    paused(async move |nursery| {
        let deaf = move |websocket: WebSocket| {
            let kept = keeping.clone();
            async move {
                websocket.accept()?;
                let value = Rc::new(());
                kept.borrow_mut().push(Rc::downgrade(&value));
                let transport = websocket.transport().expect("it was accepted");
                transport.set_extra_info("value", ExtraInfo::Other(value));
                while let Ok(message) = websocket.receive().await {
                    websocket.send(message).await?;
                }
                foster::Ok(())
            }
        };
        let server = serve_http(&nursery, websocket(Config::new(), deaf), config());
        let clients = [open(&server).await, open(&server).await, open(&server).await];
        clients[0].send("unsent in the last turn");
        clients[1].send_close(1000, "");
        nursery.cancel_scope().cancel();
        Ok(())
    });
    let kept = kept.take();
    assert_eq!(kept.len(), 3);
    assert!(kept.iter().all(|value| value.upgrade().is_none()));
}
