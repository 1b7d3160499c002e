use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::process::{self, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use foster::{LoopThread, run_in_thread, sleep_forever};

use super::child::{self, Child, PATIENCE, receive, receive_all};
use super::clients::client;
use super::*;

const HELLO: &[u8] = &[5, 1, 0];
const CHOSEN: &[u8] = &[5, 0];

// ---- real clients

#[test]
fn curl_fetches_through_it_by_name_and_by_address() {
    let Some(web) = WebServer::start("127.0.0.1") else { return };
    let proxy = Child::serve("socks5");
    for (option, host) in [
        ("--socks5-hostname", "localhost"),
        ("--socks5-hostname", "127.0.0.1"),
        ("--socks5", "localhost"),
        ("--socks5", "127.0.0.1"),
    ] {
        let Some(fetched) = curl(&[option, &proxy.address.to_string(), &web.url(host)]) else { return };
        assert_eq!(fetched, Fetched { code: 0, body: CONTENT.to_owned() }, "{option} {host}");
    }
}

#[test]
fn curl_fetches_through_it_over_ipv6() {
    if TcpListener::bind("[::1]:0").is_err() {
        return eprintln!("left out: this machine has no IPv6");
    }
    let Some(web) = WebServer::start("::1") else { return };
    let proxy = Child::serve_with("socks5", &["--host", "::1"]);
    for option in ["--socks5-hostname", "--socks5"] {
        let Some(fetched) = curl(&[option, &proxy.address.to_string(), &web.url("[::1]")]) else { return };
        assert_eq!(fetched, Fetched { code: 0, body: CONTENT.to_owned() }, "{option}");
    }
}

#[test]
fn curl_is_told_that_a_connection_was_refused() {
    let proxy = Child::serve("socks5");
    let address = proxy.address.to_string();
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("http://{host}:{}/", nobody().port());
        let Some(fetched) = curl(&["--socks5-hostname", &address, &url]) else { return };
        // CURLE_PROXY, and the reply is in its words.
        assert_eq!(fetched.code, 97, "{host}");
    }
}

// ---- the conversation

#[test]
fn a_request_may_be_cut_anywhere_and_what_follows_it_is_carried_over() {
    let proxy = OpenProxy::new(LIMITS);
    let target = Target::listen();
    let whole = [HELLO, &request_to(target.address), b"early"].concat();
    for at in 0..=whole.len() {
        let client = proxy.connect();
        let (head, tail) = whole.split_at(at);
        send(&client, head);
        if at >= HELLO.len() {
            assert_eq!(receive(&client, 2), CHOSEN);
        }
        send(&client, tail);
        let goal = target.accept();
        if at < HELLO.len() {
            assert_eq!(receive(&client, 2), CHOSEN);
        }
        assert_eq!(receive(&client, 10), succeeded_from(&goal), "cut at {at}");
        assert_eq!(receive(&goal, 5), b"early", "cut at {at}");
        send(&goal, b"answer");
        assert_eq!(receive(&client, 6), b"answer");
    }
}

#[test]
fn a_request_may_come_byte_by_byte() {
    let proxy = OpenProxy::new(LIMITS);
    let target = Target::listen();
    let client = proxy.connect();
    for byte in [&[5, 3, 2, 1, 0], &request_to(target.address)[..]].concat() {
        send(&client, &[byte]);
    }
    let goal = target.accept();
    assert_eq!(receive(&client, 2), CHOSEN);
    assert_eq!(receive(&client, 10), succeeded_from(&goal));
}

