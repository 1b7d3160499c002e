//! Files over transports: by the system over sockets, by hand over a wire in memory.

#![cfg(all(feature = "testing", unix))]

mod stage;

use std::cell::{Cell, RefCell};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use foster_compat::testing::{self, Trace};
use foster_compat::{
    Error, Loop, Nursery, Result, RuntimeError, SendfileNotAvailableError, TransportRef, create_unix_server, sleep,
};
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;

use crate::stage::{End, Reports, Scripted, Wire, over_each_wire, real, turns, until};

/// More than the buffers hold: those of a socket may grow to 10 MiB.
fn large(wire: Wire) -> usize {
    match wire {
        Wire::Memory => 1024 * 1024,
        Wire::Socket | Wire::AsyncIo => 24 * 1024 * 1024,
    }
}

/// Bytes whose place shows: no power of two fits into the period.
fn pattern(n: usize) -> Vec<u8> {
    let block: Vec<u8> = (0..1_000_003_u32).map(|at| (at / 7 + at / 65_521) as u8).collect();
    let mut content = block.repeat(n / block.len() + 1);
    content.truncate(n);
    content
}

/// A file of this content that goes when it is closed; its position is at 0.
fn file_of(content: &[u8]) -> Result<File> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("foster-sendfile-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let path = std::env::temp_dir().join(name);
    let mut file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
    std::fs::remove_file(&path)?;
    file.write_all(content)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}

fn position(file: &File) -> Result<u64> {
    let mut file = file;
    Ok(file.stream_position()?)
}

/// A connection with a protocol that does nothing.
async fn connected(wire: Wire, nursery: &Nursery) -> Result<(TransportRef, End)> {
    wire.connect(nursery, Trace::new().wrap(Scripted::new())).await
}

/// Sends in a task, and gives where its outcome will be.
fn sends(loop_: &Loop, transport: &TransportRef, file: &File) -> Result<Rc<RefCell<Option<Result<u64>>>>> {
    let outcome = Rc::new(RefCell::new(None));
    let (inner, transport, file, result) = (loop_.clone(), transport.clone(), file.try_clone()?, outcome.clone());
    loop_.create_task(async move {
        let sent = inner.sendfile(&transport, &file).await;
        result.replace(Some(sent));
        Ok(())
    });
    Ok(outcome)
}

fn kind(err: &Error) -> Option<io::ErrorKind> {
    err.downcast_ref::<io::Error>().map(io::Error::kind)
}

// ---- what arrives

#[test]
fn a_file_arrives_whole_behind_what_was_written_and_before_what_is_written_then() {
    over_each_wire(async |wire, nursery| {
        let (transport, mut end) = connected(wire, &nursery).await?;
        let (loop_, content) = (Loop::new(&nursery), pattern(large(wire)));
        let file = file_of(&content)?;
        transport.write(b"head")?;
        let (sender, inner) = (transport.clone(), loop_.clone());
        let task = loop_.create_task(async move {
            let n = inner.sendfile(&sender, &file).await?;
            sender.write(b"tail")?;
            Ok((n, position(&file)?))
        });
        assert_eq!(end.read_exactly(4).await?, b"head");
        assert!(end.read_exactly(large(wire)).await? == content);
        assert_eq!(end.read_exactly(4).await?, b"tail");
        assert_eq!(task.await?, (large(wire) as u64, large(wire) as u64));
        transport.close();
        Ok(())
    });
}

#[test]
fn output_that_waits_to_be_sent_goes_first() {
    over_each_wire(async |wire, nursery| {
        let (transport, mut end) = connected(wire, &nursery).await?;
        let (before, content) = (vec![b'-'; large(wire)], pattern(100_000));
        transport.write(&before)?;
        assert!(transport.get_write_buffer_size() > 0);
        let sent = sends(&Loop::new(&nursery), &transport, &file_of(&content)?)?;
        turns(20).await;
        assert!(sent.borrow().is_none());
        assert!(end.read_exactly(large(wire)).await? == before);
        assert!(end.read_exactly(content.len()).await? == content);
        until(|| sent.borrow().is_some()).await;
        transport.close();
        Ok(())
    });
}

