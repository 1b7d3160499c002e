//! Responses of every kind as they stand on the wire.

use bytes::Bytes;
use foster::http::{HeaderList, HeaderName, HeaderValue, Method, Response, ResponseBody, StatusCode, header};
use foster::testing::serve_http;
use foster::{Request, checkpoint};
use futures::{Stream, StreamExt, stream};

use crate::stage::{answer, config, get, last_answer, paused, text, turns};

fn pieces() -> impl Stream<Item = foster::Result<Bytes>> {
    stream::iter(["one", "", "three"]).map(|piece| Ok(Bytes::from(piece)))
}

/// Pieces that come a turn apart.
fn slow_pieces() -> impl Stream<Item = foster::Result<Bytes>> {
    pieces().then(|piece| async {
        checkpoint().await;
        piece
    })
}

fn plain(body: ResponseBody) -> Response {
    let mut response = Response::new(StatusCode::OK);
    response.set_body(body);
    response
}

async fn varied(request: Request) -> Response {
    match request.path() {
        "/chunked" => plain(ResponseBody::stream(pieces())),
        "/slow" => plain(ResponseBody::stream(slow_pieces())),
        "/sized" => plain(ResponseBody::sized_stream(8, pieces())),
        "/trailers" => {
            let body = ResponseBody::stream(pieces()).with_trailers(|| {
                [(HeaderName::from_static("x-sum"), HeaderValue::from_static("8"))].into_iter().collect()
            });
            plain(body)
        }
        "/204" => Response::new(StatusCode::NO_CONTENT),
        "/304" => Response::new(StatusCode::NOT_MODIFIED).header(header::ETAG, HeaderValue::from_static("\"1\"")),
        "/text-204" => {
            let mut response = Response::text("not sent");
            response.set_status(StatusCode::NO_CONTENT);
            response
        }
        path => Response::text(path.to_owned()),
    }
}

/// Sends one request over a connection of its own, and gives all that comes back.
fn over_one_connection(exchanges: &[(&str, &str)]) {
    for (request, expected) in exchanges {
        paused(async |nursery| {
            let peer = serve_http(&nursery, varied, config()).connect();
            peer.send(request);
            peer.close_write();
            assert_eq!(text(peer.read_to_end().await), *expected, "{request}");
            peer.closed().await;
            assert!(!peer.is_reset());
            Ok(())
        });
    }
}

const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
const CHUNKS: &str = "3\r\none\r\n5\r\nthree\r\n0\r\n\r\n";

#[test]
fn a_stream_is_chunked_and_pieces_of_no_bytes_are_left_out() {
    let expected = [CHUNKED, CHUNKS].concat();
    over_one_connection(&[(&get("/chunked"), &expected)]);
    let last = CHUNKED.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n");
    // The end of the client's stream is seen while the handler waits.
    over_one_connection(&[(&get("/slow"), &[CHUNKED, CHUNKS].concat())]);
    over_one_connection(&[(
        "GET /chunked HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        &[&last, CHUNKS].concat(),
    )]);
}

#[test]
fn a_stream_to_http_1_0_ends_with_the_connection_whatever_the_client_asks_for() {
    let expected = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nonethree";
    over_one_connection(&[
        ("GET /chunked HTTP/1.0\r\n\r\n", expected),
        ("GET /slow HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", expected),
    ]);
}

#[test]
fn a_stream_of_known_length_says_it_and_keeps_an_old_connection() {
    over_one_connection(&[
        (&get("/sized"), "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nonethree"),
        (
            "GET /sized HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /sized HTTP/1.0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 8\r\nconnection: keep-alive\r\n\r\nonethree\
             HTTP/1.1 200 OK\r\ncontent-length: 8\r\nconnection: close\r\n\r\nonethree",
        ),
    ]);
}

