//! asyncio's `Queue`.

mod journal;

use foster_compat::asyncio::{Queue, QueueEmpty, QueueFull, QueueShutDown};
use foster_compat::{ValueError, checkpoint, move_on_after, sleep};

use crate::journal::{Drops, in_loop, is_pending, ms};

#[tokio::test(start_paused = true)]
async fn items_come_out_in_the_order_they_went_in() {
    in_loop(async |_, _| {
        let queue = Queue::new(0);
        for n in 0..100 {
            queue.put(n).await?;
        }
        assert_eq!((queue.qsize(), queue.maxsize()), (100, 0));
        assert!(!queue.full() && !queue.empty());
        for n in 0..100 {
            assert_eq!(queue.get().await?, n);
        }
        assert!(queue.empty());
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_makes_put_wait_for_room() {
    in_loop(async |loop_, journal| {
        let queue = Queue::new(1);
        queue.put(1).await?;
        assert!(queue.full());
        let (puts, says) = (queue.clone(), journal.clone());
        loop_.create_task(async move {
            puts.put(2).await?;
            says.say("put");
            foster_compat::Ok(())
        });
        sleep(ms(1)).await;
        assert_eq!(journal.said(), "");
        assert_eq!(queue.get().await?, 1);
        sleep(ms(1)).await;
        assert_eq!(journal.said(), "put");
        assert_eq!(queue.get_nowait()?, 2);
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_empty_queue_makes_get_wait_in_the_order_they_came() {
    in_loop(async |loop_, journal| {
        let queue = Queue::new(0);
        for word in ["first", "second"] {
            let (gets, says) = (queue.clone(), journal.clone());
            loop_.create_task(async move {
                let n: u32 = gets.get().await?;
                says.say(format!("{word}-{n}"));
                foster_compat::Ok(())
            });
        }
        sleep(ms(1)).await;
        queue.put_nowait(1)?;
        queue.put_nowait(2)?;
        sleep(ms(1)).await;
        assert_eq!(journal.said(), "first-1 second-2");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_done_at_once_is_an_error() {
    in_loop(async |_, _| {
        let queue = Queue::new(1);
        assert!(queue.get_nowait().unwrap_err().is::<QueueEmpty>());
        queue.put_nowait(1)?;
        assert!(queue.put_nowait(2).unwrap_err().is::<QueueFull>());
        assert_eq!(queue.get_nowait()?, 1);
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_getter_dropped_with_a_wake_up_passes_it_on() {
    in_loop(async |_, _| {
        let queue = Queue::new(0);
        let (mut first, mut second) = (Box::pin(queue.get()), Box::pin(queue.get()));
        assert!(is_pending(&mut first).await);
        assert!(is_pending(&mut second).await);
        queue.put_nowait(1)?;
        drop(first);
        assert_eq!(move_on_after(ms(1), second).await, Some(Ok(1)));
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_putter_dropped_with_a_wake_up_passes_it_on_and_has_not_put() {
    in_loop(async |_, _| {
        let queue = Queue::new(1);
        queue.put_nowait(1)?;
        let (mut first, mut second) = (Box::pin(queue.put(2)), Box::pin(queue.put(3)));
        assert!(is_pending(&mut first).await);
        assert!(is_pending(&mut second).await);
        assert_eq!(queue.get_nowait()?, 1);
        drop(first);
        assert_eq!(move_on_after(ms(1), second).await, Some(Ok(())));
        assert_eq!(queue.get_nowait()?, 3);
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn join_waits_until_every_item_is_reported_done() {
    in_loop(async |loop_, journal| {
        let queue = Queue::new(0);
        queue.join().await;
        for n in 0..3 {
            queue.put_nowait(n)?;
        }
        let (works, says) = (queue.clone(), journal.clone());
        loop_.create_task(async move {
            for _ in 0..3 {
                let n: u32 = works.get().await?;
                sleep(ms(1)).await;
                says.say(n.to_string());
                works.task_done()?;
            }
            foster_compat::Ok(())
        });
        queue.join().await;
        assert_eq!(journal.said(), "0 1 2");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn reporting_more_items_done_than_were_put_is_an_error() {
    in_loop(async |_, _| {
        let queue = Queue::new(0);
        queue.put_nowait(())?;
        queue.task_done()?;
        let err: ValueError = queue.task_done().unwrap_err();
        assert_eq!(err.to_string(), "task_done() called too many times");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_is_shut_down_gives_what_it_has_and_takes_nothing() {
    in_loop(async |_, _| {
        let queue = Queue::new(0);
        queue.put_nowait(1)?;
        queue.put_nowait(2)?;
        queue.shutdown(false);
        queue.shutdown(false);
        assert_eq!(queue.put(3).await, Err(QueueShutDown));
        assert!(queue.put_nowait(3).unwrap_err().is::<QueueShutDown>());
        assert_eq!(queue.get().await, Ok(1));
        assert_eq!(queue.get_nowait()?, 2);
        assert_eq!(queue.get().await, Err(QueueShutDown));
        assert!(queue.get_nowait().unwrap_err().is::<QueueShutDown>());
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn shutting_down_ends_who_waits() {
    in_loop(async |loop_, _| {
        let (empty, full) = (Queue::<u32>::new(0), Queue::new(1));
        full.put_nowait(1)?;
        let (gets, puts) = (empty.clone(), full.clone());
        let got = loop_.create_task(async move { Ok(gets.get().await?) });
        let put = loop_.create_task(async move { Ok(puts.put(2).await?) });
        checkpoint().await;
        empty.shutdown(false);
        full.shutdown(false);
        assert!(got.await.unwrap_err().is::<QueueShutDown>());
        assert!(put.await.unwrap_err().is::<QueueShutDown>());
        assert_eq!(full.qsize(), 1);
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_immediate_shutdown_drops_what_waits_and_lets_join_end() {
    in_loop(async |loop_, journal| {
        let queue = Queue::new(0);
        for word in ["one", "two"] {
            queue.put_nowait(Drops(journal.clone(), word))?;
        }
        let taken = queue.get_nowait()?;
        let joins = queue.clone();
        let joined = loop_.create_task(async move { joins.join().await });
        checkpoint().await;
        queue.shutdown(true);
        assert_eq!(journal.said(), "two");
        sleep(ms(1)).await;
        assert!(!joined.done());
        drop(taken);
        queue.task_done()?;
        joined.await?;
        Ok(())
    })
    .await;
}
