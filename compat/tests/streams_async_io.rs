//! `connect_async_io`: protocols over streams that are no sockets. What they share with sockets `over_each_wire` holds
//! in the other tests.

#![cfg(feature = "testing")]

mod stage;

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use foster_compat::testing::Trace;
use foster_compat::{
    Buffered, BufferedProtocol, Closed, Nursery, Result, StreamReader, StreamReaderProtocol, StreamWriter, ValueError,
    checkpoint, connect_async_io, open_nursery,
};
use stage::{Reports, Scripted, paused, turns};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufWriter, DuplexStream, ReadBuf, duplex};

#[test]
fn an_echo_over_a_pipe_in_memory_ends_as_on_a_socket() {
    paused(async |nursery| {
        let trace = Trace::new();
        let (mut near, far) = duplex(64);
        let (transport, _) = connect_async_io(&nursery, || trace.wrap(Scripted::echo()), far).await?;
        assert_eq!(trace.lines(), ["made"], "it returns after connection_made");
        near.write_all(b"hello").await?;
        let mut answer = [0; 5];
        near.read_exact(&mut answer).await?;
        assert_eq!(&answer, b"hello");
        near.shutdown().await?;
        assert_eq!(near.read(&mut answer).await?, 0);
        assert!(transport.closed().await.is_none());
        assert_eq!(trace.lines(), ["made", "data 'hello'", "eof", "lost None"]);
        trace.assert_complete();
        Ok(())
    });
}

#[test]
fn it_knows_no_addresses_but_those_it_is_told() {
    paused(async |nursery| {
        let (_near, far) = duplex(64);
        let (transport, _) = connect_async_io(&nursery, Scripted::new, far).await?;
        assert_eq!((transport.peername(), transport.sockname()), (None, None));
        assert!(transport.socket().expect("an object").getpeername().is_err());
        let said = foster_compat::Address::Unix("channel 3".to_owned());
        transport.set_extra_info("peername", foster_compat::ExtraInfo::Address(said.clone()));
        assert_eq!(transport.peername(), Some(said));
        Ok(())
    });
}

#[test]
fn a_peer_that_does_not_read_pauses_the_protocol() {
    paused(async |nursery| {
        const SIZE: usize = 1_000_000;
        let trace = Trace::new();
        let (mut near, far) = duplex(1000);
        let (transport, _) = connect_async_io(&nursery, || trace.wrap(Scripted::new()), far).await?;
        transport.write(&vec![b'x'; SIZE])?;
        assert_eq!(transport.get_write_buffer_size(), SIZE - 1000);
        assert!(transport.is_writing_paused());
        turns(10).await;
        assert_eq!(trace.lines(), ["made", "pause_writing"]);
        transport.close();
        let mut data = Vec::new();
        near.read_to_end(&mut data).await?;
        assert_eq!(data.len(), SIZE);
        transport.closed().await;
        assert_eq!(trace.lines(), ["made", "pause_writing", "resume_writing", "lost None"]);
        Ok(())
    });
}

#[test]
fn a_paused_protocol_holds_the_peer_back_and_nothing_is_missed() {
    paused(async |nursery| {
        let trace = Trace::new();
        let (mut near, far) = duplex(10);
        let (transport, _) = connect_async_io(&nursery, || trace.wrap(Scripted::new()), far).await?;
        turns(3).await;
        transport.pause_reading();
        near.write_all(b"0123456789").await?;
        let second = std::time::Duration::from_secs(1);
        assert!(foster_compat::move_on_after(second, near.write_all(b"x")).await.is_none());
        assert_eq!(trace.lines(), ["made"]);
        transport.resume_reading();
        turns(3).await;
        near.shutdown().await?;
        transport.closed().await;
        assert_eq!(trace.lines(), ["made", "data '0123456789'", "eof", "lost None"]);
        Ok(())
    });
}