#[test]
fn head_gets_the_head_alone() {
    let head = |path: &str| get(path).replace("GET", "HEAD");
    let text_head = |path: &str| answer(path).strip_suffix(path).unwrap().to_owned();
    over_one_connection(&[
        (&[head("/x"), get("/y")].concat(), &[text_head("/x"), answer("/y")].concat()),
        (&head("/sized"), "HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n"),
        (&[head("/chunked"), get("/y")].concat(), &["HTTP/1.1 200 OK\r\n\r\n", &answer("/y")].concat()),
    ]);
}

#[test]
fn what_can_have_no_body_has_none() {
    over_one_connection(&[
        (&[get("/204"), get("/y")].concat(), &["HTTP/1.1 204 No Content\r\n\r\n", &answer("/y")].concat()),
        (
            &[get("/304"), get("/y")].concat(),
            &["HTTP/1.1 304 Not Modified\r\netag: \"1\"\r\n\r\n", &answer("/y")].concat(),
        ),
        (
            &[get("/text-204"), get("/y")].concat(),
            &["HTTP/1.1 204 No Content\r\ncontent-type: text/plain; charset=utf-8\r\n\r\n", &answer("/y")].concat(),
        ),
    ]);
}

#[test]
fn trailers_reach_who_asked_for_them() {
    let asking = get("/trailers").replace("\r\n\r\n", "\r\nTE: trailers\r\nConnection: te\r\n\r\n");
    over_one_connection(&[
        (&asking, &[CHUNKED, "3\r\none\r\n5\r\nthree\r\n0\r\nx-sum: 8\r\n\r\n"].concat()),
        (&get("/trailers"), &[CHUNKED, CHUNKS].concat()),
        ("GET /trailers HTTP/1.0\r\nTE: trailers\r\n\r\n", "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nonethree"),
    ]);
}

#[test]
fn a_stream_goes_out_when_its_maker_waits_and_not_before() {
    paused(async |nursery| {
        let server = serve_http(&nursery, varied, config());
        let peer = server.connect();
        peer.send(get("/chunked"));
        peer.read().await;
        assert_eq!(peer.n_writes(), 1, "what was there at once went out at once");
        peer.send(get("/slow"));
        let expected = [CHUNKED, CHUNKS].concat();
        assert_eq!(text(peer.read_exactly(expected.len()).await), expected);
        assert_eq!(peer.n_writes(), 4, "the head, two pieces, and the end with nothing to wait for");
        Ok(())
    });
}

#[test]
fn a_stream_of_many_pieces_goes_out_in_order_with_few_writes() {
    paused(async |nursery| {
        for (n_pieces, size) in [(2000, 100), (100, 5000), (20, 100_000)] {
            let handler = move |_: Request| async move {
                let chunks =
                    stream::iter(0..n_pieces).map(move |n| foster::Ok(Bytes::from(vec![b'a' + (n % 26) as u8; size])));
                plain(ResponseBody::sized_stream((n_pieces * size) as u64, chunks))
            };
            let peer = serve_http(&nursery, handler, config()).connect();
            peer.set_capacity(usize::MAX);
            peer.send(get("/"));
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", n_pieces * size);
            let all = peer.read_exactly(head.len() + n_pieces * size).await;
            let body: Vec<u8> = (0..n_pieces).flat_map(|n| vec![b'a' + (n % 26) as u8; size]).collect();
            assert!(text(&all[..head.len()]) == head && all[head.len()..] == body, "{n_pieces} of {size}");
            let n_most = (n_pieces * size) as u64 / (32 * 1024) + 3;
            assert!(peer.n_writes() <= n_most, "{} writes for {n_pieces} of {size}", peer.n_writes());
        }
        Ok(())
    });
}

