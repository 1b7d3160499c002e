use std::io;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;

use crate::LINES_PER_ANSWER;

/// A task for each connection, which reads lines and answers every so many of them.
pub(crate) fn run(listener: std::net::TcpListener) -> io::Result<()> {
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::from_std(listener)?;
        tokio::spawn(accept(listener)).await.map_err(io::Error::other)
    })
}

async fn accept(listener: TcpListener) {
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer(stream));
        }
    }
}

/// A connection that fails just ends.
async fn answer(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (reader, mut writer) = stream.split();
    // As much as asyncio's streams hold by default.
    let mut reader = BufReader::with_capacity(64 * 1024, reader);
    let mut n_lines = 0;
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        n_lines += 1;
        if n_lines % LINES_PER_ANSWER == 0 {
            writer.write_all(b".").await?;
        }
    }
}
