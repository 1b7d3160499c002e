//! Readers, writers, and tasks that wait for a descriptor.

#![cfg(all(feature = "testing", unix))]

mod journal;
mod stage;

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use foster_compat::{
    Closed, ContextVar, Loop, Nursery, Result, RuntimeError, checkpoint, move_on_after, open_nursery, run_here, sleep,
    sleep_forever, wait_readable, wait_writable,
};

use crate::journal::{Boom, Drops, Journal};
use crate::stage::{paused, real, turns, until};

/// Two ends of a socket; ours does not block.
fn pair() -> Result<(Rc<UnixStream>, UnixStream)> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    theirs.set_nonblocking(true)?;
    Ok((Rc::new(ours), theirs))
}

/// Reads at most `n` bytes as text.
fn take(from: &UnixStream, n: usize) -> io::Result<String> {
    let mut data = vec![0; n];
    let n = (&*from).read(&mut data)?;
    Ok(String::from_utf8_lossy(&data[..n]).into_owned())
}

/// A loop on the nursery, with a journal in which its exception handler writes.
fn loop_with_journal(nursery: &Nursery) -> (Loop, Journal) {
    let (loop_, journal) = (Loop::new(nursery), Journal::default());
    journal.report(&loop_);
    (loop_, journal)
}

// ---- readers

#[test]
fn a_reader_is_called_in_each_turn_until_everything_was_read() {
    real(async |nursery| {
        let (loop_, journal) = loop_with_journal(&nursery);
        let (ours, mut theirs) = pair()?;
        let (socket, says) = (ours.clone(), journal.clone());
        loop_.add_reader(&ours, move || {
            says.say(take(&socket, 1)?);
            foster_compat::Ok(())
        })?;
        turns(5).await;
        assert_eq!(journal.said(), "");
        theirs.write_all(b"abc")?;
        turns(10).await;
        assert_eq!(journal.said(), "a b c");
        theirs.write_all(b"d")?;
        turns(10).await;
        assert_eq!(journal.said(), "d");
        Ok(())
    });
}

#[test]
fn a_reader_that_reads_nothing_is_called_once_a_turn() {
    real(async |nursery| {
        let (loop_, _) = loop_with_journal(&nursery);
        let (ours, mut theirs) = pair()?;
        theirs.write_all(b"x")?;
        let n_calls = Rc::new(Cell::new(0));
        let counter = n_calls.clone();
        loop_.add_reader(&ours, move || counter.set(counter.get() + 1))?;
        until(|| n_calls.get() > 0).await;
        turns(1).await;
        let before = n_calls.get();
        turns(100).await;
        assert_eq!(n_calls.get() - before, 100);
        Ok(())
    });
}

#[test]
fn queued_callbacks_come_before_a_reader_and_a_reader_before_timers() {
    real(async |nursery| {
        let (loop_, journal) = loop_with_journal(&nursery);
        let (ours, mut theirs) = pair()?;
        let (inner, says, socket) = (loop_.clone(), journal.clone(), ours.clone());
        loop_.add_reader(&ours, move || {
            says.say("io");
            says.say(format!("removed={}", inner.remove_reader(&*socket)));
        })?;
        turns(3).await;
        theirs.write_all(b"x")?;
        loop_.call_later(Duration::ZERO, journal.says("timer"));
        loop_.call_soon(journal.says("soon"));
        turns(5).await;
        assert_eq!(journal.said(), "soon io removed=true timer");
        Ok(())
    });
}

#[test]
fn for_one_descriptor_the_reader_comes_before_the_writer() {
    real(async |nursery| {
        let (loop_, journal) = loop_with_journal(&nursery);
        let (ours, mut theirs) = pair()?;
        theirs.write_all(b"x")?;
        for _ in 0..3 {
            let (inner, says, socket) = (loop_.clone(), journal.clone(), ours.clone());
            loop_.add_writer(&ours, move || {
                says.say("writer");
                inner.remove_writer(&*socket);
            })?;
            let (inner, says, socket) = (loop_.clone(), journal.clone(), ours.clone());
            loop_.add_reader(&ours, move || {
                says.say("reader");
                inner.remove_reader(&*socket);
            })?;
            turns(3).await;
            assert_eq!(journal.said(), "reader writer");
        }
        Ok(())
    });
}

