//! The page in a real browser without a window, driven through the DevTools protocol, which is JSON on a WebSocket.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::process::{self, Command, Stdio};
use std::sync::mpsc::Receiver;
use std::time::Duration;
use std::{env, fs, thread};

use foster::websocket::{WebSocket, connect};
use foster::{Nursery, fail_after, sleep};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::child::{Child, PATIENCE, lines_of};
use super::clients::client_of;
use super::tests::bounded;

/// In CSS pixels: a phone and a laptop.
const WIDTHS: [u32; 2] = [375, 1280];

#[test]
fn two_tabs_talk_to_each_other_without_an_error() {
    let Some(chromium) = chromium() else { return };
    let server = Child::serve("websocket_chat");
    in_browser(chromium, async |devtools| {
        let url = format!("http://{}/", server.address);
        let ada = devtools.open(&url).await;
        ada.becomes("state.textContent", "Connected").await;
        for (role, name) in [
            ("heading", "Foster’s chat"),
            ("status", ""),
            ("log", "Messages"),
            ("textbox", "Your name"),
            ("button", "Join"),
        ] {
            assert!(ada.has(role, name).await, "{role} {name}");
        }
        ada.fits().await;
        ada.enters("ada").await;
        let mallory = devtools.open(&url).await;
        mallory.enters("ada").await;
        mallory.becomes("why.textContent", "That name is taken.").await;
        mallory.becomes("text.value", "ada").await;
        mallory.shows("text.select(), ''", "").await;
        mallory.enters("<img src=x>").await;
        for tab in [&ada, &mallory] {
            tab.becomes("here.textContent", "2 here").await;
            tab.becomes("[...people.children].map(person => person.textContent).join()", "<img src=x>,ada").await;
            assert!(tab.has("textbox", "Message to everybody").await);
        }
        ada.enters("good morning").await;
        mallory.becomes(LAST_MESSAGE, "ada: good morning").await;
        mallory.enters("<script>alert(1)</script>").await;
        ada.becomes(LAST_MESSAGE, "<img src=x>: <script>alert(1)</script>").await;
        mallory.enters(&"x".repeat(1000)).await;
        ada.becomes(LAST_MESSAGE, format!("<img src=x>: {}", "x".repeat(1000))).await;
        for tab in [&ada, &mallory] {
            tab.fits().await;
            tab.shows("document.images.length + document.scripts.length", 1).await;
            // What is new is in sight.
            tab.shows("Math.abs(log.scrollTop) < 1 && log.scrollHeight > log.clientHeight", true).await;
        }
        devtools.command(None, "Target.closeTarget", json!({ "targetId": mallory.target })).await;
        ada.becomes("here.textContent", "1 here").await;
        ada.becomes("entries.lastChild.textContent", "\u{2068}<img src=x>\u{2069} has gone.").await;
        assert_eq!(devtools.errors.take(), [""; 0]);
    });
}

#[test]
fn a_page_comes_back_when_its_server_does() {
    let Some(chromium) = chromium() else { return };
    let server = Child::serve("websocket_chat");
    let address = server.address;
    in_browser(chromium, async |devtools| {
        let tab = devtools.open(&format!("http://{address}/")).await;
        tab.enters("ada").await;
        tab.becomes("here.textContent", "1 here").await;
        drop(server);
        tab.becomes("/^Trying again in \\d+ s$/.test(state.textContent)", true).await;
        tab.shows("button.disabled", true).await;
        // What is written meanwhile is kept.
        tab.enters("are you back?").await;
        tab.becomes("pause > FIRST_PAUSE", true).await;
        let _server = Child::serve_with("websocket_chat", &["--port", &address.port().to_string()]);
        tab.becomes("state.textContent", "Connected").await;
        tab.becomes("here.textContent", "1 here").await;
        tab.shows("pause == FIRST_PAUSE", true).await;
        tab.enters("").await;
        tab.becomes(LAST_MESSAGE, "ada: are you back?").await;
    });
}

const LAST_MESSAGE: &str = "(({ children: [name, text] }) => `${name.textContent}: ${text.textContent}`)\
    ([...document.querySelectorAll('.said')].at(-1) ?? { children: [{}, {}] })";

fn chromium() -> Option<Command> {
    client_of(&["chromium", "chromium-browser", "google-chrome"])
}

/// Runs a test with a browser of its own, which ends with it.
fn in_browser(chromium: Command, test: impl AsyncFnOnce(&DevTools) -> ()) {
    let browser = Browser::start(chromium);
    bounded(async |nursery| {
        let devtools = DevTools::connect(&nursery, &browser.devtools).await;
        test(&devtools).await;
        devtools.command(None, "Browser.close", json!({})).await;
        Ok(())
    });
    browser.ends();
}

/// A browser with a profile of its own. Dropping it kills the process.
struct Browser {
    process: process::Child,
    profile: PathBuf,
    /// The URL of its WebSocket.
    devtools: String,
    /// It would stand still if nobody read what it says.
    _errors: Receiver<String>,
}

impl Browser {
    fn start(mut chromium: Command) -> Self {
        let test = thread::current().name().unwrap_or("test").replace("::", "-");
        let folder = option_env!("CARGO_TARGET_TMPDIR").map_or_else(env::temp_dir, PathBuf::from);
        let profile = folder.join(format!("{test}-{}", process::id()));
        let mut process = chromium
            // A container has neither a user for the sandbox, nor a graphics card, nor much of /dev/shm.
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--no-first-run", "--remote-debugging-port=0"])
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("an installed program starts");
        let errors = lines_of(process.stderr.take().expect("stderr is piped"));
        let mut browser = Browser { process, profile, devtools: String::new(), _errors: errors };
        while browser.devtools.is_empty() {
            let line = browser._errors.recv_timeout(PATIENCE).expect("it says where it listens");
            browser.devtools = line.strip_prefix("DevTools listening on ").unwrap_or_default().to_owned();
        }
        browser
    }

