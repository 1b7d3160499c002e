use std::io;
use std::net::Ipv4Addr;

use tokio::net::UdpSocket;
use tokio::runtime::Builder;

/// One task that receives and answers, one datagram after the other.
pub(crate) fn run(port: u16) -> io::Result<()> {
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).await?;
        tokio::spawn(echo(socket)).await.map_err(io::Error::other)?
    })
}

async fn echo(socket: UdpSocket) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let (n_bytes, addr) = socket.recv_from(&mut buffer).await?;
        socket.send_to(&buffer[..n_bytes], addr).await?;
    }
}