#[test]
fn offset_and_count_choose_a_part_and_the_position_is_behind_it() {
    over_each_wire(async |wire, nursery| {
        let (transport, mut end) = connected(wire, &nursery).await?;
        let loop_ = Loop::new(&nursery);
        let file = file_of(b"0123456789")?;
        for (offset, count, part, wanted_position) in [
            (0, None, "0123456789", 10),
            (4, None, "456789", 10),
            (4, Some(3), "456", 7),
            (8, Some(100), "89", 10),
            // Nothing sent, nothing moved.
            (4, Some(0), "", 2),
            (10, None, "", 2),
            (1_000_000, Some(5), "", 2),
        ] {
            (&file).seek(SeekFrom::Start(2))?;
            let mut sending = loop_.sendfile(&transport, &file).offset(offset);
            if let Some(count) = count {
                sending = sending.count(count);
            }
            assert_eq!(sending.await?, part.len() as u64);
            assert_eq!(end.read_exactly(part.len()).await?, part.as_bytes());
            assert_eq!(position(&file)?, wanted_position, "{offset} {count:?}");
        }
        assert_eq!(loop_.sendfile(&transport, &file_of(b"")?).await?, 0);
        transport.close();
        Ok(())
    });
}

#[test]
fn a_file_that_shrinks_meanwhile_ends_where_it_ends() {
    over_each_wire(async |wire, nursery| {
        let (transport, mut end) = connected(wire, &nursery).await?;
        let content = pattern(large(wire));
        let file = file_of(&content)?;
        let (loop_, sender, sent_file) = (Loop::new(&nursery), transport.clone(), file.try_clone()?);
        let inner = loop_.clone();
        let task = loop_.create_task(async move {
            let n = inner.sendfile(&sender, &sent_file).await?;
            sender.close();
            Ok(n as usize)
        });
        assert!(end.read_exactly(1000).await? == content[..1000]);
        file.set_len(500)?;
        let (rest, _) = end.read_to_end().await?;
        let n = task.await?;
        assert!(n < large(wire) && 1000 + rest.len() == n, "{n} sent, {} received", rest.len());
        Ok(())
    });
}

#[test]
fn the_system_sends_over_unix_sockets_too() {
    real(async |nursery| {
        let path = std::env::temp_dir().join(format!("foster-sendfile-{}.sock", std::process::id()));
        let (content, failure) = (pattern(1_000_000), Rc::new(RefCell::new(None)));
        let (file, loop_, failed) = (Rc::new(file_of(&content)?), Loop::new(&nursery), failure.clone());
        let protocol = move || {
            let (file, loop_, failed) = (file.clone(), loop_.clone(), failed.clone());
            Scripted::new().on_made(move |transport| {
                let (file, loop_, failed, sender) = (file.clone(), loop_.clone(), failed.clone(), transport.clone());
                transport.start_soon(async move {
                    let sent = loop_.sendfile(&sender, &file).fallback(false).await;
                    failed.replace(sent.err());
                    sender.close();
                });
                Ok(())
            })
        };
        let server = create_unix_server(&nursery, protocol, &path).await?;
        let mut received = Vec::new();
        UnixStream::connect(&path).await?.read_to_end(&mut received).await?;
        server.close();
        if cfg!(target_os = "linux") {
            assert!(failure.borrow().is_none(), "{failure:?}");
            assert!(received == content);
        }
        Ok(())
    });
}

// ---- what others do meanwhile

#[test]
fn writes_are_refused_while_a_file_is_sent_and_a_second_file_too() {
    over_each_wire(async |wire, nursery| {
        let (transport, mut end) = connected(wire, &nursery).await?;
        let (loop_, content) = (Loop::new(&nursery), pattern(large(wire)));
        let file = file_of(&content)?;
        let sent = sends(&loop_, &transport, &file)?;
        assert!(end.read_exactly(10).await? == content[..10]);
        let refusals = [
            transport.write(b"x"),
            transport.write(b""),
            transport.writelines(&[b"x"]),
            transport.write_eof(),
            loop_.sendfile(&transport, &file).await.map(drop),
        ];
        for err in refusals.map(|refusal| refusal.expect_err("a file is being sent")) {
            assert!(err.is::<RuntimeError>());
            assert_eq!(err.to_string(), "unable to write; sendfile is in progress");
        }
        assert!(end.read_exactly(large(wire) - 10).await? == content[10..]);
        until(|| sent.borrow().is_some()).await;
        assert_eq!(sent.take().expect("it has ended")?, large(wire) as u64);
        transport.write(b"again")?;
        transport.write_eof()?;
        assert_eq!(end.read_exactly(5).await?, b"again");
        transport.close();
        Ok(())
    });
}