    /// Waits until it has closed, as it was told to.
    fn ends(mut self) {
        let begun = Instant::now();
        while self.process.try_wait().expect("the process is a child").is_none() {
            assert!(begun.elapsed() < PATIENCE, "the browser does not close");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Each fails only where there is nothing left to do.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.profile);
    }
}

/// The connection to a browser.
struct DevTools {
    websocket: WebSocket,
    n_commands: Cell<u64>,
    /// What its pages have said is wrong.
    errors: RefCell<Vec<String>>,
}

impl DevTools {
    async fn connect(nursery: &Nursery, url: &str) -> Self {
        let websocket = connect(nursery, url).await.expect("the browser accepts");
        DevTools { websocket, n_commands: Cell::new(0), errors: RefCell::default() }
    }

    /// Gives the answer to a command, of a tab or of the browser.
    async fn command(&self, session: Option<&str>, method: &str, params: Value) -> Value {
        let id = self.n_commands.get() + 1;
        self.n_commands.set(id);
        let mut command = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = session {
            command["sessionId"] = session.into();
        }
        self.websocket.send(command.to_string()).await.expect("the browser is there");
        loop {
            let message = self.websocket.receive().await.expect("the browser is there");
            let mut message: Value = serde_json::from_str(message.as_text().expect("it is text")).expect("it is JSON");
            if message["id"] == id {
                assert_eq!(message["error"], Value::Null, "{method}");
                return message["result"].take();
            }
            self.note(&message);
        }
    }

    fn note(&self, event: &Value) {
        let (method, params) = (event["method"].as_str(), &event["params"]);
        let is_bad = match method {
            Some("Runtime.exceptionThrown") => true,
            Some("Log.entryAdded") => is_bad(&params["entry"]["level"]),
            Some("Runtime.consoleAPICalled") => is_bad(&params["type"]),
            _ => false,
        };
        if is_bad {
            self.errors.borrow_mut().push(event.to_string());
        }
    }

    /// Opens a page in a tab of its own.
    async fn open(&self, url: &str) -> Tab<'_> {
        let blank = json!({ "url": "about:blank" });
        let target = text(&self.command(None, "Target.createTarget", blank).await["targetId"]);
        let attach = json!({ "targetId": target, "flatten": true });
        let session = text(&self.command(None, "Target.attachToTarget", attach).await["sessionId"]);
        let tab = Tab { devtools: self, target, session };
        for domain in ["Runtime", "Log", "Accessibility"] {
            tab.command(&format!("{domain}.enable"), json!({})).await;
        }
        tab.command("Page.navigate", json!({ "url": url })).await;
        tab.becomes("location.href", url).await;
        tab.becomes("document.readyState", "complete").await;
        tab
    }
}

struct Tab<'d> {
    devtools: &'d DevTools,
    target: String,
    session: String,
}

impl Tab<'_> {
    async fn command(&self, method: &str, params: Value) -> Value {
        self.devtools.command(Some(&self.session), method, params).await
    }

    /// The value of an expression of JavaScript.
    async fn evaluate(&self, expression: &str) -> Value {
        let params = json!({ "expression": expression, "returnByValue": true });
        let mut answer = self.command("Runtime.evaluate", params).await;
        assert_eq!(answer["exceptionDetails"], Value::Null, "{expression}");
        answer["result"]["value"].take()
    }

    async fn shows(&self, expression: &str, expected: impl Into<Value>) {
        assert_eq!(self.evaluate(expression).await, expected.into(), "{expression}");
    }

    /// Waits until an expression has this value.
    async fn becomes(&self, expression: &str, expected: impl Into<Value>) {
        let expected = expected.into();
        let mut last = Value::Null;
        let waiting = async {
            loop {
                last = self.evaluate(expression).await;
                if last == expected {
                    return;
                }
                sleep(Duration::from_millis(10)).await;
            }
        };
        let waited = fail_after(PATIENCE, waiting).await;
        assert!(waited.is_ok(), "{expression} is {last} and not {expected}: {:?}", self.devtools.errors.take());
    }

    /// Writes where the keyboard is, which is the form, and presses Enter.
    async fn enters(&self, written: &str) {
        self.command("Page.bringToFront", json!({})).await;
        self.becomes("document.activeElement.id", "text").await;
        self.command("Input.insertText", json!({ "text": written })).await;
        for kind in ["keyDown", "keyUp"] {
            let enter =
                json!({ "type": kind, "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r" });
            self.command("Input.dispatchKeyEvent", enter).await;
        }
    }

    /// Whether something is there for those who do not see it.
    async fn has(&self, role: &str, name: &str) -> bool {
        let tree = self.command("Accessibility.getFullAXTree", json!({})).await;
        let mut nodes = tree["nodes"].as_array().into_iter().flatten();
        nodes.any(|node| node["role"]["value"] == role && (node["name"]["value"] == name))
    }

    /// Nothing is wider than the screen.
    async fn fits(&self) {
        for width in WIDTHS {
            let screen = json!({ "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500 });
            self.command("Emulation.setDeviceMetricsOverride", screen).await;
            self.becomes("innerWidth", width).await;
            self.shows("document.documentElement.scrollWidth", width).await;
            self.shows("document.documentElement.scrollHeight", 800).await;
        }
    }
}

fn is_bad(level: &Value) -> bool {
    ["error", "warning", "assert"].iter().any(|bad| level == bad)
}

fn text(value: &Value) -> String {
    value.as_str().expect("the browser gives text").to_owned()
}
