//! Clients that leave while more waits in the kernel than the server has read.

use std::io::{Read, Write};
use std::sync::mpsc;
use std::time::Duration;

use foster::Config as ServerConfig;
use foster::websocket::{Config, Connection, Role, WebSocket, websocket};

use crate::served::{BOUND, Served};

const HANDSHAKE: &str = "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

#[test]
fn what_a_client_has_sent_before_it_left_is_delivered_though_reading_was_paused() {
    let (sender, receiver) = mpsc::channel();
    let handler = move || {
        websocket(Config::new(), move |websocket: WebSocket| {
            let sender = sender.clone();
            async move {
                websocket.accept()?;
                // Told though nothing is read: what was held has filled up long before.
                websocket.closed().await;
                let mut n = 0;
                while websocket.receive().await.is_ok() {
                    n += 1;
                }
                sender.send(n).expect("the test waits for it");
                foster::Ok(())
            }
        })
    };
    let served = Served::new(handler, ServerConfig::new().bind("127.0.0.1:0"));
    let mut client = served.connect();
    client.write_all(HANDSHAKE.as_bytes()).expect("the server reads");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte).expect("the server answers");
        head.extend(byte);
    }
    let mut machine = Connection::new(Role::Client, None, None);
    // The first are more than is held, the others less than a kernel takes for who does not read.
    for n in [80, 40] {
        let mut out = Vec::new();
        for _ in 0..n {
            machine.send_text(&"x".repeat(1000), &mut out).expect("a message");
        }
        client.write_all(&out).expect("the kernel takes it");
        // The server gets to read the first alone; the test holds also if it does not.
        std::thread::sleep(Duration::from_millis(50));
    }
    drop(client);
    assert_eq!(receiver.recv_timeout(BOUND).expect("the handler ends"), 120);
    served.stop().expect("it stops");
}
