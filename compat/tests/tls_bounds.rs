//! What a peer can cost that does not play along: time and memory are bounded in every state.

#![cfg(all(feature = "testing", any(feature = "tls", feature = "tls-aws-lc")))]

mod stage;
mod tls;
mod wired;

use std::time::Duration;

use foster_compat::testing::{self, Peer, Trace};
use foster_compat::{Nursery, Result, SslContext, TransportRef, checkpoint, sleep, start_tls};
use stage::{Scripted, paused, turns};
use tls::{Authority, contexts};
use tokio::time::Instant;
use wired::Wired;

/// A plain connection whose server side waits for a handshake.
async fn awaits_handshake(nursery: &Nursery, trace: &Trace, context: &SslContext) -> (TransportRef, Peer) {
    let (transport, _, peer) = testing::connect(nursery, trace.recorder());
    checkpoint().await;
    let upgrade = start_tls(&transport, context).server_side(true);
    transport.start_soon(async move {
        // The protocol is told in connection_lost.
        let _ = upgrade.await;
        foster_compat::Ok(())
    });
    turns(3).await;
    (transport, peer)
}

/// Both ways of a server: with the context that it has, and with one chosen by what the client says.
fn server_contexts() -> Result<[SslContext; 2]> {
    let authority = Authority::new();
    Ok([authority.server().build()?, authority.server().sni_callback(|_| Ok(None)).build()?])
}

#[test]
fn a_handshake_that_trickles_in_is_cut_at_the_time_out() {
    paused(async |nursery| {
        for context in server_contexts()? {
            let trace = Trace::new();
            let (transport, peer) = awaits_handshake(&nursery, &trace, &context).await;
            let begun = Instant::now();
            // The head of a record of 16384 bytes, and then one byte a second.
            peer.send([22, 3, 1, 64, 0]);
            while !transport.is_closing() {
                peer.send([0]);
                sleep(Duration::from_secs(1)).await;
            }
            assert!((59..62).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
            turns(3).await;
            assert_eq!(trace.lines(), ["made", "lost ConnectionAborted"]);
        }
        Ok(())
    });
}

#[test]
fn a_handshake_message_without_end_is_refused_before_it_fills_the_memory() {
    paused(async |nursery| {
        for context in server_contexts()? {
            let trace = Trace::new();
            let (transport, peer) = awaits_handshake(&nursery, &trace, &context).await;
            // A client hello that says it has 16 MiB, in records of 16 KiB.
            let mut record = vec![22, 3, 1, 64, 0, 1, 255, 255, 255];
            record.resize(5 + 16384, 0);
            let mut n_sent = 0;
            while !transport.is_closing() {
                assert!(n_sent < 1_000_000, "so much is kept");
                peer.send(&record);
                n_sent += record.len();
                record[5..9].fill(0);
                turns(3).await;
            }
            turns(3).await;
            assert_eq!(trace.count("lost"), 1);
        }
        Ok(())
    });
}

#[test]
fn a_peer_that_sends_on_and_on_after_the_close_is_cut_at_the_shutdown_time_out() {
    paused(async |nursery| {
        let trace = Trace::new();
        let wired = Wired::connect(&nursery, Scripted::new(), trace.recorder()).await;
        let (client, server) = wired.secure(&nursery, &contexts()?, |it| it).await?;
        let begun = Instant::now();
        server.close();
        while !trace.lines().iter().any(|line| line.starts_with("lost")) {
            client.write(&[b'a'; 50_000])?;
            // The client's side never hears that the server has closed.
            wired.server_peer().received();
            wired.carry();
            sleep(Duration::from_millis(100)).await;
        }
        assert!((29..32).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
        assert_eq!(trace.lines(), ["made", "lost SSL shutdown timed out"]);
        client.abort();
        Ok(())
    });
}

#[test]
fn a_large_write_to_a_peer_that_does_not_read_is_held_once_and_let_go_with_the_connection() {
    paused(async |nursery| {
        const SIZE: usize = 20_000_000;
        let trace = Trace::new();
        let wired = Wired::connect(&nursery, trace.recorder(), Scripted::new()).await;
        let (client, _) = wired.secure(&nursery, &contexts()?, |it| it).await?;
        wired.client_peer().set_capacity(0);
        client.write(&vec![b'a'; SIZE])?;
        let n_below = wired.client.get_write_buffer_size();
        assert!((SIZE..SIZE + SIZE / 100).contains(&(n_below + client.get_write_buffer_size())));
        // The transport below is full: what comes now stays above, and pauses the protocol.
        client.write(&vec![b'a'; 600_000])?;
        assert_eq!(trace.lines(), ["made", "pause_writing"]);
        assert_eq!(wired.client.get_write_buffer_size(), n_below);
        client.close();
        sleep(Duration::from_secs(31)).await;
        assert_eq!(trace.lines(), ["made", "pause_writing", "lost SSL shutdown timed out"]);
        assert_eq!((client.get_write_buffer_size(), wired.client.get_write_buffer_size()), (0, 0));
        wired.server.abort();
        Ok(())
    });
}

#[test]
fn a_protocol_that_never_resumes_reads_ahead_no_more_than_its_marks_and_one_read() {
    paused(async |nursery| {
        let wired = Wired::connect(&nursery, Scripted::new(), Scripted::new()).await;
        let (client, server) = wired.secure(&nursery, &contexts()?, |it| it).await?;
        server.pause_reading();
        for _ in 0..200 {
            // Many tiny records, which are larger encrypted than plain.
            (0..500).try_for_each(|_| client.write(b"a"))?;
            wired.carry();
            checkpoint().await;
        }
        assert!(server.get_read_buffer_size() <= 512 * 1024, "{}", server.get_read_buffer_size());
        assert!(!wired.server.is_reading());
        wired.client.abort();
        wired.server.abort();
        Ok(())
    });
}