#[test]
fn what_cannot_be_done_is_said_and_then_the_connection_ends() {
    let no_one = nobody();
    let reply = |code| [&[5, 0, 5, code, 0, 1][..], &[0; 6]].concat();
    let name = |name: &[u8]| [&[5, 1, 0, 3, name.len() as u8][..], name, &[0, 80]].concat();
    let proxy = OpenProxy::new(LIMITS);
    for (what, sent, answer) in [
        ("no method", [5, 0].to_vec(), vec![5, 0xff]),
        ("another method", [5, 1, 2].to_vec(), vec![5, 0xff]),
        ("SOCKS 4", b"\x04\x01\0\x50\x7f\0\0\x01\0".to_vec(), vec![]),
        ("HTTP", b"GET / HTTP/1.0\r\n\r\n".to_vec(), vec![]),
        ("another version of the request", [HELLO, &[4, 1, 0, 1]].concat(), CHOSEN.to_vec()),
        ("BIND", [HELLO, &[5, 2, 0, 1, 127, 0, 0, 1, 0, 80]].concat(), reply(7)),
        ("UDP ASSOCIATE", [HELLO, &[5, 3]].concat(), reply(7)),
        ("an unknown address type", [HELLO, &[5, 1, 0, 2]].concat(), reply(8)),
        ("a port that nobody listens on", [HELLO, &request_to(no_one)].concat(), reply(5)),
        ("a name without an address", [HELLO, &name(b"a..b")].concat(), reply(4)),
        ("an empty name", [HELLO, &name(b"")].concat(), reply(4)),
        ("a name that is no text", [HELLO, &name(b"\xff")].concat(), reply(4)),
        ("a name with a null", [HELLO, &name(b"local\0host")].concat(), reply(4)),
    ] {
        let client = proxy.connect();
        // What comes behind it must not cost the client the answer.
        send(&client, &[&sent[..], &[0; 1_000_000]].concat());
        client.shutdown(Shutdown::Write).expect("the socket is connected");
        let mut got = Vec::new();
        (&client).read_to_end(&mut got).unwrap_or_else(|err| panic!("{what}: {err}"));
        assert_eq!(got, answer, "{what}");
    }
}

#[test]
fn a_failure_to_connect_has_its_code() {
    for (kind, reply) in [
        (ErrorKind::NetworkUnreachable, 3),
        (ErrorKind::HostUnreachable, 4),
        (ErrorKind::NotFound, 4),
        (ErrorKind::ConnectionRefused, 5),
        (ErrorKind::TimedOut, 6),
        (ErrorKind::PermissionDenied, 2),
        (ErrorKind::AddrNotAvailable, 1),
    ] {
        assert_eq!(Reply::of(&io::Error::from(kind).into()) as u8, reply, "{kind:?}");
    }
    assert_eq!(Reply::of(&Error::msg("another")), Reply::GeneralFailure);
}

#[test]
fn a_client_that_does_not_say_what_it_wants_is_dropped() {
    let limits = Limits { handshake: Duration::from_millis(50), ..LIMITS };
    let proxy = OpenProxy::new(limits);
    let silent = proxy.connect();
    let slow = proxy.connect();
    send(&slow, &[HELLO, &[5, 1, 0]].concat());
    assert_eq!(receive_all(&slow), CHOSEN);
    assert_eq!(receive_all(&silent), b"");
}

#[test]
fn a_connection_that_takes_too_long_is_given_up() {
    let limits = Limits { connect: Duration::from_millis(50), ..LIMITS };
    let (proxy, lookup) = OpenProxy::that_never_resolves(limits);
    let client = proxy.connect();
    send(&client, &[HELLO, &[5, 1, 0, 3, 1, b'x', 0, 80]].concat());
    assert_eq!(receive_all(&client), [&[5, 0, 5, 6, 0, 1][..], &[0; 6]].concat());
    lookup.recv_timeout(PATIENCE).expect("the look-up is dropped");
}

#[test]
fn a_client_that_was_refused_and_stays_is_dropped() {
    let proxy = OpenProxy::new(Limits { leave: Duration::from_millis(50), n_clients: 1, ..LIMITS });
    let stays = proxy.connect();
    send(&stays, b"no SOCKS");
    assert_eq!(read_to_end(&stays), b"");
    let next = proxy.connect();
    send(&next, HELLO);
    assert_eq!(receive(&next, 2), CHOSEN);
}

#[test]
fn a_client_that_was_refused_after_the_end_of_its_stream_is_gone_at_once() {
    let limits = Limits { connect: Duration::from_millis(50), leave: Duration::MAX, n_clients: 1, ..LIMITS };
    let (proxy, _lookup) = OpenProxy::that_never_resolves(limits);
    let client = proxy.connect();
    send(&client, &[HELLO, &[5, 1, 0, 3, 1, b'x', 0, 80]].concat());
    client.shutdown(Shutdown::Write).expect("the socket is connected");
    assert_eq!(read_to_end(&client).len(), 12);
    let next = proxy.connect();
    send(&next, HELLO);
    assert_eq!(receive(&next, 2), CHOSEN);
}

