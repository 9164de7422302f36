//! The fast path for request heads: [`RequestHead::decode_usual`] decodes heads of the usual form in one pass. All others, and those that
//! are incomplete or invalid, are left to the decoder in `head.rs`, which reports the error. A property test compares the two.

use std::ops::Range;

use http::{Method, Version};

use super::{RequestHead, TargetForm};
use crate::codec::{
    HeadLimits,
    byte_set::skip,
    connection_options::ConnectionOptions,
    fields::TOKENS,
    framing::Gathered,
    swar::{self, end_of_name, end_of_path, end_of_query, end_of_text},
};

/// The bytes after the target.
const VERSION: &[u8] = b" HTTP/1.1\r\n";

impl RequestHead {
    /// Decodes an HTTP/1.1 head whose target is a path, with one `Host` that is a name or an IPv4 address, and with values of visible
    /// ASCII characters. `None` for everything else; the contents are unspecified then.
    pub(super) fn decode_usual(&mut self, input: &[u8], limits: &HeadLimits) -> Option<usize> {
        let input = &input[..input.len().min(limits.head_max)];
        let line = self.usual_line(input)?;
        let len = self.usual_fields(input, line)?;
        // A head this short has no line that is too long.
        let is_good = len <= limits.line_max && self.fields.len() <= limits.fields_max;
        is_good.then_some(len)
    }

    /// Decodes the request line; returns its length.
    fn usual_line(&mut self, input: &[u8]) -> Option<usize> {
        // Without OPTIONS, whose target can be `*`.
        let (method, start) = match input {
            [b'G', b'E', b'T', b' ', b'/', ..] => (Method::GET, 4),
            [b'P', b'O', b'S', b'T', b' ', b'/', ..] => (Method::POST, 5),
            [b'H', b'E', b'A', b'D', b' ', b'/', ..] => (Method::HEAD, 5),
            [b'P', b'U', b'T', b' ', b'/', ..] => (Method::PUT, 4),
            [b'D', b'E', b'L', b'E', b'T', b'E', b' ', b'/', ..] => (Method::DELETE, 7),
            _ => return None,
        };
        let path_end = end_of_path(input, start);
        let is_query = byte_at(input, path_end) == b'?';
        let end = if is_query { end_of_query(input, path_end + 1) } else { path_end };
        let line = end + VERSION.len();
        if input.get(end..line)? != VERSION {
            return None;
        }
        self.method = method;
        self.version = Version::HTTP_11;
        self.target.form = TargetForm::Origin;
        self.target.authority = None;
        self.target.path = 0..path_end - start;
        self.target.query = is_query.then(|| path_end + 1 - start..end - start);
        self.target_at = start..end;
        Some(line)
    }

    /// Decodes the fields and the empty line; returns the length of the head.
    // Not inlined, so that the loop keeps its variables in registers.
    #[inline(never)]
    fn usual_fields(&mut self, input: &[u8], mut at: usize) -> Option<usize> {
        // The host of the previous head, whose bytes are still there. Most requests are for the same host, which was validated then.
        let known = self.authority.take();
        self.fields.clear_entries();
        self.connection = ConnectionOptions::default();
        self.expects_continue = false;
        let mut gathered = Gathered::default();
        let mut host: Option<Range<usize>> = None;
        loop {
            let name_at = at;
            if byte_at(input, at) == b'\r' {
                break;
            }
            at = end_of_name(input, at);
            if byte_at(input, at) != b':' {
                // The name has other characters.
                at = skip(input, name_at, &TOKENS);
            }
            let name_len = at - name_at;
            if name_len == 0 || byte_at(input, at) != b':' {
                return None;
            }
            at += 1;
            while byte_at(input, at) == b' ' {
                at += 1;
            }
            let value_at = at;
            let is_host = name_len == 4 && is_host(input, name_at);
            at = match &known {
                _ if !is_host => end_of_text(input, at),
                Some(known) => end_of_known_host(input, at, &self.fields.bytes[known.clone()]),
                None => end_of_host(input, at),
            };
            if byte_at(input, at) != b'\r' || byte_at(input, at + 1) != b'\n' {
                return None;
            }
            let mut value_end = at;
            while value_end > value_at && input[value_end - 1] == b' ' {
                value_end -= 1;
            }
            at += 2;
            self.fields.push(name_at, name_len, value_at, value_end - value_at);
            if is_host {
                if host.is_some() || value_end == value_at {
                    return None;
                }
                host = Some(value_at..value_end);
                continue;
            }
            let is =
                |wanted: &[u8]| input[name_at..name_at + name_len].eq_ignore_ascii_case(wanted);
            let value = &input[value_at..value_end];
            match name_len {
                6 if is(b"expect") => return None,
                10 if is(b"connection") => self.connection.add(value),
                14 if is(b"content-length") => gathered.length(value).ok()?,
                17 if is(b"transfer-encoding") => gathered.encoding(value),
                _ => {}
            }
        }
        let is_end = byte_at(input, at) == b'\r' && byte_at(input, at + 1) == b'\n';
        if !is_end || host.is_none() {
            return None;
        }
        self.framing = gathered.framing(false).ok()?.unwrap_or_default();
        self.fields.set_bytes(&input[..at + 2]);
        self.authority = host;
        Some(at + 2)
    }
}

/// The byte at this position; after the end a zero, which is in no head.
#[inline(always)]
fn byte_at(input: &[u8], at: usize) -> u8 {
    input.get(at).copied().unwrap_or(0)
}

fn is_host(input: &[u8], at: usize) -> bool {
    let name = input.get(at..).and_then(<[u8]>::first_chunk::<4>);
    // Only the letters themselves and their capitals become the letters of `host`.
    name.is_some_and(|name| u32::from_le_bytes(*name) | 0x2020_2020 == u32::from_le_bytes(*b"host"))
}

/// Like [`end_of_host`], but quick if the value is the known host.
#[inline]
fn end_of_known_host(input: &[u8], start: usize, known: &[u8]) -> usize {
    let end = start + known.len();
    match input.get(start..end) == Some(known) && byte_at(input, end) == b'\r' {
        true => end,
        false => end_of_host(input, start),
    }
}

/// The end of a `Host` value that is a name or an IPv4 address, with or without a port; otherwise a position before the end.
fn end_of_host(input: &[u8], start: usize) -> usize {
    let end = swar::end_of_host(input, start);
    if end == start || byte_at(input, end) != b':' {
        return end;
    }
    let most = input.len().min(end + 6);
    let mut at = end + 1;
    while at < most && input[at].is_ascii_digit() {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests;
