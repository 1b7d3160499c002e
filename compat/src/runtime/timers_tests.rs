use std::time::Duration;

use super::*;

fn due(timers: &mut Timers<u32>, now: Instant) -> Vec<u32> {
    std::iter::from_fn(|| timers.pop_due(now)).collect()
}

fn after(start: Instant, millis: u64) -> Instant {
    start + Duration::from_millis(millis)
}

#[tokio::test(start_paused = true)]
async fn equal_deadlines_come_first_in_first_out() {
    let (mut timers, start) = (Timers::new(), Instant::now());
    for n in 0..10 {
        timers.insert(after(start, 5), n);
    }
    assert_eq!(due(&mut timers, after(start, 4)), []);
    assert_eq!(due(&mut timers, after(start, 5)), (0..10).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_timer_moved_later_fires_once_and_later() {
    let (mut timers, start) = (Timers::new(), Instant::now());
    let key = timers.insert(after(start, 5), 1);
    timers.insert(after(start, 7), 2);
    timers.reset(key, after(start, 9));
    assert_eq!(timers.next_deadline(), Some(after(start, 7)));
    assert_eq!(due(&mut timers, after(start, 8)), [2]);
    assert_eq!(due(&mut timers, after(start, 9)), [1]);
    assert!(timers.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_timer_moved_earlier_fires_once_and_earlier() {
    let (mut timers, start) = (Timers::new(), Instant::now());
    let key = timers.insert(after(start, 50), 1);
    timers.reset(key, after(start, 3));
    assert_eq!(timers.next_deadline(), Some(after(start, 3)));
    assert_eq!(due(&mut timers, after(start, 100)), [1]);
    assert_eq!(timers.next_deadline(), None);
}

#[tokio::test(start_paused = true)]
async fn a_removed_timer_gives_its_action_once_and_never_fires() {
    let (mut timers, start) = (Timers::new(), Instant::now());
    let key = timers.insert(start, 1);
    assert_eq!(timers.remove(key), Some(1));
    assert_eq!(timers.remove(key), None);
    let reused = timers.insert(start, 2);
    assert_eq!(timers.remove(key), None, "the old key must not reach the new timer");
    timers.reset(key, after(start, 100));
    assert_eq!(due(&mut timers, start), [2]);
    assert_eq!(timers.remove(reused), None);
}

#[tokio::test(start_paused = true)]
async fn a_hundred_thousand_timers_rearmed_many_times_keep_the_heap_bounded() {
    let (mut timers, start) = (Timers::new(), Instant::now());
    let keys: Vec<_> = (0..100_000u32).map(|n| timers.insert(after(start, 60_000 + u64::from(n)), n)).collect();
    for round in 0..10 {
        for key in &keys {
            timers.reset(*key, after(start, 200_000 - round));
        }
    }
    assert!(timers.heap.len() <= 2 * 100_000 + MIN_STALE, "heap of {}", timers.heap.len());
    for key in keys {
        timers.remove(key);
    }
    assert!(timers.heap.len() <= MIN_STALE, "heap of {} without a timer", timers.heap.len());
    assert_eq!(timers.next_deadline(), None);
}