#[test]
fn a_client_that_goes_on_ahead_of_its_connection_is_read_no_further() {
    const N_BYTES: usize = 100_000_000;
    let (proxy, _lookup) = OpenProxy::that_never_resolves(LIMITS);
    let client = proxy.connect();
    send(&client, &[HELLO, &[5, 1, 0, 3, 1, b'x', 0, 80]].concat());
    let n_stuck = write_pattern(&client, 0..N_BYTES, Duration::from_millis(300));
    assert!(n_stuck < N_BYTES, "everything was taken although it goes nowhere");
}

#[test]
fn a_client_that_leaves_takes_its_connection_attempt_along() {
    let (proxy, lookup) = OpenProxy::that_never_resolves(LIMITS);
    let client = proxy.connect();
    send(&client, &[HELLO, &[5, 1, 0, 3, 1, b'x', 0, 80]].concat());
    send(&client, b"early");
    child::reset(client);
    lookup.recv_timeout(PATIENCE).expect("the look-up is dropped");
}

#[test]
fn more_than_is_allowed_wait_to_be_accepted() {
    let proxy = OpenProxy::new(Limits { n_clients: 1, ..LIMITS });
    let target = Target::listen();
    let (first, goal) = proxy.tunnel_to(&target);
    let second = proxy.connect();
    send(&second, HELLO);
    for _ in 0..10 {
        send(&first, b"ping");
        assert_eq!(receive(&goal, 4), b"ping");
    }
    second.set_nonblocking(true).expect("the socket is connected");
    let early = (&second).read(&mut [0]).expect_err("it is not served");
    assert_eq!(early.kind(), ErrorKind::WouldBlock);
    second.set_nonblocking(false).expect("the socket is connected");
    drop((first, goal));
    assert_eq!(receive(&second, 2), CHOSEN);
}

// ---- the tunnel

#[test]
fn the_end_of_a_stream_is_passed_on_and_the_other_direction_stays_open() {
    let proxy = OpenProxy::new(Limits { n_clients: 1, ..LIMITS });
    let target = Target::listen();
    for client_is_first in [true, false] {
        // With a limit of one this also shows that the tunnel before is over.
        let (client, goal) = proxy.tunnel_to(&target);
        let (first, second) = if client_is_first { (&client, &goal) } else { (&goal, &client) };
        send(first, b"question");
        first.shutdown(Shutdown::Write).expect("the socket is connected");
        assert_eq!(read_to_end(second), b"question");
        send(second, b"answer");
        assert_eq!(receive(first, 6), b"answer");
        send(second, b"more");
        second.shutdown(Shutdown::Write).expect("the socket is connected");
        assert_eq!(read_to_end(first), b"more");
        proxy.streams.borrow_mut().extend([client, goal]);
    }
}

#[test]
fn a_client_that_sends_everything_at_once_and_ends_its_stream_is_answered() {
    let proxy = OpenProxy::new(LIMITS);
    let target = Target::listen();
    // Nothing, less, and more than is kept ahead of a connection.
    for n_bytes in [0, 5, 4 * MAX_EARLY] {
        let client = proxy.connect();
        let question: Vec<u8> = pattern().take(n_bytes).collect();
        send(&client, &[HELLO, &request_to(target.address), &question].concat());
        client.shutdown(Shutdown::Write).expect("the socket is connected");
        let goal = target.accept();
        assert!(read_to_end(&goal) == question, "{n_bytes} bytes came in another order");
        send(&goal, b"answer");
        drop(goal);
        assert_eq!(read_to_end(&client).get(12..), Some(&b"answer"[..]));
    }
}

#[test]
fn a_reset_is_passed_on() {
    let proxy = OpenProxy::new(LIMITS);
    let target = Target::listen();
    for client_dies in [true, false] {
        let (client, goal) = proxy.tunnel_to(&target);
        let (dies, lives) = if client_dies { (client, goal) } else { (goal, client) };
        send(&lives, b"never read");
        child::reset(dies);
        let err = (&lives).read(&mut [0]).expect_err("it is reset");
        assert_eq!(err.kind(), ErrorKind::ConnectionReset);
    }
}

#[test]
fn an_idle_tunnel_ends() {
    let proxy = OpenProxy::new(Limits { idle: Duration::from_millis(50), ..LIMITS });
    let target = Target::listen();
    let (client, goal) = proxy.tunnel_to(&target);
    assert_eq!(receive_all(&client), b"");
    assert_eq!(receive_all(&goal), b"");
}

