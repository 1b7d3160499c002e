//! Messages over WebSocket: back to who sent them, or to everybody.

use std::cell::RefCell;
use std::collections::HashMap;

use actix_web::web::{Bytes, Payload};
use actix_web::{HttpRequest, HttpResponse, Result, rt};
use actix_ws::{Message, MessageStream, Session};
use futures_util::StreamExt;
use tokio::sync::mpsc::{self, UnboundedSender};

pub(crate) async fn echo(request: HttpRequest, body: Payload) -> Result<HttpResponse> {
    let (response, mut session, mut messages) = actix_ws::handle(&request, body)?;
    rt::spawn(async move {
        while let Some(Ok(message)) = messages.next().await {
            let is_sent = match message {
                Message::Text(text) => session.text(text).await,
                Message::Binary(message) => session.binary(message).await,
                Message::Ping(payload) => session.pong(&payload).await,
                Message::Close(_) => break,
                _ => Ok(()),
            };
            if is_sent.is_err() {
                return;
            }
        }
        // A connection that has ended cannot be told.
        let _ = session.close(None).await;
    });
    Ok(response)
}

pub(crate) async fn broadcast(request: HttpRequest, body: Payload) -> Result<HttpResponse> {
    let (response, session, messages) = actix_ws::handle(&request, body)?;
    rt::spawn(take_part(session, messages));
    Ok(response)
}

async fn take_part(session: Session, mut messages: MessageStream) {
    let (sender, mut queue) = mpsc::unbounded_channel::<Bytes>();
    let id = ROOM.with_borrow_mut(|room| {
        room.n_ever += 1;
        room.queues.insert(room.n_ever, sender);
        room.n_ever
    });
    let mut writer = session.clone();
    rt::spawn(async move {
        while let Some(message) = queue.recv().await {
            if writer.binary(message).await.is_err() {
                break;
            }
        }
    });
    while let Some(Ok(message)) = messages.next().await {
        match message {
            Message::Binary(message) => ROOM.with_borrow(|room| {
                for queue in room.queues.values() {
                    // One whose task has ended is about to leave.
                    let _ = queue.send(message.clone());
                }
            }),
            Message::Close(_) => break,
            _ => {}
        }
    }
    ROOM.with_borrow_mut(|room| room.queues.remove(&id));
    let _ = session.close(None).await;
}

/// Those who get what anybody sends, each through a queue that a task of its own empties. One worker has them all.
#[derive(Default)]
struct Room {
    queues: HashMap<u64, UnboundedSender<Bytes>>,
    n_ever: u64,
}

thread_local! {
    static ROOM: RefCell<Room> = RefCell::default();
}
