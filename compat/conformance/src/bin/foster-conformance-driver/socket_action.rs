//! Actions on raw sockets, which no transport owns.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::rc::Rc;

use foster_compat::Result;
use foster_conformance::show;

use crate::performer::Performer;
use crate::thing::Thing;
use crate::words::Words;

#[derive(Debug)]
pub(crate) enum SocketAction {
    Pair { one: String, other: String },
    Send { name: String, text: String },
    Receive(String),
    Close(String),
}

impl SocketAction {
    pub(crate) fn parse(words: Words<'_>) -> Result<Option<Self>, String> {
        Ok(Some(match words.name {
            "socketpair" => SocketAction::Pair { one: words.text(0)?, other: words.text(1)? },
            "sock_send" => SocketAction::Send { name: words.text(0)?, text: words.text(1)? },
            "sock_recv" => SocketAction::Receive(words.text(0)?),
            "sock_close" => SocketAction::Close(words.text(0)?),
            _ => return Ok(None),
        }))
    }

    pub(crate) fn perform(&self, by: &Performer) -> Result<()> {
        let session = by.session();
        match self {
            SocketAction::Pair { one, other } => {
                let (first, second) = UnixStream::pair()?;
                for (name, socket) in [(one, first), (other, second)] {
                    socket.set_nonblocking(true)?;
                    session.keep(Some(name), Thing::Socket(Rc::new(socket)));
                }
            }
            SocketAction::Send { name, text } => (&*session.socket(name)).write_all(text.as_bytes())?,
            SocketAction::Receive(name) => {
                let mut data = vec![0; RECEIVE_BYTES];
                let n_bytes = (&*session.socket(name)).read(&mut data)?;
                by.say(&format!("sock_recv {}", show(&data[..n_bytes])));
            }
            SocketAction::Close(name) => drop(session.take_socket(name)),
        }
        Ok(())
    }
}

const RECEIVE_BYTES: usize = 65_536;