#[test]
fn reading_pauses_while_a_file_is_sent_and_goes_on_then() {
    over_each_wire(async |wire, nursery| {
        let received = Rc::new(RefCell::new(Vec::new()));
        let data = received.clone();
        let protocol = Scripted::new().on_data(move |_, more| {
            data.borrow_mut().extend_from_slice(more);
            Ok(())
        });
        let (transport, mut end) = wire.connect(&nursery, Trace::new().wrap(protocol)).await?;
        let sent = sends(&Loop::new(&nursery), &transport, &file_of(&pattern(large(wire)))?)?;
        end.read_exactly(10).await?;
        end.send(b"hello").await?;
        turns(20).await;
        assert!(!transport.is_reading());
        assert_eq!(*received.borrow(), b"");
        end.read_exactly(large(wire) - 10).await?;
        until(|| sent.borrow().is_some()).await;
        assert!(transport.is_reading());
        until(|| received.borrow().len() == 5).await;
        transport.close();
        Ok(())
    });
}

#[test]
fn reading_that_was_paused_stays_paused() {
    over_each_wire(async |wire, nursery| {
        let (transport, mut end) = connected(wire, &nursery).await?;
        transport.pause_reading();
        assert_eq!(Loop::new(&nursery).sendfile(&transport, &file_of(b"content")?).await?, 7);
        assert_eq!(end.read_exactly(7).await?, b"content");
        assert!(!transport.is_reading() && !transport.is_closing());
        transport.close();
        Ok(())
    });
}

#[test]
fn a_peer_that_reads_fast_does_not_get_the_loop_to_itself() {
    real(async |nursery| {
        let (transport, end) = connected(Wire::Socket, &nursery).await?;
        let End::Socket(client) = end else { panic!("a socket was asked for") };
        let client = client.into_std()?;
        client.set_nonblocking(false)?;
        let reader = std::thread::spawn(move || {
            let (mut client, mut n, mut buffer) = (client, 0, vec![0; 1024 * 1024]);
            while let Ok(more @ 1..) = client.read(&mut buffer) {
                n += more;
            }
            n
        });
        let n_turns = Rc::new(Cell::new(0));
        let (loop_, counter) = (Loop::new(&nursery), n_turns.clone());
        let ticker = loop_.create_task(async move {
            loop {
                turns(1).await;
                counter.set(counter.get() + 1);
            }
            #[expect(unreachable_code, reason = "it is cancelled")]
            Ok(())
        });
        loop_.sendfile(&transport, &file_of(&pattern(large(Wire::Socket)))?).await?;
        ticker.cancel();
        assert!(n_turns.get() >= large(Wire::Socket) / (256 * 1024), "{} turns", n_turns.get());
        transport.close();
        transport.closed().await;
        assert_eq!(reader.join().expect("no panic"), large(Wire::Socket));
        Ok(())
    });
}

// ---- refusals

#[test]
fn a_transport_that_is_closing_or_has_sent_its_end_takes_no_file() {
    over_each_wire(async |wire, nursery| {
        let loop_ = Loop::new(&nursery);
        let file = file_of(b"content")?;
        let (transport, _end) = connected(wire, &nursery).await?;
        transport.write_eof()?;
        let err = loop_.sendfile(&transport, &file).await.unwrap_err();
        assert!(err.is::<RuntimeError>());
        assert_eq!(err.to_string(), "Cannot call sendfile() after write_eof()");
        assert!(transport.is_reading());
        transport.close();
        for closing in [transport, TransportRef::default()] {
            let err = loop_.sendfile(&closing, &file).await.unwrap_err();
            assert!(err.is::<RuntimeError>());
            assert_eq!(err.to_string(), "Transport is closing");
        }
        Ok(())
    });
}

