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

/// Why a mask is no ban.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoBan {
    /// It is not `user@host`.
    Mask,
    /// Its host has a slash and is no network: no client has such a host.
    Network,
    /// There are as many bans as there may be.
    Full,
}

impl NoBan {
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Mask => "A ban from the server is user@host",
            Self::Network => {
                "Behind @ is no network: an address, a slash, and at most 32 bits of IPv4 or 128 of IPv6"
            }
            Self::Full => "There are too many bans from the server",
        }
    }
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
            if mask.is_empty() || mask[0] == b'#' {
                continue;
            }
            bans.add(mask, reason.trim_ascii()).map_err(|error| match error {
                NoBan::Full => BadBan::TooMany { max: BANS_MAX },
                NoBan::Mask | NoBan::Network => BadBan::Line(at + 1),
            })?;
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

    /// Adds a ban, or gives it another reason.
    ///
    /// # Errors
    ///
    /// [`NoBan`].
    pub(super) fn add(&mut self, mask: &[u8], reason: &[u8]) -> Result<(), NoBan> {
        let (user, host) = halves(mask);
        let is_mask = !user.is_empty()
            && !host.is_empty()
            && !b"#:".contains(&mask[0])
            && mask.iter().all(|byte| byte.is_ascii_graphic());
        if !is_mask {
            return Err(NoBan::Mask);
        }
        let network = network_of(mask);
        if network.is_none() && host.contains(&b'/') {
            return Err(NoBan::Network);
        }
        self.remove(mask);
        if self.0.len() >= BANS_MAX {
            return Err(NoBan::Full);
        }
        self.0.push(Ban { mask: normal(mask), reason: reason.to_vec(), network });
        Ok(())
    }

    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    /// The user, the host and the reason of a ban, by its place in the list.
    pub(super) fn at(&self, place: usize) -> Option<(&[u8], &[u8], &[u8])> {
        self.0.get(place).map(|ban| {
            let (user, host) = halves(&ban.mask);
            (user, host, ban.reason.as_slice())
        })
    }

    /// Removes a ban. Returns whether there was one.
    pub(super) fn remove(&mut self, mask: &[u8]) -> bool {
        let (before, mask) = (self.0.len(), normal(mask));
        self.0.retain(|ban| !ban.mask.eq_ignore_ascii_case(&mask));
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

/// A mask as it is stored: an address that begins with a colon has a zero in front, as the hosts of users have, so that it can be a parameter.
fn normal(mask: &[u8]) -> Vec<u8> {
    match halves(mask) {
        (user, [b':', ..]) => [user, b"@0", &mask[user.len() + 1..]].concat(),
        _ => mask.to_vec(),
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
        bans.add(b"*@evil", b"no").unwrap();
        assert!(bans.remove(b"BAD@*") && !bans.remove(b"bad@*"));
        for mask in ["nomask", "a b@c", "#@c", ":a@b", "@b", "a@", "@"] {
            assert_eq!(bans.add(mask.as_bytes(), b""), Err(NoBan::Mask), "{mask}");
        }
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
    fn networks_that_are_none() {
        let mut bans = ServerBans::default();
        for host in [
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0.0/a",
            "10.0.0.0/255.0.0.0",
            "10.0.0/8",
            "10.*/8",
            "::/129",
            "/8",
            "host/cloak",
        ] {
            let mask = format!("*@{host}");
            assert_eq!(bans.add(mask.as_bytes(), b"no"), Err(NoBan::Network), "{mask}");
            assert_eq!(ServerBans::parse(mask.as_bytes()), Err(BadBan::Line(1)));
        }
        assert_eq!(bans.len(), 0);
    }

    #[test]
    fn a_ban_in_a_full_list_can_have_another_reason() {
        let many: String = (0..BANS_MAX).map(|number| format!("*@{number}\n")).collect();
        let mut bans = ServerBans::parse(many.as_bytes()).unwrap();
        assert_eq!(bans.add(b"*@more", b""), Err(NoBan::Full));
        bans.add(b"*@7", b"why").unwrap();
        assert_eq!(bans.at(BANS_MAX - 1), Some((&b"*"[..], &b"7"[..], &b"why"[..])));
        assert_eq!(bans.len(), BANS_MAX);
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
            ("*@::1/128", "~a", "::1", true),
        ] {
            let mut bans = ServerBans::default();
            bans.add(mask.as_bytes(), b"no").unwrap();
            // Others see another host.
            let names = [format!("{user}@cloaked").into_bytes()];
            let found = bans.reason(&names, ip.parse().ok());
            assert_eq!(found.is_some(), expected, "{mask} {ip}");
            assert_eq!(ServerBans::parse(&bans.encode()), Ok(bans));
        }
    }
}
