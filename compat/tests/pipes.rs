//! Pipe transports: which descriptors they take, how each half ends, and that nothing of them is left.

#![cfg(all(feature = "testing", unix))]

mod log;
mod stage;

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::future::{Future, poll_fn};
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::process::Command;
use std::rc::Rc;
use std::task::Poll;

use foster_compat::testing::{Silent, Trace, Traced};
use foster_compat::{
    Buffered, BufferedProtocol, Error, Loop, NotImplementedError, Result, Shared, TransportRef, ValueError,
    connect_read_pipe, connect_write_pipe, open_nursery, shield, sleep,
};
use log::Logged;
use rustix::fs::{OFlags, fcntl_getfl};
use rustix::pipe::{PipeFlags, pipe_with};
use stage::{Reports, Scripted, bounded, real, turns, until};
use tokio::io::AsyncReadExt;

/// A pipe, reading end first.
fn pipe() -> Result<(OwnedFd, OwnedFd)> {
    Ok(pipe_with(PipeFlags::CLOEXEC)?)
}

/// Reads the rest of a pipe on the loop's runtime.
async fn read_all(pipe: OwnedFd) -> Result<Vec<u8>> {
    let mut data = Vec::new();
    tokio::net::unix::pipe::Receiver::from_owned_fd(pipe)?.read_to_end(&mut data).await?;
    Ok(data)
}

/// What a protocol has written down in all.
fn recorded() -> (Trace, impl FnOnce() -> Traced<Silent>) {
    let trace = Trace::new();
    let recorder = trace.recorder();
    (trace, || recorder)
}

// ---- reading

#[test]
fn a_read_pipe_pauses_resumes_and_closes() {
    real(async |nursery| {
        let (trace, recorder) = recorded();
        let (reading, writing) = pipe()?;
        let (transport, _) = connect_read_pipe(&nursery, recorder, reading).await?;
        trace.mark("connect_read_pipe returned");
        assert!(transport.is_reading());
        transport.pause_reading();
        transport.pause_reading();
        assert!(!transport.is_reading());
        rustix::io::write(&writing, b"abc")?;
        turns(20).await;
        trace.mark("resume");
        transport.resume_reading();
        until(|| trace.count("data") == 1).await;
        transport.close();
        assert!(transport.is_closing());
        assert!(transport.closed().await.is_none());
        let expected = ["made", "connect_read_pipe returned", "resume", "data 'abc'", "lost None"];
        assert_eq!(trace.lines(), expected);
        Ok(())
    });
}

#[test]
fn the_end_of_a_read_pipe_comes_after_its_data_and_the_answer_to_it_says_nothing() {
    real(async |nursery| {
        let trace = Trace::new();
        let protocol = trace.wrap(Scripted::new().on_eof(|transport| {
            assert!(transport.is_closing());
            transport.close();
            Ok(true)
        }));
        let (reading, writing) = pipe()?;
        rustix::io::write(&writing, b"last words")?;
        drop(writing);
        let (transport, _) = connect_read_pipe(&nursery, || protocol, reading).await?;
        trace.mark("connect_read_pipe returned");
        assert!(transport.closed().await.is_none());
        let expected = ["made", "connect_read_pipe returned", "data 'last words'", "eof", "lost None"];
        assert_eq!(trace.lines(), expected);
        Ok(())
    });
}

#[test]
fn an_error_of_data_received_is_only_reported_and_a_panic_ends_the_pipe() {
    real(async |nursery| {
        let reports = Reports::of(&nursery);
        let trace = Trace::new();
        let protocol = trace.wrap(Scripted::new().on_data(|_, data| match data {
            b"panic" => panic!("no more"),
            _ => Err(Error::msg("boom")),
        }));
        let (reading, writing) = pipe()?;
        let (transport, _) = connect_read_pipe(&nursery, || protocol, reading).await?;
        rustix::io::write(&writing, b"one")?;
        until(|| trace.count("data") == 1).await;
        assert_eq!(reports.take(), ["Exception in callback data_received: boom"]);
        assert!(transport.is_reading());
        rustix::io::write(&writing, b"panic")?;
        let exc = transport.closed().await.expect("the panic ended it");
        assert_eq!(exc.to_string(), "panicked: no more");
        assert_eq!(reports.take(), ["Exception in callback data_received: panicked: no more"]);
        assert_eq!(trace.lines(), ["made", "data 'one'", "data 'panic'", "lost panicked: no more"]);
        Ok(())
    });
}

