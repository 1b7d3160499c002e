//! `foster-tls --port P --cert FILE --key FILE`: the echo server over TLS. Ended by a signal.

use foster_compat::{Protocol, Result, SslContext, TransportRef, create_server, open_nursery, run};

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
    let port: u16 = option("--port").parse()?;
    let context = SslContext::server().load_cert_chain(option("--cert"), option("--key")).build()?;
    run(open_nursery(async |nursery| {
        let server = create_server(&nursery, Echo::default, "127.0.0.1", port).backlog(4096).ssl(&context).await?;
        server.serve_forever().await
    }))?;
    Ok(())
}

fn option(name: &str) -> String {
    let value = std::env::args().skip_while(|argument| argument != name).nth(1);
    value.unwrap_or_else(|| panic!("usage: foster-tls --port P --cert FILE --key FILE, without {name}"))
}
