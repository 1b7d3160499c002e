//! An application as a service of tower.

use super::app::App;
use super::setup_error::SetupError;
use crate::Handler;
use crate::tower::{self, HandlerService};

impl App {
    /// The application as a service of tower: [`tower::service`] of [`into_handler`](App::into_handler). For one that is
    /// served behind layers there is [`tower::layered`], which has its lifespan, too.
    ///
    /// # Errors
    ///
    /// [`SetupError`], with everything that is wrong.
    ///
    /// ```
    /// use foster::app::App;
    /// use tower_service::Service;
    ///
    /// let mut app = App::new();
    /// app.get("/", async || "Hello, World!");
    /// let mut service = app.into_service()?;
    /// foster::run(async move {
    ///     let response = service.call(http::Request::get("/").body(String::new())?).await?;
    ///     assert_eq!(response.status(), 200);
    ///     foster::Ok(())
    /// })?;
    /// # foster::Ok(())
    /// ```
    pub fn into_service(self) -> Result<HandlerService<impl Handler>, SetupError> {
        Ok(tower::service(self.into_handler()?))
    }
}
