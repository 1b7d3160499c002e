//! A nursery ends after its children: two of them say something, each at its time.
//!
//! ```text
//! cargo run --example nursery
//! ```

use std::time::Duration;

use foster::{NurseryError, Result, open_nursery, run, sleep};

async fn say(what: &str, when: Duration, print: impl Fn(&str)) {
    sleep(when).await;
    print(what);
}

async fn app(print: impl Fn(&str) + Copy + 'static) -> Result<Option<()>, NurseryError> {
    open_nursery(async |nursery| {
        nursery.start_soon(say("hello", Duration::from_secs(2), print));
        nursery.start_soon(say("world", Duration::from_secs(1), print));
        Ok(())
    })
    .await
}

fn main() -> Result<()> {
    run(app(|what| println!("{what}")))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use foster::run_here;
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_later_is_said_last_and_both_wait_at_the_same_time() {
        thread_local!(static SAID: RefCell<Vec<(String, Duration)>> = RefCell::default());
        let began = Instant::now();
        let print = move |what: &str| SAID.with_borrow_mut(|said| said.push((what.to_owned(), began.elapsed())));
        run_here(app(print)).await.expect("nobody fails");
        let said = SAID.take();
        assert_eq!(said.iter().map(|(what, _)| &**what).collect::<Vec<_>>(), ["world", "hello"]);
        // The clock counts in milliseconds and rounds up.
        assert_eq!(said.iter().map(|(_, at)| at.as_secs()).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(began.elapsed().as_secs(), 2, "the nursery ends with its last child");
    }
}
