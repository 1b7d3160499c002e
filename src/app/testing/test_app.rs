//! [`App::test_app`]: an application with its whole life, around a test.

use std::cell::Cell;

use super::client::TestClient;
use crate::app::App;
use crate::{Error, ExceptionContext, Loop, Nursery, NurseryError, Result, finally, open_nursery};

impl App {
    /// Runs a test with the life of the application around it: Quart's `async with app.test_app()`. The hooks that come
    /// before serving are called before `test`, those that come after serving behind it, also if it has failed; what is
    /// left in the nursery of the application is cancelled then.
    ///
    /// # Errors
    ///
    /// The error of the test, itself; that of a hook; [`SetupError`](crate::app::SetupError). Several at once are a
    /// [`NurseryError`].
    ///
    /// # Panics
    ///
    /// Resumes a panic of the test, once all has ended.
    ///
    /// # Cancel safety
    ///
    /// Cancelled by a scope, the application is shut down as by [`finally`], within 5 seconds.
    ///
    /// # Examples
    ///
    /// In a test with time that jumps, an hour is nothing:
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use foster::app::App;
    /// use foster::{Result, run_here, sleep};
    ///
    /// fn app() -> App {
    ///     let mut app = App::new();
    ///     app.get("/slow", async || {
    ///         sleep(Duration::from_secs(3600)).await;
    ///         "at last"
    ///     });
    ///     app
    /// }
    ///
    /// // In a test: #[tokio::test(start_paused = true)]
    /// #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// async fn main() -> Result<()> {
    ///     run_here(app().test_app(async |client| {
    ///         let mut response = client.get("/slow").await?;
    ///         assert_eq!(response.text().await?, "at last");
    ///         foster::Ok(())
    ///     }))
    ///     .await
    /// }
    /// ```
    pub async fn test_app<T>(self, test: impl AsyncFnOnce(TestClient) -> Result<T>) -> Result<T> {
        let ended = open_nursery(async |nursery: Nursery| {
            let client = self.test_client(&nursery)?;
            client.startup().await?;
            let is_over = Cell::new(false);
            let testing = async {
                let tested = test(client.clone()).await;
                is_over.set(true);
                match (tested, client.shutdown().await) {
                    (Err(err), Err(other)) => {
                        report(&nursery, other);
                        Err(err)
                    }
                    (tested, stopped) => tested.and_then(|value| stopped.map(|()| value)),
                }
            };
            let clean_up = async {
                if !is_over.get() {
                    if let Err(err) = client.shutdown().await {
                        report(&nursery, err);
                    }
                }
            };
            let tested = finally(testing, clean_up).await;
            nursery.cancel_scope().cancel_with("the test is over");
            tested
        });
        match ended.await {
            Ok(Some(value)) => Ok(value),
            Ok(None) => Err(Error::msg("the nursery of the test was cancelled before the test was over")),
            Err(err) => Err(NurseryError::into_error(err)),
        }
    }
}

fn report(nursery: &Nursery, err: Error) {
    let context = ExceptionContext::new("the shutdown of an application under test failed", Some(err));
    Loop::new(nursery).call_exception_handler(&context);
}
