//! The timestamp in a greeting, for APOP (RFC 1939 7).

use data_encoding::HEXLOWER;

use crate::pop3::codec::Timestamp;

/// A timestamp that no other greeting has; `None` if the system has no random numbers, or the name of the host cannot be a part of one.
pub(super) fn timestamp(hostname: &str) -> Option<Timestamp> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).ok()?;
    Timestamp::new(&format!("<{}@{hostname}>", HEXLOWER.encode(&random)))
}
