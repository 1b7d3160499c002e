//! Receivers behind every way to serve, over sockets.

#![cfg(feature = "testing")]

mod stage;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use foster_compat::framing::{
    Int16StringProtocol, Int16StringReceiver, LineBase, LineOnlyBase, LineOnlyProtocol, LineOnlyReceiver, LineProtocol,
    LineReceiver, StringBase,
};
use foster_compat::{Result, TaskStatus, TransportRef, create_server, run_server, sleep};
use stage::{address, real, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A body behind its length, answered with both.
#[derive(Default)]
struct Bodies {
    n_missing: usize,
    body: Vec<u8>,
}

impl LineReceiver for Bodies {
    fn connection_made(&mut self, base: &LineBase) -> Result<()> {
        base.send_line(b"hello")
    }

    fn line_received(&mut self, base: &LineBase, line: &[u8]) -> Result<()> {
        self.n_missing = std::str::from_utf8(line)?.parse()?;
        base.set_raw_mode();
        Ok(())
    }

    fn raw_data_received(&mut self, base: &LineBase, data: &[u8]) -> Result<()> {
        let (body, rest) = data.split_at(data.len().min(self.n_missing));
        self.body.extend(body);
        self.n_missing -= body.len();
        if self.n_missing == 0 {
            base.send_line(self.body.len().to_string().as_bytes())?;
            base.transport.write(&std::mem::take(&mut self.body))?;
            base.set_line_mode(rest);
        }
        Ok(())
    }
}

#[test]
fn a_server_of_lines_and_raw_data_answers_over_a_socket() {
    real(async |nursery| {
        let server = create_server(&nursery, LineProtocol::<Bodies>::default, "127.0.0.1", 0).await?;
        let mut client = TcpStream::connect(address(&server)).await?;
        let body = vec![b'x'; 1_000_000];
        let sent = [b"1000000\r\n", &body[..], b"3\r\nabc"].concat();
        let expected = [b"hello\r\n1000000\r\n", &body[..], b"3\r\nabc"].concat();
        let (mut reading, mut writing) = client.split();
        let (received, written) = tokio::join!(
            async {
                let mut received = vec![0; expected.len()];
                reading.read_exact(&mut received).await.map(|_| received)
            },
            writing.write_all(&sent)
        );
        written?;
        assert!(received? == expected, "the answer is another one");
        server.close();
        Ok(())
    });
}

/// Sends lines back, and shows the test its transport.
struct Echo(Rc<RefCell<TransportRef>>);

impl LineOnlyReceiver for Echo {
    fn connection_made(&mut self, base: &LineOnlyBase) -> Result<()> {
        self.0.replace(base.transport.clone());
        Ok(())
    }

    fn line_received(&mut self, base: &LineOnlyBase, line: &[u8]) -> Result<()> {
        base.send_line(line)
    }
}

#[test]
fn a_client_that_never_reads_is_read_no_further_and_served_when_it_does() {
    /// More than all buffers between the two hold.
    const MOST: usize = 256 * 1024 * 1024;
    real(async |nursery| {
        let transport: Rc<RefCell<TransportRef>> = Rc::default();
        let shown = transport.clone();
        let factory = move || LineOnlyProtocol::new(Echo(shown.clone()));
        let server = create_server(&nursery, factory, "127.0.0.1", 0).await?;
        let client = TcpStream::connect(address(&server)).await?;
        until(|| !transport.borrow().is_closing()).await;
        let transport = transport.take();
        let line = [&[b'x'; 1000][..], b"\r\n"].concat();
        let lines = line.repeat(100);
        let mut n_sent = 0;
        loop {
            match client.try_write(&lines[n_sent % line.len()..]) {
                Ok(n) => n_sent += n,
                Err(err) if err.kind() == std::io::ErrorKind::WouldBlock && !transport.is_reading() => break,
                Err(err) if err.kind() == std::io::ErrorKind::WouldBlock => sleep(Duration::from_millis(1)).await,
                Err(err) => return Err(err.into()),
            }
            assert!(n_sent < MOST, "the server reads on and on");
        }
        assert!(transport.get_write_buffer_size() <= 64 * 1024 + line.len());
        let rest = line[n_sent % line.len()..].to_vec();
        let n_expected = n_sent + rest.len();
        let (mut reading, mut writing) = client.into_split();
        nursery.start_soon(async move {
            writing.write_all(&rest).await?;
            writing.shutdown().await?;
            foster_compat::Ok(())
        });
        let mut n_received = 0;
        let mut room = vec![0; 64 * 1024];
        loop {
            match reading.read(&mut room).await? {
                0 => break,
                n => n_received += n,
            }
        }
        assert_eq!(n_received, n_expected);
        server.close();
        Ok(())
    });
}

/// Sends strings back.
#[derive(Default)]
struct Strings;

impl Int16StringReceiver for Strings {
    fn string_received(&mut self, base: &StringBase, string: &[u8]) -> Result<()> {
        base.send_string(string)
    }
}

#[test]
fn receivers_are_served_by_run_server_and_on_unix_sockets() {
    real(async |nursery| {
        let server = nursery
            .start(async |task_status: TaskStatus<_>| {
                run_server(Int16StringProtocol::<Strings>::default, "127.0.0.1", 0)
                    .on_serving(|server| task_status.started(server))
                    .await
            })
            .await?;
        assert_echoes(TcpStream::connect(address(&server)).await?).await?;
        server.close();

        #[cfg(unix)]
        {
            let path = std::env::temp_dir().join(format!("foster-framing-{}", std::process::id()));
            let factory = || Int16StringProtocol::new(Strings);
            let server = foster_compat::create_unix_server(&nursery, factory, &*path).await?;
            assert_echoes(tokio::net::UnixStream::connect(&path).await?).await?;
            server.close();
        }
        Ok(())
    });
}

async fn assert_echoes(mut client: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin) -> Result<()> {
    const SENT: &[u8] = b"\0\x05hello\0\0\0\x03end";
    client.write_all(SENT).await?;
    let mut answer = vec![0; SENT.len()];
    client.read_exact(&mut answer).await?;
    assert_eq!(answer, SENT);
    Ok(())
}
