use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::{env, fs, process};

use tokio::time::Instant;

use super::child::{self, Child, PATIENCE, receive};
use super::clients::client;
use super::wire::MAX_BULK;
use super::*;

/// Requests of every kind, a line of words each, which Redis and this server answer with the same bytes.
const SAME: &str = include_str!("same.txt");

/// Requests that both refuse with the same words before they close the connection.
const REFUSED: [&[u8]; 7] = [
    b"*1\r\n+PING\r\n",
    b"*x\r\n",
    b"*2147483648\r\n",
    b"*1\r\n$-1\r\n",
    b"*1\r\n$one\r\n",
    b"*1\r\n$1073741824\r\n",
    b"PING\r\n*1\r\n$4\r\nPING\r\n*1\r\nPING\r\n",
];

#[test]
fn every_answer_is_redis_own_byte_for_byte() {
    let Some(redis) = RedisServer::start() else { return };
    let server = Child::serve("resp");
    let (mut own, mut original) = (BufReader::new(server.connect()), BufReader::new(redis.connect()));
    let mut differences = Vec::new();
    for request in SAME.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let ask = |stream: &mut dyn Duplex| {
            // What comes in front of the last echo is the answer.
            stream.send(&[array_of(request), b"ECHO ---\r\n".to_vec()].concat());
            stream.until("$3\r\n---\r\n")
        };
        let (own, original) = (ask(&mut own), ask(&mut original));
        if own != original {
            differences.push(format!("{request}: {own:?}, and Redis {original:?}"));
        }
    }
    assert!(differences.is_empty(), "{differences:#?}");
}

#[test]
fn every_protocol_error_is_redis_own_byte_for_byte() {
    let Some(redis) = RedisServer::start() else { return };
    let server = Child::serve("resp");
    for request in REFUSED {
        let (mut own, mut original) = (server.connect(), redis.connect());
        own.write_all(request).expect("the server reads");
        original.write_all(request).expect("the server reads");
        let (mut answer, mut expected) = (String::new(), String::new());
        own.read_to_string(&mut answer).expect("the server closes");
        original.read_to_string(&mut expected).expect("the server closes");
        assert!(expected.contains("Protocol error"), "{expected}");
        assert_eq!(answer, expected, "{}", request.escape_ascii());
    }
}

#[test]
fn requests_are_found_wherever_they_are_cut() {
    let stream =
        b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$4\r\n\r\n\r\n\r\nPING\r\n*0\r\n\r\n GET  a\n*1\r\n$0\r\n\r\n*2\r\n$3\r\nGE";
    let expected: [&[&[u8]]; 6] = [&[b"SET", b"a", b"\r\n\r\n"], &[b"PING"], &[], &[], &[b"GET", b"a"], &[b""]];
    let found_in = |pieces: &[&[u8]]| {
        let (mut buffer, mut found) = (Vec::new(), Vec::new());
        for piece in pieces {
            buffer.extend_from_slice(piece);
            let (mut rest, mut args) = (&*buffer, Vec::new());
            while parse(&mut rest, &mut args).expect("all of it is right") {
                found.push(args.iter().map(|arg| arg.to_vec()).collect::<Vec<_>>());
            }
            buffer = rest.to_vec();
        }
        assert_eq!(buffer, b"*2\r\n$3\r\nGE");
        found
    };
    assert_eq!(found_in(&[stream]), expected, "whole");
    assert_eq!(found_in(&stream.chunks(1).collect::<Vec<_>>()), expected, "byte by byte");
    for at in 0..stream.len() {
        let (head, tail) = stream.split_at(at);
        assert_eq!(found_in(&[head, tail]), expected, "cut at {at}");
    }
}

#[test]
fn requests_that_come_at_once_are_answered_in_order() {
    let server = Child::serve("resp");
    let mut client = BufReader::new(server.connect());
    let requests: Vec<u8> = (0..5000).flat_map(|n| format!("ECHO {n}\r\nINCR n\r\n").into_bytes()).collect();
    client.send(&requests);
    for n in 0..5000 {
        let text = n.to_string();
        client.gets(&format!("${}\r\n{text}\r\n:{}\r\n", text.len(), n + 1));
    }
}

