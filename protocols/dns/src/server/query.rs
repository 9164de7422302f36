//! What a handler is asked: [`Query`], which borrows the message, and [`OwnedQuery`], which can be kept.

use std::{fmt, net::SocketAddr};

use sinew_transports::reactor::Reactor;

use super::Acl;
use crate::{
    codec::{Name, RecordType, tsig::TsigKey},
    zone::name::{WireName, is_at_or_below, to_name},
};

/// Who asks, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Client {
    pub(super) addr: Option<SocketAddr>,
    pub(super) is_stream: bool,
}

/// A question to a server. The class is IN.
pub struct Query<'a> {
    pub(super) reactor: &'a Reactor,
    /// The name on the wire, as it was asked.
    pub(super) wire_name: &'a [u8],
    pub(super) record_type: u16,
    pub(super) flags: u16,
    pub(super) is_dnssec: bool,
    pub(super) client: Client,
    pub(super) key: Option<&'a TsigKey>,
    /// The serial number of the SOA record in the authority section (IXFR), or in the answer section (NOTIFY).
    pub(super) serial: Option<u32>,
}

/// A question to a server that can be kept, for answers that are made later.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OwnedQuery {
    /// The reactor of the server.
    pub reactor: Reactor,
    /// The name, as it was asked.
    pub name: Name,
    /// The type.
    pub record_type: RecordType,
    /// RD: the client wants the server to ask others.
    pub recursion_desired: bool,
    /// DO: the client wants the records of DNSSEC.
    pub dnssec_ok: bool,
    /// The client, if it has an address.
    pub client: Option<SocketAddr>,
    /// Whether it asks over TCP or TLS.
    pub is_stream: bool,
}

impl Query<'_> {
    /// The reactor of the server.
    #[must_use]
    pub fn reactor(&self) -> &Reactor {
        self.reactor
    }

    /// The name, as it was asked. Compare names by [`is`](Self::is) where possible, which does not allocate.
    #[must_use]
    pub fn name(&self) -> Name {
        to_name(self.wire_name)
    }

    /// Whether the name is this one, without regard to case.
    #[must_use]
    pub fn is(&self, name: &Name) -> bool {
        let wire = WireName::from_name(name);
        wire.as_bytes().eq_ignore_ascii_case(self.wire_name)
    }

    /// Whether the name is this one or below it, without regard to case.
    #[must_use]
    pub fn is_at_or_below(&self, name: &Name) -> bool {
        is_at_or_below(self.wire_name, WireName::from_name(name).as_bytes())
    }

    /// Whether a server that asks others is to answer it: the client is allowed to, wants that, and asks for records of one type.
    pub(super) fn may_recurse(&self, acl: &Acl) -> bool {
        let is_of_one_type =
            !matches!(self.record_type(), RecordType::AXFR | RecordType::IXFR | RecordType::ANY);
        is_of_one_type
            && self.recursion_desired()
            && acl.allows_client(self.client().map(|addr| addr.ip()))
    }

    /// The type.
    #[must_use]
    pub fn record_type(&self) -> RecordType {
        self.record_type.into()
    }

    /// RD: the client wants the server to ask others.
    #[must_use]
    pub fn recursion_desired(&self) -> bool {
        self.flags & 0x0100 != 0
    }

    /// CD: the client validates itself.
    #[must_use]
    pub fn checking_disabled(&self) -> bool {
        self.flags & 0x0010 != 0
    }

    /// DO: the client wants the records of DNSSEC.
    #[must_use]
    pub fn dnssec_ok(&self) -> bool {
        self.is_dnssec
    }

    /// The client, if it has an address. Over UDP it may be forged.
    #[must_use]
    pub fn client(&self) -> Option<SocketAddr> {
        self.client.addr
    }

    /// Whether it asks over TCP or TLS.
    #[must_use]
    pub fn is_stream(&self) -> bool {
        self.client.is_stream
    }

    /// The name of the key that the query is signed with. The signature was verified.
    #[must_use]
    pub fn key(&self) -> Option<&Name> {
        self.key.map(TsigKey::name)
    }

    /// The serial number of the SOA record that an incremental transfer (IXFR) or a notification carries.
    #[must_use]
    pub fn serial(&self) -> Option<u32> {
        self.serial
    }

    /// A copy that can be kept.
    #[must_use]
    pub fn to_owned(&self) -> OwnedQuery {
        OwnedQuery {
            reactor: self.reactor.clone(),
            name: self.name(),
            record_type: self.record_type(),
            recursion_desired: self.recursion_desired(),
            dnssec_ok: self.is_dnssec,
            client: self.client.addr,
            is_stream: self.client.is_stream,
        }
    }
}

impl fmt::Debug for Query<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Query")
            .field("name", &self.name())
            .field("record_type", &self.record_type())
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}
