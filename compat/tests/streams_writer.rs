//! `StreamWriter` and `StreamReaderProtocol` over a connection in memory: flow control both ways, `drain`, closing.

#![cfg(feature = "testing")]

mod stage;

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;

use foster_compat::testing::{self, Peer};
use foster_compat::{
    Error, Nursery, Protocol, Result, RuntimeError, StreamReader, StreamReaderProtocol, StreamWriter, TransportRef,
};
use stage::{Reports, paused, turns};

const HIGH: usize = 64 * 1024;
const MAX_READ: usize = 256 * 1024;

/// A reader and a writer whose peer the test holds.
async fn connect(nursery: &Nursery, limit: usize) -> Result<(StreamReader, StreamWriter, Peer)> {
    let reader = StreamReader::with_limit(limit)?;
    let (transport, _, peer) = testing::connect(nursery, StreamReaderProtocol::new(reader.clone()));
    turns(2).await;
    Ok((reader.clone(), StreamWriter::new(transport, Some(reader)), peer))
}

/// As [`connect`], with a peer that takes nothing and a writer that is paused.
async fn connect_paused(nursery: &Nursery) -> Result<(StreamReader, StreamWriter, Peer)> {
    let (reader, writer, peer) = connect(nursery, 1000).await?;
    peer.set_capacity(0);
    writer.write(vec![b'x'; HIGH + 1])?;
    assert!(writer.transport().is_writing_paused());
    Ok((reader, writer, peer))
}

/// Starts a drain and keeps what comes of it.
fn drain_in_task(nursery: &Nursery, writer: &StreamWriter) -> Rc<RefCell<Option<Result<()>>>> {
    let outcome = Rc::new(RefCell::new(None));
    let (keeps, transport) = (outcome.clone(), writer.clone());
    nursery.start_soon(async move {
        let drained = transport.drain().await;
        keeps.replace(Some(drained));
    });
    outcome
}

fn kind(err: &Error) -> Option<io::ErrorKind> {
    err.downcast_ref::<io::Error>().map(io::Error::kind)
}

#[test]
fn what_is_unread_stays_below_twice_the_limit_and_one_read() {
    paused(async |nursery| {
        let (reader, writer, peer) = connect(&nursery, 1000).await?;
        let transport = writer.transport();
        peer.send(vec![b'x'; 2000]);
        turns(3).await;
        assert!(transport.is_reading(), "twice the limit itself does not pause");
        peer.send(b"y");
        turns(3).await;
        assert!(!transport.is_reading());
        peer.send(vec![b'z'; 3 * MAX_READ]);
        turns(10).await;
        assert_eq!(format!("{reader:?}"), "StreamReader(2001 bytes, paused)");
        reader.readexactly(1000).await?;
        assert!(!transport.is_reading());
        reader.readexactly(1).await?;
        assert!(transport.is_reading(), "the limit resumes");
        turns(10).await;
        assert_eq!(format!("{reader:?}"), format!("StreamReader({} bytes, paused)", 1000 + MAX_READ));
        Ok(())
    });
}

#[test]
fn a_read_of_more_than_the_limits_resumes_the_transport() {
    paused(async |nursery| {
        let (reader, writer, peer) = connect(&nursery, 10).await?;
        peer.send(vec![b'x'; MAX_READ + 5]);
        peer.send(b"\n");
        turns(5).await;
        assert!(!writer.transport().is_reading());
        assert_eq!(reader.readexactly(MAX_READ + 3).await?.len(), MAX_READ + 3);
        assert_eq!(reader.readline().await?, b"xx\n");
        peer.send(vec![b'x'; 100]);
        turns(3).await;
        assert!(!writer.transport().is_reading());
        peer.send(vec![b'x'; MAX_READ]);
        peer.close_write();
        assert_eq!(reader.read_to_end().await?.len(), MAX_READ + 100);
        Ok(())
    });
}

