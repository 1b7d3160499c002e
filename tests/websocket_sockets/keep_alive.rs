//! Pings of a client, on a clock that jumps while everybody waits. The server is on the same loop, so that what was sent
//! has come before the clock jumps.

use std::time::Duration;

use foster::websocket::{CloseCode, Config, WebSocket, WebSocketError, connect};
use foster::{Nursery, Protocol, Result, TransportRef, create_server, open_nursery, run_here};
use tokio::time::Instant;

use crate::peer::switching_protocols;

/// Opens, and then says nothing, whatever it is told.
struct Silent {
    transport: TransportRef,
    head: Vec<u8>,
}

impl Protocol for Silent {
    fn connection_made(&mut self, transport: TransportRef) -> Result<()> {
        self.transport = transport;
        Ok(())
    }

    fn data_received(&mut self, data: &[u8]) -> Result<()> {
        let was_open = self.head.ends_with(b"\r\n\r\n");
        if was_open {
            return Ok(());
        }
        self.head.extend_from_slice(data);
        if self.head.ends_with(b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&self.head).into_owned();
            self.transport.write(switching_protocols(&head, "").as_bytes())?;
        }
        Ok(())
    }

    fn eof_received(&mut self) -> Result<bool> {
        Ok(true)
    }
}

async fn with_silence(config: Config, test: impl AsyncFnOnce(&Nursery, WebSocket)) {
    let run = run_here(open_nursery(async |nursery| {
        let factory = || Silent { transport: TransportRef::default(), head: Vec::new() };
        let server = create_server(&nursery, factory, "127.0.0.1", 0).await?;
        let port = server.sockets()[0].getsockname()?.port().expect("it is a TCP server");
        let websocket = connect(&nursery, format!("ws://127.0.0.1:{port}/")).config(config).await?;
        test(&nursery, websocket).await;
        nursery.cancel();
        Ok(())
    }));
    run.await.expect("the loop").expect("the test");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_pings_is_given_up() {
    with_silence(Config::new(), async |_, websocket| {
        let begun = Instant::now();
        match websocket.receive().await {
            Err(WebSocketError::Closed(closed)) => {
                assert_eq!(closed.received.code, CloseCode::ABNORMAL);
                assert_eq!(
                    closed.sent.map(|frame| frame.to_string()),
                    Some("1011 (keepalive ping timeout)".to_owned())
                );
            }
            other => panic!("{other:?} instead of the end"),
        }
        assert_eq!(begun.elapsed().as_secs(), 40);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_the_close_frame_is_waited_for_as_long_as_close_timeout() {
    with_silence(Config::new().close_timeout(Duration::from_secs(3)), async |_, websocket| {
        let begun = Instant::now();
        let closed = websocket.close(1000, "").await.expect("it was open");
        assert_eq!((closed.received.code, begun.elapsed().as_secs()), (CloseCode::ABNORMAL, 3));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_whose_handle_is_dropped_waits_no_longer_either() {
    let begun = Instant::now();
    let config = Config::new().close_timeout(Duration::from_secs(3));
    with_silence(config, async |nursery, websocket| {
        let transport = websocket.transport().expect("it is open").clone();
        drop(websocket);
        transport.closed().await;
        let _ = nursery;
    })
    .await;
    assert_eq!(begun.elapsed().as_secs(), 3);
}
