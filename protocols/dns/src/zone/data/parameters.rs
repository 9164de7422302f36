//! The parameters of SVCB and HTTPS (RFC 9460): `alpn="h2,h3" port=8443`.

use std::{
    fmt::{self, Write},
    net::{Ipv4Addr, Ipv6Addr},
};

use data_encoding::BASE64;

use super::{
    super::{lex::Token, name::unescape},
    character_string::{quoted, with_len},
};
use crate::codec::base64;

const KEYS: [&str; 8] =
    ["mandatory", "alpn", "no-default-alpn", "port", "ipv4hint", "ech", "ipv6hint", "dohpath"];

/// Reads all words, and appends the parameters in the order of their numbers. A fault comes with the index of its word.
pub(super) fn read(tokens: &[Token], wire: &mut Vec<u8>) -> Result<(), (usize, Box<str>)> {
    let mut parameters = Vec::with_capacity(tokens.len());
    for (at, token) in tokens.iter().enumerate() {
        let fault = |why: &str| (at, why.into());
        let mut halves = token.text.splitn(2, |byte| *byte == b'=');
        let key = key_number(halves.next().unwrap_or_default())
            .ok_or_else(|| fault("the parameter is unknown; others are written as key123"))?;
        let raw = halves.next();
        let raw = raw.map(|raw| {
            raw.strip_prefix(b"\"").and_then(|raw| raw.strip_suffix(b"\"")).unwrap_or(raw)
        });
        let value =
            value(key, raw).ok_or_else(|| fault("the value of the parameter is invalid"))?;
        if parameters.iter().any(|(other, _)| *other == key) {
            return Err(fault("the parameter is there twice"));
        }
        parameters.push((key, value));
    }
    parameters.sort_unstable();
    for (key, value) in parameters {
        wire.extend(key.to_be_bytes());
        wire.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
        wire.extend(value);
    }
    Ok(())
}

fn key_number(key: &[u8]) -> Option<u16> {
    let key = str::from_utf8(key).ok()?.to_ascii_lowercase();
    if let Some(at) = KEYS.iter().position(|it| *it == key) {
        return u16::try_from(at).ok();
    }
    let number = key.strip_prefix("key").filter(|it| it.bytes().all(|it| it.is_ascii_digit()))?;
    number.parse().ok()
}

fn value(key: u16, raw: Option<&[u8]>) -> Option<Vec<u8>> {
    let Some(raw) = raw else { return matches!(key, 2 | 8..).then(Vec::new) };
    let bytes = unescaped(raw)?;
    let text = str::from_utf8(&bytes);
    let value = match key {
        0 => {
            let numbers: Option<Vec<u16>> =
                bytes.split(|byte| *byte == b',').map(key_number).collect();
            let mut numbers = numbers?;
            numbers.sort_unstable();
            numbers.into_iter().flat_map(u16::to_be_bytes).collect()
        }
        1 => {
            let mut wire = Vec::new();
            for protocol in protocols(&bytes)? {
                wire.push(u8::try_from(protocol.len()).ok().filter(|len| *len > 0)?);
                wire.extend(protocol);
            }
            wire
        }
        2 => return None,
        3 => text.ok()?.parse::<u16>().ok()?.to_be_bytes().to_vec(),
        4 => {
            let hints = text.ok()?.split(',').map(|hint| hint.parse::<Ipv4Addr>().ok());
            hints.collect::<Option<Vec<_>>>()?.into_iter().flat_map(|it| it.octets()).collect()
        }
        5 => base64::decode(&bytes).filter(|bytes| !bytes.is_empty())?,
        6 => {
            let hints = text.ok()?.split(',').map(|hint| hint.parse::<Ipv6Addr>().ok());
            hints.collect::<Option<Vec<_>>>()?.into_iter().flat_map(|it| it.octets()).collect()
        }
        _ => bytes,
    };
    (value.len() <= usize::from(u16::MAX)).then_some(value)
}

fn unescaped(raw: &[u8]) -> Option<Vec<u8>> {
    let (mut bytes, mut at) = (Vec::with_capacity(raw.len()), 0);
    while at < raw.len() {
        let (byte, next) = unescape(raw, at)?;
        bytes.push(byte);
        at = next;
    }
    Some(bytes)
}

