//! RESP2 on the wire: requests taken apart, replies put together.

use std::borrow::Cow;
use std::mem;
use std::ops::Range;

/// The longest argument. Redis has 512 MiB, `proto-max-bulk-len`.
pub(crate) const MAX_BULK: usize = 16 * 1024 * 1024;

/// The most arguments of a request. Redis had a million until version 7.
const MAX_ARGS: i64 = 64 * 1024;

/// The longest line, as in Redis: an inline request, or a number.
const MAX_LINE: usize = 64 * 1024;

/// Behind so many bytes a reply is cut, and the client dropped; Redis has no limit.
pub(crate) const MAX_REPLY: usize = 4 * MAX_BULK;

/// What is wrong with a request, in Redis's words.
pub(crate) type Refusal = Cow<'static, str>;

/// Finds requests, wherever they are cut. What it knows of an incomplete one it keeps, so that it is read only once.
#[derive(Default)]
pub(crate) struct Parser {
    args: Vec<Range<usize>>,
    n_missing: i64,
    /// How far the request has been read, from its first byte.
    at: usize,
    /// The length of the argument that comes next, once it is known.
    bulk: Option<usize>,
}

impl Parser {
    /// Fills in the arguments of the request that `input` begins with, and gives its length. While there is `None`, it
    /// has to be called with the same bytes and more.
    pub(crate) fn parse<'a>(
        &mut self,
        input: &'a [u8],
        args: &mut Vec<Cow<'a, [u8]>>,
    ) -> Result<Option<usize>, Refusal> {
        args.clear();
        if self.n_missing == 0 {
            match input.first() {
                None => return Ok(None),
                Some(b'*') => {}
                Some(_) => return inline(input, args),
            }
            let number = self.number(input, MAX_ARGS, "too big mbulk count string", "invalid multibulk length")?;
            let Some(n_args) = number else { return Ok(None) };
            self.n_missing = n_args.max(0);
        }
        while self.n_missing > 0 {
            let len = match (self.bulk, input.get(self.at)) {
                (Some(len), _) => len,
                (None, None) => return Ok(None),
                (None, Some(b'$')) => {
                    let invalid = "invalid bulk length";
                    let number = self.number(input, MAX_BULK as i64, "too big bulk count string", invalid)?;
                    let Some(len) = number else { return Ok(None) };
                    *self.bulk.insert(usize::try_from(len).map_err(|_| invalid)?)
                }
                (None, Some(&other)) => return Err(format!("expected '$', got '{}'", char::from(other)).into()),
            };
            // As in Redis, what stands in place of the line's end behind an argument is not looked at.
            if input.len() < self.at + len + 2 {
                return Ok(None);
            }
            self.args.push(self.at..self.at + len);
            self.at += len + 2;
            self.bulk = None;
            self.n_missing -= 1;
        }
        args.extend(self.args.drain(..).filter_map(|range| input.get(range)).map(Cow::Borrowed));
        Ok(Some(mem::take(&mut self.at)))
    }

    /// The number behind the `*` or `$` that is next, if its line is there.
    fn number(
        &mut self,
        input: &[u8],
        max: i64,
        long: &'static str,
        bad: &'static str,
    ) -> Result<Option<i64>, Refusal> {
        let line = input.get(self.at + 1..).unwrap_or_default();
        match line.iter().position(|byte| *byte == b'\r') {
            None if line.len() > MAX_LINE => Err(long.into()),
            Some(len) if len + 2 <= line.len() => {
                self.at += len + 3;
                line.get(..len).and_then(integer).filter(|number| *number <= max).map(Some).ok_or(bad.into())
            }
            _ => Ok(None),
        }
    }
}

/// A request that somebody may have typed: words, which may be quoted as in a shell.
fn inline(input: &[u8], args: &mut Vec<Cow<'_, [u8]>>) -> Result<Option<usize>, Refusal> {
    const UNBALANCED: Refusal = Cow::Borrowed("unbalanced quotes in request");
    let Some(end) = input.iter().position(|byte| *byte == b'\n') else {
        return if input.len() > MAX_LINE { Err("too big inline request".into()) } else { Ok(None) };
    };
    let mut line = input.iter().copied().take(end).peekable();
    loop {
        while line.next_if(u8::is_ascii_whitespace).is_some() {}
        if line.peek().is_none() {
            return Ok(Some(end + 1));
        }
        let mut word = Vec::new();
        while let Some(byte) = line.next_if(|byte| !byte.is_ascii_whitespace()) {
            if !matches!(byte, b'"' | b'\'') {
                word.push(byte);
                continue;
            }
            loop {
                word.push(match line.next().ok_or(UNBALANCED)? {
                    end if end == byte => break,
                    b'\\' if byte == b'"' => match line.next().ok_or(UNBALANCED)? {
                        b'n' => b'\n',
                        b'r' => b'\r',
                        b't' => b'\t',
                        other => other,
                    },
                    b'\\' => line.next_if_eq(&b'\'').unwrap_or(b'\\'),
                    other => other,
                });
            }
            if line.peek().is_some_and(|next| !next.is_ascii_whitespace()) {
                return Err(UNBALANCED);
            }
        }
        args.push(word.into());
    }
}

/// The number, if it is written as Redis writes it: with no sign but a minus, and no zeros in front.
pub(crate) fn integer(bytes: &[u8]) -> Option<i64> {
    let is_plain = matches!(bytes, [b'0'] | [b'1'..=b'9', ..] | [b'-', b'1'..=b'9', ..]);
    std::str::from_utf8(bytes).ok().filter(|_| is_plain)?.parse().ok()
}

/// Replies that go out together.
#[derive(Default)]
pub(crate) struct Reply(pub(crate) Vec<u8>);

impl Reply {
    /// A reply that is always the same, or a part of one.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        if self.0.len() <= MAX_REPLY {
            self.0.extend_from_slice(bytes);
        }
    }

    /// One line, whatever a client has put into it.
    pub(crate) fn error(&mut self, message: &str) {
        self.raw(format!("-{}\r\n", message.replace(['\r', '\n'], " ")).as_bytes());
    }

    /// An integer (`:`), the length of an array that follows (`*`) or of a bulk string (`$`).
    pub(crate) fn number(&mut self, kind: u8, n: i64) {
        // From the last digit to the first: formatting would cost as much as all the rest of a short reply.
        let (mut line, mut at, mut rest) = (*b"......................\r\n", 22, n.unsigned_abs());
        loop {
            at -= 1;
            line[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if n < 0 {
            at -= 1;
            line[at] = b'-';
        }
        line[at - 1] = kind;
        self.raw(&line[at - 1..]);
    }

    pub(crate) fn integer(&mut self, n: i64) {
        self.number(b':', n);
    }

    pub(crate) fn array(&mut self, n: usize) {
        self.number(b'*', n as i64);
    }

    pub(crate) fn bulk<'a>(&mut self, value: impl Into<Option<&'a [u8]>>) {
        let Some(value) = value.into() else { return self.raw(b"$-1\r\n") };
        self.number(b'$', value.len() as i64);
        self.raw(value);
        self.raw(b"\r\n");
    }

    /// An array of bulk strings.
    pub(crate) fn bulks(&mut self, values: &[&[u8]]) {
        self.array(values.len());
        values.iter().for_each(|value| self.bulk(*value));
    }
}
