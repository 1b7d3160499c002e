//! `create_subprocess_exec` and `create_subprocess_shell`: a process with streams.

#![cfg(unix)]

mod stage;

use std::cell::Cell;
use std::time::Duration;

use foster_compat::{
    DEVNULL, Error, LimitOverrunError, PIPE, Process, Result, STDOUT, Stdio, ValueError, create_subprocess_exec,
    create_subprocess_shell, finally, move_on_after, open_nursery,
};
use stage::{bounded, real, turns, until};

const MS: Duration = Duration::from_millis(1);
const MEBIBYTE: usize = 1024 * 1024;

fn text(output: &Option<Vec<u8>>) -> Option<String> {
    output.as_ref().map(|output| String::from_utf8_lossy(output).into_owned())
}

#[test]
fn communicate_moves_more_both_ways_than_any_pipe_holds() {
    real(async |nursery| {
        let input: Vec<u8> = (0..4 * MEBIBYTE).map(|n| (n / 7 % 251) as u8).collect();
        let script = "tee /dev/fd/2";
        let process = create_subprocess_shell(&nursery, script).stdin(PIPE).stdout(PIPE).stderr(PIPE).await?;
        let (stdout, stderr) = process.communicate(Some(&input)).await?;
        assert!(stdout.as_ref() == Some(&input) && stderr.as_ref() == Some(&input));
        assert_eq!(process.returncode(), Some(0));
        until(|| nursery.n_children() == 0).await;
        Ok(())
    });
}

#[test]
fn communicate_gives_what_is_a_pipe_and_closes_stdin_without_an_input() {
    real(async |nursery| {
        let process = create_subprocess_shell(&nursery, "cat; echo out; echo err >&2; exit 3")
            .stdin(PIPE)
            .stdout(PIPE)
            .stderr(STDOUT)
            .await?;
        assert!(process.stdin().is_some() && process.stdout().is_some() && process.stderr().is_none());
        let (stdout, stderr) = process.communicate(None).await?;
        assert_eq!((text(&stdout).as_deref(), text(&stderr)), (Some("out\nerr\n"), None));
        assert_eq!((process.returncode(), process.wait().await), (Some(3), 3));

        let process = create_subprocess_exec(&nursery, "true").await?;
        assert!(process.stdin().is_none() && process.stdout().is_none() && process.stderr().is_none());
        assert_eq!(process.communicate(None).await?, (None, None));
        let err = process.communicate(Some(b"x")).await.unwrap_err();
        assert!(err.is::<ValueError>());
        Ok(())
    });
}

#[test]
fn communicate_takes_no_offence_at_a_process_that_does_not_read_its_input() {
    real(async |nursery| {
        for script in ["exec 0<&-; echo done", "echo done", "head -c 10 >/dev/null; echo done"] {
            let process = create_subprocess_shell(&nursery, script).stdin(PIPE).stdout(PIPE).await?;
            let (stdout, _) = process.communicate(Some(&vec![b'x'; 2 * MEBIBYTE])).await?;
            assert_eq!(text(&stdout).as_deref(), Some("done\n"), "{script}");
            assert_eq!(process.returncode(), Some(0));
        }
        Ok(())
    });
}

#[test]
fn communicate_that_is_cancelled_leaves_the_process_and_what_was_read() {
    real(async |nursery| {
        let script = "echo first; read line; echo second";
        let process = create_subprocess_shell(&nursery, script).stdin(PIPE).stdout(PIPE).await?;
        let stdin = process.stdin().expect("a pipe").clone();
        let stdout = process.stdout().expect("a pipe").clone();
        assert!(move_on_after(20 * MS, stdout.read_to_end()).await.is_none());
        assert_eq!(process.returncode(), None);
        stdin.write(b"go\n")?;
        let (stdout, _) = process.communicate(None).await?;
        assert_eq!(text(&stdout).as_deref(), Some("first\nsecond\n"));
        Ok(())
    });
}

#[test]
fn a_dialogue_line_by_line() {
    real(async |nursery| {
        let script = "while read line; do echo \"<$line>\"; done; echo bye >&2; exit 9";
        let process = create_subprocess_shell(&nursery, script).stdin(PIPE).stdout(PIPE).stderr(PIPE).await?;
        let (Some(stdin), Some(stdout), Some(stderr)) = (process.stdin(), process.stdout(), process.stderr()) else {
            panic!("all are pipes")
        };
        for word in ["one", "two", "three"] {
            stdin.writelines(&[word.as_bytes(), b"\n"])?;
            stdin.drain().await?;
            assert_eq!(stdout.readline().await?, format!("<{word}>\n").as_bytes());
        }
        assert_eq!(process.returncode(), None);
        stdin.close();
        stdin.wait_closed().await?;
        assert_eq!(stderr.readline().await?, b"bye\n");
        assert_eq!(process.wait().await, 9);
        assert!(stdout.read_to_end().await?.is_empty());
        assert!(stdout.at_eof());
        Ok(())
    });
}

#[test]
fn drain_waits_for_a_process_that_reads_slowly() {
    real(async |nursery| {
        let script = "read line; exec cat >/dev/null";
        let process = create_subprocess_shell(&nursery, script).stdin(PIPE).await?;
        let stdin = process.stdin().expect("a pipe");
        stdin.write(vec![b'x'; MEBIBYTE])?;
        assert!(stdin.transport().is_writing_paused());
        assert!(move_on_after(10 * MS, stdin.drain()).await.is_none(), "no line has come yet");
        stdin.write(b"\n")?;
        stdin.drain().await?;
        stdin.close();
        assert_eq!(process.wait().await, 0);
        Ok(())
    });
}

