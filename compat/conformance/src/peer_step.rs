//! What the peer does, step by step.

use std::time::Duration;

use serde_json::Value;

/// One step of the peer, see `SCENARIOS.md`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PeerStep {
    Send(String),
    /// The same below TLS.
    SendRaw(String),
    SendN(usize),
    Sleep(Duration),
    ShutWr,
    Close,
    Rst,
    Recv,
    RecvN(usize),
    RecvAll {
        /// Only say that the payload is long, not how long.
        inexact: bool,
        /// Do not tell an end of file from a reset.
        any_end: bool,
    },
    Until {
        prefix: String,
        n_lines: usize,
    },
    SendTo(String),
    SendToN(usize),
    RecvFrom,
    Connect {
        server: String,
        name: String,
    },
    Accept {
        name: String,
    },
    Use(String),
    Go(String),
    Mark(String),
    TlsWrap,
    TlsUnwrap,
}

impl PeerStep {
    /// The step that a list such as `["until", "data", 2]` stands for.
    pub(crate) fn from_json(value: &Value) -> Result<PeerStep, String> {
        let invalid = |problem: &str| format!("the peer step {value} {problem}");
        let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
        let [Value::String(name), arguments @ ..] = list else {
            return Err(invalid("is not a list that begins with a name"));
        };
        let text = |position: usize| match arguments.get(position) {
            Some(Value::String(text)) => Ok(text.clone()),
            _ => Err(invalid("lacks a text")),
        };
        let text_or_empty = |position: usize| match arguments.get(position) {
            None => Ok(String::new()),
            Some(_) => text(position),
        };
        let number = |position: usize| match arguments.get(position).and_then(Value::as_u64) {
            Some(number) => usize::try_from(number).map_err(|_| invalid("holds a number that is too high")),
            None => Err(invalid("lacks a number")),
        };
        let (step, n_allowed) = match name.as_str() {
            "send" => (PeerStep::Send(text(0)?), 1),
            "send_raw" => (PeerStep::SendRaw(text(0)?), 1),
            "send_n" => (PeerStep::SendN(number(0)?), 1),
            "sleep" => (PeerStep::Sleep(Duration::from_millis(number(0)? as u64)), 1),
            "shut_wr" => (PeerStep::ShutWr, 0),
            "close" => (PeerStep::Close, 0),
            "rst" => (PeerStep::Rst, 0),
            "recv" => (PeerStep::Recv, 0),
            "recv_n" => (PeerStep::RecvN(number(0)?), 1),
            "recv_all" => (recv_all(arguments).ok_or_else(|| invalid("has an unknown flag"))?, 2),
            "until" => {
                let prefix = text(0)?;
                let n_lines = if arguments.len() > 1 { number(1)? } else { 1 };
                (PeerStep::Until { prefix, n_lines }, 2)
            }
            "sendto" => (PeerStep::SendTo(text(0)?), 1),
            "sendto_n" => (PeerStep::SendToN(number(0)?), 1),
            "recvfrom" => (PeerStep::RecvFrom, 0),
            "connect" => {
                let (server, name) = (text(0)?, text_or_empty(1)?);
                (PeerStep::Connect { server, name }, 2)
            }
            "accept" => (PeerStep::Accept { name: text_or_empty(0)? }, 1),
            "use" => (PeerStep::Use(text(0)?), 1),
            "go" => (PeerStep::Go(text(0)?), 1),
            "mark" => (PeerStep::Mark(text(0)?), 1),
            "tls_wrap" => (PeerStep::TlsWrap, 0),
            "tls_unwrap" => (PeerStep::TlsUnwrap, 0),
            _ => return Err(invalid("is not one of the language")),
        };
        if arguments.len() > n_allowed {
            return Err(invalid("has more arguments than it can use"));
        }
        Ok(step)
    }

    /// The name in the scenario language, which the peer's error lines begin with.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            PeerStep::Send(_) => "send",
            PeerStep::SendRaw(_) => "send_raw",
            PeerStep::SendN(_) => "send_n",
            PeerStep::Sleep(_) => "sleep",
            PeerStep::ShutWr => "shut_wr",
            PeerStep::Close => "close",
            PeerStep::Rst => "rst",
            PeerStep::Recv => "recv",
            PeerStep::RecvN(_) => "recv_n",
            PeerStep::RecvAll { .. } => "recv_all",
            PeerStep::Until { .. } => "until",
            PeerStep::SendTo(_) => "sendto",
            PeerStep::SendToN(_) => "sendto_n",
            PeerStep::RecvFrom => "recvfrom",
            PeerStep::Connect { .. } => "connect",
            PeerStep::Accept { .. } => "accept",
            PeerStep::Use(_) => "use",
            PeerStep::Go(_) => "go",
            PeerStep::Mark(_) => "mark",
            PeerStep::TlsWrap => "tls_wrap",
            PeerStep::TlsUnwrap => "tls_unwrap",
        }
    }
}

fn recv_all(flags: &[Value]) -> Option<PeerStep> {
    let (mut inexact, mut any_end) = (false, false);
    for flag in flags {
        match flag.as_str()? {
            "inexact" => inexact = true,
            "anyend" => any_end = true,
            _ => return None,
        }
    }
    Some(PeerStep::RecvAll { inexact, any_end })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn until_waits_for_one_line_unless_told_otherwise() {
        let until = |n_lines| PeerStep::Until { prefix: "data".to_owned(), n_lines };
        assert_eq!(PeerStep::from_json(&json!(["until", "data"])), Ok(until(1)));
        assert_eq!(PeerStep::from_json(&json!(["until", "data", 2])), Ok(until(2)));
    }

    #[test]
    fn a_step_that_the_language_does_not_know_is_refused() {
        for step in [json!(["sing"]), json!([]), json!("close"), json!(["recv_all", "exact"]), json!(["close", 1])] {
            assert!(PeerStep::from_json(&step).is_err(), "{step} was read");
        }
    }
}
