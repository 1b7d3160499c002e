//! `alloc [--messages N]`: allocations and bytes allocated by an echo server's thread, per message in steady state and
//! per connection from accept to close; then those of an HTTP server's, and of an
//! application's of the framework, per request. The client runs in the main thread,
//! which is not counted.

mod counting;
#[cfg(feature = "foster")]
mod foster;
#[cfg(feature = "foster")]
mod foster_app;
#[cfg(feature = "foster")]
mod foster_http;
#[cfg(feature = "foster")]
mod requests;
mod tokio_tasks;

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use counting::Counts;

/// Serves on 127.0.0.1 at the given port until the process ends.
type Server = fn(u16);

fn main() -> io::Result<()> {
    let n_messages = std::env::args().nth(2).map_or(Ok(20_000), |text| text.parse()).map_err(io::Error::other)?;
    println!("per echoed message (or connection), {n_messages} messages\n");
    println!("| server | case | allocations | bytes |\n|---|---|--:|--:|");
    measure("tokio", tokio_tasks::serve, n_messages)?;
    #[cfg(feature = "foster")]
    measure("foster", foster::serve, n_messages)?;
    #[cfg(feature = "foster")]
    measure_http("foster", foster_http::serve_http, n_messages)?;
    #[cfg(feature = "foster")]
    measure_app("foster", foster_app::serve_app, n_messages)?;
    Ok(())
}

#[cfg(feature = "foster")]
fn measure_http(name: &str, server: Server, n_requests: usize) -> io::Result<()> {
    let port = start(server)?;
    let mut stream = connect(port)?;
    let get = &b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n\r\n"[..];
    let mut post = b"POST /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 16384\r\n\r\n".to_vec();
    post.resize(post.len() + 16 * 1024, b'x');
    for (case, request, depth) in [("GET /", get, 1), ("GET /, 16 at once", get, 16), ("POST of 16 KiB", &post, 1)] {
        let n_rounds = (n_requests / depth).max(1);
        requests::ask(&mut stream, request, depth, n_rounds / 20 + 1)?;
        let before = counts_at_rest();
        requests::ask(&mut stream, request, depth, n_rounds)?;
        print(name, case, before, n_rounds * depth);
    }
    Ok(())
}

#[cfg(feature = "foster")]
fn measure_app(name: &str, server: Server, n_requests: usize) -> io::Result<()> {
    let port = start(server)?;
    let mut stream = connect(port)?;
    for path in ["/static", "/users/12345", "/json"] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n\r\n");
        requests::ask(&mut stream, request.as_bytes(), 1, n_requests / 20 + 1)?;
        let before = counts_at_rest();
        requests::ask(&mut stream, request.as_bytes(), 1, n_requests)?;
        print(name, &format!("app: GET {path}"), before, n_requests);
    }
    Ok(())
}

fn measure(name: &str, server: Server, n_messages: usize) -> io::Result<()> {
    let port = start(server)?;
    let mut stream = connect(port)?;
    for (case, size, depth) in [("64 B", 64, 1), ("64 B, 32 at once", 64, 32), ("16 KiB", 16 * 1024, 1)] {
        let n_rounds = (n_messages / depth).max(1);
        // A twentieth first, so that buffers have grown and tables are in place.
        echo(&mut stream, size, depth, n_rounds / 20 + 1)?;
        let before = counts_at_rest();
        echo(&mut stream, size, depth, n_rounds)?;
        print(name, case, before, n_rounds * depth);
    }
    visit(port, n_messages / 200 + 1)?;
    let before = counts_at_rest();
    let n_visits = n_messages / 10 + 1;
    visit(port, n_visits)?;
    print(name, "connect, 64 B, close", before, n_visits);
    Ok(())
}

/// Starts the server in a thread of its own, which is counted.
fn start(server: Server) -> io::Result<u16> {
    let port = free_port()?;
    // Never joined: it ends with the process.
    std::thread::spawn(move || {
        counting::count_this_thread();
        server(port);
    });
    Ok(port)
}

fn echo(stream: &mut TcpStream, size: usize, depth: usize, n_rounds: usize) -> io::Result<()> {
    let outgoing = vec![b'x'; size * depth];
    let mut incoming = vec![0; size * depth];
    for _ in 0..n_rounds {
        stream.write_all(&outgoing)?;
        stream.read_exact(&mut incoming)?;
    }
    Ok(())
}

/// Connections one after the other, each seen to its end by the server before the next.
fn visit(port: u16, n_visits: usize) -> io::Result<()> {
    for _ in 0..n_visits {
        let mut stream = connect(port)?;
        echo(&mut stream, 64, 1, 1)?;
        stream.shutdown(std::net::Shutdown::Write)?;
        stream.read_to_end(&mut Vec::new())?;
    }
    Ok(())
}

fn print(name: &str, case: &str, before: Counts, n_units: usize) {
    let after = counts_at_rest();
    let n_allocations = (after.n_allocations - before.n_allocations) as f64 / n_units as f64;
    let n_bytes = (after.n_bytes - before.n_bytes) as f64 / n_units as f64;
    println!("| {name} | {case} | {n_allocations:.3} | {n_bytes:.1} |");
}

/// The server has sent its last byte but may still be on its way back to waiting.
fn counts_at_rest() -> Counts {
    std::thread::sleep(Duration::from_millis(50));
    counting::counts()
}

/// A server just started needs a moment until it listens.
fn connect(port: u16) -> io::Result<TcpStream> {
    let mut result = TcpStream::connect((Ipv4Addr::LOCALHOST, port));
    for _ in 0..100 {
        if result.is_ok() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
        result = TcpStream::connect((Ipv4Addr::LOCALHOST, port));
    }
    let stream = result?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    Ok(stream)
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
