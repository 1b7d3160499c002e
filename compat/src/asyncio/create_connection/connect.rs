//! Connecting a socket: to the first address that answers.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures::future::OptionFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::net::{TcpSocket, TcpStream};

use super::connect_error::{bind_failed, connect_failed, no_local_address};
use crate::asyncio::resolver::Family;
use crate::error::Error;
use crate::nursery::{primitive, sleep};

/// Tries the addresses in their order: each after the one before has failed, or, with a delay, that long after it was
/// begun. The first that is connected wins, and the sockets of the others are closed. Gives the error of each address,
/// in the order of the addresses, if all fail.
pub(super) async fn connect_any(
    addresses: &[SocketAddr],
    local: Option<&[SocketAddr]>,
    delay: Option<Duration>,
) -> Result<TcpStream, Vec<Error>> {
    let mut waiting = addresses.iter().enumerate();
    let mut attempts = FuturesUnordered::new();
    let mut errors = Vec::new();
    loop {
        match waiting.next() {
            Some((n, address)) => attempts.push(async move { (n, connect(*address, local).await) }),
            None if attempts.is_empty() => {
                errors.sort_by_key(|(n, _)| *n);
                return Err(errors.into_iter().map(|(_, err)| err).collect());
            }
            None => {}
        }
        let may_begin_another = waiting.len() > 0;
        let mut patience = pin!(OptionFuture::from(delay.filter(|_| may_begin_another).map(sleep)));
        let ended = poll_fn(|cx| match attempts.poll_next_unpin(cx) {
            Poll::Ready(ended) => Poll::Ready(ended),
            Poll::Pending => match patience.as_mut().poll(cx) {
                Poll::Ready(Some(())) => Poll::Ready(None),
                // Without a delay it is ready with nothing.
                Poll::Ready(None) | Poll::Pending => Poll::Pending,
            },
        });
        match ended.await {
            Some((_, Ok(stream))) => return Ok(stream),
            Some((n, Err(err))) => errors.push((n, err)),
            None => {}
        }
    }
}

async fn connect(address: SocketAddr, local: Option<&[SocketAddr]>) -> Result<TcpStream, Error> {
    let socket = match Family::of(&address) {
        Family::Inet => TcpSocket::new_v4(),
        Family::Inet6 => TcpSocket::new_v6(),
    }
    .map_err(|err| connect_failed(address, &err))?;
    if let Some(local) = local {
        bind(&socket, address, local)?;
    }
    let connected = primitive("a connection", socket.connect(address)).await;
    connected.map_err(|err| connect_failed(address, &err))
}

/// Binds to the first local address of the right family that can be bound.
fn bind(socket: &TcpSocket, remote: SocketAddr, local: &[SocketAddr]) -> Result<(), Error> {
    let mut failed = None;
    for address in local.iter().filter(|address| Family::of(address) == Family::of(&remote)) {
        match socket.bind(*address) {
            Ok(()) => return Ok(()),
            Err(err) => failed = Some(bind_failed(*address, &err)),
        }
    }
    Err(failed.unwrap_or_else(|| no_local_address(remote)))
}

/// RFC 8305, section 4: `first_count` addresses of the family that comes first, then the families take turns.
pub(super) fn interleave(addresses: Vec<SocketAddr>, first_count: usize) -> Vec<SocketAddr> {
    let Some(first) = addresses.first().map(Family::of) else { return addresses };
    let (mut first, mut other): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|it| Family::of(it) == first);
    let mut ordered: Vec<_> = first.drain(..(first_count - 1).min(first.len())).collect();
    let (mut first, mut other) = (first.into_iter(), other.drain(..));
    loop {
        match (first.next(), other.next()) {
            (None, None) => return ordered,
            (one, another) => ordered.extend(one.into_iter().chain(another)),
        }
    }
}

/// The error of a system call without what a wrapper says around it.
pub(super) fn strerror(err: &io::Error) -> String {
    let shown = err.to_string();
    match shown.find(" (os error ") {
        Some(at) => shown[..at].to_owned(),
        None => shown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(shown: &[&str]) -> Vec<SocketAddr> {
        shown.iter().map(|address| address.parse().expect("an address")).collect()
    }

    #[test]
    fn families_take_turns_from_the_first_on() {
        let all = addresses(&["[::1]:1", "[::2]:1", "[::3]:1", "127.0.0.1:1", "127.0.0.2:1"]);
        let turns = addresses(&["[::1]:1", "127.0.0.1:1", "[::2]:1", "127.0.0.2:1", "[::3]:1"]);
        assert_eq!(interleave(all, 1), turns);
    }

    #[test]
    fn more_of_the_first_family_come_first_if_so_many_are_asked_for() {
        let all = addresses(&["[::1]:1", "[::2]:1", "127.0.0.1:1", "[::3]:1"]);
        let expected = addresses(&["[::1]:1", "[::2]:1", "127.0.0.1:1", "[::3]:1"]);
        assert_eq!(interleave(all.clone(), 2), expected);
        assert_eq!(interleave(all, 99), addresses(&["[::1]:1", "[::2]:1", "[::3]:1", "127.0.0.1:1"]));
        assert_eq!(interleave(Vec::new(), 1), []);
    }
}
