//! Pipes with real programs at the other end: `sort`, a shell behind a named pipe, Python's `asyncio` on its own pipes.

#![cfg(all(unix, feature = "testing"))]

mod interop;
mod stage;

use std::cell::RefCell;
use std::rc::Rc;

use foster_compat::testing::Trace;
use foster_compat::{PIPE, Result, connect_read_pipe, create_subprocess_exec};
use interop::{Folder, Peer, program, programs};
use rustix::fs::{Mode, OFlags};
use stage::{Scripted, real};

#[test]
fn sort_reads_and_writes_more_than_any_pipe_holds() {
    let Some(sort) = program("sort") else { return };
    real(async |nursery| {
        let process = create_subprocess_exec(&nursery, sort).env("LC_ALL", "C").stdin(PIPE).stdout(PIPE).await?;
        // A permutation, since the factor and the number of lines have no divisor in common.
        let lines = |order: &dyn Fn(u32) -> u32| (0..100_000).map(|n| format!("{:05}\n", order(n))).collect::<String>();
        let (sorted, _) = process.communicate(Some(lines(&|n| n * 7_919 % 100_000).as_bytes())).await?;
        assert!(sorted.is_some_and(|sorted| sorted == lines(&|n| n).as_bytes()));
        assert_eq!(process.returncode(), Some(0));
        Ok(())
    });
}

#[test]
fn a_shell_writes_to_a_named_pipe() {
    let Some([sh, mkfifo]) = programs(["sh", "mkfifo"]) else { return };
    real(async |nursery| {
        let folder = Folder::new();
        let path = folder.path("fifo");
        Peer::start(&mkfifo, &[&path]).succeeds().await;
        // Opened so, it does not wait for whoever writes.
        let fifo =
            rustix::fs::open(&path, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty()).map_err(std::io::Error::from)?;
        let (trace, received) = (Trace::new(), Rc::new(RefCell::new(Vec::new())));
        let seen = received.clone();
        let protocol = trace.wrap(Scripted::new().on_data(move |_, data| {
            seen.borrow_mut().extend_from_slice(data);
            Ok(())
        }));
        // The writer is there before anybody reads, or the pipe would be at its end at once.
        let mut shell = Peer::start(&sh, &[&"-c", &r#"exec >"$0"; echo open >&2; read line; seq 1 100000"#, &path]);
        shell.says("open").await;
        let (transport, _) = connect_read_pipe(&nursery, || protocol, fifo).await?;
        shell.send("go\n").await;
        assert!(transport.closed().await.is_none());
        let expected: String = (1..=100_000).map(|n| format!("{n}\n")).collect();
        assert!(*received.borrow() == expected.as_bytes());
        assert_eq!(trace.lines()[trace.lines().len() - 2..], ["eof", "lost None"]);
        shell.succeeds().await;
        Ok(())
    });
}

#[test]
fn the_pipes_of_a_process_are_asyncios_at_its_end() {
    let Some(python) = program("python3") else { return };
    real(async |nursery| {
        let script = r#"
import asyncio, sys

async def main():
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, sys.stdout)
    writer = asyncio.StreamWriter(transport, protocol, None, loop)
    while data := await reader.readline():
        writer.write(data.upper())
        await writer.drain()
    writer.close()

asyncio.run(main())
"#;
        let process = create_subprocess_exec(&nursery, python).args(["-c", script]).stdin(PIPE).stdout(PIPE).await?;
        let (stdin, stdout) = (process.stdin().expect("a pipe"), process.stdout().expect("a pipe"));
        let dialogue = async || -> Result<()> {
            for n in [1, 100, 10_000, 60_000] {
                let line = "x".repeat(n) + "\n";
                stdin.write(&line)?;
                stdin.drain().await?;
                assert!(stdout.readline().await? == line.to_uppercase().as_bytes());
            }
            Ok(())
        };
        dialogue().await?;
        stdin.close();
        assert_eq!(stdout.read_to_end().await?, b"");
        assert_eq!(process.wait().await, 0);
        Ok(())
    });
}
