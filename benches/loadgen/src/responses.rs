use std::io;
use std::ops::Range;

/// Counts the responses of HTTP/1.1 in what a connection receives, whose heads and framing it reads. A head that
/// repeats the one before, but for the date, is recognised by comparison alone.
#[derive(Default)]
pub(crate) struct Responses {
    state: State,
    /// The start of a head, or of a line between chunks, whose end has not come.
    partial: Vec<u8>,
    head: Option<Head>,
    /// Of the last response.
    n_chunks: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Length(usize),
    Chunked,
}

#[derive(Clone, Copy, Default)]
enum State {
    #[default]
    Head,
    Body {
        n_left: usize,
    },
    ChunkSize,
    ChunkData {
        n_left: usize,
    },
    ChunkEnd,
    Trailer,
}

impl Responses {
    /// The number of responses that ended in these bytes. Nothing but 200 will do.
    #[inline]
    pub(crate) fn count(&mut self, data: &[u8]) -> io::Result<usize> {
        self.receive(data, &mut |_| {})
    }

    /// The same, and gives away the bodies piece by piece.
    pub(crate) fn receive(&mut self, mut data: &[u8], body: &mut impl FnMut(&[u8])) -> io::Result<usize> {
        let mut n_responses = 0;
        // A response without a body ends without another byte.
        while !data.is_empty() || matches!(self.state, State::Body { n_left: 0 }) {
            match &mut self.state {
                State::Head => {
                    if let Some(framing) = self.receive_head(&mut data)? {
                        self.n_chunks = 0;
                        self.state = match framing {
                            Framing::Length(n_left) => State::Body { n_left },
                            Framing::Chunked => State::ChunkSize,
                        };
                    }
                }
                State::Body { n_left: 0 } => {
                    n_responses += 1;
                    self.state = State::Head;
                }
                State::Body { n_left } => body(take(&mut data, n_left)),
                State::ChunkData { n_left: 0 } => self.state = State::ChunkEnd,
                State::ChunkData { n_left } => body(take(&mut data, n_left)),
                State::ChunkSize => {
                    if let Some(line) = self.receive_line(&mut data)? {
                        let size = line.split(|byte| *byte == b';').next().unwrap_or_default();
                        let size = std::str::from_utf8(size).ok().and_then(|size| usize::from_str_radix(size, 16).ok());
                        self.state = match size.ok_or_else(|| malformed("the size of a chunk", &line))? {
                            0 => State::Trailer,
                            n_left => {
                                self.n_chunks += 1;
                                State::ChunkData { n_left }
                            }
                        };
                    }
                }
                State::ChunkEnd => {
                    if let Some(line) = self.receive_line(&mut data)? {
                        if !line.is_empty() {
                            return Err(malformed("the end of a chunk", &line));
                        }
                        self.state = State::ChunkSize;
                    }
                }
                State::Trailer => {
                    if self.receive_line(&mut data)?.is_some_and(|line| line.is_empty()) {
                        n_responses += 1;
                        self.state = State::Head;
                    }
                }
            }
        }
        Ok(n_responses)
    }

    pub(crate) fn last_head(&self) -> Option<&Head> {
        self.head.as_ref()
    }

    pub(crate) fn n_chunks(&self) -> usize {
        self.n_chunks
    }

    /// Takes a head from the data; `None` when its end has not come.
    #[inline]
    fn receive_head(&mut self, data: &mut &[u8]) -> io::Result<Option<Framing>> {
        if self.partial.is_empty() {
            if let Some(head) = self.head.as_ref().filter(|head| head.starts(data)) {
                *data = &data[head.bytes.len()..];
                return Ok(Some(head.framing));
            }
        }
        match take_until(&mut self.partial, data, b"\r\n\r\n")? {
            None => Ok(None),
            Some(bytes) => Ok(Some(self.head.insert(Head::parse(bytes)?).framing)),
        }
    }

