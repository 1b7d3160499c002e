//! tokio's traits on streams: `AsyncRead`, `AsyncBufRead` and `AsyncWrite` as libraries use them.

#![cfg(feature = "testing")]

mod stage;

use std::io::{self, IoSlice};
use std::time::Duration;

use foster_compat::testing::{self, Peer};
use foster_compat::{
    AsyncIo, Error, Nursery, Result, StreamReader, StreamReaderProtocol, StreamWriter, move_on_after, open_connection,
    start_server,
};
use stage::{address, paused, real, turns};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};

const HIGH: usize = 64 * 1024;
const MAX_WRITE: usize = 256 * 1024;

async fn connect(nursery: &Nursery) -> Result<(AsyncIo, Peer)> {
    let reader = StreamReader::with_limit(1000)?;
    let (transport, _, peer) = testing::connect(nursery, StreamReaderProtocol::new(reader.clone()));
    turns(2).await;
    let writer = StreamWriter::new(transport, Some(reader.clone()));
    Ok((AsyncIo::new(reader, writer), peer))
}

fn fed(data: &[u8]) -> Result<StreamReader> {
    let reader = StreamReader::new();
    reader.feed_data(data)?;
    Ok(reader)
}

#[test]
fn async_read_gives_what_is_unread_and_waits_for_more() {
    paused(async |nursery| {
        let (mut io, peer) = connect(&nursery).await?;
        peer.send(b"abc");
        let mut buffer = [0; 2];
        assert_eq!(io.read(&mut buffer).await?, 2);
        assert_eq!(&buffer, b"ab");
        assert_eq!(io.read(&mut []).await?, 0);
        nursery.start_soon(async move {
            turns(3).await;
            peer.send(b"defg");
            peer.close_write();
            turns(3).await;
        });
        io.read_exact(&mut buffer).await?;
        assert_eq!(&buffer, b"cd");
        let mut rest = Vec::new();
        io.read_to_end(&mut rest).await?;
        assert_eq!(rest, b"efg");
        assert_eq!(io.read(&mut buffer).await?, 0);
        Ok(())
    });
}

#[test]
fn async_buf_read_lends_without_losing_a_byte_between_the_two_ways_to_read() {
    paused(async |_| {
        let mut reader = fed(b"one\ntwo\nthree\nfour")?;
        let mut line = String::new();
        reader.read_line(&mut line).await?;
        assert_eq!(line, "one\n");
        assert_eq!(reader.fill_buf().await?, b"two\nthree\nfour");
        reader.feed_data(b" and five\n")?;
        assert_eq!(reader.readline().await?, b"two\n", "a read of the reader's own puts back what is lent");
        assert_eq!(reader.fill_buf().await?, b"three\nfour and five\n");
        reader.consume(3);
        assert_eq!(format!("{reader:?}"), "StreamReader(17 bytes)");
        let mut two = [0; 2];
        reader.read_exact(&mut two).await?;
        assert_eq!(&two, b"ee");
        reader.feed_eof();
        assert!(!reader.at_eof());
        let lines = reader.fill_buf().await?.len();
        reader.consume(lines + 1_000_000);
        assert!(reader.at_eof());
        assert!(reader.fill_buf().await?.is_empty());
        Ok(())
    });
}

#[test]
fn what_one_clone_has_borrowed_another_cannot_read_before_it_is_back() {
    paused(async |_| {
        let mut reader = fed(b"abcdef")?;
        let other = reader.clone();
        reader.fill_buf().await?;
        reader.consume(1);
        let err = other.read(1).await.unwrap_err();
        assert_eq!(err.to_string(), "read() called while another coroutine is already waiting for incoming data");
        other.feed_data(b"gh")?;
        drop(reader);
        assert_eq!(other.read(100).await?, b"bcdefgh");
        Ok(())
    });
}

#[test]
fn what_is_borrowed_counts_as_unread_and_consuming_it_resumes_the_transport() {
    paused(async |nursery| {
        let (io, peer) = connect(&nursery).await?;
        let (mut reader, writer) = io.into_parts();
        peer.send(vec![b'x'; 2001]);
        turns(3).await;
        assert!(!writer.transport().is_reading());
        assert_eq!(reader.fill_buf().await?.len(), 2001);
        reader.consume(1000);
        assert!(!writer.transport().is_reading());
        reader.consume(1);
        assert!(writer.transport().is_reading());
        peer.send(vec![b'y'; 1001]);
        turns(3).await;
        assert!(!writer.transport().is_reading(), "1000 borrowed and 1001 more");
        Ok(())
    });
}

