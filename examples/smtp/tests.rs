use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{self, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;
use std::{env, fs, thread};

use foster::{ExceptionContext, Loop, LoopThread, SslContext, get_running_loop, run_in_thread};

use super::child::{self, Child, PATIENCE};
use super::clients::client;
use super::handler::{Envelope, Handler, Session};
use super::*;

const FIVE_MEGABYTES: usize = 5 * 1024 * 1024;

/// What every script begins with: a connection to the port that is the first argument.
const PRELUDE: &str = r#"
import base64, smtplib, ssl, sys
client = smtplib.SMTP("localhost", int(sys.argv[1]), local_hostname="client.example", timeout=30)

def secure():
    client.starttls(context=ssl.create_default_context(cafile=sys.argv[2]))

def refused(code, exception, call, *args):
    try:
        call(*args)
    except exception as exc:
        got = [exc.smtp_code] if hasattr(exc, "smtp_code") else [code for code, _ in exc.recipients.values()]
        assert got == [code], got
    else:
        raise AssertionError("not refused")

"#;

// ---- Python's smtplib

#[test]
fn smtplib_sends_a_message_with_dots_at_the_start_of_lines() {
    let (server, mut mails) = Open::new(Settings::default);
    let script = r#"
body = b"Subject: dots\r\n\r\n.\r\n..\r\n.hidden\r\nno.dot\r\n\r\nend \xff\r\n"
assert client.sendmail("ada@example.org", ["bob@example.org", "eve@example.org"], body, ["BODY=8BITMIME"]) == {}
assert set(client.esmtp_features) == {"pipelining", "size", "8bitmime"}, client.esmtp_features
client.sendmail("", ["bob@example.org"], b"second\r\n")
client.quit()
"#;
    let Some(()) = server.python(script, &[]) else { return };
    let mail = mails.next();
    assert_eq!(mail.from, "ada@example.org");
    assert_eq!(mail.to, ["bob@example.org", "eve@example.org"]);
    assert_eq!(mail.options[1..], ["BODY=8BITMIME"]);
    assert_eq!(mail.content, b"Subject: dots\r\n\r\n.\r\n..\r\n.hidden\r\nno.dot\r\n\r\nend \xff\r\n");
    let second = mails.next();
    assert_eq!((&*second.from, &*second.content), ("", &b"second\r\n"[..]));
}

#[test]
fn smtplib_gets_552_for_too_large_a_message_and_goes_on() {
    let (server, mut mails) = Open::new(|| Settings { data_size_limit: FIVE_MEGABYTES, ..Settings::default() });
    let script = r#"
large = (b"x" * 98 + b"\r\n") * 104858
# It says the size first, and is stopped there.
refused(552, smtplib.SMTPSenderRefused, client.sendmail, "ada@example.org", "bob@example.org", large)
# It says nothing, and sends all of it.
for say in ("mail FROM:<ada@example.org>", "rcpt TO:<bob@example.org>"):
    assert client.docmd(say)[0] == 250
assert client.data(large) == (552, b"Error: Too much mail data")
client.sendmail("ada@example.org", "bob@example.org", large[:5 * 1024 * 1024 - 86])
client.quit()
"#;
    let Some(()) = server.python(script, &[]) else { return };
    // The last is as long as is allowed: smtplib completes the last line.
    let mail = mails.next();
    assert!(
        mail.content.len() <= FIVE_MEGABYTES && mail.content.len() > FIVE_MEGABYTES - 200,
        "{}",
        mail.content.len()
    );
    mails.is_empty();
}

#[test]
fn smtplib_logs_in_over_tls_with_each_mechanism() {
    let identity = Identity::new();
    let context = identity.context();
    let (server, mut mails) = Open::new(|| of_ada(context));
    let script = r#"
client.ehlo()
assert "auth" not in client.esmtp_features and "starttls" in client.esmtp_features
assert client.docmd("AUTH", "PLAIN AGFkYQBsb3ZlbGFjZQ==")[0] == 538
assert client.docmd("MAIL", "FROM:<ada@example.org>")[0] == 530
secure()
# The greeting is forgotten.
assert client.docmd("MAIL", "FROM:<ada@example.org>")[0] == 503
client.ehlo()
assert client.esmtp_features["auth"].split() == ["LOGIN", "PLAIN"], client.esmtp_features
assert "starttls" not in client.esmtp_features
assert client.docmd("STARTTLS")[0] == 503
refused(535, smtplib.SMTPAuthenticationError, client.login, "ada", "wrong")
mechanism, initial = sys.argv[3:]
client.user, client.password = "ada", "lovelace"
auth = getattr(client, "auth_" + mechanism.lower())
assert client.auth(mechanism, auth, initial_response_ok=initial == "initial")[0] == 235
assert client.docmd("AUTH", "PLAIN AGFkYQBsb3ZlbGFjZQ==")[0] == 503
client.sendmail("ada@example.org", "bob@example.org", "Subject: secret\r\n\r\n" + "x" * 900)
client.quit()
"#;
    for mechanism in ["PLAIN", "LOGIN"] {
        for initial in ["initial", "asked"] {
            let (ca, _) = identity.paths();
            let Some(()) = server.python(script, &[ca, mechanism, initial]) else { return };
            let mail = mails.next();
            assert_eq!((mail.is_tls, mail.login.as_deref()), (true, Some("ada")));
        }
    }
}

#[test]
fn smtplib_is_told_what_is_wrong_with_a_login() {
    let identity = Identity::new();
    let context = identity.context();
    let (server, mut mails) = Open::new(|| of_ada(context));
    let script = r#"
client.ehlo()
secure()
client.helo()
assert client.docmd("AUTH PLAIN")[0] == 500
client.ehlo()
assert client.docmd("MAIL", "FROM:<ada@example.org>")[0] == 530
for said, answers in {
    "AUTH": [504],
    "AUTH PLAIN a b": [501],
    "AUTH NTLM": [504],
    "AUTH PLAIN AGFkYQ==": [501],
    "AUTH PLAIN AGFk": [501],
    "AUTH PLAIN !!!!": [501],
    "AUTH PLAIN //8=": [501],
    "AUTH PLAIN": [334, 501],
    "AUTH LOGIN": [334, 501],
    "AUTH LOGIN YWRh": [334, 501],
}.items():
    got = [client.docmd(said)[0]]
    if got == [334]:
        got.append(client.docmd("*")[0])
    assert got == answers, (said, got)
client.login("ada", "lovelace")
client.sendmail("ada@example.org", "bob@example.org", "hello")
client.quit()
"#;
    let (ca, _) = identity.paths();
    let Some(()) = server.python(script, &[ca]) else { return };
    assert_eq!(mails.next().login.as_deref(), Some("ada"));
}

// ---- swaks

#[test]
fn swaks_sends_a_message() {
    let server = Child::serve("smtp");
    let Some(mut swaks) = client("swaks") else { return };
    let output = swaks.args(["--server", &server.address.to_string(), "--to", "ada@example.org", "--timeout", "20"]);
    let said = succeeded(output.output());
    assert!(said.contains("221 Bye"), "{said}");
    assert_eq!(server.line(), "---------- MESSAGE FOLLOWS ----------");
    let message: Vec<String> =
        std::iter::repeat_with(|| server.line()).take_while(|line| !line.contains("END")).collect();
    assert!(message.contains(&"To: ada@example.org".to_owned()), "{message:?}");
    assert!(message.iter().any(|line| line.starts_with("X-Peer: 127.0.0.1")), "{message:?}");
}

#[test]
fn swaks_upgrades_and_logs_in() {
    let identity = Identity::new();
    let (cert, key) = identity.paths();
    let server = Child::serve_with("smtp", &["--cert", cert, "--key", key, "--user", "ada:lovelace"]);
    for (mechanism, password, is_accepted) in
        [("PLAIN", "lovelace", true), ("LOGIN", "lovelace", true), ("PLAIN", "wrong", false)]
    {
        let Some(mut swaks) = client("swaks") else { return };
        let address = server.address.to_string();
        swaks.args(["--server", &address, "--to", "bob@example.org", "--timeout", "20", "--tls", "--auth", mechanism]);
        let output = swaks.args(["--auth-user", "ada", "--auth-password", password]).output();
        if is_accepted {
            let said = succeeded(output);
            assert!(said.contains("235 2.7.0") && said.contains("250 OK"), "{said}");
        } else {
            let output = output.expect("swaks runs");
            // swaks's number for a login that has failed.
            assert_eq!(output.status.code(), Some(28), "{output:?}");
        }
    }
}

// ---- curl

#[test]
fn curl_uploads_a_message_in_plain_and_over_tls() {
    let identity = Identity::new();
    let (cert, key) = identity.paths();
    let server = Child::serve_with("smtp", &["--cert", cert, "--key", key]);
    let mail = identity.folder.join("mail");
    fs::write(&mail, "Subject: hello\r\n\r\n.from curl\r\n").expect("a file can be written");
    let url = format!("smtp://localhost:{}/client.example", server.address.port());
    let mail = mail.to_str().expect("a path of ours is text");
    for secure in [&[][..], &["--ssl-reqd", "--cacert", cert]] {
        let Some(mut curl) = client("curl") else { return };
        curl.args(["--silent", "--show-error", "--max-time", "20", "--url", &url, "--upload-file", mail]);
        curl.args(["--mail-from", "ada@example.org", "--mail-rcpt", "bob@example.org"]);
        succeeded(curl.args(secure).output());
        let message: Vec<String> = (0..6).map(|_| server.line()).collect();
        assert!(message[1].starts_with("X-Peer: "), "{message:?}");
        assert_eq!([&*message[2], &*message[4]], ["Subject: hello", ".from curl"]);
    }
}

// ---- by hand

#[test]
fn commands_that_come_at_once_are_answered_in_their_order() {
    let (server, mut mails) = Open::new(Settings::default);
    let mut client = server.connect();
    client.sends(
        b"EHLO client.example\r\nMAIL FROM:<ada@example.org> SIZE=7\r\nRCPT TO:<bob@example.org>\r\n\
          RCPT TO:<not an address>\r\nNOOP ignored\r\nDATA\r\nhello\r\n.\r\nRSET\r\nQUIT\r\n",
    );
    client.reads_codes(&["250", "250", "250", "553", "250", "354", "250", "250", "221"]);
    client.is_closed();
    assert_eq!(mails.next().content, b"hello\r\n");
}

#[test]
fn commands_may_be_cut_at_any_byte_and_may_end_with_the_stream() {
    let (server, mut mails) = Open::new(Settings::default);
    let mut client = server.connect();
    for byte in
        b"HELO client\r\nmail from:ada@example.org\r\nRcpt To: <bob@example.org>\r\ndata\r\n..\r\n\r\n.\r\nNOOP\n"
    {
        client.sends(&[*byte]);
    }
    client.stream.get_ref().shutdown(Shutdown::Write).expect("the socket is connected");
    client.reads_codes(&["250", "250", "250", "354", "250", "250"]);
    client.is_closed();
    assert_eq!(mails.next().content, b".\r\n\r\n");
}

#[test]
fn a_message_that_the_stream_cuts_off_is_not_delivered() {
    let (server, mut mails) = Open::new(Settings::default);
    let mut client = server.connect();
    client.begins_message();
    client.sends(b"half a message\r\n.");
    client.stream.get_ref().shutdown(Shutdown::Write).expect("the socket is connected");
    client.is_closed();
    let mut other = server.connect();
    other.begins_message();
    other.sends(b"whole\r\n.\r\n");
    other.reads("250 OK");
    assert_eq!(mails.next().content, b"whole\r\n");
    assert_eq!(server.reports(), [] as [&str; 0]);
}

#[test]
fn only_a_dot_between_the_right_line_ends_ends_a_message() {
    let (server, mut mails) = Open::new(Settings::default);
    for smuggled in ["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r"] {
        let mut client = server.connect();
        client.begins_message();
        let message = format!("before{smuggled}MAIL FROM:<eve@example.org>\r\n");
        client.sends(format!("{message}.\r\nQUIT\r\n").as_bytes());
        client.reads_codes(&["250", "221"]);
        client.is_closed();
        // A dot in front of a whole line is the doubled one.
        let expected = message.replace("\r\n.", "\r\n");
        assert_eq!(String::from_utf8_lossy(&mails.next().content), expected, "{smuggled:?}");
    }
    mails.is_empty();
}

#[test]
fn a_line_over_the_limit_is_refused_and_the_connection_lives() {
    let (server, mut mails) = Open::new(Settings::default);
    let mut client = server.connect();
    client.says("EHLO client.example");
    client.reads_codes(&["250"]);
    for n in [LINE_LENGTH_LIMIT - 5, 2_000_000] {
        client.says(&format!("NOOP {}", "x".repeat(n)));
        client.reads("500 Command line too long");
    }
    client.says(&format!("NOOP {}", "x".repeat(LINE_LENGTH_LIMIT - 6)));
    client.reads("250 OK");
    // The dot behind the long line does not begin one.
    for line in ["x".repeat(LINE_LENGTH_LIMIT), "x".repeat(3_000_000) + "\r\n" + &"y".repeat(50_000)] {
        client.starts_message();
        client.sends(format!("short\r\n{line}.\r\nshort\r\n.\r\n").as_bytes());
        client.reads("500 Line too long (see RFC5321 4.5.3.1.6)");
    }
    client.starts_message();
    let longest = "x".repeat(LINE_LENGTH_LIMIT) + "\r\n";
    client.sends(format!("{longest}.\r\n").as_bytes());
    client.reads("250 OK");
    assert_eq!(mails.next().content, longest.as_bytes());
    mails.is_empty();
}

#[test]
fn what_is_wrong_is_answered_and_harms_nobody() {
    let (server, _mails) = Open::new(Settings::default);
    let mut client = server.connect();
    for (said, answer) in [
        (&b""[..], "500 Error: bad syntax"),
        (b" ", "500 Error: bad syntax"),
        (b"\xff\xfe", "500 Error: strict ASCII mode"),
        (b"NOOP \xc3\xbc", "500 Error: strict ASCII mode"),
        (b"MAIL FROM:<a@b>", "503 Error: send HELO first"),
        (b"RCPT TO:<a@b>", "503 Error: send HELO first"),
        (b"DATA", "503 Error: send HELO first"),
        (b"HELO", "501 Syntax: HELO hostname"),
        (b"EHLO ", "501 Syntax: EHLO hostname"),
        (b"HELO client.example", "250 localhost"),
        (b"RCPT TO:<a@b>", "503 Error: need MAIL command"),
        (b"MAIL", "501 Syntax: MAIL FROM: <address>"),
        (b"MAIL FROM:", "501 Syntax: MAIL FROM: <address>"),
        (b"MAIL TO:<a@b>", "501 Syntax: MAIL FROM: <address>"),
        (b"MAIL FROM:<a@b> SIZE=1", "501 Syntax: MAIL FROM: <address>"),
        (b"AUTH PLAIN", "500 Error: command \"AUTH\" not recognized"),
        (b"STARTTLS", "454 TLS not available"),
        (b"STARTTLS now", "501 Syntax: STARTTLS"),
        (b"VRFY ada", "252 Cannot VRFY user, but will accept message and attempt delivery"),
        (b"GET / HTTP/1.1", "500 Error: command \"GET\" not recognized"),
        (b"RSET now", "501 Syntax: RSET"),
        (b"QUIT now", "501 Syntax: QUIT"),
        (b"MAIL FROM:<>", "250 OK"),
        (b"MAIL FROM:<>", "503 Error: nested MAIL command"),
        (b"DATA", "503 Error: need RCPT command"),
        (b"RCPT TO:<>", "553 5.1.3 Error: malformed address"),
        (b"RCPT TO:<a@b> NOTIFY=NEVER", "555 RCPT TO parameters not recognized or not implemented"),
        (b"RCPT TO:<Postmaster>", "250 OK"),
        (b"DATA now", "501 Syntax: DATA"),
        (b"RSET", "250 OK"),
        (b"DATA", "503 Error: need RCPT command"),
    ] {
        client.sends(&[said, b"\r\n"].concat());
        assert_eq!(client.line(), answer, "{}", said.escape_ascii());
    }
    client.says("EHLO client.example");
    client.reads_codes(&["250"]);
    for (parameters, answer) in [
        ("BODY=BINARYMIME", "555 MAIL FROM parameters not recognized or not implemented"),
        ("SIZE", "555 MAIL FROM parameters not recognized or not implemented"),
        ("SIZE=many", "552 Error: message size exceeds fixed maximum message size"),
        ("SIZE=33554433", "552 Error: message size exceeds fixed maximum message size"),
        ("SIZE=99999999999999999999999999", "552 Error: message size exceeds fixed maximum message size"),
        ("SMTPUTF8", "555 MAIL FROM parameters not recognized or not implemented"),
        ("SIZE=33554432 body=7bit", "250 OK"),
    ] {
        client.says(&format!("MAIL FROM:<a@b> {parameters}"));
        assert_eq!(client.line(), answer, "{parameters}");
    }
}

#[test]
fn too_many_recipients_are_refused() {
    let (server, mut mails) = Open::new(Settings::default);
    let mut client = server.connect();
    client.says("HELO client.example");
    client.says("MAIL FROM:<ada@example.org>");
    client.reads_codes(&["250", "250"]);
    for n in 0..MAX_RECIPIENTS {
        client.says(&format!("RCPT TO:<{n}@example.org>"));
        client.reads("250 OK");
    }
    client.says("RCPT TO:<one@too.many>");
    client.reads("452 4.5.3 Error: too many recipients");
    client.says("DATA");
    client.reads_codes(&["354"]);
    client.sends(b".\r\n");
    client.reads("250 OK");
    assert_eq!(mails.next().to.len(), MAX_RECIPIENTS);
}

#[test]
fn a_client_that_makes_no_progress_is_let_go() {
    let (server, mails) = Open::new(|| Settings { timeout: Duration::from_millis(50), ..Settings::default() });
    let mut silent = server.connect();
    silent.is_closed();
    // In the middle of a message.
    let mut slow = child::connect(server.address);
    slow.write_all(b"HELO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\nDATA\r\nhalf").expect("the server reads");
    child::receive_all(&slow);
    mails.is_empty();
    // What is no command does not count. One who reads nothing would keep a mere `close` waiting.
    for (flood, reads) in [("\r\n".repeat(10), true), ("NOOP\r\n".repeat(1000), false)] {
        let mut client = child::connect(server.address);
        if reads {
            let mut answers = client.try_clone().expect("a socket has a second handle");
            thread::spawn(move || io::copy(&mut answers, &mut io::sink()));
        }
        let ended = loop {
            if let Err(error) = client.write_all(flood.as_bytes()) {
                break error;
            }
        };
        assert!(!matches!(ended.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{ended}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_message_that_is_too_large_takes_no_memory() {
    const LIMIT: usize = 1_000_000;
    let server = Child::serve_with("smtp", &["--size", &LIMIT.to_string()]);
    let mut client = Client::connect(server.address);
    client.begins_message();
    let before = server.peak_memory();
    for (chunk, answer) in [
        ("x".repeat(998) + "\r\n", "552 Error: Too much mail data"),
        ("x".repeat(1000), "500 Line too long (see RFC5321 4.5.3.1.6)"),
    ] {
        for _ in 0..50 {
            client.sends(chunk.repeat(1000).as_bytes());
        }
        client.sends(b"\r\n.\r\n");
        client.reads(answer);
        client.starts_message();
    }
    let grown = server.peak_memory() - before;
    assert!(grown < 10 * LIMIT, "{grown} bytes for {LIMIT}");
}

#[test]
fn an_error_of_the_handler_is_answered_and_reported() {
    let (server, mut mails) = Open::new(Settings::default);
    let mut client = server.connect();
    client.says("HELO client.example");
    client.reads_codes(&["250"]);
    client.says("MAIL FROM:<fails@example.org>");
    client.reads("500 Error: no such sender");
    client.says("MAIL FROM:<refused@example.org>");
    client.reads("550 not you");
    client.starts_message();
    client.sends(b"fail\r\n.\r\n");
    client.reads("500 Error: the disk is full");
    client.starts_message();
    client.sends(b"fine\r\n.\r\n");
    client.reads("250 OK");
    assert_eq!(mails.next().content, b"fine\r\n");
    assert_eq!(
        server.reports(),
        ["SMTP session exception: no\nsuch sender", "SMTP session exception: the disk is full"]
    );
}

#[test]
fn a_handler_may_change_what_ehlo_is_answered_with() {
    let (server, _mails) = Open::new(Settings::default);
    let mut client = server.connect();
    client.says("EHLO short.example");
    client.reads("250-localhost");
    client.reads("250 8BITMIME");
}

#[test]
fn a_panic_of_the_handler_ends_that_connection_alone() {
    let (server, mut mails) = Open::new(Settings::default);
    let mut stays = server.connect();
    stays.begins_message();
    let mut client = server.connect();
    client.begins_message();
    client.sends(b"panic\r\n.\r\n");
    client.is_closed();
    stays.sends(b"fine\r\n.\r\n");
    stays.reads("250 OK");
    assert_eq!(mails.next().content, b"fine\r\n");
}

#[test]
fn what_is_sent_behind_starttls_in_plain_is_never_obeyed() {
    let identity = Identity::new();
    let (cert, key) = identity.paths();
    let server = Child::serve_with("smtp", &["--cert", cert, "--key", key]);
    for injected in ["NOOP\r\n", "EHLO eve\r\nMAIL FROM:<eve@example.org>\r\nRCPT TO:<a@b>\r\nDATA\r\nspoofed\r\n.\r\n"]
    {
        let mut client = Client::connect(server.address);
        client.says("EHLO client.example");
        client.reads_codes(&["250"]);
        client.sends(format!("STARTTLS\r\n{injected}").as_bytes());
        client.reads("220 Ready to start TLS");
        let mut rest = client.stream.buffer().to_vec();
        rest.extend(child::receive_all(client.stream.get_ref()));
        // An alert (RFC 8446, 5.1) and no answer.
        assert!(
            rest.first() == Some(&21) && !rest.windows(3).any(|window| window == b"250"),
            "{}",
            rest.escape_ascii()
        );
    }
    // Nothing but the interrupt is worth a word.
    assert_eq!(server.interrupt(&[]).stderr.len(), 1);
}

#[test]
fn ctrl_c_stops_it_at_once_with_clients_connected() {
    let server = Child::serve("smtp");
    let mut clients = [Client::connect(server.address), Client::connect(server.address)];
    clients[0].begins_message();
    let [sending, idle] = &clients;
    let ended = server.interrupt(&[sending.stream.get_ref(), idle.stream.get_ref()]);
    assert_eq!((ended.code, &*ended.stderr), (Some(130), &["Error: interrupted by SIGINT".to_owned()][..]));
}

#[test]
fn wrong_arguments_are_told_in_a_sentence() {
    for (args, message) in [
        (&["--cert", "cert.pem"][..], "smtp: --cert and --key need each other\n"),
        (&["--size", "0"], "smtp: --size needs a number of bytes, 1 or more\n"),
        (&["--user", "ada"], "smtp: --user needs a login and a password, with a colon\n"),
    ] {
        let output = child::run("smtp", args);
        assert_eq!((output.status.code(), &*String::from_utf8_lossy(&output.stderr)), (Some(2), message));
    }
}

#[test]
fn addresses_are_taken_apart() {
    for (arg, expected) in [
        ("<a@b>", Some(("a@b", ""))),
        ("a@b SIZE=1", Some(("a@b", "SIZE=1"))),
        ("<a@b>  SIZE=1 X", Some(("a@b", "SIZE=1 X"))),
        ("<>", Some(("", ""))),
        ("<> BODY=7BIT", Some(("", "BODY=7BIT"))),
        ("<@relay,@other:a@b>", None),
        ("<\"a > b\"@c> X", None),
        ("<Postmaster>", Some(("Postmaster", ""))),
        ("", None),
        ("<", None),
        ("<a@b", None),
        ("a@b>", None),
        ("<a@b>X", None),
        ("<@relay>", None),
        ("<@relay:>", None),
        ("<a@>", None),
        ("<@>", None),
        ("<a b@c>", None),
        ("<a@b@c>", None),
        ("<a\tb@c>", None),
        ("<\">", None),
        ("<\"@c>", None),
    ] {
        assert_eq!(getaddr(arg), expected, "{arg}");
    }
}

// ---- a server in the test, and its mail

/// The app on a thread of its own; it ends with the test.
struct Open {
    address: SocketAddr,
    reports: Receiver<String>,
    _thread: LoopThread<Option<()>>,
}

/// What the handler was given.
struct Mail {
    from: String,
    options: Vec<String>,
    to: Vec<String>,
    content: Vec<u8>,
    is_tls: bool,
    login: Option<String>,
}

struct Mails(Receiver<Mail>);

impl Mails {
    fn next(&mut self) -> Mail {
        self.0.recv_timeout(PATIENCE).expect("a message is delivered")
    }

    /// Everything that was answered so far was looked at.
    fn is_empty(&self) {
        assert!(self.0.try_recv().is_err());
    }
}

/// Hands on what it accepts, and fails where it is asked to.
struct Collecting {
    mails: Sender<Mail>,
}

impl Handler for Collecting {
    async fn handle_ehlo(&self, session: &Session, mut responses: Vec<String>) -> Result<Vec<String>> {
        if session.host_name.as_deref() == Some("short.example") {
            responses.drain(1..responses.len() - 1);
        }
        Ok(responses)
    }

    async fn handle_mail(
        &self,
        _session: &Session,
        envelope: &mut Envelope,
        address: &str,
        mail_options: Vec<String>,
    ) -> Result<String> {
        match address {
            "fails@example.org" => return Err(Error::msg("no\nsuch sender")),
            "refused@example.org" => return Ok("550 not you".to_owned()),
            _ => {}
        }
        envelope.mail_from = Some(address.to_owned());
        envelope.mail_options = mail_options;
        Ok("250 OK".to_owned())
    }

    async fn handle_data(&self, session: &Session, envelope: &mut Envelope) -> Result<String> {
        match &*envelope.content {
            b"fail\r\n" => return Err(Error::msg("the disk is full")),
            b"panic\r\n" => panic!("as the test wants"),
            _ => {}
        }
        let envelope = mem::take(envelope);
        self.mails.send(Mail {
            from: envelope.mail_from.unwrap_or_default(),
            options: envelope.mail_options,
            to: envelope.rcpt_tos,
            content: envelope.content,
            is_tls: session.ssl.is_some(),
            login: session.login.clone(),
        })?;
        Ok("250 OK".to_owned())
    }
}

impl Open {
    fn new(settings: impl FnOnce() -> Settings + Send + 'static) -> (Self, Mails) {
        let (opened, address) = mpsc::channel();
        let (report, reports) = mpsc::channel();
        let (mails, received) = mpsc::channel();
        let thread = run_in_thread(move || async move {
            let options = Options { host: "localhost".to_owned(), port: 0 };
            app(options, settings(), Collecting { mails }, move |server| {
                let reported = move |_: &Loop, context: &ExceptionContext| {
                    // Nobody hears of it once the test is over.
                    let _ = report.send(context.to_string());
                };
                get_running_loop()?.set_exception_handler(Some(reported));
                let address = server.sockets()[0].getsockname()?.to_string();
                Ok(opened.send(address)?)
            })
            .await
        });
        let address = address.recv_timeout(PATIENCE).expect("the server starts");
        let address = address.parse().expect("it is an internet address");
        (Open { address, reports, _thread: thread.expect("a thread can be made") }, Mails(received))
    }

    fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    fn reports(&self) -> Vec<String> {
        self.reports.try_iter().collect()
    }

    /// Runs a script, which has to succeed. `None` if there is no Python.
    fn python(&self, script: &str, args: &[&str]) -> Option<()> {
        let mut python = client("python3")?;
        let script = format!("{PRELUDE}{script}");
        let port = self.address.port().to_string();
        succeeded(python.args(["-c", &script, &port]).args(args).output());
        Some(())
    }
}

/// Ada has to log in.
fn of_ada(context: SslContext) -> Settings {
    let user = Some(("ada".to_owned(), "lovelace".to_owned()));
    Settings { tls_context: Some(context), user, ..Settings::default() }
}

fn succeeded(output: std::io::Result<Output>) -> String {
    let output = output.expect("an installed program starts");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{said}", output.status);
    said
}

/// A certificate for localhost, which has signed itself, and its key: files in a folder that ends with the test.
struct Identity {
    folder: PathBuf,
    cert: PathBuf,
    key: PathBuf,
}

impl Identity {
    fn new() -> Self {
        static N_FOLDERS: AtomicU32 = AtomicU32::new(0);
        let n = N_FOLDERS.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("foster-smtp-{}-{n}", process::id()));
        let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate can be made");
        fs::create_dir_all(&folder).expect("a folder can be made");
        fs::write(&cert, made.cert.pem()).expect("a file can be written");
        fs::write(&key, made.signing_key.serialize_pem()).expect("a file can be written");
        Identity { folder, cert, key }
    }

    fn paths(&self) -> (&str, &str) {
        (self.cert.to_str().expect("a path of ours is text"), self.key.to_str().expect("a path of ours is text"))
    }

    fn context(&self) -> SslContext {
        SslContext::server().load_cert_chain(&self.cert, &self.key).build().expect("it is a certificate")
    }
}

impl Drop for Identity {
    fn drop(&mut self) {
        // What is left lies in a folder for such things.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// One who types commands.
struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    fn connect(address: SocketAddr) -> Self {
        let mut client = Client { stream: BufReader::new(child::connect(address)) };
        client.reads("220 localhost Foster SMTP");
        client
    }

    fn sends(&mut self, data: &[u8]) {
        self.stream.get_mut().write_all(data).expect("the server reads");
    }

    fn says(&mut self, command: &str) {
        self.sends(format!("{command}\r\n").as_bytes());
    }

    /// A message up to its content.
    fn begins_message(&mut self) {
        self.says("HELO client.example");
        self.reads("250 localhost");
        self.starts_message();
    }

    /// As `begins_message`, after the greeting.
    fn starts_message(&mut self) {
        self.says("MAIL FROM:<ada@example.org>");
        self.says("RCPT TO:<bob@example.org>");
        self.says("DATA");
        self.reads_codes(&["250", "250", "354"]);
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("the server writes");
        line.trim_end_matches("\r\n").to_owned()
    }

    fn reads(&mut self, expected: &str) {
        assert_eq!(self.line(), expected);
    }

    /// Reads an answer for each code; it may have several lines.
    fn reads_codes(&mut self, codes: &[&str]) {
        for code in codes {
            loop {
                let line = self.line();
                assert_eq!(line.get(..3), Some(*code), "{line:?} in {codes:?}");
                if line.as_bytes().get(3) != Some(&b'-') {
                    break;
                }
            }
        }
    }

    fn is_closed(&mut self) {
        assert_eq!(self.line(), "");
    }
}
