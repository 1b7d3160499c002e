//! Foster's client and Foster's server, with and without TLS.

use std::cell::Cell;
use std::time::Duration;

use foster::websocket::{
    Config, Connect, Message, MessageKind, WebSocket, WebSocketError, connect, upgrade, websocket,
};
use foster::{Config as ServerConfig, Handler, Nursery, Request, Result, SslContext, open_nursery};
use futures::{SinkExt, StreamExt};
use tokio::time::Instant;

use crate::scripted::bounded;
use crate::served::Served;

/// Where a server is, and how it is known.
pub(crate) struct Site {
    url: String,
    context: Option<SslContext>,
}

impl Site {
    pub(crate) fn connect<'n>(&self, nursery: &'n Nursery) -> Connect<'n> {
        let connecting = connect(nursery, &self.url);
        match &self.context {
            Some(context) => connecting.ssl(context),
            None => connecting,
        }
    }
}

/// Runs `test` with a server, over TCP and over TLS. The server has nothing left to wait for when it stops.
fn over_both<H: Handler>(
    handler: impl Fn() -> H + Copy + Send + 'static,
    test: impl AsyncFn(&Nursery, &Site) -> Result<()> + Copy + 'static,
) {
    over_tcp(handler, test);
    let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let pem = certified.cert.pem();
    let context = SslContext::server().load_cert_chain_pem(pem.clone(), certified.signing_key.serialize_pem());
    let context = context.build().expect("a context of a server");
    let served = Served::new(handler, ServerConfig::new().bind("127.0.0.1:0").ssl(&context));
    let url = format!("wss://{}/", served.address());
    let context = SslContext::client().load_verify_pem(pem).build().expect("a context of a client");
    run(Site { url, context: Some(context) }, served, test);
}

pub(crate) fn over_tcp<H: Handler>(
    handler: impl FnOnce() -> H + Send + 'static,
    test: impl AsyncFnOnce(&Nursery, &Site) -> Result<()> + 'static,
) {
    let served = Served::new(handler, ServerConfig::new().bind("127.0.0.1:0"));
    let url = format!("ws://{}/", served.address());
    run(Site { url, context: None }, served, test);
}

fn run(site: Site, served: Served, test: impl AsyncFnOnce(&Nursery, &Site) -> Result<()> + 'static) {
    bounded(async move {
        open_nursery(async |nursery| test(&nursery, &site).await).await?;
        Ok(())
    });
    served.stop().expect("it stops");
}

pub(crate) async fn echo(websocket: WebSocket) -> Result<()> {
    loop {
        let message = websocket.receive().await?;
        websocket.send(message).await?;
    }
}

fn echoing() -> impl Handler {
    websocket(Config::new().subprotocols(["b", "a"]), echo)
}