#[test]
fn what_is_no_regular_file_is_refused() {
    over_each_wire(async |wire, nursery| {
        let (transport, mut end) = connected(wire, &nursery).await?;
        for path in ["/dev/null", "/"] {
            let err = Loop::new(&nursery).sendfile(&transport, &File::open(path)?).await.unwrap_err();
            assert!(err.is::<SendfileNotAvailableError>());
            assert_eq!(err.to_string(), "not a regular file");
        }
        transport.write(b"usable")?;
        assert_eq!(end.read_exactly(6).await?, b"usable");
        transport.close();
        Ok(())
    });
}

#[test]
fn without_fallback_a_transport_that_the_system_does_not_know_is_refused() {
    stage::paused(async |nursery| {
        let (transport, mut end) = connected(Wire::Memory, &nursery).await?;
        let sending = Loop::new(&nursery).sendfile(&transport, &file_of(b"content")?).fallback(false).await;
        let err = sending.unwrap_err();
        assert!(err.is::<SendfileNotAvailableError>());
        assert_eq!(err.to_string(), "sendfile syscall is not supported");
        transport.write(b"usable")?;
        assert_eq!(end.read_exactly(6).await?, b"usable");
        transport.close();
        Ok(())
    });
}

#[test]
fn an_error_of_the_file_leaves_the_transport_as_it_was() {
    over_each_wire(async |wire, nursery| {
        let loop_ = Loop::new(&nursery);
        let (transport, mut end) = connected(wire, &nursery).await?;
        let path = std::env::temp_dir().join(format!("foster-sendfile-unreadable-{}-{wire:?}", std::process::id()));
        let unreadable = File::create(&path)?;
        std::fs::remove_file(&path)?;
        assert!(loop_.sendfile(&transport, &unreadable).await.unwrap_err().is_os_error());
        let err = loop_.sendfile(&transport, &unreadable).fallback(false).await.unwrap_err();
        assert!(err.is::<SendfileNotAvailableError>(), "{err}");
        let err = loop_.sendfile(&transport, &file_of(b"content")?).offset(u64::MAX).await.unwrap_err();
        assert!(err.is_os_error(), "{err}");
        assert!(transport.is_reading());
        transport.write(b"usable")?;
        assert_eq!(end.read_exactly(6).await?, b"usable");
        transport.close();
        Ok(())
    });
}

// ---- ends in the middle

#[test]
fn a_cancelled_sendfile_leaves_a_usable_transport_and_the_position_behind_what_was_sent() {
    over_each_wire(async |wire, nursery| {
        let (transport, mut end) = connected(wire, &nursery).await?;
        let (loop_, content) = (Loop::new(&nursery), pattern(large(wire)));
        let file = file_of(&content)?;
        let (inner, sender, sent_file) = (loop_.clone(), transport.clone(), file.try_clone()?);
        let task = loop_.create_task(async move { inner.sendfile(&sender, &sent_file).await });
        assert!(end.read_exactly(10).await? == content[..10]);
        turns(20).await;
        task.cancel();
        turns(2).await;
        assert!(task.cancelled());
        let n_sent = position(&file)? as usize;
        assert!(0 < n_sent && n_sent < large(wire), "{n_sent}");
        assert!(transport.is_reading() && !transport.is_closing());
        transport.write(b"after")?;
        assert!(end.read_exactly(n_sent - 10).await? == content[10..n_sent]);
        assert_eq!(end.read_exactly(5).await?, b"after");
        transport.close();
        Ok(())
    });
}

