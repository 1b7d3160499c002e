//! The end of a WebSocket: of its view, by an error or a panic, and by what the client does wrong.

use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;
use std::time::Duration;

use foster::app::{App, State, WebSocket, abort, websocket};
use foster::websocket::{self, WebSocketError};
use foster::{Error, Result, fail_after, open_nursery, sleep, sleep_forever};

use crate::client::request;
use crate::site::{in_memory, open_at, refused, said};
use crate::stage::{Log, paused, reports_of, turns};

/// Says how it has ended, and sends back what it receives.
async fn echo(log: State<Log>) -> Result<()> {
    loop {
        match websocket().receive().await {
            Ok(message) => websocket().send(message).await?,
            Err(err) => {
                log.say(err.to_string());
                return Err(err.into());
            }
        }
    }
}

fn echoing(log: &Log) -> App {
    let mut app = App::new();
    app.state(log.clone());
    app.websocket("/", echo);
    app
}

/// A frame of the client.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first, 0x80 | u8::try_from(payload.len()).expect("a short payload"), 0, 0, 0, 0];
    frame.extend_from_slice(payload);
    frame
}

#[test]
fn check_14_what_the_client_does_wrong_has_its_code_and_the_view_is_told() {
    paused(async |nursery| {
        let (log, reports) = (Log::default(), reports_of(&nursery));
        let server = in_memory(&nursery, echoing(&log));
        // The head of a message of 17 MiB is enough.
        let too_big = [&[0x82, 0x80 | 127][..], &(17u64 << 20).to_be_bytes(), &[0; 4]].concat();
        for (bytes, code, word) in [
            (masked(0x81, b"\xff"), 1007, "UTF-8"),
            (vec![0x81, 1, b'x'], 1002, "mask"),
            (masked(0xc1, b""), 1002, "compressed"),
            (too_big, 1009, "16777216"),
        ] {
            let client = open_at(&server, "/").await;
            client.send("before");
            client.peer.send(&bytes);
            assert_eq!(client.text_message().await, "before");
            assert_eq!(client.closed().await.0, code, "{bytes:?}");
            client.peer.close_write();
            client.ended().await;
            turns(10).await;
            let words = log.words();
            assert!(words.last().is_some_and(|last| last.contains(word)), "{words:?}");
        }
        assert_eq!(log.len(), 4);
        assert_eq!(reports.words(), [] as [&str; 0], "it is no failure of the view");
        Ok(())
    });
}

#[test]
fn check_15_bytes_in_the_segment_of_the_request_wait_for_who_accepts() {
    paused(async |nursery| {
        let mut app = App::new();
        app.websocket("/", async || {
            sleep(Duration::from_secs(1)).await;
            for _ in 0..3 {
                let message = websocket().receive().await?;
                websocket().send(message).await?;
            }
            foster::Ok(())
        });
        let server = in_memory(&nursery, app);
        let client = crate::client::Client::on(server.connect());
        let mut segment = request("/", "").into_bytes();
        segment.extend(client.text("early"));
        segment.extend(client.text("and more"));
        client.peer.send(segment);
        assert!(client.read_head().await.starts_with("HTTP/1.1 101 "));
        client.send("late");
        for word in ["early", "and more", "late"] {
            assert_eq!(client.text_message().await, word);
        }
        assert_eq!(client.closed().await.0, 1000);
        assert_eq!(server.stats().n_connections, 1, "nothing has gone down with it");
        Ok(())
    });
}

#[test]
fn an_error_a_panic_and_an_aborted_status_close_with_1011_and_are_reported() {
    paused(async |nursery| {
        let reports = reports_of(&nursery);
        let mut app = App::new();
        app.errorhandler(404, async |_| ("nobody is left to read this", 404));
        app.websocket("/", async || -> Result<()> {
            match websocket().receive().await?.as_text() {
                Some("fail") => Err(Error::msg("as asked")),
                Some("abort") => Err(abort(404).into()),
                _ => panic!("as asked, too"),
            }
        });
        let server = in_memory(&nursery, app);
        for word in ["fail", "abort", "panic"] {
            let client = open_at(&server, "/").await;
            client.send(word);
            assert_eq!(client.closed().await, (1011, String::new()));
            client.answer_close();
            client.ended().await;
        }
        assert_eq!(
            reports.words(),
            ["a view failed: as asked", "a view failed: 404 Not Found", "a view failed: panicked: as asked, too",]
        );
        assert_eq!(server.stats().n_failed, 3);
        Ok(())
    });
}

#[test]
fn an_error_in_a_child_closes_with_1011_and_takes_the_view_along() {
    paused(async |nursery| {
        let (log, reports) = (Log::default(), reports_of(&nursery));
        let mut app = App::new();
        app.state(log.clone());
        app.websocket("/", async |log: State<Log>| {
            open_nursery(async |nursery| {
                nursery.start_soon(async {
                    websocket().send("beat").await?;
                    sleep(Duration::from_secs(1)).await;
                    Err::<(), _>(Error::msg("no pulse"))
                });
                let _cancelled = AtTheEnd(&log);
                websocket().receive().await?;
                Ok(())
            })
            .await?;
            foster::Ok(())
        });
        let server = in_memory(&nursery, app);
        let client = open_at(&server, "/").await;
        assert_eq!(client.text_message().await, "beat");
        assert_eq!(client.closed().await.0, 1011);
        turns(5).await;
        assert_eq!(log.words(), ["over"]);
        assert!(
            matches!(&*reports.words(), [report] if report.contains("no pulse")),
            "{reports:?}",
            reports = reports.words()
        );
        Ok(())
    });
}

