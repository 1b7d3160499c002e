//! What becomes of a background task that fails.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use foster::app::{App, BackgroundPolicy, current_app};
use foster::{Error, HttpServer, Result, sleep};
use tokio::time::Instant;

use crate::life::{SECOND, at_the_end, live, live_on};
use crate::stage::Log;

/// When the task was started, from its first start on.
#[derive(Clone, Default)]
struct Starts(Rc<RefCell<Vec<Instant>>>);

impl Starts {
    /// Counts one more.
    fn count(&self) -> usize {
        self.0.borrow_mut().push(Instant::now());
        self.0.borrow().len()
    }

    /// The pauses between them, in milliseconds.
    fn pauses(&self) -> Vec<u128> {
        self.0.borrow().windows(2).map(|pair| (pair[1] - pair[0]).as_millis()).collect()
    }
}

#[test]
fn a_task_is_isolated_unless_it_says_otherwise() {
    let starts = Starts::default();
    let mut app = App::new();
    let counted = starts.clone();
    app.add_background_task(async move || {
        counted.count();
        Err::<(), _>(Error::msg("it broke"))
    });
    let lived = live(app, async |server| {
        sleep(60 * SECOND).await;
        assert!(!server.is_stopping());
    });
    assert!(lived.ended.is_ok());
    assert_eq!(starts.0.borrow().len(), 1);
    assert_eq!(lived.reports, ["a background task failed: it broke"]);
}

#[test]
fn a_task_that_is_to_be_restarted_is_after_a_pause_that_grows_and_is_short_again_after_a_long_life() {
    let starts = Starts::default();
    let mut app = App::new();
    let counted = starts.clone();
    app.add_background_task(async move || -> Result<()> {
        match counted.count() {
            10 => sleep(11 * SECOND).await,
            13 => return Ok(()),
            n if n % 2 == 0 => panic!("it fell"),
            _ => {}
        }
        Err(Error::msg("it broke"))
    })
    .policy(BackgroundPolicy::Restart);
    let lived = live(app, async |_| sleep(3600 * SECOND).await);
    assert!(lived.ended.is_ok());
    assert_eq!(starts.pauses(), [100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000, 11_100, 200, 400]);
    assert_eq!(lived.reports.len(), 12);
    assert_eq!(lived.reports[0], "a background task failed, and is started again in 100ms: it broke");
    assert_eq!(lived.reports[3], "a background task failed, and is started again in 800ms: panicked: it fell");
}

#[test]
fn a_task_is_not_restarted_once_the_application_shuts_down() {
    for fails_at_the_end in [true, false] {
        let starts = Starts::default();
        let mut app = App::new();
        let counted = starts.clone();
        app.add_background_task(async move || -> Result<()> {
            counted.count();
            if fails_at_the_end {
                current_app().shutdown_event().wait().await;
            }
            Err(Error::msg("it broke"))
        })
        .policy(BackgroundPolicy::Restart);
        let lived = live(app, async |_| sleep(Duration::from_millis(50)).await);
        assert!(lived.ended.is_ok());
        assert_eq!((starts.0.borrow().len(), lived.took), (1, Duration::ZERO), "{fails_at_the_end}");
        let again = if fails_at_the_end { "" } else { ", and is started again in 100ms" };
        assert_eq!(lived.reports, [format!("a background task failed{again}: it broke")]);
    }
}

#[test]
fn a_task_that_stops_the_application_gives_it_its_error() {
    for panics in [true, false] {
        let log = Log::default();
        let mut app = App::new();
        app.add_background_task(async move || {
            sleep(SECOND).await;
            assert!(!panics, "it fell");
            Err::<(), _>(Error::msg("it broke"))
        })
        .policy(BackgroundPolicy::StopApp);
        let (told, last) = (log.clone(), log.clone());
        app.add_background_task(async move || {
            let _ended = at_the_end(&told, "another");
            sleep(3 * SECOND).await;
        });
        app.after_serving(async move || last.say("after"));
        let lived = live_on(app);
        let said = if panics { "panicked: it fell" } else { "it broke" };
        assert_eq!(lived.ended.unwrap_err().to_string(), said);
        assert!(lived.reports.is_empty(), "{:?}", lived.reports);
        assert_eq!((log.words(), lived.took), (vec!["another ended".to_owned(), "after".to_owned()], 3 * SECOND));
    }
}

#[test]
fn of_several_errors_that_stop_the_application_the_first_counts_and_the_others_are_reported() {
    let mut app = App::new();
    for name in ["first", "second"] {
        app.add_background_task(async move || Err::<(), _>(Error::msg(name))).policy(BackgroundPolicy::StopApp);
    }
    let lived = live_on(app);
    assert_eq!(lived.ended.unwrap_err().to_string(), "first");
    assert_eq!(lived.reports, ["a further error of an application that stops because of one: second"]);
}

#[test]
fn a_task_that_ends_well_stops_nothing_and_is_not_restarted() {
    let starts = Starts::default();
    let mut app = App::new();
    for policy in [BackgroundPolicy::Isolate, BackgroundPolicy::Restart, BackgroundPolicy::StopApp] {
        let counted = starts.clone();
        app.add_background_task(async move || {
            counted.count();
        })
        .policy(policy);
    }
    let lived = live(app, async |server: &HttpServer| {
        sleep(60 * SECOND).await;
        assert!(!server.is_stopping());
    });
    assert!(lived.ended.is_ok() && lived.reports.is_empty());
    assert_eq!(starts.0.borrow().len(), 3);
}

#[test]
fn a_task_may_be_added_while_the_application_serves() {
    let mut app = App::new();
    let n = Rc::new(Cell::new(0));
    let counted = n.clone();
    app.before_serving(async move || {
        let counted = counted.clone();
        let task = async move || {
            counted.set(counted.get() + 1);
            if counted.get() < 3 { Err(Error::msg("not yet")) } else { Ok(()) }
        };
        current_app().add_background_task(task).policy(BackgroundPolicy::Restart);
    });
    let lived = live(app, async |_| sleep(SECOND).await);
    assert!(lived.ended.is_ok());
    assert_eq!((n.get(), lived.reports.len()), (3, 2));
}
