//! [`Script`]: a peer that says its part.

use std::time::Duration;

use super::peer::Peer;
use super::script_error::{Found, ScriptError, Then};
use crate::nursery::{move_on_after, sleep};

/// How long a step waits for the transport unless set.
pub const DEFAULT_PATIENCE: Duration = Duration::from_secs(10);

/// What a peer says and expects, a step after the other; [`run`](Script::run) plays it.
///
/// A script may be played by any number of peers, and over wires with [`Faults`](super::Faults): what is expected may
/// come in any number of pieces.
///
/// # Examples
///
/// ```
/// use foster_compat::testing::{self, Script};
/// use foster_compat::{Protocol, Result, TransportRef, open_nursery, run};
///
/// #[derive(Default)]
/// struct Greeter {
///     transport: TransportRef,
/// }
///
/// impl Protocol for Greeter {
///     fn connection_made(&mut self, transport: TransportRef) -> Result<()> {
///         self.transport = transport;
///         self.transport.write(b"who is there?\r\n")
///     }
///
///     fn data_received(&mut self, data: &[u8]) -> Result<()> {
///         self.transport.writelines(&[b"hello, ", data])?;
///         self.transport.close();
///         Ok(())
///     }
/// }
///
/// run(open_nursery(async |nursery| {
///     let script = Script::new().expect("who is there?\r\n").send("ada\r\n").expect("hello, ada\r\n").expect_eof();
///     let (_transport, _, peer) = testing::connect(&nursery, Greeter::default());
///     script.run(&peer).await?;
///
///     let (_transport, _, peer) = testing::connect(&nursery, Greeter::default());
///     let err = Script::new().expect("who are you?").run(&peer).await.err().map(|err| err.to_string());
///     let said = r#"step 1 of 1, expect "who are you?": there came "who is there?\r\n""#;
///     assert_eq!(err.as_deref(), Some(said));
///     Ok(())
/// }))?;
/// # foster_compat::Ok(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing is said until it is run"]
pub struct Script {
    steps: Vec<Step>,
    patience: Duration,
}

/// What a script does next.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Send(Vec<u8>),
    Expect(Vec<u8>),
    ExpectEof,
    ExpectSilence(Duration),
    Pause(Duration),
    CloseWrite,
    Close,
    Reset,
}

impl Script {
    /// A script without a step.
    pub fn new() -> Self {
        Script { steps: Vec::new(), patience: DEFAULT_PATIENCE }
    }

    /// How long each step waits for the transport: 10 s unless set. In paused time that passes at once.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Sends bytes.
    pub fn send(self, data: impl AsRef<[u8]>) -> Self {
        self.then(Step::Send(data.as_ref().to_vec()))
    }

    /// Reads as many bytes as these, which they have to be.
    pub fn expect(self, data: impl AsRef<[u8]>) -> Self {
        self.then(Step::Expect(data.as_ref().to_vec()))
    }

    /// Waits for the end of what the transport sends, with no byte before it. A reset is no such end.
    pub fn expect_eof(self) -> Self {
        self.then(Step::ExpectEof)
    }

    /// Waits this long, in which neither bytes nor the end may come.
    pub fn expect_silence(self, time: Duration) -> Self {
        self.then(Step::ExpectSilence(time))
    }

    /// Waits this long, whatever comes.
    pub fn pause(self, time: Duration) -> Self {
        self.then(Step::Pause(time))
    }

    /// Sends no more; reading goes on. See [`Peer::close_write`].
    pub fn close_write(self) -> Self {
        self.then(Step::CloseWrite)
    }

    /// Closes the connection. See [`Peer::close`].
    pub fn close(self) -> Self {
        self.then(Step::Close)
    }

    /// Resets the connection. See [`Peer::reset`].
    pub fn reset(self) -> Self {
        self.then(Step::Reset)
    }

    fn then(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// Plays the steps; bytes that come and that no step reads are left to be read.
    ///
    /// # Cancel safety
    ///
    /// Cancelled or dropped, the steps done so far stay done, and what the step under way has read is lost.
    ///
    /// # Errors
    ///
    /// A [`ScriptError`] at the first step that gets something other than it expects, as soon as that is certain.
    ///
    /// # Panics
    ///
    /// If it sends after it has closed, as [`Peer::send`].
    pub async fn run(&self, peer: &Peer) -> Result<(), ScriptError> {
        for (number, step) in self.steps.iter().enumerate() {
            step.play(peer, self.patience).await.map_err(|found| ScriptError {
                number: number + 1,
                n_steps: self.steps.len(),
                step: step.clone(),
                found,
            })?;
        }
        Ok(())
    }
}

impl Default for Script {
    fn default() -> Self {
        Script::new()
    }
}

impl Step {
    async fn play(&self, peer: &Peer, patience: Duration) -> Result<(), Found> {
        match self {
            Step::Send(data) => peer.send(data),
            Step::Expect(data) => return expect(peer, data, patience).await,
            Step::ExpectEof => {
                let data = move_on_after(patience, peer.read()).await;
                return match data {
                    Some(data) if data.is_empty() && peer.is_eof() && !peer.is_reset() => Ok(()),
                    Some(data) => Err(Found::after(peer, data)),
                    None => Err(Found { data: Vec::new(), then: Then::Silence(patience) }),
                };
            }
            Step::ExpectSilence(time) => {
                if let Some(data) = move_on_after(*time, peer.read()).await {
                    return Err(Found::after(peer, data));
                }
            }
            Step::Pause(time) => sleep(*time).await,
            Step::CloseWrite => peer.close_write(),
            Step::Close => peer.close(),
            Step::Reset => peer.reset(),
        }
        Ok(())
    }
}

async fn expect(peer: &Peer, expected: &[u8], patience: Duration) -> Result<(), Found> {
    let mut data = Vec::new();
    let mut is_over = false;
    let came = move_on_after(patience, async {
        while !is_over && data.len() < expected.len() && expected.starts_with(&data) {
            let more = peer.read_up_to(expected.len() - data.len()).await;
            is_over = more.is_empty();
            data.extend(more);
        }
    });
    let is_in_time = came.await.is_some();
    match data == expected {
        true => Ok(()),
        false if is_in_time => {
            // What stands behind it often says what has gone wrong.
            data.extend(peer.received());
            Err(Found::after(peer, data))
        }
        false => Err(Found { data, then: Then::Silence(patience) }),
    }
}
