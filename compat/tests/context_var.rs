//! Context variables, and `dump`.

mod log;

use foster_compat::{
    ContextVar, Nursery, TaskStatus, checkpoint, dump, move_on_after, open_nursery, shield, sleep, sleep_forever,
};

use crate::log::{inside, ms};

thread_local!(static USER: ContextVar<&'static str> = const { ContextVar::new() });

fn user() -> Option<&'static str> {
    USER.with(ContextVar::get)
}

fn set_user(user: &'static str) {
    USER.with(|variable| variable.set(user));
}

#[tokio::test(start_paused = true)]
async fn a_child_inherits_the_values_of_the_moment_it_was_started() {
    inside(async {
        set_user("ada");
        open_nursery(async |nursery| {
            nursery.start_soon(async { assert_eq!(user(), Some("ada")) });
            set_user("bob");
            Ok(())
        })
        .await
        .unwrap();
        assert_eq!(user(), Some("bob"));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_child_inherits_from_its_caller_and_not_from_its_nursery() {
    inside(open_nursery(async |nursery: Nursery| {
        set_user("opener");
        let handle = nursery.clone();
        nursery.start_soon(async move {
            set_user("caller");
            handle.start_soon(async { assert_eq!(user(), Some("caller")) });
            let started = handle.start(async |status: TaskStatus<_>| {
                status.started(user());
                Ok(())
            });
            assert_eq!(started.await.unwrap(), Some("caller"));
        });
        Ok(())
    }))
    .await
    .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_child_that_waits_for_the_limit_keeps_the_values_of_the_moment_it_was_started() {
    inside(Nursery::builder().concurrency_limit(1).open(async |nursery: Nursery| {
        set_user("ada");
        nursery.start_soon(checkpoint());
        let waiting = nursery.create_task(async { user() });
        set_user("bob");
        assert_eq!(waiting.await, Ok(Some("ada")));
        Ok(())
    }))
    .await
    .unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_a_child_sets_stays_its_own_across_its_waits() {
    inside(open_nursery(async |nursery| {
        set_user("body");
        for name in ["a", "b"] {
            nursery.start_soon(async move {
                set_user(name);
                checkpoint().await;
                assert_eq!(user(), Some(name));
            });
        }
        checkpoint().await;
        checkpoint().await;
        assert_eq!(user(), Some("body"));
        Ok(())
    }))
    .await
    .unwrap();
}

#[tokio::test(start_paused = true)]
async fn sync_scope_restores_the_old_value() {
    inside(async {
        set_user("ada");
        USER.with(|variable| variable.sync_scope("bob", || assert_eq!(user(), Some("bob"))));
        assert_eq!(user(), Some("ada"));
    })
    .await;
}

#[test]
fn there_are_no_values_outside_a_loop() {
    set_user("ada");
    assert_eq!(user(), None);
}

// ---- dump

#[tokio::test(start_paused = true)]
async fn dump_shows_the_tree_with_names_and_waits() {
    inside(open_nursery(async |nursery| {
        nursery.start_soon_named("sleeper", sleep(ms(5)));
        nursery.start_soon_named("guarded", async {
            move_on_after(ms(5), shield(sleep(ms(10)))).await;
        });
        nursery.start_soon_named("opener", async {
            let _ = open_nursery(async |inner| {
                inner.start_soon_named("foreign", std::future::pending::<()>());
                sleep_forever().await;
                Ok(())
            })
            .await;
        });
        sleep(ms(1)).await;
        let expected = "\
loop
  root
    nursery
      sleeper waits for sleep
      guarded waits for sleep
        scope
          shield
      opener waits for the children of a nursery
        nursery
          foreign waits for something outside foster
";
        assert_eq!(dump(), expected);
        nursery.cancel();
        assert!(dump().contains("    nursery (cancelled)\n"));
        Ok(())
    }))
    .await
    .unwrap();
}

#[test]
fn dump_outside_a_loop_is_empty() {
    assert_eq!(dump(), "");
}