#[test]
fn removing_a_reader_cancels_it_where_it_is_queued() {
    real(async |nursery| {
        let (loop_, journal) = loop_with_journal(&nursery);
        let (first, mut to_first) = pair()?;
        let (second, mut to_second) = pair()?;
        for (socket, other) in [(&first, &second), (&second, &first)] {
            let (inner, says, other) = (loop_.clone(), journal.clone(), other.clone());
            let own = socket.clone();
            loop_.add_reader(socket, move || {
                says.say(format!("removed={}", inner.remove_reader(&*other)));
                inner.remove_reader(&*own);
            })?;
        }
        turns(3).await;
        to_first.write_all(b"x")?;
        to_second.write_all(b"x")?;
        turns(5).await;
        assert_eq!(journal.said(), "removed=true");
        Ok(())
    });
}

#[test]
fn removing_says_whether_there_was_one_and_takes_a_number() {
    real(async |nursery| {
        let (loop_, journal) = loop_with_journal(&nursery);
        let (ours, mut theirs) = pair()?;
        assert!(!loop_.remove_reader(&*ours));
        assert!(!loop_.remove_writer(&-1));
        let holds = Drops(journal.clone(), "dropped");
        loop_.add_reader(&ours, move || holds.0.say("read"))?;
        assert!(!loop_.remove_writer(&*ours));
        assert!(Loop::new(&nursery).remove_reader(&ours.as_raw_fd()));
        assert_eq!(journal.said(), "dropped");
        assert!(!loop_.remove_reader(&*ours));
        theirs.write_all(b"x")?;
        turns(5).await;
        assert_eq!(journal.said(), "");
        Ok(())
    });
}

#[test]
fn a_reader_replaces_the_one_before_it() {
    real(async |nursery| {
        let (loop_, journal) = loop_with_journal(&nursery);
        let (ours, mut theirs) = pair()?;
        let holds = Drops(journal.clone(), "first-dropped");
        loop_.add_reader(&ours, move || holds.0.say("first"))?;
        theirs.write_all(b"x")?;
        let (socket, says) = (ours.clone(), journal.clone());
        loop_.add_reader(&ours, move || {
            says.say("second");
            take(&socket, 1)?;
            foster_compat::Ok(())
        })?;
        turns(5).await;
        assert_eq!(journal.said(), "first-dropped second");
        Ok(())
    });
}

#[test]
fn a_reader_may_replace_itself_and_is_dropped_when_it_has_returned() {
    real(async |nursery| {
        let (loop_, journal) = loop_with_journal(&nursery);
        let (ours, mut theirs) = pair()?;
        theirs.write_all(b"ab")?;
        let holds = Drops(journal.clone(), "first-dropped");
        let (inner, socket) = (loop_.clone(), ours.clone());
        loop_.add_reader(&ours, move || {
            let says = holds.0.clone();
            says.say(take(&socket, 1)?);
            let (socket, second) = (socket.clone(), says.clone());
            inner.add_reader(&*socket.clone(), move || {
                second.say(take(&socket, 1)?);
                foster_compat::Ok(())
            })?;
            says.say("replaced");
            foster_compat::Ok(())
        })?;
        turns(10).await;
        assert_eq!(journal.said(), "a replaced first-dropped b");
        Ok(())
    });
}