#[test]
fn a_stream_is_asked_for_no_more_than_its_client_takes() {
    use std::cell::Cell;
    use std::rc::Rc;
    paused(async |nursery| {
        let n_made = Rc::new(Cell::new(0));
        let handler = {
            let n_made = n_made.clone();
            move |_: Request| {
                let n_made = n_made.clone();
                async move {
                    let chunks = stream::repeat_with(move || {
                        n_made.set(n_made.get() + 1);
                        foster::Ok(Bytes::from_static(&[b'x'; 1024]))
                    });
                    plain(ResponseBody::stream(chunks.take(10_000)))
                }
            }
        };
        let peer = serve_http(&nursery, handler, config()).connect();
        peer.set_capacity(10_000);
        peer.send(get("/"));
        turns(50).await;
        assert!((64..=430).contains(&n_made.get()), "{} pieces for who reads none", n_made.get());
        let n_before = n_made.get();
        peer.read_exactly(1_000_000).await;
        turns(10).await;
        let n_more = n_made.get() - n_before;
        assert!((700..=1_300).contains(&n_more), "{n_more} pieces more for 1 MB");
        Ok(())
    });
}

#[test]
fn early_hints_go_ahead_of_the_answer() {
    paused(async |nursery| {
        let handler = async |request: Request| {
            let mut hints = HeaderList::new();
            hints.append(header::LINK, HeaderValue::from_static("</style.css>; rel=preload"));
            request.send_informational(StatusCode::EARLY_HINTS, &hints)?;
            for wrong in [StatusCode::OK, StatusCode::SWITCHING_PROTOCOLS] {
                assert!(request.send_informational(wrong, &hints).is_err());
            }
            if request.path() == "/slow" {
                checkpoint().await;
                checkpoint().await;
            }
            foster::Ok(Response::text("late"))
        };
        let peer = serve_http(&nursery, handler, config()).connect();
        let hints = "HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload\r\n\r\n";
        peer.send(get("/slow"));
        assert_eq!(text(peer.read().await), hints, "they do not wait for the answer");
        assert_eq!(text(peer.read().await), answer("late"));
        peer.send(get("/"));
        assert_eq!(text(peer.read().await), [hints, &answer("late")].concat());
        peer.send("GET / HTTP/1.0\r\n\r\n");
        assert_eq!(text(peer.read_to_end().await), last_answer("late"));
        Ok(())
    });
}

#[test]
fn a_handler_that_says_close_closes() {
    paused(async |nursery| {
        let handler = async |request: Request| {
            assert_eq!(*request.method(), Method::GET);
            foster::Ok(Response::text("bye").header(header::CONNECTION, HeaderValue::from_static("close")))
        };
        let peer = serve_http(&nursery, handler, config()).connect();
        peer.send(get("/").repeat(2));
        assert_eq!(text(peer.read_to_end().await), last_answer("bye"));
        Ok(())
    });
}

#[test]
fn the_server_names_itself_where_it_shall_and_the_handler_does_not() {
    paused(async |nursery| {
        let handler = async |request: Request| match request.path() {
            "/own" => Response::new(StatusCode::OK).header(header::SERVER, HeaderValue::from_static("mine")),
            _ => Response::new(StatusCode::OK),
        };
        let peer = serve_http(&nursery, handler, config().server_header(HeaderValue::from_static("foster"))).connect();
        peer.send([get("/"), get("/own")].concat());
        let expected = "HTTP/1.1 200 OK\r\nserver: foster\r\ncontent-length: 0\r\n\r\n\
            HTTP/1.1 200 OK\r\nserver: mine\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(text(peer.read_exactly(expected.len()).await), expected);
        Ok(())
    });
}

#[test]
fn a_date_is_said_unless_switched_off_and_not_twice() {
    paused(async |nursery| {
        let handler = async |request: Request| match request.path() {
            "/own" => Response::new(StatusCode::OK).header(header::DATE, HeaderValue::from_static("long ago")),
            _ => Response::new(StatusCode::OK),
        };
        let peer = serve_http(&nursery, handler, foster::Config::new()).connect();
        peer.send([get("/"), get("/own"), "nonsense\r\n\r\n".to_owned()].concat());
        let all = text(peer.read_to_end().await);
        let dates: Vec<_> = all.lines().filter_map(|line| line.strip_prefix("date: ")).collect();
        assert_eq!(dates.len(), 3, "{all}");
        assert!(dates[0].len() == 29 && dates[0].ends_with(" GMT") && dates[0] == dates[2], "{dates:?}");
        assert_eq!(dates[1], "long ago");
        Ok(())
    });
}
