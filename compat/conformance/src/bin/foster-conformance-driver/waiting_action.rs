//! Actions that may wait.

use std::time::Duration;

use foster_compat::{Result, TimeoutError, ValueError, move_on_after, sleep};

use crate::action::Actions;
use crate::performer::Performer;
use crate::pipe_action::read_to_end;
use crate::thing::Thing;
use crate::words::Words;

#[derive(Debug)]
pub(crate) enum WaitingAction {
    Sleep(Duration),
    Wait(String),
    Until { prefix: String, n_lines: usize },
    Await(String),
    Call(Actions),
    Executor { fails: bool },
    ReadPipeToEnd(String),
    StartServing(String),
    ServeForever(String),
    WaitClosed(String),
}

impl WaitingAction {
    pub(crate) fn parse(words: Words<'_>) -> Result<Option<Self>, String> {
        Ok(Some(match words.name {
            "sleep" => WaitingAction::Sleep(words.milliseconds(0)?),
            "wait" => WaitingAction::Wait(words.text(0)?),
            "until" => WaitingAction::Until { prefix: words.text(0)?, n_lines: words.optional_number(1).unwrap_or(1) },
            "await" => WaitingAction::Await(words.text(0)?),
            "call" => WaitingAction::Call(words.actions(0)?),
            "executor" => match words.text(0)?.as_str() {
                "ok" => WaitingAction::Executor { fails: false },
                "raise" => WaitingAction::Executor { fails: true },
                _ => return Err(words.wrong(0, "ok or raise")),
            },
            "os_read_all" => WaitingAction::ReadPipeToEnd(words.text(0)?),
            "start_serving" => WaitingAction::StartServing(words.text(0)?),
            "serve_forever" => WaitingAction::ServeForever(words.text(0)?),
            "wait_closed" => WaitingAction::WaitClosed(words.text(0)?),
            _ => return Ok(None),
        }))
    }

    pub(crate) async fn perform(&self, by: &Performer) -> Result<()> {
        let session = by.session();
        match self {
            WaitingAction::Sleep(duration) => sleep(*duration).await,
            WaitingAction::Wait(name) => {
                let released = session.released(name);
                move_on_after(MAX_WAIT, released).await.ok_or_else(|| TimeoutError::new(""))??;
            }
            WaitingAction::Until { prefix, n_lines } => {
                let seen = async {
                    while session.output().count(prefix) < *n_lines {
                        sleep(LOOK_AGAIN).await;
                    }
                };
                let failure = || TimeoutError::new(format!("until {prefix}"));
                move_on_after(MAX_WAIT, seen).await.ok_or_else(failure)?;
            }
            WaitingAction::Await(name) => {
                match session.thing(name) {
                    Thing::Task(task) => task.await?,
                    _ => session.future(name).await?,
                }
                by.say(&format!("awaited {name}"));
            }
            WaitingAction::Call(actions) => by.run_waiting(actions).await?,
            WaitingAction::Executor { fails } => {
                let fails = *fails;
                let work = move || if fails { Err(ValueError::new("in the executor")) } else { Ok(5) };
                by.say(&format!("executor result={}", session.lp().run_in_executor(work).await?));
            }
            WaitingAction::ReadPipeToEnd(pipe) => {
                by.say(&format!("os_read_all <{}>", read_to_end(session, pipe).await?));
            }
            WaitingAction::StartServing(name) => session.server(name).start_serving()?,
            WaitingAction::ServeForever(name) => session.server(name).serve_forever().await?,
            WaitingAction::WaitClosed(name) => {
                session.server(name).wait_closed().await;
                by.say(&format!("{name} wait_closed returned"));
            }
        }
        Ok(())
    }
}

/// The runner gives up sooner.
const MAX_WAIT: Duration = Duration::from_secs(4);
const LOOK_AGAIN: Duration = Duration::from_millis(2);
