//! Responses as text, in the manner of dig(1). Pure. Whatever a server has sent is escaped as in a zone file.

use std::{
    fmt::Write,
    net::SocketAddr,
    time::{Duration, SystemTime},
};

use sinew::{
    dns::{
        codec::{DNSClass, Edns, Message, MessageType, Record, RecordType, ResponseCode, cookie},
        zone::{text_of, text_of_name, text_of_type},
    },
    protocols::wire::Daytime,
};

use super::ask::{Over, Reply};

/// All of a response, and where it came from. `name` is that of the server on the command line.
pub(super) fn response(
    reply: &Reply,
    server: SocketAddr,
    name: Option<&str>,
    now: SystemTime,
) -> String {
    let message = &reply.message;
    // Writing to a string does not fail.
    let mut out = String::from(";; Got answer:\n");
    header(&mut out, message);
    if let Some(edns) = &message.edns {
        options(&mut out, message, edns);
    }
    if !message.queries.is_empty() {
        out.push_str(";; QUESTION SECTION:\n");
    }
    for query in &message.queries {
        let (name, record_type) = (text_of_name(&query.name), text_of_type(query.query_type));
        let _ = writeln!(out, ";{name}\t\t{}\t{record_type}", class(query.query_class));
    }
    let sections = [
        ("ANSWER", &message.answers),
        ("AUTHORITY", &message.authorities),
        ("ADDITIONAL", &message.additionals),
    ];
    for (title, records) in sections.iter().filter(|(_, records)| !records.is_empty()) {
        let _ = writeln!(out, "\n;; {title} SECTION:");
        records.iter().for_each(|it| out.extend([record(it).as_str(), "\n"]));
    }
    let _ = write!(
        out,
        "\n;; Query time: {} msec\n;; SERVER: {}({}) ({})\n;; WHEN: {}\n;; MSG SIZE  rcvd: {}\n",
        reply.took.as_millis(),
        addr(server),
        name.unwrap_or(&server.ip().to_string()),
        reply.over,
        date(now),
        reply.len
    );
    out
}

fn header(out: &mut String, message: &Message) {
    let head = &message.metadata;
    let flags = [
        ("qr", head.message_type == MessageType::Response),
        ("aa", head.authoritative),
        ("tc", head.truncation),
        ("rd", head.recursion_desired),
        ("ra", head.recursion_available),
        ("ad", head.authentic_data),
        ("cd", head.checking_disabled),
    ];
    let _ = write!(
        out,
        ";; ->>HEADER<<- opcode: {}, status: {}, id: {}\n;; flags:",
        head.op_code,
        status(head.response_code),
        head.id
    );
    for (flag, _) in flags.iter().filter(|(_, is_set)| *is_set) {
        let _ = write!(out, " {flag}");
    }
    let extra = usize::from(message.edns.is_some()) + usize::from(message.signature.is_some());
    let _ = writeln!(
        out,
        "; QUERY: {}, ANSWER: {}, AUTHORITY: {}, ADDITIONAL: {}",
        message.queries.len(),
        message.answers.len(),
        message.authorities.len(),
        message.additionals.len() + extra
    );
    if head.recursion_desired && !head.recursion_available {
        out.push_str(";; WARNING: recursion requested but not available\n");
    }
    out.push('\n');
}

fn options(out: &mut String, message: &Message, edns: &Edns) {
    let flags = if edns.flags().dnssec_ok { " do" } else { "" };
    let _ = writeln!(
        out,
        ";; OPT PSEUDOSECTION:\n; EDNS: version: {}, flags:{flags}; udp: {}",
        edns.version(),
        edns.max_payload()
    );
    if let Some(cookie) = cookie(message) {
        let _ = writeln!(out, "; COOKIE: {}", hex(cookie));
    }
    for (code, option) in edns.options().as_ref() {
        let (code, bytes) = (u16::from(*code), Vec::<u8>::try_from(option).unwrap_or_default());
        let _ = match (code, bytes.split_first_chunk()) {
            (COOKIE, _) => Ok(()),
            (EXTENDED_ERROR, Some((info, text))) => {
                let text = String::from_utf8_lossy(text);
                writeln!(out, "; EDE: {}: ({})", u16::from_be_bytes(*info), text.escape_default())
            }
            _ => writeln!(out, "; OPT={code}: {}", hex(&bytes)),
        };
    }
}

/// Numbers of options: RFC 7873, RFC 8914.
const COOKIE: u16 = 10;
const EXTENDED_ERROR: u16 = 15;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A record with its name, TTL, class, type and data, separated by tabs.
pub(super) fn record(record: &Record) -> String {
    let [name, ttl, data] = parts(record);
    let record_type = text_of_type(record.record_type());
    format!("{name}\t{ttl}\t{}\t{record_type}\t{data}", class(record.dns_class))
}

/// The data of a record.
pub(super) fn data(record: &Record) -> String {
    let [.., data] = parts(record);
    data
}

/// Name, TTL and data.
fn parts(record: &Record) -> [String; 3] {
    // The text is that of a zone, where all have one class.
    let mut of_zone = record.clone();
    of_zone.dns_class = DNSClass::IN;
    let text = text_of(&of_zone).unwrap_or_default();
    let mut words = text.splitn(5, ' ');
    match (words.next(), words.next(), words.nth(2)) {
        (Some(name), Some(ttl), Some(data)) => [name.into(), ttl.into(), data.into()],
        _ => [
            text_of_name(&record.name),
            record.ttl.to_string(),
            "; the data are no data of this type".to_owned(),
        ],
    }
}

