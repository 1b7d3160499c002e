//! `start_server` and `open_connection` over real sockets: who owns the task of a client, and how it ends.

#![cfg(feature = "testing")]

mod stage;

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::Duration;

use foster_compat::asyncio::CancelledError;
use foster_compat::{
    Error, Nursery, Result, Server, StreamReader, StreamWriter, ValueError, open_connection, open_nursery, sleep,
    sleep_forever, start_server, to_thread,
};
use stage::{Reports, address, bounded, real, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn connect(server: &Server) -> Result<TcpStream> {
    Ok(TcpStream::connect(address(server)).await?)
}

/// Reads to the end; says whether that was a reset.
async fn read_all(client: &mut TcpStream) -> Result<(Vec<u8>, bool)> {
    let mut data = Vec::new();
    match client.read_to_end(&mut data).await {
        Ok(_) => Ok((data, false)),
        Err(err) if err.kind() == io::ErrorKind::ConnectionReset => Ok((data, true)),
        Err(err) => Err(err.into()),
    }
}

fn reset(client: TcpStream) {
    socket2::SockRef::from(&client).set_linger(Some(Duration::ZERO)).expect("a socket can be reset");
}

/// Answers every line in capitals.
async fn shout(reader: StreamReader, writer: StreamWriter) -> Result<()> {
    let mut lines = reader.lines();
    while let Some(line) = lines.next().await {
        writer.write(line?.to_ascii_uppercase())?;
        writer.drain().await?;
    }
    writer.close();
    writer.wait_closed().await
}

#[test]
fn many_clients_are_served_at_once_with_streams_at_both_ends() {
    real(async |nursery| {
        let server = start_server(&nursery, shout, "127.0.0.1", 0).await?;
        let port = address(&server).port();
        open_nursery(async |clients: Nursery| {
            for n in 0..50 {
                let inside = clients.clone();
                clients.start_soon(async move {
                    let (reader, writer) = open_connection(&inside, "127.0.0.1", port).await?;
                    for round in 0..20 {
                        writer.write(format!("client {n} round {round}\n"))?;
                        writer.drain().await?;
                        assert_eq!(reader.readline().await?, format!("CLIENT {n} ROUND {round}\n").as_bytes());
                    }
                    writer.write(b"no end of line")?;
                    writer.write_eof()?;
                    assert_eq!(reader.read_to_end().await?, b"NO END OF LINE");
                    writer.close();
                    writer.wait_closed().await
                });
            }
            Ok(())
        })
        .await?;
        until(|| server.n_connections() == 0).await;
        server.close();
        Ok(())
    });
}

#[test]
fn a_handler_that_fails_or_panics_is_reported_and_its_connection_closed() {
    real(async |nursery| {
        let reports = Reports::of(&nursery);
        let server = start_server(
            &nursery,
            async |reader: StreamReader, writer: StreamWriter| -> Result<()> {
                match reader.readline().await?.as_slice() {
                    b"fail\n" => Err(Error::msg("boom")),
                    b"panic\n" => panic!("oh"),
                    b"cancelled\n" => Err(CancelledError.into()),
                    _ => writer.write(b"fine"),
                }
            },
            "127.0.0.1",
            0,
        )
        .await?;
        for (order, answer, report) in [
            ("fail\n", "", Some("Unhandled exception in client_connected_cb: boom")),
            ("panic\n", "", Some("Unhandled exception in client_connected_cb: panicked: oh")),
            ("cancelled\n", "", None),
            ("work\n", "fine", None),
        ] {
            let mut client = connect(&server).await?;
            client.write_all(order.as_bytes()).await?;
            assert_eq!(read_all(&mut client).await?, (answer.as_bytes().to_vec(), false), "{order}");
            assert_eq!(reports.take(), report.into_iter().collect::<Vec<_>>(), "{order}");
        }
        server.close();
        Ok(())
    });
}

#[test]
fn a_strict_server_ends_its_nursery_with_the_error_of_a_handler() {
    let ended = bounded(false, async {
        open_nursery(async |nursery: Nursery| {
            Reports::of(&nursery);
            let serve = async |_, _| Err::<(), _>(Error::msg("boom"));
            let server = start_server(&nursery, serve, "127.0.0.1", 0).strict(true).await?;
            let _client = connect(&server).await?;
            sleep_forever().await;
            Ok(())
        })
        .await?;
        Ok(())
    });
    assert!(format!("{:#}", ended.unwrap_err()).contains("boom"));
}

#[test]
fn a_handler_goes_on_after_the_peer_has_left_until_it_notices() {
    real(async |nursery| {
        let steps = Rc::new(RefCell::new(Vec::new()));
        let (said, has_left) = (steps.clone(), Rc::new(Cell::new(false)));
        let left = has_left.clone();
        let server = start_server(
            &nursery,
            async move |reader: StreamReader, writer: StreamWriter| {
                let order = reader.readline().await?;
                said.borrow_mut().push(format!("read {}", order.escape_ascii()));
                until(|| left.get() && reader.exception().is_some()).await;
                said.borrow_mut().push(format!("closing {}", writer.is_closing()));
                let read = reader.readline().await.unwrap_err();
                let drained = writer.drain().await.unwrap_err();
                said.borrow_mut().push(format!("same error {}", read.ptr_eq(&drained)));
                Ok(())
            },
            "127.0.0.1",
            0,
        )
        .await?;
        let mut client = connect(&server).await?;
        client.write_all(b"order\n").await?;
        until(|| !steps.borrow().is_empty()).await;
        reset(client);
        has_left.set(true);
        until(|| steps.borrow().len() == 3).await;
        assert_eq!(*steps.borrow(), ["read order\\n", "closing true", "same error true"]);
        server.close();
        Ok(())
    });
}

#[test]
fn a_handler_may_be_cancelled_when_its_connection_is_lost() {
    real(async |nursery| {
        let steps = Rc::new(RefCell::new(Vec::new()));
        let said = steps.clone();
        let server = start_server(
            &nursery,
            async move |_reader: StreamReader, _writer: StreamWriter| {
                let _dropped = AtDrop(said.clone());
                said.borrow_mut().push("works");
                sleep_forever().await;
            },
            "127.0.0.1",
            0,
        )
        .cancel_on_lost(true)
        .await?;
        let client = connect(&server).await?;
        until(|| !steps.borrow().is_empty()).await;
        reset(client);
        until(|| steps.borrow().len() == 2).await;
        assert_eq!(*steps.borrow(), ["works", "dropped"]);
        server.close();
        Ok(())
    });
}

struct AtDrop(Rc<RefCell<Vec<&'static str>>>);

impl Drop for AtDrop {
    fn drop(&mut self) {
        self.0.borrow_mut().push("dropped");
    }
}

#[test]
fn cancelling_the_nursery_cancels_the_handlers_wherever_they_wait() {
    real(async |_| {
        let steps = Rc::new(RefCell::new(Vec::new()));
        let said = steps.clone();
        let mut clients = Vec::new();
        open_nursery(async |inner: Nursery| {
            let server = start_server(
                &inner,
                async move |reader: StreamReader, writer: StreamWriter| -> Result<()> {
                    let _dropped = AtDrop(said.clone());
                    let order = reader.readexactly(1).await?;
                    said.borrow_mut().push("waits");
                    match order[0] {
                        b'r' => drop(reader.readline().await?),
                        b'e' => drop(reader.readexactly(1_000_000).await?),
                        b'a' => drop(reader.read_to_end().await?),
                        b'd' => loop {
                            writer.write(vec![0; 100_000])?;
                            writer.drain().await?;
                        },
                        _ => writer.wait_closed().await?,
                    }
                    said.borrow_mut().push("went on");
                    Ok(())
                },
                "127.0.0.1",
                0,
            )
            .await?;
            for order in b"readw" {
                let mut client = connect(&server).await?;
                client.write_all(&[*order]).await?;
                clients.push(client);
            }
            until(|| steps.borrow().len() == clients.len()).await;
            inner.cancel();
            Ok(())
        })
        .await?;
        assert_eq!(steps.borrow().iter().filter(|step| **step == "dropped").count(), 5);
        assert!(!steps.borrow().contains(&"went on"));
        for mut client in clients {
            read_all(&mut client).await?;
        }
        Ok(())
    });
}

#[test]
fn a_connection_whose_writer_is_kept_outlives_its_handler() {
    real(async |nursery| {
        let kept = Rc::new(RefCell::new(None));
        let keep = kept.clone();
        let server = start_server(
            &nursery,
            async move |_reader: StreamReader, writer: StreamWriter| {
                keep.replace(Some(writer));
            },
            "127.0.0.1",
            0,
        )
        .await?;
        let mut client = connect(&server).await?;
        until(|| kept.borrow().is_some()).await;
        sleep(Duration::from_millis(20)).await;
        let writer = kept.take().expect("the writer was kept");
        assert!(!writer.is_closing());
        writer.write(b"later")?;
        drop(writer);
        assert_eq!(read_all(&mut client).await?, (b"later".to_vec(), false));
        server.close();
        Ok(())
    });
}

#[test]
fn a_reset_is_noticed_by_whatever_the_handler_waits_for() {
    real(async |nursery| {
        let outcomes = Rc::new(RefCell::new(Vec::new()));
        let said = outcomes.clone();
        let server = start_server(
            &nursery,
            async move |reader: StreamReader, writer: StreamWriter| {
                let order = reader.readexactly(1).await?;
                let outcome = match order[0] {
                    b'r' => reader.readline().await.map(drop),
                    b'e' => reader.readexactly(10).await.map(drop),
                    b'a' => reader.read_to_end().await.map(drop),
                    b'l' => reader.lines().next().await.transpose().map(drop),
                    b'd' => loop {
                        writer.write(vec![0; 100_000])?;
                        if let Err(err) = writer.drain().await {
                            break Err(err);
                        }
                    },
                    _ => writer.wait_closed().await,
                };
                let err = outcome.unwrap_err();
                said.borrow_mut().push((order[0] as char, err.is_os_error()));
                Ok(())
            },
            "127.0.0.1",
            0,
        )
        .await?;
        for order in b"realdw" {
            let mut client = connect(&server).await?;
            client.write_all(&[*order]).await?;
            sleep(Duration::from_millis(20)).await;
            reset(client);
            until(|| outcomes.borrow().iter().any(|(done, _)| *done == *order as char)).await;
        }
        assert!(outcomes.borrow().iter().all(|(_, is_os_error)| *is_os_error), "{outcomes:?}");
        server.close();
        Ok(())
    });
}

#[test]
fn each_side_may_stop_sending_and_go_on_reading() {
    real(async |nursery| {
        let server = start_server(
            &nursery,
            async |reader: StreamReader, writer: StreamWriter| -> Result<()> {
                writer.write(b"banner")?;
                writer.write_eof()?;
                assert_eq!(reader.read_to_end().await?, b"all of it");
                assert!(reader.at_eof());
                Ok(())
            },
            "127.0.0.1",
            0,
        )
        .await?;
        let (reader, writer) = open_connection(&nursery, "127.0.0.1", address(&server).port()).await?;
        assert_eq!(reader.read_to_end().await?, b"banner");
        assert!(!writer.is_closing());
        writer.write(b"all ")?;
        sleep(Duration::from_millis(5)).await;
        writer.write(b"of it")?;
        writer.write_eof()?;
        until(|| server.n_connections() == 0).await;
        writer.close();
        server.close();
        Ok(())
    });
}

#[test]
fn a_sender_that_is_faster_than_the_reader_is_held_back_in_bounded_memory() {
    const TOTAL: usize = 20_000_000;
    real(async |nursery| {
        let n_read = Rc::new(Cell::new(0));
        let counts = n_read.clone();
        let is_open = Rc::new(Cell::new(false));
        let gate = is_open.clone();
        let server = start_server(
            &nursery,
            async move |reader: StreamReader, _writer: StreamWriter| -> Result<()> {
                until(|| gate.get()).await;
                while let data = reader.read(10_000).await?
                    && !data.is_empty()
                {
                    counts.set(counts.get() + data.len());
                }
                Ok(())
            },
            "127.0.0.1",
            0,
        )
        .limit(4096)
        .await?;
        let (_reader, writer) = open_connection(&nursery, "127.0.0.1", address(&server).port()).await?;
        let sends = writer.clone();
        let n_sent = Rc::new(Cell::new(0));
        let sent = n_sent.clone();
        nursery.start_soon(async move {
            while sent.get() < TOTAL {
                sends.write(vec![b'x'; 100_000])?;
                sends.drain().await?;
                assert!(sends.transport().get_write_buffer_size() <= 64 * 1024);
                sent.set(sent.get() + 100_000);
            }
            sends.write_eof()
        });
        let mut last = 0;
        while n_sent.get() == 0 || n_sent.get() > last {
            last = n_sent.get();
            sleep(Duration::from_millis(200)).await;
        }
        assert!(n_sent.get() < TOTAL, "the sender stands still before the reader begins");
        is_open.set(true);
        until(|| n_read.get() == TOTAL).await;
        writer.close();
        server.close();
        Ok(())
    });
}

#[test]
fn limits_that_make_no_sense_are_refused_before_anything_is_opened() {
    real(async |nursery| {
        let err = start_server(&nursery, shout, "127.0.0.1", 0).limit(0).await.unwrap_err();
        assert!(err.is::<ValueError>());
        let err = open_connection(&nursery, "127.0.0.1", 9).limit(0).await.unwrap_err();
        assert!(err.is::<ValueError>());
        let err = open_connection(&nursery, "", 0).await.unwrap_err();
        assert_eq!(err.to_string(), "host and port was not specified and no sock specified");
        Ok(())
    });
}

#[test]
fn the_options_of_the_server_below_are_there() {
    real(async |nursery| {
        let server = start_server(&nursery, shout, "127.0.0.1", 0)
            .limit(4)
            .backlog(7)
            .max_connections(1)
            .write_buffer_limits(Some(1000), None)
            .start_serving(false)
            .await?;
        assert!(!server.is_serving());
        server.start_serving()?;
        let (reader, writer) = open_connection(&nursery, "127.0.0.1", address(&server).port())
            .write_buffer_limits(Some(2000), Some(1000))
            .await?;
        assert_eq!(writer.transport().get_write_buffer_limits(), (1000, 2000));
        writer.write(b"abc\n")?;
        assert_eq!(reader.readline().await?, b"ABC\n");
        let reports = Reports::of(&nursery);
        writer.write(b"too long\n")?;
        assert_eq!(reader.read_to_end().await?, b"");
        let line = "Unhandled exception in client_connected_cb: Separator is found, but chunk is longer than limit";
        assert_eq!(reports.take(), [line]);
        server.close();
        Ok(())
    });
}

#[cfg(unix)]
#[test]
fn unix_sockets_have_streams_too() {
    use foster_compat::{open_unix_connection, start_unix_server};
    real(async |nursery| {
        let path = std::env::temp_dir().join(format!("foster-streams-{}", std::process::id()));
        let server = start_unix_server(&nursery, shout, &path).limit(100).await?;
        let (reader, writer) = open_unix_connection(&nursery, &path).limit(100).await?;
        writer.write(b"hello\n")?;
        assert_eq!(reader.readline().await?, b"HELLO\n");
        drop((reader, writer));
        until(|| server.n_connections() == 0).await;
        server.close();
        assert!(open_unix_connection(&nursery, &path).limit(0).await.unwrap_err().is::<ValueError>());
        assert!(open_unix_connection(&nursery, &path).await.is_err());
        Ok(())
    });
}

/// asyncio's own streams at the other end.
const PYTHON_CLIENT: &str = r#"
import asyncio, sys

async def main(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for n in range(1000):
        writer.write(b"line %d\n" % n)
    await writer.drain()
    for n in range(1000):
        assert await reader.readline() == b"LINE %d\n" % n
    writer.write(b"x" * 3_000_000 + b"\n")
    writer.write_eof()
    assert await reader.readexactly(3_000_001) == b"X" * 3_000_000 + b"\n"
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
    print("python is content")

asyncio.run(main(int(sys.argv[1])))
"#;

#[test]
fn asyncios_own_client_is_served() {
    real(async |nursery| {
        let server = start_server(&nursery, shout, "127.0.0.1", 0).limit(4_000_000).await?;
        let port = address(&server).port().to_string();
        let python = move || std::process::Command::new("python3").args(["-c", PYTHON_CLIENT, &port]).output();
        let output = to_thread::run_sync(python).await?;
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "python is content", "{told}");
        server.close();
        Ok(())
    });
}
