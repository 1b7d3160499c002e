//! fastwebsockets, with hyper for the handshake as its examples have it.

use bytes::Bytes;
use fastwebsockets::upgrade::{UpgradeFut, upgrade};
use fastwebsockets::{FragmentCollector, FragmentCollectorRead, Frame, OpCode, Payload, WebSocketError};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::room::Member;

pub(crate) async fn accept(listener: TcpListener) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        if stream.set_nodelay(true).is_ok() {
            let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(shake_hands));
            // A connection that fails just ends.
            tokio::spawn(async move { drop(connection.with_upgrades().await) });
        }
    }
}

async fn shake_hands(mut request: Request<Incoming>) -> Result<Response<Empty<Bytes>>, WebSocketError> {
    let is_broadcast = request.uri().path() == "/broadcast";
    let (response, upgraded) = upgrade(&mut request)?;
    tokio::spawn(async move {
        drop(if is_broadcast { broadcast(upgraded).await } else { echo(upgraded).await });
    });
    Ok(response)
}

async fn echo(upgraded: UpgradeFut) -> Result<(), WebSocketError> {
    let mut websocket = FragmentCollector::new(upgraded.await?);
    loop {
        let frame = websocket.read_frame().await?;
        match frame.opcode {
            OpCode::Text | OpCode::Binary => websocket.write_frame(frame).await?,
            OpCode::Close => return Ok(()),
            _ => {}
        }
    }
}

async fn broadcast(upgraded: UpgradeFut) -> Result<(), WebSocketError> {
    let (reader, mut writer) = upgraded.await?.split(tokio::io::split);
    let mut reader = FragmentCollectorRead::new(reader);
    let (member, mut queue) = Member::join();
    tokio::spawn(async move {
        while let Some(message) = queue.recv().await {
            if writer.write_frame(Frame::binary(Payload::Borrowed(&message))).await.is_err() {
                break;
            }
        }
    });
    loop {
        // The answers to pings and to a close are left out: no client here sends these.
        let frame = reader.read_frame(&mut |_| async { Ok::<_, WebSocketError>(()) }).await?;
        match frame.opcode {
            OpCode::Binary => member.send(&Bytes::from(Vec::from(frame.payload))),
            OpCode::Close => return Ok(()),
            _ => {}
        }
    }
}