fn class(class: DNSClass) -> String {
    match class {
        DNSClass::IN | DNSClass::CH | DNSClass::HS | DNSClass::NONE | DNSClass::ANY => {
            class.to_string()
        }
        other => format!("CLASS{}", u16::from(other)),
    }
}

/// The status as dig(1) has it.
pub(super) fn status(code: ResponseCode) -> String {
    const KNOWN: [&str; 11] = [
        "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED", "YXDOMAIN", "YXRRSET",
        "NXRRSET", "NOTAUTH", "NOTZONE",
    ];
    let number = u16::from(code);
    match (KNOWN.get(usize::from(number)), number) {
        (Some(known), _) => (*known).to_owned(),
        (None, 16) => "BADVERS".to_owned(),
        (None, 23) => "BADCOOKIE".to_owned(),
        (None, other) => format!("RESERVED{other}"),
    }
}

/// An address and a port, as `192.0.2.53#53`.
pub(super) fn addr(addr: SocketAddr) -> String {
    format!("{}#{}", addr.ip(), addr.port())
}

/// As date(1): `Thu Jan 01 00:00:00 UTC 2026`.
fn date(time: SystemTime) -> String {
    let line = Daytime::line(time);
    let words: Vec<_> = line.split_whitespace().map(|word| word.trim_end_matches(',')).collect();
    match words[..] {
        [weekday, day, month, year, clock, _] => {
            format!("{weekday} {month} {day} {clock} UTC {year}")
        }
        _ => line.trim_end().to_owned(),
    }
}

/// What was received of a transfer or a step of a trace.
pub(super) fn received(len: usize, server: SocketAddr, took: Duration, over: Over) -> String {
    format!(";; Received {len} bytes from {} in {} ms ({over})\n", addr(server), took.as_millis())
}

/// Whether a record refers to other servers.
pub(super) fn is_ns(record: &Record) -> bool {
    record.record_type() == RecordType::NS
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use sinew::dns::codec::{
        Name, OpCode, Query, RData,
        rdata::{CNAME, TXT},
    };

    use super::*;

    fn reply() -> Reply {
        let mut message = Message::response(7, OpCode::Query);
        let name = Name::from_labels([&b"\x1b[2J"[..], b"example"]).unwrap();
        message.add_query(Query::query(name.clone(), RecordType::from(65_280)));
        message.metadata.authoritative = true;
        message.metadata.response_code = ResponseCode::NXDomain;
        let text = TXT::from_bytes(vec![b"\x1b]0;title\x07", b"\"quoted\""]);
        let mut answer = Record::from_rdata(name.clone(), 60, RData::TXT(text));
        answer.dns_class = DNSClass::CH;
        message.add_answer(answer);
        let mut edns = Edns::new();
        let mut error = 15_u16.to_be_bytes().to_vec();
        error.extend_from_slice(b"blocked \x1b[m");
        for option in [(15, error), (COOKIE, vec![1; 16]), (65_001, vec![0x1b])] {
            let option = sinew::dns::codec::rdata::opt::EdnsOption::Unknown(option.0, option.1);
            edns.options_mut().insert(option);
        }
        message.set_edns(edns);
        message.add_authority(Record::from_rdata(name.clone(), 1, RData::CNAME(CNAME(name))));
        Reply { message, len: 99, took: Duration::from_millis(12), over: Over::Udp }
    }

    #[test]
    fn a_hostile_response_has_no_control_bytes() {
        let server = "192.0.2.53:53".parse().unwrap();
        let text = response(&reply(), server, Some("ns.example"), UNIX_EPOCH);
        assert!(text.chars().all(|c| matches!(c, '\n' | '\t' | ' '..='~')), "{text:?}");
        for line in [
            ";; ->>HEADER<<- opcode: QUERY, status: NXDOMAIN, id: 7",
            ";; flags: qr aa; QUERY: 1, ANSWER: 1, AUTHORITY: 1, ADDITIONAL: 1",
            "; COOKIE: 01010101010101010101010101010101",
            "; EDE: 15: (blocked \\u{1b}[m)",
            "; OPT=65001: 1b",
            ";\\027[2J.example.\t\tIN\tTYPE65280",
            "\\027[2J.example.\t60\tCH\tTXT\t\"\\027]0;title\\007\" \"\\\"quoted\\\"\"",
            "\\027[2J.example.\t1\tIN\tCNAME\t\\027[2J.example.",
            ";; Query time: 12 msec",
            ";; SERVER: 192.0.2.53#53(ns.example) (UDP)",
            ";; WHEN: Thu Jan 01 00:00:00 UTC 1970",
            ";; MSG SIZE  rcvd: 99",
        ] {
            assert!(text.lines().any(|it| it == line), "{line}\n{text}");
        }
    }

    #[test]
    fn statuses() {
        for (number, text) in [(0, "NOERROR"), (5, "REFUSED"), (16, "BADVERS"), (99, "RESERVED99")]
        {
            assert_eq!(status(ResponseCode::from((number >> 4) as u8, (number & 15) as u8)), text);
        }
    }
}
