use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};

use crate::READ_SIZE;

pub(crate) fn run_current_thread(listener: std::net::TcpListener) -> io::Result<()> {
    run(Builder::new_current_thread().enable_all().build()?, listener)
}

pub(crate) fn run_multi_thread(listener: std::net::TcpListener, n_workers: usize) -> io::Result<()> {
    run(Builder::new_multi_thread().worker_threads(n_workers).enable_all().build()?, listener)
}

fn run(runtime: Runtime, listener: std::net::TcpListener) -> io::Result<()> {
    runtime.block_on(async {
        let listener = TcpListener::from_std(listener)?;
        // Accepting in a task: connections then start on a worker and not in `block_on`.
        tokio::spawn(accept(listener)).await.map_err(io::Error::other)
    })
}

async fn accept(listener: TcpListener) {
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(echo(stream));
        }
    }
}

/// A connection that fails just ends.
async fn echo(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; READ_SIZE];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(()),
            n_bytes => stream.write_all(&buffer[..n_bytes]).await?,
        }
    }
}
