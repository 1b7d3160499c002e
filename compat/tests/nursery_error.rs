//! `NurseryError`: looking into a group of errors.

mod log;

use std::io;

use foster_compat::{NurseryError, open_nursery};

use crate::log::{Numbered, inside, numbered};

/// A group of number 1, of a group of an i/o error and number 2, and of number 3.
async fn nested() -> NurseryError {
    inside(open_nursery::<(), _>(async |outer| {
        outer.start_soon(async { Err(numbered(1)) });
        outer.start_soon(async {
            open_nursery(async |inner| {
                inner.start_soon(async { Err(io::Error::other("refused").into()) });
                inner.start_soon(async { Err(numbered(2)) });
                Ok(())
            })
            .await?;
            Ok(())
        });
        foster_compat::shield(foster_compat::sleep(log::ms(1))).await;
        Err(numbered(3))
    }))
    .await
    .unwrap_err()
}

fn shown(group: Option<NurseryError>) -> String {
    group.map_or_else(|| "nothing".to_owned(), |group| group.to_string())
}

#[tokio::test(start_paused = true)]
async fn the_leaves_come_depth_first_and_first_in_time_first() {
    let group = nested().await;
    let leaves: Vec<_> = group.leaves().into_iter().map(ToString::to_string).collect();
    assert_eq!(leaves, ["number 1", "refused", "number 2", "number 3"]);
    assert_eq!(group.into_errors().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_group_prints_its_members_in_order() {
    let text =
        "3 errors in a nursery: (1) number 1; (2) 2 errors in a nursery: (1) refused; (2) number 2; (3) number 3";
    assert_eq!(nested().await.to_string(), text);
}

#[tokio::test(start_paused = true)]
async fn downcast_finds_the_first_leaf_of_a_type() {
    let group = nested().await;
    assert_eq!(group.downcast_ref::<Numbered>(), Some(&Numbered(1)));
    assert!(group.contains::<io::Error>() && !group.contains::<std::fmt::Error>());
}

#[tokio::test(start_paused = true)]
async fn split_parts_the_leaves_by_type_and_keeps_the_shape() {
    let (io, rest) = nested().await.split::<io::Error>();
    assert_eq!(shown(io), "1 error in a nursery: 1 error in a nursery: refused");
    let text = "3 errors in a nursery: (1) number 1; (2) 1 error in a nursery: number 2; (3) number 3";
    assert_eq!(shown(rest), text);
}

#[tokio::test(start_paused = true)]
async fn split_leaves_out_a_part_that_would_be_empty() {
    let (none, all) = nested().await.split::<std::fmt::Error>();
    assert!(none.is_none());
    assert_eq!(all.unwrap().leaves().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn split_by_takes_any_condition() {
    let (odd, even) = nested().await.split_by(&|err| err.downcast_ref().is_some_and(|Numbered(n)| n % 2 == 1));
    assert_eq!(shown(odd), "2 errors in a nursery: (1) number 1; (2) number 3");
    assert_eq!(shown(even), "1 error in a nursery: 2 errors in a nursery: (1) refused; (2) number 2");
}

#[tokio::test(start_paused = true)]
async fn the_same_failures_give_the_same_group_every_time() {
    let first = nested().await.to_string();
    for _ in 0..100 {
        assert_eq!(nested().await.to_string(), first);
    }
}

#[tokio::test(start_paused = true)]
async fn a_group_of_one_is_its_member_and_a_larger_one_stays_a_group() {
    let (one, several) = nested().await.split_by(&|err| err.downcast_ref().is_some_and(|Numbered(n)| *n == 3));
    assert!(one.unwrap().into_error().downcast_ref().is_some_and(|Numbered(n)| *n == 3));
    let several = several.unwrap();
    let text = several.to_string();
    let group = several.into_error().downcast::<NurseryError>().expect("two errors are a group");
    assert_eq!((group.errors().len(), group.to_string()), (2, text));
}
