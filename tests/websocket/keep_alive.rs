//! Pings of the server, and peers that do not answer them.

use std::time::Duration;

use foster::testing::serve_http;
use foster::websocket::{Config, Event, websocket};
use foster::{move_on_after, sleep};
use tokio::time::Instant;

use crate::client::open;
use crate::messages::echo;
use crate::stage::{config, paused};

#[test]
fn a_client_is_pinged_every_20_seconds() {
    paused(async |nursery| {
        let server = serve_http(&nursery, websocket(Config::new(), echo), config());
        let client = open(&server).await;
        let begun = Instant::now();
        for n in 1..=5 {
            let Some(Event::Ping(payload)) = client.event().await else { panic!("a ping") };
            assert_eq!(begun.elapsed().as_secs(), 20 * n);
            client.peer.send(client.make(|machine, out| machine.send_pong(&payload, out)));
        }
        client.peer.close();
        Ok(())
    });
}

#[test]
fn a_client_that_does_not_answer_is_closed_with_1011_and_then_cut() {
    paused(async |nursery| {
        let server = serve_http(&nursery, websocket(Config::new(), echo), config());
        let client = open(&server).await;
        let begun = Instant::now();
        assert!(matches!(client.event().await, Some(Event::Ping(_))));
        assert_eq!(client.closed().await, (1011, "keepalive ping timeout".to_owned()));
        assert_eq!(begun.elapsed().as_secs(), 40);
        client.peer.closed().await;
        assert_eq!(begun.elapsed().as_secs(), 42);
        Ok(())
    });
}

#[test]
fn whatever_comes_is_a_sign_of_life() {
    paused(async |nursery| {
        let websockets =
            Config::new().ping_interval(Some(Duration::from_secs(10))).ping_timeout(Some(Duration::from_secs(4)));
        let server = serve_http(&nursery, websocket(websockets, echo), config());
        let client = open(&server).await;
        for _ in 0..5 {
            assert!(matches!(client.event().await, Some(Event::Ping(_))));
            sleep(Duration::from_secs(3)).await;
            client.send("no pong, but here");
            assert_eq!(client.text_message().await, "no pong, but here");
        }
        assert!(matches!(client.event().await, Some(Event::Ping(_))));
        assert_eq!(client.closed().await.0, 1011);
        client.peer.close();
        Ok(())
    });
}

#[test]
fn pings_can_be_switched_off() {
    paused(async |nursery| {
        let server = serve_http(&nursery, websocket(Config::new().ping_interval(None), echo), config());
        let client = open(&server).await;
        assert!(move_on_after(Duration::from_secs(3000), client.event()).await.is_none());
        client.send("still there");
        assert_eq!(client.text_message().await, "still there");
        client.peer.close();
        Ok(())
    });
}

#[test]
fn without_a_time_out_a_silent_client_is_pinged_for_ever() {
    paused(async |nursery| {
        let server = serve_http(&nursery, websocket(Config::new().ping_timeout(None), echo), config());
        let client = open(&server).await;
        for _ in 0..100 {
            assert!(matches!(client.event().await, Some(Event::Ping(_))));
        }
        client.peer.close();
        Ok(())
    });
}
