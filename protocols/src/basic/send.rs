//! Sending frames on any transport: [`send_frame`], [`send_line`] and so on. The encoding is done by the codecs.

use sinew_transports::{Transport, WriteStatus};

use super::{EncodeError, Encoder, Int8, Int16, Int32, Line, Netstring};

/// Sends `payload` as one frame of `codec`, in one gathered write.
///
/// # Examples
///
/// ```
/// use sinew_protocols::basic::{EncodeError, Line, send_frame};
/// use sinew_transports::Transport;
///
/// let (transport, wire) = Transport::memory();
/// send_frame(&transport, &Line::new(b"\n"), "hello")?;
/// assert_eq!(wire.sent(), b"hello\n");
/// # Ok::<(), EncodeError>(())
/// ```
///
/// # Errors
///
/// [`EncodeError`] if the payload cannot be encoded; nothing is then written.
pub fn send_frame(
    transport: &Transport,
    codec: &impl Encoder,
    payload: impl AsRef<[u8]>,
) -> Result<WriteStatus, EncodeError> {
    codec.encode(payload.as_ref(), |parts| transport.write_vectored(parts))
}

/// Sends `line` and CRLF.
///
/// Inside a [`LineHandler`](super::LineHandler), use [`transport.send_line`](super::FrameTransport::send_line), which
/// sends the delimiter of the connection.
///
/// # Errors
///
/// [`EncodeError`] if `line` contains CR or LF, or is longer than [`Line::LEN_MAX`]; nothing is then written.
pub fn send_line(
    transport: &Transport,
    line: impl AsRef<[u8]>,
) -> Result<WriteStatus, EncodeError> {
    send_frame(transport, &Line::default(), line)
}

/// Sends `payload` as a netstring.
///
/// # Errors
///
/// [`EncodeError::FrameTooLong`] past [`Netstring::LEN_MAX`]; nothing is then written.
pub fn send_netstring(
    transport: &Transport,
    payload: impl AsRef<[u8]>,
) -> Result<WriteStatus, EncodeError> {
    send_frame(transport, &Netstring::default(), payload)
}

/// Sends `payload` with a length prefix of one byte.
///
/// # Errors
///
/// [`EncodeError::FrameTooLong`] past 255 bytes; nothing is then written.
pub fn send_int8(
    transport: &Transport,
    payload: impl AsRef<[u8]>,
) -> Result<WriteStatus, EncodeError> {
    send_frame(transport, &Int8::default(), payload)
}

/// Sends `payload` with a length prefix of two bytes.
///
/// # Errors
///
/// [`EncodeError::FrameTooLong`] past 65,535 bytes; nothing is then written.
pub fn send_int16(
    transport: &Transport,
    payload: impl AsRef<[u8]>,
) -> Result<WriteStatus, EncodeError> {
    send_frame(transport, &Int16::default(), payload)
}

/// Sends `payload` with a length prefix of four bytes.
///
/// # Errors
///
/// [`EncodeError::FrameTooLong`] past [`Int32::LEN_MAX`]; nothing is then written.
pub fn send_int32(
    transport: &Transport,
    payload: impl AsRef<[u8]>,
) -> Result<WriteStatus, EncodeError> {
    send_frame(transport, &Int32::default(), payload)
}
