//! Compression of a server: when it is agreed on, what goes over the wire, and what a client may not send.

use std::cell::RefCell;
use std::rc::Rc;

use foster::testing::serve_http;
use foster::websocket::{
    Broadcast, Config, DeflateBudget, DeflateConfig, Event, INFLATER_SIZE, Membership, MessageKind, WebSocket,
    deflater_size, websocket,
};

use crate::client::{ask, open, open_compressing};
use crate::messages::echo;
use crate::stage::{Log, config, paused, reports_of, turns};

/// The first byte of a text in one frame, as it is and compressed.
const TEXT: u8 = 0x81;
const COMPRESSED_TEXT: u8 = 0xc1;

fn sentence(n: usize) -> String {
    format!("the {n}th of many sentences that are all alike, ").repeat(20)
}

/// A client's offer.
fn offering(config: DeflateConfig) -> foster::websocket::DeflateOffer {
    config.offer().expect("memory for it")
}

#[test]
fn it_is_agreed_on_when_it_is_offered_and_not_else() {
    paused(async |nursery| {
        let server = serve_http(&nursery, websocket(Config::new(), echo), config());
        let (client, head) = open_compressing(&server, offering(DeflateConfig::default())).await;
        assert!(head.contains("sec-websocket-extensions: permessage-deflate\r\n"), "{head}");
        client.peer.close();
        let (client, head) = ask(&server, "/", "").await;
        assert!(!head.contains("extensions"), "{head}");
        client.peer.close();
        let (client, head) = ask(&server, "/", "Sec-WebSocket-Extensions: permessage-bzip2, x-deflate\r\n").await;
        assert!(head.starts_with("HTTP/1.1 101") && !head.contains("extensions"), "{head}");
        client.peer.close();

        let server = serve_http(&nursery, websocket(Config::new().compression(None), echo), config());
        let (client, head) = open_compressing(&server, offering(DeflateConfig::default())).await;
        assert!(head.starts_with("HTTP/1.1 101") && !head.contains("extensions"), "{head}");
        client.send(&sentence(1));
        assert_eq!(client.text_message().await, sentence(1));
        assert_eq!(client.first_byte(), TEXT);
        client.peer.close();
        Ok(())
    });
}

