//! TLS as the peer speaks it: blocking, on a socket that steps can also use below TLS.

use std::io::{self, Read, Write};

use rustls::{Connection, IoState};
use socket2::Socket;

use crate::step_error::StepError;
use crate::tls_reason::{APPLICATION_DATA_AFTER_CLOSE_NOTIFY, END_OF_FILE, reason};

/// TLS on one connection, from the end of the handshake on.
///
/// Dropping it sends nothing: only [`close`](TlsSession::close) sends close_notify. It takes one record at a time from
/// the socket, so that what follows a close_notify is left there.
pub(crate) struct TlsSession {
    connection: Connection,
    record: RecordProgress,
}

impl TlsSession {
    /// Shakes hands.
    pub(crate) fn open(connection: Connection, socket: &Socket) -> Result<TlsSession, StepError> {
        let mut session = TlsSession { connection, record: RecordProgress::default() };
        session.flush(socket)?;
        while session.connection.is_handshaking() {
            session.receive_part(socket)?;
        }
        Ok(session)
    }

    pub(crate) fn send(&mut self, socket: &Socket, payload: &[u8]) -> Result<(), StepError> {
        for fragment in payload.chunks(FRAGMENT_BYTES) {
            self.connection.writer().write_all(fragment)?;
            self.flush(socket)?;
        }
        Ok(())
    }

    /// Receives what is there, or waits for something; 0 bytes after close_notify.
    pub(crate) fn receive(&mut self, socket: &Socket, into: &mut [u8]) -> Result<usize, StepError> {
        loop {
            match self.connection.reader().read(into) {
                // Nothing is decrypted yet. A time-out of the socket is an error of the next line.
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => self.receive_part(socket)?,
                other => return Ok(other?),
            };
        }
    }

    /// Sends close_notify and waits for the driver's; payload that comes instead is an error.
    pub(crate) fn close(&mut self, socket: &Socket) -> Result<(), StepError> {
        self.connection.send_close_notify();
        self.flush(socket)?;
        let mut state = self.process(socket)?;
        while !state.peer_has_closed() {
            state = self.receive_part(socket)?;
            if state.plaintext_bytes_to_read() > 0 {
                return Err(StepError::Tls(APPLICATION_DATA_AFTER_CLOSE_NOTIFY));
            }
        }
        Ok(())
    }

    /// Takes what has come of one record, and waits for that.
    fn receive_part(&mut self, socket: &Socket) -> Result<IoState, StepError> {
        let mut part = vec![0; self.record.n_missing()];
        let mut socket_to_read = socket;
        let n_bytes = socket_to_read.read(&mut part)?;
        if n_bytes == 0 {
            return Err(StepError::Tls(END_OF_FILE));
        }
        let mut part = &part[..n_bytes];
        self.record.advance(part);
        // Rustls takes as much at a time as it has room for.
        while !part.is_empty() && self.connection.read_tls(&mut part)? > 0 {
            self.process(socket)?;
        }
        self.process(socket)
    }

    fn process(&mut self, socket: &Socket) -> Result<IoState, StepError> {
        let processed = self.connection.process_new_packets();
        let flushed = self.flush(socket);
        // An alert that cannot be sent hides nothing.
        let state = processed.map_err(|err| StepError::Tls(reason(&err)))?;
        flushed?;
        Ok(state)
    }

    fn flush(&mut self, mut socket: &Socket) -> io::Result<()> {
        while self.connection.wants_write() {
            self.connection.write_tls(&mut socket)?;
        }
        Ok(())
    }
}

/// How much of the current record has come.
#[derive(Default)]
struct RecordProgress {
    header: Vec<u8>,
    n_missing_of_body: usize,
}

impl RecordProgress {
    /// What may be read without reading beyond the record, at least one byte.
    fn n_missing(&self) -> usize {
        match HEADER_BYTES - self.header.len() {
            0 => self.n_missing_of_body,
            n_missing => n_missing,
        }
    }

    /// Counts bytes that have come, at most as many as are missing.
    fn advance(&mut self, part: &[u8]) {
        if self.header.len() < HEADER_BYTES {
            self.header.extend_from_slice(part);
            if let [_, _, _, high, low] = self.header[..] {
                self.n_missing_of_body = usize::from(u16::from_be_bytes([high, low]));
            }
        } else {
            self.n_missing_of_body -= part.len();
        }
        if self.header.len() == HEADER_BYTES && self.n_missing_of_body == 0 {
            self.header.clear();
        }
    }
}

