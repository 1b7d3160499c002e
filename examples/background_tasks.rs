//! A protocol that is given a loop and starts background tasks on it: the third program of trio-protocol's README.
//!
//! ```text
//! cargo run --example background_tasks -- [--host HOST] [--port PORT]
//! nc localhost 8888
//! ```

#[cfg(test)]
mod child;
mod options;

use std::time::Duration;

use foster::asyncio::Task;
use foster::{
    Error, Loop, Nursery, NurseryError, Protocol, Result, Server, TransportRef, create_server, open_nursery, run, sleep,
};
use options::{Options, announce};

/// How long the work on a piece of text takes.
const WORK: Duration = Duration::from_secs(1);

/// How many pieces of one client are worked on at a time; a client that sends more waits.
const MAX_TASKS: usize = 8;

/// Gives each piece of text back in capitals, after some work that hinders nobody meanwhile.
struct MyProtocol {
    loop_: Loop,
    work: Duration,
    transport: TransportRef,
    tasks: Vec<Task<()>>,
}

impl MyProtocol {
    fn new(loop_: Loop, work: Duration) -> Self {
        MyProtocol { loop_, work, transport: TransportRef::default(), tasks: Vec::new() }
    }
}

impl Protocol for MyProtocol {
    fn connection_made(&mut self, transport: TransportRef) -> Result<()> {
        self.transport = transport;
        Ok(())
    }

    fn data_received(&mut self, data: &[u8]) -> Result<()> {
        self.tasks.retain(|task| !task.done());
        let shout = shout(self.transport.clone(), data.to_ascii_uppercase(), self.work);
        self.tasks.push(self.loop_.create_task(shout));
        if self.tasks.len() >= MAX_TASKS {
            self.transport.pause_reading();
        }
        Ok(())
    }

    /// The tasks live in the loop's nursery and would go on; `transport.start_soon` starts some that end with the
    /// connection by themselves.
    fn connection_lost(&mut self, _exc: Option<Error>) -> Result<()> {
        for task in &self.tasks {
            task.cancel();
        }
        Ok(())
    }
}

async fn shout(transport: TransportRef, text: Vec<u8>, work: Duration) -> Result<()> {
    sleep(work).await;
    transport.write(&text)?;
    transport.drained().await?;
    transport.resume_reading();
    Ok(())
}

/// Starts the server in `nursery`, where its tasks live too.
async fn app(nursery: &Nursery, options: Options, work: Duration) -> Result<Server> {
    let loop_ = Loop::new(nursery);
    let protocol_factory = move || MyProtocol::new(loop_.clone(), work);
    create_server(nursery, protocol_factory, options.host, options.port).await
}

async fn run_server(options: Options) -> Result<Option<()>, NurseryError> {
    open_nursery(async |nursery| announce(&app(&nursery, options, WORK).await?)).await
}

fn main() -> Result<()> {
    run(run_server(Options::from_args("background_tasks", 8888)))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use foster::{checkpoint, run_here};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::child::Child;
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn two_clients_are_worked_for_at_the_same_time() {
        with_server(WORK, async |nursery, server| {
            let (mut one, mut two) = (connect(server).await?, connect(server).await?);
            one.write_all(b"one").await?;
            two.write_all(b"two").await?;
            let mut answers = [[0; 3]; 2];
            one.read_exact(&mut answers[0]).await?;
            two.read_exact(&mut answers[1]).await?;
            assert_eq!(answers, [*b"ONE", *b"TWO"]);
            assert_eq!(nursery.n_children(), 3, "the server and two connections are left, and no task");
            Ok(())
        })
        .await;
    }

    #[tokio::test]
    async fn a_client_that_goes_away_takes_its_tasks_with_it() {
        with_server(Duration::MAX, async |nursery, server| {
            let (mut goes, mut stays) = (connect(server).await?, connect(server).await?);
            goes.write_all(b"never done").await?;
            stays.write_all(b"nor this").await?;
            until(|| nursery.n_children() == 5).await;
            drop(goes);
            until(|| nursery.n_children() == 3).await;
            assert_eq!(server.n_connections(), 1);
            Ok(())
        })
        .await;
    }

    #[tokio::test]
    async fn a_client_that_sends_too_much_waits() {
        with_server(Duration::MAX, async |nursery, server| {
            let mut client = connect(server).await?;
            for n_tasks in 1..=MAX_TASKS {
                client.write_all(b"more").await?;
                until(|| nursery.n_children() == 2 + n_tasks).await;
            }
            client.write_all(b"too much").await?;
            for _ in 0..100 {
                checkpoint().await;
            }
            assert_eq!(nursery.n_children(), 2 + MAX_TASKS);
            Ok(())
        })
        .await;
    }

    #[test]
    fn ctrl_c_stops_it_at_once_in_the_middle_of_work() {
        let server = Child::serve("background_tasks");
        let mut client = server.connect();
        client.write_all(b"work").expect("the server reads");
        let ended = server.interrupt(&[&client]);
        assert_eq!((ended.code, &*ended.stderr), (Some(130), &["Error: interrupted by SIGINT".to_owned()][..]));
    }

    /// Runs the app and a client in one nursery, which ends with the client.
    async fn with_server(work: Duration, client: impl AsyncFnOnce(&Nursery, &Server) -> Result<()>) {
        let test = open_nursery(async |nursery| {
            let options = Options { host: "127.0.0.1".to_owned(), port: 0 };
            let server = app(&nursery, options, work).await?;
            client(&nursery, &server).await?;
            nursery.cancel();
            Ok(())
        });
        run_here(test).await.expect("neither side fails");
    }

    async fn connect(server: &Server) -> Result<TcpStream> {
        let address = server.sockets()[0].getsockname()?;
        Ok(TcpStream::connect(address.to_string()).await?)
    }

    /// Waits for something that other tasks bring about.
    async fn until(is_so: impl Fn() -> bool) {
        const MAX_TURNS: usize = 5_000_000;
        for _ in 0..MAX_TURNS {
            if is_so() {
                return;
            }
            checkpoint().await;
        }
        panic!("it did not become so in {MAX_TURNS} turns of the loop");
    }
}