#[test]
#[cfg(target_os = "linux")]
fn a_hundred_megabytes_for_a_slow_reader_cost_no_memory_either_way() {
    const N_BYTES: usize = 100_000_000;
    let proxy = Child::serve("socks5");
    let target = Target::listen();
    for client_reads in [true, false] {
        let client = proxy.connect();
        let goal = open_tunnel(&client, &target);
        let (reader, writer) = if client_reads { (client, goal) } else { (goal, client) };
        let before = proxy.peak_memory();
        // The proxy has to stop the writer: nobody reads, and the buffers of the system hold a few megabytes.
        let n_stuck = write_pattern(&writer, 0..N_BYTES, Duration::from_millis(300));
        assert!(n_stuck < N_BYTES, "everything was taken although nobody reads");
        let writing = thread::spawn(move || write_pattern(&writer, n_stuck..N_BYTES, PATIENCE));
        let mut n_read = 0;
        let mut chunk = vec![0; 1 << 16];
        let expected: Vec<u8> = pattern().take(PERIOD + chunk.len()).collect();
        while n_read < N_BYTES {
            let n = (&reader).read(&mut chunk).expect("the proxy passes it on");
            assert!(n > 0, "the end after {n_read} bytes");
            assert!(chunk[..n] == expected[n_read % PERIOD..][..n], "another byte behind {n_read}");
            n_read += n;
        }
        assert_eq!(writing.join().expect("the thread does not panic"), N_BYTES);
        let growth = proxy.peak_memory() - before;
        assert!(growth < 8 << 20, "the proxy has grown by {growth} bytes");
    }
}

#[test]
fn ctrl_c_stops_it_at_once_with_a_tunnel_open_and_a_client_waiting() {
    let proxy = Child::serve("socks5");
    let target = Target::listen();
    let client = proxy.connect();
    let goal = open_tunnel(&client, &target);
    let waiting = proxy.connect();
    send(&waiting, HELLO);
    assert_eq!(receive(&waiting, 2), CHOSEN);
    let ended = proxy.interrupt(&[&client, &goal, &waiting]);
    assert_eq!((ended.code, &*ended.stderr), (Some(130), &["Error: interrupted by SIGINT".to_owned()][..]));
}

/// The proxy on a thread of its own; it ends with the test.
struct OpenProxy {
    address: SocketAddr,
    /// Kept open until then.
    streams: RefCell<Vec<TcpStream>>,
    _thread: LoopThread<Option<()>>,
}

impl OpenProxy {
    fn new(limits: Limits) -> Self {
        OpenProxy::start(limits, |_| {})
    }

    /// A proxy whose look-ups last for ever. It tells when one is dropped.
    fn that_never_resolves(limits: Limits) -> (Self, Receiver<()>) {
        struct Told(Sender<()>);

        impl Drop for Told {
            fn drop(&mut self) {
                // The test may have ended.
                let _ = self.0.send(());
            }
        }

        let (sender, receiver) = mpsc::channel();
        let proxy = OpenProxy::start(limits, move |server| {
            server.get_loop().set_resolver(Some(move |_, _| {
                let told = Told(sender.clone());
                async move {
                    sleep_forever().await;
                    drop(told);
                    Ok(Vec::new())
                }
            }));
        });
        (proxy, receiver)
    }

    fn start(limits: Limits, on_serving: impl FnOnce(&foster::Server) + Send + 'static) -> Self {
        let (sender, address) = mpsc::channel();
        let thread = run_in_thread(move || {
            let options = Options { host: "127.0.0.1".to_owned(), port: 0 };
            app(options, limits, move |server| {
                on_serving(server);
                let address = server.sockets()[0].getsockname()?.to_string();
                Ok(sender.send(address)?)
            })
        });
        let thread = thread.expect("a thread can be made");
        let address = address.recv_timeout(PATIENCE).expect("the proxy starts");
        let address = address.parse().expect("it is an internet address");
        OpenProxy { address, streams: RefCell::default(), _thread: thread }
    }

    fn connect(&self) -> TcpStream {
        child::connect(self.address)
    }

    /// A client, and where it has gone.
    fn tunnel_to(&self, target: &Target) -> (TcpStream, TcpStream) {
        let client = self.connect();
        let goal = open_tunnel(&client, target);
        (client, goal)
    }
}

