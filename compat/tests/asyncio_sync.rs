//! asyncio's `Event`, `Lock`, `Semaphore` and `Condition`.

mod journal;

use std::cell::Cell;
use std::rc::Rc;

use foster_compat::asyncio::{self, BoundedSemaphore, Condition, Event, Lock, LockGuard, Semaphore};
use foster_compat::{
    Loop, Nursery, ValueError, cancel_reason, checkpoint, move_on_after, open_nursery, shield, sleep, sleep_forever,
};

use crate::journal::{Drops, Journal, in_loop, inside, is_pending, logged, ms};

// ---- Event

#[tokio::test(start_paused = true)]
async fn a_set_event_lets_everybody_through_at_once() {
    in_loop(async |loop_, journal| {
        let event = Event::new();
        event.set();
        event.set();
        loop_.call_soon(journal.says("next-turn"));
        event.wait().await;
        event.wait().await;
        assert!(event.is_set());
        assert_eq!(journal.said(), "");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn setting_an_event_wakes_everybody_in_the_order_they_came() {
    in_loop(async |loop_, journal| {
        let event = Event::new();
        for n in 1..=3 {
            let (event, says) = (event.clone(), journal.clone());
            loop_.create_task(async move {
                event.wait().await;
                says.say(n.to_string());
            });
        }
        sleep(ms(1)).await;
        assert_eq!(journal.said(), "");
        event.set();
        sleep(ms(1)).await;
        assert_eq!(journal.said(), "1 2 3");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_waits_when_an_event_is_set_goes_on_although_it_is_cleared_at_once() {
    in_loop(async |loop_, journal| {
        let event = Event::new();
        let (waits, says) = (event.clone(), journal.clone());
        loop_.create_task(async move {
            waits.wait().await;
            says.say("first");
            waits.wait().await;
            says.say("second");
        });
        checkpoint().await;
        event.set();
        event.clear();
        assert!(!event.is_set());
        sleep(ms(1)).await;
        assert_eq!(journal.said(), "first");
        loop_.stop();
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_a_set_event_stays_pending_in_a_cancelled_scope() {
    let journal = Journal::default();
    inside(async |_| {
        let event = Event::new();
        event.set();
        let ended = open_nursery(async |nursery: Nursery| {
            nursery.cancel();
            event.wait().await;
            journal.say("went-on");
            Ok(())
        })
        .await?;
        assert!(ended.is_none());
        Ok(())
    })
    .await;
    assert_eq!(journal.said(), "");
}

// ---- Lock

/// Takes the lock in a task, says the word, and keeps the lock for `n` milliseconds.
fn hold(loop_: &Loop, lock: &Lock, journal: &Journal, word: &'static str, n: u64) -> asyncio::Task<()> {
    let (lock, journal) = (lock.clone(), journal.clone());
    loop_.create_task(async move {
        let _guard: LockGuard = lock.acquire().await;
        journal.say(word);
        sleep(ms(n)).await;
    })
}

#[tokio::test(start_paused = true)]
async fn a_lock_lets_one_through_at_a_time_in_the_order_they_came() {
    in_loop(async |loop_, journal| {
        let lock = Lock::new();
        for word in ["one", "two", "three"] {
            hold(&loop_, &lock, &journal, word, 10);
        }
        sleep(ms(5)).await;
        assert_eq!(journal.said(), "one");
        sleep(ms(10)).await;
        assert_eq!(journal.said(), "two");
        assert!(lock.locked());
        sleep(ms(30)).await;
        assert_eq!(journal.said(), "three");
        assert!(!lock.locked());
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_comes_while_a_lock_is_handed_on_waits_behind() {
    in_loop(async |loop_, journal| {
        let lock = Lock::new();
        let guard = lock.acquire().await;
        hold(&loop_, &lock, &journal, "waiting", 10);
        checkpoint().await;
        drop(guard);
        assert!(lock.locked());
        let _guard = lock.acquire().await;
        assert_eq!(journal.said(), "waiting");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_waiter_leaves_the_line_of_a_lock() {
    in_loop(async |loop_, journal| {
        let lock = Lock::new();
        let guard = lock.acquire().await;
        let first = hold(&loop_, &lock, &journal, "first", 1);
        hold(&loop_, &lock, &journal, "second", 1);
        checkpoint().await;
        first.cancel();
        sleep(ms(1)).await;
        drop(guard);
        sleep(ms(5)).await;
        assert_eq!(journal.said(), "second");
        assert!(!lock.locked());
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_waiter_cancelled_with_the_lock_in_hand_passes_it_on() {
    in_loop(async |loop_, journal| {
        let lock = Lock::new();
        let guard = lock.acquire().await;
        // Dropped by foreign code in the turn in which it was woken, so it never sees the lock.
        let mut first = Box::pin(lock.acquire());
        assert!(is_pending(&mut first).await);
        hold(&loop_, &lock, &journal, "second", 1);
        checkpoint().await;
        drop(guard);
        drop(first);
        sleep(ms(5)).await;
        assert_eq!(journal.said(), "second");
        assert!(!lock.locked());
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_task_cancelled_in_the_turn_in_which_it_gets_the_lock_does_not_keep_it() {
    for n_cancelled in 1..=3 {
        in_loop(async |loop_, journal| {
            let lock = Lock::new();
            let guard = lock.acquire().await;
            let waiting: Vec<_> = (0..3).map(|_| hold(&loop_, &lock, &journal, "got", 1)).collect();
            checkpoint().await;
            drop(guard);
            for task in &waiting[..n_cancelled] {
                task.cancel();
            }
            sleep(ms(10)).await;
            assert!(!lock.locked(), "{n_cancelled}");
            assert!(waiting.iter().all(asyncio::Task::done));
            Ok(())
        })
        .await;
    }
}

// ---- Semaphore

#[tokio::test(start_paused = true)]
async fn a_semaphore_lets_so_many_through_and_the_others_in_their_order() {
    in_loop(async |loop_, journal| {
        let semaphore = Semaphore::new(2);
        for n in 1..=4 {
            let (semaphore, says) = (semaphore.clone(), journal.clone());
            loop_.create_task(async move {
                let _guard = semaphore.acquire().await;
                says.say(n.to_string());
                sleep(ms(10)).await;
            });
        }
        sleep(ms(5)).await;
        assert_eq!(journal.said(), "1 2");
        assert!(semaphore.locked());
        sleep(ms(10)).await;
        assert_eq!(journal.said(), "3 4");
        sleep(ms(10)).await;
        assert!(!semaphore.locked());
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_semaphore_can_be_released_by_who_has_not_acquired() {
    in_loop(async |loop_, journal| {
        let semaphore = Semaphore::new(0);
        let (waits, says) = (semaphore.clone(), journal.clone());
        loop_.create_task(async move {
            waits.acquire().await.forget();
            says.say("through");
        });
        sleep(ms(1)).await;
        assert_eq!(journal.said(), "");
        semaphore.release();
        sleep(ms(1)).await;
        assert_eq!(journal.said(), "through");
        assert!(semaphore.locked());
        semaphore.release();
        assert!(!semaphore.locked());
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_waiter_never_takes_a_permit_along() {
    in_loop(async |_, _| {
        let semaphore = Semaphore::new(0);
        let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(semaphore.acquire())).collect();
        for wait in &mut waiting {
            assert!(is_pending(wait).await);
        }
        semaphore.release();
        // The first was woken and passes on, the second is in line and leaves it.
        waiting.drain(..2);
        assert!(move_on_after(ms(1), waiting.remove(0)).await.is_some());
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_bounded_semaphore_refuses_more_than_it_began_with() {
    in_loop(async |_, _| {
        let semaphore = BoundedSemaphore::new(1);
        let err: ValueError = semaphore.release().unwrap_err();
        assert_eq!(err.to_string(), "BoundedSemaphore released too many times");
        semaphore.acquire().await.forget();
        assert!(semaphore.locked());
        assert!(semaphore.release().is_ok() && semaphore.release().is_err());
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_guard_whose_permit_was_released_by_hand_is_dropped_with_a_warning() {
    let (logged, _guard) = logged();
    in_loop(async |_, _| {
        let semaphore = BoundedSemaphore::new(1);
        let guard = semaphore.acquire().await;
        semaphore.release()?;
        drop(guard);
        drop(semaphore.acquire().await);
        Ok(())
    })
    .await;
    assert_eq!(logged.lines(), ["a BoundedSemaphore was released by hand while its guard was held"]);
}

// ---- Condition

#[tokio::test(start_paused = true)]
async fn notify_wakes_so_many_in_the_order_they_came_each_with_the_lock() {
    in_loop(async |loop_, journal| {
        let condition = Condition::new();
        for n in 1..=3 {
            let (condition, says) = (condition.clone(), journal.clone());
            loop_.create_task(async move {
                let mut guard = condition.acquire().await;
                guard.wait().await;
                says.say(n.to_string());
                sleep(ms(10)).await;
            });
        }
        sleep(ms(1)).await;
        assert!(!condition.locked());
        condition.acquire().await.notify(2);
        sleep(ms(5)).await;
        assert_eq!(journal.said(), "1");
        sleep(ms(20)).await;
        assert_eq!(journal.said(), "2");
        condition.acquire().await.notify_all();
        sleep(ms(5)).await;
        assert_eq!(journal.said(), "3");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn wait_for_asks_again_after_every_notification() {
    in_loop(async |loop_, journal| {
        let (condition, n) = (Condition::new(), Rc::new(Cell::new(0)));
        let (waits, sees, says) = (condition.clone(), n.clone(), journal.clone());
        loop_.create_task(async move {
            let mut guard = waits.acquire().await;
            guard.wait_for(|| sees.get() == 2).await;
            says.say("two");
        });
        for _ in 0..2 {
            sleep(ms(1)).await;
            assert_eq!(journal.said(), "");
            let guard = condition.acquire().await;
            n.set(n.get() + 1);
            guard.notify(1);
        }
        sleep(ms(1)).await;
        assert_eq!(journal.said(), "two");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_timed_out_has_the_lock_again() {
    in_loop(async |_, _| {
        let condition = Condition::new();
        let mut guard = condition.acquire().await;
        assert!(asyncio::timeout(ms(1), guard.wait()).await.is_err());
        assert!(condition.locked());
        drop(guard);
        assert!(!condition.locked());
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_notification_that_came_to_a_cancelled_waiter_goes_to_the_next() {
    in_loop(async |loop_, journal| {
        let condition = Condition::new();
        let wait = |word: &'static str| {
            let (condition, says) = (condition.clone(), journal.clone());
            loop_.create_task(async move {
                let mut guard = condition.acquire().await;
                guard.wait().await;
                says.say(word);
            })
        };
        let (first, _second) = (wait("first"), wait("second"));
        sleep(ms(1)).await;
        first.cancel();
        condition.acquire().await.notify(1);
        sleep(ms(1)).await;
        assert_eq!(journal.said(), "second");
        assert!(!condition.locked());
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_guard_whose_wait_foreign_code_has_dropped_takes_the_lock_at_its_next_wait() {
    in_loop(async |loop_, journal| {
        let condition = Condition::new();
        let mut guard = condition.acquire().await;
        {
            let mut wait = Box::pin(guard.wait());
            assert!(is_pending(&mut wait).await);
        }
        assert!(!condition.locked());
        let (notifies, says) = (condition.clone(), journal.clone());
        loop_.create_task(async move {
            let guard = notifies.acquire().await;
            says.say("notifies");
            guard.notify(1);
        });
        guard.wait().await;
        assert_eq!(journal.said(), "notifies");
        assert!(condition.locked());
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn conditions_can_share_a_lock() {
    in_loop(async |_, _| {
        let lock = Lock::new();
        let (one, two) = (Condition::with_lock(&lock), Condition::with_lock(&lock));
        let guard = one.acquire().await;
        assert!(two.locked() && lock.locked());
        assert!(move_on_after(ms(1), two.acquire()).await.is_none());
        drop(guard);
        assert!(move_on_after(ms(1), two.acquire()).await.is_some());
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_lock_held_in_a_shield_is_released_when_the_shield_ends() {
    in_loop(async |loop_, journal| {
        let lock = Lock::new();
        let (locks, says) = (lock.clone(), journal.clone());
        let task = loop_.create_task(async move {
            shield(async {
                let _guard = locks.acquire().await;
                let _dropped = Drops(says, "released");
                assert!(cancel_reason().is_none());
                sleep(ms(5)).await;
            })
            .await;
            sleep_forever().await;
        });
        checkpoint().await;
        task.cancel();
        let _guard = lock.acquire().await;
        assert_eq!(journal.said(), "released");
        Ok(())
    })
    .await;
}
