//! How protocols hold their transport, and what lies under it.

#![cfg(feature = "testing")]

mod stage;

use std::collections::HashSet;
use std::rc::Rc;
use std::time::Duration;

use foster_compat::testing::{self, Silent, Trace};
use foster_compat::{Address, ExtraInfo, TransportRef, move_on_after};
use stage::{Scripted, Wire, over_each_wire, paused, real, turns};

#[test]
fn equality_hash_and_debug_go_by_identity() {
    paused(async |nursery| {
        let (one, ..) = testing::connect(&nursery, Silent);
        let (other, ..) = testing::connect(&nursery, Silent);
        assert_eq!(one, one.clone());
        assert_ne!(one, other);
        let set: HashSet<TransportRef> = [one.clone(), one.clone(), other.clone()].into_iter().collect();
        assert_eq!(set.len(), 2);
        assert_eq!(format!("{one:?}"), format!("{:?}", one.clone()));
        assert_ne!(format!("{one:?}"), format!("{other:?}"));
        assert_eq!(TransportRef::default(), TransportRef::default());
        assert_ne!(TransportRef::default(), one);
        Ok(())
    });
}

#[test]
fn a_detached_transport_is_closing_and_drops_what_is_written_to_it() {
    // Also where no loop runs.
    for transport in [TransportRef::default(), Scripted::new().transport] {
        assert!(transport.is_closing() && !transport.is_reading() && !transport.is_writing_paused());
        transport.write(b"dropped").expect("it is dropped with a warning");
        transport.writelines(&[b"this", b"too"]).expect("it is dropped with a warning");
        transport.write_eof().expect("there is nothing to end");
        transport.close();
        transport.abort();
        transport.pause_reading();
        transport.resume_reading();
        transport.set_write_batching(true);
        transport.set_idle_timeout(Some(Duration::from_secs(1)));
        transport.start_soon(async { unreachable!("a detached transport starts nothing") });
        transport.set_protocol(Silent);
        transport.set_extra_info("key", ExtraInfo::Other(Rc::new(1)));
        assert!(transport.get_protocol().is_none() && transport.get_extra_info("key").is_none());
        assert_eq!((transport.get_write_buffer_size(), transport.peername(), transport.sockname()), (0, None, None));
    }
    paused(async |_| {
        assert!(TransportRef::default().closed().await.is_none());
        Ok(())
    });
}

#[test]
fn a_write_before_connection_made_reaches_nobody_and_does_no_harm() {
    over_each_wire(async |wire: Wire, nursery| {
        let trace = Trace::new();
        let early = Scripted::new();
        early.transport.write(b"too early")?;
        let (transport, mut end) = wire.connect(&nursery, trace.wrap(early)).await?;
        transport.write(b"in time")?;
        transport.close();
        assert_eq!(end.read_to_end().await?.0, b"in time");
        trace.assert_complete();
        Ok(())
    });
}

#[test]
fn the_extra_information_is_asyncios_and_the_programs_own() {
    over_each_wire(async |wire: Wire, nursery| {
        if wire == Wire::AsyncIo {
            // It knows no addresses, which `streams_async_io.rs` holds.
            return Ok(());
        }
        let trace = Trace::new();
        let log = trace.clone();
        let protocol = Scripted::new().on_lost(move |transport, _| {
            log.mark(format!("peername in connection_lost: {}", transport.peername().is_some()));
            Ok(())
        });
        let (transport, end) = wire.connect(&nursery, trace.wrap(protocol)).await?;
        let (own, peer) = (transport.sockname().expect("bound"), transport.peername().expect("connected"));
        assert!(own.ip().is_some() && peer.port().is_some());
        assert!(transport.get_extra_info("no such key").is_none());
        assert!(transport.socket().is_some());
        assert!(format!("{transport:?}").starts_with(&format!("transport to {peer} (open) at ")));

        transport.set_extra_info("user", ExtraInfo::Other(Rc::new("ada")));
        transport.set_extra_info("user", ExtraInfo::Other(Rc::new("bob")));
        let Some(ExtraInfo::Other(user)) = transport.get_extra_info("user") else { panic!("it was set") };
        assert_eq!(user.downcast_ref(), Some(&"bob"));
        // What a proxy has said goes before what the socket says.
        let said = Address::Inet("192.0.2.77:4711".parse()?);
        transport.set_extra_info("peername", ExtraInfo::Address(said.clone()));
        assert_eq!(transport.peername(), Some(said));

        transport.abort();
        transport.closed().await;
        assert_eq!(trace.lines(), ["made", "lost None", "peername in connection_lost: true"]);
        assert!(transport.sockname().is_none() && transport.get_extra_info("user").is_some());
        assert!(format!("{transport:?}").contains("(closing)"));
        drop(end);
        Ok(())
    });
}

