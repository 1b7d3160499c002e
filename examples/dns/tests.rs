use std::io::{Read, Write};
use std::net::Shutdown;
use std::process::Stdio;

#[cfg(feature = "testing")]
use foster::{run_here, sleep, testing};

#[cfg(feature = "testing")]
use super::child::PATIENCE;
use super::child::{self, Child};
use super::clients::client;
use super::*;

/// A question for the address of `example.com`, with the number 0x1234 and the wish for recursion.
const QUESTION: &[u8] = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x07example\x03com\0\0\x01\0\x01";

/// A question for what is longer than 512 bytes.
const BIG_QUESTION: &[u8] = b"\x12\x34\0\0\0\x01\0\0\0\0\0\0\x03big\x07example\x03com\0\0\x10\0\x01";

/// An OPT record whose sender takes 4096 bytes.
const OPT: &[u8] = b"\0\0\x29\x10\0\0\0\0\0\0\0";

#[test]
fn dig_is_answered_over_udp_and_tcp_alike() {
    let server = Child::serve("dns");
    for carrier in ["+notcp", "+tcp"] {
        let Some(said) = dig(&server, &[carrier, "example.com", "SOA"]) else { return };
        holds(&said, &["status: NOERROR", "flags: qr aa rd;", "EDNS: version: 0, flags:; udp: 1232"]);
        let soa = "example.com. 3600 IN SOA ns1.example.com. hostmaster.example.com. 2026010101 7200 900 1209600 300";
        holds(&said, &[soa]);
        let said = dig(&server, &[carrier, "example.com", "MX"]).unwrap_or_default();
        holds(&said, &["example.com. 3600 IN MX 10 mail.example.com.", "IN MX 20 mail.example.net."]);
        holds(&said, &["mail.example.com. 3600 IN A 192.0.2.25", "ANSWER: 2, AUTHORITY: 0, ADDITIONAL: 2"]);
        let said = dig(&server, &[carrier, "_xmpp-server._tcp.example.com", "SRV"]).unwrap_or_default();
        holds(&said, &["IN SRV 5 0 5269 mail.example.com.", "mail.example.com. 3600 IN A 192.0.2.25"]);
        let said = dig(&server, &[carrier, "quotes.example.com", "TXT"]).unwrap_or_default();
        holds(&said, &[r#"IN TXT "a; b" "say \"hi\"" "plain" "(bare)" "A\255""#]);
        let said = dig(&server, &[carrier, "a.deep.name.example.com", "PTR"]).unwrap_or_default();
        holds(&said, &["IN PTR host.example.net."]);
        let said = dig(&server, &[carrier, "ns2.example.com", "AAAA"]).unwrap_or_default();
        holds(&said, &["IN AAAA 2001:db8::2"]);
    }
}

#[test]
fn aliases_are_followed_as_far_as_the_zone_goes() {
    let server = Child::serve("dns");
    let Some(said) = dig(&server, &["FTP.example.com", "A"]) else { return };
    holds(&said, &["FTP.example.com. 3600 IN CNAME www.example.com.", "www.example.com. 60 IN CNAME example.com."]);
    holds(&said, &["example.com. 3600 IN A 192.0.2.80", "ANSWER: 3,"]);
    let said = dig(&server, &["away.example.com", "A"]).unwrap_or_default();
    holds(&said, &["status: NOERROR", "IN CNAME www.example.net.", "ANSWER: 1, AUTHORITY: 0"]);
    let said = dig(&server, &["nowhere.example.com", "A"]).unwrap_or_default();
    holds(&said, &["status: NXDOMAIN", "IN CNAME nothing.example.com.", "example.com. 300 IN SOA"]);
    let said = dig(&server, &["round.example.com", "A"]).unwrap_or_default();
    holds(&said, &["status: NOERROR", "ANSWER: 2, AUTHORITY: 0"]);
}

#[test]
fn a_wildcard_answers_for_what_is_not_there() {
    let server = Child::serve("dns");
    let Some(said) = dig(&server, &["a.b.wild.example.com", "A"]) else { return };
    holds(&said, &["a.b.wild.example.com. 3600 IN A 192.0.2.99", "flags: qr aa rd;"]);
    let said = dig(&server, &["fixed.wild.example.com", "TXT"]).unwrap_or_default();
    holds(&said, &["status: NOERROR", "ANSWER: 0, AUTHORITY: 1"]);
    let said = dig(&server, &["below.fixed.wild.example.com", "A"]).unwrap_or_default();
    holds(&said, &["status: NXDOMAIN"]);
}

#[test]
fn a_denial_says_how_long_it_counts() {
    let server = Child::serve("dns");
    let soa = "example.com. 300 IN SOA ns1.example.com. hostmaster.example.com. 2026010101 7200 900 1209600 300";
    for (name, status) in [("nope", "NXDOMAIN"), ("mail", "NOERROR"), ("deep.name", "NOERROR")] {
        let Some(said) = dig(&server, &[&format!("{name}.example.com"), "TXT"]) else { return };
        holds(&said, &[&format!("status: {status}"), "flags: qr aa rd;", "ANSWER: 0, AUTHORITY: 1", soa]);
    }
}

#[test]
fn what_belongs_to_others_is_referred_or_refused() {
    let server = Child::serve("dns");
    let Some(said) = dig(&server, &["host.sub.example.com", "A"]) else { return };
    holds(&said, &["status: NOERROR", "flags: qr rd;", "sub.example.com. 3600 IN NS ns.sub.example.com."]);
    holds(&said, &["ns.sub.example.com. 3600 IN A 192.0.2.53", "ANSWER: 0, AUTHORITY: 2, ADDITIONAL: 3"]);
    for (args, status) in [
        (&["example.net", "A"] as &[&str], "REFUSED"),
        (&["badexample.com", "A"], "REFUSED"),
        (&["example.com", "CH", "TXT"], "REFUSED"),
        (&["example.com", "+opcode=STATUS"], "NOTIMP"),
        (&["example.com", "+opcode=NOTIFY", "SOA"], "NOTIMP"),
        (&["example.com", "+edns=1", "+noednsnegotiation"], "BADVERS"),
    ] {
        let said = dig(&server, args).unwrap_or_default();
        holds(&said, &[&format!("status: {status}"), "flags: qr rd;", "ANSWER: 0, AUTHORITY: 0"]);
    }
    let said = dig(&server, &["example.com", "AXFR"]).unwrap_or_default();
    holds(&said, &["Transfer failed."]);
}

#[test]
fn who_asks_for_all_is_told_no_more_than_needed() {
    let server = Child::serve("dns");
    let Some(said) = dig(&server, &["+notcp", "example.com", "ANY"]) else { return };
    holds(&said, &["example.com. 3600 IN SOA", "ANSWER: 1, AUTHORITY: 0, ADDITIONAL: 1"]);
    let said = dig(&server, &["+notcp", "www.example.com", "ANY"]).unwrap_or_default();
    holds(&said, &["www.example.com. 60 IN CNAME example.com.", "ANSWER: 1, AUTHORITY: 0"]);
    let said = dig(&server, &["+notcp", "deep.name.example.com", "ANY"]).unwrap_or_default();
    holds(&said, &["status: NOERROR", "ANSWER: 0, AUTHORITY: 1"]);
}

#[test]
fn a_long_answer_is_cut_over_udp_and_whole_over_tcp() {
    let server = Child::serve("dns");
    let Some(said) = dig(&server, &["+noedns", "+ignore", "big.example.com", "TXT"]) else { return };
    holds(&said, &["flags: qr aa tc rd;", "ANSWER: 4,"]);
    let said = dig(&server, &["+bufsize=600", "+ignore", "big.example.com", "TXT"]).unwrap_or_default();
    holds(&said, &["flags: qr aa tc rd;", "ANSWER: 4, AUTHORITY: 0, ADDITIONAL: 1"]);
    let said = dig(&server, &["+bufsize=100", "+ignore", "big.example.com", "TXT"]).unwrap_or_default();
    holds(&said, &["flags: qr aa tc rd;", "ANSWER: 3, AUTHORITY: 0, ADDITIONAL: 1"]);
    for args in [&["+noedns"] as &[&str], &["+bufsize=600"], &["+bufsize=4096"], &["+tcp", "+noedns"]] {
        let said = dig(&server, &[args, &["big.example.com", "TXT"]].concat()).unwrap_or_default();
        holds(&said, &["flags: qr aa rd;", "ANSWER: 6,", "six 0123"]);
        let is_cut_first = args == ["+noedns"] || args == ["+bufsize=600"];
        assert_eq!(said.contains("Truncated, retrying in TCP mode"), is_cut_first, "{said}");
    }
}

#[test]
fn garbage_from_python_harms_nobody() {
    const SCRIPT: &str = r#"
import os, random, socket, struct, sys
port, question = int(sys.argv[1]), bytes.fromhex(sys.argv[2])
random.seed(1)
def garbage():
    yield b""
    for n in range(len(question)):
        yield question[:n]
        yield question[:n] + bytes([random.randrange(256)]) + question[n + 1:]
    for n in range(200):
        yield bytes(random.randrange(256) for _ in range(random.randrange(700)))
    yield question[:12] + b"\xc0\x0c" + question[-4:]
    yield b"\x12\x34\0\0" + b"\xff\xff" * 4 + b"\xc0\x0c" * 30000
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.connect(("127.0.0.1", port))
for message in garbage():
    udp.send(message)
    tcp = socket.create_connection(("127.0.0.1", port))
    tcp.sendall(struct.pack("!H", len(message)) + message)
    tcp.shutdown(socket.SHUT_WR)
    answer = tcp.makefile("rb").read()
    assert len(answer) < 512, answer
    tcp.close()
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.settimeout(20)
udp.connect(("127.0.0.1", port))
udp.send(question)
print(udp.recv(512)[:4].hex())
"#;
    let server = Child::serve("dns");
    let Some(mut python) = client("python3") else { return };
    let question: String = QUESTION.iter().map(|byte| format!("{byte:02x}")).collect();
    let args = ["-c", SCRIPT, &server.address.port().to_string(), &question];
    let said = python.args(args).stdin(Stdio::null()).output().expect("python starts");
    assert_eq!(String::from_utf8_lossy(&said.stdout), "12348500\n", "{}", String::from_utf8_lossy(&said.stderr));
    assert_eq!(server.interrupt(&[]).stderr, ["Error: interrupted by SIGINT"]);
}

#[test]
fn many_questions_on_one_connection_are_answered_in_order_however_they_are_cut() {
    const N_QUESTIONS: u16 = 2000;
    let server = Child::serve("dns");
    let mut tcp = server.connect();
    let mut writer = tcp.try_clone().expect("the socket can be cloned");
    // More than the buffers hold, from a client that reads nothing before it has sent all.
    let writing = std::thread::spawn(move || {
        for piece in (0..N_QUESTIONS).flat_map(|n| framed(&numbered(BIG_QUESTION, n))).collect::<Vec<_>>().chunks(999) {
            writer.write_all(piece).expect("the server reads");
        }
        writer.shutdown(Shutdown::Write).expect("the socket is connected");
    });
    for n in 0..N_QUESTIONS {
        let answer = answer_of(&mut tcp);
        assert_eq!(answer[..2], n.to_be_bytes());
        assert!(answer.len() > 700);
    }
    assert_eq!(child::receive_all(&tcp), b"");
    writing.join().expect("everything is sent");
    let mut slow = server.connect();
    for byte in framed(QUESTION) {
        slow.write_all(&[byte]).expect("the server reads");
    }
    assert_eq!(answer_of(&mut slow)[..4], *b"\x12\x34\x85\0");
}

#[test]
fn a_message_without_a_header_and_an_answer_close_the_connection() {
    let server = Child::serve("dns");
    for message in [&QUESTION[..11], b"", b"\x12\x34\x81\0\0\x01\0\0\0\0\0\0\0\0\x01\0\x01"] {
        let mut tcp = server.connect();
        tcp.write_all(&framed(message)).expect("the server reads");
        assert_eq!(child::receive_all(&tcp), b"");
    }
}

#[cfg(feature = "testing")]
#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_as_a_question_is_left_alone() {
    over_udp(async |_, peer| {
        let mut answer = QUESTION.to_vec();
        answer[2] |= 0x80;
        for message in [&answer[..], b"", QUESTION] {
            peer.send(message);
        }
        let (got, to) = peer.read().await.expect("the question is answered");
        assert_eq!((&got[..4], got.len(), to), (&b"\x12\x34\x85\0"[..], 45, peer.address()));
        assert_eq!(peer.n_unread(), 0);
    })
    .await;
}

#[cfg(feature = "testing")]
#[tokio::test(start_paused = true)]
async fn while_answers_pile_up_questions_are_lost() {
    over_udp(async |transport, peer| {
        peer.set_capacity(0);
        let n_kept = transport.get_write_buffer_limits().1 / (45 + 8) + 1;
        for _ in 0..2 * n_kept {
            peer.send(QUESTION);
            foster::checkpoint().await;
        }
        sleep(PATIENCE).await;
        assert!(transport.is_writing_paused());
        peer.set_capacity(usize::MAX);
        sleep(PATIENCE).await;
        assert_eq!(peer.received().len(), n_kept);
        peer.send(QUESTION);
        assert!(peer.read().await.is_some());
    })
    .await;
}

/// Plays a scenario with the protocol of datagrams.
#[cfg(feature = "testing")]
async fn over_udp(scenario: impl AsyncFnOnce(&DatagramTransportRef, &testing::DatagramPeer)) {
    let played = run_here(open_nursery(async |nursery| {
        let protocol =
            DNSDatagramProtocol { controller: Rc::new(factory()), transport: DatagramTransportRef::default() };
        let (transport, _protocol, peer) = testing::bind_datagram(&nursery, protocol);
        scenario(&transport, &peer).await;
        transport.close();
        foster::Ok(())
    }));
    played.await.expect("nothing fails");
}

#[test]
fn every_cut_and_every_wrong_byte_of_a_question_is_answered_or_left_alone() {
    let factory = factory();
    let question = [&QUESTION[..11], b"\x01", &QUESTION[12..], OPT].concat();
    assert_eq!(code(&factory, &question), Some(0));
    for n in 0..question.len() {
        assert_eq!(code(&factory, &question[..n]), (n >= 12).then_some(1), "cut at {n}");
        for byte in 0..=u8::MAX {
            let mut wrong = question.clone();
            wrong[n] = byte;
            let answer = factory.message_received(&wrong, max_udp_size);
            assert!(answer.is_none_or(|answer| answer.len() <= 1232), "{byte} at {n}");
        }
    }
    assert_eq!(code(&factory, &[&question[..], b"\0"].concat()), Some(0), "what is behind it does not count");
}

#[test]
fn pointers_that_lead_round_or_forward_are_refused() {
    let factory = factory();
    let head = &QUESTION[..12];
    for name in [
        &b"\xc0\x0c"[..],
        b"\x01a\xc0\x0c",
        b"\xc0\x0e\xc0\x0c",
        b"\xc0\x10\0",
        b"\xff\xff",
        b"\x40a\0",
        b"\x80a\0",
        &[&[63][..], &[b'a'; 63]].concat().repeat(4),
    ] {
        assert_eq!(code(&factory, &[head, name, b"\0\0\x01\0\x01"].concat()), Some(1), "{name:?}");
    }
}

#[test]
fn only_one_question_and_one_opt_record_are_taken() {
    let factory = factory();
    let with_counts = |counts: &[u8], rest: &[u8]| [&QUESTION[..4], counts, &QUESTION[12..], rest].concat();
    assert_eq!(code(&factory, &with_counts(b"\0\x02\0\0\0\0\0\0", &QUESTION[12..])), Some(1));
    assert_eq!(code(&factory, &with_counts(b"\0\0\0\0\0\0\0\0", b"")), Some(1));
    assert_eq!(code(&factory, &with_counts(b"\0\x01\0\0\0\0\0\x02", &OPT.repeat(2))), Some(1));
    assert_eq!(code(&factory, &with_counts(b"\0\x01\xff\xff\xff\xff\xff\xff", OPT)), Some(1));
    let record = b"\xc0\x0c\0\x01\0\x01\0\0\0\0\0\x04abcd";
    assert_eq!(code(&factory, &with_counts(b"\0\x01\0\x01\0\0\0\0", record)), Some(1), "a question has no answer");
    assert_eq!(code(&factory, &with_counts(b"\0\x01\0\0\0\0\0\x02", &[record, OPT].concat())), Some(0));
    assert_eq!(code(&factory, &with_counts(b"\0\x01\0\0\0\0\0\x03", &record.repeat(3))), Some(1));
}

#[test]
fn a_zone_that_makes_no_sense_is_refused_with_its_line() {
    const SOA: &str = "$ORIGIN a.\n$TTL 60\n@ SOA ns h 1 2 3 4 5\n";
    for (text, wanted) in [
        ("www A 192.0.2.1", "line 1:5: missing origin"),
        (" 60 A 192.0.2.1", "line 1:2: missing last owner"),
        ("a. 60 A 192.0.2.1 2", "line 1:19: trailing tokens"),
        ("\n$INCLUDE x", "$INCLUDE is not implemented"),
        ("a. 60 A 192.0.2.1", "a zone has exactly one SOA record"),
        (&format!("{SOA}@ SOA ns h 1 2 3 4 5"), "a zone has exactly one SOA record"),
        (&format!("{SOA}b. A 192.0.2.1"), "b is not in the zone"),
        (&format!("{SOA}x CNAME @"), "x.a: the name that @ stands for has to be written out"),
        (&format!("{SOA}x CNAME y\nx A 192.0.2.1"), "a name with a CNAME has no other records"),
    ] {
        assert_eq!(FileAuthority::load(text.as_bytes()).err().as_deref(), Some(wanted), "{text}");
    }
}

#[test]
fn a_zone_file_is_served_and_one_that_is_missing_or_wrong_is_said_in_one_sentence() {
    let folder = std::env::temp_dir().join(format!("foster-dns-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    let file = folder.join("test.zone");
    let path = file.to_str().expect("the path is text");
    let zone = "$ORIGIN test.\n@ 86400 IN SOA . . ( 1 1\n 1 1 1 ) ; the end\n IN 7 A 127.0.0.9\n";
    std::fs::write(&file, zone).expect("a file can be written");
    let server = Child::serve_with("dns", &["--zone", path]);
    if let Some(said) = dig(&server, &["test", "A"]) {
        holds(&said, &["test. 7 IN A 127.0.0.9"]);
    }
    std::fs::write(&file, "nonsense").expect("a file can be written");
    let wrong = child::run("dns", &["--zone", path]);
    let said = String::from_utf8_lossy(&wrong.stderr).into_owned();
    let wanted = format!("dns: {path}: line 2:1: missing origin\n");
    assert_eq!((wrong.status.code(), said), (Some(2), wanted));
    std::fs::remove_dir_all(&folder).expect("it is there");
    let missing = child::run("dns", &["--zone", path]);
    let said = String::from_utf8_lossy(&missing.stderr).into_owned();
    assert!(missing.status.code() == Some(2) && said.starts_with(&format!("dns: cannot read {path}: ")), "{said}");
}

#[test]
fn ctrl_c_stops_it_at_once_with_half_a_question_received() {
    let server = Child::serve("dns");
    let (mut half, mut whole) = (server.connect(), server.connect());
    whole.write_all(&framed(QUESTION)).expect("the server reads");
    answer_of(&mut whole);
    half.write_all(&framed(QUESTION)[..9]).expect("the server reads");
    let ended = server.interrupt(&[&half, &whole]);
    assert_eq!((ended.code, &*ended.stderr), (Some(130), &["Error: interrupted by SIGINT".to_owned()][..]));
}

#[cfg(feature = "testing")]
#[tokio::test(start_paused = true)]
async fn a_connection_that_is_silent_is_ended() {
    let ended = run_here(open_nursery(async |nursery| {
        let protocol = Int16StringProtocol::new(DNSProtocol { controller: Rc::new(factory()) });
        let (_transport, _protocol, peer) = testing::connect(&nursery, protocol);
        sleep(TCP_IDLE_TIMEOUT / 2).await;
        peer.send(framed(QUESTION));
        assert_eq!(peer.read().await.len(), 2 + 45);
        sleep(TCP_IDLE_TIMEOUT / 2).await;
        assert!(!peer.is_closed());
        sleep(TCP_IDLE_TIMEOUT).await;
        assert!(peer.is_closed());
        foster::Ok(())
    }));
    ended.await.expect("nothing fails");
}

/// What `dig` says, with one space between words; `None` where it is not installed.
fn dig(server: &Child, args: &[&str]) -> Option<String> {
    let mut dig = client("dig")?;
    dig.args(["@127.0.0.1", "-p", &server.address.port().to_string(), "+tries=1", "+timeout=20", "+nocookie"]);
    let output = dig.args(args).stdin(Stdio::null()).output().expect("dig starts");
    let said = String::from_utf8_lossy(&output.stdout).replace('\t', " ");
    let words: Vec<&str> = said.split(' ').filter(|word| !word.is_empty()).collect();
    Some(words.join(" "))
}

fn holds(said: &str, wanted: &[&str]) {
    for wanted in wanted {
        assert!(said.contains(wanted), "there is no {wanted:?} in {said}");
    }
}

fn factory() -> DNSServerFactory {
    DNSServerFactory { authority: FileAuthority::load(include_bytes!("example.zone")).expect("the sample is good") }
}

/// The response code of the answer.
fn code(factory: &DNSServerFactory, message: &[u8]) -> Option<u8> {
    factory.message_received(message, max_udp_size).map(|answer| answer[3] & 0xf)
}

fn numbered(question: &[u8], n: u16) -> Vec<u8> {
    [&n.to_be_bytes(), &question[2..]].concat()
}

fn framed(message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len()).expect("a test sends short messages");
    [&length.to_be_bytes(), message].concat()
}

fn answer_of(mut tcp: impl Read) -> Vec<u8> {
    let mut length = [0; 2];
    tcp.read_exact(&mut length).expect("the server answers");
    let mut answer = vec![0; u16::from_be_bytes(length).into()];
    tcp.read_exact(&mut answer).expect("the server answers in full");
    answer
}
