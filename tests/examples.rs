//! Runs the tests at the bottom of each example.
//!
//! They run here and not as tests of the example targets, because Cargo builds an example either as a test or as the
//! program, and these tests start the program.
#![expect(clippy::duplicate_mod, reason = "each example has the modules it needs, as if it were alone")]

macro_rules! examples {
    ($($(#[$attribute:meta])* $name:ident at $path:literal)+) => {
        $(
            $(#[$attribute])*
            #[allow(dead_code, reason = "nobody calls main")]
            #[path = $path]
            mod $name;
        )+
    };
}

examples! {
    #[cfg(feature = "app")]
    background_job at "../examples/background_job.rs"
    background_tasks at "../examples/background_tasks.rs"
    chat at "../examples/chat.rs"
    dns at "../examples/dns/main.rs"
    echo at "../examples/echo.rs"
    finger at "../examples/finger.rs"
    #[cfg(feature = "app")]
    hello at "../examples/hello.rs"
    #[cfg(all(feature = "app", feature = "testing"))]
    index at "../examples/index.rs"
    #[cfg(feature = "websocket")]
    mirror at "../examples/mirror.rs"
    #[cfg(all(feature = "app", feature = "testing"))]
    multi_error at "../examples/multi_error.rs"
    nursery at "../examples/nursery.rs"
    own_nursery at "../examples/own_nursery.rs"
    #[cfg(all(feature = "tls", feature = "websocket"))]
    probe at "../examples/probe.rs"
    resp at "../examples/resp.rs"
    #[cfg(feature = "tls")]
    smtp at "../examples/smtp.rs"
    socks5 at "../examples/socks5.rs"
    string_receiver at "../examples/string_receiver.rs"
    telnet_chat at "../examples/telnet_chat.rs"
    #[cfg(feature = "app")]
    websocket_chat at "../examples/websocket_chat.rs"
}
