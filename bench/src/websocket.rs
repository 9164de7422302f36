//! What servers of WebSocket are asked for, and what they have to send: shared by them, the load generator and the scripts.

/// The opening handshake of a client, with the key of RFC 6455 1.3.
pub const HANDSHAKE: &str = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// The answer to that key.
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// A binary message in one frame (RFC 6455 5.2); that of a client has a mask.
#[must_use]
pub fn frame(payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
    let masked = if mask.is_some() { 0x80 } else { 0 };
    let len = payload.len();
    let mut frame = vec![0x82];
    match len {
        0..126 => frame.push(masked | len as u8),
        126..0x1_0000 => {
            frame.push(masked | 126);
            frame.extend((len as u16).to_be_bytes());
        }
        _ => {
            frame.push(masked | 127);
            frame.extend((len as u64).to_be_bytes());
        }
    }
    frame.extend(mask.iter().flatten());
    let mask = mask.unwrap_or_default();
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_those_of_the_rfc() {
        // RFC 6455 5.7, of binary messages.
        assert_eq!(frame(b"Hello", None), b"\x82\x05Hello");
        let masked = b"\x82\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
        assert_eq!(frame(b"Hello", Some([0x37, 0xfa, 0x21, 0x3d])), masked);
        assert_eq!(frame(&[7; 256], None)[..5], [0x82, 0x7e, 1, 0, 7]);
        assert_eq!(frame(&[7; 65_536], None)[..11], [0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0, 7]);
    }
}
