use std::cell::Cell;
use std::future::pending;
use std::io::Write;
use std::rc::Rc;

use foster::http::{HeaderValue, StatusCode};
use foster::websocket::{ConnectError, WebSocket, WebSocketError, connect};
use foster::{Error, Event, ExceptionContext, Loop, Nursery, fail_after, run_here};
use futures::channel::oneshot;
use serde_json::Value;
use tokio::time::Instant;

use super::child::{self, Child, PATIENCE};
use super::*;

#[test]
fn what_one_says_everybody_hears() {
    at(app(), async |nursery, url| {
        let ada = Client::enter(&nursery, &url, "ada", &["ada"]).await;
        let bob = Client::enter(&nursery, &url, "bob <b>", &["ada", "bob <b>"]).await;
        ada.hears(json!({ "type": "came", "name": "bob <b>" })).await;
        ada.says("good morning").await;
        bob.says("  grüß dich, \"ada\" \u{1f44b}\n").await;
        for client in [&ada, &bob] {
            client.hears(said("ada", "good morning")).await;
            client.hears(said("bob <b>", "grüß dich, \"ada\" \u{1f44b}")).await;
        }
        Ok(())
    });
}

#[test]
fn whoever_has_no_name_hears_nothing_but_the_heartbeat() {
    at(app(), async |nursery, url| {
        let outside = Client::connect(&nursery, &url).await;
        assert_eq!(outside.receive().await, json!({ "type": "heartbeat" }));
        let ada = Client::enter(&nursery, &url, "ada", &["ada"]).await;
        ada.says("nobody else is here").await;
        ada.hears(said("ada", "nobody else is here")).await;
        outside.says("eve").await;
        outside.hears(json!({ "type": "here", "name": "eve", "names": ["ada", "eve"] })).await;
        Ok(())
    });
}

#[test]
fn whoever_vanishes_leaves_the_room_and_their_heartbeat_is_cancelled() {
    let (room, beating) = (Rc::new(Room::new()), Rc::new(()));
    let hearts = beating.clone();
    let app = with_heartbeats(&room, move || {
        let heart = hearts.clone();
        async move {
            pending::<()>().await;
            drop(heart);
            Ok(())
        }
    });
    let n_beating = move || Rc::strong_count(&beating) - 2;
    at(app, async |nursery, url| {
        let ada = Client::enter(&nursery, &url, "ada", &["ada"]).await;
        let bob = Client::enter(&nursery, &url, "bob", &["ada", "bob"]).await;
        ada.hears(json!({ "type": "came", "name": "bob" })).await;
        assert_eq!((n_beating(), room.everybody.len()), (2, 2));
        bob.vanishes();
        ada.hears(json!({ "type": "gone", "name": "bob" })).await;
        assert_eq!((n_beating(), room.everybody.len()), (1, 1));
        Client::enter(&nursery, &url, "bob", &["ada", "bob"]).await;
        Ok(())
    });
}

#[test]
fn a_heartbeat_that_fails_ends_its_own_websocket_with_1011() {
    let (stop, n_clients) = (Event::new(), Cell::new(0));
    let stopped = stop.clone();
    let app = with_heartbeats(&Rc::new(Room::new()), move || {
        n_clients.set(n_clients.get() + 1);
        let (stop, is_first) = (stopped.clone(), n_clients.get() == 1);
        async move {
            stop.wait().await;
            if is_first { Err(Error::msg("no pulse")) } else { pending().await }
        }
    });
    at(app, async |nursery, url| {
        let reports = Rc::new(RefCell::new(Vec::new()));
        let reported = reports.clone();
        Loop::new(&nursery).set_exception_handler(Some(move |_: &Loop, context: &ExceptionContext| {
            let exception = context.exception().map(|err| format!(": {err:#}")).unwrap_or_default();
            reported.borrow_mut().push(format!("{}{exception}", context.message()));
        }));
        let ill = Client::enter(&nursery, &url, "ill", &["ill"]).await;
        let well = Client::enter(&nursery, &url, "well", &["ill", "well"]).await;
        stop.set();
        well.hears(json!({ "type": "gone", "name": "ill" })).await;
        assert_eq!(ill.closed().await, 1011);
        let reports = reports.take();
        assert!(matches!(&*reports, [report] if report.contains("no pulse")), "{reports:?}");
        well.says("still here").await;
        well.hears(said("well", "still here")).await;
        Ok(())
    });
}

