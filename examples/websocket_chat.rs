//! A chat for browsers: one page, one WebSocket for each of its tabs.
//!
//! ```text
//! cargo run --example websocket_chat -- [--host HOST] [--port PORT]
//! ```
//!
//! Then open <http://localhost:8765/> in two tabs. A client of `/ws` sends its name, and after that what it has to say,
//! as plain text. It hears in JSON who is `here`, who `came` and has `gone`, what was `said`, why something was
//! `refused`, and every ten seconds a `heartbeat`, which is a task of its own in a nursery of the handler.

#[cfg(test)]
#[path = "websocket_chat/browser.rs"]
mod browser;
#[cfg(test)]
mod child;
#[cfg(test)]
mod clients;
mod options;
#[cfg(test)]
#[path = "websocket_chat/tests.rs"]
mod tests;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use foster::app::{App, State, WebSocket, websocket};
use foster::http::{Html, header};
use foster::websocket::{Broadcast, CloseCode, Config, Membership, Slow};
use foster::{Result, open_nursery, run, sleep};
use options::{Options, announce_all};
use serde_json::json;

const PAGE: &str = include_str!("websocket_chat/page.html");

/// What browsers ask for by themselves: a speech bubble.
const ICON: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><path fill="#b4501e" d="M4 1h8a3 3 0 0 1 3 3v4a3 3 0 0 1-3 3H8l-4 4v-4a3 3 0 0 1-3-3V4a3 3 0 0 1 3-3z"/></svg>"##;

/// How many may be connected; more wait to be accepted.
const MAX_CONNECTIONS: usize = 1000;

/// The longest message in bytes; a longer one ends the connection. It holds any text that is not refused.
const MAX_MESSAGE_SIZE: usize = 4096;

/// The longest name, and the longest text, in characters. The page allows no more.
const MAX_NAME: usize = 20;
const MAX_TEXT: usize = 1000;

/// How far somebody may be behind: a member who misses a message would have a wrong list of who is here.
const MAX_BACKLOG: usize = 256 * 1024;

/// The page takes its connection for lost if it hears nothing for two and a half of these.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// How long somebody who has said something is not listened to: ten messages a second are enough.
const PAUSE: Duration = Duration::from_millis(100);

/// Who is there. Shared by all connections without a lock, as all of them run on one thread.
struct Room {
    everybody: Broadcast,
    names: RefCell<BTreeSet<String>>,
}

impl Room {
    fn new() -> Self {
        Room { everybody: Broadcast::with_policy(Slow::Disconnect, MAX_BACKLOG), names: RefCell::default() }
    }

    /// Takes somebody in, or says why not.
    fn enter(&self, name: &str, websocket: &WebSocket) -> Result<Member<'_>, String> {
        if !(1..=MAX_NAME).contains(&name.chars().count()) || name.contains(char::is_control) {
            return Err(format!("A name has 1 to {MAX_NAME} characters."));
        }
        let membership = self.everybody.join(websocket).map_err(|err| err.to_string())?;
        if !self.names.borrow_mut().insert(name.to_owned()) {
            return Err("That name is taken.".to_owned());
        }
        // Nobody comes or goes between these, because neither waits.
        let here = json!({ "type": "here", "name": name, "names": &*self.names.borrow() }).to_string();
        self.everybody.send_where(here, |member| *member == websocket.handle());
        self.everybody.send(json!({ "type": "came", "name": name }).to_string());
        Ok(Member { room: self, name: name.to_owned(), _membership: membership })
    }
}

/// Somebody with a name, who leaves the room when this is dropped.
struct Member<'a> {
    room: &'a Room,
    name: String,
    _membership: Membership,
}

impl Member<'_> {
    /// Tells everybody, or says why not.
    fn say(&self, text: &str) -> Result<(), String> {
        if !(1..=MAX_TEXT).contains(&text.chars().count()) {
            return Err(format!("A message has 1 to {MAX_TEXT} characters."));
        }
        self.room.everybody.send(json!({ "type": "said", "name": self.name, "text": text }).to_string());
        Ok(())
    }
}

impl Drop for Member<'_> {
    fn drop(&mut self) {
        self.room.names.borrow_mut().remove(&self.name);
        self.room.everybody.send(json!({ "type": "gone", "name": self.name }).to_string());
    }
}

/// Talks to one client, while its heartbeat goes on beside it.
async fn chat(room: State<Room>) -> Result<()> {
    beside(heartbeat(), listen(&room)).await
}

/// Whichever ends first with an error takes the other along: the heartbeat is cancelled when the client has gone, and one
/// that fails ends the WebSocket with 1011.
async fn beside(
    heartbeat: impl Future<Output = Result<()>> + 'static,
    listening: impl Future<Output = Result<()>>,
) -> Result<()> {
    let ended = open_nursery(async |nursery| {
        nursery.start_soon(heartbeat);
        listening.await?;
        nursery.cancel();
        Ok(())
    });
    ended.await?;
    Ok(())
}

async fn listen(room: &Room) -> Result<()> {
    let websocket = websocket();
    let mut member = None;
    loop {
        let message = websocket.receive().await?;
        let Some(text) = message.as_text().map(str::trim) else {
            websocket.close(CloseCode::UNSUPPORTED_DATA, "only text is understood").await?;
            return Ok(());
        };
        let answer = match &member {
            None => room.enter(text, &websocket).map(|entered| member = Some(entered)),
            Some(member) => member.say(text),
        };
        if let Err(why) = answer {
            websocket.send_json(&json!({ "type": "refused", "why": why })).await?;
        }
        // Meanwhile what comes waits here, then in the socket, and at last with who sends it.
        sleep(PAUSE).await;
    }
}

/// Shows a page that its server is there. Pings would not: no script sees them.
async fn heartbeat() -> Result<()> {
    loop {
        websocket().send(r#"{"type":"heartbeat"}"#).await?;
        sleep(HEARTBEAT).await;
    }
}

fn app() -> App {
    let mut app = App::new();
    app.state(Room::new());
    app.websocket_config(Config::new().max_message_size(Some(MAX_MESSAGE_SIZE)));
    app.websocket("/ws", chat);
    app.get("/", async || Html(PAGE));
    app.get("/favicon.ico", async || (ICON, [(header::CONTENT_TYPE, "image/svg+xml")]));
    app
}

fn main() -> Result<()> {
    let options = Options::from_args("websocket_chat", 8765);
    let config = foster::Config::new().bind(options.bind()).max_connections(MAX_CONNECTIONS);
    run(app().run_task(config).on_serving(|server| announce_all(server.addresses())))
}
