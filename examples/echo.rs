//! cargo run --example echo
use foster::{Protocol, Result, TransportRef, run, run_server};

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
    run(run_server(Echo::default, "127.0.0.1", 8888)
        .on_serving(|s| println!("serving on {}", s.sockets()[0].getsockname().unwrap())))
}
