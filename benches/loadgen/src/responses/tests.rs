use super::*;

const HELLO: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\nhello";
const LATER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nDate: Sun, 06 Nov 1994 08:49:38 GMT\r\n\r\nworld";
const OTHER: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
const CHUNKED: &str =
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nA: b\r\n\r\n";

fn bodies(pieces: impl IntoIterator<Item = impl AsRef<[u8]>>) -> (usize, String) {
    let (mut responses, mut n_responses, mut body) = (Responses::default(), 0, Vec::new());
    for piece in pieces {
        n_responses += responses.receive(piece.as_ref(), &mut |bytes| body.extend_from_slice(bytes)).unwrap();
    }
    (n_responses, String::from_utf8(body).unwrap())
}

#[test]
fn responses_are_counted_whole_byte_by_byte_and_in_every_two_pieces() {
    let text = [HELLO, LATER, OTHER, CHUNKED, HELLO].concat();
    let expected = (5, "helloworldhellohello".to_string());
    assert_eq!(bodies([&text]), expected);
    assert_eq!(bodies(text.as_bytes().chunks(1)), expected);
    for index in 0..text.len() {
        assert_eq!(bodies([&text[..index], &text[index..]]), expected, "cut at {index}");
    }
}

#[test]
fn a_response_whose_last_byte_is_missing_does_not_count() {
    for text in [HELLO, OTHER, CHUNKED] {
        assert_eq!(Responses::default().count(&text.as_bytes()[..text.len() - 1]).unwrap(), 0, "{text}");
    }
}

#[test]
fn a_head_that_differs_in_more_than_the_date_is_read_anew() {
    let longer = LATER.replace("Content-Length: 5", "Content-Length: 6").replace("world", "world!");
    assert_eq!(bodies([HELLO, &longer, HELLO]), (3, "helloworld!hello".to_string()));
}

#[test]
fn the_last_head_and_its_chunks_are_known() {
    let mut responses = Responses::default();
    responses.count(CHUNKED.as_bytes()).unwrap();
    assert_eq!(responses.n_chunks(), 2);
    assert_eq!(responses.last_head().unwrap().framing(), Framing::Chunked);
    assert!(!responses.last_head().unwrap().has_date());
}

#[test]
fn what_is_not_a_response_of_200_is_an_error() {
    for text in [
        "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
    ] {
        assert!(Responses::default().count(text.as_bytes()).is_err(), "{text}");
    }
    assert!(Responses::default().count(&[b'x'; LARGEST_HEAD + 1]).is_err());
}
