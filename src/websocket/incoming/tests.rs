//! How much room a message takes while it comes.

use super::*;

fn no_inflation() -> Inflation<'static> {
    Inflation { deflate: None, limit: usize::MAX }
}

fn opened() -> IncomingMessage {
    let mut message = IncomingMessage::default();
    message.open(MessageKind::Binary, false);
    message
}

#[test]
fn empty_fragments_take_no_room_however_many_there_are() {
    let mut message = opened();
    for _ in 0..10_000 {
        message.push(&[], [1, 2, 3, 4], None, no_inflation()).expect("bytes");
    }
    assert_eq!(message.payload.capacity(), 0);
}

#[test]
fn what_is_announced_takes_no_room() {
    for n_left in [None, Some(usize::MAX), Some(1 << 40)] {
        let mut message = opened();
        message.push(&[0; 100], NO_KEY, n_left, no_inflation()).expect("bytes");
        assert!(message.payload.capacity() <= 200);
    }
}

#[test]
fn room_at_most_doubles_and_seldom_grows() {
    for is_announced in [false, true] {
        let mut message = opened();
        let mut n_growths = 0;
        for n_left in (1..=100_000).rev() {
            let before = message.payload.capacity();
            message.push(&[7], NO_KEY, is_announced.then_some(n_left), no_inflation()).expect("bytes");
            let after = message.payload.capacity();
            assert!(after <= 8.max(2 * message.len()), "{after} for {}", message.len());
            n_growths += usize::from(after != before);
        }
        assert!(n_growths < 25, "{n_growths}");
        if is_announced {
            assert_eq!(message.payload.capacity(), 100_000, "not a byte more than the message");
        }
    }
}

#[test]
fn nothing_is_kept_between_messages() {
    let mut message = opened();
    message.push(&[7; 1000], NO_KEY, Some(1000), no_inflation()).expect("bytes");
    assert_eq!(message.finish(no_inflation()).expect("bytes").len(), 1000);
    assert!(!message.is_open());
    assert_eq!((message.len(), message.payload.capacity()), (0, 0));
}