#[test]
fn a_process_that_writes_for_ever_costs_a_bounded_amount() {
    real(async |nursery| {
        let process = create_subprocess_exec(&nursery, "yes").stdout(PIPE).limit(1000).await?;
        let stdout = process.stdout().expect("a pipe");
        let pipe = process.transport().get_pipe_transport(1).expect("a pipe");
        until(|| !pipe.is_reading()).await;
        turns(20).await;
        assert!(!pipe.is_reading(), "nobody reads, so it stays paused");
        assert!(move_on_after(10 * MS, process.wait()).await.is_none());
        assert_eq!(stdout.readexactly(4).await?, b"y\ny\n");
        let n_bytes = 3 * MEBIBYTE;
        assert!(stdout.readexactly(n_bytes).await?.chunks(2).all(|line| line == b"y\n"));
        process.kill()?;
        assert_eq!(process.wait().await, -9);
        Ok(())
    });
}

#[test]
fn a_line_over_the_limit_is_an_error_of_the_reader() {
    real(async |nursery| {
        let process = create_subprocess_shell(&nursery, "head -c 5000 /dev/zero").stdout(PIPE).limit(1000).await?;
        let stdout = process.stdout().expect("a pipe");
        let err = stdout.readuntil(b"\n").await.unwrap_err();
        assert!(err.is::<LimitOverrunError>());
        assert_eq!(stdout.read_to_end().await?.len(), 5000);
        assert_eq!(process.wait().await, 0);
        let refused: Result<Process> = create_subprocess_exec(&nursery, "true").limit(0).await;
        assert!(refused.map(drop).unwrap_err().is::<ValueError>());
        Ok(())
    });
}

#[test]
fn wait_does_not_wait_for_a_grandchild_that_holds_a_pipe() {
    real(async |nursery| {
        let script = "exec 3<&0; cat <&3 & exit 5";
        let process = create_subprocess_shell(&nursery, script).stdin(PIPE).stdout(PIPE).await?;
        assert_eq!(process.wait().await, 5);
        let (stdin, stdout) = (process.stdin().expect("a pipe"), process.stdout().expect("a pipe"));
        stdin.write(b"still here")?;
        assert_eq!(stdout.readexactly(10).await?, b"still here");
        // Signals are ignored until the pipes are closed.
        process.terminate()?;
        stdin.close();
        assert!(stdout.read_to_end().await?.is_empty());
        process.transport().closed().await;
        let err = process.kill().unwrap_err();
        assert_eq!(err.downcast_ref::<std::io::Error>().and_then(std::io::Error::raw_os_error), Some(3));
        Ok(())
    });
}

#[test]
fn a_process_that_is_let_go_sees_the_end_of_its_input_and_is_waited_for() {
    real(async |nursery| {
        let process = create_subprocess_shell(&nursery, "cat").stdin(PIPE).stdout(DEVNULL).await?;
        let transport = process.transport().clone();
        drop(process);
        assert_eq!(transport.exited().await, 0);
        Ok(())
    });
}

#[test]
fn a_cancelled_nursery_ends_a_process_with_streams_in_the_middle_of_them() {
    let returncode = Cell::new(None);
    bounded(false, async {
        open_nursery(async |nursery| {
            // It reads nothing, so that communicate is in the middle of its input.
            let process = create_subprocess_exec(&nursery, "sleep").arg("3600").stdin(PIPE).stdout(PIPE).await?;
            let scope = nursery.clone();
            nursery.start_soon(async move {
                turns(5).await;
                scope.cancel();
            });
            let input = vec![0; MEBIBYTE];
            let told = async { returncode.set(Some(process.wait().await)) };
            finally(process.communicate(Some(&input)), told).await?;
            Ok(())
        })
        .await?;
        Ok(())
    })
    .expect("the test ends in time");
    assert_eq!(returncode.get(), Some(-15));
}

#[test]
fn an_output_that_nobody_can_read_any_more_is_closed_and_holds_nobody_up() {
    real(async |nursery| {
        // Let go at once, and after so much that the transport is paused.
        for is_full in [false, true] {
            let process = create_subprocess_exec(&nursery, "yes").stdout(PIPE).stderr(DEVNULL).limit(1000).await?;
            let transport = process.transport().clone();
            let pipe = transport.get_pipe_transport(1).expect("a pipe");
            if is_full {
                until(|| !pipe.is_reading()).await;
                let reader = process.stdout().expect("a pipe").clone();
                drop(process);
                turns(20).await;
                assert!(!pipe.is_closing(), "somebody could read");
                drop(reader);
            } else {
                drop(process);
            }
            // It writes to a closed pipe.
            assert_ne!(transport.exited().await, 0);
            assert!(transport.closed().await.is_none());
        }
        Ok(())
    });
}

#[test]
fn inherited_streams_and_files_have_no_reader() {
    real(async |nursery| {
        let process =
            create_subprocess_exec(&nursery, "true").stdin(Stdio::Inherit).stdout(DEVNULL).stderr(DEVNULL).await?;
        assert!(format!("{process:?}").starts_with(&format!("Process(process {}", process.pid())));
        assert_eq!(process.wait().await, 0);
        let err: Error = create_subprocess_exec(&nursery, "/no/such/program").await.map(drop).unwrap_err();
        assert!(err.is_os_error());
        assert_eq!(create_subprocess_shell(&nursery, "no_such_program 2>/dev/null").await?.wait().await, 127);
        Ok(())
    });
}