#[test]
fn the_writing_half_of_a_read_pipe_says_that_it_does_not_exist() {
    real(async |nursery| {
        let (trace, recorder) = recorded();
        let (reading, writing) = pipe()?;
        let (transport, _) = connect_read_pipe(&nursery, recorder, reading).await?;
        for refused in [transport.write(b"x"), transport.write(b""), transport.writelines(&[]), transport.write_eof()] {
            assert!(refused.is_err_and(|err| err.is::<NotImplementedError>()));
        }
        assert!(!transport.can_write_eof());
        assert!(!transport.is_writing_paused());
        assert_eq!(transport.get_write_buffer_size(), 0);
        transport.drained().await?;
        transport.set_write_batching(true);
        assert!(transport.get_extra_info("socket").is_none());
        assert!(transport.peername().is_none() && transport.sockname().is_none());
        let pipe = transport.get_extra_info("pipe").and_then(|info| info.into_pipe()).expect("it has a pipe");
        let is_nonblocking = pipe.with_fd(|fd| fcntl_getfl(fd).map(|flags| flags.contains(OFlags::NONBLOCK)))??;
        assert!(is_nonblocking);
        transport.abort();
        assert!(transport.closed().await.is_none());
        assert!(pipe.with_fd(|_| ()).is_err_and(|err| err.kind() == ErrorKind::NotConnected));
        assert_eq!(trace.lines(), ["made", "lost None"]);
        drop(writing);
        Ok(())
    });
}

#[test]
fn a_megabyte_arrives_whole_in_reads_of_at_most_256_kib() {
    real(async |nursery| {
        let total = Rc::new(Cell::new(0));
        let counted = total.clone();
        let protocol = Scripted::new().on_data(move |_, data| {
            assert!(!data.is_empty() && data.len() <= 256 * 1024);
            assert!(data.iter().all(|byte| *byte == b'm'));
            counted.set(counted.get() + data.len());
            Ok(())
        });
        let (reading, writing) = pipe()?;
        let (reader, _) = connect_read_pipe(&nursery, || protocol, reading).await?;
        let (writer, _) = connect_write_pipe(&nursery, Scripted::new, writing).await?;
        writer.write(&vec![b'm'; 1024 * 1024])?;
        writer.write_eof()?;
        assert!(reader.closed().await.is_none());
        assert_eq!(total.get(), 1024 * 1024);
        Ok(())
    });
}

#[test]
fn a_buffered_protocol_reads_a_pipe_into_its_own_buffer() {
    #[derive(Default)]
    struct Keeps {
        buffer: [u8; 3],
        data: Rc<RefCell<Vec<u8>>>,
    }

    impl BufferedProtocol for Keeps {
        fn get_buffer(&mut self, _hint: Option<usize>) -> Result<&mut [u8]> {
            Ok(&mut self.buffer)
        }

        fn buffer_updated(&mut self, n: usize) -> Result<()> {
            self.data.borrow_mut().extend(&self.buffer[..n]);
            Ok(())
        }
    }

    real(async |nursery| {
        let keeps = Keeps::default();
        let data = keeps.data.clone();
        let (reading, writing) = pipe()?;
        rustix::io::write(&writing, b"0123456789")?;
        drop(writing);
        let (transport, _) = connect_read_pipe(&nursery, || Buffered(keeps), reading).await?;
        assert!(transport.closed().await.is_none());
        assert_eq!(*data.borrow(), b"0123456789");
        Ok(())
    });
}

