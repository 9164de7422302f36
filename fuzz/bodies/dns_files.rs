//! The files of a resolver, resolv.conf and hosts: what stands in a line of the plainest form is used, by a second, simpler reading of the
//! manuals; and nothing in another line fails.

use std::{cell::RefCell, collections::BTreeSet, net::IpAddr, rc::Rc, time::Duration};

use sinew::{
    dns::client::{DnsConfig, DnsResolver},
    prelude::*,
};

use super::input::Input;

fn text(data: &mut Input<'_>) -> String {
    String::from_utf8_lossy(data.rest()).into_owned()
}

/// A file like `/etc/resolv.conf`.
pub(crate) fn resolv_conf(data: &mut Input<'_>) {
    let text = text(data);
    let reactor = Reactor::simulated(0);
    let resolver = DnsResolver::new(&reactor, DnsConfig::default().resolv_conf_text(&text));
    let servers = resolver.servers();
    assert!(!servers.is_empty(), "at least the one on this machine");
    let used: Vec<IpAddr> = servers.iter().map(|server| server.addr().ip()).collect();
    assert!(servers.iter().all(|server| server.addr().port() == 53));
    for addr in text.lines().filter_map(|line| line.strip_prefix("nameserver ")) {
        let is_used = addr.parse().is_ok_and(|addr| used.contains(&addr));
        assert!(is_used || addr.parse::<IpAddr>().is_err(), "{addr} is not used: {used:?}");
    }
}

/// Names that are asked for.
const NAMES: [&str; 3] = ["a.example", "b.example", "long-name.sub.example"];

/// So many addresses of a name are used.
const ADDRESSES_MAX: usize = 64;

/// A file like `/etc/hosts`.
pub(crate) fn hosts(data: &mut Input<'_>) {
    let text = text(data);
    let reactor = Reactor::simulated(0);
    let config = DnsConfig::default().hosts_text(text.as_str()).sort_addresses(false);
    let resolver = DnsResolver::new(&reactor, config);
    for name in NAMES {
        let expected = addresses(&text, name);
        if expected.is_empty() {
            continue;
        }
        let found = Rc::<RefCell<Option<BTreeSet<IpAddr>>>>::default();
        let of_callback = found.clone();
        resolver.addresses(name).then(move |_, result| {
            let addrs = result.expect("it is in the file");
            of_callback.replace(Some(addrs.iter().map(|addr| addr.ip()).collect()));
        });
        reactor.turn(Some(Duration::ZERO)).expect("it is simulated");
        let found = found.take().expect("it is known at once");
        // With scopes, there may be others.
        let has_all = found.is_superset(&expected) || found.len() == ADDRESSES_MAX;
        assert!(has_all, "{name}: {found:?}, not {expected:?}");
    }
}

/// The addresses of a name, by hosts(5), without those that have a scope.
fn addresses(text: &str, name: &str) -> BTreeSet<IpAddr> {
    let lines = text.split('\n').filter_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let addr = words.next()?.parse().ok()?;
        let is_named =
            words.any(|word| word.strip_suffix('.').unwrap_or(word).eq_ignore_ascii_case(name));
        is_named.then_some(addr)
    });
    lines.collect()
}
