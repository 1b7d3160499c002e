//! What one end compresses, the other decompresses, whatever was agreed and however it is cut.

use foster::websocket::{Deflate, DeflateBudget, DeflateConfig};
use proptest::collection::vec;
use proptest::prelude::*;

use super::reach::farthest_reference;
use super::{eager, pair};

/// Sends one message, whole or in pieces, compressed or as it is. Gives what arrived.
fn passed_on(from: &mut Deflate, to: &mut Deflate, message: &[u8], cut: usize) -> Vec<u8> {
    let mut payload = Vec::new();
    let is_compressed = if cut == 0 {
        from.compress(message, &mut payload)
    } else {
        let mut pieces = message.chunks(cut).peekable();
        let mut is_first = true;
        let mut is_compressed = false;
        while let Some(piece) = pieces.next() {
            is_compressed = from.compress_piece(piece, is_first, pieces.peek().is_none(), &mut payload);
            if !is_compressed {
                assert!(is_first && payload.is_empty());
                break;
            }
            is_first = false;
        }
        is_compressed
    };
    if !is_compressed {
        assert!(payload.is_empty());
        return message.to_vec();
    }
    let mut out = Vec::new();
    let (first, second) = payload.split_at(cut % (payload.len() + 1));
    to.decompress(first, false, &mut out, Some(message.len())).unwrap();
    to.decompress(second, true, &mut out, Some(message.len())).unwrap();
    out
}

/// Data that refers to itself now and then, near and far.
fn message() -> impl Strategy<Value = Vec<u8>> {
    let noise = vec(any::<u8>(), 0..300);
    let words = vec(prop::sample::select(&["alpha ", "beta", "\"id\":", "0123456789", "\n"][..]), 0..200)
        .prop_map(|words| words.concat().into_bytes());
    let run = (any::<u8>(), 0..2000_usize).prop_map(|(byte, n)| vec![byte; n]);
    vec(prop_oneof![noise, words, run], 0..5).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn messages_arrive_as_they_were_sent(
        messages in vec((message(), 0..500_usize), 1..6),
        server_max_window_bits in 8..=15_u8,
        client_max_window_bits in 8..=15_u8,
        server_no_context_takeover: bool,
        client_no_context_takeover: bool,
        level in 1..=9_u8,
        min_size in prop_oneof![Just(0), Just(128)],
        limit in prop_oneof![Just(1 << 20), Just(4 << 20), Just(64 << 20)],
    ) {
        let config = DeflateConfig {
            level,
            server_no_context_takeover,
            client_no_context_takeover,
            server_max_window_bits,
            client_max_window_bits,
            min_size,
            // With little, contexts are given up between messages.
            budget: DeflateBudget::new(limit),
        };
        let (mut client, mut server) = pair(&config, &config);
        for (message, cut) in &messages {
            prop_assert_eq!(&passed_on(&mut client, &mut server, message, *cut), message);
            prop_assert_eq!(&passed_on(&mut server, &mut client, message, *cut), message);
        }
    }

    #[test]
    fn nothing_refers_further_back_than_was_agreed(
        messages in vec(message(), 1..8),
        window_bits in 8..=10_u8,
        level in 1..=9_u8,
    ) {
        let config = DeflateConfig { level, client_max_window_bits: window_bits, ..eager() };
        let (mut client, _) = pair(&config, &config);
        let mut stream = Vec::new();
        for message in &messages {
            if !message.is_empty() {
                prop_assert!(client.compress_piece(message, true, false, &mut stream));
            }
        }
        let farthest = farthest_reference(&stream);
        prop_assert!(farthest <= 1 << window_bits, "{farthest} bytes");
    }

    #[test]
    fn what_is_made_for_many_is_read_by_each_with_what_follows(
        before in message(),
        many in message(),
        after in message(),
    ) {
        let (mut client, mut server) = pair(&eager(), &eager());
        prop_assert_eq!(&passed_on(&mut server, &mut client, &before, 0), &before);
        if let Some(payload) = server.compress_once(&many) {
            server.forget_context();
            let mut out = Vec::new();
            client.decompress(&payload, true, &mut out, None).unwrap();
            prop_assert_eq!(&out, &many);
        }
        prop_assert_eq!(&passed_on(&mut server, &mut client, &after, 0), &after);
    }
}

