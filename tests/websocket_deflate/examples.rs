//! The examples of RFC 7692, 7.2.3, byte by byte.

use foster::websocket::{Deflate, WebSocketError};

use super::{eager, pair, without_context};

fn received(deflate: &mut Deflate, payload: &[u8]) -> Result<Vec<u8>, WebSocketError> {
    let mut out = Vec::new();
    deflate.decompress(payload, true, &mut out, None)?;
    Ok(out)
}

#[test]
fn one_block() {
    let (_, mut server) = pair(&eager(), &eager());
    assert_eq!(received(&mut server, &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]).unwrap(), b"Hello");
}

#[test]
fn one_block_in_two_fragments() {
    let (_, mut server) = pair(&eager(), &eager());
    let mut out = Vec::new();
    server.decompress(&[0xf2, 0x48, 0xcd], false, &mut out, None).unwrap();
    server.decompress(&[0xc9, 0xc9, 0x07, 0x00], true, &mut out, None).unwrap();
    assert_eq!(out, b"Hello");
}

#[test]
fn a_message_that_refers_to_the_one_before() {
    let (_, mut server) = pair(&eager(), &eager());
    assert_eq!(received(&mut server, &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]).unwrap(), b"Hello");
    assert_eq!(received(&mut server, &[0xf2, 0x00, 0x11, 0x00, 0x00]).unwrap(), b"Hello");
}

#[test]
fn a_message_may_not_refer_to_the_one_before_where_that_was_agreed() {
    let (_, mut server) = pair(&without_context(), &eager());
    assert_eq!(received(&mut server, &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]).unwrap(), b"Hello");
    let err = received(&mut server, &[0xf2, 0x00, 0x11, 0x00, 0x00]).unwrap_err();
    assert!(matches!(err, WebSocketError::InvalidData(_)), "{err:?}");
}

#[test]
fn a_block_that_is_not_compressed() {
    let (_, mut server) = pair(&eager(), &eager());
    let payload = [0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00];
    assert_eq!(received(&mut server, &payload).unwrap(), b"Hello");
}

#[test]
fn a_block_marked_as_final() {
    for (client, server) in [(eager(), eager()), (without_context(), without_context())] {
        let (_, mut server) = pair(&client, &server);
        let payload = [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00];
        assert_eq!(received(&mut server, &payload).unwrap(), b"Hello");
        assert_eq!(received(&mut server, &payload).unwrap(), b"Hello");
        // One that leaves out the empty block behind it.
        assert_eq!(received(&mut server, &payload[..7]).unwrap(), b"Hello");
        assert_eq!(received(&mut server, &payload).unwrap(), b"Hello");
    }
}

#[test]
fn two_blocks_in_one_message() {
    let (_, mut server) = pair(&eager(), &eager());
    let payload = [0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00];
    assert_eq!(received(&mut server, &payload).unwrap(), b"Hello");
}

#[test]
fn an_empty_message() {
    let (_, mut server) = pair(&eager(), &eager());
    assert_eq!(received(&mut server, &[0x00]).unwrap(), b"");
    assert_eq!(received(&mut server, &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]).unwrap(), b"Hello");
    assert_eq!(received(&mut server, &[0x00]).unwrap(), b"");
    assert_eq!(received(&mut server, &[0xf2, 0x00, 0x11, 0x00, 0x00]).unwrap(), b"Hello");
}

#[test]
fn compressed_messages_are_those_of_the_examples() {
    let (mut client, _) = pair(&eager(), &eager());
    let mut out = Vec::new();
    // Five letters do not get smaller, so what is said in pieces is looked at.
    assert!(client.compress_piece(b"Hello", true, false, &mut out));
    assert_eq!(out, [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00, 0x00, 0xff, 0xff]);
    out.clear();
    assert!(client.compress_piece(b"", false, true, &mut out));
    assert_eq!(out, [0x00]);
}
