use std::time::Duration;

use foster_compat::{Nursery, Result, open_nursery, sleep};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// One that says when it is looked after.
struct Sleeper {
    me: Weak<Sleeper>,
    alarm: Alarm,
    name: usize,
    log: Log,
    /// What it does then.
    act: Box<dyn Fn(&Sleeper)>,
}

#[derive(Clone, Default)]
struct Log(Rc<RefCell<Vec<(usize, Duration)>>>);

impl Log {
    fn sleeper(&self, name: usize, act: impl Fn(&Sleeper) + 'static) -> Rc<Sleeper> {
        Rc::new_cyclic(|me| Sleeper {
            me: me.clone(),
            alarm: Alarm::default(),
            name,
            log: self.clone(),
            act: Box::new(act),
        })
    }

    fn take(&self) -> Vec<(usize, Duration)> {
        self.0.take()
    }
}

impl Alarmed for Sleeper {
    fn alarm(&self) -> &Alarm {
        &self.alarm
    }

    fn look_after(&self, now: Instant) {
        self.log.0.borrow_mut().push((self.name, now - start()));
        (self.act)(self);
    }
}

thread_local! {
    static START: Cell<Option<Instant>> = const { Cell::new(None) };
}

fn start() -> Instant {
    START.get().unwrap_or_else(Instant::now)
}

fn paused(test: impl AsyncFnOnce(&Nursery, Rc<Alarms>, Log) -> Result<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    let ended = runtime.expect("a runtime").block_on(foster_compat::run_here(open_nursery(async |nursery| {
        START.set(Some(Instant::now()));
        test(&nursery, Alarms::new(Loop::new(&nursery)), Log::default()).await
    })));
    ended.expect("the test ends well");
}

fn set(alarms: &Alarms, sleeper: &Rc<Sleeper>, after: Duration) {
    alarms.set(&sleeper.alarm, start() + after, &sleeper.me);
}

#[test]
fn they_come_in_the_order_of_their_times_and_those_of_one_moment_as_they_were_set() {
    paused(async |_, alarms, log| {
        let sleepers: Vec<_> = (0..5).map(|name| log.sleeper(name, |_| {})).collect();
        for (sleeper, secs) in sleepers.iter().zip([3, 1, 2, 1, 2]) {
            set(&alarms, sleeper, secs * SECOND);
        }
        sleep(9 * SECOND).await;
        assert_eq!(log.take(), [(1, SECOND), (3, SECOND), (2, 2 * SECOND), (4, 2 * SECOND), (0, 3 * SECOND)]);
        Ok(())
    });
}

#[test]
fn one_that_is_set_earlier_comes_earlier_and_only_then_and_one_that_is_set_later_does_not_move() {
    paused(async |_, alarms, log| {
        let sleeper = log.sleeper(0, |_| {});
        for secs in [5, 7, 2, 3] {
            set(&alarms, &sleeper, secs * SECOND);
        }
        sleep(9 * SECOND).await;
        assert_eq!(log.take(), [(0, 2 * SECOND)]);
        set(&alarms, &sleeper, 12 * SECOND);
        sleep(9 * SECOND).await;
        assert_eq!(log.take(), [(0, 12 * SECOND)]);
        Ok(())
    });
}

#[test]
fn one_that_is_cleared_does_not_come_also_when_another_has_its_place() {
    paused(async |_, alarms, log| {
        let [cleared, next] = [0, 1].map(|name| log.sleeper(name, |_| {}));
        set(&alarms, &cleared, SECOND);
        alarms.clear(&cleared.alarm);
        alarms.clear(&cleared.alarm);
        set(&alarms, &next, 2 * SECOND);
        assert_eq!(alarms.queue.borrow().places.len(), 1);
        sleep(9 * SECOND).await;
        assert_eq!(log.take(), [(1, 2 * SECOND)]);
        Ok(())
    });
}

#[test]
fn who_sets_it_for_a_time_that_has_passed_does_not_keep_the_loop() {
    paused(async |_, alarms, log| {
        let (again, n_times) = (alarms.clone(), Cell::new(0));
        let sleeper = log.sleeper(0, move |sleeper| {
            n_times.set(n_times.get() + 1);
            if n_times.get() < 100 {
                again.set(&sleeper.alarm, start(), &sleeper.me);
            }
        });
        set(&alarms, &sleeper, SECOND);
        sleep(SECOND).await;
        assert!(log.take().len() < 10);
        sleep(SECOND).await;
        assert!(log.take().len() > 90);
        Ok(())
    });
}

#[test]
fn who_panics_does_not_keep_the_others_from_being_looked_after() {
    paused(async |nursery, alarms, log| {
        Loop::new(nursery).set_exception_handler(Some(|_: &Loop, _: &foster_compat::ExceptionContext| {}));
        let [broken, next] = [true, false]
            .map(|is_broken| log.sleeper(usize::from(!is_broken), move |_| assert!(!is_broken, "this is what breaks")));
        set(&alarms, &broken, SECOND);
        set(&alarms, &next, SECOND);
        sleep(2 * SECOND).await;
        assert_eq!(log.take(), [(0, SECOND), (1, SECOND)]);
        Ok(())
    });
}

#[test]
fn connections_that_come_and_go_leave_no_more_behind_than_there_are() {
    paused(async |_, alarms, log| {
        let stay: Vec<_> = (0..100).map(|name| log.sleeper(name, |_| {})).collect();
        for sleeper in &stay {
            set(&alarms, sleeper, 3600 * SECOND);
        }
        for n in 0..10_000 {
            let sleeper = log.sleeper(0, |_| {});
            set(&alarms, &sleeper, 30 * SECOND);
            if n % 2 == 0 {
                set(&alarms, &sleeper, 20 * SECOND);
            }
            alarms.clear(&sleeper.alarm);
            assert_eq!(Rc::weak_count(&sleeper), 1, "its own");
            let queue = alarms.queue.borrow();
            assert_eq!(queue.places.len(), stay.len());
            assert!(queue.entries.len() <= 2 * stay.len() + MIN_STALE, "{} entries", queue.entries.len());
        }
        sleep(60 * SECOND).await;
        assert_eq!(log.take(), []);
        Ok(())
    });
}

#[test]
fn those_that_are_gone_are_not_waited_for() {
    paused(async |_, alarms, log| {
        set(&alarms, &log.sleeper(0, |_| {}), SECOND);
        let timer = alarms.timer.borrow().clone();
        drop(alarms);
        assert!(timer.is_some_and(|timer| timer.cancelled()));
        Ok(())
    });
}
