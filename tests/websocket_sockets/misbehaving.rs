//! Servers that break the rules, or do not end as they should.

use std::time::Duration;

use foster::websocket::{CloseCode, Config, Message, WebSocketError};
use tokio::time::Instant;

use crate::peer::{Peer, switching_protocols, with_peer, with_script};

fn protocol_error(err: &WebSocketError) -> bool {
    matches!(err, WebSocketError::Protocol(_))
}

#[test]
fn what_breaks_the_rules_is_told_to_both_ends() {
    let too_big = [&[0x82, 126, 0x03, 0xe9][..], &[0; 1001]].concat();
    for (bytes, code, is_right) in [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), 1002, protocol_error as fn(&WebSocketError) -> bool),
        // A frame that is masked, compressed without an agreement, reserved, a continuation of nothing.
        (vec![0x81, 0x81, 1, 2, 3, 4, b'x' ^ 1], 1002, protocol_error),
        (vec![0xc1, 1, b'x'], 1002, protocol_error),
        (vec![0x83, 0], 1002, protocol_error),
        (vec![0x80, 0], 1002, protocol_error),
        (vec![0x88, 1, 3], 1002, protocol_error),
        (vec![0x81, 1, 0xff], 1007, |err| matches!(err, WebSocketError::InvalidData(_))),
        (too_big, 1009, |err| *err == WebSocketError::MessageTooBig { limit: 1000 }),
    ] {
        let script = move |mut peer: Peer<'_>| {
            peer.send(|machine, out| machine.send_text("before", out));
            peer.raw.send(bytes);
            assert_eq!(peer.closed(), code);
            peer.raw.rest();
        };
        with_peer(script, async move |_, connecting| {
            let websocket = connecting.config(Config::new().max_message_size(Some(1000))).await?;
            assert_eq!(websocket.receive().await?, Message::from("before"));
            let err = websocket.receive().await.expect_err("it breaks the rules");
            assert!(is_right(&err), "{err:?}");
            assert_eq!(websocket.send("more").await, Err(err.clone()));
            assert_eq!(websocket.receive().await, Err(err));
            assert_eq!(websocket.closed().await.sent.map(|frame| frame.code.into()), Some(code));
            Ok(())
        });
    }
}

#[test]
fn a_server_that_never_answers_the_close_frame_is_cut() {
    let script = |mut peer: Peer<'_>| {
        assert_eq!(peer.closed(), 4000);
        peer.send(|machine, out| machine.send_text("I go on", out));
        assert!(peer.raw.rest().is_empty());
    };
    with_peer(script, async |_, connecting| {
        let timeout = Duration::from_millis(100);
        let websocket = connecting.config(Config::new().close_timeout(timeout)).await?;
        let begun = Instant::now();
        let closed = websocket.close(4000, "").await?;
        assert!(begun.elapsed() >= timeout);
        assert_eq!(
            (closed.received.code, closed.sent.map(|frame| frame.code)),
            (CloseCode::ABNORMAL, Some(4000.into()))
        );
        Ok(())
    });
}

#[test]
fn a_server_that_answers_and_never_ends_the_connection_is_cut() {
    let script = |mut peer: Peer<'_>| {
        assert_eq!(peer.closed(), 1000);
        peer.answer_close();
        assert!(peer.raw.rest().is_empty());
    };
    with_peer(script, async |_, connecting| {
        let websocket = connecting.config(Config::new().close_timeout(Duration::from_millis(100))).await?;
        let closed = websocket.close(1000, "").await?;
        assert_eq!(closed.received.code, CloseCode::NORMAL);
        Ok(())
    });
}

#[test]
fn a_server_that_vanishes_is_1006_and_its_messages_are_delivered() {
    let script = |mut peer: Peer<'_>| {
        for n in 0..50 {
            peer.send(|machine, out| machine.send_text(&n.to_string(), out));
        }
    };
    with_peer(script, async |_, connecting| {
        let websocket = connecting.await?;
        assert_eq!(websocket.closed().await.received.code, CloseCode::ABNORMAL);
        for n in 0..50 {
            assert_eq!(websocket.receive().await?, Message::from(n.to_string()));
        }
        match websocket.receive().await {
            Err(WebSocketError::Closed(closed)) => assert_eq!(closed.received.code, CloseCode::ABNORMAL),
            other => panic!("{other:?} instead of the end"),
        }
        assert_eq!(websocket.close(1000, "").await?.received.code, CloseCode::ABNORMAL);
        Ok(())
    });
}

#[test]
fn frames_behind_the_response_are_taken() {
    let script = |raw: &mut crate::scripted::Peer| {
        let head = raw.head();
        raw.send([switching_protocols(&head, "").as_bytes(), b"\x81\x05early\x88\x02\x0f\xa0"].concat());
        assert_eq!(raw.once()[0], 0x88);
    };
    with_script(script, async |_, connecting| {
        let websocket = connecting.await?;
        assert_eq!(websocket.receive().await?, Message::from("early"));
        assert_eq!(websocket.closed().await.received.code, CloseCode::from(4000));
        Ok(())
    });
}

#[test]
fn frames_of_the_client_are_masked_each_with_a_key_of_its_own() {
    let script = |mut peer: Peer<'_>| {
        for _ in 0..16 {
            assert_eq!(peer.text(), "same");
        }
        assert_eq!(peer.closed(), 1000);
        let frames = peer.received.chunks(2 + 4 + 4).take(16);
        let mut keys: Vec<_> = frames
            .map(|frame| {
                assert_eq!(frame[..2], [0x81, 0x84]);
                frame[2..6].to_vec()
            })
            .collect();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), 16);
    };
    with_peer(script, async |_, connecting| {
        let websocket = connecting.await?;
        for _ in 0..16 {
            websocket.send("same").await?;
        }
        Ok(())
    });
}

#[test]
fn a_message_that_is_not_finished_closes_with_1011() {
    let script = |mut peer: Peer<'_>| {
        assert_eq!(peer.closed(), 1011);
        peer.answer_close();
    };
    with_peer(script, async |_, connecting| {
        let mut message = connecting.await?.start_message(foster::websocket::MessageKind::Binary).await?;
        message.write(b"half").await?;
        Ok(())
    });
}
