//! Who may send what: [`Rules`] of a server. Pure, but for a closure of the user's.

use std::{collections::BTreeSet, fmt, net::IpAddr, rc::Rc};

use sinew_auth::Identity;
use sinew_transports::proxy::Subnet;

use crate::smtp::codec::Address;

/// Whose mail a server sends on to other hosts, and with which senders.
///
/// | | [`exchanger`](Self::exchanger) | [`submission`](Self::submission) |
/// |---|---|---|
/// | mail for local and relay domains | from everyone | from those who have logged in |
/// | mail for other hosts | from those who have logged in, and from [networks](Self::networks) | from those who have logged in |
/// | the sender of one who has logged in | its own | its own |
/// | a message without `Date` or `Message-ID` | stays as it is | [gets them](Self::complete_header), from one who has logged in |
///
/// An address is one's own if its domain is local, and its local part, without a tag behind `+`, or all of it is the name one has logged
/// in with; [`owner`](Self::owner) says otherwise. The null sender is everybody's.
#[derive(Clone)]
#[must_use]
pub struct Rules {
    needs_identity: bool,
    completes_header: bool,
    networks: Vec<Subnet>,
    relay_domains: BTreeSet<String>,
    owner: Option<Owner>,
}

type Owner = Rc<dyn Fn(&Identity, &Address) -> bool>;

impl Rules {
    /// A server that other servers send to: port 25.
    pub fn exchanger() -> Self {
        Self {
            needs_identity: false,
            completes_header: false,
            networks: Vec::new(),
            relay_domains: BTreeSet::new(),
            owner: None,
        }
    }

    /// A server that users send by: ports 465 and 587.
    pub fn submission() -> Self {
        Self { needs_identity: true, completes_header: true, ..Self::exchanger() }
    }

    /// Networks whose clients may send to other hosts without a login. Default none.
    pub fn networks(mut self, networks: impl IntoIterator<Item = Subnet>) -> Self {
        self.networks.extend(networks);
        self
    }

    /// A domain of another host whose mail is accepted from everyone, and sent on: this server is a backup, or a gateway.
    pub fn relay_domain(mut self, domain: &str) -> Self {
        self.relay_domains.insert(domain.to_ascii_lowercase());
        self
    }

    /// Whether a message of one who has logged in gets the `Date` and the `Message-ID` that it lacks (RFC 6409 8.2 and 8.3). Default: if it
    /// is a server for submission. Nothing is ever added to mail that is passed on for others.
    pub fn complete_header(mut self, completes: bool) -> Self {
        self.completes_header = completes;
        self
    }

    /// Says whether an address is one that a user may send from.
    pub fn owner(mut self, owns: impl Fn(&Identity, &Address) -> bool + 'static) -> Self {
        self.owner = Some(Rc::new(owns));
        self
    }

    /// Whether a client may send at all.
    pub(super) fn may_send(&self, identity: Option<&Identity>) -> bool {
        identity.is_some() || !self.needs_identity
    }

    /// Whether what the header of a message lacks is added.
    pub(super) fn completes(&self, identity: Option<&Identity>) -> bool {
        self.completes_header && identity.is_some()
    }

    /// Whether a client is neither logged in nor in one of the networks: its sender may be forged.
    pub(super) fn is_stranger(&self, identity: Option<&Identity>, ip: Option<IpAddr>) -> bool {
        let is_inside = |ip: IpAddr| self.networks.iter().any(|network| network.contains(ip));
        identity.is_none() && !ip.is_some_and(is_inside)
    }

    /// Whether a user may send from this address, which is of a local domain or not.
    pub(super) fn may_send_from(
        &self,
        identity: Option<&Identity>,
        from: Option<&Address>,
        is_local: bool,
    ) -> bool {
        match (identity, from, &self.owner) {
            (Some(identity), Some(from), Some(owns)) => owns(identity, from),
            (Some(identity), Some(from), None) => is_local && is_own(identity, from),
            _ => true,
        }
    }

    /// Whether mail for this domain of another host is accepted.
    pub(super) fn may_relay(
        &self,
        identity: Option<&Identity>,
        ip: Option<IpAddr>,
        domain: &str,
    ) -> bool {
        !self.is_stranger(identity, ip) || self.relay_domains.contains(&domain.to_ascii_lowercase())
    }
}

/// Whether an address has the name that a user has logged in with.
fn is_own(identity: &Identity, from: &Address) -> bool {
    let name = identity.name();
    let stem = from.local().split('+').next().unwrap_or_default();
    let whole = format!("{stem}@{}", from.domain());
    stem.eq_ignore_ascii_case(name)
        || whole.eq_ignore_ascii_case(name)
        || from.as_str().eq_ignore_ascii_case(name)
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rules")
            .field("needs_identity", &self.needs_identity)
            .field("completes_header", &self.completes_header)
            .field("networks", &self.networks)
            .field("relay_domains", &self.relay_domains)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_relay_takes_a_rule() {
        let ann = Identity::new("ann");
        let (inside, outside) = ("10.0.0.7".parse().unwrap(), "192.0.2.7".parse().unwrap());
        let rules = Rules::exchanger()
            .networks(["10.0.0.0/8".parse().unwrap()])
            .relay_domain("Backup.example");
        for (identity, ip, domain, expected) in [
            (None, outside, "other.example", false),
            (None, outside, "backup.EXAMPLE", true),
            (None, outside, "x.backup.example", false),
            (None, inside, "other.example", true),
            (Some(&ann), outside, "other.example", true),
        ] {
            assert_eq!(rules.may_relay(identity, Some(ip), domain), expected, "{ip} {domain}");
        }
        assert!(!rules.may_relay(None, None, "other.example"));
        assert!(!Rules::submission().may_send(None) && Rules::submission().may_send(Some(&ann)));
    }

    #[test]
    fn a_user_sends_from_its_own_addresses() {
        let rules = Rules::submission();
        for (name, from, expected) in [
            ("ann", "ann@example.org", true),
            ("ann", "Ann+x@example.org", true),
            ("ann@example.org", "ann+y@example.org", true),
            ("ann@example.org", "ann@example.net", false),
            ("ann", "bob@example.org", false),
            ("ann", "annie@example.org", false),
        ] {
            let from: Address = from.parse().unwrap();
            let may = rules.may_send_from(Some(&Identity::new(name)), Some(&from), true);
            assert_eq!(may, expected, "{name} from {from}");
        }
        let (ann, own) = (Identity::new("ann"), "ann@other.example".parse().unwrap());
        assert!(!rules.may_send_from(Some(&ann), Some(&own), false));
        assert!(rules.may_send_from(Some(&ann), None, false));
        let rules =
            rules.owner(|identity, from| identity.name() == "ann" && from.local() == "info");
        let info = "info@other.example".parse().unwrap();
        assert!(rules.may_send_from(Some(&ann), Some(&info), false));
    }
}
