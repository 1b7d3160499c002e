//! Memory channels and `Event`.

mod log;

use foster_compat::{
    CancelScope, Event, ReceiveError, SendError, checkpoint, move_on_after, open_memory_channel, open_nursery, run,
    sleep,
};
use futures::StreamExt;

use crate::log::{Log, inside, ms};

#[tokio::test(start_paused = true)]
async fn values_come_out_in_the_order_they_went_in() {
    inside(open_nursery(async |nursery| {
        let (sender, receiver) = open_memory_channel(2);
        nursery.start_soon(async move {
            for n in 0..10 {
                sender.send(n).await?;
            }
            Ok(())
        });
        for n in 0..10 {
            assert_eq!(receiver.receive().await, Ok(n));
        }
        assert_eq!(receiver.receive().await, Err(ReceiveError::EndOfChannel));
        Ok(())
    }))
    .await
    .unwrap();
}

#[tokio::test(start_paused = true)]
async fn send_waits_while_the_channel_is_full() {
    let log = Log::default();
    inside(open_nursery(async |nursery| {
        let (sender, receiver) = open_memory_channel(1);
        let words = log.clone();
        nursery.start_soon(async move {
            sender.send(1).await?;
            words.say("first");
            sender.send(2).await?;
            words.say("second");
            Ok(())
        });
        sleep(ms(1)).await;
        log.say("receive");
        receiver.receive().await?;
        receiver.receive().await?;
        Ok(())
    }))
    .await
    .unwrap();
    assert_eq!(log.said(), "first receive second");
}

#[test]
fn send_nowait_gives_the_value_back_when_the_channel_is_full() {
    let (sender, receiver) = open_memory_channel(1);
    assert_eq!(sender.send_nowait(1), Ok(()));
    assert_eq!(sender.send_nowait(2), Err(SendError::WouldBlock(2)));
    assert_eq!(receiver.receive_nowait(), Ok(1));
    assert_eq!(receiver.receive_nowait(), Err(ReceiveError::WouldBlock));
}

#[tokio::test(start_paused = true)]
async fn sending_to_closed_receivers_gives_the_value_back() {
    inside(async {
        let (sender, receiver) = open_memory_channel(1);
        receiver.close();
        assert_eq!(sender.send(1).await, Err(SendError::BrokenResource(1)));
        assert_eq!(sender.send_nowait(2).unwrap_err().into_inner(), 2);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_waiting_send_is_woken_when_the_last_receiver_is_closed() {
    inside(open_nursery(async |nursery| {
        let (sender, receiver) = open_memory_channel(1);
        sender.send(1).await.unwrap();
        nursery.start_soon(async move {
            sleep(ms(1)).await;
            receiver.close();
        });
        assert_eq!(sender.send(2).await, Err(SendError::BrokenResource(2)));
        Ok(())
    }))
    .await
    .unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_is_received_after_the_last_sender_is_closed() {
    inside(async {
        let (sender, receiver) = open_memory_channel(2);
        let other = sender.clone();
        sender.send(1).await.unwrap();
        sender.close();
        other.send(2).await.unwrap();
        other.close();
        assert_eq!(receiver.collect::<Vec<_>>().await, [1, 2]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn each_value_goes_to_one_of_the_receivers() {
    inside(async {
        let (sender, first) = open_memory_channel(4);
        let second = first.clone();
        for n in 0..4 {
            sender.send(n).await.unwrap();
        }
        sender.close();
        assert_eq!(first.receive().await, Ok(0));
        assert_eq!(second.receive().await, Ok(1));
        drop(first);
        assert_eq!(second.collect::<Vec<_>>().await, [2, 3]);
    })
    .await;
}

#[test]
fn a_size_of_zero_is_taken_as_one_and_the_largest_as_no_limit() {
    assert_eq!(open_memory_channel::<()>(0).0.statistics().max_buffer_size, 1);
    assert_eq!(open_memory_channel::<()>(usize::MAX).0.statistics().max_buffer_size, usize::MAX);
}

#[test]
fn statistics_count_values_and_handles() {
    let (sender, receiver) = open_memory_channel(3);
    let _other = sender.clone();
    sender.send_nowait(1).unwrap();
    let seen = receiver.statistics();
    assert_eq!(seen, sender.statistics());
    assert_eq!((seen.current_buffer_used, seen.open_send_channels, seen.open_receive_channels), (1, 2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_receive_loses_no_value() {
    inside(open_nursery(async |nursery| {
        let (sender, receiver) = open_memory_channel(1);
        let scope = CancelScope::new();
        let canceller = scope.clone();
        nursery.start_soon(async move {
            canceller.cancel();
            sender.send(1).await.unwrap();
        });
        assert!(scope.run(receiver.receive()).await.is_none());
        assert_eq!(receiver.receive().await, Ok(1));
        Ok(())
    }))
    .await
    .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_value_received_before_the_cancel_is_kept() {
    inside(open_nursery(async |nursery| {
        let (sender, receiver) = open_memory_channel(1);
        let scope = CancelScope::new();
        let canceller = scope.clone();
        nursery.start_soon(async move {
            sender.send(1).await.unwrap();
            canceller.cancel();
        });
        assert_eq!(scope.run(receiver.receive()).await, Some(Ok(1)));
        Ok(())
    }))
    .await
    .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_stream_in_a_cancelled_scope_gives_nothing_more() {
    inside(async {
        let (sender, mut receiver) = open_memory_channel(1);
        sender.send(1).await.unwrap();
        let scope = CancelScope::new();
        scope.cancel();
        assert!(scope.run(receiver.next()).await.is_none());
        assert_eq!(receiver.next().await, Some(1));
    })
    .await;
}

#[test]
fn values_may_come_from_another_thread() {
    let (sender, receiver) = open_memory_channel(100);
    let thread = std::thread::spawn(move || (0..100).try_for_each(|n| sender.send_nowait(n)));
    let got = run(async { foster_compat::Ok(receiver.collect::<Vec<_>>().await) });
    assert!(got.unwrap().into_iter().eq(0..100));
    thread.join().unwrap().unwrap();
}

// ---- Event

#[tokio::test(start_paused = true)]
async fn setting_an_event_wakes_everybody_who_waits_in_order() {
    let log = Log::default();
    inside(open_nursery(async |nursery| {
        let event = Event::new();
        for name in ["a", "b"] {
            let (log, event) = (log.clone(), event.clone());
            nursery.start_soon(async move {
                event.wait().await;
                log.say(name);
            });
        }
        checkpoint().await;
        log.say("set");
        event.set();
        event.set();
        Ok(())
    }))
    .await
    .unwrap();
    assert_eq!(log.said(), "set a b");
}

#[tokio::test(start_paused = true)]
async fn waiting_for_an_event_that_has_happened_is_over_at_once() {
    inside(async {
        let event = Event::new();
        assert!(!event.is_set());
        event.set();
        assert!(event.is_set());
        assert_eq!(move_on_after(ms(0), event.wait()).await, Some(()));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_wait_for_an_event_leaves_the_others_waiting() {
    inside(open_nursery(async |nursery| {
        let event = Event::new();
        let other = event.clone();
        nursery.start_soon(async move { other.wait().await });
        assert!(move_on_after(ms(1), event.wait()).await.is_none());
        assert_eq!(nursery.n_children(), 1);
        event.set();
        Ok(())
    }))
    .await
    .unwrap();
}
