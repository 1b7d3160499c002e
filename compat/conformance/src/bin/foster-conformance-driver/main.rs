//! Foster's driver: runs one scenario of `SCENARIOS.md` on `foster_compat` and prints what its protocols experience.
//!
//! Read `start_message.rs` for what it is given, `kind.rs` for what it sets up, `protocol_object.rs` for what the
//! library calls, `actor.rs` for the lines this prints, and `performer.rs` for how actions are run.

mod action;
mod actor;
mod any_transport;
mod arguments;
mod client;
mod control_action;
mod datagram_action;
mod datagram_object;
mod descriptors;
mod exception;
mod factory;
mod input;
mod kind;
mod log_lines;
mod loop_action;
mod opening_action;
mod options;
mod output;
mod params;
mod performer;
mod pipe_action;
mod process_action;
mod process_object;
mod protocol_object;
mod protocol_spec;
mod server_action;
mod server_options;
mod session;
mod signal;
mod socket_action;
mod start_message;
mod stream_action;
mod system_action;
mod thing;
mod tls;
mod transport_action;
mod waiting_action;
mod watch_action;
mod words;
mod write_action;

use std::error::Error;
use std::process::ExitCode;

use foster_compat::{Nursery, open_nursery, run, sleep_forever};

use crate::arguments::Arguments;
use crate::input::Input;
use crate::log_lines::LogLines;
use crate::output::Output;
use crate::session::Session;
use crate::start_message::StartMessage;

fn main() -> ExitCode {
    match drive() {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            eprintln!("foster-conformance-driver: {err}");
            ExitCode::FAILURE
        }
    }
}

fn drive() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse(std::env::args().skip(1))?;
    let mut input = Input::of_process()?;
    let text = match &arguments.start_message {
        Some(text) => text.clone(),
        None => {
            let text = input.line()?.ok_or("the input ended before the start message")?;
            if descriptors::must_be_few(&text) {
                return Err(descriptors::start_again_with_few(&arguments, &text).into());
            }
            text
        }
    };
    let message = StartMessage::parse(&text)?;
    let output = Output::default();
    LogLines::new(output.clone()).install()?;
    run(async move {
        open_nursery(async |nursery: Nursery| {
            let session = Session::new(&nursery, message, output.clone(), arguments.is_shared);
            input.listen(session.lp().handle(), output);
            session.set_up().await?;
            sleep_forever().await;
            Ok(())
        })
        .await
    })
    .map_err(|err| err.to_string())?;
    Ok(())
}
