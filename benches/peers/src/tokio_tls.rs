use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio_rustls::TlsAcceptor;

use crate::READ_SIZE;

/// A task for each connection on the current-thread runtime, through tokio-rustls.
pub(crate) fn run(listener: std::net::TcpListener, config: Arc<ServerConfig>) -> io::Result<()> {
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        let listener = TcpListener::from_std(listener)?;
        tokio::spawn(accept(listener, TlsAcceptor::from(config))).await.map_err(io::Error::other)
    })
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor) {
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(echo(stream, acceptor.clone()));
        }
    }
}

/// A connection that fails just ends.
async fn echo(stream: TcpStream, acceptor: TlsAcceptor) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = acceptor.accept(stream).await?;
    let mut buffer = vec![0; READ_SIZE];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(()),
            n_bytes => {
                stream.write_all(&buffer[..n_bytes]).await?;
                // The stream keeps what the socket has not taken; without this it might keep it for ever.
                stream.flush().await?;
            }
        }
    }
}
