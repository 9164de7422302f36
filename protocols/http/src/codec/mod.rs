//! The wire format of HTTP/1.0 and HTTP/1.1 (RFC 9112), pure: bytes in, events out, and back. Knows no transport and no clock.
//! `httparse` finds names and values in heads; framing is decided here.

#[cfg_attr(
    not(all(feature = "client", feature = "guard", feature = "websocket")),
    allow(dead_code)
)]
mod base64;
mod body;
mod byte_set;
mod cgi;
#[cfg(feature = "client")]
mod challenge;
mod chunked;
mod conditional;
mod connection_options;
#[cfg(feature = "client")]
mod data_url;
mod date;
#[cfg(any(feature = "client", feature = "guard"))]
mod digest;
mod encode;
mod error;
mod fields;
mod forms;
mod framing;
mod head;
#[cfg_attr(not(all(feature = "guard", feature = "sessions")), allow(dead_code))]
mod hex;
mod lines;
mod multipart;
mod percent;
mod range;
mod response;
#[cfg(feature = "client")]
mod set_cookie;
mod swar;
mod target;

pub use body::{BodyDecoder, BodyEvent};
pub use cgi::{CgiError, CgiHead, CgiHeadReader};
#[cfg(feature = "client")]
pub use challenge::{Challenge, challenges};
pub use chunked::{ChunkLimits, ChunkedDecoder, chunk, last_chunk};
pub use conditional::{ETag, Precondition, if_range, preconditions};
#[cfg(feature = "client")]
pub use data_url::{DataUrl, DataUrlError};
pub use date::{format_date, parse_date};
#[cfg(any(feature = "client", feature = "guard"))]
pub use digest::DigestAlgorithm;
pub use encode::{EncodeError, encode_request, encode_response};
pub use error::{BodyError, HeadError};
pub use fields::{FieldError, Fields};
pub use forms::{FormError, form, parameter};
pub use framing::Framing;
pub use head::RequestHead;
pub use lines::HeadLimits;
pub use multipart::{Multipart, MultipartError, MultipartEvent, MultipartLimits, PartHead};
pub use percent::{percent_decode, percent_encode};
pub use range::{ByteRange, Unsatisfiable, ranges};
pub use response::ResponseHead;
#[cfg(feature = "client")]
pub use set_cookie::{SetCookie, cookie_date};
pub use target::TargetForm;

#[allow(unused_imports)]
pub(crate) use base64::{base64_decode, base64_encode};
#[allow(unused_imports)]
pub(crate) use encode::{push_field, push_fields, push_number, push_status_line};
#[allow(unused_imports)]
pub(crate) use fields::{is_token, list, split_outside_quotes, trim, unquoted};
#[allow(unused_imports)]
pub(crate) use hex::{hex, unhex};