#[test]
fn a_window_of_eight_bits_is_used_and_not_left() {
    let noise: Vec<u8> = (0..260_u64).map(|n| (n.pow(3).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect();
    for level in 1..=9 {
        let config = DeflateConfig { level, server_max_window_bits: 8, ..eager() };
        let farthest = |period: usize| {
            let (_, mut server) = pair(&config, &config);
            let mut stream = Vec::new();
            assert!(server.compress_piece(&noise[..period].repeat(10), true, false, &mut stream));
            farthest_reference(&stream)
        };
        assert_eq!(farthest(240), 240, "level {level}");
        assert!(farthest(260) < 256, "level {level}");
    }
}

#[test]
fn a_window_of_any_size_reads_and_writes_a_message_larger_than_it() {
    let message: Vec<u8> = (0..20_000_u32).flat_map(|n| ((n / 7 + n) % 1009).to_le_bytes()).collect();
    for bits in [8, 9, 12, 15] {
        for level in [1, 2, 6, 9] {
            let config = DeflateConfig { level, client_max_window_bits: bits, ..eager() };
            let (mut client, mut server) = pair(&config, &eager());
            for _ in 0..2 {
                assert_eq!(passed_on(&mut client, &mut server, &message, 0), message, "{bits} bits, level {level}");
            }
        }
    }
}

#[test]
fn the_second_of_two_messages_refers_to_the_first_where_it_may() {
    let message = b"{\"type\":\"message\",\"room\":\"general\",\"text\":\"Good morning\"}".repeat(2);
    let lengths = |config: DeflateConfig| {
        let (mut client, _) = pair(&config, &config);
        [(); 2].map(|()| {
            let mut out = Vec::new();
            assert!(client.compress(&message, &mut out));
            out.len()
        })
    };
    let [first, second] = lengths(eager());
    assert!(second < 10 && second < first, "{first}, {second}");
    let [first, second] = lengths(super::without_context());
    assert_eq!(first, second);
}

#[test]
fn what_is_small_or_does_not_get_smaller_is_left_alone_and_hurts_nothing() {
    let config = DeflateConfig { min_size: 100, ..DeflateConfig::default() };
    let (mut client, mut server) = pair(&config, &config);
    let noise: Vec<u8> = (0..5000_u64).map(|n| (n.pow(3).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect();
    let text = "what is said more than once ".repeat(20);
    let mut out = b"before".to_vec();
    for _ in 0..3 {
        assert!(!client.compress(&[b'a'; 99], &mut out));
        assert!(!client.compress(b"", &mut out));
        assert!(!client.compress(&noise, &mut out));
        assert!(!client.compress_piece(&[b'a'; 99], true, false, &mut out));
        assert_eq!(client.compress_once(&noise), None);
        assert_eq!(out, b"before");
        assert_eq!(passed_on(&mut client, &mut server, text.as_bytes(), 0), text.as_bytes());
    }
}

#[test]
fn a_piece_can_be_read_before_the_next_one_is_there() {
    let (mut client, mut server) = pair(&eager(), &eager());
    for _ in 0..2 {
        let mut received = Vec::new();
        for (nth, piece) in ["one, ", "", "one, two, ", "one, two, three", ""].into_iter().enumerate() {
            let mut payload = Vec::new();
            assert!(client.compress_piece(piece.as_bytes(), nth == 0, nth == 4, &mut payload));
            let before = received.len();
            server.decompress(&payload, nth == 4, &mut received, None).unwrap();
            assert_eq!(&received[before..], piece.as_bytes());
        }
    }
}

#[test]
fn connections_that_share_a_pool_see_nothing_of_each_other() {
    let config = super::without_context();
    let (mut one, mut two) = (pair(&config, &config), pair(&config, &config));
    let (secret, public) = (b"a secret that is long enough".repeat(5), b"something else, of some length".repeat(5));
    let alone = one.0.compress_once(&public).unwrap();
    assert_eq!(passed_on(&mut one.0, &mut one.1, &secret, 0), secret);
    let mut payload = Vec::new();
    assert!(two.0.compress(&public, &mut payload));
    assert_eq!(payload, alone);
    let mut out = Vec::new();
    two.1.decompress(&payload, true, &mut out, None).unwrap();
    assert_eq!(out, public);
}

#[test]
fn a_message_that_does_not_get_smaller_spoils_none_behind_it() {
    let mut state = 1_u64;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    })
    .take(1_300_000)
    .collect();
    for level in [1, 6] {
        let config = DeflateConfig { level, ..eager() };
        let (mut client, mut server) = pair(&config, &config);
        // zlib holds 64 KiB that are not written.
        for n in [1000, 130_000, 1_300_000] {
            for message in [&noise[..n], &noise[..n], b"hello hello hello"] {
                assert!(passed_on(&mut client, &mut server, message, 0) == message, "level {level}, behind {n} bytes");
            }
        }
    }
}
