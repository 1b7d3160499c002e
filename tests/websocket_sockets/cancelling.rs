//! Nurseries that are cancelled under a client, and attempts that are.

use foster::websocket::{CloseCode, Config, ConnectError, WebSocket, WebSocketError, connect, websocket};
use foster::{CancelScope, checkpoint, move_on_after, open_nursery};
use std::time::Duration;

use crate::both_ends::{echo, over_tcp};
use crate::peer::{Peer, with_peer};

#[test]
fn a_nursery_that_is_cancelled_ends_its_websockets_for_whoever_waits_elsewhere() {
    over_tcp(
        || websocket(Config::new(), echo),
        async |outer, site| {
            let (sender, receiver) = futures::channel::oneshot::channel::<WebSocket>();
            outer.start_soon(async move {
                let websocket = receiver.await.expect("it was opened");
                match websocket.receive().await {
                    Err(WebSocketError::Closed(closed)) => assert_eq!(closed.received.code, CloseCode::ABNORMAL),
                    other => panic!("{other:?} instead of the end"),
                }
                assert!(websocket.send("more").await.is_err() && !websocket.is_open());
                assert_eq!(websocket.closed().await.received.code, CloseCode::ABNORMAL);
                Ok(())
            });
            open_nursery(async |nursery| {
                let websocket = site.connect(&nursery).await?;
                websocket.send("hello").await?;
                websocket.receive().await?;
                let _ = sender.send(websocket);
                checkpoint().await;
                nursery.cancel();
                Ok(())
            })
            .await?;
            Ok(())
        },
    );
}

#[test]
fn an_attempt_that_is_cancelled_at_any_turn_leaves_nothing_that_hangs() {
    over_tcp(
        || websocket(Config::new(), echo),
        async |_, site| {
            for n_turns in 0..30 {
                for cancels_nursery in [false, true] {
                    let scope = CancelScope::new();
                    let canceller = scope.clone();
                    open_nursery(async |nursery| {
                        let connections = open_nursery(async |connections| {
                            let inner = connections.clone();
                            nursery.start_soon(async move {
                                for _ in 0..n_turns {
                                    checkpoint().await;
                                }
                                if cancels_nursery {
                                    inner.cancel()
                                } else {
                                    canceller.cancel()
                                }
                                Ok(())
                            });
                            // The attempt itself is not in the nursery that is cancelled.
                            let attempt = scope.run(async { site.connect(&connections).await });
                            let opened = foster::shield(attempt).await;
                            if let Some(Ok(websocket)) = opened {
                                // Who has it learns of the end, whenever that was.
                                let received = move_on_after(Duration::from_secs(20), async {
                                    let _ = websocket.send("hello").await;
                                    if !cancels_nursery {
                                        return;
                                    }
                                    while websocket.receive().await.is_ok() {}
                                });
                                assert!(foster::shield(received).await.is_some(), "it hangs after {n_turns} turns");
                            }
                            Ok(())
                        });
                        connections.await.map(drop)?;
                        Ok(())
                    })
                    .await?;
                }
            }
            Ok(())
        },
    );
}

#[test]
fn a_client_that_is_cancelled_while_it_closes_goes_away() {
    let script = |mut peer: Peer<'_>| {
        assert_eq!(peer.closed(), 1000);
        peer.raw.rest();
    };
    with_peer(script, async |nursery, connecting| {
        let websocket = connecting.await?;
        assert!(move_on_after(Duration::from_millis(50), websocket.close(1000, "")).await.is_none());
        nursery.cancel();
        Ok(())
    });
}

#[test]
fn a_port_where_nobody_listens_is_an_error_of_the_connection() {
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("an address").port()
    };
    crate::scripted::bounded(async move {
        open_nursery(async |nursery| {
            let err = connect(&nursery, format!("ws://127.0.0.1:{port}/")).await.expect_err("nobody listens");
            assert!(matches!(err, ConnectError::Http(_)), "{err:?}");
            Ok(())
        })
        .await?;
        Ok(())
    });
}
