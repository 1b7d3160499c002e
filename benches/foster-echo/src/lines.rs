//! `foster-lines readline|readline-into --port P`: reads lines and answers every 64 of them with one byte. Ended by a
//! signal.

use foster_compat::{Result, StreamReader, StreamWriter, open_nursery, run, start_server};

/// As `loadgen` counts on: the lines of one of its messages.
const LINES_PER_ANSWER: u32 = 64;

/// A line of its own each time. A connection that fails just ends, here and below.
async fn readline(reader: StreamReader, writer: StreamWriter) {
    let mut n_lines = 0;
    while reader.readline().await.is_ok_and(|line| !line.is_empty()) && count(&mut n_lines, &writer).is_ok() {}
}

/// Into one buffer for all lines.
async fn readline_into(reader: StreamReader, writer: StreamWriter) {
    let (mut n_lines, mut line) = (0, Vec::new());
    while reader.readline_into(&mut line).await.is_ok_and(|n| n > 0) && count(&mut n_lines, &writer).is_ok() {
        line.clear();
    }
}

fn count(n_lines: &mut u32, writer: &StreamWriter) -> Result<()> {
    *n_lines += 1;
    if *n_lines % LINES_PER_ANSWER == 0 { writer.write(b".") } else { Ok(()) }
}

fn main() -> Result<()> {
    let usage = "usage: foster-lines readline|readline-into --port P";
    let port = std::env::args().skip_while(|argument| argument != "--port").nth(1);
    let port: u16 = port.expect(usage).parse()?;
    let name = std::env::args().nth(1);
    run(open_nursery(async |nursery| {
        let server = match name.as_deref() {
            Some("readline") => start_server(&nursery, readline, "127.0.0.1", port).await?,
            Some("readline-into") => start_server(&nursery, readline_into, "127.0.0.1", port).await?,
            _ => panic!("{usage}"),
        };
        server.serve_forever().await
    }))?;
    Ok(())
}
