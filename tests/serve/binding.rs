//! Where it listens, and what it says when it cannot.

use std::net::{SocketAddr, TcpListener};

use foster::http::Response;
use foster::{Config, Handler, Request};

use crate::served::{Served, ask, connect, has_program};

fn paths() -> impl Handler {
    |request: Request| async move { Response::text(request.path().to_owned()) }
}

fn all_addresses(served: &Served) -> Vec<SocketAddr> {
    let addresses = served.server.addresses().iter();
    addresses.map(|address| SocketAddr::new(address.ip().unwrap(), address.port().unwrap())).collect()
}

#[test]
fn port_0_is_a_port_that_the_system_chooses_and_the_server_says() {
    let served = Served::new(paths, Config::new().bind("127.0.0.1:0"));
    let address = served.address();
    assert!(address.port() != 0 && address.ip().is_loopback());
    assert_eq!(ask(&mut connect(address), "/x").body, "/x");
    served.stop().unwrap();
}

#[test]
fn several_addresses_are_served_in_the_order_they_were_bound() {
    let listener = TcpListener::bind("127.0.0.3:0").unwrap();
    let given = listener.local_addr().unwrap();
    let config =
        Config::new().bind("127.0.0.1:0").bind_listener(listener).bind("127.0.0.2:0").insecure_bind("localhost:0");
    let served = Served::new(paths, config);
    let addresses = all_addresses(&served);
    let ips: Vec<_> = addresses[..3].iter().map(|address| address.ip().to_string()).collect();
    assert_eq!(ips, ["127.0.0.1", "127.0.0.3", "127.0.0.2"]);
    assert_eq!(addresses[1], given);
    for address in addresses {
        assert_eq!(ask(&mut connect(address), "/y").body, "/y", "{address}");
    }
    served.stop().unwrap();
}

#[test]
fn an_address_of_ipv6_stands_in_brackets() {
    if TcpListener::bind("[::1]:0").is_err() {
        eprintln!("left out: this machine has no IPv6");
        return;
    }
    let served = Served::new(paths, Config::new().bind("[::1]:0"));
    assert!(served.address().is_ipv6());
    assert_eq!(served.get("/z").body, "/z");
    served.stop().unwrap();
}

#[test]
fn what_cannot_be_bound_is_said_in_one_sentence_and_nothing_stays_bound() {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).unwrap();
    for (bind, said) in [
        ("127.0.0.1:http", "cannot bind \"127.0.0.1:http\": its port is no number from 0 to 65535"),
        ("127.0.0.1:65536", "cannot bind \"127.0.0.1:65536\": its port is no number from 0 to 65535"),
        ("127.0.0.1:", "cannot bind \"127.0.0.1:\": its port is no number from 0 to 65535"),
        ("fd://x", "cannot bind \"fd://x\": it is no number of a descriptor"),
        ("fd://2", "cannot bind \"fd://2\": no such socket was passed"),
        ("fd://3", "cannot bind \"fd://3\": no such socket was passed"),
        ("unix:", "cannot bind \"unix:\": there is no path"),
        ("unix:/no/such/folder/socket", "unix"),
        ("a..b:0", "cannot resolve host \"a..b\""),
    ] {
        let err = Served::try_new(paths, Config::new().bind(free.to_string()).bind(bind)).err().expect(bind);
        let text = format!("{err:#}");
        assert!(text.starts_with(said) || said == "unix" && text.contains("/no/such/folder/socket"), "{bind}: {text}");
        assert!(!text.contains('\n'), "{text}");
        TcpListener::bind(free).expect("the first address is free again");
    }
}

#[test]
fn an_address_in_use_is_said_in_one_sentence() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let err = Served::try_new(paths, Config::new().bind(address.to_string())).err().expect("it is in use");
    let text = format!("{err:#}");
    let begins = format!("error while attempting to bind on address {address}: ");
    assert!(text.starts_with(&begins) && !text.contains('\n'), "{text}");
}

#[cfg(unix)]
#[test]
fn a_unix_socket_is_served_and_its_file_goes_with_the_server() {
    use std::os::unix::net::UnixStream;

    let path = std::env::temp_dir().join(format!("foster-serve-{}.sock", std::process::id()));
    let config = Config::new().bind(format!("unix:{}", path.display()));
    let served = Served::new(paths, config.clone());
    let mut client = UnixStream::connect(&path).unwrap();
    assert_eq!(ask(&mut client, "/unix").body, "/unix");
    assert_eq!(served.server.addresses()[0].port(), None);
    served.stop().unwrap();
    let second = Served::new(paths, config);
    assert_eq!(ask(&mut UnixStream::connect(&path).unwrap(), "/again").body, "/again");
    second.stop().unwrap();
    let _ = std::fs::remove_file(&path);
}

/// This very test is the child, too: it serves descriptor 3, and says so.
#[cfg(target_os = "linux")]
#[test]
fn sockets_that_systemd_passes_are_served() {
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Command, Stdio};

    const CHILD: &str = "FOSTER_SERVES_PASSED_SOCKETS";
    if std::env::var_os(CHILD).is_some() {
        let _ = Served::try_new(paths, Config::new().bind("fd://5")).err().expect("only two were passed");
        let tcp = Served::new(paths, Config::new().bind("fd://3"));
        let unix = Served::new(paths, Config::new().bind("fd://4"));
        println!("serving");
        // Until the parent goes.
        let _ = std::io::stdin().read_line(&mut String::new());
        tcp.stop().unwrap();
        return unix.stop().unwrap();
    }
    if !has_program("python3") {
        return;
    }
    // What systemd does: the sockets from 3 on, and the process's own id in the environment.
    let script = r#"
import os, socket, sys
tcp = socket.create_server(("127.0.0.1", 0))
unix = socket.socket(socket.AF_UNIX)
unix.bind(sys.argv[2]); unix.listen()
print(tcp.getsockname()[1], flush=True)
tcp, unix = os.dup(tcp.fileno()), os.dup(unix.fileno())
high = [os.dup2(fd, 100 + n) for n, fd in enumerate((tcp, unix))]
for n, fd in enumerate(high):
    os.dup2(fd, 3 + n)
environ = dict(os.environ, LISTEN_FDS="2", LISTEN_PID=str(os.getpid()))
name = "binding::sockets_that_systemd_passes_are_served"
os.execve(sys.argv[1], [sys.argv[1], "--exact", name, "--nocapture"], environ)
"#;
    let path = std::env::temp_dir().join(format!("foster-passed-{}.sock", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let mut child = Command::new("python3")
        .arg("-c")
        .arg(script)
        .arg(std::env::current_exe().unwrap())
        .arg(&path)
        .env(CHILD, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is installed");
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(|line| line.unwrap());
    let port: u16 = lines.next().unwrap().trim().parse().unwrap();
    assert!(lines.any(|line| line.ends_with("serving")), "the child serves");
    assert_eq!(ask(&mut connect(([127, 0, 0, 1], port).into()), "/tcp").body, "/tcp");
    assert_eq!(ask(&mut std::os::unix::net::UnixStream::connect(&path).unwrap(), "/unix").body, "/unix");
    child.stdin.take().unwrap().write_all(b"\n").unwrap();
    assert!(lines.any(|line| line.contains("1 passed")));
    assert!(child.wait().unwrap().success());
    let _ = std::fs::remove_file(&path);
}
