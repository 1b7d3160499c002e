//! Python at the other end: asyncio's own client of a Foster server, and the other way round.

#![cfg(all(feature = "testing", unix))]

mod datagrams;
mod journal;
mod stage;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use datagrams::{Script, own_address};
use foster_compat::{create_datagram_endpoint, to_thread};
use journal::Journal;
use stage::{real, until};

const CLIENT: &str = r#"
import asyncio, sys

class Client(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport, self.received = transport, []
        transport.sendto(b"0")

    def datagram_received(self, data, addr):
        self.received.append(data)
        if len(self.received) == 100:
            self.transport.close()
        else:
            self.transport.sendto(b"%d" % len(self.received))

    def connection_lost(self, exc):
        self.lost.set_result(exc)

async def main():
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(Client, remote_addr=("127.0.0.1", int(sys.argv[1])))
    protocol.lost = loop.create_future()
    assert await protocol.lost is None
    assert protocol.received == [b"%d" % n for n in range(100)], protocol.received
    print("well")

asyncio.run(main())
"#;

const SERVER: &str = r#"
import asyncio, sys

class Server(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport
        print(transport.get_extra_info("sockname")[1], flush=True)

    def datagram_received(self, data, addr):
        self.transport.sendto(data.upper(), addr)

async def main():
    await asyncio.get_running_loop().create_datagram_endpoint(Server, local_addr=("127.0.0.1", 0))
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

asyncio.run(main())
"#;

#[test]
fn a_client_of_asyncio_is_answered() {
    let journal = Journal::default();
    real(async |nursery| {
        let script = Script::echo(&journal);
        let (server, ()) = create_datagram_endpoint(&nursery, || script).local_addr("127.0.0.1", 0).await?;
        let port = own_address(&server).port().to_string();
        if let Some(python) = start(CLIENT, &[&port]) {
            let output = to_thread::run_sync(move || python.wait_with_output()).await?;
            assert_eq!(String::from_utf8_lossy(&output.stdout), "well\n");
        }
        server.close();
        Ok(())
    });
}

#[test]
fn a_server_of_asyncio_answers() {
    let journal = Journal::default();
    real(async |nursery| {
        let Some(mut python) = start(SERVER, &[]) else { return Ok(()) };
        let mut line = String::new();
        BufReader::new(python.stdout.take().expect("the output is a pipe")).read_line(&mut line)?;
        let script = Script::new(&journal);
        let (client, ()) =
            create_datagram_endpoint(&nursery, || script).remote_addr("127.0.0.1", line.trim().parse()?).await?;
        client.sendto(b"hi", None)?;
        until(|| journal.peek().contains("HI")).await;
        client.close();
        drop(python.stdin.take());
        assert!(python.wait()?.success());
        assert_eq!(journal.said(), "made 'HI'");
        Ok(())
    });
}

/// Starts a program of Python's; `None` where there is no Python.
fn start(program: &str, arguments: &[&str]) -> Option<Child> {
    let mut command = Command::new("python3");
    command.arg("-c").arg(program).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()
}