/// Says when it goes.
struct AtTheEnd<'a>(&'a Log);

impl Drop for AtTheEnd<'_> {
    fn drop(&mut self) {
        self.0.say("over");
    }
}

/// What a heartbeat holds while it beats.
struct Heart(Rc<()>);

async fn beat(_heart: Rc<()>) -> Result<()> {
    loop {
        websocket().send("beat").await?;
        sleep(Duration::from_secs(1)).await;
    }
}

async fn listen() -> Result<()> {
    loop {
        websocket().receive().await?;
    }
}

#[test]
fn a_client_that_goes_ends_the_heartbeat_and_is_nobodys_failure() {
    paused(async |nursery| {
        let reports = reports_of(&nursery);
        let beating = Rc::new(());
        let mut app = App::new();
        app.state(Heart(beating.clone()));
        app.websocket("/", async |heart: State<Heart>| {
            open_nursery(async |nursery| {
                nursery.start_soon(beat(heart.0.clone()));
                listen().await
            })
            .await?;
            foster::Ok(())
        });
        let server = in_memory(&nursery, app);
        for is_clean in [true, false] {
            let client = open_at(&server, "/").await;
            assert_eq!(client.text_message().await, "beat");
            let n_before = Rc::strong_count(&beating);
            if is_clean {
                client.send_close(1001, "leaving the page");
            } else {
                client.peer.reset();
            }
            sleep(Duration::from_secs(1)).await;
            assert_eq!(Rc::strong_count(&beating), n_before - 1, "the heartbeat is over");
        }
        assert_eq!((reports.len(), server.stats().n_failed), (0, 0));
        assert_eq!(server.stats().n_connections, 0);
        Ok(())
    });
}

#[test]
fn a_handle_outlives_its_websocket_and_sends_no_more() {
    #[derive(Default)]
    struct Everybody(RefCell<HashSet<websocket::WebSocket>>);

    paused(async |nursery| {
        let everybody = Rc::new(Everybody::default());
        let mut app = App::new();
        app.state(everybody.clone());
        app.websocket("/", async |everybody: State<Rc<Everybody>>| {
            let handle = websocket().handle();
            assert!(everybody.0.borrow_mut().insert(handle.clone()), "nobody else is it");
            assert!(!everybody.0.borrow_mut().insert(websocket().handle()), "a clone is the same");
            handle.accept()?;
            sleep_forever().await;
            Ok::<(), Error>(())
        });
        let server = in_memory(&nursery, app);
        let clients = [open_at(&server, "/").await, open_at(&server, "/").await];
        let handles: Vec<_> = everybody.0.borrow().iter().cloned().collect();
        assert_eq!(handles.len(), 2);
        assert_ne!(handles[0], handles[1]);
        for handle in &handles {
            handle.send("from elsewhere").await?;
        }
        for client in &clients {
            assert_eq!(client.text_message().await, "from elsewhere");
            client.send_close(4000, "gone");
        }
        // Longer than a view may go on behind the end.
        sleep(Duration::from_secs(60)).await;
        for handle in &handles {
            let sent = fail_after(Duration::from_secs(1), handle.send("too late")).await.expect("never a hang");
            assert!(matches!(sent, Err(WebSocketError::Closed(closed)) if closed.received.code == 4000.into()));
            assert!(!handle.is_open());
            assert!(everybody.0.borrow_mut().remove(handle));
        }
        Ok(())
    });
}

#[test]
fn a_view_may_close_by_itself_and_what_it_gives_then_is_for_nobody() {
    paused(async |nursery| {
        let reports = reports_of(&nursery);
        let mut app = App::new();
        app.websocket("/", async |websocket: WebSocket| {
            let closed = websocket.close(4002, "go away").await?;
            assert_eq!(closed.received.code, 4002.into());
            foster::Ok(Some(("nobody is left to read this", 500)))
        });
        let server = in_memory(&nursery, app);
        let client = open_at(&server, "/").await;
        assert_eq!(client.closed().await, (4002, "go away".to_owned()));
        client.answer_close();
        client.ended().await;
        assert_eq!(reports.words(), [] as [&str; 0]);
        Ok(())
    });
}

#[test]
fn a_connection_goes_on_behind_a_websocket_that_was_refused() {
    paused(async |nursery| {
        let mut app = App::new();
        app.get("/", async || "still there");
        app.websocket("/ws", async || Some(("not today", 503)));
        let server = in_memory(&nursery, app);
        assert!(refused(&server, "/ws", "").await.starts_with("HTTP/1.1 503 "));
        let two = format!("{}{}", request("/ws", ""), "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let answers = said(&server, two).await;
        assert!(answers.contains("not todayHTTP/1.1 200 OK\r\n") && answers.ends_with("still there"), "{answers}");
        Ok(())
    });
}