#[test]
fn the_socket_shows_its_options_until_it_is_closed() {
    real(async |nursery| {
        let trace = Trace::new();
        let (transport, _end) = Wire::Socket.connect(&nursery, trace.wrap(Scripted::new())).await?;
        let socket = transport.socket().expect("it is open");
        assert!(socket.nodelay()?, "asyncio sets TCP_NODELAY");
        socket.set_nodelay(false)?;
        assert!(!socket.nodelay()?);
        socket.set_keepalive(true)?;
        assert!(socket.keepalive()?);
        assert_eq!(Some(socket.getpeername()?), transport.peername());
        transport.abort();
        transport.closed().await;
        let err = socket.getsockname().expect_err("it is closed");
        assert_eq!(err.kind(), std::io::ErrorKind::NotConnected);
        assert_eq!(format!("{socket:?}"), "closed socket");
        Ok(())
    });
}

#[test]
fn closed_gives_everyone_who_waits_what_connection_lost_was_given() {
    over_each_wire(async |wire: Wire, nursery| {
        let trace = Trace::new();
        let (transport, end) = wire.connect(&nursery, trace.wrap(Scripted::new())).await?;
        assert!(move_on_after(Duration::from_millis(10), transport.closed()).await.is_none(), "it is open");
        let waiters: Vec<_> = (0..3)
            .map(|_| {
                let transport = transport.clone();
                nursery.create_task(async move { transport.closed().await })
            })
            .collect();
        turns(2).await;
        end.reset();
        for waiter in waiters {
            assert!(waiter.await?.expect("it was reset").is_os_error());
        }
        assert!(transport.closed().await.expect("it was reset").is_os_error());
        Ok(())
    });
}

// ---- the trace itself

#[test]
fn a_trace_finds_callbacks_that_are_out_of_order() {
    use foster_compat::Protocol;
    let cases: [(&[&str], &str); 7] = [
        (&["data"], "protocol 0: data 'x': called before connection_made"),
        (&["made", "made", "lost"], "protocol 0: made: called twice"),
        (&["made", "lost", "lost"], "protocol 0: lost None: called after connection_lost"),
        (&["made", "lost", "data"], "protocol 0: data 'x': called after connection_lost"),
        (&["made", "pause", "pause", "lost"], "protocol 0: pause_writing: paused already"),
        (&["made", "resume", "lost"], "protocol 0: resume_writing: was not paused"),
        (&["made"], "protocol 0: connection_made without connection_lost"),
    ];
    for (calls, problem) in cases {
        let trace = Trace::new();
        let mut protocol = trace.recorder();
        for call in calls {
            let called = match *call {
                "made" => Protocol::connection_made(&mut protocol, TransportRef::default()),
                "data" => Protocol::data_received(&mut protocol, b"x"),
                "pause" => Protocol::pause_writing(&mut protocol),
                "resume" => Protocol::resume_writing(&mut protocol),
                _ => Protocol::connection_lost(&mut protocol, None),
            };
            called.expect("a recorder does nothing");
        }
        let complaint = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| trace.assert_complete()));
        let complaint = complaint.expect_err(problem);
        let complaint = complaint.downcast_ref::<String>().expect("a message");
        assert!(complaint.contains(problem), "{complaint}");
    }
    let never_called = Trace::new();
    never_called.recorder();
    never_called.assert_complete();
}
