//! Compression of a client: what is offered, and what goes over the wire.

use foster::websocket::{Config, Connect, Connection, DeflateBudget, DeflateConfig, Event, Message, MessageKind, Role};
use foster::{Nursery, Result};

use crate::peer::{Peer, switching_protocols, with_script};

/// A server that accepts what is offered, as far as `config` says.
fn with_compressing_peer(
    config: DeflateConfig,
    script: impl FnOnce(Peer<'_>) + Send + 'static,
    test: impl AsyncFnOnce(&Nursery, Connect<'_>) -> Result<()> + 'static,
) {
    let script = move |raw: &mut crate::scripted::Peer| {
        let head = raw.head();
        let offers = head.lines().filter_map(|line| line.strip_prefix("sec-websocket-extensions: "));
        let agreed = config.accept(offers.map(str::as_bytes)).expect("a valid offer");
        let (deflate, answer) = agreed.expect("an offer");
        let answer = answer.to_str().expect("a token").to_owned();
        raw.send(switching_protocols(&head, &format!("sec-websocket-extensions: {answer}\r\n")));
        script(Peer::new(raw, Connection::new(Role::Server, None, Some(deflate))));
    };
    with_script(script, test);
}

fn sentence(n: usize) -> String {
    format!("the {n}th of many sentences that are all alike, ").repeat(20)
}

#[test]
fn large_messages_are_compressed_both_ways_and_small_ones_are_not() {
    let no_takeover = DeflateConfig {
        server_no_context_takeover: true,
        client_no_context_takeover: true,
        ..DeflateConfig::default()
    };
    let small_window =
        DeflateConfig { server_max_window_bits: 9, client_max_window_bits: 9, ..DeflateConfig::default() };
    for config in [DeflateConfig::default(), no_takeover, small_window] {
        let script = |mut peer: Peer<'_>| {
            assert_eq!(peer.text(), "small");
            assert_eq!(peer.received[..2], [0x81, 0x80 | 5]);
            let n_small = peer.received.len();
            for n in 0..10 {
                let text = peer.text();
                assert_eq!(text, sentence(n));
                peer.send(|machine, out| {
                    machine.send_text(&text, out)?;
                    assert_eq!(out[0], 0xc1, "the server compresses, too");
                    Ok(())
                });
            }
            // The first bit of reserve is set, and it is a fraction of what was said.
            assert_eq!(peer.received[n_small], 0xc1);
            assert!(peer.received.len() - n_small < 2000, "{}", peer.received.len());
            assert_eq!(peer.closed(), 1000);
            peer.answer_close();
        };
        with_compressing_peer(config, script, async |_, connecting| {
            let websocket = connecting.await?;
            websocket.send("small").await?;
            for n in 0..10 {
                websocket.send(sentence(n)).await?;
                assert_eq!(websocket.receive().await?, Message::from(sentence(n)));
            }
            websocket.close(1000, "").await?;
            Ok(())
        });
    }
}

#[test]
fn pieces_are_compressed_and_bombs_refused() {
    let script = |mut peer: Peer<'_>| {
        let Event::Message(message) = peer.event() else { panic!("a message") };
        assert_eq!(message.len(), 10_000);
        assert_eq!(peer.received[0], 0x41);
        assert!(peer.received.len() < 1000);
        peer.send(|machine, out| machine.send_binary(&vec![0; 100_000], out));
        assert_eq!(peer.closed(), 1009);
    };
    with_compressing_peer(DeflateConfig::default(), script, async |_, connecting| {
        let websocket = connecting.config(Config::new().max_message_size(Some(50_000))).await?;
        let mut message = websocket.start_message(MessageKind::Text).await?;
        for _ in 0..10 {
            message.write("x".repeat(1000).as_bytes()).await?;
        }
        message.finish()?;
        assert!(websocket.receive().await.is_err());
        Ok(())
    });
}

#[test]
fn nothing_is_offered_without_compression_or_without_memory_for_it() {
    let budget = DeflateBudget::new(0);
    for compression in [None, Some(DeflateConfig { budget, ..DeflateConfig::default() })] {
        let script = |raw: &mut crate::scripted::Peer| {
            let head = raw.head();
            assert!(!head.contains("extensions"), "{head}");
            raw.send(switching_protocols(&head, ""));
            let mut peer = Peer::new(raw, Connection::new(Role::Server, None, None));
            assert_eq!(peer.text(), sentence(1));
        };
        with_script(script, async |_, connecting| {
            connecting.config(Config::new().compression(compression)).await?.send(sentence(1)).await?;
            Ok(())
        });
    }
}

#[test]
fn an_answer_that_was_not_offered_is_refused() {
    for fields in ["permessage-deflate; server_max_window_bits=16", "permessage-bzip2", "permessage-deflate, x"] {
        let script = move |raw: &mut crate::scripted::Peer| {
            let head = raw.head();
            raw.send(switching_protocols(&head, &format!("sec-websocket-extensions: {fields}\r\n")));
            assert!(raw.rest().is_empty());
        };
        with_script(script, async |_, connecting| {
            assert!(matches!(connecting.await, Err(foster::websocket::ConnectError::Rejected { .. })));
            Ok(())
        });
    }
}
