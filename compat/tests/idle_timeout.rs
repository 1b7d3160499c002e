//! Idle time-outs, in paused time.

#![cfg(feature = "testing")]

mod stage;

use std::time::Duration;

use foster_compat::testing::{self, Trace};
use foster_compat::{TimeoutError, create_server, sleep, sleep_until};
use stage::{Reports, Scripted, address, paused, real, turns, until};
use tokio::net::TcpStream;
use tokio::time::Instant;

const TIMEOUT: Duration = Duration::from_secs(10);

#[test]
fn an_idle_connection_is_aborted_with_a_time_out_that_nobody_is_told_of() {
    paused(async |nursery| {
        let (trace, reports) = (Trace::new(), Reports::of(&nursery));
        let protocol = Scripted::new().on_made(|transport| {
            transport.set_idle_timeout(Some(TIMEOUT));
            Ok(())
        });
        let (transport, _, peer) = testing::connect(&nursery, trace.wrap(protocol));
        turns(2).await;
        let started = Instant::now();
        let err = transport.closed().await.expect("a time-out is an error");
        assert!(err.is::<TimeoutError>());
        assert_eq!(started.elapsed(), TIMEOUT);
        assert_eq!(trace.lines(), ["made", "lost the connection was idle for too long"]);
        assert_eq!(reports.take(), [""; 0]);
        assert!(peer.is_closed());
        trace.assert_complete();
        Ok(())
    });
}

#[test]
fn traffic_either_way_puts_the_time_out_off() {
    paused(async |nursery| {
        let trace = Trace::new();
        let (transport, _, peer) = testing::connect(&nursery, trace.wrap(Scripted::new()));
        turns(2).await;
        transport.set_idle_timeout(Some(TIMEOUT));
        for n in 0..10 {
            sleep(TIMEOUT - Duration::from_millis(1)).await;
            if n % 2 == 0 {
                peer.send(b"x")
            } else {
                transport.write(b"y")?
            }
            turns(2).await;
        }
        assert!(!transport.is_closing());
        let started = Instant::now();
        transport.closed().await;
        assert_eq!(started.elapsed(), TIMEOUT);
        Ok(())
    });
}

#[test]
fn a_peer_that_takes_nothing_counts_as_idle() {
    paused(async |nursery| {
        let trace = Trace::new();
        let (transport, _, peer) = testing::connect(&nursery, trace.wrap(Scripted::new()));
        peer.set_capacity(10);
        turns(2).await;
        transport.set_idle_timeout(Some(TIMEOUT));
        transport.write(&[0; 100])?;
        transport.close();
        transport.write(&[0; 100])?;
        let started = Instant::now();
        assert!(transport.closed().await.is_some(), "a close that cannot flush is bounded");
        assert_eq!(started.elapsed(), TIMEOUT);
        trace.assert_complete();
        Ok(())
    });
}

#[test]
fn what_happens_in_the_turn_in_which_it_is_due_still_counts() {
    paused(async |nursery| {
        for (event, lives) in [("switched off", true), ("written", true), ("nothing", false)] {
            let trace = Trace::new();
            let (transport, _, _peer) = testing::connect(&nursery, trace.wrap(Scripted::new()));
            turns(2).await;
            let due = Instant::now() + TIMEOUT;
            let acting = transport.clone();
            // Its timer is older, so its step stands before the time-out in the same turn.
            let task = nursery.create_task(async move {
                sleep_until(due).await;
                match event {
                    "switched off" => acting.set_idle_timeout(None),
                    "written" => acting.write(b"just in time").expect("it is open"),
                    _ => {}
                }
            });
            turns(2).await;
            transport.set_idle_timeout(Some(TIMEOUT));
            task.await?;
            turns(3).await;
            assert_eq!(!transport.is_closing(), lives, "{event}");
            let started = Instant::now();
            if event == "written" {
                transport.closed().await;
                assert_eq!(started.elapsed(), TIMEOUT);
            }
            transport.abort();
            transport.closed().await;
            trace.assert_complete();
        }
        Ok(())
    });
}

#[test]
fn setting_it_again_starts_anew_and_none_switches_it_off() {
    paused(async |nursery| {
        let trace = Trace::new();
        let (transport, _, _peer) = testing::connect(&nursery, trace.wrap(Scripted::new()));
        turns(2).await;
        transport.set_idle_timeout(Some(TIMEOUT));
        sleep(TIMEOUT / 2).await;
        transport.set_idle_timeout(Some(TIMEOUT));
        sleep(TIMEOUT / 4 * 3).await;
        assert!(!transport.is_closing());
        transport.set_idle_timeout(None);
        sleep(TIMEOUT * 2).await;
        assert!(!transport.is_closing());
        transport.set_idle_timeout(Some(Duration::MAX));
        transport.write(b"the clock cannot count that far")?;
        sleep(TIMEOUT).await;
        assert!(!transport.is_closing());
        transport.abort();
        transport.closed().await;
        transport.set_idle_timeout(Some(TIMEOUT));
        Ok(())
    });
}

#[test]
fn a_hundred_thousand_idle_connections_all_time_out() {
    const N: usize = 100_000;
    paused(async |nursery| {
        let trace = Trace::new();
        let connections: Vec<_> = (0..N)
            .map(|n| {
                let (transport, _, peer) = testing::connect(&nursery, trace.recorder());
                transport.set_idle_timeout(Some(TIMEOUT + Duration::from_millis(n as u64 % 10)));
                (transport, peer)
            })
            .collect();
        turns(2).await;
        assert_eq!(trace.count("made"), N);
        // Half of them say something once.
        sleep(TIMEOUT / 2).await;
        connections.iter().step_by(2).for_each(|(_, peer)| peer.send(b"x"));
        sleep(TIMEOUT / 4 * 3).await;
        assert_eq!(trace.count("lost"), N / 2);
        sleep(TIMEOUT / 2).await;
        assert_eq!(trace.count("lost the connection was idle for too long"), N);
        assert_eq!(nursery.n_children(), 0);
        trace.assert_complete();
        Ok(())
    });
}

#[test]
fn a_server_gives_its_connections_a_time_out_to_start_with() {
    real(async |nursery| {
        let trace = Trace::new();
        let inner = trace.clone();
        let server = create_server(&nursery, move || inner.recorder(), "127.0.0.1", 0)
            .idle_timeout(Duration::from_millis(20))
            .await?;
        let _client = TcpStream::connect(address(&server)).await?;
        until(|| trace.count("lost") == 1).await;
        assert_eq!(trace.lines(), ["made", "lost the connection was idle for too long"]);
        server.close();
        Ok(())
    });
}
