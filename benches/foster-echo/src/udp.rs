//! `foster-udp --port P`: answers datagrams with what they hold. Ended by a signal.

use foster_compat::{
    Address, DatagramProtocol, DatagramTransportRef, Result, create_datagram_endpoint, open_nursery, run,
};

#[derive(Default)]
struct Echo {
    transport: DatagramTransportRef,
}

impl DatagramProtocol for Echo {
    fn connection_made(&mut self, transport: DatagramTransportRef) -> Result<()> {
        self.transport = transport;
        Ok(())
    }

    fn datagram_received(&mut self, data: &[u8], addr: Address) -> Result<()> {
        self.transport.sendto(data, Some(&addr))
    }
}

fn main() -> Result<()> {
    let port = std::env::args().skip_while(|argument| argument != "--port").nth(1);
    let port: u16 = port.expect("usage: foster-udp --port P").parse()?;
    run(open_nursery(async |nursery| {
        let (transport, _) = create_datagram_endpoint(&nursery, Echo::default).local_addr("127.0.0.1", port).await?;
        transport.closed().await;
        Ok(())
    }))?;
    Ok(())
}
