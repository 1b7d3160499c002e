//! Telnet (RFC 854): bytes in, events out, and the options that a client and the server agree on.

use std::mem;

pub(crate) const ECHO: u8 = 1;
/// Suppress go ahead.
pub(crate) const SGA: u8 = 3;
/// Negotiate about window size: RFC 1073.
pub(crate) const NAWS: u8 = 31;

const SE: u8 = 240;
/// The key that interrupts.
pub(crate) const IP: u8 = 244;
/// The key that erases a character.
pub(crate) const EC: u8 = 247;
/// The key that erases a line.
pub(crate) const EL: u8 = 248;
const SB: u8 = 250;
const WILL: u8 = 251;
const WONT: u8 = 252;
const DO: u8 = 253;
const DONT: u8 = 254;
const IAC: u8 = 255;

/// What a server that echoes says first: a client that agrees sends each key at once.
pub(crate) const OFFER: [u8; 6] = [IAC, WILL, ECHO, IAC, WILL, SGA];

/// How much of a subnegotiation is kept: the option and two numbers are what is understood.
const MAX_SUBNEGOTIATION: usize = 5;

/// What bytes have come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Data(u8),
    /// One of the keys.
    Command(u8),
    /// What is agreed on has changed, or is to be answered, or both.
    Negotiated(Option<[u8; 3]>),
    /// The columns of the client's window; 0 is for unknown.
    Width(u16),
}

/// One side of a conversation.
#[derive(Debug, Default)]
pub(crate) struct Telnet {
    state: State,
    subnegotiation: Vec<u8>,
    /// What the server does.
    echo: Side,
    sga: Side,
    /// What the client does.
    his_sga: Side,
    his_naws: Side,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Data,
    /// Behind `IAC`.
    Command,
    /// Behind `IAC` and the verb.
    Option(u8),
    Subnegotiation,
    /// Behind an `IAC` in a subnegotiation.
    SubnegotiationCommand,
}

/// Whether one side does something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Side {
    #[default]
    No,
    /// This side has asked, and the answer has not come.
    Asked,
    Yes,
}

impl Telnet {
    /// A conversation that begins with [`OFFER`].
    pub(crate) fn new() -> Self {
        Telnet { echo: Side::Asked, sga: Side::Asked, ..Telnet::default() }
    }

    /// Whether the client leaves it to the server to echo, and sends each key at once.
    pub(crate) fn is_character_mode(&self) -> bool {
        self.echo == Side::Yes && self.sga == Side::Yes
    }

    /// Asks the client for the size of its window, unless it was asked before.
    pub(crate) fn ask_for_size(&mut self) -> Option<[u8; 3]> {
        (mem::replace(&mut self.his_naws, Side::Asked) == Side::No).then_some([IAC, DO, NAWS])
    }

    pub(crate) fn receive(&mut self, byte: u8) -> Option<Event> {
        match self.state {
            State::Data if byte == IAC => self.state = State::Command,
            State::Data => return Some(Event::Data(byte)),
            State::Command => {
                self.state = State::Data;
                match byte {
                    IAC => return Some(Event::Data(IAC)),
                    WILL | WONT | DO | DONT => self.state = State::Option(byte),
                    SB => {
                        self.subnegotiation.clear();
                        self.state = State::Subnegotiation;
                    }
                    _ => return Some(Event::Command(byte)),
                }
            }
            State::Option(verb) => {
                self.state = State::Data;
                return Some(Event::Negotiated(self.negotiate(verb, byte)));
            }
            State::Subnegotiation if byte == IAC => self.state = State::SubnegotiationCommand,
            State::Subnegotiation => self.keep(byte),
            State::SubnegotiationCommand => match byte {
                IAC => {
                    self.keep(IAC);
                    self.state = State::Subnegotiation;
                }
                SE => {
                    self.state = State::Data;
                    return match *self.subnegotiation {
                        [NAWS, high, low, _, _] => Some(Event::Width(u16::from_be_bytes([high, low]))),
                        _ => None,
                    };
                }
                _ => self.state = State::Subnegotiation,
            },
        }
        None
    }

    fn keep(&mut self, byte: u8) {
        if self.subnegotiation.len() < MAX_SUBNEGOTIATION {
            self.subnegotiation.push(byte);
        }
    }

    /// Takes what the client says of an option; gives the answer, if one is due. What is agreed on already is not
    /// answered, as RFC 854 asks for, or else two programs would go on for ever.
    fn negotiate(&mut self, verb: u8, option: u8) -> Option<[u8; 3]> {
        let (is_on, yes, no) = match verb {
            DO | DONT => (verb == DO, WILL, WONT),
            _ => (verb == WILL, DO, DONT),
        };
        let side = match (verb, option) {
            (DO | DONT, ECHO) => &mut self.echo,
            (DO | DONT, SGA) => &mut self.sga,
            (WILL | WONT, SGA) => &mut self.his_sga,
            (WILL | WONT, NAWS) => &mut self.his_naws,
            _ => return is_on.then_some([IAC, no, option]),
        };
        let was = mem::replace(side, if is_on { Side::Yes } else { Side::No });
        let is_answer_due = match was {
            Side::Asked => false,
            Side::Yes => !is_on,
            Side::No => is_on,
        };
        is_answer_due.then_some([IAC, if is_on { yes } else { no }, option])
    }
}

/// Data as it is sent: a byte that would begin a command is doubled.
pub(crate) fn escape(data: &[u8]) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(data.len());
    for byte in data {
        escaped.push(*byte);
        if *byte == IAC {
            escaped.push(IAC);
        }
    }
    escaped
}