#[test]
fn a_terminal_is_read_line_by_line_and_its_hangup_is_not_reported() {
    use rustix::fs::{Mode, open};
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    real(async |nursery| {
        let reports = Reports::of(&nursery);
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let slave = open(ptsname(&master, Vec::new())?, flags, Mode::empty())?;
        let lines = Rc::new(RefCell::new(Vec::new()));
        let kept = lines.clone();
        let protocol = Scripted::new().on_data(move |_, data| {
            kept.borrow_mut().push(String::from_utf8_lossy(data).into_owned());
            Ok(())
        });
        rustix::io::write(&master, b"first\nsecond\n")?;
        let (reader, _) = connect_read_pipe(&nursery, || protocol, slave).await?;
        until(|| lines.borrow().len() == 2).await;
        assert_eq!(*lines.borrow(), ["first\n", "second\n"]);
        reader.close();
        reader.closed().await;

        // With the last slave closed a read from the master fails with EIO.
        let (trace, recorder) = recorded();
        let (transport, _) = connect_read_pipe(&nursery, recorder, master).await?;
        let exc = transport.closed().await.expect("the hangup is an error");
        assert_eq!(exc.downcast_ref::<std::io::Error>().and_then(std::io::Error::raw_os_error), Some(5));
        assert_eq!(trace.count("eof"), 0);
        assert!(reports.take().is_empty());
        Ok(())
    });
}

// ---- writing

#[test]
fn a_write_pipe_whose_reader_closes_with_nothing_left_to_send_is_lost_without_an_error() {
    real(async |nursery| {
        let (trace, recorder) = recorded();
        let (reading, writing) = pipe()?;
        let (transport, _) = connect_write_pipe(&nursery, recorder, writing).await?;
        trace.mark("connect_write_pipe returned");
        assert!(!transport.is_reading());
        transport.pause_reading();
        transport.resume_reading();
        transport.write(b"x")?;
        assert_eq!(transport.get_write_buffer_size(), 0, "the first write goes out at once");
        turns(5).await;
        assert!(!transport.is_closing());
        drop(reading);
        assert!(transport.closed().await.is_none());
        assert_eq!(trace.lines(), ["made", "connect_write_pipe returned", "lost None"]);
        Ok(())
    });
}

#[test]
fn a_write_pipe_whose_reader_closes_with_something_left_to_send_is_broken() {
    real(async |nursery| {
        let reports = Reports::of(&nursery);
        let (trace, recorder) = recorded();
        let (reading, writing) = pipe()?;
        let (transport, _) = connect_write_pipe(&nursery, recorder, writing).await?;
        transport.write(&[0; 200_000])?;
        assert!(transport.is_writing_paused());
        drop(reading);
        transport.closed().await;
        assert_eq!(trace.lines(), ["made", "pause_writing", "lost BrokenPipe"]);
        assert!(reports.take().is_empty());
        Ok(())
    });
}

#[test]
fn a_write_to_a_broken_pipe_ends_it_in_the_next_turn() {
    real(async |nursery| {
        let (trace, recorder) = recorded();
        let (reading, writing) = pipe()?;
        let (transport, _) = connect_write_pipe(&nursery, recorder, writing).await?;
        drop(reading);
        transport.write(b"x")?;
        assert!(transport.is_closing());
        assert_eq!(trace.count("lost"), 0);
        turns(1).await;
        assert_eq!(trace.lines(), ["made", "lost BrokenPipe"]);
        Ok(())
    });
}

#[test]
fn close_of_a_write_pipe_flushes_first_and_what_is_written_after_it_is_dropped() {
    for shared in [false, true] {
        real(async |nursery| {
            let trace = Trace::new();
            let (reading, writing) = pipe()?;
            let transport = if shared {
                let recorder = trace.recorder();
                connect_write_pipe(&nursery, || Shared(recorder), writing).await?.0
            } else {
                let recorder = trace.recorder();
                connect_write_pipe(&nursery, || recorder, writing).await?.0
            };
            transport.write(&[b'x'; 200_000])?;
            transport.close();
            transport.write(b"no")?;
            transport.writelines(&[b"no", b"no"])?;
            assert!(transport.can_write_eof());
            assert!(transport.is_closing());
            let data = read_all(reading).await?;
            assert_eq!(data, [b'x'; 200_000]);
            assert!(transport.closed().await.is_none());
            assert_eq!(trace.lines(), ["made", "pause_writing", "resume_writing", "lost None"]);
            Ok(())
        });
    }
}

