//! HTTP/1.1 for sinew.
#![forbid(unsafe_code)]

pub mod codec;
pub mod server;

pub use codec::{FieldError, Fields};
#[doc(no_inline)]
pub use http::{Method, StatusCode, Version};
