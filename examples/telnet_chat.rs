//! A chat for Telnet: with a line editor for clients that send each key, and in lines for all others.
//!
//! ```text
//! cargo run --example telnet_chat -- [--host HOST] [--port PORT]
//! telnet localhost 8023
//! nc localhost 8023
//! ```
//!
//! The server offers to echo. A client that agrees is in character mode, where the line that its user writes stays at
//! the bottom of the screen, whatever the others say meanwhile.

#[cfg(test)]
mod child;
#[cfg(test)]
mod clients;
#[path = "telnet_chat/editor.rs"]
mod editor;
#[path = "telnet_chat/keys.rs"]
mod keys;
mod options;
mod room;
#[path = "telnet_chat/telnet.rs"]
mod telnet;
#[cfg(test)]
#[path = "telnet_chat/tests.rs"]
mod tests;

use std::cell::RefCell;
use std::rc::Rc;

use editor::{CLEAR, Editor};
use foster::framing::{LineBase, LineProtocol, LineReceiver};
use foster::{Error, Loop, NurseryError, Result, Server, TransportRef, create_server, open_nursery, run};
use keys::{Key, Keys};
use options::{Options, announce};
use room::{Hears, LIMITS, Limits, MAX_MEMBERS, MAX_NAME, Patience, Room, is_name, printable};
use telnet::{Event, OFFER, Telnet, escape};

/// The most lines that somebody may say in a second. A paste of more would fill the buffers of all who read.
const MAX_LINES_A_SECOND: usize = 50;

const COMMANDS: &str = "* there are /who and /quit";

/// One connection.
struct Member {
    room: Rc<Room<Rc<Terminal>>>,
    terminal: Rc<Terminal>,
    telnet: Telnet,
    keys: Keys,
    /// `None` before the member has entered.
    name: Option<String>,
    /// When the second began that lines are counted in, and how many there were.
    n_lines: (f64, usize),
    /// Runs until the name is there, and while last words are offered.
    politeness: Patience,
    /// Runs while writing is paused.
    patience: Patience,
}

/// What a member looks at; the room writes to it as well.
#[derive(Default)]
struct Terminal {
    transport: TransportRef,
    /// In character mode.
    editor: RefCell<Option<Editor>>,
}

impl Terminal {
    /// Draws the line that is being edited.
    fn draw(&self) -> Result<()> {
        let line = self.editor.borrow().as_ref().map(Editor::draw);
        match line {
            Some(line) => self.transport.write(&escape(line.as_bytes())),
            None => Ok(()),
        }
    }
}

impl Hears for Rc<Terminal> {
    fn transport(&self) -> &TransportRef {
        &self.transport
    }

    fn hear(&self, line: &str) -> Result<()> {
        let shown = match &*self.editor.borrow() {
            Some(editor) => format!("{CLEAR}{line}\r\n{}", editor.draw()),
            None => format!("{line}\r\n"),
        };
        self.transport.write(&escape(shown.as_bytes()))
    }
}

impl Member {
    fn new(room: Rc<Room<Rc<Terminal>>>) -> Self {
        Member {
            room,
            terminal: Rc::default(),
            telnet: Telnet::new(),
            keys: Keys::default(),
            name: None,
            n_lines: (0.0, 0),
            politeness: Patience::default(),
            patience: Patience::default(),
        }
    }

    fn line_said(&mut self, line: &str) -> Result<()> {
        if self.is_too_fast() {
            return self.dismiss("* that was too much at once");
        }
        let Some(name) = self.name.clone() else { return self.name_said(line) };
        match line {
            "" => Ok(()),
            "/quit" => self.dismiss("* good bye"),
            "/who" => self.terminal.hear(&format!("* here are {}", self.room.names().join(", "))),
            _ if line.starts_with('/') => self.terminal.hear(COMMANDS),
            _ => self.room.say(&format!("{name}: {line}")),
        }
    }

    fn name_said(&mut self, name: &str) -> Result<()> {
        if !is_name(name) {
            return self.terminal.hear(&format!("* 1 to {MAX_NAME} letters and digits make a name"));
        }
        if !self.room.enter(name, self.terminal.clone()) {
            return self.terminal.hear("* that name is taken");
        }
        self.name = Some(name.to_owned());
        self.politeness.end();
        self.room.say(&format!("* {name} has come"))
    }

    fn is_too_fast(&mut self) -> bool {
        let now = self.room.loop_.time();
        let (start, n_lines) = self.n_lines;
        self.n_lines = if now - start < 1.0 { (start, n_lines + 1) } else { (now, 1) };
        self.n_lines.1 > MAX_LINES_A_SECOND
    }

