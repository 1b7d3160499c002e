use std::io::{self, Read, Write};

use crate::responses::{Framing, Responses};
use crate::socket;
use crate::wire::Wire;

/// What is asked of a server, and what every server here answers to it.
pub(crate) struct Http {
    path: String,
    /// Sent along, and expected back.
    body: Option<Vec<u8>>,
}

impl Http {
    /// `/echo` is posted with `size` bytes; everything else is got.
    pub(crate) fn new(path: &str, size: usize) -> Http {
        Http { path: path.to_string(), body: (path == "/echo").then(|| socket::message(size)) }
    }

    pub(crate) fn request(&self, is_last: bool) -> Vec<u8> {
        let method = if self.body.is_some() { "POST" } else { "GET" };
        let mut request = format!("{method} {} HTTP/1.1\r\nHost: 127.0.0.1\r\n", self.path).into_bytes();
        if is_last {
            request.extend_from_slice(b"Connection: close\r\n");
        }
        let body = self.body.as_deref().unwrap_or_default();
        if self.body.is_some() {
            let head = format!("Content-Type: application/octet-stream\r\nContent-Length: {}\r\n", body.len());
            request.extend_from_slice(head.as_bytes());
        }
        request.extend_from_slice(b"\r\n");
        request.extend_from_slice(body);
        request
    }

    /// Sends one request and compares all that matters of the response, so that every server does the same work.
    pub(crate) fn check(&self, wire: &mut Wire, is_last: bool) -> io::Result<()> {
        wire.write_all(&self.request(is_last))?;
        let mut responses = Responses::default();
        let (mut body, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
        loop {
            let n_read = wire.read(&mut buffer)?;
            if n_read == 0 {
                return Err(io::Error::other("the server closed a connection in the middle of a response"));
            }
            if responses.receive(&buffer[..n_read], &mut |piece| body.extend_from_slice(piece))? > 0 {
                break;
            }
        }
        if body != self.answer() {
            return Err(io::Error::other(format!(
                "the body of the response to {} is not what was expected",
                self.path
            )));
        }
        self.check_head(&responses)?;
        if is_last {
            match wire.read(&mut buffer) {
                Ok(0) => {}
                Ok(_) => return Err(io::Error::other("the server sent more after its last response")),
                Err(err) => {
                    return Err(io::Error::other(format!("the server did not close after the last one: {err}")));
                }
            }
        }
        Ok(())
    }

    pub(crate) fn answer_size(&self) -> usize {
        self.answer().len()
    }

    fn answer(&self) -> Vec<u8> {
        match (self.path.as_str(), &self.body) {
            (_, Some(body)) => body.clone(),
            ("/json", _) => br#"{"message":"Hello, World!"}"#.to_vec(),
            ("/stream", _) => vec![b'x'; STREAM_CHUNKS * 16 * 1024],
            (path, _) => path.strip_prefix("/users/").unwrap_or("Hello, World!").as_bytes().to_vec(),
        }
    }

    fn check_head(&self, responses: &Responses) -> io::Result<()> {
        let head = responses.last_head().ok_or_else(|| io::Error::other("there was no response"))?;
        let content_type = match self.path.as_str() {
            "/json" => "application/json",
            "/echo" | "/stream" => "application/octet-stream",
            _ => "text/plain",
        };
        if !head.content_type().starts_with(content_type) {
            return Err(io::Error::other(format!("the content type is {:?}, not {content_type}", head.content_type())));
        }
        if !head.has_date() {
            return Err(io::Error::other("the response has no date, which costs the others something"));
        }
        let n_chunks = if self.path == "/stream" { STREAM_CHUNKS } else { 0 };
        if head.framing() == Framing::Chunked && responses.n_chunks() != n_chunks {
            return Err(io::Error::other(format!("{} chunks instead of {n_chunks}", responses.n_chunks())));
        }
        if (head.framing() == Framing::Chunked) != (n_chunks > 0) {
            return Err(io::Error::other("a response is chunked if it is streamed, and only then"));
        }
        Ok(())
    }
}

/// Of 16 KiB each.
const STREAM_CHUNKS: usize = 64;
