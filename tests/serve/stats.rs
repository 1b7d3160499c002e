//! What is counted.

use std::io::Write;
use std::time::Duration;

use foster::http::Response;
use foster::{Config, Error, Handler, Request, Stats, sleep_forever};

use crate::served::{Served, reset, say, until};

fn varied() -> impl Handler {
    |request: Request| async move {
        match request.path() {
            "/fail" => Err(Error::msg("as asked")),
            "/panic" => panic!("as asked"),
            "/wait" => {
                sleep_forever().await;
                Ok(Response::text(""))
            }
            path => Ok(Response::text(path.to_owned())),
        }
    }
}

#[test]
fn each_number_counts_what_it_says() {
    let config = Config::new().bind("127.0.0.1:0").head_timeout(Duration::from_millis(50));
    let served = Served::new(varied, config);
    let stats = || served.server.stats();
    assert_eq!(stats(), Stats::default());

    assert_eq!(served.get("/").status, 200);
    until(|| stats().n_connections == 0);
    let counted = stats();
    assert_eq!((counted.n_connections_total, counted.n_requests_total, counted.n_requests), (1, 1, 0));

    assert_eq!(served.get("/fail").status, 500);
    assert_eq!(served.get("/panic").status, 500);
    assert_eq!(stats().n_failed, 2);

    assert_eq!(say(&mut served.connect(), "nonsense\r\n\r\n").status, 400);
    let too_long = format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(10_000));
    assert_eq!(say(&mut served.connect(), &too_long).status, 414);
    assert_eq!(stats().n_refused, 2);
    assert_eq!(stats().n_timed_out, 0);

    assert_eq!(say(&mut served.connect(), "GET / HT").status, 408);
    assert_eq!((stats().n_refused, stats().n_timed_out), (3, 1));
    assert_eq!(say(&mut served.connect(), "").status, 0);
    assert_eq!((stats().n_refused, stats().n_timed_out), (3, 2), "who said nothing is not told why");

    let mut waits = served.connect();
    waits.write_all(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    until(|| stats().n_requests == 1);
    assert_eq!((stats().n_connections, stats().n_cancelled), (1, 0));
    reset(waits);
    until(|| stats().n_requests == 0 && stats().n_connections == 0);
    assert_eq!(stats().n_cancelled, 1);
    assert_eq!(stats().n_requests_total, 4);
    served.stop().unwrap();
}