#[test]
fn a_name_that_is_none_or_taken_is_asked_for_again() {
    at(app(), async |nursery, url| {
        let _ada = Client::enter(&nursery, &url, "ada", &["ada"]).await;
        let other = Client::connect(&nursery, &url).await;
        for name in ["", " \t ", "a\u{7}b", &"x".repeat(MAX_NAME + 1)] {
            other.says(name).await;
            other.hears(json!({ "type": "refused", "why": "A name has 1 to 20 characters." })).await;
        }
        other.says("ada").await;
        other.hears(json!({ "type": "refused", "why": "That name is taken." })).await;
        other.says(&"ü".repeat(MAX_NAME)).await;
        assert_eq!(other.hears_something().await["type"], "here");
        Ok(())
    });
}

#[test]
fn what_is_too_long_is_refused_and_what_is_far_too_long_ends_with_1009() {
    at(app(), async |nursery, url| {
        let ada = Client::enter(&nursery, &url, "ada", &["ada"]).await;
        let bob = Client::enter(&nursery, &url, "bob", &["ada", "bob"]).await;
        ada.hears(json!({ "type": "came", "name": "bob" })).await;
        let longest = "\u{1f44b}".repeat(MAX_TEXT);
        bob.says(&longest).await;
        bob.hears(said("bob", &longest)).await;
        for text in ["", &"x".repeat(MAX_TEXT + 1)] {
            bob.says(text).await;
            bob.hears(json!({ "type": "refused", "why": "A message has 1 to 1000 characters." })).await;
        }
        bob.says(&"x".repeat(MAX_MESSAGE_SIZE + 1)).await;
        assert_eq!(bob.closed().await, 1009);
        ada.hears(said("bob", &longest)).await;
        ada.hears(json!({ "type": "gone", "name": "bob" })).await;
        Ok(())
    });
}

#[test]
fn bytes_end_with_1003() {
    at(app(), async |nursery, url| {
        let ada = Client::enter(&nursery, &url, "ada", &["ada"]).await;
        ada.websocket.send(&b"bytes"[..]).await?;
        assert_eq!(ada.closed().await, 1003);
        Ok(())
    });
}

#[test]
fn a_flood_of_messages_waits_its_turn() {
    at(app(), async |nursery, url| {
        const N_MESSAGES: u32 = 5;
        let ada = Client::enter(&nursery, &url, "ada", &["ada"]).await;
        let begun = Instant::now();
        for _ in 0..N_MESSAGES {
            ada.says("me").await;
        }
        for _ in 0..N_MESSAGES {
            ada.hears(said("ada", "me")).await;
        }
        assert!(begun.elapsed() >= PAUSE * (N_MESSAGES - 1));
        Ok(())
    });
}

#[test]
fn the_page_and_its_icon_are_served_and_nothing_else() {
    let server = Child::serve("websocket_chat");
    let get = |path: &str| {
        let mut client = server.connect();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        client.write_all(request.as_bytes()).expect("the server reads");
        String::from_utf8(child::receive_all(&client)).expect("everything is text")
    };
    let page = get("/");
    assert!(page.starts_with("HTTP/1.1 200 OK\r\ncontent-type: text/html; charset=utf-8\r\n"), "{page}");
    assert!(page.ends_with(PAGE) && !PAGE.contains("://"));
    assert!(get("/favicon.ico").starts_with("HTTP/1.1 200 OK\r\ncontent-type: image/svg+xml\r\n"));
    assert!(get("/ws").starts_with("HTTP/1.1 400 "));
    for path in ["/page.html", "/ws/", "/../etc/passwd"] {
        assert!(get(path).starts_with("HTTP/1.1 404 "), "{path}");
    }
}

