//! Codecs of tokio-util as protocols.

#![cfg(all(feature = "codec", feature = "testing"))]

mod cuts;
mod stage;

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use cuts::assert_the_same_however_cut;
use foster_compat::framing::{BufferLimitError, FrameBase, FrameProtocol, FrameReceiver};
use foster_compat::testing::{self, Peer};
use foster_compat::{Error, Nursery, Protocol, Result, RuntimeError, TransportRef, create_server};
use stage::{Reports, address, paused, real, turns};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::codec::{Decoder, Encoder, LengthDelimitedCodec, LinesCodec, LinesCodecError};

/// Writes down its lines, answers each, and does what it says.
struct Lines(Rc<RefCell<Vec<String>>>);

impl FrameReceiver for Lines {
    type Codec = LinesCodec;

    fn codec(&self) -> LinesCodec {
        LinesCodec::new_with_max_length(10)
    }

    fn frame_received(&mut self, base: &FrameBase<LinesCodec>, line: String) -> Result<()> {
        match &*line {
            "pause" => base.transport.pause_reading(),
            "close" => base.transport.close(),
            _ => {}
        }
        base.send(&line)?;
        self.0.borrow_mut().push(line);
        Ok(())
    }

    fn eof_received(&mut self, _base: &FrameBase<LinesCodec>) -> Result<bool> {
        self.0.borrow_mut().push("eof".to_owned());
        Ok(false)
    }

    fn connection_lost(&mut self, _base: &FrameBase<LinesCodec>, exc: Option<Error>) -> Result<()> {
        self.0.borrow_mut().push(exc.map_or("lost".to_owned(), |err| format!("lost {err}")));
        Ok(())
    }
}

fn connect(nursery: &Nursery) -> (Rc<RefCell<Vec<String>>>, TransportRef, Peer) {
    let said: Rc<RefCell<Vec<String>>> = Rc::default();
    let (transport, _, peer) = testing::connect(nursery, FrameProtocol::new(Lines(said.clone())));
    (said, transport, peer)
}

/// Strings behind a length, as tokio-util frames them.
#[derive(Default)]
struct Strings(Vec<String>);

impl FrameReceiver for Strings {
    type Codec = LengthDelimitedCodec;

    fn codec(&self) -> LengthDelimitedCodec {
        LengthDelimitedCodec::builder().length_field_length(1).new_codec()
    }

    fn frame_received(&mut self, _base: &FrameBase<LengthDelimitedCodec>, frame: BytesMut) -> Result<()> {
        self.0.push(String::from_utf8_lossy(&frame).into_owned());
        Ok(())
    }
}

#[test]
fn frames_are_the_same_however_they_are_cut() {
    let strings = |pieces: &[&[u8]]| {
        let mut protocol = FrameProtocol::<Strings>::default();
        pieces.iter().for_each(|piece| protocol.data_received(piece).expect("it never fails"));
        protocol.with(|strings| std::mem::take(&mut strings.0))
    };
    assert_the_same_however_cut(b"\x03one\0\x05three\x04cut", &["one", "", "three"], strings);
}

#[test]
fn frames_come_in_and_go_out_and_the_last_one_ends_with_the_stream() {
    paused(async |nursery| {
        let (said, transport, peer) = connect(&nursery);
        peer.send(b"one\ntwo\r\nthr");
        turns(3).await;
        assert_eq!(said.take(), ["one", "two"]);
        peer.send(b"ee");
        peer.close_write();
        assert!(transport.closed().await.is_none());
        assert_eq!(said.take(), ["three", "eof", "lost"]);
        assert_eq!(peer.received(), b"one\ntwo\nthree\n");
        Ok(())
    });
}

#[test]
fn an_error_of_the_decoder_is_fatal_and_reported() {
    paused(async |nursery| {
        let reports = Reports::of(&nursery);
        let (said, transport, peer) = connect(&nursery);
        peer.send(b"one\n12345678901\ntwo\n");
        let err = transport.closed().await.expect("the line is too long");
        assert!(matches!(err.downcast_ref(), Some(LinesCodecError::MaxLineLengthExceeded)));
        assert_eq!(said.take(), ["one", "lost max line length exceeded"]);
        let told = "Fatal error: protocol.data_received() call failed.: max line length exceeded";
        assert_eq!(reports.take(), [told]);
        Ok(())
    });
}

#[test]
fn a_part_of_a_frame_at_the_end_of_the_stream_is_an_error() {
    paused(async |nursery| {
        let (transport, _, peer) = testing::connect(&nursery, FrameProtocol::<Strings>::default());
        peer.send(b"\x03one\x05th");
        peer.close_write();
        let err = transport.closed().await.expect("a part of a frame is left");
        assert_eq!(err.to_string(), "bytes remaining on stream");
        Ok(())
    });
}