/// A list of protocols, where a backslash precedes a comma or a backslash that belongs to a protocol (RFC 9460, appendix A.1).
fn protocols(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut protocols = vec![Vec::new()];
    let mut bytes = bytes.iter();
    while let Some(&byte) = bytes.next() {
        match byte {
            b',' => protocols.push(Vec::new()),
            b'\\' => protocols.last_mut()?.push(*bytes.next()?),
            _ => protocols.last_mut()?.push(byte),
        }
    }
    Some(protocols)
}

/// Whether the numbers ascend, and the lengths are right.
pub(super) fn is_valid(mut rest: &[u8]) -> bool {
    let mut last = None;
    while !rest.is_empty() {
        let Some((key, value, after)) = next(rest) else { return false };
        let is_value = match key {
            0 => !value.is_empty() && value.len() % 2 == 0,
            1 => !value.is_empty() && is_protocols(value),
            2 => value.is_empty(),
            3 => value.len() == 2,
            4 => !value.is_empty() && value.len() % 4 == 0,
            6 => !value.is_empty() && value.len() % 16 == 0,
            _ => true,
        };
        if !is_value || last.is_some_and(|last| last >= key) {
            return false;
        }
        last = Some(key);
        rest = after;
    }
    true
}

fn is_protocols(mut rest: &[u8]) -> bool {
    while !rest.is_empty() {
        match with_len(rest) {
            Some((protocol, after)) if !protocol.is_empty() => rest = after,
            _ => return false,
        }
    }
    true
}

fn next(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    let len = usize::from(u16::from_be_bytes([head[2], head[3]]));
    let (value, after) = rest.split_at_checked(len)?;
    Some((u16::from_be_bytes([head[0], head[1]]), value, after))
}

/// Writes all parameters.
pub(super) fn show(f: &mut fmt::Formatter<'_>, mut rest: &[u8]) -> fmt::Result {
    let mut is_first = true;
    while let Some((key, value, after)) = next(rest) {
        if !is_first {
            f.write_char(' ')?;
        }
        (is_first, rest) = (false, after);
        match KEYS.get(usize::from(key)) {
            Some(key) => f.write_str(key)?,
            None => write!(f, "key{key}")?,
        }
        if !value.is_empty() {
            f.write_char('=')?;
            show_value(f, key, value)?;
        }
    }
    Ok(())
}

fn show_value(f: &mut fmt::Formatter<'_>, key: u16, value: &[u8]) -> fmt::Result {
    let separator = |at: usize| if at > 0 { "," } else { "" };
    match key {
        0 | 3 => {
            for (at, number) in value.chunks_exact(2).enumerate() {
                let number = u16::from_be_bytes([number[0], number[1]]);
                match KEYS.get(usize::from(number)).filter(|_| key == 0) {
                    Some(key) => write!(f, "{}{key}", separator(at))?,
                    None if key == 0 => write!(f, "{}key{number}", separator(at))?,
                    None => write!(f, "{number}")?,
                }
            }
            Ok(())
        }
        1 => {
            let (mut list, mut rest) = (Vec::new(), value);
            while let Some((protocol, after)) = with_len(rest) {
                if !list.is_empty() {
                    list.push(b',');
                }
                for &byte in protocol {
                    if matches!(byte, b',' | b'\\') {
                        list.push(b'\\');
                    }
                    list.push(byte);
                }
                rest = after;
            }
            quoted(f, &list)
        }
        4 => {
            for (at, hint) in value.chunks_exact(4).enumerate() {
                let hint: [u8; 4] = [hint[0], hint[1], hint[2], hint[3]];
                write!(f, "{}{}", separator(at), Ipv4Addr::from(hint))?;
            }
            Ok(())
        }
        5 => write!(f, "\"{}\"", BASE64.encode(value)),
        6 => {
            for (at, hint) in value.chunks_exact(16).enumerate() {
                let hint: [u8; 16] = hint.try_into().unwrap_or_default();
                write!(f, "{}{}", separator(at), Ipv6Addr::from(hint))?;
            }
            Ok(())
        }
        _ => quoted(f, value),
    }
}