#[test]
fn an_exception_of_the_connection_is_an_io_error_of_its_kind() {
    paused(async |nursery| {
        let (mut io, peer) = connect(&nursery).await?;
        peer.reset();
        let mut buffer = [0; 10];
        assert_eq!(io.read(&mut buffer).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(io.fill_buf().await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(io.write(b"x").await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(io.flush().await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(io.shutdown().await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);

        let mut reader = fed(b"")?;
        reader.set_exception(Error::msg("what happened"));
        let err = AsyncReadExt::read(&mut reader, &mut buffer).await.unwrap_err();
        assert_eq!((err.kind(), err.to_string().as_str()), (io::ErrorKind::Other, "what happened"));
        Ok(())
    });
}

#[test]
fn a_peer_that_does_not_read_holds_writes_and_flushes_back() {
    paused(async |nursery| {
        let (mut io, peer) = connect(&nursery).await?;
        let transport = io.writer().transport();
        peer.set_capacity(0);
        assert_eq!(io.write(&vec![b'x'; 10 * MAX_WRITE]).await?, MAX_WRITE, "one write is bounded");
        assert!(transport.is_writing_paused());
        let second = Duration::from_secs(1);
        assert!(move_on_after(second, io.write(b"y")).await.is_none());
        assert!(move_on_after(second, io.flush()).await.is_none());
        assert_eq!(transport.get_write_buffer_size(), MAX_WRITE);
        peer.set_capacity(MAX_WRITE);
        io.flush().await?;
        io.write_all(b"y").await?;
        assert_eq!(peer.read_exactly(MAX_WRITE + 1).await.last(), Some(&b'y'));
        Ok(())
    });
}

#[test]
fn a_vectored_write_reaches_the_peer_as_one() {
    paused(async |nursery| {
        let (mut io, peer) = connect(&nursery).await?;
        let n = io.write_vectored(&[IoSlice::new(b"ab"), IoSlice::new(b""), IoSlice::new(b"c")]).await?;
        assert_eq!((n, peer.received().as_slice(), peer.n_writes()), (3, b"abc".as_slice(), 1));
        assert_eq!(io.write_vectored(&[IoSlice::new(b"")]).await?, 0);
        let piece = vec![b'z'; 10_000];
        let pieces: Vec<_> = (0..100).map(|_| IoSlice::new(&piece)).collect();
        peer.set_capacity(usize::MAX);
        assert_eq!(io.write_vectored(&pieces).await?, MAX_WRITE);
        assert_eq!(peer.read_exactly(MAX_WRITE).await.len(), MAX_WRITE);
        Ok(())
    });
}

#[test]
fn shutdown_ends_the_writing_side_alone() {
    paused(async |nursery| {
        let (mut io, peer) = connect(&nursery).await?;
        peer.set_capacity(10);
        io.write_all(&[b'x'; 1000]).await?;
        io.shutdown().await?;
        assert_eq!(io.write(b"more").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(peer.read_to_end().await.len(), 1000);
        peer.send(b"answer");
        peer.close_write();
        let mut answer = String::new();
        io.read_to_string(&mut answer).await?;
        assert_eq!(answer, "answer");
        io.writer().close();
        io.flush().await?;
        io.shutdown().await?;
        assert_eq!(io.write(b"more").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        Ok(())
    });
}

#[test]
fn tokios_own_copy_runs_from_stream_to_stream() {
    const SIZE: usize = 3_000_000;
    real(async |nursery| {
        let server = start_server(
            &nursery,
            async |mut reader: StreamReader, mut writer: StreamWriter| {
                tokio::io::copy_buf(&mut reader, &mut writer).await?;
                writer.shutdown().await?;
                Ok(())
            },
            "127.0.0.1",
            0,
        )
        .await?;
        let (reader, writer) = open_connection(&nursery, "127.0.0.1", address(&server).port()).await?;
        let (mut read, mut write) = tokio::io::split(AsyncIo::new(reader, writer));
        let sent: Vec<u8> = (0..SIZE).map(|n| (n % 251) as u8).collect();
        let mut received = Vec::new();
        let (wrote, got) = tokio::join!(
            async {
                write.write_all(&sent).await?;
                write.shutdown().await
            },
            read.read_to_end(&mut received)
        );
        wrote?;
        got?;
        assert!(sent == received);
        server.close();
        Ok(())
    });
}

#[test]
fn half_of_a_wait_may_be_dropped_and_nothing_is_lost() {
    paused(async |nursery| {
        let (mut io, peer) = connect(&nursery).await?;
        let mut buffer = [0; 3];
        assert!(move_on_after(Duration::from_secs(1), io.read(&mut buffer)).await.is_none());
        peer.send(b"abc");
        assert_eq!(io.reader().read(10).await?, b"abc", "the one that gave up is no second reader");
        assert!(move_on_after(Duration::from_secs(1), io.reader().readline()).await.is_none());
        peer.send(b"def");
        io.read_exact(&mut buffer).await?;
        assert_eq!(&buffer, b"def");
        Ok(())
    });
}

#[cfg(feature = "codec")]
#[test]
fn a_codec_of_tokio_util_is_framed_over_a_stream() {
    use futures::{SinkExt as _, StreamExt as _};
    use tokio_util::codec::{Framed, LengthDelimitedCodec, LinesCodec};
    real(async |nursery| {
        let server = start_server(
            &nursery,
            async |reader: StreamReader, writer: StreamWriter| {
                let mut frames = Framed::new(AsyncIo::new(reader, writer), LengthDelimitedCodec::new());
                while let Some(frame) = frames.next().await {
                    let mut frame = frame?;
                    frame.reverse();
                    frames.send(frame.freeze()).await?;
                }
                Ok(())
            },
            "127.0.0.1",
            0,
        )
        .await?;
        let (reader, writer) = open_connection(&nursery, "127.0.0.1", address(&server).port()).await?;
        let mut frames = Framed::new(AsyncIo::new(reader, writer), LengthDelimitedCodec::new());
        for size in [0, 1, 100, HIGH, 1_000_000] {
            let sent: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
            frames.send(bytes::Bytes::from(sent.clone())).await?;
            let mut received = frames.next().await.expect("a frame")?.to_vec();
            received.reverse();
            assert!(sent == received, "{size}");
        }
        drop(frames);
        server.close();

        let (io, peer) = connect(&nursery).await?;
        let mut lines = Framed::new(io, LinesCodec::new());
        peer.send(b"one\ntwo\n");
        assert_eq!(lines.next().await.expect("a line")?, "one");
        lines.send("three").await?;
        assert_eq!(peer.read().await, b"three\n");
        assert_eq!(lines.next().await.expect("a line")?, "two");
        Ok(())
    });
}