/// Type, version and length: RFC 8446, section 5.1.
const HEADER_BYTES: usize = 5;
/// The most that one record can hold: RFC 8446, section 5.1.
const FRAGMENT_BYTES: usize = 1 << 14;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls_side::{TlsVersions, tls_client, tls_server};
    use socket2::{Domain, Type};
    use std::net::Shutdown;
    use std::thread;

    /// A client and a server that have shaken hands, each with its socket.
    fn connected(versions: TlsVersions) -> [(TlsSession, Socket); 2] {
        let (ours, theirs) = Socket::pair(Domain::UNIX, Type::STREAM, None).expect("a pair of sockets");
        let server = thread::spawn(move || {
            let side = tls_server(versions).expect("the certificate of this package is valid");
            let session = TlsSession::open(side, &theirs).expect("the server shakes hands");
            (session, theirs)
        });
        let side = tls_client(versions).expect("a client needs nothing");
        let session = TlsSession::open(side, &ours).expect("the client shakes hands");
        [(session, ours), server.join().expect("the server's thread ends well")]
    }

    fn received(session: &mut TlsSession, socket: &Socket) -> Result<Vec<u8>, StepError> {
        let mut chunk = vec![0; 65536];
        let n_bytes = session.receive(socket, &mut chunk)?;
        chunk.truncate(n_bytes);
        Ok(chunk)
    }

    fn failure<T>(result: Result<T, StepError>) -> String {
        result.err().map_or_else(|| "none".to_owned(), |err| err.to_string())
    }

    #[test]
    fn a_payload_comes_out_as_it_went_in_with_either_version() {
        for versions in [TlsVersions::All, TlsVersions::Only12] {
            let [(mut client, ours), (mut server, theirs)] = connected(versions);
            client.send(&ours, b"abc").expect("the client sends");
            assert_eq!(received(&mut server, &theirs).expect("the server receives"), b"abc");
            server.send(&theirs, &[b'x'; 20_000]).expect("the server sends");
            let first = received(&mut client, &ours).expect("the client receives").len();
            let second = received(&mut client, &ours).expect("the client receives").len();
            assert_eq!((first, second), (FRAGMENT_BYTES, 20_000 - FRAGMENT_BYTES));
        }
    }

    #[test]
    fn what_follows_a_close_notify_is_left_in_the_socket() {
        let [(mut client, ours), (mut server, theirs)] = connected(TlsVersions::All);
        let closing = thread::spawn(move || {
            server.close(&theirs).expect("the server exchanges close_notify");
            (&theirs).write_all(b"plain").expect("the server goes on in plain");
            theirs
        });
        client.close(&ours).expect("the client exchanges close_notify");
        let theirs = closing.join().expect("the server's thread ends well");
        drop(theirs);
        let mut rest = Vec::new();
        (&ours).read_to_end(&mut rest).expect("the socket is still there");
        assert_eq!(rest, b"plain");
    }

    #[test]
    fn a_close_notify_is_an_end_and_its_absence_an_error() {
        let [(mut client, ours), (mut server, theirs)] = connected(TlsVersions::All);
        client.connection.send_close_notify();
        client.flush(&ours).expect("the client sends");
        assert_eq!(received(&mut server, &theirs).expect("that is an end"), b"");

        let [(client, ours), (mut server, theirs)] = connected(TlsVersions::All);
        drop(client);
        ours.shutdown(Shutdown::Write).expect("the client ends its output");
        assert_eq!(failure(received(&mut server, &theirs)), "EOF");
    }

    #[test]
    fn a_payload_in_the_place_of_close_notify_is_an_error() {
        let [(mut client, ours), (mut server, theirs)] = connected(TlsVersions::All);
        server.send(&theirs, b"still here").expect("the server sends");
        assert_eq!(failure(client.close(&ours)), "APPLICATION_DATA_AFTER_CLOSE_NOTIFY");
    }

    #[test]
    fn plain_text_in_the_place_of_a_record_is_an_error_at_its_fifth_byte() {
        let [(_, ours), (mut server, theirs)] = connected(TlsVersions::All);
        (&ours).write_all(b"plain").expect("the client sends");
        assert_eq!(failure(received(&mut server, &theirs)), "WRONG_VERSION_NUMBER");
    }

    fn n_missing_after(parts: &[&[u8]]) -> usize {
        let mut record = RecordProgress::default();
        for part in parts {
            record.advance(part);
        }
        record.n_missing()
    }

    #[test]
    fn a_record_is_read_to_its_end_and_not_beyond() {
        assert_eq!(n_missing_after(&[]), 5);
        assert_eq!(n_missing_after(&[b"\x17\x03"]), 3);
        assert_eq!(n_missing_after(&[b"\x17\x03\x03\x01\x02"]), 0x102);
        assert_eq!(n_missing_after(&[b"\x17\x03\x03\x00\x04", b"abc"]), 1);
        assert_eq!(n_missing_after(&[b"\x17\x03\x03\x00\x04", b"abc", b"d"]), 5);
    }

    #[test]
    fn an_empty_record_ends_with_its_header() {
        assert_eq!(n_missing_after(&[b"\x17\x03\x03\x00\x00"]), 5);
    }
}
