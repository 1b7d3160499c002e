//! The keys of a terminal: bytes in, keys out.

/// A key that an editor knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    Char(char),
    Enter,
    Backspace,
    EraseLine,
    EraseWord,
    Left,
    Right,
    Up,
    Down,
    Leave,
}

/// Where the bytes of a keyboard are.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    state: State,
    /// The part of a character that has come, in UTF-8.
    partial: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Plain,
    /// Behind a carriage return: a line feed or a null belongs to it (RFC 854).
    Return,
    Escape,
    /// In a sequence that the key named at its end.
    Sequence,
}

impl Keys {
    pub(crate) fn receive(&mut self, byte: u8) -> Option<Key> {
        let state = std::mem::take(&mut self.state);
        match (state, byte) {
            (State::Return, b'\n' | 0) => None,
            (State::Escape, b'[' | b'O') => {
                self.state = State::Sequence;
                None
            }
            (State::Escape, _) => None,
            (State::Sequence, b'A') => Some(Key::Up),
            (State::Sequence, b'B') => Some(Key::Down),
            (State::Sequence, b'C') => Some(Key::Right),
            (State::Sequence, b'D') => Some(Key::Left),
            // Parameters: ECMA-48, section 5.4.
            (State::Sequence, b' '..=b'?') => {
                self.state = State::Sequence;
                None
            }
            (State::Sequence, _) => None,
            (State::Plain | State::Return, _) => self.plain(byte),
        }
    }

    fn plain(&mut self, byte: u8) -> Option<Key> {
        if byte < 0x80 {
            self.partial.clear();
        }
        match byte {
            b'\r' => {
                self.state = State::Return;
                Some(Key::Enter)
            }
            b'\n' => Some(Key::Enter),
            0x1b => {
                self.state = State::Escape;
                None
            }
            _ if byte == ctrl(b'c') || byte == ctrl(b'd') => Some(Key::Leave),
            _ if byte == ctrl(b'h') || byte == 0x7f => Some(Key::Backspace),
            _ if byte == ctrl(b'u') => Some(Key::EraseLine),
            _ if byte == ctrl(b'w') => Some(Key::EraseWord),
            _ => self.char(byte).filter(|char| !char.is_control()).map(Key::Char),
        }
    }

    /// The character that a byte completes. One that is not UTF-8 is replaced.
    fn char(&mut self, byte: u8) -> Option<char> {
        self.partial.push(byte);
        match std::str::from_utf8(&self.partial) {
            Err(err) if err.error_len().is_none() => None,
            valid => {
                let char = valid.ok().and_then(|text| text.chars().next()).unwrap_or(char::REPLACEMENT_CHARACTER);
                self.partial.clear();
                Some(char)
            }
        }
    }
}

/// What a key sends that is pressed together with Ctrl.
const fn ctrl(key: u8) -> u8 {
    key & 0x1f
}
