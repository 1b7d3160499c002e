//! How both ends come to [`DeflateParams`]: the offers of a client, and the answer of a server (RFC 7692, 5 and 7.1).

use std::fmt::Write;

use crate::http::HeaderValue;
use crate::websocket::WebSocketError;
use crate::websocket::extensions::{self, Extension};

use super::budget::Reservation;
use super::params::{DeflateParams, MAX_WINDOW_BITS, MIN_WINDOW_BITS};
use super::{Deflate, DeflateConfig, Side, pool};

/// The name of the extension.
const NAME: &str = "permessage-deflate";

impl DeflateConfig {
    /// A server's choice among the offers in a client's `Sec-WebSocket-Extensions`: the first that it understands. `None` if
    /// there is none, or no memory for it: then the field is left out of the answer. Otherwise it is what is given here.
    ///
    /// # Errors
    ///
    /// [`WebSocketError::Protocol`] if a field is malformed: the request is to be refused (RFC 6455, 9.1).
    pub fn accept<'a>(
        &self,
        fields: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Option<(Deflate, HeaderValue)>, WebSocketError> {
        let offers = extensions::parse(fields)?;
        let Some(offer) = offers.iter().filter(|offer| offer.name == NAME).find_map(Terms::parse) else {
            return Ok(None);
        };
        let Some(promise) = pool::promise_inflater(&self.budget) else { return Ok(None) };
        let answer = self.answer(offer);
        Ok(Some((Deflate::new(self, answer.params(), Side::Server, promise), answer.to_header_value())))
    }

    /// A client's offer. `None` if there is no memory for it: then none is made.
    pub fn offer(&self) -> Option<DeflateOffer> {
        let promise = pool::promise_inflater(&self.budget)?;
        let bits = |bits: u8| Some(clamped(bits)).filter(|bits| *bits < MAX_WINDOW_BITS);
        let terms = Terms {
            server_no_context_takeover: self.server_no_context_takeover,
            client_no_context_takeover: self.client_no_context_takeover,
            server_max_window_bits: bits(self.server_max_window_bits),
            client_max_window_bits: Some(bits(self.client_max_window_bits)),
        };
        Some(DeflateOffer { config: self.clone(), terms, promise })
    }

    fn answer(&self, offer: Terms) -> Terms {
        let server_bits = clamped(self.server_max_window_bits);
        let client_bits = clamped(self.client_max_window_bits);
        Terms {
            server_no_context_takeover: offer.server_no_context_takeover || self.server_no_context_takeover,
            // What the client says it will do anyway is worth being held to: its decompressor can go round.
            client_no_context_takeover: offer.client_no_context_takeover || self.client_no_context_takeover,
            server_max_window_bits: match offer.server_max_window_bits {
                Some(bits) => Some(bits.min(server_bits)),
                None => Some(server_bits).filter(|bits| *bits < MAX_WINDOW_BITS),
            },
            // Only a client that has mentioned it may be told (RFC 7692, 7.1.2.2).
            client_max_window_bits: match offer.client_max_window_bits {
                Some(bits) if client_bits < MAX_WINDOW_BITS => {
                    Some(Some(client_bits.min(bits.unwrap_or(MAX_WINDOW_BITS))))
                }
                _ => None,
            },
        }
    }
}

/// What a client has offered, and what it needs for it.
#[derive(Debug)]
pub struct DeflateOffer {
    config: DeflateConfig,
    terms: Terms,
    promise: Reservation,
}

impl DeflateOffer {
    /// For `Sec-WebSocket-Extensions` of the request.
    pub fn to_header_value(&self) -> HeaderValue {
        self.terms.to_header_value()
    }

    /// What the `Sec-WebSocket-Extensions` of a server's answer, all of them, make of it. `None` if the server declined.
    ///
    /// # Errors
    ///
    /// [`WebSocketError::Protocol`] if the answer is malformed, has an extension that was not offered, or one that does not
    /// fit the offer: the connection has to fail (RFC 7692, 5 and 7.1).
    pub fn accepted<'a>(self, fields: impl IntoIterator<Item = &'a [u8]>) -> Result<Option<Deflate>, WebSocketError> {
        let extensions = extensions::parse(fields)?;
        let answer = match &extensions[..] {
            [] => return Ok(None),
            [extension] if extension.name == NAME => Terms::parse(extension).filter(|answer| answer.fits(self.terms)),
            _ => return Err(WebSocketError::Protocol("the server chose an extension that was not offered")),
        };
        let answer =
            answer.ok_or(WebSocketError::Protocol("the server's permessage-deflate is not what was offered"))?;
        // What the client has said that it would do holds for it, whether the server repeats it or not.
        let offered = self.terms.params();
        let mut params = answer.params();
        params.client_no_context_takeover |= offered.client_no_context_takeover;
        params.client_max_window_bits = params.client_max_window_bits.min(offered.client_max_window_bits);
        Ok(Some(Deflate::new(&self.config, params, Side::Client, self.promise)))
    }
}

