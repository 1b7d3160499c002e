//! Descriptors: none leaks, and a process that runs out of them goes on serving later.
//!
//! They are counted for the whole process, so each test runs in a process of its own.

#![cfg(all(feature = "testing", unix))]

mod stage;

use std::cell::Cell;
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use foster_compat::testing::Trace;
use foster_compat::{
    Loop, Nursery, create_server, finally, move_on_after, open_nursery, sleep, sleep_forever, wait_readable,
    wait_writable,
};
use stage::{Reports, Scripted, address, bounded, turns, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[test]
fn a_thousand_live_connections_all_end_when_their_server_is_cancelled() {
    const N: usize = 1000;
    if !in_process_of_its_own("a_thousand_live_connections_all_end_when_their_server_is_cancelled", 4096) {
        return;
    }
    let trace = Trace::new();
    let (inner, live) = (trace.clone(), Rc::new(Cell::new(0)));
    bounded(false, async {
        let n_descriptors = count_descriptors();
        let counter = live.clone();
        open_nursery(async |nursery: Nursery| {
            let protocol = move || {
                let live = counter.clone();
                inner.wrap(Scripted::echo().on_made(move |transport| {
                    let live = Live::new(&live);
                    transport.start_soon(async move {
                        let _live = live;
                        finally(sleep_forever(), turns(2)).await;
                    });
                    Ok(())
                }))
            };
            let server = create_server(&nursery, protocol, "127.0.0.1", 0).backlog(1024).await?;
            let mut clients = Vec::new();
            for _ in 0..N {
                clients.push(TcpStream::connect(address(&server)).await?);
            }
            for client in &mut clients {
                client.write_all(b"x").await?;
                client.read_exact(&mut [0]).await?;
            }
            assert_eq!((server.n_connections(), live.get()), (N, N));
            nursery.cancel();
            Ok(())
        })
        .await?;
        assert_eq!(live.get(), 0, "every task has ended");
        assert_eq!(count_descriptors(), n_descriptors, "every socket is closed");
        Ok(())
    })
    .expect("the test ends in time");
    assert_eq!((trace.count("made"), trace.count("lost None")), (N, N));
    trace.assert_complete();
}

#[test]
fn out_of_descriptors_accepting_pauses_a_second_and_then_goes_on() {
    if !in_process_of_its_own("out_of_descriptors_accepting_pauses_a_second_and_then_goes_on", 64) {
        return;
    }
    bounded(false, async {
        open_nursery(async |nursery: Nursery| {
            let reports = Reports::of(&nursery);
            let trace = Trace::new();
            let inner = trace.clone();
            let server = create_server(&nursery, move || inner.wrap(Scripted::echo()), "127.0.0.1", 0).await?;
            let address = address(&server);
            let mut first = TcpStream::connect(address).await?;
            until(|| server.n_connections() == 1).await;
            // One descriptor is left: the second client's own.
            let mut hoard: Vec<_> = std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect();
            hoard.pop();
            let mut second = TcpStream::connect(address).await?;

            let started = tokio::time::Instant::now();
            let mut told = Vec::new();
            while told.len() < 2 {
                sleep(Duration::from_millis(10)).await;
                told.extend(reports.take());
                // Who is connected is served meanwhile.
                first.write_all(b"x").await?;
                first.read_exact(&mut [0]).await?;
            }
            assert!(started.elapsed() >= Duration::from_millis(990), "two reports within {:?}", started.elapsed());
            assert!(told.iter().all(|told| told.starts_with("socket.accept() out of system resource: ")), "{told:?}");
            assert_eq!(server.n_connections(), 1);

            hoard.clear();
            second.write_all(b"served").await?;
            let mut answer = [0; 6];
            second.read_exact(&mut answer).await?;
            assert_eq!(&answer, b"served");
            assert!(reports.take().len() <= 1);
            drop((first, second));
            server.close();
            server.wait_closed().await;
            trace.assert_complete();
            Ok(())
        })
        .await?;
        Ok(())
    })
    .expect("the test ends in time");
}

#[test]
fn a_client_that_connects_before_its_server_closes_reads_the_end_and_leaks_nothing() {
    if !in_process_of_its_own("a_client_that_connects_before_its_server_closes_reads_the_end_and_leaks_nothing", 1024) {
        return;
    }
    for (n_turns, is_told) in (0..8).flat_map(|n| [(n, true), (n, false)]) {
        let trace = Trace::new();
        let inner = trace.clone();
        bounded(false, async {
            let n_descriptors = count_descriptors();
            open_nursery(async |nursery: Nursery| {
                let server = create_server(&nursery, move || inner.wrap(Scripted::echo()), "127.0.0.1", 0).await?;
                // The loop is blocked meanwhile.
                let client = std::net::TcpStream::connect(address(&server))?;
                client.set_nonblocking(true)?;
                turns(n_turns).await;
                server.close();
                let mut client = TcpStream::from_std(client)?;
                if is_told {
                    server.close_clients();
                } else {
                    // Refused if its protocol was not made yet, else it lives on until it goes by itself.
                    let _ = client.shutdown().await;
                }
                match client.read(&mut [0; 10]).await {
                    Ok(n) => assert_eq!(n, 0),
                    Err(err) => assert_eq!(err.kind(), std::io::ErrorKind::ConnectionReset),
                }
                server.wait_closed().await;
                Ok(())
            })
            .await?;
            assert_eq!(count_descriptors(), n_descriptors, "after {n_turns} turns");
            Ok(())
        })
        .expect("the test ends in time");
        trace.assert_complete();
    }
}

#[test]
fn readers_writers_and_waits_that_come_and_go_leave_no_descriptor() {
    // Too few for a leak of any kind of them.
    if !in_process_of_its_own("readers_writers_and_waits_that_come_and_go_leave_no_descriptor", 64) {
        return;
    }
    bounded(false, async {
        let (ours, _theirs) = std::os::unix::net::UnixStream::pair()?;
        let n_descriptors = count_descriptors();
        open_nursery(async |nursery: Nursery| {
            let loop_ = Loop::new(&nursery);
            for n in 0..1000 {
                loop_.add_reader(&ours, || ())?;
                loop_.add_writer(&ours, || ())?;
                move_on_after(Duration::ZERO, wait_readable(&ours)).await;
                wait_writable(&ours).await?;
                if n % 2 == 0 {
                    loop_.remove_reader(&ours);
                }
            }
            Ok(())
        })
        .await?;
        assert_eq!(count_descriptors(), n_descriptors);
        Ok(())
    })
    .expect("the test ends in time");
}

/// Counts what is alive.
struct Live(Rc<Cell<usize>>);

impl Live {
    fn new(n: &Rc<Cell<usize>>) -> Self {
        n.set(n.get() + 1);
        Live(n.clone())
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

fn count_descriptors() -> usize {
    std::fs::read_dir("/dev/fd").map_or(0, Iterator::count)
}

/// Runs the test called `name` again in another process with that many descriptors; true inside it.
fn in_process_of_its_own(name: &str, n_descriptors: u32) -> bool {
    const INSIDE: &str = "FOSTER_TEST_PROCESS";
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let status = Command::new("sh")
        .args(["-c", r#"ulimit -n "$1" && exec "$2" --exact "$3" --nocapture"#, "sh"])
        .arg(n_descriptors.to_string())
        .arg(std::env::current_exe().expect("the test has a path"))
        .arg(name)
        .env(INSIDE, "1")
        .status()
        .expect("there is a shell");
    assert!(status.success(), "{name} failed in its process: {status}");
    false
}
