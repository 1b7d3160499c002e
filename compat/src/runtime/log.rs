//! Where errors and warnings go: to `tracing`, or to stderr while no subscriber is installed.

use std::io::Write;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;
use tracing::Dispatch;
use tracing::subscriber::NoSubscriber;

/// Lines a second on stderr. asyncio has no limit, and unlimited reports of failing accepts have filled disks.
const MAX_LINES_PER_SECOND: u32 = 100;

pub(crate) fn error(message: &str) {
    if has_subscriber() {
        tracing::error!(target: "foster", "{message}");
    } else {
        print("error", message);
    }
}

/// As [`error`], with what would make the message long as a field of its own.
pub(crate) fn error_with(message: &str, details: &str) {
    if has_subscriber() {
        tracing::error!(target: "foster", details, "{message}");
    } else {
        print("error", &format!("{message}: {details}"));
    }
}

pub(crate) fn warning(message: &str) {
    if has_subscriber() {
        tracing::warn!(target: "foster", "{message}");
    } else {
        print("warning", message);
    }
}

/// For what nobody has to act on: it is not printed where no subscriber is installed.
#[cfg_attr(not(any(feature = "tls", feature = "tls-aws-lc")), expect(dead_code, reason = "TLS alone has such news"))]
pub(crate) fn info(message: &str) {
    tracing::info!(target: "foster", "{message}");
}

fn has_subscriber() -> bool {
    !tracing::dispatcher::get_default(Dispatch::is::<NoSubscriber>)
}

/// The lines printed in the current second.
struct Second {
    began: Option<Instant>,
    n_lines: u32,
    n_left_out: u32,
}

fn print(level: &str, message: &str) {
    static SECOND: Mutex<Second> = Mutex::new(Second { began: None, n_lines: 0, n_left_out: 0 });
    let mut second = SECOND.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let now = Instant::now();
    let is_over = second.began.is_none_or(|began| now.saturating_duration_since(began) >= Duration::from_secs(1));
    // A closed stderr is nobody's fault that could be told here.
    let mut stderr = std::io::stderr().lock();
    if is_over {
        if second.n_left_out > 0 {
            let _ = writeln!(stderr, "foster: warning: {} more lines were left out", second.n_left_out);
        }
        *second = Second { began: Some(now), n_lines: 0, n_left_out: 0 };
    }
    if second.n_lines < MAX_LINES_PER_SECOND {
        second.n_lines += 1;
        let message = message.replace('\n', "\\n");
        let _ = writeln!(stderr, "foster: {level}: {message}");
    } else {
        second.n_left_out += 1;
    }
}
