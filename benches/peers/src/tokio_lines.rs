use std::io;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;

use crate::LINES_PER_ANSWER;

/// A task for each connection, which reads lines and answers every so many of them. Each line has memory of its own, as
/// from `readline`, or all lines of a connection one buffer.
pub(crate) fn run(listener: std::net::TcpListener, has_one_buffer: bool) -> io::Result<()> {
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::from_std(listener)?;
        tokio::spawn(accept(listener, has_one_buffer)).await.map_err(io::Error::other)
    })
}

async fn accept(listener: TcpListener, has_one_buffer: bool) {
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream, has_one_buffer));
        }
    }
}

/// A connection that fails just ends.
async fn answer(mut stream: TcpStream, has_one_buffer: bool) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (reader, mut writer) = stream.split();
    // As much as asyncio's streams hold by default.
    let mut reader = BufReader::with_capacity(64 * 1024, reader);
    let mut n_lines = 0;
    let mut line = String::new();
    loop {
        if has_one_buffer {
            line.clear();
        } else {
            line = String::new();
        }
        if reader.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        n_lines += 1;
        if n_lines % LINES_PER_ANSWER == 0 {
            writer.write_all(b".").await?;
        }
    }
}
