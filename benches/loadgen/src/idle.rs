use std::io;
use std::time::Instant;

use crate::Options;
use crate::socket;
use crate::wire::Wire;

/// Opens the connections and holds them until standard input ends: the parent then closes it, or has itself ended.
pub(crate) fn run(options: &Options) -> io::Result<()> {
    let start = Instant::now();
    let connections = open(options)?;
    println!("{{\"open\":{},\"secs\":{:.3}}}", connections.len(), start.elapsed().as_secs_f64());
    io::copy(&mut io::stdin(), &mut io::sink())?;
    Ok(())
}

/// Opens the connections one after the other, each from the next source address.
pub(crate) fn open(options: &Options) -> io::Result<Vec<Wire>> {
    let mut connections = Vec::with_capacity(options.n_connections);
    for index in 0..options.n_connections {
        let socket = socket::connect_from(options.source(index), options.port).map_err(|err| {
            io::Error::new(err.kind(), format!("connection {} of {}: {err}", index + 1, options.n_connections))
        })?;
        let mut wire = options.wire(socket)?;
        options.check(&mut wire, false)?;
        connections.push(wire);
    }
    Ok(connections)
}