#[test]
fn write_eof_of_a_write_pipe_is_close() {
    real(async |nursery| {
        let (trace, recorder) = recorded();
        let (reading, writing) = pipe()?;
        let (transport, _) = connect_write_pipe(&nursery, recorder, writing).await?;
        transport.writelines(&[b"a", b"", b"bc"])?;
        transport.write_eof()?;
        transport.write_eof()?;
        transport.write(b"dropped")?;
        assert!(transport.closed().await.is_none());
        assert_eq!(read_all(reading).await?, b"abc");
        assert_eq!(trace.lines(), ["made", "lost None"]);
        Ok(())
    });
}

#[test]
fn abort_of_a_write_pipe_drops_what_is_left_and_cuts_a_close() {
    for close_first in [false, true] {
        real(async |nursery| {
            let (trace, recorder) = recorded();
            let (reading, writing) = pipe()?;
            let (transport, _) = connect_write_pipe(&nursery, recorder, writing).await?;
            transport.write(&[0; 200_000])?;
            if close_first {
                transport.close();
                turns(2).await;
                assert_eq!(trace.count("lost"), 0);
            }
            transport.abort();
            assert_eq!(transport.get_write_buffer_size(), 0);
            assert!(transport.closed().await.is_none());
            assert_eq!(trace.lines(), ["made", "pause_writing", "lost None"]);
            assert!(read_all(reading).await?.len() < 200_000);
            Ok(())
        });
    }
}

#[test]
fn the_sixth_write_to_a_closed_pipe_logs_a_warning() {
    let logged = Logged::default();
    let _guard = tracing::subscriber::set_default(logged.clone());
    real(async |nursery| {
        let (_reading, writing) = pipe()?;
        let (transport, _) = connect_write_pipe(&nursery, Scripted::new, writing).await?;
        transport.close();
        for n in 1..=7_usize {
            transport.write(b"x")?;
            assert_eq!(logged.lines().len(), n.saturating_sub(5), "after {n} writes");
        }
        transport.write(b"")?;
        assert_eq!(logged.lines(), ["pipe closed by peer or os.write(pipe, data) raised exception."; 2]);
        Ok(())
    });
}

// ---- descriptors

#[test]
fn a_regular_file_is_refused_and_closed() {
    real(async |nursery| {
        let path = std::env::temp_dir().join(format!("foster-pipes-{}", std::process::id()));
        std::fs::write(&path, b"content")?;
        let (trace, recorder) = recorded();
        let err = connect_read_pipe(&nursery, recorder, File::open(&path)?).await.map(drop).unwrap_err();
        assert!(err.is::<ValueError>());
        assert_eq!(err.to_string(), "Pipe transport is for pipes/sockets only.");
        let (more, recorder) = recorded();
        let file = File::options().write(true).open(&path)?;
        let err = connect_write_pipe(&nursery, recorder, file).await.map(drop).unwrap_err();
        assert!(err.is::<ValueError>());
        assert_eq!(err.to_string(), "Pipe transport is only for pipes, sockets and character devices");
        turns(3).await;
        assert!(trace.lines().is_empty() && more.lines().is_empty());
        assert_eq!(nursery.n_children(), 0);
        std::fs::remove_file(&path)?;
        Ok(())
    });
}

