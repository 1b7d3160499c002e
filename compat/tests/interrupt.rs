//! Ctrl-C and SIGTERM, with real processes: this program runs itself as a child and sends it signals.
//!
//! It has a `main` of its own because the status of a program whose `main` returns the error is part of what is
//! checked.

#[cfg(unix)]
fn main() -> foster_compat::Result<()> {
    match std::env::var(unix::SCENARIO) {
        Ok(name) => unix::play(&name),
        Err(_) => {
            unix::check_all(std::env::args().nth(1).filter(|arg| !arg.starts_with('-')));
            Ok(())
        }
    }
}

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
mod unix {
    use std::io::{BufRead, BufReader, Lines};
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use foster_compat::{
        Result, finally, finally_within, open_nursery, run, run_in_thread, shield, sleep, sleep_forever,
    };
    use signal_hook::consts::SIGINT;

    /// Names the scenario that a child plays.
    pub(super) const SCENARIO: &str = "FOSTER_INTERRUPT_SCENARIO";

    const CHECKS: [(&str, fn()); 12] = [
        ("the_first_sigint_cancels_the_root_and_lets_a_finally_run", || {
            let mut child = Program::start("finally");
            child.signal("INT");
            assert_eq!(child.end(), (["clean"].map(String::from).to_vec(), Some(130)));
        }),
        ("the_first_sigterm_does_the_same_and_the_status_is_143", || {
            let mut child = Program::start("finally");
            child.signal("TERM");
            assert_eq!(child.end(), (["clean"].map(String::from).to_vec(), Some(143)));
        }),
        ("the_children_of_the_root_are_waited_for", || {
            let mut child = Program::start("children");
            child.signal("INT");
            assert_eq!(child.end(), (["clean 0", "clean 1"].map(String::from).to_vec(), Some(130)));
        }),
        ("a_second_signal_exits_at_once_although_a_clean_up_waits", || {
            let mut child = Program::start("endless clean-up");
            child.signal("INT");
            assert_eq!(child.line(), "cleaning");
            child.signal("INT");
            assert_eq!(child.end(), (vec![], Some(130)));
        }),
        ("a_second_signal_of_the_other_kind_exits_at_once_too", || {
            let mut child = Program::start("endless clean-up");
            child.signal("INT");
            assert_eq!(child.line(), "cleaning");
            child.signal("TERM");
            assert_eq!(child.end(), (vec![], Some(143)));
        }),
        ("a_second_signal_exits_at_once_from_a_loop_that_is_stuck", || {
            let mut child = Program::start("stuck");
            child.signal("INT");
            assert_eq!(child.line(), "the first has come");
            child.signal("INT");
            assert_eq!(child.end(), (vec![], Some(130)));
        }),
        ("the_error_says_which_signal_it_was", || {
            let mut child = Program::start("what");
            child.signal("TERM");
            let said = "true Some(15) interrupted by SIGTERM".to_owned();
            assert_eq!(child.end(), (vec![said], Some(0)));
        }),
        ("a_program_may_exit_with_the_errors_own_code", || {
            let mut child = Program::start("exit code");
            child.signal("INT");
            assert_eq!(child.end(), (vec![], Some(130)));
        }),
        ("a_root_that_completes_in_spite_of_the_cancel_gives_its_value", || {
            let mut child = Program::start("shielded root");
            child.signal("INT");
            assert_eq!(child.end(), (vec!["value".to_owned()], Some(0)));
        }),
        ("a_signal_after_run_has_returned_ends_the_process_at_once", || {
            let mut child = Program::start("after run");
            child.signal("INT");
            assert_eq!(child.end(), (vec![], Some(130)));
        }),
        ("a_second_run_listens_again", || {
            let mut child = Program::start("second run");
            child.signal("INT");
            assert_eq!(child.end(), (vec!["clean".to_owned()], Some(130)));
        }),
        ("a_loop_in_a_thread_leaves_signals_to_the_host", || {
            let mut child = Program::start("thread");
            child.signal("INT");
            assert_eq!(child.status().signal(), Some(SIGINT));
        }),
    ];

    pub(super) fn check_all(filter: Option<String>) {
        for (name, check) in CHECKS {
            if filter.as_ref().is_none_or(|part| name.contains(part.as_str())) {
                check();
                println!("test {name} ... ok");
            }
        }
    }

