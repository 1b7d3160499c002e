//! RESP2 on the wire: requests taken apart, replies put together.

use std::borrow::Cow;
use std::fmt::Arguments;
use std::io::Write;
use std::ops::RangeInclusive;

use super::MAX_BUFFER;

/// The longest argument. Redis has 512 MiB, `proto-max-bulk-len`.
pub(crate) const MAX_BULK: i64 = 16 * 1024 * 1024;

/// The most arguments of a request. Redis had a million until version 7.
const MAX_ARGS: i64 = 64 * 1024;

/// The longest line, as in Redis: an inline request, or a number.
const MAX_LINE: usize = 64 * 1024;

/// What is wrong with a request, in Redis's words.
pub(crate) type Refusal = Cow<'static, str>;

/// Takes a request from the front of `input` and fills in its arguments. `false` means that more has to come: then it is
/// read again, all of it, which `MAX_ARGS` keeps short.
pub(crate) fn parse<'a>(input: &mut &'a [u8], args: &mut Vec<&'a [u8]>) -> Result<bool, Refusal> {
    args.clear();
    let mut rest = *input;
    let is_array = rest.first() == Some(&b'*');
    let name = if is_array { "mbulk count string" } else { "inline request" };
    let Some(line) = take_line(&mut rest, name)? else { return Ok(false) };
    if is_array {
        for _ in 0..length(line, i64::MIN..=MAX_ARGS, "multibulk")? {
            let Some(line) = take_line(&mut rest, "bulk count string")? else { return Ok(false) };
            if let Some(other) = line.first().filter(|first| **first != b'$') {
                return Err(format!("expected '$', got '{}'", char::from(*other)).into());
            }
            let length = length(line, 0..=MAX_BULK, "bulk")?;
            // As in Redis, what stands in place of the line's end behind an argument is not looked at.
            let (Some(arg), Some(behind)) = (rest.get(..length), rest.get(length + 2..)) else { return Ok(false) };
            args.push(arg);
            rest = behind;
        }
    } else {
        // Somebody may have typed it: words. Redis lets them be quoted too.
        args.extend(line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()));
    }
    *input = rest;
    Ok(true)
}

fn take_line<'a>(input: &mut &'a [u8], name: &str) -> Result<Option<&'a [u8]>, Refusal> {
    let Some(at) = input.iter().position(|byte| *byte == b'\n') else {
        return if input.len() > MAX_LINE { Err(format!("too big {name}").into()) } else { Ok(None) };
    };
    let (line, rest) = input.split_at(at + 1);
    *input = rest;
    Ok(Some(line))
}

/// The number behind the first byte of a line; none below 0 is given as 0.
fn length(line: &[u8], allowed: RangeInclusive<i64>, name: &str) -> Result<usize, Refusal> {
    let number = line.trim_ascii_end().get(1..).and_then(|number| integer(number).ok());
    let number = number.filter(|number| allowed.contains(number)).ok_or_else(|| format!("invalid {name} length"))?;
    Ok(number.max(0) as usize)
}

/// The number, if it is written as Redis writes it: with no sign but a minus, and no zeros in front.
pub(crate) fn integer(bytes: &[u8]) -> Result<i64, Refusal> {
    let is_plain = matches!(bytes, [b'0'] | [b'1'..=b'9', ..] | [b'-', b'1'..=b'9', ..]);
    let text = std::str::from_utf8(bytes).ok().filter(|_| is_plain);
    text.and_then(|text| text.parse().ok()).ok_or("ERR value is not an integer or out of range".into())
}

/// Replies that go out together.
#[derive(Default)]
pub(crate) struct Reply(pub(crate) Vec<u8>);

impl Reply {
    /// A reply that is always the same, or a part of one. What is too long is cut: nobody gets it.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        if self.0.len() <= MAX_BUFFER {
            self.0.extend_from_slice(bytes);
        }
    }

    fn line(&mut self, line: Arguments) {
        // It does not fail: there is room, or the program ends.
        let _ = write!(self.0, "{line}\r\n");
    }

    /// One line, whatever a client has put into it.
    pub(crate) fn error(&mut self, message: &str) {
        self.line(format_args!("-{}", message.replace(['\r', '\n'], " ")));
    }

    pub(crate) fn integer(&mut self, n: i64) {
        self.line(format_args!(":{n}"));
    }

    pub(crate) fn array(&mut self, n: usize) {
        self.line(format_args!("*{n}"));
    }

    pub(crate) fn bulk<'a>(&mut self, value: impl Into<Option<&'a [u8]>>) {
        let Some(value) = value.into() else { return self.raw(b"$-1\r\n") };
        self.line(format_args!("${}", value.len()));
        self.raw(value);
        self.raw(b"\r\n");
    }

    /// An array of bulk strings.
    pub(crate) fn bulks<'a>(&mut self, values: impl ExactSizeIterator<Item = Option<&'a [u8]>>) {
        self.array(values.len());
        values.for_each(|value| self.bulk(value));
    }
}