#[test]
fn frames_wait_for_reading_to_be_resumed_and_the_end_of_the_stream_behind_them() {
    paused(async |nursery| {
        let (said, transport, peer) = connect(&nursery);
        peer.send(b"one\npause\ntwo\npause\nlast");
        peer.close_write();
        turns(4).await;
        assert_eq!(said.take(), ["one", "pause"]);
        transport.resume_reading();
        turns(4).await;
        assert_eq!(said.take(), ["two", "pause"]);
        transport.resume_reading();
        turns(4).await;
        assert_eq!(said.take(), ["last", "eof", "lost"]);
        Ok(())
    });
}

#[test]
fn close_inside_a_frame_drops_those_behind_it() {
    paused(async |nursery| {
        let (said, transport, peer) = connect(&nursery);
        peer.send(b"one\nclose\ntwo\n");
        assert!(transport.closed().await.is_none());
        assert_eq!(said.take(), ["one", "close", "lost"]);
        Ok(())
    });
}

// ---- codecs of the tests' own

/// Finds an end only where there is a zero; every other byte is a frame of its own, which it gives one by one.
#[derive(Default)]
struct Burst {
    ready: Vec<u8>,
}

impl Decoder for Burst {
    type Item = u8;
    type Error = io::Error;

    fn decode(&mut self, src: &mut BytesMut) -> io::Result<Option<u8>> {
        if let Some(end) = src.iter().position(|byte| *byte == 0) {
            self.ready.splice(0..0, src[..end].iter().rev().copied());
            src.advance(end + 1);
        }
        Ok(self.ready.pop())
    }
}

impl Encoder<Bytes> for Burst {
    type Error = io::Error;

    fn encode(&mut self, item: Bytes, dst: &mut BytesMut) -> io::Result<()> {
        dst.put_slice(&item);
        if item.is_empty() { Err(io::Error::other("nothing to send")) } else { Ok(()) }
    }
}

#[derive(Default)]
struct Bytewise(Rc<RefCell<Vec<u8>>>);

impl FrameReceiver for Bytewise {
    type Codec = Burst;

    const MAX_LENGTH: usize = 100;

    fn codec(&self) -> Burst {
        Burst::default()
    }

    fn frame_received(&mut self, base: &FrameBase<Burst>, byte: u8) -> Result<()> {
        self.0.borrow_mut().push(byte);
        base.transport.pause_reading();
        Ok(())
    }
}

#[test]
fn a_decoder_that_keeps_frames_of_its_own_is_asked_again_after_a_pause() {
    paused(async |nursery| {
        let said: Rc<RefCell<Vec<u8>>> = Rc::default();
        let (transport, _, peer) = testing::connect(&nursery, FrameProtocol::new(Bytewise(said.clone())));
        peer.send(b"abc\0");
        for expected in [b"a", b"b", b"c"] {
            turns(4).await;
            assert_eq!(said.take(), expected);
            transport.resume_reading();
        }
        Ok(())
    });
}

#[test]
fn a_decoder_that_finds_no_frame_is_bounded() {
    paused(async |nursery| {
        let (transport, _, peer) = testing::connect(&nursery, FrameProtocol::new(Bytewise::default()));
        peer.send([1; 100]);
        turns(3).await;
        assert!(!transport.is_closing());
        peer.send([1]);
        let err = transport.closed().await.expect("that is too much");
        let err = err.downcast_ref::<BufferLimitError>().expect("that is what it is for");
        assert_eq!((err.n_bytes(), err.max()), (101, 100));
        Ok(())
    });
}

#[test]
fn an_error_of_the_encoder_sends_nothing() {
    paused(async |nursery| {
        let (_, handle, peer) = testing::connect(&nursery, FrameProtocol::new(Bytewise::default()));
        turns(2).await;
        let base = handle.with(|protocol| protocol.base());
        base.send(Bytes::from_static(b"sent"))?;
        assert_eq!(base.send(Bytes::new()).map_err(|err| err.to_string()), Err("nothing to send".to_owned()));
        assert_eq!(peer.received(), b"sent");
        let inner = base.clone();
        let err = base.with_codec(|_codec| inner.send(Bytes::from_static(b"x")))?.expect_err("the codec is at work");
        assert!(err.is::<RuntimeError>());
        Ok(())
    });
}

#[test]
fn a_codec_serves_over_a_socket() {
    real(async |nursery| {
        let factory = || FrameProtocol::new(Lines(Rc::default()));
        let server = create_server(&nursery, factory, "127.0.0.1", 0).await?;
        let mut client = TcpStream::connect(address(&server)).await?;
        client.write_all(b"one\ntwo").await?;
        client.shutdown().await?;
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await?;
        assert_eq!(answer, b"one\ntwo\n");
        server.close();
        Ok(())
    });
}
