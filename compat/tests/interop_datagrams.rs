//! Datagrams with others at the other end: netcat, Python's `socket` and `asyncio`.

#![cfg(all(feature = "testing", unix))]

mod datagrams;
mod interop;
mod journal;
mod stage;

use datagrams::{Script, own_address};
use foster_compat::create_datagram_endpoint;
use interop::{Folder, Peer, program};
use journal::Journal;
use stage::{real, until};

#[test]
fn a_client_of_asyncio_is_answered() {
    let Some(python) = program("python3") else { return };
    let journal = Journal::default();
    real(async |nursery| {
        let script = Script::echo(&journal);
        let (server, ()) = create_datagram_endpoint(&nursery, || script).local_addr("127.0.0.1", 0).await?;
        let script = r#"
import asyncio

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

asyncio.run(main())
"#;
        Peer::python(&python, script, &[&own_address(&server).port().to_string()]).succeeds().await;
        server.close();
        Ok(())
    });
}

#[test]
fn a_server_of_asyncio_answers() {
    let Some(python) = program("python3") else { return };
    let journal = Journal::default();
    real(async |nursery| {
        let script = r#"
import asyncio

class Server(asyncio.DatagramProtocol):
    def connection_made(self, transport):
        self.transport = transport
        say("listening", transport.get_extra_info("sockname")[1])

    def datagram_received(self, data, addr):
        self.transport.sendto(data.upper(), addr)

async def main():
    await asyncio.get_running_loop().create_datagram_endpoint(Server, local_addr=("127.0.0.1", 0))
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

asyncio.run(main())
"#;
        let mut server = Peer::python(&python, script, &[]);
        let port = server.port("listening ").await;
        let script = Script::new(&journal);
        let (client, ()) = create_datagram_endpoint(&nursery, || script).remote_addr("127.0.0.1", port).await?;
        client.sendto(b"hi", None)?;
        until(|| journal.peek().contains("HI")).await;
        client.close();
        client.closed().await;
        server.close_stdin();
        server.succeeds().await;
        assert_eq!(journal.said(), "made 'HI' lost");
        Ok(())
    });
}

#[test]
fn datagrams_of_python_keep_their_size_down_to_nothing_and_their_senders_apart() {
    let Some(python) = program("python3") else { return };
    let journal = Journal::default();
    real(async |nursery| {
        let script = Script::new(&journal).on_datagram(|transport, data, addr| {
            transport.sendto(format!("{} from {}", data.len(), addr.port().unwrap_or(0)).as_bytes(), Some(addr))
        });
        let (server, ()) = create_datagram_endpoint(&nursery, || script).local_addr("127.0.0.1", 0).await?;
        let script = r#"
socks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(3)]
for size in 0, 1, 1500, 65_507:
    for sock in socks:
        sock.sendto(bytes(size), ("127.0.0.1", int(sys.argv[1])))
        data, sender = sock.recvfrom(100)
        assert data == b"%d from %d" % (size, sock.getsockname()[1]), data
        assert sender == ("127.0.0.1", int(sys.argv[1]))
"#;
        Peer::python(&python, script, &[&own_address(&server).port().to_string()]).succeeds().await;
        server.close();
        Ok(())
    });
}

#[test]
fn datagrams_go_over_unix_sockets_to_python_and_back() {
    let Some(python) = program("python3") else { return };
    let journal = Journal::default();
    real(async |nursery| {
        let folder = Folder::new();
        let (ours, theirs) = (folder.path("ours"), folder.path("theirs"));
        let script = Script::echo(&journal);
        let (server, ()) = create_datagram_endpoint(&nursery, || script).local_path(&ours).await?;
        let script = r#"
sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
sock.bind(sys.argv[2])
for n in range(100):
    sock.sendto(b"%d" % n, sys.argv[1])
    assert sock.recvfrom(100) == (b"%d" % n, sys.argv[1])
"#;
        Peer::python(&python, script, &[&ours, &theirs]).succeeds().await;
        server.close();
        Ok(())
    });
}

#[test]
fn netcat_sends_datagrams_and_gets_them_back() {
    let Some(nc) = program("nc") else { return };
    let journal = Journal::default();
    real(async |nursery| {
        let script = Script::echo(&journal);
        let (server, ()) = create_datagram_endpoint(&nursery, || script).local_addr("127.0.0.1", 0).await?;
        let mut client = Peer::start(&nc, &[&"-u", &"127.0.0.1", &own_address(&server).port().to_string()]);
        for word in ["one\n", "two\n"] {
            client.send(word).await;
            client.says(word).await;
        }
        client.kill();
        server.close();
        Ok(())
    });
}
