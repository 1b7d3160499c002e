//! Telnet (RFC 854): bytes in, events out, and the options that a client and the server agree on.

use std::mem;

const ECHO: u8 = 1;
/// Suppress go ahead.
const SGA: u8 = 3;

const SE: u8 = 240;
const SB: u8 = 250;
const WILL: u8 = 251;
const WONT: u8 = 252;
const DO: u8 = 253;
const DONT: u8 = 254;
const IAC: u8 = 255;

/// What a server that echoes says first: a client that agrees sends each key at once.
pub(crate) const OFFER: [u8; 6] = [IAC, WILL, ECHO, IAC, WILL, SGA];

/// What bytes have come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Data(u8),
    /// What is agreed on has changed, or is to be answered, or both.
    Negotiated(Option<[u8; 3]>),
}

/// One side of a conversation.
#[derive(Debug, Default)]
pub(crate) struct Telnet {
    state: State,
    /// What the server does; all else is refused.
    echo: Side,
    sga: Side,
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

    pub(crate) fn receive(&mut self, byte: u8) -> Option<Event> {
        match (mem::take(&mut self.state), byte) {
            (State::Data, IAC) => self.state = State::Command,
            (State::Data, _) | (State::Command, IAC) => return Some(Event::Data(byte)),
            (State::Command, WILL | WONT | DO | DONT) => self.state = State::Option(byte),
            (State::Command, SB) => self.state = State::Subnegotiation,
            // A command without an option, such as AYT.
            (State::Command, _) => {}
            (State::Option(verb), _) => return Some(Event::Negotiated(self.negotiate(verb, byte))),
            // Nothing is agreed on that would have one, so it is passed over.
            (State::Subnegotiation, IAC) => self.state = State::SubnegotiationCommand,
            (State::SubnegotiationCommand, SE) => {}
            (State::Subnegotiation | State::SubnegotiationCommand, _) => self.state = State::Subnegotiation,
        }
        None
    }

    /// Takes what the client says of an option; gives the answer, if one is due. What is agreed on already is not
    /// answered, as RFC 854 asks for, or else two programs would go on for ever.
    fn negotiate(&mut self, verb: u8, option: u8) -> Option<[u8; 3]> {
        let side = match (verb, option) {
            (DO | DONT, ECHO) => &mut self.echo,
            (DO | DONT, SGA) => &mut self.sga,
            (DO, _) => return Some([IAC, WONT, option]),
            (WILL, _) => return Some([IAC, DONT, option]),
            _ => return None,
        };
        let is_on = verb == DO;
        let was = mem::replace(side, if is_on { Side::Yes } else { Side::No });
        let is_answer_due = was != Side::Asked && is_on != (was == Side::Yes);
        is_answer_due.then_some([IAC, if is_on { WILL } else { WONT }, option])
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
