//! A client of WebSocket that sends back whatever it is sent: the one that conformance suites try.
//!
//! ```text
//! cargo run --release --example mirror -- ws://localhost:8080/chat?room=1 [URL ...]
//! ```
//!
//! It connects to each URL in turn, with compression offered, and stays until the connection ends. A URL that cannot be
//! connected to, and a server that breaks the rules, are told on standard error; then it goes on with the next.

#[cfg(test)]
mod child;
#[allow(dead_code, reason = "it listens nowhere, and has wrong arguments alone in common with those who do")]
mod options;

use std::process;

use foster::websocket::{WebSocketUrl, connect};
use foster::{Nursery, Result, open_nursery, run};
use futures::StreamExt;
use options::wrong_arguments;

/// The URLs, or `None` where help is asked for.
///
/// # Errors
///
/// A sentence that says what is wrong.
fn urls(args: impl IntoIterator<Item = String>) -> Result<Option<Vec<String>>, String> {
    let urls: Vec<String> = args.into_iter().collect();
    for url in &urls {
        match &**url {
            "--help" | "-h" => return Ok(None),
            option if option.starts_with('-') => return Err(format!("there is no argument {option:?}: try --help")),
            url => drop(url.parse::<WebSocketUrl>().map_err(|err| format!("{url:?}: {err}"))?),
        }
    }
    if urls.is_empty() { Err("there is no URL to connect to: try --help".to_owned()) } else { Ok(Some(urls)) }
}

/// Sends back what comes until the connection is closed, by whichever code.
async fn mirror(nursery: &Nursery, url: &str) -> Result<()> {
    // Messages may have 16 MiB, as everywhere unless set.
    let mut websocket = connect(nursery, url).await?;
    while let Some(message) = websocket.next().await {
        websocket.send(message?).await?;
    }
    Ok(())
}

async fn app(urls: Vec<String>) -> Result<()> {
    open_nursery(async |nursery| {
        for url in urls {
            if let Err(err) = mirror(&nursery, &url).await {
                eprintln!("mirror: {url}: {err:#}");
            }
        }
        Ok(())
    })
    .await?;
    Ok(())
}

fn main() -> Result<()> {
    let args = std::env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned());
    match urls(args) {
        Ok(Some(urls)) => run(app(urls)),
        Ok(None) => {
            println!(
                "usage: mirror URL ...\n\nURL     where to connect: ws://HOST[:PORT][/PATH], or wss\n--help  print this"
            );
            process::exit(0)
        }
        Err(message) => wrong_arguments("mirror", &message),
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::mpsc;

    use foster::websocket::{CloseCode, Config, Message, WebSocket, websocket};
    use foster::{Result, run_in_thread, serve};

    use super::child;

    /// Sends what a mirror has to send back, says with which path it was, and ends in a way that the path asks for.
    async fn look(websocket: WebSocket, seen: mpsc::Sender<String>) -> Result<()> {
        for message in [Message::from("hello"), Message::from(vec![b'x'; 300_000]), Message::from("")] {
            websocket.send(message.clone()).await?;
            assert!(websocket.receive().await? == message, "the mirror sends back what it is sent");
        }
        let path = websocket.head().map(|head| head.path().to_owned()).unwrap_or_default();
        if path == "/failing" {
            websocket.close(CloseCode::INTERNAL_ERROR, "as asked").await?;
        }
        seen.send(path).expect("the test waits for it");
        Ok(())
    }

    #[test]
    fn it_sends_back_what_each_url_sends_and_goes_on_whatever_happens() {
        let (sender, receiver) = mpsc::channel();
        let (seeing, seen) = mpsc::channel();
        let thread = run_in_thread(move || {
            let handler = websocket(Config::new(), move |websocket| look(websocket, seeing.clone()));
            serve(handler, foster::Config::new().bind("127.0.0.1:0"))
                .on_serving(move |server| sender.send(server).expect("the test waits for it"))
                .shutdown_trigger(pending())
        })
        .expect("a thread starts");
        let server = receiver.recv_timeout(child::PATIENCE).expect("the server starts");
        let url = format!("ws://{}", server.addresses()[0]);
        let nobody = "ws://127.0.0.1:1/";
        let urls = ["/first", "/failing", "/last"].map(|path| url.clone() + path);
        let output = child::run("mirror", &[nobody, &urls[0], &urls[1], &urls[2]]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert!(said.starts_with(&format!("mirror: {nobody}: ")) && said.lines().count() == 1, "{said}");
        assert_eq!(seen.try_iter().collect::<Vec<_>>(), ["/first", "/failing", "/last"]);
        server.shutdown();
        thread.join().expect("the server stops");
    }

    #[test]
    fn wrong_arguments_are_said_in_one_sentence() {
        for (args, wanted) in [
            (&[][..], "mirror: there is no URL to connect to: try --help\n"),
            (&["--port"], "mirror: there is no argument \"--port\": try --help\n"),
        ] {
            let output = child::run("mirror", args);
            assert_eq!((output.status.code(), &*String::from_utf8_lossy(&output.stderr)), (Some(2), wanted));
        }
        let output = child::run("mirror", &["http://localhost"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2));
        assert!(said.starts_with("mirror: \"http://localhost\": ") && said.lines().count() == 1, "{said}");
    }
}
