//! What a server makes of offers, and a client of answers.

use foster::websocket::{DeflateBudget, DeflateConfig, DeflateParams, WebSocketError};

use super::eager;

/// What a server with that configuration answers.
fn answered(config: &DeflateConfig, fields: &[&str]) -> Result<Option<String>, WebSocketError> {
    let accepted = config.accept(fields.iter().map(|field| field.as_bytes()))?;
    Ok(accepted.map(|(_, answer)| answer.to_str().expect("text").to_owned()))
}

/// What a client with that configuration makes of an answer.
fn accepted(config: &DeflateConfig, fields: &[&str]) -> Result<Option<DeflateParams>, WebSocketError> {
    let offer = config.offer().expect("within the budget");
    let deflate = offer.accepted(fields.iter().map(|field| field.as_bytes()))?;
    Ok(deflate.map(|deflate| deflate.params()))
}

fn no_context() -> DeflateConfig {
    DeflateConfig { server_no_context_takeover: true, client_no_context_takeover: true, ..DeflateConfig::default() }
}

fn bits(server: u8, client: u8) -> DeflateConfig {
    DeflateConfig { server_max_window_bits: server, client_max_window_bits: client, ..DeflateConfig::default() }
}

#[test]
fn a_server_answers_each_offer() {
    let default = DeflateConfig::default();
    for (config, offer, answer) in [
        (&default, "", ""),
        (&default, "; server_no_context_takeover", "; server_no_context_takeover"),
        (&default, "; client_no_context_takeover", "; client_no_context_takeover"),
        (
            &default,
            "; client_no_context_takeover; server_no_context_takeover",
            "; server_no_context_takeover; client_no_context_takeover",
        ),
        (&default, "; server_max_window_bits=15", "; server_max_window_bits=15"),
        (&default, "; server_max_window_bits=10", "; server_max_window_bits=10"),
        (&default, "; server_max_window_bits=8", "; server_max_window_bits=8"),
        (&default, r#"; server_max_window_bits="10""#, "; server_max_window_bits=10"),
        (&default, "; client_max_window_bits", ""),
        (&default, "; client_max_window_bits=8", ""),
        (&default, "; client_max_window_bits=15", ""),
        (&no_context(), "", "; server_no_context_takeover; client_no_context_takeover"),
        (&bits(12, 11), "", "; server_max_window_bits=12"),
        (&bits(12, 11), "; server_max_window_bits=10", "; server_max_window_bits=10"),
        (&bits(12, 11), "; server_max_window_bits=14", "; server_max_window_bits=12"),
        (&bits(15, 11), "; client_max_window_bits", "; client_max_window_bits=11"),
        (&bits(15, 11), "; client_max_window_bits=15", "; client_max_window_bits=11"),
        (&bits(15, 11), "; client_max_window_bits=9", "; client_max_window_bits=9"),
        (&bits(0, 255), "; client_max_window_bits", "; server_max_window_bits=8"),
    ] {
        let answer = format!("permessage-deflate{answer}");
        assert_eq!(answered(config, &[&format!("permessage-deflate{offer}")]).unwrap(), Some(answer), "{offer}");
    }
}

#[test]
fn a_server_declines_what_it_does_not_understand() {
    for offer in [
        "x-webkit-deflate-frame",
        "Permessage-Deflate",
        "permessage-deflate; unknown",
        "permessage-deflate; unknown=1",
        "permessage-deflate; Server_no_context_takeover",
        "permessage-deflate; server_no_context_takeover=1",
        "permessage-deflate; client_no_context_takeover=true",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
        "permessage-deflate; client_no_context_takeover; client_no_context_takeover",
        "permessage-deflate; server_max_window_bits=10; server_max_window_bits=10",
        "permessage-deflate; client_max_window_bits; client_max_window_bits",
        "permessage-deflate; client_max_window_bits; client_max_window_bits=10",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=7",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits=010",
        "permessage-deflate; server_max_window_bits=+10",
        "permessage-deflate; server_max_window_bits=-10",
        "permessage-deflate; server_max_window_bits=1e1",
        "permessage-deflate; server_max_window_bits=99999999999999999999",
        "permessage-deflate; client_max_window_bits=7",
        "permessage-deflate; client_max_window_bits=16",
        "permessage-deflate; client_max_window_bits=08",
        "permessage-deflate; client_max_window_bits=x",
    ] {
        assert_eq!(answered(&DeflateConfig::default(), &[offer]).unwrap(), None, "{offer}");
    }
    assert_eq!(answered(&DeflateConfig::default(), &[]).unwrap(), None);
}

#[test]
fn a_server_takes_the_first_offer_it_understands() {
    let default = DeflateConfig::default();
    let offers = "foo; bar=1, permessage-deflate; server_max_window_bits=7, permessage-deflate; \
                  server_max_window_bits=10, permessage-deflate";
    let answer = Some("permessage-deflate; server_max_window_bits=10".to_owned());
    assert_eq!(answered(&default, &[offers]).unwrap(), answer);
    let fields: Vec<_> = offers.split(", ").collect();
    assert_eq!(answered(&default, &fields).unwrap(), answer);
}

#[test]
fn a_server_refuses_what_is_malformed() {
    for field in ["", "permessage-deflate;", "permessage-deflate; server_max_window_bits=", "permessage-deflate foo"] {
        for fields in [&[field][..], &["permessage-deflate", field]] {
            let err = answered(&DeflateConfig::default(), fields).unwrap_err();
            assert!(matches!(err, WebSocketError::Protocol(_)), "{field}: {err:?}");
        }
    }
}

#[test]
fn a_client_offers_what_it_wants() {
    let offered = |config: DeflateConfig| config.offer().unwrap().to_header_value().to_str().unwrap().to_owned();
    assert_eq!(offered(DeflateConfig::default()), "permessage-deflate; client_max_window_bits");
    assert_eq!(
        offered(DeflateConfig { ..no_context() }),
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits"
    );
    assert_eq!(offered(bits(9, 8)), "permessage-deflate; server_max_window_bits=9; client_max_window_bits=8");
}

#[test]
fn a_client_takes_an_answer_to_its_offer() {
    let default = DeflateConfig::default();
    let agreed = DeflateParams::default();
    let with = |change: fn(&mut DeflateParams)| {
        let mut params = DeflateParams::default();
        change(&mut params);
        params
    };
    for (config, answer, params) in [
        (&default, "", agreed),
        (&default, "; server_no_context_takeover", with(|params| params.server_no_context_takeover = true)),
        (&default, "; client_no_context_takeover", with(|params| params.client_no_context_takeover = true)),
        (&default, "; server_max_window_bits=8", with(|params| params.server_max_window_bits = 8)),
        (&default, "; client_max_window_bits=8", with(|params| params.client_max_window_bits = 8)),
        (&default, r#"; client_max_window_bits="15""#, agreed),
        (&bits(10, 15), "; server_max_window_bits=10", with(|params| params.server_max_window_bits = 10)),
        (&bits(10, 15), "; server_max_window_bits=9", with(|params| params.server_max_window_bits = 9)),
        // What the client has said of itself, it does.
        (&bits(15, 10), "", with(|params| params.client_max_window_bits = 10)),
        (&bits(15, 10), "; client_max_window_bits=9", with(|params| params.client_max_window_bits = 9)),
        (
            &no_context(),
            "; server_no_context_takeover",
            with(|params| {
                params.server_no_context_takeover = true;
                params.client_no_context_takeover = true;
            }),
        ),
    ] {
        let answer = format!("permessage-deflate{answer}");
        assert_eq!(accepted(config, &[&answer]).unwrap(), Some(params), "{answer}");
    }
    assert_eq!(accepted(&default, &[]).unwrap(), None, "the server declined");
}

#[test]
fn a_client_fails_on_an_answer_to_something_else() {
    let default = DeflateConfig::default();
    for (config, answer) in [
        (&default, ""),
        (&default, "permessage-deflate;"),
        (&default, "x-webkit-deflate-frame"),
        (&default, "permessage-deflate, foo"),
        (&default, "permessage-deflate, permessage-deflate"),
        (&default, "permessage-deflate; unknown"),
        (&default, "permessage-deflate; server_no_context_takeover=1"),
        (&default, "permessage-deflate; server_no_context_takeover; server_no_context_takeover"),
        (&default, "permessage-deflate; server_max_window_bits"),
        (&default, "permessage-deflate; server_max_window_bits=7"),
        (&default, "permessage-deflate; server_max_window_bits=16"),
        (&default, "permessage-deflate; client_max_window_bits"),
        (&default, "permessage-deflate; client_max_window_bits=16"),
        (&default, "permessage-deflate; client_max_window_bits=10; client_max_window_bits=10"),
        (&bits(10, 15), "permessage-deflate"),
        (&bits(10, 15), "permessage-deflate; server_max_window_bits=11"),
        (&bits(15, 10), "permessage-deflate; client_max_window_bits=11"),
        (&no_context(), "permessage-deflate"),
        (&no_context(), "permessage-deflate; client_no_context_takeover"),
    ] {
        let err = accepted(config, &[answer]).unwrap_err();
        assert!(matches!(err, WebSocketError::Protocol(_)), "{answer}: {err:?}");
    }
}

#[test]
fn an_answer_is_one_that_a_client_takes() {
    for client in [DeflateConfig::default(), no_context(), bits(9, 10), bits(8, 8)] {
        for server in [DeflateConfig::default(), no_context(), bits(10, 9), bits(8, 8)] {
            let offer = client.offer().unwrap();
            let offered = offer.to_header_value();
            let (deflate, answer) = server.accept([offered.as_bytes()]).unwrap().expect("an offer of ours");
            let agreed = offer.accepted([answer.as_bytes()]).unwrap().expect("an answer of ours").params();
            let params = deflate.params();
            assert_eq!(agreed.server_max_window_bits, params.server_max_window_bits);
            assert_eq!(agreed.server_no_context_takeover, params.server_no_context_takeover);
            // A client may do with less than it is allowed.
            assert!(agreed.client_max_window_bits <= params.client_max_window_bits);
            assert_eq!(agreed.client_no_context_takeover, params.client_no_context_takeover);
        }
    }
}

#[test]
fn a_server_without_memory_declines_and_a_client_without_memory_offers_nothing() {
    let config = DeflateConfig { budget: DeflateBudget::new(0), ..eager() };
    assert_eq!(answered(&config, &["permessage-deflate"]).unwrap(), None);
    assert!(config.offer().is_none());
}