/// The parameters of one offer, or of one answer.
#[derive(Clone, Copy, Debug, Default)]
struct Terms {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<u8>,
    /// In an offer it may stand without a value.
    client_max_window_bits: Option<Option<u8>>,
}

impl Terms {
    /// `None` with a parameter that is unknown, comes twice, or has a value it cannot have (RFC 7692, 7.1).
    fn parse(extension: &Extension<'_>) -> Option<Terms> {
        let mut terms = Terms::default();
        for param in &extension.params {
            let value = param.value.as_deref();
            let is_new = match param.name {
                "server_no_context_takeover" if value.is_none() => {
                    !std::mem::replace(&mut terms.server_no_context_takeover, true)
                }
                "client_no_context_takeover" if value.is_none() => {
                    !std::mem::replace(&mut terms.client_no_context_takeover, true)
                }
                "server_max_window_bits" => terms.server_max_window_bits.replace(window_bits(value?)?).is_none(),
                "client_max_window_bits" => {
                    let bits = match value {
                        Some(value) => Some(window_bits(value)?),
                        None => None,
                    };
                    terms.client_max_window_bits.replace(bits).is_none()
                }
                _ => false,
            };
            if !is_new {
                return None;
            }
        }
        Some(terms)
    }

    /// Whether this is an answer to `offer`: what was asked of the server is there, and no window is larger.
    fn fits(self, offer: Terms) -> bool {
        let server_bits = match (self.server_max_window_bits, offer.server_max_window_bits) {
            (Some(answered), Some(offered)) => answered <= offered,
            (answered, offered) => answered.is_some() || offered.is_none(),
        };
        let client_bits = match (self.client_max_window_bits, offer.client_max_window_bits) {
            (None, _) => true,
            // An answer gives a value.
            (Some(None), _) | (_, None) => false,
            (Some(Some(answered)), Some(offered)) => answered <= offered.unwrap_or(MAX_WINDOW_BITS),
        };
        let no_context = self.server_no_context_takeover || !offer.server_no_context_takeover;
        server_bits && client_bits && no_context
    }

    fn params(self) -> DeflateParams {
        DeflateParams {
            server_no_context_takeover: self.server_no_context_takeover,
            client_no_context_takeover: self.client_no_context_takeover,
            server_max_window_bits: self.server_max_window_bits.unwrap_or(MAX_WINDOW_BITS),
            client_max_window_bits: self.client_max_window_bits.flatten().unwrap_or(MAX_WINDOW_BITS),
        }
    }

    fn to_header_value(self) -> HeaderValue {
        let mut value = NAME.to_owned();
        if self.server_no_context_takeover {
            value.push_str("; server_no_context_takeover");
        }
        if self.client_no_context_takeover {
            value.push_str("; client_no_context_takeover");
        }
        if let Some(bits) = self.server_max_window_bits {
            let _ = write!(value, "; server_max_window_bits={bits}");
        }
        if let Some(bits) = self.client_max_window_bits {
            value.push_str("; client_max_window_bits");
            if let Some(bits) = bits {
                let _ = write!(value, "={bits}");
            }
        }
        HeaderValue::try_from(value).expect("tokens and digits")
    }
}

/// 8 to 15, in decimal without leading zeros (RFC 7692, 7.1.2).
fn window_bits(value: &str) -> Option<u8> {
    let bits = value.parse().ok().filter(|bits| (MIN_WINDOW_BITS..=MAX_WINDOW_BITS).contains(bits))?;
    (value == bits.to_string()).then_some(bits)
}

fn clamped(bits: u8) -> u8 {
    bits.clamp(MIN_WINDOW_BITS, MAX_WINDOW_BITS)
}