#[test]
fn messages_of_both_kinds_and_all_sizes_come_back() {
    over_both(echoing, async |nursery, site| {
        let websocket = site.connect(nursery).await?;
        for size in [0, 1, 125, 126, 4096, 8192, 65_535, 65_536, 300_000, 1_000_000] {
            // Hard to compress.
            let bytes: Vec<u8> = (0..size as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
            websocket.send(Message::binary(bytes.clone())).await?;
            assert_eq!(websocket.receive().await?, Message::binary(bytes));
            let text = "ü".repeat(size / 2);
            websocket.send(text.clone()).await?;
            assert_eq!(websocket.receive().await?, Message::from(text));
        }
        let closed = websocket.close(1000, "").await?;
        assert_eq!((u16::from(closed.received.code), closed.sent.map(|frame| frame.code.into())), (1000, Some(1000)));
        Ok(())
    });
}

#[test]
fn thousands_of_messages_go_both_ways_through_its_halves_in_order() {
    over_both(echoing, async |nursery, site| {
        let (sender, mut receiver) = site.connect(nursery).await?.split();
        const N: usize = 3_000;
        nursery.start_soon(async move {
            for n in 0..N {
                sender.send(format!("{n}{}", "x".repeat(n % 700))).await?;
            }
            Ok(())
        });
        for n in 0..N {
            let message = receiver.receive().await?;
            assert_eq!(message.as_text(), Some(&*format!("{n}{}", "x".repeat(n % 700))));
        }
        receiver.websocket().close(1000, "").await?;
        Ok(())
    });
}

#[test]
fn it_is_a_stream_and_a_sink() {
    over_both(echoing, async |nursery, site| {
        let (mut sink, stream) = site.connect(nursery).await?.split();
        for n in 0..100 {
            sink.feed(Message::from(n.to_string())).await?;
        }
        sink.flush().await?;
        let messages = stream.take(100).map(|message| message.map(|message| message.as_text().map(str::to_owned)));
        let messages: Vec<_> = messages.collect().await;
        let expected: Vec<_> = (0..100).map(|n: i32| Ok::<_, WebSocketError>(Some(n.to_string()))).collect();
        assert_eq!(messages, expected);
        // The receiving half has gone, and this is the end of the other.
        sink.close().await?;
        Ok(())
    });
}

#[test]
fn the_server_takes_the_first_of_its_subprotocols_that_is_offered() {
    over_both(echoing, async |nursery, site| {
        for (offered, chosen) in [(&["a", "b"][..], Some("b")), (&["c", "a"], Some("a")), (&["c"], None), (&[], None)] {
            let websocket = site.connect(nursery).subprotocols(offered.iter().copied()).await?;
            assert_eq!(websocket.subprotocol(), chosen);
            assert_eq!(websocket.head().map(drop), None);
            assert!(websocket.accept().is_ok() && websocket.reject(foster::http::Response::text("")).is_err());
        }
        Ok(())
    });
}

#[test]
fn a_server_that_closes_gives_its_code_and_its_reason() {
    let closing =
        || websocket(Config::new(), async |ws: WebSocket| ws.close(4001, "full").await.map(drop).expect("sent"));
    over_both(closing, async |nursery, site| {
        let websocket = site.connect(nursery).await?;
        let err = websocket.receive().await.expect_err("the end");
        assert_eq!(err.to_string(), "the WebSocket is closed: 4001 (full)");
        assert!(matches!(websocket.send("more").await, Err(WebSocketError::Closed(_))));
        assert!(!websocket.is_open());
        let mut stream = site.connect(nursery).await?;
        assert_eq!(stream.next().await, None);
        Ok(())
    });
}

/// A message, or, where that is the end, the end of the WebSocket before.
fn telling() -> impl Handler {
    thread_local! {
        static LAST: Cell<u16> = const { Cell::new(0) };
    }
    async |request: Request| {
        let tell = async |websocket: WebSocket| {
            websocket.send(LAST.get().to_string()).await?;
            let closed = websocket.closed().await;
            LAST.set(closed.received.code.into());
            foster::Ok(())
        };
        upgrade(request, &Config::new(), tell).await
    }
}

/// The code that the server has got of the WebSocket before.
async fn last_code(nursery: &Nursery, site: &Site) -> Result<String> {
    let message = site.connect(nursery).await?.receive().await?;
    Ok(message.as_text().unwrap_or_default().to_owned())
}

#[test]
fn the_server_gets_the_code_of_the_client_and_1000_of_one_whose_last_handle_is_dropped() {
    over_both(telling, async |nursery, site| {
        let websocket = site.connect(nursery).await?;
        websocket.receive().await?;
        let clone = websocket.clone();
        drop(websocket);
        let closed = clone.close(4321, "").await?;
        assert_eq!(u16::from(closed.received.code), 4321);
        assert_eq!(last_code(nursery, site).await?, "4321");
        // The handle of the question was dropped; the server has heard of it before it takes the next.
        assert_eq!(last_code(nursery, site).await?, "1000");
        Ok(())
    });
}

#[test]
fn a_message_in_pieces_is_a_handle() {
    over_both(echoing, async |nursery, site| {
        let mut message = site.connect(nursery).await?.start_message(MessageKind::Text).await?;
        message.write(b"in ").await?;
        message.write(b"pieces").await?;
        message.finish()?;
        Ok(())
    });
}

#[test]
fn a_ping_is_answered_without_the_handler() {
    let busy = || websocket(Config::new(), async |ws: WebSocket| drop((ws.accept(), ws.closed().await)));
    over_both(busy, async |nursery, site| {
        let websocket = site.connect(nursery).await?;
        let begun = Instant::now();
        let took = websocket.ping().await?;
        assert!(took <= begun.elapsed() && took < Duration::from_secs(30));
        Ok(())
    });
}
