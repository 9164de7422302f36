//! Names as users write them: [`absolute`] and the [`candidates`] by search domains (resolv.conf(5)). Pure.

use std::net::IpAddr;

use super::{LookupError, settings::Settings};
use crate::codec::Name;

/// Longest text that is read as a name: four characters for each byte, as in `\255`.
const TEXT_LEN_MAX: usize = 4 * 255;

/// A name that was written, and whether it ends in a dot.
pub(super) fn parse(text: &str) -> Result<(Name, bool), LookupError> {
    let bad = |why: &str| LookupError::BadName { name: text.into(), why: why.into() };
    if text.is_empty() {
        return Err(bad("it is empty"));
    }
    if text.len() > TEXT_LEN_MAX {
        return Err(bad("it is too long"));
    }
    let is_plain = |c: char| !c.is_ascii() || c.is_ascii_graphic();
    if !text.chars().all(is_plain) {
        return Err(bad("it has spaces or control characters"));
    }
    let mut name = from_text(text).map_err(|why| bad(&why))?;
    let is_absolute = name.is_fqdn();
    name.set_fqdn(true);
    Ok((name, is_absolute))
}

fn from_text(text: &str) -> Result<Name, String> {
    if text.is_ascii() {
        return Name::from_ascii(text).map_err(|error| error.to_string());
    }
    if cfg!(feature = "idna") {
        Name::from_utf8(text).map_err(|error| error.to_string())
    } else {
        Err("names outside of ASCII need the feature idna".to_owned())
    }
}

/// A name, with or without a dot at its end.
pub(super) fn absolute(text: &str) -> Result<Name, LookupError> {
    parse(text).map(|(name, _)| name)
}

/// The names to try for a host, in order. Never empty.
pub(super) fn candidates(text: &str, settings: &Settings) -> Result<Vec<Name>, LookupError> {
    let (name, is_absolute) = parse(text)?;
    if is_absolute {
        return Ok(vec![name]);
    }
    let dots = usize::from(name.num_labels()).saturating_sub(1);
    let as_it_is_first = dots >= settings.ndots as usize;
    // What is too long with a domain behind it is no candidate.
    let in_domain = |domain: &Name| {
        let mut relative = name.clone();
        relative.set_fqdn(false);
        relative.append_domain(domain).ok()
    };
    let mut all: Vec<_> = settings.search.iter().filter_map(in_domain).collect();
    let at = if as_it_is_first { 0 } else { all.len() };
    let is_left_out = settings.no_tld_query && dots == 0 && !all.is_empty();
    if !is_left_out {
        all.insert(at, name);
    }
    Ok(all)
}

/// The name under which the names of an address are (RFC 1035, section 3.5; RFC 3596, section 2.5).
pub(super) fn reverse(ip: IpAddr) -> Name {
    ip.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(host: &str, settings: &Settings) -> Vec<String> {
        candidates(host, settings).unwrap().iter().map(Name::to_ascii).collect()
    }

    #[test]
    fn search_domains_and_ndots() {
        let mut settings = Settings::parse(b"search a.example b.example");
        assert_eq!(tried("www", &settings), ["www.a.example.", "www.b.example.", "www."]);
        assert_eq!(tried("www.x", &settings), ["www.x.", "www.x.a.example.", "www.x.b.example."]);
        assert_eq!(tried("www.", &settings), ["www."]);
        settings.ndots = 2;
        assert_eq!(tried("www.x", &settings), ["www.x.a.example.", "www.x.b.example.", "www.x."]);
        settings.ndots = 0;
        assert_eq!(tried("www", &settings), ["www.", "www.a.example.", "www.b.example."]);
        settings.no_tld_query = true;
        assert_eq!(tried("www", &settings), ["www.a.example.", "www.b.example."]);
        settings.search.clear();
        assert_eq!(tried("www", &settings), ["www."]);
    }

    #[test]
    fn too_long_with_a_domain() {
        let settings = Settings::parse(b"search a.example");
        let long = ["a".repeat(62), "b".repeat(62), "c".repeat(62), "d".repeat(59)].join(".");
        assert_eq!(tried(&long, &settings), [format!("{long}.")]);
    }

    #[test]
    fn no_names() {
        let labels = "a.".repeat(128);
        let long = "a".repeat(2000);
        for text in ["", "..", "a..b", ".a", "a b", "a\n", "a\0b", &"a".repeat(64), &labels, &long]
        {
            let error = parse(text).unwrap_err();
            assert!(matches!(error, LookupError::BadName { .. }), "{text:?}: {error}");
        }
        for text in
            ["_xmpp._tcp.example", "a", ".", "xn--mnchen-3ya.example", "1.2.3.4.in-addr.arpa"]
        {
            assert!(parse(text).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn other_scripts_need_a_feature() {
        let name = parse("münchen.example").map(|(name, _)| name.to_ascii());
        let expected = cfg!(feature = "idna").then(|| "xn--mnchen-3ya.example.".to_owned());
        assert_eq!(name.ok(), expected);
    }

    #[test]
    fn reverse_names() {
        assert_eq!(reverse([192, 0, 2, 7].into()).to_ascii(), "7.2.0.192.in-addr.arpa.");
        let v6 = reverse("2001:db8::1".parse().unwrap()).to_ascii();
        assert!(v6.starts_with("1.0.0.0.") && v6.ends_with("8.b.d.0.1.0.0.2.ip6.arpa."), "{v6}");
    }
}