#[test]
fn drain_gives_way_only_where_the_transport_is_closing() {
    paused(async |nursery| {
        let (_reader, writer, _peer) = connect(&nursery, 1000).await?;
        let has_given_way = Rc::new(Cell::new(false));
        let flag = has_given_way.clone();
        nursery.start_soon(async move { flag.set(true) });
        writer.write(b"abc")?;
        writer.drain().await?;
        assert!(!has_given_way.get());
        writer.close();
        let err = writer.drain().await.unwrap_err();
        assert!(has_given_way.get());
        assert_eq!((kind(&err), err.to_string().as_str()), (Some(io::ErrorKind::ConnectionReset), "Connection lost"));
        Ok(())
    });
}

#[test]
fn several_drains_wait_for_the_low_mark() {
    paused(async |nursery| {
        let (_reader, writer, peer) = connect_paused(&nursery).await?;
        let drains = [drain_in_task(&nursery, &writer), drain_in_task(&nursery, &writer)];
        turns(5).await;
        assert!(drains.iter().all(|drain| drain.borrow().is_none()));
        peer.set_capacity(HIGH);
        turns(5).await;
        assert!(drains.iter().all(|drain| matches!(*drain.borrow(), Some(Ok(())))));
        Ok(())
    });
}

#[test]
fn every_drain_that_waits_gets_what_the_connection_was_lost_with() {
    paused(async |nursery| {
        let (reader, writer, peer) = connect_paused(&nursery).await?;
        let drains = [drain_in_task(&nursery, &writer), drain_in_task(&nursery, &writer)];
        turns(3).await;
        peer.reset();
        turns(5).await;
        for drain in drains {
            let drain = drain.take().expect("the drain has ended").unwrap_err();
            assert!(drain.ptr_eq(&reader.exception().expect("the reader has it too")));
            assert_eq!(kind(&drain), Some(io::ErrorKind::ConnectionReset));
        }
        assert!(writer.drain().await.unwrap_err().ptr_eq(&reader.exception().unwrap()), "the reader's goes first");
        assert!(writer.wait_closed().await.unwrap_err().ptr_eq(&reader.exception().unwrap()));
        Ok(())
    });
}

#[test]
fn an_abort_ends_a_drain_with_connection_lost() {
    paused(async |nursery| {
        let (_reader, writer, _peer) = connect_paused(&nursery).await?;
        let drain = drain_in_task(&nursery, &writer);
        turns(3).await;
        writer.transport().abort();
        turns(5).await;
        assert_eq!(drain.take().expect("the drain has ended").unwrap_err().to_string(), "Connection lost");
        writer.wait_closed().await
    });
}

#[test]
fn a_drain_that_is_cancelled_takes_nothing_back() {
    paused(async |nursery| {
        let (_reader, writer, peer) = connect_paused(&nursery).await?;
        assert!(foster_compat::move_on_after(std::time::Duration::from_secs(1), writer.drain()).await.is_none());
        peer.set_capacity(HIGH * 2);
        writer.drain().await?;
        assert_eq!(peer.read_exactly(HIGH + 1).await.len(), HIGH + 1);
        Ok(())
    });
}

#[test]
fn write_after_write_eof_is_a_runtime_error_and_reading_goes_on() {
    paused(async |nursery| {
        let (reader, writer, peer) = connect(&nursery, 1000).await?;
        assert!(writer.can_write_eof());
        writer.writelines(&[b"ab", b"c"])?;
        writer.write_eof()?;
        let err = writer.write(b"d").unwrap_err();
        assert!(err.is::<RuntimeError>());
        assert_eq!(err.to_string(), "Cannot call write() after write_eof()");
        assert_eq!(peer.read_to_end().await, b"abc");
        peer.send(b"answer");
        peer.close_write();
        assert_eq!(reader.read_to_end().await?, b"answer");
        assert!(!writer.is_closing());
        Ok(())
    });
}