#[test]
fn a_reader_sees_the_context_variables_of_who_added_it() {
    thread_local!(static USER: ContextVar<&'static str> = const { ContextVar::new() });
    real(async |nursery| {
        let (loop_, journal) = loop_with_journal(&nursery);
        let (ours, mut theirs) = pair()?;
        USER.with(|user| user.set("ada"));
        let (says, socket) = (journal.clone(), ours.clone());
        loop_.add_reader(&ours, move || {
            says.say(USER.with(ContextVar::get).unwrap_or("nobody"));
            take(&socket, 1)?;
            foster_compat::Ok(())
        })?;
        USER.with(|user| user.set("bob"));
        theirs.write_all(b"x")?;
        turns(5).await;
        assert_eq!(journal.said(), "ada");
        Ok(())
    });
}

// ---- writers

#[test]
fn a_writer_is_called_while_there_is_room() {
    real(async |nursery| {
        let (loop_, journal) = loop_with_journal(&nursery);
        let (ours, mut theirs) = pair()?;
        let (says, socket) = (journal.clone(), ours.clone());
        loop_.add_writer(&ours, move || {
            // Until the buffer is full.
            while (&*socket).write(&[0; 4096]).is_ok() {}
            says.say("filled");
        })?;
        turns(10).await;
        assert_eq!(journal.said(), "filled");
        while theirs.read(&mut [0; 65536]).is_ok() {}
        turns(10).await;
        assert_eq!(journal.said(), "filled");
        Ok(())
    });
}

// ---- ends and errors of the descriptor

#[test]
fn the_end_of_the_stream_is_a_reason_to_read_and_a_hang_up_one_to_write() {
    real(async |nursery| {
        let (loop_, journal) = loop_with_journal(&nursery);
        let (ours, theirs) = pair()?;
        let (inner, says, socket) = (loop_.clone(), journal.clone(), ours.clone());
        loop_.add_reader(&ours, move || {
            says.say(format!("read={:?}", take(&socket, 1)?));
            inner.remove_reader(&*socket);
            foster_compat::Ok(())
        })?;
        let (full, gone) = pair()?;
        while (&*full).write(&[0; 4096]).is_ok() {}
        let (inner, says, socket) = (loop_.clone(), journal.clone(), full.clone());
        loop_.add_writer(&full, move || {
            says.say("hung-up");
            inner.remove_writer(&*socket);
        })?;
        turns(5).await;
        assert_eq!(journal.said(), "");
        drop((theirs, gone));
        turns(5).await;
        let mut said: Vec<String> = journal.said().split(' ').map(str::to_owned).collect();
        said.sort();
        assert_eq!(said, ["hung-up", "read=\"\""]);
        Ok(())
    });
}

/// A datagram socket that is connected to a port where nobody listens.
fn refused() -> Result<Rc<UdpSocket>> {
    let nobody = UdpSocket::bind("127.0.0.1:0")?;
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(nobody.local_addr()?)?;
    socket.set_nonblocking(true)?;
    Ok(Rc::new(socket))
}

#[test]
fn every_error_of_a_datagram_socket_calls_its_reader() {
    real(async |nursery| {
        let (loop_, journal) = loop_with_journal(&nursery);
        let socket = refused()?;
        let (says, reader) = (journal.clone(), socket.clone());
        loop_.add_reader(&socket, move || match reader.recv(&mut [0; 10]) {
            Ok(n) => says.say(format!("{n} bytes")),
            Err(err) => says.say(format!("{:?}", err.kind())),
        })?;
        for _ in 0..3 {
            socket.send(b"hello")?;
            until(|| !journal.is_empty()).await;
            turns(5).await;
            assert_eq!(journal.said(), "ConnectionRefused");
        }
        Ok(())
    });
}

#[test]
fn the_loop_rests_while_nothing_is_ready_also_after_an_error_was_dealt_with() {
    // The paused clock jumps only when the loop has nothing to do.
    paused(async |nursery| {
        let (loop_, journal) = loop_with_journal(&nursery);
        let (quiet, _theirs) = pair()?;
        loop_.add_reader(&quiet, journal.says_each("quiet"))?;
        let socket = refused()?;
        let reader = socket.clone();
        loop_.add_reader(&socket, move || drop(reader.recv(&mut [0; 10])))?;
        sleep(Duration::from_secs(3600)).await;
        socket.send(b"hello")?;
        sleep(Duration::from_secs(3600)).await;
        turns(10).await;
        sleep(Duration::from_secs(3600)).await;
        assert_eq!(journal.said(), "");
        Ok(())
    });
}

#[test]
fn a_regular_file_is_refused_in_words_that_say_what_to_do() {
    real(async |nursery| {
        let loop_ = Loop::new(&nursery);
        let file = std::fs::File::open(file!()).or_else(|_| std::fs::File::open("Cargo.toml"))?;
        let number = file.as_raw_fd();
        let refusals = [
            loop_.add_reader(&file, || ()),
            loop_.add_writer(&file, || ()),
            wait_readable(&file).await,
            wait_writable(&file).await,
        ];
        for err in refusals.map(|refusal| refusal.expect_err("a file is always ready")) {
            let kind = err.downcast_ref::<io::Error>().map(io::Error::kind);
            assert_eq!(kind, Some(io::ErrorKind::PermissionDenied), "{err}");
            let wanted = format!("descriptor {number} cannot be watched: ");
            assert!(err.to_string().starts_with(&wanted) && err.to_string().contains("run_in_executor"), "{err}");
        }
        assert!(!loop_.remove_reader(&file) && !loop_.remove_writer(&file));
        Ok(())
    });
}

// ---- errors of the callback

#[test]
fn an_error_goes_to_the_handler_and_the_reader_stays() {
    real(async |nursery| {
        let (loop_, journal) = loop_with_journal(&nursery);
        let (ours, mut theirs) = pair()?;
        let socket = ours.clone();
        loop_.add_reader(&ours, move || {
            take(&socket, 1)?;
            Err::<(), _>(foster_compat::Error::new(Boom))
        })?;
        theirs.write_all(b"ab")?;
        turns(10).await;
        assert_eq!(journal.said(), "[Exception in callback: boom] [Exception in callback: boom]");
        assert!(loop_.remove_reader(&*ours));
        Ok(())
    });
}

#[test]
fn a_panic_goes_to_the_handler_and_the_reader_is_removed() {
    real(async |nursery| {
        let (loop_, journal) = loop_with_journal(&nursery);
        let (ours, mut theirs) = pair()?;
        loop_.add_reader(&ours, || -> () { panic!("bang") })?;
        theirs.write_all(b"ab")?;
        turns(10).await;
        assert_eq!(journal.said(), "[Exception in callback: panicked: bang]");
        assert!(!loop_.remove_reader(&*ours));
        Ok(())
    });
}

// ---- their life

#[test]
fn readers_and_writers_do_not_keep_the_nursery_open_and_end_with_it() {
    real(async |_| {
        let journal = Journal::default();
        let (ours, mut theirs) = pair()?;
        open_nursery(async |nursery: Nursery| {
            let loop_ = Loop::new(&nursery);
            for word in ["one-dropped", "two-dropped"] {
                let holds = Drops(journal.clone(), word);
                let call = move || holds.0.say("called");
                let added =
                    if word == "one-dropped" { loop_.add_reader(&ours, call) } else { loop_.add_writer(&ours, call) };
                added?;
            }
            Ok(())
        })
        .await?;
        let mut said: Vec<String> = journal.said().split(' ').map(str::to_owned).collect();
        said.retain(|word| word != "called");
        said.sort();
        assert_eq!(said, ["one-dropped", "two-dropped"]);
        // No duplicate keeps the socket open.
        drop(ours);
        assert_eq!(theirs.read(&mut [0])?, 0);
        Ok(())
    });
}

#[test]
fn a_cancelled_nursery_calls_no_reader_any_more() {
    real(async |_| {
        let journal = Journal::default();
        let (ours, mut theirs) = pair()?;
        open_nursery(async |nursery: Nursery| {
            let loop_ = Loop::new(&nursery);
            let holds = Drops(journal.clone(), "dropped");
            loop_.add_reader(&ours, move || holds.0.say("read"))?;
            turns(3).await;
            theirs.write_all(b"x")?;
            nursery.cancel();
            sleep_forever().await;
            Ok(())
        })
        .await?;
        assert_eq!(journal.said(), "dropped");
        Ok(())
    });
}

#[tokio::test]
async fn the_readers_of_a_loop_that_is_dropped_are_dropped_with_it() {
    let journal = Journal::default();
    let (ours, mut theirs) = pair().expect("a pair of sockets");
    let socket = ours.clone();
    let holds = Drops(journal.clone(), "dropped");
    let loop_ = run_here(async move {
        let loop_ = foster_compat::get_running_loop()?;
        loop_.add_reader(&socket, move || holds.0.say("read"))?;
        foster_compat::Ok(loop_)
    })
    .await
    .expect("it ends well");
    assert_eq!(journal.said(), "dropped");
    let err = loop_.add_reader(&ours, || ()).expect_err("the loop is over");
    assert!(err.is::<RuntimeError>() && err.to_string() == "Event loop is closed", "{err}");
    assert!(!loop_.remove_reader(&*ours));
    drop((ours, loop_));
    assert_eq!(theirs.read(&mut [0]).expect("the other end is closed"), 0);
}

#[test]
fn a_closed_loop_and_an_ended_nursery_take_no_reader() {
    real(async |_| {
        let (ours, _theirs) = pair()?;
        let (closed, ended) = open_nursery(async |nursery: Nursery| {
            let (closed, ended) = (Loop::new(&nursery), Loop::new(&nursery));
            closed.close();
            Ok((closed, ended))
        })
        .await?
        .expect("the body has ended");
        let err = closed.add_reader(&ours, || ()).expect_err("the loop is closed");
        assert!(err.is::<RuntimeError>() && err.to_string() == "Event loop is closed", "{err}");
        assert!(ended.add_writer(&ours, || ()).expect_err("the nursery has ended").is::<Closed>());
        assert!(!ended.remove_reader(&*ours) && !ended.remove_writer(&*ours));
        Ok(())
    });
}

// ---- tasks that wait

#[test]
fn a_task_waits_until_a_descriptor_can_be_read() {
    real(async |nursery| {
        let journal = Journal::default();
        let (ours, mut theirs) = pair()?;
        for word in ["one", "two"] {
            let (socket, says) = (ours.clone(), journal.clone());
            nursery.start_soon(async move {
                wait_readable(&*socket).await?;
                says.say(word);
                foster_compat::Ok(())
            });
        }
        turns(10).await;
        assert_eq!(journal.said(), "");
        theirs.write_all(b"x")?;
        turns(10).await;
        let said = journal.said();
        assert!(["one two", "two one"].contains(&&*said), "{said}");
        Ok(())
    });
}

#[test]
fn a_task_waits_until_a_descriptor_can_be_written_although_tokio_has_it_registered() {
    real(async |nursery| {
        let (ours, theirs) = tokio::net::UnixStream::pair()?;
        while ours.try_write(&[0; 4096]).is_ok() {}
        let is_done = Rc::new(Cell::new(false));
        let done = is_done.clone();
        nursery.start_soon(async move {
            wait_writable(&ours).await?;
            assert!(ours.try_write(b"x").is_ok());
            done.set(true);
            foster_compat::Ok(())
        });
        turns(10).await;
        assert!(!is_done.get());
        wait_readable(&theirs).await?;
        while theirs.try_read(&mut [0; 65536]).is_ok() {}
        until(|| is_done.get()).await;
        Ok(())
    });
}

#[test]
fn waiting_gives_way_and_a_cancelled_wait_keeps_nothing_open() {
    real(async |nursery| {
        let (ours, mut theirs) = pair()?;
        let journal = Journal::default();
        let says = journal.clone();
        nursery.start_soon(async move { says.say("other") });
        wait_writable(&*ours).await?;
        assert_eq!(journal.said(), "other");
        assert!(move_on_after(Duration::from_millis(1), wait_readable(&*ours)).await.is_none());
        drop(ours);
        checkpoint().await;
        assert_eq!(theirs.read(&mut [0])?, 0);
        Ok(())
    });
}
