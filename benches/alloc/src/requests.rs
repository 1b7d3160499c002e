//! Requests and their answers, on a connection that is kept.

use std::io::{self, Read, Write};
use std::net::TcpStream;

/// Sends the request and reads its answer, which every other one then has to be as long as.
pub(crate) fn answer_len(stream: &mut TcpStream, request: &[u8]) -> io::Result<usize> {
    stream.write_all(request)?;
    let (mut answer, mut byte) = (Vec::new(), [0]);
    while !answer.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        answer.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&answer).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let length: usize = length.ok_or_else(|| io::Error::other("the answer says no length"))?;
    stream.read_exact(&mut vec![0; length])?;
    Ok(answer.len() + length)
}

/// `n_rounds` times `depth` requests with one write, and their answers.
pub(crate) fn ask(stream: &mut TcpStream, request: &[u8], depth: usize, n_rounds: usize) -> io::Result<()> {
    let mut answers = vec![0; answer_len(stream, request)? * depth];
    let requests = request.repeat(depth);
    for _ in 0..n_rounds {
        stream.write_all(&requests)?;
        stream.read_exact(&mut answers)?;
    }
    Ok(())
}
