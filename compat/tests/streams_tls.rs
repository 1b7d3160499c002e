//! Streams over TLS: from the start, upgraded on the way, and over what is no socket.

#![cfg(all(feature = "testing", feature = "tls"))]

mod stage;
mod tls;

use std::future::IntoFuture;
use std::time::Duration;

use foster_compat::{
    AsyncIo, Result, SslError, SslObject, StreamReader, StreamReaderProtocol, StreamWriter, connect_async_io,
    open_connection, sleep, start_server,
};
use stage::{Scripted, address, real, until};
use tls::contexts;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

async fn shout(reader: StreamReader, writer: StreamWriter) -> Result<()> {
    let mut lines = reader.lines();
    while let Some(line) = lines.next().await {
        writer.write(line?.to_ascii_uppercase())?;
        writer.drain().await?;
    }
    Ok(())
}

#[test]
fn streams_speak_tls_from_the_start() {
    real(async |nursery| {
        let (server_context, client_context) = contexts()?;
        let server = start_server(&nursery, shout, "127.0.0.1", 0).ssl(&server_context).limit(4_000_000).await?;
        let (reader, writer) = open_connection(&nursery, "127.0.0.1", address(&server).port())
            .ssl(&client_context)
            .server_hostname("localhost")
            .limit(4_000_000)
            .await?;
        assert!(writer.get_extra_info("ssl_object").and_then(|info| info.downcast::<SslObject>()).is_some());
        assert!(!writer.can_write_eof());
        assert!(writer.write_eof().is_err());
        let mut line = vec![b'x'; 3_000_000];
        line.push(b'\n');
        writer.write(&line)?;
        writer.drain().await?;
        assert!(reader.readline().await? == line.to_ascii_uppercase());
        writer.close();
        writer.wait_closed().await?;
        until(|| server.n_connections() == 0).await;
        server.close();
        Ok(())
    });
}

#[test]
fn over_tls_the_end_of_the_peers_stream_ends_the_connection() {
    real(async |nursery| {
        let (server_context, client_context) = contexts()?;
        let serve = async |reader: StreamReader, writer: StreamWriter| -> Result<()> {
            assert_eq!(reader.read_to_end().await?, b"all");
            until(|| writer.is_closing()).await;
            Ok(())
        };
        let server = start_server(&nursery, serve, "127.0.0.1", 0).ssl(&server_context).await?;
        let connect = open_connection(&nursery, "localhost", address(&server).port()).ssl(&client_context);
        let (reader, writer) = connect.await?;
        let mut io = AsyncIo::new(reader, writer);
        io.write_all(b"all").await?;
        // TLS cannot end one direction, so this closes.
        io.shutdown().await?;
        assert!(io.writer().is_closing());
        until(|| server.n_connections() == 0).await;
        server.close();
        Ok(())
    });
}

#[test]
fn streams_are_upgraded_on_both_sides_whatever_comes_with_the_command() {
    real(async |nursery| {
        let (server_context, client_context) = contexts()?;
        let serve = async move |reader: StreamReader, writer: StreamWriter| -> Result<()> {
            assert_eq!(reader.readline().await?, b"STARTTLS\n");
            // The client does not wait, so its handshake has come with the command.
            sleep(Duration::from_millis(20)).await;
            writer.start_tls(&server_context).await?;
            shout(reader, writer).await
        };
        let server = start_server(&nursery, serve, "127.0.0.1", 0).await?;
        for waits in [false, true] {
            let (reader, writer) = open_connection(&nursery, "127.0.0.1", address(&server).port()).await?;
            let plain = writer.transport();
            writer.write(b"STARTTLS\n")?;
            if waits {
                sleep(Duration::from_millis(40)).await;
            }
            writer.start_tls(&client_context).server_hostname("localhost").await?;
            assert_ne!(writer.transport(), plain);
            for line in [b"one\n".as_slice(), b"two\n"] {
                writer.write(line)?;
                writer.drain().await?;
                assert_eq!(reader.readline().await?, line.to_ascii_uppercase());
            }
            writer.close();
            writer.wait_closed().await?;
            assert!(reader.at_eof());
        }
        server.close();
        Ok(())
    });
}

#[test]
fn a_reader_holds_the_peer_back_after_an_upgrade_too() {
    real(async |nursery| {
        let (server_context, client_context) = contexts()?;
        let serve = async move |reader: StreamReader, writer: StreamWriter| -> Result<()> {
            reader.readline().await?;
            writer.start_tls(&server_context).await?;
            writer.write(vec![b'x'; 10_000_000])?;
            writer.drain().await
        };
        let server = start_server(&nursery, serve, "127.0.0.1", 0).await?;
        let (reader, writer) = open_connection(&nursery, "127.0.0.1", address(&server).port()).limit(1000).await?;
        writer.write(b"STARTTLS\n")?;
        writer.start_tls(&client_context).server_hostname("localhost").await?;
        until(|| format!("{reader:?}").contains("paused")).await;
        assert!(!writer.transport().is_reading());
        assert!(reader.readexactly(10_000_000).await?.iter().all(|byte| *byte == b'x'));
        server.close();
        Ok(())
    });
}

#[test]
fn an_upgrade_that_fails_is_the_error_of_every_read() {
    real(async |nursery| {
        let (_, client_context) = contexts()?;
        let serve = async |reader: StreamReader, writer: StreamWriter| -> Result<()> {
            reader.readline().await?;
            writer.write(b"this is no TLS, and never was")
        };
        let server = start_server(&nursery, serve, "127.0.0.1", 0).await?;
        let (reader, writer) = open_connection(&nursery, "127.0.0.1", address(&server).port()).await?;
        writer.write(b"STARTTLS\n")?;
        let err = writer.start_tls(&client_context).server_hostname("localhost").await.unwrap_err();
        assert!(err.is::<SslError>(), "{err}");
        until(|| reader.exception().is_some()).await;
        assert!(reader.read(1).await.unwrap_err().ptr_eq(&err));
        server.close();
        Ok(())
    });
}

#[test]
fn a_protocol_speaks_tls_over_a_pipe_in_memory() {
    real(async |nursery| {
        let (server_context, client_context) = contexts()?;
        let (near, far) = tokio::io::duplex(1000);
        let upgrade = async {
            let (transport, _) = connect_async_io(&nursery, Scripted::echo, far).await?;
            foster_compat::start_tls(&transport, &server_context).server_side(true).call_connection_made(true).await
        };
        let reader = StreamReader::new();
        let protocol = StreamReaderProtocol::new(reader.clone());
        let connect = connect_async_io(&nursery, || protocol, near).ssl(&client_context).server_hostname("localhost");
        let (echo, client) = tokio::join!(upgrade, connect.into_future());
        let (echo, (transport, _)) = (echo?, client?);
        let mut io = AsyncIo::new(reader.clone(), StreamWriter::new(transport, Some(reader)));
        let data = vec![b'x'; 100_000];
        let (wrote, read) = tokio::join!(io.writer().drain(), async {
            io.writer().write(&data)?;
            io.reader().readexactly(data.len()).await
        });
        wrote?;
        assert!(read? == data);
        let mut byte = [0];
        io.shutdown().await?;
        assert_eq!(io.read(&mut byte).await?, 0);
        assert!(echo.closed().await.is_none());
        Ok(())
    });
}
