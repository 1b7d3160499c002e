//! What a nursery gives after a cancellation has ended the server or the connection in it.

use std::cell::Cell;

use foster_compat::{CancelScope, Ok, Protocol, Result, Server, TransportRef, create_server, open_nursery, run_here};
use tokio::net::TcpStream;

#[derive(Default)]
struct Greeter;

impl Protocol for Greeter {
    fn connection_made(&mut self, transport: TransportRef) -> Result<()> {
        transport.write(b"hello")
    }
}

#[tokio::test]
async fn a_nursery_whose_server_was_cancelled_from_outside_does_not_return() {
    assert_does_not_return(async |_server: &Server| Ok(())).await;
}

#[tokio::test]
async fn a_nursery_whose_connection_was_cancelled_from_outside_does_not_return() {
    let client = Cell::new(None);
    assert_does_not_return(async |server: &Server| {
        let port = server.sockets()[0].getsockname()?.port().expect("it is a TCP server");
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.readable().await?;
        client.set(Some(stream));
        server.close();
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_nursery_that_cancels_its_own_server_gives_its_value() {
    run_here(async {
        let value = open_nursery(async |nursery| {
            create_server(&nursery, Greeter::default, "127.0.0.1", 0).await?;
            nursery.cancel();
            Ok(42)
        })
        .await?;
        assert_eq!(value, Some(42));
        Ok(())
    })
    .await
    .expect("nothing fails");
}

/// Cancels from outside a nursery whose body has made a server, done `prepare`, and ended.
async fn assert_does_not_return(prepare: impl AsyncFnOnce(&Server) -> Result<()>) {
    run_here(async {
        let scope = CancelScope::new();
        let outcome = scope
            .run(open_nursery(async |nursery| {
                let server = create_server(&nursery, Greeter::default, "127.0.0.1", 0).await?;
                prepare(&server).await?;
                scope.cancel();
                Ok(())
            }))
            .await;
        assert!(outcome.is_none(), "the nursery returned {outcome:?}");
        Ok(())
    })
    .await
    .expect("nothing fails");
}