#[test]
fn sockets_are_pipes_too() {
    real(async |nursery| {
        let (read_trace, recorder) = recorded();
        let (a, b) = UnixStream::pair()?;
        let (reader, _) = connect_read_pipe(&nursery, recorder, a).await?;
        let (write_trace, recorder) = recorded();
        let (writer, _) = connect_write_pipe(&nursery, recorder, b).await?;
        writer.write(b"through a socket")?;
        until(|| read_trace.count("data") == 1).await;
        turns(5).await;
        assert!(!writer.is_closing(), "an idle socket is not closed");
        reader.close();
        assert!(writer.closed().await.is_none());
        assert_eq!(read_trace.lines(), ["made", "data 'through a socket'", "lost None"]);
        assert_eq!(write_trace.lines(), ["made", "lost None"]);
        Ok(())
    });
}

#[test]
fn devices_that_cannot_be_polled_are_read_and_written_without_starving_anybody() {
    real(async |nursery| {
        let trace = Trace::new();
        let n_reads = Rc::new(Cell::new(0));
        let counted = n_reads.clone();
        let protocol = Scripted::new().on_data(move |_, data| {
            assert!(data.iter().all(|byte| *byte == 0));
            counted.set(counted.get() + 1);
            Ok(())
        });
        let (zero, _) = connect_read_pipe(&nursery, || protocol, File::open("/dev/zero")?).await?;
        until(|| n_reads.get() > 3).await;
        zero.close();
        let recorder = trace.recorder();
        let null = File::options().write(true).open("/dev/null")?;
        let (null, _) = connect_write_pipe(&nursery, || recorder, null).await?;
        null.write(&[0; 200_000])?;
        assert_eq!(null.get_write_buffer_size(), 0);
        null.close();
        null.closed().await;
        assert_eq!(trace.lines(), ["made", "lost None"]);
        Ok(())
    });
}

#[test]
fn the_wrong_end_of_a_pipe_is_refused() {
    real(async |nursery| {
        let (reading, writing) = pipe()?;
        let err = connect_read_pipe(&nursery, Scripted::new, writing).await.map(drop).unwrap_err();
        assert_eq!(err.to_string(), "the descriptor is not open for reading");
        let err = connect_write_pipe(&nursery, Scripted::new, reading).await.map(drop).unwrap_err();
        assert_eq!(err.to_string(), "the descriptor is not open for writing");
        Ok(())
    });
}

#[test]
fn an_error_of_reading_is_reported_and_given_to_connection_lost() {
    real(async |nursery| {
        let reports = Reports::of(&nursery);
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        let client = std::net::TcpStream::connect(listener.local_addr()?)?;
        let (server, _) = listener.accept()?;
        let (trace, recorder) = recorded();
        let (transport, _) = connect_read_pipe(&nursery, recorder, client).await?;
        socket2::SockRef::from(&server).set_linger(Some(std::time::Duration::ZERO))?;
        drop(server);
        transport.closed().await;
        assert_eq!(trace.lines(), ["made", "lost ConnectionReset"]);
        let reports = reports.take();
        assert!(reports.len() == 1 && reports[0].starts_with("Fatal read error on pipe transport: "), "{reports:?}");
        Ok(())
    });
}

#[cfg(any(feature = "tls", feature = "tls-aws-lc"))]
#[test]
fn a_pipe_cannot_be_upgraded_to_tls() {
    use foster_compat::{SslContext, TypeError, start_tls};
    real(async |nursery| {
        let context = SslContext::client().build()?;
        let (reading, writing) = pipe()?;
        let (reader, _) = connect_read_pipe(&nursery, Scripted::new, reading).await?;
        let (writer, _) = connect_write_pipe(&nursery, Scripted::new, writing).await?;
        for transport in [&reader, &writer] {
            let err = start_tls(transport, &context).server_hostname("localhost").await.map(drop).unwrap_err();
            assert!(err.is::<TypeError>() && err.to_string().ends_with("is not supported by start_tls()"), "{err}");
        }
        writer.close();
        reader.closed().await;
        Ok(())
    });
}

