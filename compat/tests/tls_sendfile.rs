//! A file over TLS: read on a thread, encrypted and written.

#![cfg(all(feature = "testing", any(feature = "tls", feature = "tls-aws-lc")))]

mod stage;
mod tls;

use std::cell::RefCell;
use std::rc::Rc;

use foster_compat::{Loop, RuntimeError, SendfileNotAvailableError, create_connection, create_server};
use stage::{Scripted, address, real, turns, until};
use tls::contexts;

#[test]
fn a_file_arrives_whole_over_tls_and_has_the_writing_side_to_itself() {
    real(async |nursery| {
        let (server_context, client_context) = contexts()?;
        let received = Rc::new(RefCell::new(Vec::new()));
        let data = received.clone();
        let protocol = move || {
            let data = data.clone();
            Scripted::new().on_data(move |_, more| {
                data.borrow_mut().extend_from_slice(more);
                Ok(())
            })
        };
        let server = create_server(&nursery, protocol, "127.0.0.1", 0).ssl(&server_context).await?;
        let port = address(&server).port();
        let connecting = create_connection(&nursery, Scripted::new, "localhost", port).ssl(&client_context);
        let (transport, _) = connecting.await?;

        let content: Vec<u8> = (0..3_000_000_u32).map(|at| (at / 7) as u8).collect();
        let path = std::env::temp_dir().join(format!("foster-tls-sendfile-{}", std::process::id()));
        std::fs::write(&path, &content)?;
        let file = std::fs::File::open(&path)?;
        let loop_ = Loop::new(&nursery);
        let err = loop_.sendfile(&transport, &file).fallback(false).await.unwrap_err();
        assert!(err.is::<SendfileNotAvailableError>(), "{err}");

        let (inner, sender) = (loop_.clone(), transport.clone());
        let task = loop_.create_task(async move { inner.sendfile(&sender, &file).offset(1).await });
        // A part gives way at least for a turn, and there are more than forty.
        turns(3).await;
        assert!(!transport.is_reading());
        assert!(transport.write(b"x").unwrap_err().is::<RuntimeError>());
        assert_eq!(task.await?, content.len() as u64 - 1);
        assert!(transport.is_reading());
        transport.write(b"tail")?;
        until(|| received.borrow().len() == content.len() + 3).await;
        assert!(received.borrow()[..content.len() - 1] == content[1..]);
        assert!(received.borrow().ends_with(b"tail"));
        std::fs::remove_file(&path)?;
        transport.close();
        server.close();
        Ok(())
    });
}