#[test]
fn the_end_of_the_peers_stream_leaves_the_writing_side_open() {
    paused(async |nursery| {
        let (reader, writer, peer) = connect(&nursery, 1000).await?;
        peer.send(b"q");
        peer.close_write();
        assert_eq!(reader.read_to_end().await?, b"q");
        assert!(reader.at_eof());
        assert!(!writer.is_closing());
        writer.write(b"late")?;
        writer.close();
        writer.wait_closed().await?;
        assert_eq!(peer.read_to_end().await, b"late");
        Ok(())
    });
}

#[test]
fn the_last_clone_of_the_writer_closes_the_transport_and_sends_what_is_written() {
    paused(async |nursery| {
        let (reader, writer, peer) = connect(&nursery, 1000).await?;
        peer.set_capacity(10);
        let (transport, clone) = (writer.transport(), writer.clone());
        writer.write(vec![b'x'; 1000])?;
        drop(writer);
        turns(3).await;
        assert!(!transport.is_closing());
        drop(clone);
        assert!(transport.is_closing());
        assert_eq!(peer.read_to_end().await.len(), 1000);
        assert_eq!(transport.closed().await.map(|exc| exc.to_string()), None);
        assert_eq!(reader.read_to_end().await?, b"", "close ends the stream for the reader");
        Ok(())
    });
}

#[test]
fn a_failing_client_connected_cb_closes_the_transport() {
    paused(async |nursery| {
        let reports = Reports::of(&nursery);
        let protocol = StreamReaderProtocol::with_client_connected_cb(StreamReader::new(), |_reader, writer| {
            writer.write(b"hello")?;
            Err::<(), _>(Error::msg("boom"))
        });
        let (_transport, _, peer) = testing::connect(&nursery, protocol);
        assert_eq!(peer.read_to_end().await, b"hello");
        peer.closed().await;
        assert_eq!(reports.take(), ["Exception in callback connection_made: boom"]);
        Ok(())
    });
}

/// A subclass of `StreamReaderProtocol`, as ports write it.
struct Counting {
    base: StreamReaderProtocol,
    n_bytes: usize,
}

impl Protocol for Counting {
    fn connection_made(&mut self, transport: TransportRef) -> Result<()> {
        self.base.connection_made(transport)
    }

    fn data_received(&mut self, data: &[u8]) -> Result<()> {
        self.n_bytes += data.len();
        self.base.data_received(data)
    }

    fn eof_received(&mut self) -> Result<bool> {
        self.base.eof_received()
    }

    fn connection_lost(&mut self, exc: Option<Error>) -> Result<()> {
        self.base.connection_lost(exc)
    }
}

#[test]
fn a_protocol_can_stand_on_stream_reader_protocol() {
    paused(async |nursery| {
        let lines = Rc::new(RefCell::new(Vec::new()));
        let (said, tasks) = (lines.clone(), nursery.clone());
        let base = StreamReaderProtocol::with_client_connected_cb(StreamReader::new(), move |reader, writer| {
            tasks.start_soon(async move {
                let line = reader.readline().await?;
                writer.write(&line)?;
                said.borrow_mut().push(line);
                Ok(())
            });
        });
        let (_transport, handle, peer) = testing::connect(&nursery, Counting { base, n_bytes: 0 });
        peer.send(b"a line\nand more");
        assert_eq!(peer.read_to_end().await, b"a line\n");
        assert_eq!(*lines.borrow(), [b"a line\n"]);
        assert_eq!(handle.with(|protocol| protocol.n_bytes), 15);
        Ok(())
    });
}

#[test]
fn a_reader_that_nobody_reads_costs_a_known_amount() {
    paused(async |nursery| {
        let (reader, writer, peer) = connect(&nursery, 1000).await?;
        drop(reader);
        for _ in 0..20 {
            peer.send(vec![0; MAX_READ]);
            turns(2).await;
        }
        assert!(!writer.transport().is_reading());
        assert!(format!("{writer:?}").contains("262144 bytes, paused"), "{writer:?}");
        Ok(())
    });
}
