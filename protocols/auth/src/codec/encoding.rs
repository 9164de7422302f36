//! Messages in lines of text: base64, `=` for an empty first message, `*` to abort. The only place where base64 is read.

use data_encoding::BASE64;
use zeroize::Zeroizing;

use crate::SaslError;

/// A decoded message, which may be a password.
pub(crate) type Message = Zeroizing<Vec<u8>>;

/// Decodes the first message of a client, which came with the name of the mechanism. `=` stands for an empty one (RFC 4954 4).
pub(crate) fn decode_initial(text: &[u8], max: usize) -> Result<Message, SaslError> {
    if text == b"=" { Ok(Message::default()) } else { decode(text, max) }
}

/// Decodes a message of a client. `*` aborts (RFC 4954 4, RFC 3501 6.2.2).
pub(crate) fn decode_response(text: &[u8], max: usize) -> Result<Message, SaslError> {
    if text == b"*" { Err(SaslError::Aborted) } else { decode(text, max) }
}

/// Decodes a message of a bounded length.
pub(crate) fn decode(text: &[u8], max: usize) -> Result<Message, SaslError> {
    if text.len() > max.div_ceil(3).saturating_mul(4) {
        return Err(SaslError::TooLong { max });
    }
    base64(text).map(Message::new).ok_or(SaslError::Base64)
}

/// Decodes the canonical encoding, and nothing else: padding is required, bits behind the end are zero, no line ends, and nothing
/// follows the padding, which the crate would take for a second encoding.
pub(crate) fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let inside = &text[..text.len().saturating_sub(2)];
    if inside.contains(&b'=') { None } else { BASE64.decode(text).ok() }
}

/// Encodes.
pub(crate) fn encode(message: &[u8]) -> String {
    BASE64.encode(message)
}
