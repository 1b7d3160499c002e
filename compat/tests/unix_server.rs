//! Servers on Unix sockets: the file, abstract names, and what arguments exclude each other.

#![cfg(all(feature = "testing", unix))]

mod stage;

use std::io::ErrorKind;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use foster_compat::testing::Trace;
use foster_compat::{Address, Error, Nursery, Result, ValueError, create_unix_server, open_nursery};
use stage::{Scripted, real};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// A path of the test's own, short enough for a socket; nothing is there when it goes.
struct OwnPath(PathBuf);

impl OwnPath {
    fn new() -> Self {
        static N_PATHS: AtomicU32 = AtomicU32::new(0);
        let n = N_PATHS.fetch_add(1, Ordering::Relaxed);
        OwnPath(std::env::temp_dir().join(format!("foster-{}-{n}", std::process::id())))
    }
}

impl std::ops::Deref for OwnPath {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for OwnPath {
    fn drop(&mut self) {
        // It is gone already after a server that has cleaned up.
        let _ = std::fs::remove_file(&self.0);
    }
}

async fn assert_echoes(path: impl AsRef<Path>) -> Result<()> {
    let mut client = UnixStream::connect(path).await?;
    client.write_all(b"hello").await?;
    let mut answer = [0; 5];
    client.read_exact(&mut answer).await?;
    assert_eq!(&answer, b"hello");
    Ok(())
}

fn io_kind(err: &Error) -> Option<ErrorKind> {
    err.downcast_ref::<std::io::Error>().map(std::io::Error::kind)
}

#[test]
fn a_server_on_a_path_serves_and_removes_its_file() {
    real(async |nursery| {
        let path = OwnPath::new();
        let trace = Trace::new();
        let inner = trace.clone();
        let protocol = move || {
            inner.wrap(Scripted::echo().on_made(|transport| {
                assert_eq!(transport.peername(), Some(Address::Unix(String::new())), "the client is not bound");
                Ok(())
            }))
        };
        let server = create_unix_server(&nursery, protocol, &*path).await?;
        assert_eq!(server.sockets()[0].getsockname()?, Address::Unix(path.to_string_lossy().into_owned()));
        assert_echoes(&*path).await?;
        server.close();
        assert!(!path.exists());
        server.wait_closed().await;
        assert_eq!(trace.lines(), ["made", "data 'hello'", "eof", "lost None"]);
        trace.assert_complete();
        Ok(())
    });
}

#[test]
fn a_cancelled_server_removes_its_file_too() {
    real(async |_| {
        let path = OwnPath::new();
        open_nursery(async |nursery: Nursery| {
            create_unix_server(&nursery, Scripted::new, &*path).await?;
            assert!(path.exists());
            nursery.cancel();
            Ok(())
        })
        .await?;
        assert!(!path.exists());
        Ok(())
    });
}

#[test]
fn a_stale_socket_is_replaced_and_any_other_file_is_not() {
    real(async |nursery| {
        let path = OwnPath::new();
        // A socket whose server has gone without removing it.
        drop(UnixListener::bind(&*path)?);
        let server = create_unix_server(&nursery, Scripted::echo, &*path).await?;
        assert_echoes(&*path).await?;
        server.close();

        std::fs::write(&*path, "precious")?;
        let err = create_unix_server(&nursery, Scripted::new, &*path).await.expect_err("it is no socket");
        assert_eq!(io_kind(&err), Some(ErrorKind::AddrInUse));
        assert_eq!(err.to_string(), format!("Address {:?} is already in use", &*path));
        assert_eq!(std::fs::read_to_string(&*path)?, "precious");
        server.wait_closed().await;
        Ok(())
    });
}

#[test]
fn a_file_that_another_server_has_made_since_is_left_alone() {
    real(async |nursery| {
        let path = OwnPath::new();
        let first = create_unix_server(&nursery, Scripted::new, &*path).await?;
        // The stale socket goes first, so the new file may even get its inode.
        let moved = OwnPath::new();
        std::fs::rename(&*path, &*moved)?;
        let second = create_unix_server(&nursery, Scripted::echo, &*path).await?;
        first.close();
        assert_echoes(&*path).await?;
        second.close();
        second.wait_closed().await;
        assert!(!path.exists());
        Ok(())
    });
}

#[test]
fn without_cleanup_the_file_stays() {
    real(async |nursery| {
        let path = OwnPath::new();
        let server = create_unix_server(&nursery, Scripted::new, &*path).cleanup_socket(false).await?;
        server.close();
        assert!(path.exists());
        Ok(())
    });
}

#[cfg(target_os = "linux")]
#[test]
fn an_abstract_name_needs_no_file() {
    use std::os::linux::net::SocketAddrExt;
    real(async |nursery| {
        let name = format!("foster-{}-abstract", std::process::id());
        let server = create_unix_server(&nursery, Scripted::echo, format!("\0{name}")).await?;
        assert_eq!(server.sockets()[0].getsockname()?, Address::Unix(format!("\0{name}")));
        let address = std::os::unix::net::SocketAddr::from_abstract_name(&name)?;
        let client = std::os::unix::net::UnixStream::connect_addr(&address)?;
        client.set_nonblocking(true)?;
        let mut client = UnixStream::from_std(client)?;
        client.write_all(b"x").await?;
        client.read_exact(&mut [0]).await?;
        let err = create_unix_server(&nursery, Scripted::new, format!("\0{name}")).await.expect_err("it is taken");
        assert_eq!(io_kind(&err), Some(ErrorKind::AddrInUse));
        drop(client);
        server.close();
        server.wait_closed().await;
        Ok(())
    });
}

#[test]
fn a_path_or_a_socket_is_given_and_not_both() {
    real(async |nursery| {
        let path = OwnPath::new();
        let err = create_unix_server(&nursery, Scripted::new, "").await.expect_err("neither");
        assert!(err.is::<ValueError>());
        assert_eq!(err.to_string(), "path was not specified, and no sock specified");

        let socket = UnixListener::bind(&*path)?;
        let err = create_unix_server(&nursery, Scripted::new, "x").sock(socket.try_clone()?).await.expect_err("both");
        assert!(err.is::<ValueError>());
        assert_eq!(err.to_string(), "path and sock can not be specified at the same time");

        let server = create_unix_server(&nursery, Scripted::echo, "").sock(socket).await?;
        assert_echoes(&*path).await?;
        server.close();
        assert!(path.exists(), "whoever has made the socket removes it");
        server.wait_closed().await;
        Ok(())
    });
}

#[test]
fn a_path_that_cannot_be_bound_is_an_error_that_names_it() {
    real(async |nursery| {
        for path in ["/no/such/folder/socket".to_owned(), format!("/tmp/{}", "x".repeat(200))] {
            let err = create_unix_server(&nursery, Scripted::new, &path).await.expect_err("it cannot be bound");
            assert!(err.to_string().contains(&path), "{err}");
        }
        let path = OwnPath::new();
        let err = create_unix_server(&nursery, Scripted::new, &*path).backlog(0).await.expect_err("no backlog");
        assert!(err.is::<ValueError>() && !path.exists(), "{err}");
        assert_eq!(nursery.n_children(), 0);
        Ok(())
    });
}
