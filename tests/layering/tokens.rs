//! Rust source as the few kinds of token that tell paths: no comments, no literals but strings.

/// A token and the line it begins on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) line: usize,
    pub(crate) kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Word(String),
    /// The content of a string literal, as written.
    Text(String),
    /// `::`
    Colons,
    Mark(char),
}

pub(crate) fn tokens(source: &str) -> Vec<Token> {
    let mut scanner = Scanner { rest: source.chars().collect(), at: 0, line: 1 };
    let mut found = Vec::new();
    while let Some(token) = scanner.next() {
        found.push(token);
    }
    found
}

struct Scanner {
    rest: Vec<char>,
    at: usize,
    line: usize,
}

impl Scanner {
    fn next(&mut self) -> Option<Token> {
        loop {
            let line = self.line;
            let first = self.peek(0)?;
            let kind = if first.is_whitespace() {
                self.take();
                continue;
            } else if first == '/' && self.peek(1) == Some('/') {
                self.take_while(|c| c != '\n');
                continue;
            } else if first == '/' && self.peek(1) == Some('*') {
                self.skip_block_comment();
                continue;
            } else if first == '"' {
                Kind::Text(self.text())
            } else if first == '\'' {
                self.character_or_lifetime();
                continue;
            } else if is_word(first) {
                let word = self.take_while(is_word);
                let n_hashes = (0..).take_while(|n| self.peek(*n) == Some('#')).count();
                match word.as_str() {
                    "r" | "br" | "cr" if self.peek(n_hashes) == Some('"') => Kind::Text(self.raw_text(n_hashes)),
                    "b" | "c" if self.peek(0) == Some('"') => Kind::Text(self.text()),
                    "b" if self.peek(0) == Some('\'') => {
                        self.character_or_lifetime();
                        continue;
                    }
                    _ => Kind::Word(word),
                }
            } else if first == ':' && self.peek(1) == Some(':') {
                self.take();
                self.take();
                Kind::Colons
            } else {
                self.take();
                Kind::Mark(first)
            };
            return Some(Token { line, kind });
        }
    }

    fn skip_block_comment(&mut self) {
        let mut depth = 0;
        loop {
            match (self.take(), self.peek(0)) {
                (Some('/'), Some('*')) => depth += 1,
                (Some('*'), Some('/')) => depth -= 1,
                (None, _) => return,
                _ => continue,
            }
            self.take();
            if depth == 0 {
                return;
            }
        }
    }

    fn text(&mut self) -> String {
        self.take();
        let mut text = String::new();
        while let Some(c) = self.take().filter(|c| *c != '"') {
            text.push(c);
            if c == '\\' {
                text.extend(self.take());
            }
        }
        text
    }

    fn raw_text(&mut self, n_hashes: usize) -> String {
        self.skip(n_hashes + 1);
        let mut text = String::new();
        while let Some(c) = self.take() {
            if c == '"' && (0..n_hashes).all(|n| self.peek(n) == Some('#')) {
                self.skip(n_hashes);
                break;
            }
            text.push(c);
        }
        text
    }

    fn character_or_lifetime(&mut self) {
        self.take();
        if self.peek(0) == Some('\\') {
            self.take();
            self.take();
            self.take_while(|c| c != '\'');
            self.take();
        } else if self.peek(1) == Some('\'') {
            self.take();
            self.take();
        } else {
            self.take_while(is_word);
        }
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> String {
        let mut taken = String::new();
        while let Some(c) = self.peek(0).filter(|c| wanted(*c)) {
            taken.push(c);
            self.take();
        }
        taken
    }

    fn skip(&mut self, n: usize) {
        for _ in 0..n {
            self.take();
        }
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.rest.get(self.at + ahead).copied()
    }

    fn take(&mut self) -> Option<char> {
        let c = self.peek(0)?;
        self.at += 1;
        self.line += usize::from(c == '\n');
        Some(c)
    }
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}
