//! Heads of the usual form, decoded in one pass: [`RequestHead::decode_usual`]. It takes no decision of its own: what is not plain in
//! every respect, or not all there, is left to the decoder in `head.rs`, which says what is wrong with it. A test holds the two
//! against each other.

use http::{Method, Version};

use super::{RequestHead, Target, TargetForm};
use crate::codec::{
    HeadLimits,
    connection_options::ConnectionOptions,
    fields::is_token,
    framing::Gathered,
    words::{end_of_host, end_of_name, end_of_path, end_of_query, end_of_text},
};

/// Behind the target.
const VERSION: &[u8; 11] = b" HTTP/1.1\r\n";

impl RequestHead {
    /// Decodes a head of HTTP/1.1 for a path, with one `Host`, a name or an IPv4 address, and with values of visible ASCII text. `None` of everything else; then
    /// nothing of what was filled in is of use.
    pub(super) fn decode_usual(&mut self, input: &[u8], limits: &HeadLimits) -> Option<usize> {
        let input = &input[..input.len().min(limits.head_max)];
        let path_at = self.usual_method(input)?;
        let mut at = self.usual_target(input, path_at, limits)?;
        self.connection = ConnectionOptions::default();
        self.expects_continue = false;
        self.fields.clear();
        let mut gathered = Gathered::default();
        let mut host = None;
        loop {
            let name = at;
            at = end_of_name(input, at);
            let value = match input.get(at..) {
                Some([b':', b' ', ..]) => at + 2,
                Some([b':', ..]) => at + 1,
                Some([b'\r', b'\n', ..]) if at == name => break,
                _ => {
                    at = end_of_token(input, at)?;
                    at + 1
                }
            };
            let (name_len, value) = (at - name, skip_blanks(input, value));
            if name_len == 0 {
                return None;
            }
            let is_host = name_len == 4 && input[name..at].eq_ignore_ascii_case(b"host");
            at = if is_host { end_of_authority(input, value)? } else { end_of_text(input, value) };
            let Some([b'\r', b'\n', ..]) = input.get(at..) else { return None };
            // Of the line, its LF is not counted.
            if at + 1 - name > limits.line_max || self.fields.len() == limits.fields_max {
                return None;
            }
            let value = value..without_blanks(input, value, at);
            self.fields.push(name, name_len, value.start, value.len());
            at += 2;
            if is_host {
                if host.replace(value).is_some() {
                    return None;
                }
                continue;
            }
            let (name, value) = (&input[name..name + name_len], &input[value]);
            let is = |wanted: &[u8]| name.eq_ignore_ascii_case(wanted);
            match name_len {
                6 if is(b"expect") => return None,
                10 if is(b"connection") => self.connection.add(value),
                14 if is(b"content-length") => gathered.length(value).ok()?,
                17 if is(b"transfer-encoding") => gathered.encoding(value),
                _ => {}
            }
        }
        at += 2;
        host.as_ref()?;
        self.framing = gathered.framing(false).ok()?.unwrap_or_default();
        self.authority = host;
        self.fields.set_bytes(&input[..at]);
        Some(at)
    }

    /// Takes the method; where the path begins.
    fn usual_method(&mut self, input: &[u8]) -> Option<usize> {
        // Not OPTIONS, which may be for `*`.
        let (method, len) = match input {
            [b'G', b'E', b'T', b' ', b'/', ..] => (Method::GET, 4),
            [b'P', b'O', b'S', b'T', b' ', b'/', ..] => (Method::POST, 5),
            [b'H', b'E', b'A', b'D', b' ', b'/', ..] => (Method::HEAD, 5),
            [b'P', b'U', b'T', b' ', b'/', ..] => (Method::PUT, 4),
            [b'D', b'E', b'L', b'E', b'T', b'E', b' ', b'/', ..] => (Method::DELETE, 7),
            _ => return None,
        };
        self.method = method;
        Some(len)
    }

    /// Takes the target and the version; where the line ends.
    fn usual_target(&mut self, input: &[u8], start: usize, limits: &HeadLimits) -> Option<usize> {
        let path_end = end_of_path(input, start);
        let is_query = input.get(path_end) == Some(&b'?');
        let end = if is_query { end_of_query(input, path_end + 1) } else { path_end };
        let line = end + VERSION.len();
        if input.get(end..line) != Some(VERSION) || line - 1 > limits.line_max {
            return None;
        }
        self.version = Version::HTTP_11;
        self.target = Target {
            form: TargetForm::Origin,
            authority: None,
            path: 0..path_end - start,
            query: is_query.then(|| path_end + 1 - start..end - start),
        };
        self.target_at = start..end;
        Some(line)
    }
}

/// The colon behind a name with other characters than letters and dashes.
#[cold]
fn end_of_token(input: &[u8], start: usize) -> Option<usize> {
    let len = input[start..].iter().position(|byte| !is_token(*byte))?;
    (input[start + len] == b':').then_some(start + len)
}

fn skip_blanks(input: &[u8], mut start: usize) -> usize {
    while input.get(start) == Some(&b' ') {
        start += 1;
    }
    start
}

fn without_blanks(input: &[u8], start: usize, mut end: usize) -> usize {
    while end > start && input[end - 1] == b' ' {
        end -= 1;
    }
    end
}

/// Where the value of `Host` ends that begins there, if it is a name or an IPv4 address, with a port or without.
fn end_of_authority(input: &[u8], start: usize) -> Option<usize> {
    let end = end_of_host(input, start);
    let end = match input.get(end)? {
        b':' => {
            let digits = input[end + 1..].iter().take(5).take_while(|byte| byte.is_ascii_digit());
            end + 1 + digits.count()
        }
        _ => end,
    };
    (end > start && input[start] != b':').then_some(end)
}

#[cfg(test)]
mod tests;
