//! Where to listen, as it is written and as it is bound.

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use foster_compat::{Result, ValueError};
use listenfd::ListenFd;

use super::config::{Bind, Config, Place};

/// Hypercorn's default.
const DEFAULT_BIND: &str = "127.0.0.1:8000";
const DEFAULT_PORT: u16 = 8000;

/// The first descriptor that systemd passes: `SD_LISTEN_FDS_START`.
const FIRST_PASSED: usize = 3;

/// Something to listen on, understood.
#[derive(Debug)]
pub(super) struct Spot {
    pub(super) place: Listening,
    pub(super) is_secure: bool,
    /// Others listen on the same port.
    pub(super) is_shared: bool,
}

#[derive(Debug)]
pub(super) enum Listening {
    Address(String, u16),
    Socket(TcpListener),
    #[cfg(unix)]
    Path(PathBuf),
    #[cfg(unix)]
    UnixSocket(std::os::unix::net::UnixListener),
}

/// Everything that a configuration binds.
///
/// # Errors
///
/// A [`ValueError`] that says what is wrong with which of them.
pub(super) fn spots(config: &Config) -> Result<Vec<Spot>> {
    let has_tls = config.has_tls();
    let default = [Bind { place: Place::Named(DEFAULT_BIND.to_owned()), is_insecure: false }];
    let binds = if config.bind.is_empty() { &default } else { &config.bind[..] };
    binds
        .iter()
        .map(|bind| {
            let place = match &bind.place {
                Place::Socket(listener) => Listening::Socket(listener.try_clone()?),
                Place::Named(text) => parse(text)?,
            };
            let is_secure = has_tls && !bind.is_insecure && place.is_internet();
            Ok(Spot { place, is_secure, is_shared: false })
        })
        .collect()
}

impl Listening {
    fn is_internet(&self) -> bool {
        matches!(self, Listening::Address(..) | Listening::Socket(_))
    }
}

fn parse(text: &str) -> Result<Listening> {
    if let Some(path) = text.strip_prefix("unix:") {
        return unix_path(path);
    }
    if let Some(number) = text.strip_prefix("fd://") {
        return passed_socket(text, number);
    }
    let (host, port) = match text.rsplit_once(':') {
        // An IPv6 address without brackets has its colons for itself.
        Some((host, _)) if host.contains(':') && !host.ends_with(']') => (text, None),
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let port = match port {
        None => DEFAULT_PORT,
        Some(port) => port.parse().map_err(|_| wrong(text, "its port is no number from 0 to 65535"))?,
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    Ok(Listening::Address(host.to_owned(), port))
}

#[cfg(unix)]
fn unix_path(path: &str) -> Result<Listening> {
    if path.is_empty() {
        return Err(wrong("unix:", "there is no path"));
    }
    Ok(Listening::Path(PathBuf::from(path)))
}

#[cfg(not(unix))]
fn unix_path(path: &str) -> Result<Listening> {
    Err(wrong(path, "this system has no Unix sockets"))
}

/// Takes a socket that was passed, once. Asking the environment which there are takes them out of it, so that is left to
/// the first server that wants one, and what it does not take is kept for the next.
fn passed_socket(text: &str, number: &str) -> Result<Listening> {
    static PASSED: Mutex<Option<ListenFd>> = Mutex::new(None);
    let number: usize = number.parse().map_err(|_| wrong(text, "it is no number of a descriptor"))?;
    let missing = || wrong(text, "no such socket was passed: LISTEN_FDS and LISTEN_PID say which were, from 3 on");
    let index = number.checked_sub(FIRST_PASSED).ok_or_else(missing)?;
    let mut passed = PASSED.lock().unwrap_or_else(PoisonError::into_inner);
    let passed = passed.get_or_insert_with(ListenFd::from_env);
    if let Ok(Some(listener)) = passed.take_tcp_listener(index) {
        return Ok(Listening::Socket(listener));
    }
    #[cfg(unix)]
    if let Ok(Some(listener)) = passed.take_unix_listener(index) {
        return Ok(Listening::UnixSocket(listener));
    }
    Err(missing())
}

pub(super) fn wrong(text: &str, why: &str) -> foster_compat::Error {
    ValueError::new(format!("cannot bind {text:?}: {why}")).into()
}
