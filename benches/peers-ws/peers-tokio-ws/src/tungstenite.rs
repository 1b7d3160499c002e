use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message, Result};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async_with_config};

use crate::room::Member;

/// Before each read tungstenite fills as much as its read buffer with zeros.
pub(crate) async fn accept(listener: TcpListener, read_buffer: usize) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        if stream.set_nodelay(true).is_ok() {
            // A connection that fails just ends.
            tokio::spawn(async move { drop(serve(stream, read_buffer).await) });
        }
    }
}

#[expect(clippy::result_large_err, reason = "the callback's type is tungstenite's")]
async fn serve(stream: TcpStream, read_buffer: usize) -> Result<()> {
    let mut is_broadcast = false;
    let look = |request: &Request, response: Response| {
        is_broadcast = request.uri().path() == "/broadcast";
        Ok(response)
    };
    let config = WebSocketConfig::default().read_buffer_size(read_buffer);
    let websocket = accept_hdr_async_with_config(stream, look, Some(config)).await?;
    if is_broadcast { broadcast(websocket).await } else { echo(websocket).await }
}

async fn echo(mut websocket: WebSocketStream<TcpStream>) -> Result<()> {
    while let Some(message) = websocket.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            websocket.send(message).await?;
        }
    }
    Ok(())
}

async fn broadcast(websocket: WebSocketStream<TcpStream>) -> Result<()> {
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

/// tungstenite's own.
pub(crate) const DEFAULT_READ_BUFFER: usize = 128 * 1024;