/// Goes to the target; gives the other end.
fn open_tunnel(client: &TcpStream, target: &Target) -> TcpStream {
    send(client, &[HELLO, &request_to(target.address)].concat());
    let goal = target.accept();
    assert_eq!(receive(client, 12), [CHOSEN, &succeeded_from(&goal)].concat());
    goal
}

fn request_to(address: SocketAddr) -> Vec<u8> {
    let IpAddr::V4(ip) = address.ip() else { panic!("the tests listen on IPv4") };
    [&[5, 1, 0, 1][..], &ip.octets(), &address.port().to_be_bytes()].concat()
}

/// The reply to a request whose connection arrived as this.
fn succeeded_from(goal: &TcpStream) -> Vec<u8> {
    let mut reply = request_to(goal.peer_addr().expect("the socket is connected"));
    reply[1] = 0;
    reply
}

/// Where the clients of a proxy want to go.
struct Target {
    listener: TcpListener,
    address: SocketAddr,
}

impl Target {
    fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let address = listener.local_addr().expect("it is bound");
        Target { listener, address }
    }

    fn accept(&self) -> TcpStream {
        let (goal, _) = self.listener.accept().expect("somebody comes");
        goal.set_read_timeout(Some(PATIENCE)).expect("the time-out is not zero");
        goal.set_write_timeout(Some(PATIENCE)).expect("the time-out is not zero");
        goal
    }
}

/// An address that nobody listens on.
fn nobody() -> SocketAddr {
    Target::listen().address
}

fn send(mut stream: &TcpStream, data: &[u8]) {
    stream.write_all(data).expect("the other side reads");
}

/// Reads until the end of the stream, which is no reset.
fn read_to_end(mut stream: &TcpStream) -> Vec<u8> {
    let mut data = Vec::new();
    stream.read_to_end(&mut data).expect("the stream ends well");
    data
}

/// A prime number, so that no buffer is a whole number of periods.
const PERIOD: usize = 251;

/// Bytes that tell where they belong.
fn pattern() -> impl Iterator<Item = u8> {
    (0..).map(|n: usize| (n % PERIOD) as u8)
}

/// Writes a part of the pattern until nothing was taken for so long; gives how far it came.
fn write_pattern(mut stream: &TcpStream, part: Range<usize>, patience: Duration) -> usize {
    let chunk: Vec<u8> = pattern().take(PERIOD * 1024).collect();
    stream.set_write_timeout(Some(patience)).expect("the time-out is not zero");
    let mut n_written = part.start;
    while n_written < part.end {
        let start = n_written % PERIOD;
        let end = chunk.len().min(start + part.end - n_written);
        match stream.write(&chunk[start..end]) {
            Ok(n) => n_written += n,
            Err(err) if matches!(err.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
            Err(err) => panic!("the proxy reads: {err}"),
        }
    }
    n_written
}

const CONTENT: &str = "served by Python";

/// Python's `http.server`, as a program of its own.
struct WebServer {
    process: process::Child,
    port: u16,
}

impl WebServer {
    fn start(host: &str) -> Option<Self> {
        const SCRIPT: &str = r#"
import http.server, socket, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"served by Python")

class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET

server = Server((sys.argv[1], 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"#;
        let mut python = client("python3")?;
        python.args(["-c", SCRIPT, host]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = python.spawn().expect("an installed program starts");
        let mut line = String::new();
        let output = process.stdout.take().expect("stdout is piped");
        BufReader::new(output).read_line(&mut line).expect("it says where it listens");
        let port = line.trim().parse().expect("it is a port");
        Some(WebServer { process, port })
    }

    fn url(&self, host: &str) -> String {
        format!("http://{host}:{}/", self.port)
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        // Either fails only if the process has ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What came of a run of curl.
#[derive(Debug, PartialEq, Eq)]
struct Fetched {
    code: i32,
    body: String,
}

fn curl(args: &[&str]) -> Option<Fetched> {
    let mut curl = client("curl")?;
    curl.args(["-q", "--silent", "--max-time", "20"]).args(args).env_remove("no_proxy").env_remove("NO_PROXY");
    let output = curl.stdin(Stdio::null()).output().expect("an installed program starts");
    let body = String::from_utf8_lossy(&output.stdout).into_owned();
    Some(Fetched { code: output.status.code().expect("no signal ends it"), body })
}
