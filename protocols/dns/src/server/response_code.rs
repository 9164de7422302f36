//! The response codes that a server gives by itself, as numbers on the wire (RFC 6895, section 2.3). Those of handlers are `ResponseCode`.

pub(super) const NOERROR: u16 = 0;
pub(super) const FORMERR: u16 = 1;
pub(super) const SERVFAIL: u16 = 2;
pub(super) const NXDOMAIN: u16 = 3;
pub(super) const NOTIMP: u16 = 4;
pub(super) const REFUSED: u16 = 5;
pub(super) const NOTAUTH: u16 = 9;
pub(super) const BADVERS: u16 = 16;
