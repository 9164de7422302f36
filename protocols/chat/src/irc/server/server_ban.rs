//! Bans from the server (k-lines), and the file with them: [`ServerBans`]. Pure.

use std::net::IpAddr;

use crate::irc::codec::{CaseMapping, mask_matches};

/// Most bans.
const BANS_MAX: usize = 10_000;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Ban {
    mask: Vec<u8>,
    reason: Vec<u8>,
    /// The addresses of a mask `user@address/length`.
    network: Option<(IpAddr, u8)>,
}

/// What is wrong with a file of bans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadBan {
    /// The number of a line, from 1.
    Line(usize),
    TooMany {
        max: usize,
    },
}

/// Masks `user@host` of clients that are not let in. A host may be a network, `2001:db8::/64`: an address of IPv6 has no one text that a mask
/// could be of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ServerBans(Vec<Ban>);

impl ServerBans {
    /// Reads a file: on each line a mask, and behind it a reason. Empty lines and those that begin with `#` are none.
    ///
    /// # Errors
    ///
    /// The first line that is no ban, or for which there is no room. Nothing is left out: who is to be banned would get in.
    pub(super) fn parse(text: &[u8]) -> Result<Self, BadBan> {
        let mut bans = Self::default();
        for (at, line) in text.split(|byte| *byte == b'\n').enumerate() {
            let line = line.trim_ascii();
            let end = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
            let (mask, reason) = line.split_at(end);
            if mask.is_empty() || mask[0] == b'#' || bans.add(mask, reason.trim_ascii()) {
                continue;
            }
            return Err(match bans.0.len() >= BANS_MAX {
                true => BadBan::TooMany { max: BANS_MAX },
                false => BadBan::Line(at + 1),
            });
        }
        Ok(bans)
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
        let network = network_of(mask);
        self.0.push(Ban { mask: mask.to_vec(), reason: reason.to_vec(), network });
        true
    }

    /// Removes a ban. Returns whether there was one.
    pub(super) fn remove(&mut self, mask: &[u8]) -> bool {
        let before = self.0.len();
        self.0.retain(|ban| !ban.mask.eq_ignore_ascii_case(mask));
        self.0.len() < before
    }

    /// The reason of a ban that one of these names `user@host` fits, or the user of the names with this address.
    pub(super) fn reason(&self, names: &[Vec<u8>], ip: Option<IpAddr>) -> Option<&[u8]> {
        let fits = |ban: &&Ban| match (ban.network, ip) {
            (Some(network), Some(ip)) if contains(network, ip) => {
                let (user, _) = halves(&ban.mask);
                names.iter().any(|name| mask_matches(CaseMapping::Ascii, user, halves(name).0))
            }
            _ => names.iter().any(|name| mask_matches(CaseMapping::Ascii, &ban.mask, name)),
        };
        self.0.iter().find(fits).map(|ban| ban.reason.as_slice())
    }
}

/// What is before and behind the last `@`.
fn halves(name: &[u8]) -> (&[u8], &[u8]) {
    match name.iter().rposition(|byte| *byte == b'@') {
        Some(at) => (&name[..at], &name[at + 1..]),
        None => (name, b""),
    }
}

fn network_of(mask: &[u8]) -> Option<(IpAddr, u8)> {
    let (address, len) = str::from_utf8(halves(mask).1).ok()?.split_once('/')?;
    let (address, len): (IpAddr, u8) = (address.parse().ok()?, len.parse().ok()?);
    let max = if address.is_ipv4() { 32 } else { 128 };
    (len <= max).then_some((address, len))
}

fn contains((network, len): (IpAddr, u8), ip: IpAddr) -> bool {
    let (network, ip, bits) = match (network, ip.to_canonical()) {
        (IpAddr::V4(network), IpAddr::V4(ip)) => {
            (network.to_bits().into(), u128::from(ip.to_bits()), 32_u32)
        }
        (IpAddr::V6(network), IpAddr::V6(ip)) => (network.to_bits(), ip.to_bits(), 128),
        _ => return false,
    };
    // All bits but the last ones; of none, all are the same.
    (network ^ ip).checked_shr(bits.saturating_sub(len.into())).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_bans() {
        let mut bans =
            ServerBans::parse(b"# none\n\n*@192.0.2.*  spam and more \r\nbad@*\n").unwrap();
        assert_eq!(bans.reason(&[b"a@192.0.2.7".to_vec()], None), Some(&b"spam and more"[..]));
        assert_eq!(bans.reason(&[b"x@y".to_vec(), b"BAD@host".to_vec()], None), Some(&b""[..]));
        assert_eq!(bans.reason(&[b"good@host".to_vec()], None), None);
        assert!(bans.add(b"*@evil", b"no") && bans.remove(b"BAD@*") && !bans.remove(b"bad@*"));
        assert!(!bans.add(b"nomask", b"") && !bans.add(b"a b@c", b"") && !bans.add(b"#@c", b""));
        assert_eq!(ServerBans::parse(&bans.encode()), Ok(bans));
    }

    #[test]
    fn files_that_are_wrong() {
        for (text, line) in [
            (&b"nomask reason\n"[..], 1),
            (b"# a\n\nbad@* no\r\n192.0.2.0/24\n", 4),
            (b"*@good\n\xff@bad", 2),
        ] {
            assert_eq!(ServerBans::parse(text), Err(BadBan::Line(line)));
        }
        let many: String = (0..=BANS_MAX).map(|number| format!("*@{number}\n")).collect();
        let too_many = Err(BadBan::TooMany { max: BANS_MAX });
        assert_eq!(ServerBans::parse(many.as_bytes()), too_many);
        let all = many.rsplitn(3, '\n').last().unwrap();
        assert_eq!(ServerBans::parse(all.as_bytes()).unwrap().0.len(), BANS_MAX);
    }

    #[test]
    fn bans_of_networks() {
        for (mask, user, ip, expected) in [
            ("*@2001:db8:1::/64", "~a", "2001:db8:1::5", true),
            ("*@2001:db8:1::/64", "~a", "2001:db8:1:0:9:8:7:6", true),
            ("*@2001:db8:1::/64", "~a", "2001:db8:1:1::5", false),
            ("*@2001:DB8::1/128", "~a", "2001:db8::1", true),
            ("~b*@192.0.2.0/24", "~bob", "::ffff:192.0.2.200", true),
            ("~b*@192.0.2.0/24", "~ann", "192.0.2.200", false),
            ("*@192.0.2.0/24", "~a", "192.0.3.1", false),
            ("*@0.0.0.0/0", "~a", "203.0.113.1", true),
            ("*@::/0", "~a", "2001:db8::1", true),
            ("*@::/0", "~a", "192.0.2.1", false),
            // No network.
            ("*@192.0.2.0/33", "~a", "192.0.2.1", false),
        ] {
            let mut bans = ServerBans::default();
            assert!(bans.add(mask.as_bytes(), b"no"));
            // Others see another host.
            let names = [format!("{user}@cloaked").into_bytes()];
            let found = bans.reason(&names, ip.parse().ok());
            assert_eq!(found.is_some(), expected, "{mask} {ip}");
            assert_eq!(ServerBans::parse(&bans.encode()), Ok(bans));
        }
    }
}