#[test]
fn small_messages_go_as_they_are_and_large_ones_compressed() {
    paused(async |nursery| {
        let server = serve_http(&nursery, websocket(Config::new(), echo), config());
        let (client, _) = open_compressing(&server, offering(DeflateConfig::default())).await;
        for (text, first_byte) in [
            ("".to_owned(), TEXT),
            ("a".repeat(127), TEXT),
            ("a".repeat(128), COMPRESSED_TEXT),
            (sentence(1), COMPRESSED_TEXT),
            (sentence(2), COMPRESSED_TEXT),
            ("a".repeat(300_000), COMPRESSED_TEXT),
        ] {
            client.send(&text);
            assert_eq!(client.text_message().await, text);
            assert_eq!(client.first_byte(), first_byte, "{} bytes", text.len());
        }
        // What does not get smaller goes as it is.
        let noise: Vec<u8> = (0..1000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        client.peer.send(client.make(|machine, out| machine.send_binary(&noise, out)));
        assert_eq!(client.message().await.as_bytes(), &noise[..]);
        client.peer.close();
        Ok(())
    });
}

#[test]
fn a_context_makes_what_is_alike_shorter() {
    for (keeps, is_shorter) in [(true, true), (false, false)] {
        paused(async |nursery| {
            let deflate = DeflateConfig { server_no_context_takeover: !keeps, ..DeflateConfig::default() };
            let websockets = Config::new().compression(Some(deflate));
            let server = serve_http(&nursery, websocket(websockets, echo), config());
            let (client, head) = open_compressing(&server, offering(DeflateConfig::default())).await;
            assert_eq!(head.contains("server_no_context_takeover"), !keeps, "{head}");
            let noise: String =
                (0..500_u32).map(|n| char::from(b' ' + (n.wrapping_mul(2_654_435_761) >> 26) as u8)).collect();
            let mut lengths = Vec::new();
            for _ in 0..2 {
                client.send(&noise);
                turns(10).await;
                lengths.push(client.peer.n_unread());
                assert_eq!(client.text_message().await, noise);
            }
            assert_eq!(lengths[1] < lengths[0] / 4, is_shorter, "{lengths:?}");
            client.peer.close();
            Ok(())
        });
    }
}

#[test]
fn a_message_in_pieces_is_compressed_if_its_first_piece_is_worth_it() {
    paused(async |nursery| {
        let streaming = async |websocket: WebSocket| {
            for first in ["small, ".to_owned(), sentence(0)] {
                let mut message = websocket.start_message(MessageKind::Text).await?;
                message.write(first.as_bytes()).await?;
                for n in 1..10 {
                    message.write(sentence(n).as_bytes()).await?;
                }
                message.finish()?;
            }
            // Compressed behind pieces, too.
            websocket.send(sentence(10)).await?;
            foster::Ok(())
        };
        let server = serve_http(&nursery, websocket(Config::new(), streaming), config());
        let (client, _) = open_compressing(&server, offering(DeflateConfig::default())).await;
        let rest: String = (1..10).map(sentence).collect();
        assert_eq!(client.text_message().await, format!("small, {rest}"));
        assert_eq!(client.text_message().await, format!("{}{rest}", sentence(0)));
        assert_eq!(client.text_message().await, sentence(10));
        assert_eq!(client.first_byte(), COMPRESSED_TEXT);
        client.peer.close();
        Ok(())
    });
}

#[test]
fn fragments_of_a_client_are_decompressed() {
    paused(async |nursery| {
        let server = serve_http(&nursery, websocket(Config::new(), echo), config());
        let (client, _) = open_compressing(&server, offering(DeflateConfig::default())).await;
        client.peer.send(client.make(|machine, out| {
            machine.send_fragment(MessageKind::Text, sentence(1).as_bytes(), false, out)?;
            assert_eq!(out[0], 0x41);
            machine.send_ping(b"between", out)?;
            machine.send_fragment(MessageKind::Text, sentence(2).as_bytes(), false, out)?;
            machine.send_fragment(MessageKind::Text, b"", true, out)
        }));
        assert_eq!(client.event().await, Some(Event::Pong((&b"between"[..]).into())));
        assert_eq!(client.text_message().await, sentence(1) + &sentence(2));
        client.peer.close();
        Ok(())
    });
}

#[test]
fn a_bomb_is_1009_and_what_is_no_compressed_data_1007() {
    paused(async |nursery| {
        let reports = reports_of(&nursery);
        let websockets = Config::new().max_message_size(Some(100_000));
        let server = serve_http(&nursery, websocket(websockets, echo), config());
        let (client, _) = open_compressing(&server, offering(DeflateConfig::default())).await;
        let bomb = client.make(|machine, out| machine.send_binary(&vec![0; 10_000_000], out));
        assert!(bomb.len() < 200_000, "{}", bomb.len());
        client.peer.send(bomb);
        assert_eq!(client.closed().await.0, 1009);
        client.peer.close();

        for (payload, code) in [
            (&b"\xff\xff\xff\xff"[..], 1007),
            // "Hello" without its last bytes, and text that is not UTF-8.
            (b"\xf2\x48\xcd", 1007),
            (b"\x00\x02\x00\xfd\xff\xc3\x28\x00", 1007),
        ] {
            let (client, _) = open_compressing(&server, offering(DeflateConfig::default())).await;
            let frame = [&[COMPRESSED_TEXT, 0x80 | payload.len() as u8, 0, 0, 0, 0][..], payload].concat();
            client.peer.send(frame);
            assert_eq!(client.closed().await.0, code, "{payload:?}");
            client.peer.close();
        }
        turns(10).await;
        assert_eq!(reports.words(), [] as [&str; 0]);
        Ok(())
    });
}

#[test]
fn the_bit_of_compression_without_an_agreement_or_in_the_wrong_place_is_1002() {
    paused(async |nursery| {
        let server = serve_http(&nursery, websocket(Config::new(), echo), config());
        let client = open(&server).await;
        client.peer.send([COMPRESSED_TEXT, 0x80, 0, 0, 0, 0]);
        assert_eq!(client.closed().await.0, 1002);
        client.peer.close();
        for frames in [&[0xc9, 0x80, 0, 0, 0, 0][..], &[0x01, 0x80, 0, 0, 0, 0, 0xc0, 0x80, 0, 0, 0, 0]] {
            let (client, _) = open_compressing(&server, offering(DeflateConfig::default())).await;
            client.peer.send(frames);
            assert_eq!(client.closed().await.0, 1002);
            client.peer.close();
        }
        Ok(())
    });
}

#[test]
fn a_broadcast_and_what_follows_is_read_by_members_whatever_they_have_agreed_on() {
    paused(async |nursery| {
        let room = Broadcast::new();
        let (members, kept) = (room.clone(), Rc::<RefCell<Vec<Membership>>>::default());
        let memberships = kept.clone();
        let member = move |websocket: WebSocket| {
            let (room, kept) = (members.clone(), memberships.clone());
            async move {
                kept.borrow_mut().push(room.join(&websocket)?);
                echo(websocket).await
            }
        };
        let server = serve_http(&nursery, websocket(Config::new(), member), config());
        let mut clients = vec![open(&server).await];
        let no_takeover = DeflateConfig { server_no_context_takeover: true, ..DeflateConfig::default() };
        let small = DeflateConfig { server_max_window_bits: 9, ..DeflateConfig::default() };
        let middle = DeflateConfig { server_max_window_bits: 12, ..DeflateConfig::default() };
        for config in [DeflateConfig::default(), no_takeover, small, middle] {
            clients.push(open_compressing(&server, offering(config)).await.0);
        }
        turns(5).await;
        assert_eq!(room.len(), 5);
        for n in 0..5 {
            for client in &clients {
                client.send(&sentence(n));
                assert_eq!(client.text_message().await, sentence(n));
            }
            // Longer than the smallest window, with something far back that is the same.
            let text =
                format!("{}{}{}", sentence(n), (0..3000).map(|n| n.to_string()).collect::<String>(), sentence(n));
            assert_eq!(room.send(text.clone()), 5);
            assert_eq!(room.send("small"), 5);
            for (nth, client) in clients.iter().enumerate() {
                assert_eq!(client.text_message().await, text);
                assert_eq!(client.first_byte(), if nth == 0 { TEXT } else { COMPRESSED_TEXT });
                assert_eq!(client.text_message().await, "small");
            }
        }
        for client in &clients {
            client.peer.close();
        }
        kept.borrow_mut().clear();
        Ok(())
    });
}

#[test]
fn who_comes_when_the_memory_for_it_is_spoken_for_goes_without() {
    paused(async |nursery| {
        // Two decompressors, and no compressor.
        let budget = DeflateBudget::new(2 * 2 * INFLATER_SIZE);
        assert!(budget.limit() / 2 < deflater_size(15));
        let deflate = DeflateConfig { budget: budget.clone(), ..DeflateConfig::default() };
        let log = Log::default();
        let server = serve_http(&nursery, websocket(Config::new().compression(Some(deflate)), echo), config());
        let mut clients = Vec::new();
        for _ in 0..3 {
            let (client, head) = open_compressing(&server, offering(DeflateConfig::default())).await;
            log.say(head.contains("permessage-deflate").to_string());
            // What comes compressed is read, what goes is not compressed.
            client.send(&sentence(1));
            assert_eq!(client.text_message().await, sentence(1));
            assert_eq!(client.first_byte(), TEXT);
            clients.push(client);
        }
        assert_eq!(log.words(), ["true", "true", "false"]);
        for client in &clients {
            client.peer.close();
        }
        turns(20).await;
        // Who comes later has what those have given back.
        let (client, head) = open_compressing(&server, offering(DeflateConfig::default())).await;
        assert!(head.contains("permessage-deflate"), "{head}");
        client.peer.close();
        Ok(())
    });
}