#[test]
fn a_page_of_another_site_may_not_connect() {
    at(app(), async |nursery, url| {
        let origin = HeaderValue::from_static("http://example.org");
        let refused = connect(&nursery, url).header(foster::http::header::ORIGIN, origin).await;
        let Err(ConnectError::Rejected { rejected, .. }) = refused else { panic!("{refused:?}") };
        assert_eq!(rejected.status(), StatusCode::FORBIDDEN);
        Ok(())
    });
}

#[test]
fn ctrl_c_tells_everybody_1001_and_stops_it_at_once() {
    let server = Child::serve("websocket_chat");
    let url = format!("ws://{}/ws", server.address);
    bounded(async |nursery| {
        let ada = Client::enter(&nursery, &url, "ada", &["ada"]).await;
        let bob = Client::enter(&nursery, &url, "bob", &["ada", "bob"]).await;
        server.signal("INT");
        for client in [ada, bob] {
            assert_eq!(client.closed().await, 1001);
        }
        Ok(())
    });
    let ended = server.ends();
    assert_eq!((ended.code, &*ended.stderr), (Some(0), &[][..]));
}

fn said(name: &str, text: &str) -> Value {
    json!({ "type": "said", "name": name, "text": text })
}

/// Runs a test in a nursery, for as long as nothing takes.
pub(super) fn bounded(test: impl AsyncFnOnce(Nursery) -> Result<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made");
    let ended = runtime.block_on(run_here(fail_after(3 * PATIENCE, open_nursery(test))));
    ended.expect("it ends in time").expect("nothing fails");
}

/// The WebSocket with other heartbeats than its own.
fn with_heartbeats<H>(room: &Rc<Room>, heartbeat: impl Fn() -> H + 'static) -> App
where
    H: Future<Output = Result<()>> + 'static,
{
    let mut app = App::new();
    app.state(room.clone());
    app.websocket("/ws", async move |room: State<Rc<Room>>| beside(heartbeat(), listen(&room)).await);
    app
}

/// As [`bounded`], with the URL of the WebSocket of an application.
fn at(app: App, test: impl AsyncFnOnce(Nursery, String) -> Result<()>) {
    bounded(async |nursery| {
        let (sender, serving) = oneshot::channel();
        let server = app.run_task(foster::Config::new().bind("127.0.0.1:0")).shutdown_trigger(pending());
        let server = server.on_serving(|server| sender.send(server).expect("the test waits for it"));
        nursery.start_soon(async move { server.await });
        let server = serving.await?;
        test(nursery, format!("ws://{}/ws", server.addresses()[0])).await?;
        server.shutdown();
        Ok(())
    });
}

/// One tab, as it were.
struct Client {
    websocket: WebSocket,
}

impl Client {
    async fn connect(nursery: &Nursery, url: &str) -> Self {
        let websocket = connect(nursery, url).await.expect("the server accepts");
        Client { websocket }
    }

    /// Goes in, where then these are.
    async fn enter(nursery: &Nursery, url: &str, name: &str, names: &[&str]) -> Self {
        let client = Client::connect(nursery, url).await;
        client.says(name).await;
        client.hears(json!({ "type": "here", "name": name, "names": names })).await;
        client.hears(json!({ "type": "came", "name": name })).await;
        client
    }

    async fn says(&self, text: &str) {
        self.websocket.send(text).await.expect("the server is there");
    }

    async fn receive(&self) -> Value {
        let message = self.websocket.receive().await.expect("there is another message");
        serde_json::from_str(message.as_text().expect("it is text")).expect("it is JSON")
    }

    /// The next message that is no heartbeat.
    async fn hears_something(&self) -> Value {
        loop {
            let message = self.receive().await;
            if message["type"] != "heartbeat" {
                return message;
            }
        }
    }

    async fn hears(&self, expected: Value) {
        assert_eq!(self.hears_something().await, expected);
    }

    /// The code that the server closes with.
    async fn closed(&self) -> u16 {
        loop {
            match self.websocket.receive().await {
                Ok(_) => {}
                Err(WebSocketError::Closed(closed)) => return closed.received.code.into(),
                Err(err) => panic!("{err}"),
            }
        }
    }

    /// Goes without a word.
    fn vanishes(self) {
        self.websocket.transport().expect("it is connected").abort();
    }
}
