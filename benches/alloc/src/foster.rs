use foster_compat::{Protocol, Result, TransportRef, run, run_server};

pub(crate) fn serve(port: u16) {
    run(run_server(Echo::default, "127.0.0.1", port)).expect("the server runs until the process ends");
}

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
