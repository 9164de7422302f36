//! How a component proves that it knows its secret (XEP-0114 3). Pure.

use data_encoding::HEXLOWER;
use sha1::{Digest, Sha1};

/// What a component answers to the header of its server: SHA-1 of the id of the stream and of the secret, in lower-case digits.
///
/// The secret must be long and random: who reads the stream can try guesses. SHA-1 is what the specification has, and what servers
/// expect.
///
/// # Examples
///
/// ```
/// use sinew_chat::xmpp::codec::component_handshake;
///
/// assert_eq!(component_handshake("3BF96D32", b"secret"), "b09ea9b3b7f586be8a08d0a3dd7466f110aeb136");
/// ```
#[must_use]
pub fn component_handshake(stream_id: &str, secret: &[u8]) -> String {
    let mut hash = Sha1::new();
    hash.update(stream_id.as_bytes());
    hash.update(secret);
    HEXLOWER.encode(&hash.finalize())
}
