//! What name servers are asked, and what they have to answer: shared by them and the load generator. The zone has [`NAMES`] names with an
//! address each; a query is for the address of one of them, with EDNS, as resolvers ask.

use std::fmt::Write;
use std::net::Ipv4Addr;

/// How many names the zone has, besides those of its servers.
pub const NAMES: u16 = 1_000;

/// The zone.
pub const ORIGIN: &str = "example.";

/// TTL of all records, in seconds: longer than a run.
pub const TTL: u32 = 86_400;

/// Length of a query.
pub const QUERY_LEN: usize = QUESTION_END + 11;

/// Where the number of a name is in a query, and where its question ends.
const NUMBER_AT: usize = 15;
const QUESTION_END: usize = 32;

/// The query for name 0: identifier 0, RD, one question, and an OPT record for 1,232 bytes.
const QUERY: [u8; QUERY_LEN] = *b"\0\0\x01\0\0\x01\0\0\0\0\0\x01\
    \x06ho0000\x07example\0\0\x01\0\x01\
    \0\0\x29\x04\xd0\0\0\0\0\0\0";

/// The address of a name.
#[must_use]
pub fn address(name: u16) -> Ipv4Addr {
    let [high, low] = name.to_be_bytes();
    Ipv4Addr::new(10, 0, high, low)
}

/// The zone as text.
#[must_use]
pub fn zone() -> String {
    let mut zone = format!(
        "$ORIGIN {ORIGIN}\n$TTL {TTL}\n@ SOA ns root 1 86400 7200 2419200 300\n@ NS ns\nns A 127.0.0.1\n"
    );
    for name in 0..NAMES {
        let _ = writeln!(zone, "ho{name:04} A {}", address(name));
    }
    zone
}

/// The names and their addresses, as in `/etc/hosts`.
#[must_use]
pub fn hosts() -> String {
    let line = |name| format!("{} ho{name:04}.example\n", address(name));
    (0..NAMES).map(line).collect()
}

/// The query for the address of a name.
#[must_use]
pub fn query(id: u16, name: u16) -> [u8; QUERY_LEN] {
    let mut query = QUERY;
    query[..2].copy_from_slice(&id.to_be_bytes());
    let mut rest = name;
    for digit in query[NUMBER_AT..NUMBER_AT + 4].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    query
}

/// The name that a query is for, if it is one of [`query`].
#[must_use]
pub fn asked(query: &[u8]) -> Option<u16> {
    let digits = std::str::from_utf8(query.get(NUMBER_AT..NUMBER_AT + 4)?).ok()?;
    digits.parse().ok().filter(|_| query.len() == QUERY_LEN)
}

/// The shortest answer to a query: one record, and no other section.
#[must_use]
pub fn answer(query: &[u8; QUERY_LEN], name: u16) -> [u8; QUESTION_END + 16] {
    let mut answer = [0; QUESTION_END + 16];
    answer[..QUESTION_END].copy_from_slice(&query[..QUESTION_END]);
    answer[2..12].copy_from_slice(b"\x85\0\0\x01\0\x01\0\0\0\0");
    answer[QUESTION_END..QUESTION_END + 12]
        .copy_from_slice(b"\xc0\x0c\0\x01\0\x01\0\x01\x51\x80\0\x04");
    answer[QUESTION_END + 12..].copy_from_slice(&address(name).octets());
    answer
}

/// Whether an answer is the right one: its identifier, no error, the question, and one record with the address of the name. The TTL of a
/// cache may be lower, and what other sections hold is not looked at.
#[must_use]
pub fn is_answer(answer: &[u8], id: u16, name: u16) -> bool {
    let question = &query(id, name)[12..QUESTION_END];
    answer.len() >= QUESTION_END + 16
        && answer[..2] == id.to_be_bytes()
        && answer[2] & 0xfa == 0x80
        && answer[3] & 15 == 0
        && answer[4..8] == [0, 1, 0, 1]
        && answer[12..QUESTION_END].eq_ignore_ascii_case(question)
        && answer[QUESTION_END..QUESTION_END + 6] == *b"\xc0\x0c\0\x01\0\x01"
        && answer[QUESTION_END + 10..QUESTION_END + 12] == [0, 4]
        && answer[QUESTION_END + 12..QUESTION_END + 16] == address(name).octets()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_checked() {
        for (id, name) in [(0, 0), (7, 999), (65_535, 123)] {
            let query = query(id, name);
            assert_eq!(asked(&query), Some(name));
            let answer = answer(&query, name);
            assert!(is_answer(&answer, id, name));
            assert!(!is_answer(&answer, id ^ 1, name) && !is_answer(&answer, id, name ^ 1));
            assert!(!is_answer(&answer[..answer.len() - 1], id, name));
            let mut failed = answer;
            failed[3] |= 2;
            assert!(!is_answer(&failed, id, name), "SERVFAIL");
        }
    }

    #[test]
    fn the_zone_and_the_hosts_have_all_names() {
        assert_eq!(zone().matches(" A 10.0.").count(), usize::from(NAMES));
        assert!(zone().contains("\nho0999 A 10.0.3.231\n"));
        assert!(hosts().starts_with("10.0.0.0 ho0000.example\n10.0.0.1 ho0001.example\n"));
    }
}
