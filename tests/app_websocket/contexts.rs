//! What code finds out about the WebSocket it is called for.

use std::cell::RefCell;
use std::panic::catch_unwind;
use std::rc::{Rc, Weak};

use foster::app::{
    App, State, current_app, g, has_app_context, has_request_context, has_websocket_context, request, websocket,
};
use foster::websocket::Config;
use foster::{Result, open_nursery, sleep};
use std::time::Duration;

use crate::site::{in_memory, open_at, said};
use crate::stage::{get, paused, turns};

#[test]
fn every_task_of_a_view_has_its_websocket() {
    paused(async |nursery| {
        let mut app = App::new();
        app.state("of the application".to_owned());
        app.websocket("/<name>", async || -> Result<()> {
            g().insert(request().path().to_owned());
            open_nursery(async |nursery| {
                nursery.start_soon(async {
                    open_nursery(async |nursery| {
                        nursery.start_soon(async {
                            sleep(Duration::from_secs(1)).await;
                            let state = current_app().state::<String>().expect("it was given");
                            let path = g().get::<String>().expect("it was put in");
                            websocket().send(format!("{path} {state} {:?}", request().view_args())).await?;
                            foster::Ok(())
                        });
                        Ok(())
                    })
                    .await?;
                    foster::Ok(())
                });
                Ok(())
            })
            .await?;
            Ok(())
        });
        let server = in_memory(&nursery, app);
        // Two at once, and each hears of itself.
        let clients = [open_at(&server, "/ada"), open_at(&server, "/bob")];
        for (client, name) in futures::future::join_all(clients).await.iter().zip(["ada", "bob"]) {
            let heard = client.text_message().await;
            assert_eq!(heard, format!("/{name} of the application {{\"name\": Str(\"{name}\")}}"));
        }
        Ok(())
    });
}

#[test]
fn what_is_put_aside_lives_as_long_as_the_websocket() {
    paused(async |nursery| {
        let kept = Rc::<RefCell<Vec<Weak<String>>>>::default();
        let mut app = App::new();
        app.websocket_config(Config::new().ping_interval(None));
        app.state(kept.clone());
        app.before_websocket(async || {
            g().insert("kept".to_owned());
        });
        app.websocket("/", async |kept: State<Rc<RefCell<Vec<Weak<String>>>>>| -> Result<()> {
            kept.borrow_mut().push(Rc::downgrade(&g().get::<String>().expect("put in before")));
            loop {
                let message = websocket().receive().await?;
                let value = g().get::<String>().expect("put in before");
                websocket().send(format!("{value} {}", message.as_text().unwrap_or_default())).await?;
            }
        });
        let server = in_memory(&nursery, app);
        let clients = [open_at(&server, "/").await, open_at(&server, "/").await];
        sleep(Duration::from_secs(3600)).await;
        for client in &clients {
            client.send("x");
            assert_eq!(client.text_message().await, "kept x");
        }
        let n_alive = || kept.borrow().iter().filter(|value| value.upgrade().is_some()).count();
        assert_eq!(n_alive(), 2);
        clients[0].send_close(1000, "");
        clients[1].peer.reset();
        turns(20).await;
        assert_eq!(n_alive(), 0);
        Ok(())
    });
}

#[test]
fn a_websocket_is_only_there_where_one_is_served() {
    paused(async |nursery| {
        assert!(!has_websocket_context() && !has_app_context());
        let outside = catch_unwind(|| drop(websocket())).expect_err("it panics");
        let outside = foster::Panicked::new(outside).to_string();
        assert!(outside.contains("call it in a view for WebSockets"), "{outside}");
        let mut app = App::new();
        app.get("/", async || {
            assert!(has_request_context() && !has_websocket_context());
            assert!(catch_unwind(|| drop(websocket())).is_err());
            "no"
        });
        app.websocket("/ws", async || {
            assert!(has_request_context() && has_websocket_context());
            websocket().accept()
        });
        let server = in_memory(&nursery, app);
        assert!(said(&server, get("/")).await.ends_with("\r\n\r\nno"));
        assert_eq!(open_at(&server, "/ws").await.closed().await.0, 1000);
        Ok(())
    });
}

#[test]
fn a_reader_and_a_writer_are_two_tasks() {
    paused(async |nursery| {
        let mut app = App::new();
        app.websocket("/", async || -> Result<()> {
            websocket().accept()?;
            let (sender, receiver) = futures::channel::mpsc::unbounded();
            let reading = async {
                while let Ok(message) = websocket().receive().await {
                    let _ = sender.unbounded_send(message);
                }
                sender.close_channel();
            };
            let writing = async {
                let mut receiver = receiver;
                while let Some(message) = futures::StreamExt::next(&mut receiver).await {
                    let _ = websocket().send(message).await;
                }
            };
            futures::future::join(reading, writing).await;
            Ok(())
        });
        let server = in_memory(&nursery, app);
        let client = open_at(&server, "/").await;
        for word in ["a", "b", "c"] {
            client.send(word);
            assert_eq!(client.text_message().await, word);
        }
        client.send_close(1000, "");
        client.ended_after_close().await;
        Ok(())
    });
}
