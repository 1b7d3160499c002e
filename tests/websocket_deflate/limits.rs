//! What is no compressed message, and what is too much of one.

use foster::websocket::{Deflate, DeflateConfig, WebSocketError};

use super::{eager, pair, without_context};

/// Zeros, compressed as far as it goes: a thousandth, so that a mebibyte is a gibibyte.
fn bomb(n_mebibytes: usize) -> Vec<u8> {
    let config = DeflateConfig { level: 9, ..without_context() };
    let (mut client, _) = pair(&config, &config);
    let mut mebibyte = Vec::new();
    assert!(client.compress_piece(&[0; 1024 * 1024], true, false, &mut mebibyte));
    // It refers to nothing before it, so that it can be said again.
    let mut payload = mebibyte.repeat(n_mebibytes);
    payload.push(0x00);
    payload
}

fn server() -> Deflate {
    pair(&eager(), &eager()).1
}

#[test]
fn a_bomb_of_a_gibibyte_stops_at_the_limit() {
    const LIMIT: usize = 1024 * 1024;

    let payload = bomb(1024);
    assert!(payload.len() < 1100 * 1024, "{}", payload.len());

    let mut out = Vec::new();
    let err = server().decompress(&payload, true, &mut out, Some(LIMIT)).unwrap_err();
    assert_eq!(err, WebSocketError::MessageTooBig { limit: LIMIT });
    assert_eq!((out.len(), out.capacity()), (LIMIT, LIMIT));

    let mut out = Vec::new();
    let mut server = server();
    let mut pieces = payload.chunks(1000);
    let err = loop {
        let piece = pieces.next().expect("an error before the end");
        if let Err(err) = server.decompress(piece, false, &mut out, Some(LIMIT)) {
            break err;
        }
    };
    assert_eq!(err, WebSocketError::MessageTooBig { limit: LIMIT });
    assert_eq!((out.len(), out.capacity()), (LIMIT, LIMIT));
}

#[test]
fn room_is_made_as_it_fills() {
    let payload = bomb(10);
    let mut server = server();
    let mut out = Vec::new();
    for piece in payload.chunks(100) {
        let before = out.len();
        server.decompress(piece, false, &mut out, None).unwrap();
        assert!(out.capacity() <= (2 * out.len()).max(before + 16 * 1024), "{} for {}", out.capacity(), out.len());
    }
}

#[test]
fn a_message_as_large_as_the_limit_is_taken() {
    for len in [1, 100, 255, 256, 257, 4096, 100_000] {
        let payload = text(len);
        for limit in [len - 1, len, len + 1] {
            for size in [1, 7, payload.len()] {
                let mut server = server();
                let mut out = Vec::new();
                let mut result = Ok(());
                for piece in payload.chunks(size) {
                    result = result.and_then(|()| server.decompress(piece, false, &mut out, Some(limit)));
                }
                result = result.and_then(|()| server.decompress(&[], true, &mut out, Some(limit)));
                if limit < len {
                    assert_eq!(result, Err(WebSocketError::MessageTooBig { limit }));
                } else {
                    assert_eq!((result, out.len()), (Ok(()), len));
                }
                assert!(out.len() <= limit && out.capacity() <= limit, "{} of {limit}", out.capacity());
            }
        }
    }
}

/// In pieces, so that a message that does not get smaller is compressed, too.
fn text(len: usize) -> Vec<u8> {
    let (mut client, _) = pair(&eager(), &eager());
    let mut payload = Vec::new();
    assert!(client.compress_piece(&b"abcdefghij".repeat(len / 10 + 1)[..len], true, false, &mut payload));
    assert!(client.compress_piece(b"", false, true, &mut payload));
    payload
}

#[test]
fn room_that_is_there_is_used_up_to_the_limit() {
    let payload = text(1000);
    let mut out = Vec::with_capacity(5000);
    out.extend_from_slice(b"what came before: ");
    let start = out.len();
    server().decompress(&payload, true, &mut out, Some(start + 1000)).unwrap();
    assert_eq!(out.len(), start + 1000);

    out.truncate(start);
    let err = server().decompress(&payload, true, &mut out, Some(start + 999)).unwrap_err();
    assert_eq!(err, WebSocketError::MessageTooBig { limit: start + 999 });
    assert_eq!((out.len(), out.capacity()), (start + 999, 5000));

    let err = server().decompress(&payload, true, &mut out, Some(10)).unwrap_err();
    assert_eq!(err, WebSocketError::MessageTooBig { limit: 10 });
    assert_eq!(out.len(), 1017, "what was there is not taken away");
}

#[test]
fn what_is_not_compressed_data_is_an_error() {
    for payload in [
        // A block of the kind that does not exist.
        &[0x07][..],
        // A stored block whose length does not agree with itself.
        &[0x00, 0x05, 0x00, 0x05, 0x00, b'H'],
        // A reference to what is before everything.
        &[0xf2, 0x00, 0x11, 0x00, 0x00],
        // A code that is too full.
        &[0x04, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        // Text.
        b"Hello, world, this is not compressed",
        // No message at all: even an empty one has a byte.
        &[],
    ] {
        for size in [1, 2, 100] {
            let mut server = server();
            let mut out = Vec::new();
            let mut result = Ok(());
            for piece in payload.chunks(size) {
                result = result.and_then(|()| server.decompress(piece, false, &mut out, Some(1000)));
            }
            result = result.and_then(|()| server.decompress(&[], true, &mut out, Some(1000)));
            assert!(matches!(result, Err(WebSocketError::InvalidData(_))), "{payload:?}: {result:?}");
        }
    }
}

#[test]
fn data_behind_a_final_block_is_another_stream() {
    let hello = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    let mut out = Vec::new();
    server().decompress(&[&hello[..], &hello, &hello, &[0x00]].concat(), true, &mut out, Some(15)).unwrap();
    assert_eq!(out, b"HelloHelloHello");

    // It knows nothing of the one before.
    let refers_back = [0xf2, 0x00, 0x11, 0x00, 0x00];
    let err = server().decompress(&[&hello[..], &refers_back].concat(), true, &mut Vec::new(), None).unwrap_err();
    assert!(matches!(err, WebSocketError::InvalidData(_)), "{err:?}");

    let err = server().decompress(&[&hello[..], b"rubbish"].concat(), true, &mut Vec::new(), None).unwrap_err();
    assert!(matches!(err, WebSocketError::InvalidData(_)), "{err:?}");
}