#[test]
fn close_and_abort_end_it_with_an_error() {
    over_each_wire(async |wire, nursery| {
        for is_abort in [false, true] {
            let trace = Trace::new();
            let (transport, _end) = wire.connect(&nursery, trace.wrap(Scripted::new())).await?;
            let sent = sends(&Loop::new(&nursery), &transport, &file_of(&pattern(large(wire)))?)?;
            turns(20).await;
            assert!(sent.borrow().is_none());
            if is_abort {
                transport.abort()
            } else {
                transport.close()
            }
            if wire == Wire::Memory && !is_abort {
                // The fallback has written what close() still wants to send.
                transport.abort();
            }
            until(|| sent.borrow().is_some()).await;
            let err = sent.take().expect("it has ended").unwrap_err();
            assert_eq!(kind(&err), Some(io::ErrorKind::ConnectionReset), "{err}");
            until(|| trace.count("lost None") == 1).await;
            trace.assert_complete();
        }
        Ok(())
    });
}

#[test]
fn a_reset_ends_it_and_the_connection_with_the_same_error() {
    over_each_wire(async |wire, nursery| {
        let (reports, lost) = (Reports::of(&nursery), Rc::new(RefCell::new(None)));
        let told = lost.clone();
        let protocol = Scripted::new().on_lost(move |_, exc| {
            told.replace(exc);
            Ok(())
        });
        let trace = Trace::new();
        let (transport, mut end) = wire.connect(&nursery, trace.wrap(protocol)).await?;
        let sent = sends(&Loop::new(&nursery), &transport, &file_of(&pattern(large(wire)))?)?;
        end.read_exactly(10).await?;
        end.reset();
        until(|| sent.borrow().is_some()).await;
        let err = sent.take().expect("it has ended").unwrap_err();
        until(|| lost.borrow().is_some()).await;
        let exc = lost.take().expect("the connection has an error");
        let kinds = [io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe];
        assert!(kind(&err).is_some_and(|kind| kinds.contains(&kind)), "{err}");
        assert!(kind(&exc).is_some_and(|kind| kinds.contains(&kind)), "{exc}");
        assert!(transport.is_closing());
        assert_eq!(reports.take(), Vec::<String>::new());
        trace.assert_complete();
        Ok(())
    });
}

#[test]
fn the_end_of_the_nursery_ends_it() {
    over_each_wire(async |wire, nursery| {
        let (trace, file) = (Trace::new(), file_of(&pattern(large(wire)))?);
        let inner = trace.clone();
        let ended = foster_compat::open_nursery(async |nested: Nursery| {
            let (transport, _end) = wire.connect(&nested, inner.wrap(Scripted::new())).await?;
            let loop_ = Loop::new(&nested);
            let _sent = sends(&loop_, &transport, &file)?;
            turns(20).await;
            nested.cancel();
            sleep(Duration::from_secs(3600)).await;
            Ok(())
        })
        .await?;
        assert!(ended.is_none());
        trace.assert_complete();
        drop(nursery);
        Ok(())
    });
}

#[test]
fn batched_writes_of_a_callback_go_before_a_file_that_it_starts() {
    real(async |nursery| {
        let (loop_, file) = (Loop::new(&nursery), Rc::new(file_of(b"content")?));
        let protocol = Scripted::new()
            .on_made(|transport| {
                transport.set_write_batching(true);
                Ok(())
            })
            .on_data(move |transport, _| {
                transport.write(b"head ")?;
                let (loop_, file, sender) = (loop_.clone(), file.clone(), transport.clone());
                transport.start_soon(async move {
                    loop_.sendfile(&sender, &file).await?;
                    sender.close();
                    Ok(())
                });
                Ok(())
            });
        let (_, mut end) = Wire::Socket.connect(&nursery, Trace::new().wrap(protocol)).await?;
        end.send(b"GET").await?;
        assert_eq!(end.read_to_end().await?.0, b"head content");
        Ok(())
    });
}

#[test]
fn a_file_that_nobody_reads_keeps_a_bounded_buffer() {
    stage::paused(async |nursery| {
        let (transport, _, _end) = testing::connect(&nursery, Scripted::new());
        let sent = sends(&Loop::new(&nursery), &transport, &file_of(&pattern(large(Wire::Memory)))?)?;
        sleep(Duration::from_secs(60)).await;
        assert!(sent.borrow().is_none());
        assert!(transport.get_write_buffer_size() <= 128 * 1024, "{}", transport.get_write_buffer_size());
        transport.abort();
        Ok(())
    });
}
