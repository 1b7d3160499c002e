//! Context variables, and `dump`.

mod log;

use std::rc::Rc;

use foster_compat::{
    Context, ContextVar, Nursery, TaskStatus, checkpoint, copy_context, dump, move_on_after, open_nursery, shield,
    sleep, sleep_forever,
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

#[tokio::test(start_paused = true)]
async fn what_is_set_in_a_context_stays_in_it() {
    inside(async {
        set_user("ada");
        let mut context = copy_context();
        context.run(|| {
            assert_eq!(user(), Some("ada"));
            set_user("bob");
        });
        assert_eq!(user(), Some("ada"));
        context.run(|| assert_eq!(user(), Some("bob")));
        assert_eq!(copy_context().with(&ContextVar::<u8>::new(), Rc::new(1)).run(user), Some("ada"));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_leaves_the_context_it_happened_in() {
    inside(async {
        set_user("ada");
        let mut context = Context::new();
        let panicking = std::panic::AssertUnwindSafe(|| {
            context.run(|| {
                set_user("bob");
                panic!("inside");
            });
        });
        assert!(std::panic::catch_unwind(panicking).is_err());
        assert_eq!((user(), context.run(user)), (Some("ada"), Some("bob")));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_child_that_is_started_in_a_context_inherits_it() {
    inside(open_nursery(async |nursery: Nursery| {
        let mut context = USER.with(|user| Context::new().with(user, Rc::new("ada")));
        context.run(|| nursery.start_soon(async { assert_eq!(user(), Some("ada")) }));
        assert_eq!(user(), None);
        Ok(())
    }))
    .await
    .unwrap();
}

#[test]
fn outside_a_loop_a_context_only_calls() {
    let mut context = USER.with(|user| Context::new().with(user, Rc::new("ada")));
    assert_eq!(context.run(user), None);
}

#[tokio::test(start_paused = true)]
async fn a_variable_that_is_set_again_and_again_keeps_one_value() {
    struct Counted(Rc<()>);
    let alive = Rc::new(());
    let variable = ContextVar::<Counted>::new();
    inside(async {
        let mut context = Context::new();
        for _ in 0..1000 {
            context = context.with(&variable, Rc::new(Counted(alive.clone())));
            context = context.with(&ContextVar::<u8>::new(), Rc::new(0));
        }
        assert_eq!(Rc::strong_count(&alive), 2);
        assert!(context.run(|| variable.get_shared()).is_some_and(|value| Rc::ptr_eq(&value.0, &alive)));
    })
    .await;
}
