//! Strings of IMAP as a server writes them: quoted where that is possible, else as a literal (RFC 3501 4.3).

/// Longest string that is quoted. Longer ones are literals, as some clients have short line buffers.
const QUOTED_MAX: usize = 1_024;

/// Writes a string: quoted, or as a literal if it holds what quotes must not. NUL is left out, as no string may hold it.
pub fn write_string(out: &mut Vec<u8>, text: &[u8]) {
    if memchr::memchr(0, text).is_some() {
        let text: Vec<u8> = text.iter().copied().filter(|&byte| byte != 0).collect();
        return write_string(out, &text);
    }
    let is_quotable = text.len() <= QUOTED_MAX
        && text.iter().all(|byte| byte.is_ascii() && !matches!(byte, b'\r' | b'\n'));
    if !is_quotable {
        out.extend_from_slice(format!("{{{}}}\r\n", text.len()).as_bytes());
        return out.extend_from_slice(text);
    }
    out.push(b'"');
    for &byte in text {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

/// Writes a string, or `NIL` if there is none.
pub fn write_nstring(out: &mut Vec<u8>, text: Option<&[u8]>) {
    match text {
        Some(text) => write_string(out, text),
        None => out.extend_from_slice(b"NIL"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_quoted_where_quotes_can_hold_them() {
        let cases: &[(&[u8], &[u8])] = &[
            (b"", b"\"\""),
            (b"plain", b"\"plain\""),
            (b"a \"b\" \\c", b"\"a \\\"b\\\" \\\\c\""),
            (b"a\r\nb", b"{4}\r\na\r\nb"),
            (b"caf\xc3\xa9", b"{5}\r\ncaf\xc3\xa9"),
            (b"nu\0l", b"\"nul\""),
            (b"\0\r", b"{1}\r\n\r"),
        ];
        for (text, written) in cases {
            let mut out = Vec::new();
            write_string(&mut out, text);
            assert_eq!(out, *written, "{}", text.escape_ascii());
        }
        let mut out = Vec::new();
        write_string(&mut out, &[b'a'; 1_025]);
        assert!(out.starts_with(b"{1025}\r\n"));
    }
}
