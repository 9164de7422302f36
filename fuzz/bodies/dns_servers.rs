//! Zone files and name servers: what is accepted as a zone is the same zone when it is written and read again; and whatever a server
//! receives, it sends back responses only, to the queries that came, decodable and within their length.

use std::cell::RefCell;

use sinew::{
    dns::{
        codec::{MessageLimits, Name, RawHeader, decode},
        server::{DnsServer, ServerConfig, Zones},
        zone::{Zone, ZoneConfig},
    },
    prelude::*,
    transports::Factory,
};

use super::input::Input;

fn origin() -> Name {
    "example.".parse().expect("a name")
}

/// A zone file.
pub(crate) fn zone(data: &mut Input<'_>) {
    let config = ZoneConfig::default().generated_max(1000).records_max(2000).text_len_max(1 << 16);
    let Ok(zone) = Zone::parse_with(data.rest(), &origin(), &config) else { return };
    let text = zone.to_string();
    let again = match Zone::parse(&text, &origin()) {
        Ok(again) => again,
        Err(error) => panic!("{error}\n{text}"),
    };
    assert_eq!(again.to_string(), text);
    assert_eq!((again.serial(), again.record_count()), (zone.serial(), zone.record_count()));
}

/// A zone with everything that lookups distinguish.
const ZONE: &str = r#"$TTL 60
@ SOA ns root 7 1 1 1 30
@ NS ns
ns A 192.0.2.1
www CNAME alias
alias CNAME www
*.w TXT "wild"
x.y.w A 192.0.2.2
sub NS ns.sub
ns.sub AAAA 2001:db8::1
d DNAME sub
mx MX 1 ns
sec DS 1 8 2 00
@ NSEC ns SOA NS NSEC
ns NSEC *.w A NSEC
"#;

thread_local! {
    static SERVER: RefCell<Option<DnsServer>> = const { RefCell::new(None) };
}

fn server() -> DnsServer {
    SERVER.with_borrow_mut(|server| {
        let new = || {
            let zones = Zones::new();
            zones.insert(Zone::parse(ZONE, &origin()).expect("a zone"));
            DnsServer::with_config(zones, ServerConfig::default())
        };
        server.get_or_insert_with(new).clone()
    })
}

/// What a client sends over TCP: the first byte says whether a length is put before the rest, as one query.
pub(crate) fn queries(data: &mut Input<'_>) {
    let is_one = data.byte() & 1 == 1;
    let rest = data.rest();
    let mut stream = Vec::new();
    if is_one {
        stream.extend(u16::try_from(rest.len()).unwrap_or(u16::MAX).to_be_bytes());
    }
    stream.extend_from_slice(rest);
    let mut connection = server().build_protocol(&Peer::Memory).expect("it is accepted");
    let (transport, wire) = Transport::memory();
    connection.connection_made(&transport);
    connection.data_received(&transport, &stream);
    let (sent, mut answers) = (wire.sent(), 0);
    let mut sent = sent.as_slice();
    while let Some((len, after)) = sent.split_first_chunk::<2>() {
        let len = usize::from(u16::from_be_bytes(*len));
        let (answer, after) = after.split_at(len);
        let header = RawHeader::read(answer).expect("a whole header");
        assert!(header.is_response() && !header.is_truncated());
        let decoded = decode(answer, &MessageLimits::response());
        assert!(decoded.is_ok(), "{decoded:?}");
        if is_one {
            assert_eq!(&answer[..2], &rest[..2], "the identifier");
        }
        answers += 1;
        sent = after;
    }
    assert!(!is_one || answers <= 1, "{answers} answers to one query");
}
