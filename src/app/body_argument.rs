//! The body of a request as an argument: [`Json`], [`Bytes`], [`String`] and [`Body`].

use std::future::{Future, ready};

use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::from_request::FromRequest;
use super::request::Request;
use crate::Result;
use crate::http::{Body, Json};

/// The whole body as JSON, as [`Request::get_json`] reads it: 415 if `Content-Type` says something else, 400 for what is
/// not JSON or of another type, 413 and 408 for a body that is too long or too late.
impl<T: DeserializeOwned> FromRequest for Json<T> {
    async fn from_request(request: &Request) -> Result<Self> {
        request.get_json().await.map(Json)
    }
}

/// The whole body, as [`Request::get_data`] reads it: 413 and 408 for one that is too long or too late.
impl FromRequest for Bytes {
    fn from_request(request: &Request) -> impl Future<Output = Result<Self>> {
        request.get_data()
    }
}

/// The whole body as text, as [`Request::get_text`] reads it: as `Bytes`, and 400 for one that is not UTF-8.
impl FromRequest for String {
    fn from_request(request: &Request) -> impl Future<Output = Result<Self>> {
        request.get_text()
    }
}

/// The body, to be read as it comes, as [`Request::body`] gives it: its limit holds, and an error of it that the view
/// returns is answered with its status. Behind an argument that has read the body it is that once more; in front of one,
/// that one fails.
impl FromRequest for Body {
    fn from_request(request: &Request) -> impl Future<Output = Result<Self>> {
        ready(request.body())
    }
}