#[test]
fn each_direction_ends_by_itself() {
    paused(async |nursery| {
        let trace = Trace::new();
        let (mut near, far) = duplex(64);
        let protocol = trace.wrap(Scripted::new().on_eof(|_| Ok(true)));
        let (transport, _) = connect_async_io(&nursery, || protocol, far).await?;
        near.write_all(b"q").await?;
        near.shutdown().await?;
        turns(5).await;
        assert_eq!(trace.lines(), ["made", "data 'q'", "eof"]);
        assert!(!transport.is_closing());
        transport.write(b"late")?;
        transport.write_eof()?;
        let mut answer = String::new();
        near.read_to_string(&mut answer).await?;
        assert_eq!(answer, "late");
        assert!(transport.write(b"x").is_err());
        transport.close();
        transport.closed().await;
        assert_eq!(trace.lines(), ["made", "data 'q'", "eof", "lost None"]);
        Ok(())
    });
}

#[test]
fn a_protocol_with_a_buffer_of_its_own_is_asked_once_for_each_read() {
    #[derive(Default)]
    struct Into {
        buffer: Vec<u8>,
        log: Rc<RefCell<Vec<String>>>,
    }
    impl BufferedProtocol for Into {
        fn get_buffer(&mut self, _sizehint: Option<usize>) -> Result<&mut [u8]> {
            self.log.borrow_mut().push("get".to_owned());
            self.buffer = vec![0; 1000];
            Ok(&mut self.buffer)
        }

        fn buffer_updated(&mut self, nbytes: usize) -> Result<()> {
            self.log.borrow_mut().push(format!("updated {nbytes}"));
            Ok(())
        }

        fn eof_received(&mut self) -> Result<bool> {
            self.log.borrow_mut().push("eof".to_owned());
            Ok(false)
        }
    }
    paused(async |nursery| {
        let log = Rc::new(RefCell::new(Vec::new()));
        let (mut near, far) = duplex(10_000);
        let protocol = Into { log: log.clone(), ..Into::default() };
        let (transport, _) = connect_async_io(&nursery, || Buffered(protocol), far).await?;
        turns(5).await;
        assert!(log.borrow().is_empty(), "nothing has come yet: {log:?}");
        near.write_all(&[b'x'; 1500]).await?;
        turns(5).await;
        assert_eq!(*log.borrow(), ["get", "updated 1000", "get", "updated 500"]);
        near.write_all(b"y").await?;
        near.shutdown().await?;
        transport.closed().await;
        assert_eq!(log.borrow()[4..], ["get", "updated 1", "get", "eof"]);
        Ok(())
    });
}

// ---- streams that do what sockets do not

/// A stream whose parts the test decides.
struct Odd {
    inner: DuplexStream,
    script: Rc<Script>,
}

#[derive(Default)]
struct Script {
    read_error: Cell<Option<io::ErrorKind>>,
    write_error: Cell<Option<io::ErrorKind>>,
    panics: Cell<bool>,
    holds_flush: Cell<bool>,
    holds_shutdown: Cell<bool>,
    n_shutdowns: Cell<u32>,
    is_dropped: Cell<bool>,
    wakers: RefCell<Vec<Waker>>,
}

impl Script {
    fn change(&self, change: impl FnOnce(&Self)) {
        change(self);
        self.wakers.take().into_iter().for_each(Waker::wake);
    }
}

