use std::io;
use std::net::Ipv4Addr;
use std::time::Instant;

use crate::Options;
use crate::socket;

/// Opens the connections one after the other, each from the next source address, and holds them until standard input
/// ends: the parent then closes it, or has itself ended.
pub(crate) fn run(options: &Options) -> io::Result<()> {
    let start = Instant::now();
    let mut connections = Vec::with_capacity(options.n_connections);
    for index in 0..options.n_connections {
        // 127.0.0.1 is left to the server.
        let source = Ipv4Addr::new(127, 0, 0, 2 + (index % options.n_addresses) as u8);
        let socket = socket::connect_from(source, options.port).map_err(|err| {
            io::Error::new(err.kind(), format!("connection {} of {}: {err}", index + 1, options.n_connections))
        })?;
        let mut wire = options.wire(socket)?;
        socket::check_echo(&mut wire, options.size)?;
        connections.push(wire);
    }
    println!("{{\"open\":{},\"secs\":{:.3}}}", connections.len(), start.elapsed().as_secs_f64());
    io::copy(&mut io::stdin(), &mut io::sink())?;
    Ok(())
}
