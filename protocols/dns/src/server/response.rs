//! An answer from code: [`Response`]. A value; `engine.rs` encodes it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::codec::{Name, RData, Record, ResponseCode};

/// What a handler answers.
///
/// # Examples
///
/// ```
/// use std::net::Ipv4Addr;
/// use sinew_dns::server::Response;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let response = Response::new().address("www.example.".parse()?, 60, Ipv4Addr::new(192, 0, 2, 1));
/// # drop(response);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct Response {
    pub(super) code: ResponseCode,
    pub(super) is_authoritative: bool,
    pub(super) is_recursive: bool,
    pub(super) is_authentic: bool,
    pub(super) answers: Vec<Record>,
    pub(super) authorities: Vec<Record>,
    pub(super) additionals: Vec<Record>,
}

impl Default for Response {
    fn default() -> Self {
        Self::new()
    }
}

impl Response {
    /// An authoritative response without records: the name exists, but has no records of the type.
    pub fn new() -> Self {
        Self {
            code: ResponseCode::NoError,
            is_authoritative: true,
            is_recursive: false,
            is_authentic: false,
            answers: Vec::new(),
            authorities: Vec::new(),
            additionals: Vec::new(),
        }
    }

    /// A response with a code, such as [`ResponseCode::NXDomain`], that is not authoritative if that is REFUSED or SERVFAIL.
    pub fn code(code: ResponseCode) -> Self {
        let is_authoritative = matches!(code, ResponseCode::NoError | ResponseCode::NXDomain);
        Self { code, is_authoritative, ..Self::new() }
    }

    /// Adds a record to the answer section.
    pub fn answer(mut self, record: Record) -> Self {
        self.answers.push(record);
        self
    }

    /// Adds an address to the answer section, with a TTL in seconds.
    pub fn address(self, name: Name, ttl: u32, addr: impl Into<IpAddr>) -> Self {
        self.answer(Record::from_rdata(name, ttl, address(addr.into())))
    }

    /// Adds a record to the authority section.
    pub fn authority(mut self, record: Record) -> Self {
        self.authorities.push(record);
        self
    }

    /// Adds a record to the additional section.
    pub fn additional(mut self, record: Record) -> Self {
        self.additionals.push(record);
        self
    }

    /// AA: whether this server is responsible for the name.
    pub fn authoritative(mut self, authoritative: bool) -> Self {
        self.is_authoritative = authoritative;
        self
    }

    /// RA: whether this server asks others. Default `false`.
    pub fn recursive(mut self, recursive: bool) -> Self {
        self.is_recursive = recursive;
        self
    }

    /// AD: whether all records were validated (RFC 4035, section 3.2.3). Default `false`.
    pub fn authentic(mut self, authentic: bool) -> Self {
        self.is_authentic = authentic;
        self
    }
}

/// The data of an address record.
pub(super) fn address(addr: IpAddr) -> RData {
    match addr {
        IpAddr::V4(addr) => RData::A(Ipv4Addr::into(addr)),
        IpAddr::V6(addr) => RData::AAAA(Ipv6Addr::into(addr)),
    }
}

impl From<ResponseCode> for Response {
    fn from(code: ResponseCode) -> Self {
        Self::code(code)
    }
}

impl From<Record> for Response {
    fn from(record: Record) -> Self {
        Self::new().answer(record)
    }
}

impl From<Vec<Record>> for Response {
    fn from(records: Vec<Record>) -> Self {
        Self { answers: records, ..Self::new() }
    }
}