    /// The child's side.
    pub(super) fn play(scenario: &str) -> Result<()> {
        std::thread::spawn(|| {
            // A check that fails must not leave a process behind.
            std::thread::sleep(Duration::from_secs(30));
            std::process::exit(99);
        });
        match scenario {
            "finally" => run(say_clean_after(ready_forever(), "clean")),
            "children" => run(async {
                open_nursery(async |nursery| {
                    for text in ["clean 0", "clean 1"] {
                        nursery.start_soon(say_clean_after(sleep_forever(), text));
                    }
                    ready_forever().await;
                    Ok(())
                })
                .await?;
                foster_compat::Ok(())
            }),
            "endless clean-up" => run(async {
                finally_within(Duration::MAX, ready_forever(), async {
                    println!("cleaning");
                    sleep_forever().await
                })
                .await;
                foster_compat::Ok(())
            }),
            "stuck" => run::<_, (), foster_compat::Error>(async {
                let has_come = first_signal();
                println!("ready");
                wait_for(&has_come);
                println!("the first has come");
                loop {
                    std::thread::park();
                }
            }),
            "what" => {
                let err = run(ready_and_ok()).expect_err("the signal cancels it");
                println!("{} {:?} {err}", err.is_interrupt(), err.signal());
                Ok(())
            }
            "exit code" => {
                let err = run(ready_and_ok()).expect_err("the signal cancels it");
                // Through a type of its own, as a `main` that returns `ExitCode` does.
                let is_130 = format!("{:?}", err.exit_code()) == format!("{:?}", std::process::ExitCode::from(130));
                std::process::exit(if is_130 { 130 } else { 1 })
            }
            "shielded root" => {
                let value = run(shield(async {
                    let has_come = first_signal();
                    println!("ready");
                    while !has_come.load(Ordering::SeqCst) {
                        sleep(Duration::from_millis(1)).await;
                    }
                    sleep(Duration::from_millis(1)).await;
                    foster_compat::Ok("value")
                }))?;
                println!("{value}");
                Ok(())
            }
            "after run" => {
                run(async { foster_compat::Ok(()) })?;
                println!("ready");
                loop {
                    std::thread::park();
                }
            }
            "second run" => {
                run(async { foster_compat::Ok(()) })?;
                run(say_clean_after(ready_forever(), "clean"))
            }
            "thread" => run_in_thread(ready_and_ok)?.join(),
            other => panic!("no scenario is called {other}"),
        }
    }

    async fn ready_forever() {
        println!("ready");
        sleep_forever().await
    }

    async fn ready_and_ok() -> Result<()> {
        ready_forever().await;
        Ok(())
    }

    async fn say_clean_after(body: impl Future<Output = ()>, text: &'static str) -> Result<()> {
        finally(body, async {
            sleep(Duration::from_millis(1)).await;
            println!("{text}");
        })
        .await;
        Ok(())
    }

    /// Goes up when a SIGINT comes.
    fn first_signal() -> Arc<AtomicBool> {
        let has_come = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(SIGINT, has_come.clone()).expect("SIGINT can be handled");
        has_come
    }

    fn wait_for(flag: &AtomicBool) {
        while !flag.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
    }

    /// A child and what it says.
    struct Program {
        child: Child,
        lines: Lines<BufReader<ChildStdout>>,
    }

    impl Program {
        /// Starts this program with a scenario and waits until it is ready.
        fn start(scenario: &str) -> Self {
            let program = std::env::current_exe().expect("the test knows its own path");
            let mut child = Command::new(program)
                .env(SCENARIO, scenario)
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .expect("the test can run itself");
            let stdout = child.stdout.take().expect("it is piped");
            let mut program = Program { child, lines: BufReader::new(stdout).lines() };
            assert_eq!(program.line(), "ready", "of {scenario}");
            program
        }

        fn line(&mut self) -> String {
            self.lines.next().expect("the child says something").expect("it is text")
        }

        fn signal(&self, signal: &str) {
            let sent = Command::new("kill").arg(format!("-{signal}")).arg(self.child.id().to_string()).status();
            assert!(sent.expect("there is a kill program").success());
        }

        /// What it said until its end, and its exit code.
        fn end(&mut self) -> (Vec<String>, Option<i32>) {
            let said = self.lines.by_ref().map(|line| line.expect("it is text")).collect();
            (said, self.status().code())
        }

        fn status(&mut self) -> ExitStatus {
            self.child.wait().expect("the child can be waited for")
        }
    }

    impl Drop for Program {
        fn drop(&mut self) {
            // After a check that failed; a child that has ended is not there any more.
            let _ = self.child.kill();
        }
    }
}
