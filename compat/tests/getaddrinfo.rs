//! Names to addresses and addresses to text.

mod journal;

use std::io;
use std::net::SocketAddr;

use foster_compat::{
    Family, NI_NUMERICHOST, NI_NUMERICSERV, NameInfoFlags, NotImplementedError, Result, move_on_after, sleep_forever,
};

use crate::journal::{in_loop, ms};

type NoResolver = fn(String, u16) -> std::future::Ready<Result<Vec<SocketAddr>>>;

fn addresses(list: &[&str]) -> Vec<SocketAddr> {
    list.iter().map(|address| address.parse().expect("an address")).collect()
}

#[tokio::test(start_paused = true)]
async fn a_literal_address_asks_no_resolver() {
    in_loop(async |loop_, journal| {
        let says = journal.clone();
        loop_.set_resolver(Some(move |host: String, _| {
            says.say(host);
            std::future::ready(Ok(Vec::new()))
        }));
        for literal in ["127.0.0.1", "::1", "0.0.0.0"] {
            let found = loop_.getaddrinfo(literal, 80).await?;
            assert_eq!(found, [SocketAddr::new(literal.parse()?, 80)]);
        }
        assert_eq!(journal.said(), "");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn addresses_come_in_the_order_of_the_resolver_each_once_and_of_the_family_that_is_asked_for() {
    in_loop(async |loop_, _| {
        loop_.set_resolver(Some(|host: String, port| async move {
            assert_eq!((&*host, port), ("example.test", 7));
            Ok(addresses(&["[2001:db8::1]:7", "192.0.2.1:7", "[2001:db8::1]:7", "192.0.2.2:7"]))
        }));
        let all = loop_.getaddrinfo("example.test", 7).await?;
        assert_eq!(all, addresses(&["[2001:db8::1]:7", "192.0.2.1:7", "192.0.2.2:7"]));
        let inet = loop_.getaddrinfo("example.test", 7).family(Family::Inet).await?;
        assert_eq!(inet, addresses(&["192.0.2.1:7", "192.0.2.2:7"]));
        let inet6 = loop_.getaddrinfo("example.test", 7).family(Family::Inet6).await?;
        assert_eq!(inet6, addresses(&["[2001:db8::1]:7"]));
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn no_address_and_none_of_the_family_are_errors() {
    in_loop(async |loop_, _| {
        let err = loop_.getaddrinfo("127.0.0.1", 80).family(Family::Inet6).await.unwrap_err();
        assert_eq!(err.to_string(), "getaddrinfo(\"127.0.0.1\") returned empty list");
        loop_.set_resolver(Some(|_, _| std::future::ready(Ok(Vec::new()))));
        let err = loop_.getaddrinfo("example.test", 80).await.unwrap_err();
        assert_eq!(err.downcast_ref::<io::Error>().map(io::Error::kind), Some(io::ErrorKind::NotFound));
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_system_finds_localhost_on_a_thread() {
    in_loop(async |loop_, _| {
        loop_.set_resolver(None::<NoResolver>);
        let found = loop_.getaddrinfo("localhost", 80).await?;
        assert!(found.iter().all(|address| address.ip().is_loopback() && address.port() == 80), "{found:?}");
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn names_that_cannot_be_looked_up_are_errors_that_name_them() {
    in_loop(async |loop_, _| {
        for name in ["", "with space", "nul\0inside", "a..b", &"x".repeat(64), &"x".repeat(70_000)] {
            let err = loop_.getaddrinfo(name, 80).await.unwrap_err();
            assert!(err.to_string().starts_with("cannot resolve host \""), "{err}");
            let kind = if name.contains('\0') { io::ErrorKind::InvalidInput } else { io::ErrorKind::NotFound };
            assert_eq!(err.downcast_ref::<io::Error>().map(io::Error::kind), Some(kind), "{err}");
        }
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_lookup_that_nobody_waits_for_any_more_is_dropped() {
    in_loop(async |loop_, _| {
        loop_.set_resolver(Some(|_, _| async {
            sleep_forever().await;
            Ok(Vec::new())
        }));
        let lookup = async { loop_.getaddrinfo("example.test", 80).await };
        assert!(move_on_after(ms(10), lookup).await.is_none());
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_address_as_text_has_its_scope_and_its_port() {
    in_loop(async |loop_, _| {
        let numeric = NI_NUMERICHOST | NI_NUMERICSERV;
        for (address, host, port) in
            [("192.0.2.1:80", "192.0.2.1", "80"), ("[::1]:0", "::1", "0"), ("[fe80::1%3]:65535", "fe80::1%3", "65535")]
        {
            let given = loop_.getnameinfo(&address.parse()?, numeric).await?;
            assert_eq!(given, (host.to_owned(), port.to_owned()));
        }
        Ok(())
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn names_of_addresses_are_refused_in_words_that_say_what_to_pass() {
    in_loop(async |loop_, _| {
        for flags in [NameInfoFlags::default(), NI_NUMERICHOST, NI_NUMERICSERV] {
            let err = loop_.getnameinfo(&"127.0.0.1:80".parse()?, flags).await.unwrap_err();
            assert!(err.is::<NotImplementedError>());
            assert!(err.to_string().ends_with("pass NI_NUMERICHOST | NI_NUMERICSERV"), "{err}");
        }
        Ok(())
    })
    .await;
}
