//! With the real client, over sockets: what was found wrong elsewhere has to be right here.

use std::time::Duration;

use foster::app::{App, HttpException, Request, State, WebSocket, abort, websocket};
use foster::websocket::{CloseFrame, Config, ConnectError, Message, WebSocketError};
use foster::{Error, Result};

use crate::site::at;
use crate::stage::{Log, reports_of, until};

/// An application that says what its WebSockets receive, and how they end.
fn listening(log: &Log) -> App {
    let mut app = App::new();
    app.state(log.clone());
    app.websocket("/", async |log: State<Log>| {
        loop {
            match websocket().receive().await {
                Ok(message) => log.say(message.as_text().unwrap_or("bytes")),
                Err(err) => {
                    log.say(err.to_string());
                    return foster::Ok(());
                }
            }
        }
    });
    app
}

#[test]
fn check_13_five_messages_and_then_the_close_with_its_code_and_reason() {
    let log = Log::default();
    at(listening(&log), async move |site| {
        let client = site.connect("/").await?;
        for n in 0..5 {
            client.send(format!("m{n}")).await?;
        }
        let closed = client.close(4001, "enough").await?;
        assert_eq!(closed.received, CloseFrame::new(4001, "enough"));
        until(|| log.len() == 6).await;
        assert_eq!(log.words(), ["m0", "m1", "m2", "m3", "m4", "the WebSocket is closed: 4001 (enough)"]);
        Ok(())
    });
}

#[test]
fn check_14_an_error_of_the_view_closes_with_1011_and_is_reported() {
    let mut app = App::new();
    app.websocket("/", async || -> Result<()> {
        let message = websocket().receive().await?;
        Err(Error::msg(format!("nobody says {:?}", message.as_text())))
    });
    at(app, async |site| {
        let reports = reports_of(&site.nursery);
        let client = site.connect("/").await?;
        client.send("this").await?;
        assert_eq!(closed(client.receive().await), CloseFrame::new(1011, ""));
        until(|| reports.len() == 1).await;
        assert_eq!(reports.words(), ["a view failed: nobody says Some(\"this\")"]);
        Ok(())
    });
}

#[test]
fn check_14_a_message_of_17_mib_closes_with_1009_and_the_view_is_told() {
    let log = Log::default();
    at(listening(&log), async move |site| {
        let client = site.connect("/").config(Config::new().compression(None)).await?;
        client.send("before").await?;
        // The server stops to listen in the middle of it, which may be before the end is written.
        let _ = client.send(Message::binary(vec![0; 17 * 1024 * 1024])).await;
        assert_eq!(closed(client.receive().await).code, 1009.into());
        until(|| log.len() == 2).await;
        assert_eq!(log.words(), ["before", "a message is larger than 16777216 bytes"]);
        Ok(())
    });
}

#[test]
fn the_status_and_the_body_of_an_error_before_it_is_accepted_reach_the_client() {
    let mut app = App::new();
    app.errorhandler(404, async |err: HttpException| {
        (format!("sorry: {}", err.get_description().unwrap_or_default()), 404, [("x-page", "1")])
    });
    app.websocket("/rooms", async || Err::<(), _>(abort(404).description("no such room")));
    app.websocket("/full", async || Some(("come back later", 503)));
    at(app, async |site| {
        for (path, status, said) in [("/rooms", 404, "sorry: no such room"), ("/full", 503, "come back later")] {
            match site.connect(path).await {
                Err(ConnectError::Rejected { rejected, body }) => {
                    assert_eq!((rejected.status().as_u16(), &*body), (status, said.as_bytes()));
                    assert_eq!(rejected.headers().contains("x-page"), status == 404);
                }
                other => panic!("{other:?} instead of a refusal"),
            }
        }
        Ok(())
    });
}

#[test]
fn messages_go_both_ways_and_the_view_knows_its_request() {
    let mut app = App::new();
    app.websocket("/rooms/<int:room>", async |websocket: WebSocket, request: Request| {
        let args = request.view_args();
        let room = args.get("room").and_then(|room| room.as_int()).unwrap_or_default();
        let name = websocket.request().args().get("name").unwrap_or_default().to_owned();
        websocket.send(format!("{name} in {room}")).await?;
        websocket.send(websocket.receive().await?).await?;
        foster::Ok(())
    });
    at(app, async |site| {
        let client = site.connect("/rooms/7?name=ada").await?;
        assert_eq!(client.receive().await?, Message::from("ada in 7"));
        client.send(Message::binary(vec![0; 100_000])).await?;
        assert_eq!(client.receive().await?, Message::binary(vec![0; 100_000]));
        assert_eq!(closed(client.receive().await), CloseFrame::new(1000, ""));
        Ok(())
    });
}

#[test]
fn a_server_that_stops_closes_with_1001_and_the_view_is_told() {
    let log = Log::default();
    at(listening(&log), async move |site| {
        let client = site.connect("/").await?;
        client.send("hello").await?;
        until(|| log.len() == 1).await;
        site.server.shutdown();
        assert_eq!(closed(client.receive().await), CloseFrame::new(1001, ""));
        until(|| log.len() == 2).await;
        assert_eq!(log.words(), ["hello", "the WebSocket is closed: 1001"]);
        Ok(())
    });
}

#[test]
fn a_client_that_takes_nothing_waits_and_is_let_go_when_it_leaves() {
    let log = Log::default();
    let mut app = App::new();
    app.state(log.clone());
    app.websocket("/", async |log: State<Log>| {
        loop {
            if let Err(err) = websocket().send(vec![0; 1024 * 1024]).await {
                log.say(err.to_string());
                return foster::Ok(());
            }
        }
    });
    at(app, async move |site| {
        let client = site.connect("/").config(Config::new().compression(None).max_queue(1)).await?;
        foster::sleep(Duration::from_millis(50)).await;
        client.transport().expect("it is open").abort();
        until(|| log.len() == 1).await;
        assert_eq!(log.words(), ["the WebSocket is closed: 1006"]);
        Ok(())
    });
}

/// The close frame of who has ended it.
fn closed(received: Result<Message, WebSocketError>) -> CloseFrame {
    match received {
        Err(WebSocketError::Closed(closed)) => closed.received,
        other => panic!("{other:?} instead of the end"),
    }
}
