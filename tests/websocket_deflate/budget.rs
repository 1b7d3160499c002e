//! What compression may cost, and that it is given back.

use std::thread;

use foster::websocket::{Deflate, DeflateBudget, DeflateConfig, INFLATER_SIZE, deflater_size};

use super::{eager, pair, without_context};

const TEXT: &[u8] = b"what is said more than once, what is said more than once, what is said more than once";

fn config(budget: &DeflateBudget) -> DeflateConfig {
    DeflateConfig { budget: budget.clone(), ..eager() }
}

fn server(config: &DeflateConfig) -> Option<Deflate> {
    let accepted = config.accept([&b"permessage-deflate"[..]]).expect("a valid offer");
    accepted.map(|(deflate, _)| deflate)
}

fn is_compressed(deflate: &mut Deflate) -> bool {
    let mut out = Vec::new();
    let is_compressed = deflate.compress(TEXT, &mut out);
    assert_ne!(is_compressed, out.is_empty());
    is_compressed
}

/// What another thread does with `budget`, whose pool is gone with it.
fn in_thread(budget: &DeflateBudget, act: impl FnOnce(DeflateBudget) + Send) {
    thread::scope(|scope| scope.spawn(|| act(budget.clone())).join().expect("no panic"));
}

#[test]
fn a_connection_is_promised_a_decompressor_until_it_ends() {
    let budget = DeflateBudget::new(2 * 2 * INFLATER_SIZE);
    let config = config(&budget);
    let (one, two) = (server(&config).unwrap(), server(&config).unwrap());
    assert_eq!(budget.used(), 2 * INFLATER_SIZE);
    assert!(server(&config).is_none() && config.offer().is_none());
    drop(one);
    let three = config.offer().unwrap();
    assert!(server(&config).is_none());
    drop(three);
    let four = server(&config).unwrap();
    drop((two, four));
    assert_eq!(budget.used(), 0);
}

#[test]
fn an_offer_that_is_declined_or_fails_is_given_back() {
    let budget = DeflateBudget::new(1 << 20);
    assert!(config(&budget).offer().unwrap().accepted([]).unwrap().is_none());
    assert!(config(&budget).offer().unwrap().accepted([&b"foo"[..]]).is_err());
    assert!(config(&budget).accept([&b"permessage-deflate; unknown"[..]]).unwrap().is_none());
    assert_eq!(budget.used(), 0);
}

#[test]
fn without_memory_for_a_compressor_messages_go_as_they_are() {
    let budget = DeflateBudget::new(1024 * 1024);
    let config = config(&budget);
    let [mut one, mut two] = [server(&config).unwrap(), server(&config).unwrap()];
    // The half has room for one of 372 KiB, and it is not more than three quarters of it.
    assert!(is_compressed(&mut one));
    let used = budget.used();
    assert_eq!(used, 2 * INFLATER_SIZE + deflater_size(15));
    assert!(!is_compressed(&mut two));
    assert!(two.compress_once(TEXT).is_none());
    assert!(!two.compress_piece(TEXT, true, false, &mut Vec::new()));
    assert_eq!(budget.used(), used);
    // It is there for the other once the one is done with it.
    drop(one);
    assert!(is_compressed(&mut two));
    assert_eq!(budget.used(), INFLATER_SIZE + deflater_size(15));
}

#[test]
fn when_little_is_left_compressors_go_round() {
    // Two of them are more than three quarters of the half.
    let budget = DeflateBudget::new(2 * 2 * deflater_size(15));
    let config = config(&budget);
    let mut servers: Vec<_> = (0..5).map(|_| server(&config).unwrap()).collect();
    for _ in 0..3 {
        assert!(servers.iter_mut().all(is_compressed));
    }
    assert!(budget.used() <= budget.limit());
}

#[test]
fn a_compressor_with_other_settings_makes_room() {
    let budget = DeflateBudget::new(2 * deflater_size(15));
    for server_max_window_bits in [15, 9, 15] {
        let config = DeflateConfig { server_max_window_bits, ..config(&budget) };
        let mut server = server(&config).unwrap();
        assert!(is_compressed(&mut server), "{server_max_window_bits}");
    }
}

#[test]
fn what_a_thread_keeps_ready_makes_room_for_what_is_promised() {
    let budget = DeflateBudget::new(2 * 2 * INFLATER_SIZE);
    let config = DeflateConfig { budget: budget.clone(), ..without_context() };
    let mut one = server(&config).unwrap();
    one.decompress(&[0x00], true, &mut Vec::new(), None).unwrap();
    assert_eq!(budget.used(), 2 * INFLATER_SIZE, "one is promised, one is ready");
    let two = server(&config).unwrap();
    assert_eq!(budget.used(), 2 * INFLATER_SIZE);
    drop((one, two));
}

#[test]
fn everything_is_given_back_whenever_a_connection_ends() {
    let budget = DeflateBudget::new(64 << 20);
    let ends: [fn(&mut Deflate, &mut Deflate); 7] = [
        |_, _| {},
        |client, _| assert!(is_compressed(client)),
        // Amid a message, on either side.
        |client, server| {
            let mut payload = Vec::new();
            assert!(client.compress_piece(TEXT, true, false, &mut payload));
            server.decompress(&payload, false, &mut Vec::new(), None).unwrap();
        },
        // After an error.
        |_, server| _ = server.decompress(&[0x07], true, &mut Vec::new(), None).unwrap_err(),
        |client, server| {
            let payload = client.compress_once(TEXT).unwrap();
            _ = server.decompress(&payload, true, &mut Vec::new(), Some(10)).unwrap_err();
        },
        |client, _| client.forget_context(),
        |client, server| {
            for _ in 0..3 {
                let mut payload = Vec::new();
                assert!(client.compress(TEXT, &mut payload));
                server.decompress(&payload, true, &mut Vec::new(), None).unwrap();
            }
        },
    ];
    for base in [eager(), without_context()] {
        for end in ends {
            in_thread(&budget, |budget| {
                let config = DeflateConfig { budget: budget.clone(), ..base };
                for _ in 0..10 {
                    let mut pairs: Vec<_> = (0..10).map(|_| pair(&config, &config)).collect();
                    for (client, server) in &mut pairs {
                        end(client, server);
                    }
                    assert!(budget.used() >= 20 * INFLATER_SIZE);
                }
                // What is ready is bounded, however many there have been.
                assert!(budget.used() <= 4 * (INFLATER_SIZE + deflater_size(15)), "{budget:?}");
            });
            assert_eq!(budget.used(), 0);
        }
    }
}

#[test]
fn threads_share_a_budget() {
    let budget = DeflateBudget::new(2 * 10 * INFLATER_SIZE);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let config = config(&budget);
                for _ in 0..500 {
                    let servers: Vec<_> = (0..5).filter_map(|_| server(&config)).collect();
                    assert!(budget.used() <= 10 * INFLATER_SIZE);
                    drop(servers);
                }
            });
        }
    });
    assert_eq!(budget.used(), 0);
}

#[test]
fn a_limit_that_is_lowered_takes_nothing_away() {
    let budget = DeflateBudget::new(64 << 20);
    let config = config(&budget);
    let (mut client, mut server) = pair(&config, &config);
    assert!(is_compressed(&mut client));
    budget.set_limit(0);
    assert!(config.offer().is_none());
    let mut payload = Vec::new();
    assert!(client.compress(TEXT, &mut payload), "it has a compressor");
    server.decompress(&[0x00], true, &mut Vec::new(), None).unwrap();
}