    /// Ends the connection, with a reason for who reads it.
    fn dismiss(&mut self, reason: &str) -> Result<()> {
        // Nothing is edited any more.
        let is_edited = self.terminal.editor.take().is_some();
        self.terminal.hear(&if is_edited { format!("{CLEAR}{reason}") } else { reason.to_owned() })?;
        self.politeness.begin(&self.room.loop_, self.room.limits.politeness, &self.terminal.transport);
        self.terminal.transport.close();
        Ok(())
    }

    /// Changes the mode if the client has agreed to it, or does so no longer.
    fn negotiated(&mut self, answer: Option<[u8; 3]>) -> Result<()> {
        let mut answers: Vec<u8> = answer.into_iter().flatten().collect();
        let is_edited = self.terminal.editor.borrow().is_some();
        let will_be_edited = self.telnet.is_character_mode();
        if will_be_edited && !is_edited {
            self.terminal.editor.replace(Some(Editor::default()));
        } else if is_edited && !will_be_edited {
            self.terminal.editor.take();
            answers.extend(CLEAR.as_bytes());
        }
        self.terminal.transport.write(&answers)
    }

    fn key_pressed(&mut self, key: Key) -> Result<()> {
        if key == Key::Leave {
            return self.dismiss("* good bye");
        }
        let line = self.terminal.editor.borrow_mut().as_mut().and_then(|editor| editor.press(key));
        match line {
            Some(line) => self.line_said(&line),
            None => Ok(()),
        }
    }
}

impl LineReceiver for Member {
    /// What ends a line of a client that is not in character mode; a carriage return before it is no part of the line.
    const DELIMITER: &'static [u8] = b"\n";

    /// In bytes. IRC has 512.
    const MAX_LENGTH: usize = 1024;

    fn connection_made(&mut self, base: &LineBase) -> Result<()> {
        self.terminal = Rc::new(Terminal { transport: base.transport.clone(), editor: RefCell::default() });
        self.politeness.begin(&self.room.loop_, self.room.limits.politeness, &base.transport);
        // The answer to the offer has no end of a line.
        base.set_raw_mode();
        base.transport.write(&OFFER)?;
        self.terminal.hear("* what is your name?")
    }

    fn line_received(&mut self, base: &LineBase, line: &[u8]) -> Result<()> {
        let mut text = Vec::with_capacity(line.len());
        for byte in line.strip_suffix(b"\r").unwrap_or(line) {
            match self.telnet.receive(*byte) {
                Some(Event::Data(byte)) => text.push(byte),
                Some(Event::Negotiated(answer)) => self.negotiated(answer)?,
                None => {}
            }
        }
        if self.telnet.is_character_mode() {
            base.set_raw_mode();
        }
        self.line_said(&printable(&text))
    }

    fn raw_data_received(&mut self, base: &LineBase, data: &[u8]) -> Result<()> {
        for (n, byte) in data.iter().enumerate() {
            let key = match self.telnet.receive(*byte) {
                Some(Event::Data(_)) if !self.telnet.is_character_mode() => {
                    base.set_line_mode(&data[n..]);
                    return Ok(());
                }
                Some(Event::Data(byte)) => self.keys.receive(byte),
                Some(Event::Negotiated(answer)) => {
                    self.negotiated(answer)?;
                    None
                }
                None => None,
            };
            if let Some(key) = key {
                self.key_pressed(key)?;
            }
            if base.transport.is_closing() {
                return Ok(());
            }
        }
        self.terminal.draw()
    }

    fn line_length_exceeded(&mut self, _base: &LineBase, _line: &[u8]) -> Result<()> {
        self.dismiss("* that line was too long")
    }

    fn pause_writing(&mut self, base: &LineBase) -> Result<()> {
        self.patience.begin(&self.room.loop_, self.room.limits.patience, &base.transport);
        base.hold();
        Ok(())
    }

    fn resume_writing(&mut self, base: &LineBase) -> Result<()> {
        self.patience.end();
        base.release();
        Ok(())
    }

    fn connection_lost(&mut self, _base: &LineBase, _exc: Option<Error>) -> Result<()> {
        self.politeness.end();
        self.patience.end();
        match self.name.take() {
            Some(name) => {
                self.room.leave(&name);
                self.room.say(&format!("* {name} has gone"))
            }
            None => Ok(()),
        }
    }
}

async fn app(
    options: Options,
    limits: Limits,
    on_serving: impl FnOnce(&Server) -> Result<()>,
) -> Result<Option<()>, NurseryError> {
    open_nursery(async |nursery| {
        let room = Rc::new(Room::new(Loop::new(&nursery), limits));
        let member = move || LineProtocol::new(Member::new(room.clone()));
        let server = create_server(&nursery, member, options.host, options.port)
            .max_connections(MAX_MEMBERS)
            .keep_alive(true)
            .await?;
        on_serving(&server)
    })
    .await
}

fn main() -> Result<()> {
    run(app(Options::from_args("telnet_chat", 8023), LIMITS, announce))?;
    Ok(())
}
