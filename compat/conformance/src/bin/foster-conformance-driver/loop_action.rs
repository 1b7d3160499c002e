//! Actions on the loop, and on handles, tasks and futures.

use std::time::Duration;

use foster_compat::{ExceptionContext, Loop, Result};

use crate::action::Actions;
use crate::exception::Exception;
use crate::performer::Performer;
use crate::session::Session;
use crate::signal::Signal;
use crate::thing::Thing;
use crate::transport_action::python_bool;
use crate::words::Words;

#[derive(Debug)]
pub(crate) enum LoopAction {
    CallSoon { actions: Actions, name: Option<String> },
    CallLater { delay: Duration, actions: Actions, name: Option<String> },
    CallAt { since_start: Duration, actions: Actions, name: Option<String> },
    CreateTask { actions: Actions, name: Option<String> },
    CreateFuture(String),
    SetResult(String),
    SetException { name: String, exception: Exception },
    AddDoneCallback { name: String, actions: Actions },
    Cancel(String),
    Cancelled(String),
    Done(String),
    When(String),
    Drop(String),
    Threadsafe(Vec<Actions>),
    SetHandler(Actions),
    AddSignal { signal: Signal, actions: Actions },
    RemoveSignal(Signal),
}

impl LoopAction {
    pub(crate) fn parse(words: Words<'_>) -> Result<Option<Self>, String> {
        Ok(Some(match words.name {
            "call_soon" => LoopAction::CallSoon { actions: words.actions(0)?, name: words.optional_text(1) },
            "call_later" => LoopAction::CallLater {
                delay: words.milliseconds(0)?,
                actions: words.actions(1)?,
                name: words.optional_text(2),
            },
            "call_at" => LoopAction::CallAt {
                since_start: words.milliseconds(0)?,
                actions: words.actions(1)?,
                name: words.optional_text(2),
            },
            "create_task" => LoopAction::CreateTask { actions: words.actions(0)?, name: words.optional_text(1) },
            "future" => LoopAction::CreateFuture(words.text(0)?),
            "set_result" => LoopAction::SetResult(words.text(0)?),
            "set_exception" => LoopAction::SetException { name: words.text(0)?, exception: words.exception(1)? },
            "add_done_callback" => LoopAction::AddDoneCallback { name: words.text(0)?, actions: words.actions(1)? },
            "cancel" => LoopAction::Cancel(words.text(0)?),
            "cancelled" => LoopAction::Cancelled(words.text(0)?),
            "done" => LoopAction::Done(words.text(0)?),
            "when" => LoopAction::When(words.text(0)?),
            "drop" => LoopAction::Drop(words.text(0)?),
            "threadsafe" => LoopAction::Threadsafe(
                words.list(0)?.iter().map(crate::action::parse_actions).collect::<Result<_, _>>()?,
            ),
            "handler" => LoopAction::SetHandler(words.actions(0)?),
            "add_signal" => LoopAction::AddSignal { signal: words.signal(0)?, actions: words.actions(1)? },
            "remove_signal" => LoopAction::RemoveSignal(words.signal(0)?),
            _ => return Ok(None),
        }))
    }

    pub(crate) fn perform(&self, by: &Performer) -> Result<()> {
        let session = by.session();
        let lp = session.lp();
        match self {
            LoopAction::CallSoon { actions, name } => {
                session.keep(name.as_deref(), Thing::Handle(lp.call_soon(by.callback(actions))));
            }
            LoopAction::CallLater { delay, actions, name } => {
                session.keep(name.as_deref(), Thing::Timer(lp.call_later(*delay, by.callback(actions))));
            }
            LoopAction::CallAt { since_start, actions, name } => {
                let when = session.start_time() + since_start.as_secs_f64();
                session.keep(name.as_deref(), Thing::Timer(lp.call_at(when, by.callback(actions))));
            }
            LoopAction::CreateTask { actions, name } => {
                let (performer, actions) = (by.clone(), actions.clone());
                let task = lp.create_task(async move { performer.run_waiting(&actions).await });
                session.keep_task(name.as_deref(), task);
            }
            LoopAction::CreateFuture(name) => session.keep(Some(name), Thing::Future(lp.create_future())),
            LoopAction::SetResult(name) => session.future(name).set_result(())?,
            LoopAction::SetException { name, exception } => {
                session.future(name).set_exception(exception.to_error())?;
            }
            LoopAction::AddDoneCallback { name, actions } => {
                let callback = by.callback(actions);
                match session.thing(name) {
                    Thing::Task(task) => task.add_done_callback(move |_| callback()),
                    _ => session.future(name).add_done_callback(move |_| callback()),
                };
            }
            LoopAction::Cancel(name) => session.thing(name).cancel(session),
            LoopAction::Cancelled(name) => {
                by.say(&format!("{name} cancelled={}", python_bool(session.thing(name).cancelled(session))));
            }
            LoopAction::Done(name) => {
                by.say(&format!("{name} done={}", python_bool(session.thing(name).done(session))));
            }
            LoopAction::When(name) => {
                let Thing::Timer(timer) = session.thing(name) else { session.refuse("when is for timers") };
                let milliseconds = (timer.when() - session.start_time()) * 1e3;
                by.say(&format!("{name} when=+{milliseconds:.0}"));
            }
            LoopAction::Drop(name) => session.forget(name),
            LoopAction::Threadsafe(lists) => post_from_thread(by, lists),
            LoopAction::SetHandler(actions) => {
                let program = Performer::program(session.clone());
                let actions = actions.clone();
                lp.set_exception_handler(Some(move |_: &Loop, context: &ExceptionContext| {
                    program.session().say_reported(context);
                    program.run(&actions)
                }));
            }
            LoopAction::AddSignal { signal, actions } => lp.add_signal_handler(signal.0, by.callback(actions))?,
            LoopAction::RemoveSignal(signal) => {
                by.say(&format!("removed={}", python_bool(lp.remove_signal_handler(signal.0))));
            }
        }
        Ok(())
    }
}

/// A thread hands each list to the loop; the lists themselves stay on the loop's thread, where they belong.
fn post_from_thread(by: &Performer, lists: &[Actions]) {
    let session = by.session();
    let numbers: Vec<usize> = lists.iter().map(|actions| session.leave_for_thread(by, actions)).collect();
    let loop_handle = session.lp().handle();
    std::thread::spawn(move || {
        for number in numbers {
            // After the end of the loop nobody misses the call.
            let _ = loop_handle.call_soon_threadsafe(move || Session::current().run_left(number));
        }
    });
}
