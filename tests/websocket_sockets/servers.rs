//! Foster's client with a server of tungstenite.

use std::net::TcpStream;
use std::time::Duration;

use foster::websocket::{CloseCode, Config, Connect, Message, WebSocketError};
use foster::{Nursery, Result};
use tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tungstenite::{Error, Message as TheirMessage};

use crate::peer::{switching_protocols, with_script};

type Tungstenite<'a> = tungstenite::WebSocket<&'a mut TcpStream>;

fn with_tungstenite(
    script: impl FnOnce(Tungstenite<'_>) + Send + 'static,
    test: impl AsyncFnOnce(&Nursery, Connect<'_>) -> Result<()> + 'static,
) {
    let script = move |raw: &mut crate::scripted::Peer| {
        let head = raw.head();
        raw.send(switching_protocols(&head, ""));
        let config = WebSocketConfig::default();
        script(tungstenite::WebSocket::from_raw_socket(raw.stream(), Role::Server, Some(config)));
    };
    with_script(script, test);
}

fn echo(mut websocket: Tungstenite<'_>) -> Option<u16> {
    loop {
        match websocket.read() {
            Ok(message @ (TheirMessage::Text(_) | TheirMessage::Binary(_))) => {
                websocket.send(message).expect("it is there")
            }
            Ok(TheirMessage::Close(frame)) => {
                let code = frame.map(|frame| frame.code.into());
                while websocket.read().is_ok() {}
                return code;
            }
            Ok(_) => {}
            Err(Error::ConnectionClosed) => return None,
            Err(err) => panic!("{err}"),
        }
    }
}

#[test]
fn messages_come_back_and_the_code_of_the_client_arrives() {
    let script = |websocket: Tungstenite<'_>| assert_eq!(echo(websocket), Some(4000));
    with_tungstenite(script, async |_, connecting| {
        let websocket = connecting.await?;
        for size in [0, 1, 125, 126, 65_535, 65_536, 1_000_000] {
            websocket.send("x".repeat(size)).await?;
            assert_eq!(websocket.receive().await?, Message::from("x".repeat(size)));
            websocket.send(vec![0xff; size]).await?;
            assert_eq!(websocket.receive().await?, Message::binary(vec![0xff; size]));
        }
        assert!(websocket.ping().await? < Duration::from_secs(30));
        let closed = websocket.close(4000, "done").await?;
        assert_eq!(closed.received.code, CloseCode::from(4000));
        Ok(())
    });
}

#[test]
fn the_last_handle_closes_with_1000() {
    let script = |websocket: Tungstenite<'_>| assert_eq!(echo(websocket), Some(1000));
    with_tungstenite(script, async |_, connecting| {
        let websocket = connecting.await?;
        let other = websocket.clone();
        drop(websocket);
        other.send("still open").await?;
        assert_eq!(other.receive().await?, Message::from("still open"));
        Ok(())
    });
}

#[test]
fn a_close_frame_of_the_server_is_answered_and_then_the_server_closes_the_connection() {
    let script = |mut websocket: Tungstenite<'_>| {
        websocket.send(TheirMessage::text("last")).expect("it is there");
        let frame = CloseFrame { code: 4002.into(), reason: "over".into() };
        websocket.close(Some(frame)).expect("it is there");
        match websocket.read() {
            Ok(TheirMessage::Close(Some(frame))) => assert_eq!(u16::from(frame.code), 4002),
            other => panic!("{other:?} instead of a close frame"),
        }
        assert!(matches!(websocket.read(), Err(Error::ConnectionClosed)));
    };
    with_tungstenite(script, async |_, connecting| {
        let websocket = connecting.await?;
        assert_eq!(websocket.receive().await?, Message::from("last"));
        match websocket.receive().await {
            Err(WebSocketError::Closed(closed)) => assert_eq!(closed.received.to_string(), "4002 (over)"),
            other => panic!("{other:?} instead of the end"),
        }
        Ok(())
    });
}

#[test]
fn fragments_and_pings_of_the_server_are_put_together_and_answered() {
    let script = |mut websocket: Tungstenite<'_>| {
        websocket.send(TheirMessage::Ping((&b"there?"[..]).into())).expect("it is there");
        match websocket.read() {
            Ok(TheirMessage::Pong(payload)) => assert_eq!(&payload[..], b"there?"),
            other => panic!("{other:?} instead of a pong"),
        }
        websocket.send(TheirMessage::text("your turn")).expect("it is there");
        assert_eq!(echo(websocket), Some(1000));
    };
    with_tungstenite(script, async |_, connecting| {
        let websocket = connecting.config(Config::new().compression(None)).await?;
        assert_eq!(websocket.receive().await?, Message::from("your turn"));
        let mut message = websocket.start_message(foster::websocket::MessageKind::Text).await?;
        for piece in ["in ", "", "pie", "ces"] {
            message.write(piece.as_bytes()).await?;
        }
        message.finish()?;
        assert_eq!(websocket.receive().await?, Message::from("in pieces"));
        Ok(())
    });
}
