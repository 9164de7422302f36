//! Bans from the server (k-lines), and the file with them: [`ServerBans`]. Pure.

use crate::irc::codec::{CaseMapping, mask_matches};

/// Most bans.
const BANS_MAX: usize = 10_000;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Ban {
    mask: Vec<u8>,
    reason: Vec<u8>,
}

/// Masks `user@host` of clients that are not let in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ServerBans(Vec<Ban>);

impl ServerBans {
    /// Reads a file: on each line a mask, and behind it a reason. Empty lines and those that begin with `#` are none.
    pub(super) fn parse(text: &[u8]) -> Self {
        let mut bans = Self::default();
        for line in text.split(|byte| *byte == b'\n') {
            let line = line.trim_ascii();
            let end = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
            let (mask, reason) = line.split_at(end);
            if !mask.is_empty() && mask[0] != b'#' {
                bans.add(mask, reason.trim_ascii());
            }
        }
        bans
    }

    /// The text of the file.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut text = b"# Bans from the server: a mask user@host, and a reason.\n".to_vec();
        for ban in &self.0 {
            text.extend_from_slice(&ban.mask);
            text.push(b' ');
            text.extend_from_slice(&ban.reason);
            text.push(b'\n');
        }
        text
    }

    /// Adds a ban, or gives it another reason. Returns whether there was room, and the mask can be one: `user@host`.
    pub(super) fn add(&mut self, mask: &[u8], reason: &[u8]) -> bool {
        let is_mask = mask.contains(&b'@')
            && mask[0] != b'#'
            && mask.iter().all(|byte| byte.is_ascii_graphic());
        if !is_mask || self.0.len() >= BANS_MAX {
            return false;
        }
        self.remove(mask);
        self.0.push(Ban { mask: mask.to_vec(), reason: reason.to_vec() });
        true
    }

    /// Removes a ban. Returns whether there was one.
    pub(super) fn remove(&mut self, mask: &[u8]) -> bool {
        let before = self.0.len();
        self.0.retain(|ban| !ban.mask.eq_ignore_ascii_case(mask));
        self.0.len() < before
    }

    /// The reason of a ban that one of these names `user@host` fits.
    pub(super) fn reason(&self, names: &[Vec<u8>]) -> Option<&[u8]> {
        let fits =
            |ban: &&Ban| names.iter().any(|name| mask_matches(CaseMapping::Ascii, &ban.mask, name));
        self.0.iter().find(fits).map(|ban| ban.reason.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_bans() {
        let mut bans =
            ServerBans::parse(b"# none\n\n*@192.0.2.*  spam and more \r\nbad@*\nnomask reason\n");
        assert_eq!(bans.reason(&[b"a@192.0.2.7".to_vec()]), Some(&b"spam and more"[..]));
        assert_eq!(bans.reason(&[b"x@y".to_vec(), b"BAD@host".to_vec()]), Some(&b""[..]));
        assert_eq!(bans.reason(&[b"good@host".to_vec()]), None);
        assert!(bans.add(b"*@evil", b"no") && bans.remove(b"BAD@*") && !bans.remove(b"bad@*"));
        assert!(!bans.add(b"nomask", b"") && !bans.add(b"a b@c", b"") && !bans.add(b"#@c", b""));
        assert_eq!(ServerBans::parse(&bans.encode()), bans);
    }
}
