//! SIGINT and SIGTERM, with real processes: a test runs itself as a program and sends it signals.

use std::env;
use std::future::pending;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;

use foster::{Config, Error, Result, finally, run, serve, serve_workers, sleep, sleep_forever};

use crate::app::{App, Log, MOMENT, address_of};
use crate::served::BOUND;

/// Set in the process that plays the program.
const IS_PROGRAM: &str = "FOSTER_LIFESPAN_PROGRAM";

/// Stands before what the program says, among what the harness of the tests says.
const SAID: &str = "said: ";

fn say(word: &str) {
    // In one write, and not as one of a test, which would be kept back.
    let _ = std::io::stdout().write_all(format!("\n{SAID}{word}\n").as_bytes());
}

/// Says when it is dropped.
struct Dropped(&'static str);

impl Drop for Dropped {
    fn drop(&mut self) {
        say(self.0);
    }
}

/// Runs `program` in a process of its own, `check` in this one.
fn in_a_process(name: &str, program: impl FnOnce() -> Result<()>, check: impl FnOnce(&mut Program)) {
    if env::var(IS_PROGRAM).is_ok_and(|played| played == name) {
        thread::spawn(|| {
            // A check that fails must not leave a process behind.
            thread::sleep(BOUND);
            std::process::exit(99);
        });
        let status = match program() {
            Ok(()) => 0,
            Err(err) => err.signal().map_or(1, |signal| 128 + signal),
        };
        std::process::exit(status);
    }
    if env::var_os(IS_PROGRAM).is_none() {
        check(&mut Program::start(name));
    }
}

struct Program {
    process: Child,
    stdout: BufReader<ChildStdout>,
}

impl Program {
    fn start(name: &str) -> Self {
        let mut process = Command::new(env::current_exe().unwrap())
            .args(["--exact", &format!("signals::{name}"), "--nocapture"])
            .env(IS_PROGRAM, name)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        Program { process, stdout }
    }

    /// What it says next; nothing at its end.
    fn next_word(&mut self) -> Option<String> {
        let mut line = String::new();
        while self.stdout.read_line(&mut line).unwrap() > 0 {
            if let Some(word) = line.trim_end().strip_prefix(SAID) {
                return Some(word.to_owned());
            }
            line.clear();
        }
        None
    }

    fn hears(&mut self, word: &str) {
        assert_eq!(self.next_word().as_deref(), Some(word));
    }

    /// As [`hears`](Program::hears), of words that come in any order.
    fn hears_all<const N: usize>(&mut self, words: [&str; N]) {
        let mut heard = [(); N].map(|()| self.next_word().unwrap_or_default());
        heard.sort();
        assert_eq!(heard, words);
    }

    fn signal(&self, name: &str) {
        let killed = Command::new("kill").args([&format!("-{name}"), &self.process.id().to_string()]).status();
        assert!(killed.unwrap().success());
    }

    /// What it still says, and its status.
    fn end(&mut self) -> (Vec<String>, Option<i32>) {
        let words = std::iter::from_fn(|| self.next_word()).collect();
        (words, self.process.wait().unwrap().code())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has ended, or a check has failed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn app() -> App {
    App::new(&Log::default())
}

fn config() -> Config {
    Config::new().bind("127.0.0.1:0").graceful_timeout(BOUND)
}

fn hanging_startup() -> App {
    app()
        .on_startup(|_, _| async {
            say("startup");
            finally(sleep_forever(), async {
                sleep(MOMENT).await;
                say("clean");
            })
            .await;
            Ok(())
        })
        .on_shutdown(|| async {
            say("shutdown");
            Ok(())
        })
}

fn hanging_shutdown() -> App {
    app().on_shutdown(|| async {
        let _dropped = Dropped("dropped");
        say("shutdown");
        pending().await
    })
}

/// Ends its shutdown, and has a request under way for as long as it is let.
fn busy() -> App {
    app()
        .on_startup(|nursery, server| {
            nursery.start_soon(async move {
                let mut client = TcpStream::connect(address_of(&server))?;
                client.write_all(b"GET /never HTTP/1.1\r\nHost: x\r\n\r\n")?;
                while server.stats().n_requests == 0 {
                    sleep(MOMENT).await;
                }
                say("busy");
                // It keeps its client.
                server_is_stopping(&server).await;
                say("stopping");
                let _client = client;
                sleep_forever().await;
                Ok::<_, Error>(())
            });
            async { Ok(()) }
        })
        .on_shutdown(|| async {
            sleep(MOMENT).await;
            say("shutdown");
            Ok(())
        })
}

async fn server_is_stopping(server: &foster::HttpServer) {
    while !server.is_stopping() {
        sleep(MOMENT).await;
    }
}

#[test]
fn a_signal_cancels_a_startup_that_hangs() {
    let program = || run(serve(hanging_startup(), config()));
    in_a_process("a_signal_cancels_a_startup_that_hangs", program, |program| {
        program.hears("startup");
        program.signal("INT");
        assert_eq!(program.end(), (vec!["clean".to_owned()], Some(130)));
    });
}

#[test]
fn a_signal_cancels_a_startup_that_hangs_in_a_worker() {
    let program = || run(serve_workers(hanging_startup, config()));
    in_a_process("a_signal_cancels_a_startup_that_hangs_in_a_worker", program, |program| {
        program.hears("startup");
        program.signal("TERM");
        assert_eq!(program.end(), (vec!["clean".to_owned()], Some(143)));
    });
}

#[test]
fn a_second_signal_cancels_a_shutdown_that_hangs() {
    let program = || run(serve(hanging_shutdown(), config()).on_serving(|_| say("serving")));
    in_a_process("a_second_signal_cancels_a_shutdown_that_hangs", program, |program| {
        program.hears("serving");
        program.signal("INT");
        program.hears("shutdown");
        program.signal("TERM");
        assert_eq!(program.end(), (vec!["dropped".to_owned()], Some(0)));
    });
}

#[test]
fn a_second_signal_cancels_a_shutdown_that_hangs_in_a_worker() {
    let program = || run(serve_workers(hanging_shutdown, config()).on_serving(|_| say("serving")));
    in_a_process("a_second_signal_cancels_a_shutdown_that_hangs_in_a_worker", program, |program| {
        program.hears("serving");
        program.signal("INT");
        program.hears("shutdown");
        program.signal("INT");
        assert_eq!(program.end(), (vec!["dropped".to_owned()], Some(0)));
    });
}

#[test]
fn a_second_signal_aborts_connections_and_the_shutdown_runs_all_the_same() {
    let program = || run(serve(busy(), config()).on_serving(|_| say("serving")));
    in_a_process("a_second_signal_aborts_connections_and_the_shutdown_runs_all_the_same", program, |program| {
        program.hears_all(["busy", "serving"]);
        program.signal("INT");
        program.hears("stopping");
        program.signal("INT");
        assert_eq!(program.end(), (vec!["shutdown".to_owned()], Some(0)));
    });
}

#[test]
fn a_second_signal_aborts_connections_and_the_shutdown_of_a_worker_runs_all_the_same() {
    let name = "a_second_signal_aborts_connections_and_the_shutdown_of_a_worker_runs_all_the_same";
    in_a_process(
        name,
        || run(serve_workers(busy, config()).on_serving(|_| say("serving"))),
        |program| {
            program.hears_all(["busy", "serving"]);
            program.signal("INT");
            program.hears("stopping");
            program.signal("INT");
            assert_eq!(program.end(), (vec!["shutdown".to_owned()], Some(0)));
        },
    );
}