impl AsyncRead for Odd {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.script.wakers.borrow_mut().push(cx.waker().clone());
        assert!(!self.script.panics.get(), "a broken stream");
        match self.script.read_error.take() {
            Some(kind) => Poll::Ready(Err(kind.into())),
            None => Pin::new(&mut self.inner).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Odd {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        match self.script.write_error.take() {
            Some(kind) => Poll::Ready(Err(kind.into())),
            None => Pin::new(&mut self.inner).poll_write(cx, data),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.script.wakers.borrow_mut().push(cx.waker().clone());
        if self.script.holds_flush.get() { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.script.wakers.borrow_mut().push(cx.waker().clone());
        self.script.n_shutdowns.set(self.script.n_shutdowns.get() + 1);
        if self.script.holds_shutdown.get() { Poll::Pending } else { Pin::new(&mut self.inner).poll_shutdown(cx) }
    }
}

impl Drop for Odd {
    fn drop(&mut self) {
        self.script.is_dropped.set(true);
    }
}

fn odd() -> (DuplexStream, Odd, Rc<Script>) {
    let (near, inner) = duplex(64);
    let script = Rc::<Script>::default();
    (near, Odd { inner, script: script.clone() }, script)
}

#[test]
fn an_error_of_the_stream_ends_the_connection_with_it() {
    paused(async |nursery| {
        for is_reading in [true, false] {
            let trace = Trace::new();
            let (_near, odd, script) = odd();
            let (transport, _) = connect_async_io(&nursery, || trace.wrap(Scripted::new()), odd).await?;
            turns(3).await;
            if is_reading {
                script.change(|script| script.read_error.set(Some(io::ErrorKind::ConnectionReset)));
            } else {
                script.write_error.set(Some(io::ErrorKind::BrokenPipe));
                transport.write(b"x")?;
                assert!(transport.is_closing());
            }
            let exc = transport.closed().await.expect("an error");
            assert_eq!(
                exc.downcast_ref::<io::Error>().map(io::Error::kind),
                Some(if is_reading { io::ErrorKind::ConnectionReset } else { io::ErrorKind::BrokenPipe })
            );
            assert_eq!(script.n_shutdowns.get(), 0, "there is nobody to say goodbye to");
            trace.assert_complete();
        }
        Ok(())
    });
}

#[test]
fn a_panic_of_the_stream_is_its_error_and_nobody_elses() {
    paused(async |nursery| {
        let reports = Reports::of(&nursery);
        let trace = Trace::new();
        let (_near, odd, script) = odd();
        let (transport, _) = connect_async_io(&nursery, || trace.wrap(Scripted::new()), odd).await?;
        turns(3).await;
        script.change(|script| script.panics.set(true));
        assert_eq!(transport.closed().await.expect("an error").to_string(), "panicked: a broken stream");
        assert_eq!(reports.take(), [] as [&str; 0], "an io::Error is not reported");
        assert!(script.is_dropped.get());
        trace.assert_complete();
        Ok(())
    });
}

#[test]
fn a_close_waits_until_the_stream_is_flushed() {
    paused(async |nursery| {
        let trace = Trace::new();
        let (mut near, odd, script) = odd();
        let (transport, _) = connect_async_io(&nursery, || trace.wrap(Scripted::new()), odd).await?;
        script.holds_flush.set(true);
        for data in [b"a".as_slice(), b"bc", b"def"] {
            transport.write(data)?;
            turns(2).await;
        }
        assert_eq!(transport.get_write_buffer_size(), 6, "nothing is written again before it is flushed");
        transport.close();
        turns(10).await;
        assert_eq!(trace.lines(), ["made"]);
        script.change(|script| script.holds_flush.set(false));
        let mut data = String::new();
        near.read_to_string(&mut data).await?;
        assert_eq!(data, "abcdef");
        transport.closed().await;
        assert_eq!((script.n_shutdowns.get(), script.is_dropped.get()), (1, true));
        trace.assert_complete();
        Ok(())
    });
}

#[test]
fn what_a_buffered_stream_keeps_is_sent_without_another_write() {
    paused(async |nursery| {
        let (mut near, far) = duplex(64);
        let far = BufWriter::with_capacity(1000, far);
        let (transport, _) = connect_async_io(&nursery, Scripted::new, far).await?;
        transport.write(&[b'x'; 500])?;
        let mut data = [0; 500];
        near.read_exact(&mut data).await?;
        assert_eq!(transport.get_write_buffer_size(), 0);
        transport.writelines(&[b"one", b"", b"two"])?;
        near.read_exact(&mut data[..6]).await?;
        assert_eq!(&data[..6], b"onetwo");
        Ok(())
    });
}

#[test]
fn a_shutdown_that_takes_its_time_is_driven_to_its_end() {
    paused(async |nursery| {
        let (mut near, odd, script) = odd();
        let (transport, _) = connect_async_io(&nursery, Scripted::new, odd).await?;
        script.holds_shutdown.set(true);
        transport.write_eof()?;
        turns(5).await;
        script.change(|script| script.holds_shutdown.set(false));
        let mut data = Vec::new();
        near.read_to_end(&mut data).await?;
        let n_shutdowns = script.n_shutdowns.get();
        near.write_all(b"still read").await?;
        transport.close();
        transport.closed().await;
        assert_eq!((script.n_shutdowns.get(), script.is_dropped.get()), (n_shutdowns, true), "once is enough");
        Ok(())
    });
}

#[test]
fn an_abort_says_no_goodbye() {
    paused(async |nursery| {
        let trace = Trace::new();
        let (mut near, odd, script) = odd();
        let (transport, _) = connect_async_io(&nursery, || trace.wrap(Scripted::new()), odd).await?;
        transport.write(&[b'x'; 100])?;
        transport.abort();
        transport.closed().await;
        assert_eq!((script.n_shutdowns.get(), script.is_dropped.get()), (0, true));
        let mut data = Vec::new();
        near.read_to_end(&mut data).await?;
        assert_eq!(data.len(), 64, "what the stream had taken");
        assert_eq!(trace.lines(), ["made", "lost None"]);
        Ok(())
    });
}

#[test]
fn cancelling_the_nursery_ends_the_connection_and_drops_the_stream() {
    paused(async |_| {
        let trace = Trace::new();
        let (_near, odd, script) = odd();
        script.holds_shutdown.set(true);
        open_nursery(async |inner: Nursery| {
            let (transport, _) = connect_async_io(&inner, || trace.wrap(Scripted::new()), odd).await?;
            transport.write_eof()?;
            checkpoint().await;
            inner.cancel();
            Ok(())
        })
        .await?;
        assert_eq!(trace.lines(), ["made", "lost None"]);
        assert!(script.is_dropped.get());
        Ok(())
    });
}

#[test]
fn a_waker_of_another_thread_reaches_the_protocol() {
    stage::real(async |nursery| {
        let trace = Trace::new();
        let (near, far) = duplex(16);
        let (transport, _) = connect_async_io(&nursery, || trace.wrap(Scripted::echo()), far).await?;
        let thread = std::thread::spawn(move || {
            let mut near = near;
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            runtime.block_on(async move {
                let mut answer = Vec::new();
                for n in 0..1000u32 {
                    near.write_all(&n.to_be_bytes()).await.expect("it is written");
                    let mut four = [0; 4];
                    near.read_exact(&mut four).await.expect("it is echoed");
                    answer.push(u32::from_be_bytes(four));
                }
                answer
            })
        });
        assert!(transport.closed().await.is_none());
        assert!(thread.join().expect("no panic").into_iter().eq(0..1000));
        Ok(())
    });
}

#[test]
fn what_makes_no_sense_is_refused_and_the_stream_dropped() {
    paused(async |nursery| {
        let (_near, odd_one, script) = odd();
        let refused = connect_async_io(&nursery, Scripted::new, odd_one).write_buffer_limits(Some(1), Some(2)).await;
        assert!(refused.unwrap_err().is::<ValueError>() && script.is_dropped.get());

        let (_near, odd_one, script) = odd();
        let failing = || Err::<Scripted, _>(foster_compat::Error::msg("no protocol"));
        let refused = connect_async_io(&nursery, Scripted::new, odd_one).try_factory(failing).await;
        assert!(refused.unwrap_err().to_string() == "no protocol" && script.is_dropped.get());

        let mut kept = None;
        open_nursery(async |inner: Nursery| {
            kept = Some(inner);
            Ok(())
        })
        .await?;
        let (_near, odd_one, script) = odd();
        let ended = kept.expect("the nursery was kept");
        let refused = connect_async_io(&ended, Scripted::new, odd_one).await;
        assert!(refused.unwrap_err().is::<Closed>() && script.is_dropped.get());
        Ok(())
    });
}

#[test]
fn streams_run_over_it_too() {
    paused(async |nursery| {
        let (mut near, far) = duplex(64);
        let reader = StreamReader::new();
        let (transport, _) = connect_async_io(&nursery, || StreamReaderProtocol::new(reader.clone()), far).await?;
        let writer = StreamWriter::new(transport, Some(reader.clone()));
        near.write_all(b"a line\n").await?;
        assert_eq!(reader.readline().await?, b"a line\n");
        writer.write(b"an answer\n")?;
        writer.drain().await?;
        drop(writer);
        let mut answer = String::new();
        near.read_to_string(&mut answer).await?;
        assert_eq!(answer, "an answer\n");
        Ok(())
    });
}