#[test]
fn a_cancelled_nursery_ends_its_pipes() {
    let trace = Trace::new();
    bounded(false, async {
        let (reading, writing) = pipe()?;
        let (other_reading, other_writing) = pipe()?;
        open_nursery(async |nursery| {
            let recorder = trace.recorder();
            connect_read_pipe(&nursery, || recorder, reading).await?;
            let recorder = trace.recorder();
            let (writer, _) = connect_write_pipe(&nursery, || recorder, other_writing).await?;
            writer.write(&[0; 200_000])?;
            assert_eq!(nursery.n_children(), 2);
            nursery.cancel();
            Ok(())
        })
        .await?;
        assert_eq!(rustix::io::write(&writing, b"x"), Err(rustix::io::Errno::PIPE));
        assert!(read_all(other_reading).await?.len() < 200_000);
        Ok(())
    })
    .expect("the test ends in time");
    trace.assert_complete();
    assert_eq!(trace.count("lost None"), 2);
}

#[test]
fn connecting_that_is_dropped_aborts_the_pipe() {
    let trace = Trace::new();
    let recorder = trace.recorder();
    let (reading, writing) = pipe().expect("there are pipes");
    real(async |nursery| {
        let mut connecting = Box::pin(connect_read_pipe(&nursery, || recorder, reading));
        assert!(is_pending(&mut connecting).await, "it waits for connection_made");
        drop(connecting);
        Ok(())
    });
    assert_eq!(rustix::io::write(&writing, b"x"), Err(rustix::io::Errno::PIPE));
    trace.assert_complete();
}

#[test]
fn the_loop_has_both_verbs() {
    real(async |nursery| {
        let loop_ = Loop::new(&nursery);
        let (reading, writing) = pipe()?;
        let (trace, recorder) = recorded();
        let (reader, _) = loop_.connect_read_pipe(recorder, reading).await?;
        let (writer, _): (TransportRef, _) = loop_.connect_write_pipe(Scripted::new, writing).await?;
        writer.write(b"hello")?;
        writer.close();
        reader.closed().await;
        assert_eq!(trace.lines(), ["made", "data 'hello'", "eof", "lost None"]);
        Ok(())
    });
}

#[test]
fn a_pipe_transport_owns_one_descriptor() {
    if !in_process_of_its_own("a_pipe_transport_owns_one_descriptor") {
        return;
    }
    real(async |nursery| {
        let count = || std::fs::read_dir("/dev/fd").map_or(0, Iterator::count);
        // What the loop itself needs is open by now.
        let (warm_up, _) = connect_read_pipe(&nursery, Scripted::new, pipe()?.0).await?;
        warm_up.closed().await;
        let n_before = count();
        for _ in 0..20 {
            let (reading, writing) = pipe()?;
            let file = File::open("/proc/self/exe").or_else(|_| File::open("/bin/sh"))?;
            assert!(connect_read_pipe(&nursery, Scripted::new, file).await.is_err());
            let (null, _) =
                connect_write_pipe(&nursery, Scripted::new, File::options().write(true).open("/dev/null")?).await?;
            let (reader, _) = connect_read_pipe(&nursery, Scripted::new, reading).await?;
            let (writer, _) = connect_write_pipe(&nursery, Scripted::new, writing).await?;
            assert_eq!(count(), n_before + 3);
            null.abort();
            writer.close();
            reader.closed().await;
            null.closed().await;
            writer.closed().await;
            shield(sleep(std::time::Duration::ZERO)).await;
            assert_eq!(count(), n_before);
        }
        Ok(())
    });
}

/// Runs the test called `name` again in another process; true inside it.
fn in_process_of_its_own(name: &str) -> bool {
    const INSIDE: &str = "FOSTER_TEST_PROCESS";
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let status = Command::new(std::env::current_exe().expect("the test has a path"))
        .args(["--exact", name, "--nocapture"])
        .env(INSIDE, "1")
        .status()
        .expect("the test can be run");
    assert!(status.success(), "{name} failed in its process: {status}");
    false
}

/// Polls a future once and says whether it waits.
async fn is_pending<F: Future + Unpin>(future: &mut F) -> bool {
    poll_fn(|cx| Poll::Ready(Pin::new(&mut *future).poll(cx).is_pending())).await
}
