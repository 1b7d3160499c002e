//! Actions that write to a stream.

use foster_compat::{Result, TransportRef};

use crate::performer::Performer;
use crate::words::Words;

#[derive(Debug)]
pub(crate) enum WriteAction {
    Write(Vec<u8>),
    WriteLines(Vec<Vec<u8>>),
    WriteEof,
    Fill,
    FillTo(usize),
}

impl WriteAction {
    pub(crate) fn parse(words: Words<'_>) -> Result<Option<Self>, String> {
        Ok(Some(match words.name {
            "write" => WriteAction::Write(words.text(0)?.into_bytes()),
            "write_n" => WriteAction::Write(vec![b'x'; words.number(0)?]),
            "writelines" => WriteAction::WriteLines(words.texts(0)?.into_iter().map(String::into_bytes).collect()),
            "writelines_n" => WriteAction::WriteLines(vec![vec![b'x'; words.number(1)?]; words.number(0)?]),
            "write_eof" => WriteAction::WriteEof,
            "fill" => WriteAction::Fill,
            "fill_to" => WriteAction::FillTo(words.number(0)?),
            _ => return Ok(None),
        }))
    }

    pub(crate) fn perform(&self, by: &Performer) -> Result<()> {
        let transport = by.stream();
        match self {
            WriteAction::Write(data) => transport.write(data),
            WriteAction::WriteLines(pieces) => {
                let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
                transport.writelines(&pieces)
            }
            WriteAction::WriteEof => transport.write_eof(),
            WriteAction::Fill => fill(&transport),
            WriteAction::FillTo(size) => {
                let Some(missing) = size.checked_sub(transport.get_write_buffer_size()).filter(|n| *n > 0) else {
                    by.session().refuse("fill_to: the buffer holds as much already");
                };
                transport.write(&vec![b'g'; missing])
            }
        }
    }
}

/// Writes until the socket takes no more; a bound keeps a broken transport from filling the memory.
fn fill(transport: &TransportRef) -> Result<()> {
    for _ in 0..MAX_FILL_PIECES {
        if transport.get_write_buffer_size() > 0 {
            break;
        }
        transport.write(&[b'f'; FILL_PIECE])?;
    }
    Ok(())
}

const FILL_PIECE: usize = 16_384;
const MAX_FILL_PIECES: usize = 4_000;
