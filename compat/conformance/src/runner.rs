//! Plays one scenario: driver on one side, peer on the other, a snapshot of both traces at the end.

use std::io;
use std::thread;
use std::time::Duration;

use crate::deadline::Deadline;
use crate::driver_command::DriverCommand;
use crate::driver_link::START_TIMEOUT;
use crate::driver_process::DriverProcess;
use crate::normalise::{clean, normalise};
use crate::peer::Peer;
use crate::scenario::{Kind, Scenario};
use crate::stage::Stage;

/// What was seen when a scenario was played, cleaned and normalised as the scenario asks for.
#[derive(Debug, Clone, Default)]
pub struct Observation {
    /// The lines of the driver.
    pub trace: Vec<String>,
    /// The lines of the peer.
    pub peer: Vec<String>,
    /// Where the driver did not keep to its protocol; none if all went well.
    pub complaints: Vec<String>,
}

/// Plays a scenario against a new process of the driver.
///
/// Whatever the driver does is part of the observation: a driver that crashes, hangs or says nothing is no error.
///
/// # Errors
///
/// The operating system's, if the driver, or a socket or directory of the scenario, could not be set up.
pub fn play(driver: &DriverCommand, scenario: &Scenario) -> io::Result<Observation> {
    let stage = Stage::set_up(scenario)?;
    let process = DriverProcess::start(driver, stage.start_message())?;
    Ok(Play { scenario, stage, process, complaint: None }.observe())
}

/// A scenario that is being played.
struct Play<'a> {
    scenario: &'a Scenario,
    stage: Stage,
    process: DriverProcess,
    /// The first one only: the others follow from it.
    complaint: Option<String>,
}

impl Play<'_> {
    fn observe(mut self) -> Observation {
        let mut peer = None;
        if self.scenario.kind.is_client() {
            peer = Some(self.start_peer());
        }
        if self.driver_gets_ready() {
            let peer = peer.get_or_insert_with(|| self.start_peer());
            let complaint = self.wait_for_complete_trace(peer);
            self.complaint = complaint;
            self.add_missing_lines();
        } else {
            let ended = if self.process.link().heard().has_ended { " (it ended)" } else { "" };
            self.complaint = Some(format!("driver: no ADDR or READY line{ended}"));
        }
        let trace = self.process.link().freeze();
        let peer_trace = peer.as_ref().map(Peer::freeze).unwrap_or_default();
        let end = self.process.finish();
        let mut complaints: Vec<String> = self.complaint.take().into_iter().collect();
        complaints.extend(end.filter(|_| complaints.is_empty()));
        // The peer's sockets are closed only now that the driver has ended.
        drop(peer);
        Observation { trace: normalise(&self.scenario.normalisation, &trace), peer: clean(&peer_trace), complaints }
    }

    fn start_peer(&self) -> Peer {
        Peer::start(self.scenario, self.process.link(), self.stage.sockets())
    }

    fn driver_gets_ready(&self) -> bool {
        let link = self.process.link();
        link.wait_until(START_TIMEOUT, |heard| heard.is_ready || heard.has_ended);
        let heard = link.heard();
        heard.is_ready && (!self.scenario.kind.must_tell_address() || heard.addresses.contains_key(""))
    }

    /// Waits until all that is expected can have happened. Returns a complaint if the driver ends before.
    fn wait_for_complete_trace(&mut self, peer: &Peer) -> Option<String> {
        let deadline = Deadline::after(self.scenario.completion.limit);
        let link = self.process.link();
        while !deadline.has_passed() && !self.is_complete(peer) && !link.heard().has_ended {
            link.wait_for_change(PEER_POLL);
        }
        if link.heard().has_ended {
            let status = match self.process.wait(ENDED_TIMEOUT) {
                Some(status) => status.to_string(),
                None => "unknown exit status".to_owned(),
            };
            return Some(format!("driver: ended before the end of its input, {status}"));
        }
        thread::sleep(self.scenario.completion.grace);
        None
    }

    fn is_complete(&self, peer: &Peer) -> bool {
        let heard = self.process.link().heard();
        let has_lost = |n_lost| heard.trace.n_lost() >= n_lost;
        peer.has_finished()
            && (heard.is_done || self.scenario.kind != Kind::Program)
            && self.scenario.completion.n_lost.is_none_or(has_lost)
    }

    fn add_missing_lines(&self) {
        let mut heard = self.process.link().heard();
        if self.scenario.kind == Kind::Program && !heard.is_done {
            heard.trace.add("(program not done within limit)");
        }
        if self.scenario.completion.n_lost.is_some() && heard.trace.n_lost() == 0 {
            heard.trace.add("(no lost within limit)");
        }
    }
}

/// The end of the peer's thread wakes nobody.
const PEER_POLL: Duration = Duration::from_millis(20);
/// From the end of the driver's output to the end of its process.
const ENDED_TIMEOUT: Duration = Duration::from_secs(2);
