//! `peers-ntex --port P`: a WebSocket server on ntex with one worker, on 127.0.0.1, that sends messages back on `/ws` and
//! to everybody on `/broadcast`. Ended by a signal.

mod room;

use std::io;

use ntex::service::{fn_factory_with_config, fn_service};
use ntex::web::{self, App, Error, HttpRequest, HttpResponse, HttpServer, ws};

fn main() -> io::Result<()> {
    let port = std::env::args().skip_while(|argument| argument != "--port").nth(1);
    let port: u16 = port.and_then(|port| port.parse().ok()).ok_or_else(|| io::Error::other("--port needs a number"))?;
    ntex::rt::System::new("peers-ntex", ntex::rt::DefaultRuntime).block_on(async move {
        let server = HttpServer::new(async || {
            App::new().route("/ws", web::get().to(echo)).route("/broadcast", web::get().to(broadcast))
        });
        server.workers(1).backlog(4096).bind(("127.0.0.1", port))?.run().await
    })
}

async fn echo(request: HttpRequest) -> Result<HttpResponse, Error> {
    let service = fn_factory_with_config(async |_: ws::WsSink| Ok::<_, Error>(fn_service(send_back)));
    ws::start(request, None::<&str>, service).await
}

async fn send_back(frame: ws::Frame) -> io::Result<Option<ws::Message>> {
    Ok(match frame {
        ws::Frame::Text(text) => {
            let text = text.try_into().map_err(|_| io::Error::other("a text message that is not UTF-8"))?;
            Some(ws::Message::Text(text))
        }
        ws::Frame::Binary(message) => Some(ws::Message::Binary(message)),
        ws::Frame::Ping(payload) => Some(ws::Message::Pong(payload)),
        ws::Frame::Close(reason) => Some(ws::Message::Close(reason)),
        _ => None,
    })
}

async fn broadcast(request: HttpRequest) -> Result<HttpResponse, Error> {
    let service = fn_factory_with_config(async |sink: ws::WsSink| {
        room::join(sink);
        Ok::<_, Error>(fn_service(send_to_all))
    });
    ws::start(request, None::<&str>, service).await
}

async fn send_to_all(frame: ws::Frame) -> io::Result<Option<ws::Message>> {
    Ok(match frame {
        ws::Frame::Binary(message) => {
            room::send(&message).await;
            None
        }
        ws::Frame::Ping(payload) => Some(ws::Message::Pong(payload)),
        ws::Frame::Close(reason) => Some(ws::Message::Close(reason)),
        _ => None,
    })
}