    /// Takes a line from the data, without its end; `None` when that has not come.
    fn receive_line(&mut self, data: &mut &[u8]) -> io::Result<Option<Vec<u8>>> {
        let mut line = take_until(&mut self.partial, data, b"\r\n")?;
        if let Some(line) = &mut line {
            line.truncate(line.len() - 2);
        }
        Ok(line)
    }
}

/// The head of a response, with what matters of it.
pub(crate) struct Head {
    bytes: Vec<u8>,
    framing: Framing,
    /// Where the value of the date lies: the one part that changes from one response to the next.
    date: Option<Range<usize>>,
    content_type: String,
}

impl Head {
    fn parse(bytes: Vec<u8>) -> io::Result<Head> {
        let text = std::str::from_utf8(&bytes).map_err(|_| malformed("the head", &bytes))?;
        if !text.starts_with("HTTP/1.1 200") {
            return Err(malformed("the status line", text.lines().next().unwrap_or_default().as_bytes()));
        }
        let (mut length, mut is_chunked, mut date, mut content_type) = (None, false, None, String::new());
        for line in text.split("\r\n").skip(1).filter(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':').ok_or_else(|| malformed("a header", line.as_bytes()))?;
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "content-length" => {
                    length = Some(value.parse().map_err(|_| malformed("the content length", value.as_bytes()))?);
                }
                "transfer-encoding" => is_chunked = value.eq_ignore_ascii_case("chunked"),
                "content-type" => content_type = value.to_string(),
                "date" => {
                    let start = value.as_ptr() as usize - text.as_ptr() as usize;
                    date = Some(start..start + value.len());
                }
                _ => {}
            }
        }
        let framing = match (length, is_chunked) {
            (Some(length), false) => Framing::Length(length),
            (None, true) => Framing::Chunked,
            _ => return Err(io::Error::other("a response needs either a content length or chunks")),
        };
        Ok(Head { bytes, framing, date, content_type })
    }

    /// Whether the data starts with this head, at whatever date.
    #[inline]
    fn starts(&self, data: &[u8]) -> bool {
        let date = self.date.clone().unwrap_or(0..0);
        data.len() >= self.bytes.len()
            && data[..date.start] == self.bytes[..date.start]
            && data[date.end..self.bytes.len()] == self.bytes[date.end..]
    }

    pub(crate) fn framing(&self) -> Framing {
        self.framing
    }

    pub(crate) fn has_date(&self) -> bool {
        self.date.is_some()
    }

    pub(crate) fn content_type(&self) -> &str {
        &self.content_type
    }
}

fn take<'a>(data: &mut &'a [u8], n_left: &mut usize) -> &'a [u8] {
    let (piece, rest) = data.split_at(data.len().min(*n_left));
    *n_left -= piece.len();
    *data = rest;
    piece
}

/// What comes up to the end, with it, the part included that came before; `None` keeps all of the data as that part.
/// Goes from line to line, which `end` ends, so that a body behind it is not looked at.
fn take_until(partial: &mut Vec<u8>, data: &mut &[u8], end: &[u8]) -> io::Result<Option<Vec<u8>>> {
    while !data.is_empty() {
        let n_bytes = data.iter().position(|byte| *byte == b'\n').map_or(data.len(), |index| index + 1);
        if partial.len() + n_bytes > LARGEST_HEAD {
            return Err(io::Error::other(format!("no end of a head or a line within {LARGEST_HEAD} bytes")));
        }
        let (line, rest) = data.split_at(n_bytes);
        partial.extend_from_slice(line);
        *data = rest;
        if partial.ends_with(end) {
            return Ok(Some(std::mem::take(partial)));
        }
    }
    Ok(None)
}

fn malformed(what: &str, bytes: &[u8]) -> io::Error {
    let shown = &bytes[..bytes.len().min(200)];
    io::Error::other(format!("{what} is not as expected: {}", shown.escape_ascii()))
}

/// Many times what any server here sends.
const LARGEST_HEAD: usize = 16 * 1024;

#[cfg(test)]
mod tests;
