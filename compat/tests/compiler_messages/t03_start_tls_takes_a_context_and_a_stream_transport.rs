//~ expected `&SslContext`, found `()`
//~ expected `&TransportRef`, found `&DatagramTransportRef`

use foster_compat::{DatagramTransportRef, SslContext, TransportRef, start_tls};

fn upgrade(stream: &TransportRef, datagrams: &DatagramTransportRef, context: &SslContext) {
    let _ = start_tls(stream, ());
    let _ = start_tls(datagrams, context);
}

fn main() {}
