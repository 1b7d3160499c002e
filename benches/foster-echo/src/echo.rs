//! `foster-echo --port P`: the echo server of asyncio's documentation, on Foster. Ended by a signal.

use foster_compat::{Protocol, Result, TransportRef, run, run_server};

#[derive(Default)]
struct Echo {
    transport: TransportRef,
}

impl Protocol for Echo {
    fn connection_made(&mut self, transport: TransportRef) -> Result<()> {
        self.transport = transport;
        Ok(())
    }

    fn data_received(&mut self, data: &[u8]) -> Result<()> {
        self.transport.write(data)
    }
}

fn main() -> Result<()> {
    let port: u16 = std::env::args()
        .skip_while(|argument| argument != "--port")
        .nth(1)
        .and_then(|port| port.parse().ok())
        .expect("usage: foster-echo --port P");
    run(run_server(Echo::default, "127.0.0.1", port))
}
