//! What has to hold of decompression, whatever a peer sends.

use foster::websocket::{Deflate, DeflateConfig, WebSocketError};

/// Sends `input` as the payload of compressed messages. The first byte chooses what was agreed, the second the limit and
/// how the rest is cut into messages and pieces.
pub(crate) fn check_invariants(input: &[u8]) {
    let [agreed, cut, payload @ ..] = input else { return };
    let config = DeflateConfig { min_size: 0, ..DeflateConfig::default() };
    let offer: &[u8] = match agreed % 2 {
        0 => b"permessage-deflate",
        _ => b"permessage-deflate; client_no_context_takeover; server_no_context_takeover",
    };
    let connection = || config.accept([offer]).expect("a valid offer").expect("within the budget").0;
    let limit = [0, 1, 100, 1000, 65_536, 1 << 20][usize::from(cut >> 5) % 6];
    let n_messages = usize::from(cut & 3) + 1;
    let messages: Vec<&[u8]> = payload.chunks(payload.len().div_ceil(n_messages).max(1)).collect();

    let whole = received(&mut connection(), &messages, usize::MAX, limit);
    let size = usize::from((cut >> 2) & 7) + 1;
    assert_eq!(received(&mut connection(), &messages, size, limit), whole, "in pieces of {size}");

    // What was received can be said again.
    let Ok(whole) = whole else { return };
    let (offer, mut server) = (config.offer().expect("within the budget"), connection());
    let (_, answer) = config.accept([offer.to_header_value().as_bytes()]).unwrap().expect("within the budget");
    let mut client = offer.accepted([answer.as_bytes()]).expect("a valid answer").expect("accepted");
    for message in whole {
        let mut compressed = Vec::new();
        if server.compress(&message, &mut compressed) {
            assert!(compressed.len() < message.len());
            let mut back = Vec::new();
            client.decompress(&compressed, true, &mut back, Some(message.len())).expect("what was compressed");
            assert_eq!(back, message);
        }
    }
}

fn received(
    deflate: &mut Deflate,
    messages: &[&[u8]],
    size: usize,
    limit: usize,
) -> Result<Vec<Vec<u8>>, WebSocketError> {
    let mut received = Vec::new();
    for message in messages {
        let mut out = Vec::new();
        let mut pieces = message.chunks(size).peekable();
        while let Some(piece) = pieces.next() {
            let result = deflate.decompress(piece, pieces.peek().is_none(), &mut out, Some(limit));
            assert!(out.capacity() <= limit, "{} of {limit}", out.capacity());
            result?;
        }
        received.push(out);
    }
    Ok(received)
}
