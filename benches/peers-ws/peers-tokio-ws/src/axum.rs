//! axum, which has tungstenite inside.

use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::routing::any;
use axum::serve::ListenerExt;
use axum::{Error, Router};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpListener;

use crate::room::Member;

pub(crate) async fn accept(listener: TcpListener) {
    // A connection that fails just ends.
    let routes = Router::new()
        .route("/ws", any(async |upgrade: WebSocketUpgrade| upgrade.on_upgrade(async |ws| drop(echo(ws).await))))
        .route(
            "/broadcast",
            any(async |upgrade: WebSocketUpgrade| upgrade.on_upgrade(async |ws| drop(broadcast(ws).await))),
        );
    // This never ends.
    drop(axum::serve(listener.tap_io(|stream| drop(stream.set_nodelay(true))), routes).await);
}

async fn echo(mut websocket: WebSocket) -> Result<(), Error> {
    while let Some(message) = websocket.recv().await {
        let message = message?;
        if matches!(message, Message::Text(_) | Message::Binary(_)) {
            websocket.send(message).await?;
        }
    }
    Ok(())
}

async fn broadcast(websocket: WebSocket) -> Result<(), Error> {
    let (mut writer, mut reader) = websocket.split();
    let (member, mut queue) = Member::join();
    tokio::spawn(async move {
        while let Some(message) = queue.recv().await {
            writer.feed(Message::Binary(message)).await?;
            if queue.is_empty() {
                writer.flush().await?;
            }
        }
        Ok::<_, Error>(())
    });
    while let Some(message) = reader.next().await {
        if let Message::Binary(message) = message? {
            member.send(&message);
        }
    }
    Ok(())
}