#[test]
fn requests_byte_by_byte_are_answered() {
    let server = Child::serve("resp");
    let mut client = BufReader::new(server.connect());
    for byte in b"*2\r\n$4\r\nECHO\r\n$5\r\nhello\r\nPING\r\n" {
        client.send(&[*byte]);
    }
    client.gets("$5\r\nhello\r\n+PONG\r\n");
}

#[test]
fn a_large_value_comes_and_goes() {
    let server = Child::serve("resp");
    let n_bytes = MAX_BULK as usize;
    let value = vec![b'x'; n_bytes];
    let mut client = server.connect();
    let mut writer = client.try_clone().expect("the socket can be cloned");
    let request =
        [format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${MAX_BULK}\r\n").as_bytes(), &value, b"\r\nGET k\r\n"].concat();
    let writing = thread::spawn(move || writer.write_all(&request));
    assert_eq!(receive(&client, 5), b"+OK\r\n");
    writing.join().expect("the thread does not panic").expect("the server reads everything");
    let head = format!("${MAX_BULK}\r\n");
    assert_eq!(receive(&client, head.len()), head.as_bytes());
    assert!(receive(&client, n_bytes) == value);
    client.write_all(format!("*2\r\n$3\r\nGET\r\n${}\r\n", MAX_BULK + 1).as_bytes()).expect("the server reads");
    assert_eq!(child::receive_all(&client), b"\r\n-ERR Protocol error: invalid bulk length\r\n");
}

#[test]
fn what_never_ends_is_refused() {
    let server = Child::serve("resp");
    for (begin, more, expected) in [
        (&b""[..], b'x', "-ERR Protocol error: too big inline request\r\n"),
        (b"*", b'1', "-ERR Protocol error: too big mbulk count string\r\n"),
        (b"*1\r\n$", b'1', "-ERR Protocol error: too big bulk count string\r\n"),
    ] {
        let mut client = server.connect();
        client.write_all(&[begin, &vec![more; 64 * 1024 + 2]].concat()).expect("the server reads");
        assert_eq!(String::from_utf8_lossy(&child::receive_all(&client)), expected);
    }
    let mut client = server.connect();
    client.write_all(b"*65537\r\n").expect("the server reads");
    assert_eq!(child::receive_all(&client), b"-ERR Protocol error: invalid multibulk length\r\n");
    // One request of arguments that are right, each for itself.
    let mut client = server.connect();
    let arg = [b"$1000000\r\n", &vec![b'x'; 1_000_000][..], b"\r\n"].concat();
    client.write_all(b"*65536\r\n").expect("the server reads");
    let n_taken = (0..100).take_while(|_| client.write_all(&arg).is_ok()).count();
    assert!((MAX_BUFFER / 1_000_000..100).contains(&n_taken), "{n_taken}");
    assert_eq!(child::receive_all(&client), b"");
    BufReader::new(server.connect()).asks("PING", "+PONG\r\n");
}

#[test]
fn who_asks_and_never_reads_is_read_no_further() {
    let server = Child::serve("resp");
    let mut other = BufReader::new(server.connect());
    other.asks(&format!("SET k {}", "x".repeat(60_000)), "+OK\r\n");
    let client = server.connect();
    client.set_nonblocking(true).expect("the socket is open");
    // 100 MB of answers for each write, of which the system takes a few.
    let requests = b"GET k\r\n".repeat(2000);
    let mut n_stuck = 0;
    while n_stuck < 100 {
        match (&client).write(&requests) {
            Ok(_) => n_stuck = 0,
            Err(_) => n_stuck += 1,
        }
        other.asks("PING", "+PONG\r\n");
    }
    #[cfg(target_os = "linux")]
    assert!(server.peak_memory() < 100 * 1024 * 1024, "{} bytes", server.peak_memory());
    // What the client reads after all is right.
    client.set_nonblocking(false).expect("the socket is open");
    let mut late = BufReader::new(client);
    for _ in 0..500 {
        late.gets(&format!("$60000\r\n{}\r\n", "x".repeat(60_000)));
    }
}

#[test]
fn a_reply_that_is_too_long_ends_the_connection() {
    let server = Child::serve("resp");
    let mut client = BufReader::new(server.connect());
    client.asks(&format!("SET k {}", "x".repeat(60_000)), "+OK\r\n");
    client.send(format!("MGET{}\r\n", " k".repeat(30_000)).as_bytes());
    assert_eq!(child::receive_all(client.get_ref()), b"");
    BufReader::new(server.connect()).asks("EXISTS k", ":1\r\n");
}

#[test]
fn keys_expire_whether_or_not_somebody_asks() {
    let server = Child::serve("resp");
    let mut client = BufReader::new(server.connect());
    client.asks("SET a 1 PX 1", "+OK\r\n");
    client.asks("SET b 1 EX 100", "+OK\r\n");
    client.asks("SET c 1 PX 1", "+OK\r\n");
    client.asks("PERSIST b", ":1\r\n");
    // It counts also what nobody has asked for.
    let began = Instant::now();
    while client.answer("DBSIZE") != ":1\r\n" {
        assert!(began.elapsed() < PATIENCE, "it does not expire");
    }
    client.asks("MGET a b c", "*3\r\n$-1\r\n$1\r\n1\r\n$-1\r\n");
}

#[test]
fn a_key_that_is_set_or_removed_meanwhile_outlives_its_old_timer() {
    let server = Child::serve("resp");
    let mut client = BufReader::new(server.connect());
    for between in ["SET a 2", "PERSIST a", "DEL a\r\nSET a 2", "FLUSHALL\r\nSET a 2", "SET a 2 EX 100"] {
        client.asks("SET a 1 PX 20\r\nSET timer 1 PX 21", "+OK\r\n+OK\r\n");
        client.answer(between);
        let began = Instant::now();
        while client.answer("EXISTS timer") != ":0\r\n" {
            assert!(began.elapsed() < PATIENCE, "it does not expire");
        }
        client.asks("EXISTS a", ":1\r\n");
    }
}

#[test]
fn what_is_published_comes_to_those_who_have_subscribed() {
    let server = Child::serve("resp");
    let [mut one, mut two, mut other] = [(); 3].map(|()| BufReader::new(server.connect()));
    one.asks("SUBSCRIBE a b", "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n*3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n");
    two.asks("SUBSCRIBE a", "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n");
    other.asks("PUBLISH a m", ":2\r\n");
    other.asks("PUBLISH c m", ":0\r\n");
    one.gets("*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nm\r\n");
    two.gets("*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nm\r\n");
    one.asks("UNSUBSCRIBE a", "*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:1\r\n");
    other.asks("PUBLISH a m", ":1\r\n");
    drop(two);
    let began = Instant::now();
    while other.answer("PUBLISH a m") != ":0\r\n" {
        assert!(began.elapsed() < PATIENCE, "a subscriber that has gone is still there");
    }
    one.asks("PING", "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
}

#[test]
fn a_subscriber_is_answered_as_redis_answers_it_byte_for_byte() {
    let Some(redis) = RedisServer::start() else { return };
    let server = Child::serve("resp");
    let (mut own, mut original) = (BufReader::new(server.connect()), BufReader::new(redis.connect()));
    for request in [
        "SUBSCRIBE a b a",
        "PING",
        "PING hello",
        "get a",
        "PUBLISH a m",
        "UNSUBSCRIBE a c",
        "UNSUBSCRIBE",
        "UNSUBSCRIBE",
        "UNSUBSCRIBE a",
        "SUBSCRIBE",
        "SUBSCRIBE a",
        "QUIT",
    ] {
        let ask = |stream: &mut dyn Duplex| {
            // A subscriber may not echo, but this answers in one way or the other.
            stream.send(format!("{request}\r\nPING\r\nUNSUBSCRIBE ---\r\n").as_bytes());
            stream.until(if request == "QUIT" { "+OK\r\n" } else { "$3\r\n---\r\n" })
        };
        let (own, original) = (ask(&mut own), ask(&mut original));
        assert_eq!(own, original, "{request}");
    }
}

#[test]
fn a_subscriber_who_does_not_read_is_dropped_and_nobody_waits() {
    let server = Child::serve("resp");
    let [mut slow, mut other] = [(); 2].map(|()| BufReader::new(server.connect()));
    slow.asks("SUBSCRIBE a", "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n");
    let publish = format!("PUBLISH a {}", "x".repeat(60_000));
    // What the system keeps between the two is a few megabytes.
    assert!((0..10_000).any(|_| other.answer(&publish) == ":0\r\n"), "the slow reader is still there");
    #[cfg(target_os = "linux")]
    assert!(server.peak_memory() < 100 * 1024 * 1024, "{} bytes", server.peak_memory());
}

#[test]
fn redis_cli_is_served() {
    let server = Child::serve("resp");
    let Some(mut cli) = redis_cli(&server) else { return };
    let text = "set greeting 'hello world'\nget greeting\nlpush l 1 2 3\nlrange l 0 -1\nget l\nhello 3\nquit\n";
    let answer = run(cli.arg("--no-raw"), text);
    assert_eq!(
        answer,
        "OK\n\"hello world\"\n(integer) 3\n1) \"3\"\n2) \"2\"\n3) \"1\"\n\
         (error) WRONGTYPE Operation against a key holding the wrong kind of value\n\
         (error) NOPROTO unsupported protocol version\n"
    );
}

#[test]
fn redis_cli_loads_a_file_of_requests_with_pipe() {
    let server = Child::serve("resp");
    let Some(mut cli) = redis_cli(&server) else { return };
    let requests: String = (0..100_000).map(|n| format!("SET key:{n} {n}\r\n")).collect();
    let answer = run(cli.arg("--pipe"), &requests);
    assert!(answer.ends_with("errors: 0, replies: 100000\n"), "{answer}");
    BufReader::new(server.connect()).asks("DBSIZE", ":100000\r\n");
}

#[test]
fn redis_cli_subscribes() {
    let server = Child::serve("resp");
    let Some(mut cli) = redis_cli(&server) else { return };
    let mut cli =
        cli.args(["subscribe", "news"]).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(cli.stdout.take().expect("stdout is piped")).lines();
    let mut other = BufReader::new(server.connect());
    let began = Instant::now();
    while other.answer("PUBLISH news hello") != ":1\r\n" {
        assert!(began.elapsed() < PATIENCE, "redis-cli does not subscribe");
    }
    for expected in ["subscribe", "news", "1", "message", "news", "hello"] {
        assert_eq!(lines.next().expect("redis-cli prints more").expect("it is text"), expected);
    }
    cli.kill().expect("it runs");
    cli.wait().expect("it is a child");
}

#[test]
fn redis_benchmark_is_served() {
    let server = Child::serve("resp");
    let Some(mut benchmark) = client("redis-benchmark") else { return };
    let port = server.address.port().to_string();
    let tests = "ping_inline,ping_mbulk,set,get,incr,lpush,rpush,lpop,rpop,lrange_100,mset";
    let answer = run(benchmark.args(["-p", &port, "-n", "2000", "-P", "16", "-q", "-t", tests]), "");
    assert_eq!(answer.matches("requests per second").count(), tests.split(',').count() + 1, "{answer}");
    assert!(!answer.to_lowercase().contains("error"), "{answer}");
}

#[test]
fn ctrl_c_stops_it_at_once_with_clients_connected() {
    let server = Child::serve("resp");
    let [mut idle, mut half, mut subscriber] = [(); 3].map(|()| BufReader::new(server.connect()));
    idle.asks("SET k v EX 100", "+OK\r\n");
    half.send(b"PING\r\n*2\r\n$3\r\nGE");
    half.gets("+PONG\r\n");
    subscriber.asks("SUBSCRIBE a", "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n");
    let ended = server.interrupt(&[idle.get_ref(), half.get_ref(), subscriber.get_ref()]);
    assert_eq!((ended.code, &*ended.stderr), (Some(130), &["Error: interrupted by SIGINT".to_owned()][..]));
}

/// With a connection in memory, whose writes are counted, and a clock that jumps.
#[cfg(feature = "testing")]
mod in_memory {
    use foster::testing::{self, Peer};
    use foster::{Nursery, run_here, sleep};

    use super::*;

    #[derive(Default)]
    struct Redis {
        db: Rc<RefCell<Database>>,
        pubsub: Rc<RefCell<PubSub>>,
    }

    impl Redis {
        fn connect(&self, nursery: &Nursery) -> Peer {
            let client = RedisServerProtocol::new(Loop::new(nursery), self.db.clone(), self.pubsub.clone());
            testing::connect(nursery, client).2
        }
    }

    async fn asks(peer: &Peer, request: &str, expected: &str) {
        peer.send(request);
        let answer = peer.read_exactly(expected.len()).await;
        assert_eq!(String::from_utf8_lossy(&answer), expected, "{request}");
        assert_eq!(peer.n_unread(), 0, "{request}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_in_one_read_is_answered_with_one_write_and_published_with_one() {
        let ended = run_here(open_nursery(async |nursery| {
            let redis = Redis::default();
            let (peer, subscriber) = (redis.connect(&nursery), redis.connect(&nursery));
            asks(&subscriber, "SUBSCRIBE a\r\n", "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n").await;
            let before = (peer.n_writes(), subscriber.n_writes());
            asks(&peer, &"PUBLISH a m\r\nPING\r\n".repeat(16), &":1\r\n+PONG\r\n".repeat(16)).await;
            let messages = "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nm\r\n".repeat(16);
            asks(&subscriber, "", &messages).await;
            assert_eq!((peer.n_writes(), subscriber.n_writes()), (before.0 + 1, before.1 + 1));
            nursery.cancel_scope().cancel();
            foster::Ok(())
        }));
        ended.await.expect("nothing fails");
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_is_removed_when_its_time_is_over_without_being_asked_for() {
        let ended = run_here(open_nursery(async |nursery| {
            let redis = Redis::default();
            let peer = redis.connect(&nursery);
            asks(&peer, "SET a 1 PX 2000\r\nSET b 1 EX 1\r\n", "+OK\r\n+OK\r\n").await;
            let left = async |millis| {
                sleep(Duration::from_millis(millis)).await;
                redis.db.borrow().keys.len()
            };
            assert_eq!([left(990).await, left(20).await, left(980).await, left(20).await], [2, 1, 1, 0]);
            nursery.cancel_scope().cancel();
            foster::Ok(())
        }));
        ended.await.expect("nothing fails");
    }

    #[tokio::test(start_paused = true)]
    async fn who_keeps_the_server_waiting_is_ended_and_who_waits_for_it_is_not() {
        let ended = run_here(open_nursery(async |nursery| {
            let redis = Redis::default();
            let [half, unread, quit, idle, done, subscriber] = [(); 6].map(|()| redis.connect(&nursery));
            asks(&idle, &format!("SET k {}\r\n", "x".repeat(60_000)), "+OK\r\n").await;
            asks(&subscriber, "SUBSCRIBE a\r\n", "*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n").await;
            half.send("*2\r\n$3\r\nGE");
            asks(&done, "*1\r\n$4\r\nPI", "").await;
            asks(&done, "NG\r\n", "+PONG\r\n").await;
            unread.set_capacity(1000);
            quit.set_capacity(1000);
            unread.send("GET k\r\n".repeat(10));
            quit.send("GET k\r\nQUIT\r\n");
            sleep(super::super::PATIENCE - Duration::from_secs(1)).await;
            assert!(![&half, &unread, &quit].iter().any(|peer| peer.is_closed()));
            sleep(Duration::from_secs(2)).await;
            assert!([&half, &unread, &quit].iter().all(|peer| peer.is_closed()));
            sleep(10 * super::super::PATIENCE).await;
            assert!(![&idle, &done, &subscriber].iter().any(|peer| peer.is_closed()));
            asks(&idle, "PUBLISH a m\r\n", ":1\r\n").await;
            asks(&subscriber, "", "*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nm\r\n").await;
            nursery.cancel_scope().cancel();
            foster::Ok(())
        }));
        ended.await.expect("nothing fails");
    }
}

/// A line of words as redis-cli sends it. Quotes hold a word together; it may have a line's end.
fn array_of(line: &str) -> Vec<u8> {
    let mut words = Vec::new();
    for (n, part) in line.split('"').enumerate() {
        if n % 2 == 1 {
            words.push(part.replace("\\r\\n", "\r\n"));
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    let args = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len()));
    format!("*{}\r\n{}", words.len(), args.collect::<String>()).into_bytes()
}

fn redis_cli(server: &Child) -> Option<Command> {
    let mut cli = client("redis-cli")?;
    cli.args(["-h", "127.0.0.1", "-p", &server.address.port().to_string()]);
    Some(cli)
}

/// Runs a program that reads the text, and gives what it prints.
fn run(program: &mut Command, text: &str) -> String {
    let mut child = program.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("an installed program starts");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let text = text.to_owned();
    let writing = thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = child.wait_with_output().expect("it is a child");
    writing.join().expect("the thread does not panic").expect("the program reads everything");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A `redis-server` on a socket in a folder of its own. Dropping it kills it.
struct RedisServer {
    process: process::Child,
    folder: PathBuf,
}

impl RedisServer {
    fn start() -> Option<Self> {
        let mut program = client("redis-server")?;
        static N_STARTED: AtomicU32 = AtomicU32::new(0);
        let n = N_STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("foster-resp-{}-{n}", process::id()));
        fs::create_dir_all(&folder).expect("a folder can be made");
        program.args(["--port", "0", "--save", "", "--unixsocket"]).arg(folder.join("socket"));
        let process = program.current_dir(&folder).stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        Some(RedisServer { process: process.expect("an installed program starts"), folder })
    }

    fn connect(&self) -> UnixStream {
        let began = Instant::now();
        loop {
            match UnixStream::connect(self.folder.join("socket")) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(PATIENCE)).expect("the time-out is not zero");
                    return stream;
                }
                Err(err) => assert!(began.elapsed() < PATIENCE, "redis-server does not start: {err}"),
            }
            thread::yield_now();
        }
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // Each fails only if it has ended, or the folder has gone.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A client, as a test speaks.
trait Duplex {
    fn send(&mut self, data: &[u8]);
    /// Reads until what has come ends so, and gives what is in front of it.
    fn until(&mut self, end: &str) -> String;

    fn gets(&mut self, expected: &str);

    fn asks(&mut self, request: &str, expected: &str) {
        self.send(format!("{request}\r\n").as_bytes());
        self.gets(expected);
    }

    fn answer(&mut self, request: &str) -> String {
        self.send(format!("{request}\r\nECHO ---\r\n").as_bytes());
        self.until("$3\r\n---\r\n")
    }
}

impl<S: Read> Duplex for BufReader<S>
where
    for<'a> &'a S: Write,
{
    fn send(&mut self, data: &[u8]) {
        self.get_ref().write_all(data).expect("the server reads");
    }

    fn until(&mut self, end: &str) -> String {
        let mut data = Vec::new();
        while !data.ends_with(end.as_bytes()) {
            let n = self.read_until(b'\n', &mut data).expect("the server writes");
            assert!(n > 0, "the server has closed behind {:?}", String::from_utf8_lossy(&data));
        }
        String::from_utf8_lossy(&data[..data.len() - end.len()]).into_owned()
    }

    fn gets(&mut self, expected: &str) {
        let mut data = vec![0; expected.len()];
        self.read_exact(&mut data).expect("the server writes as much");
        assert_eq!(String::from_utf8_lossy(&data), expected);
    }
}
