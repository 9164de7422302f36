//! Text to wire and back, for each type.

use super::{
    super::{
        lex::Lexer,
        schema::{type_number, type_text},
    },
    Data, is_valid, read,
};

const ORIGIN: &[u8] = b"\x07example\0";

fn wire(text: &str) -> Result<(u16, Vec<u8>), String> {
    let mut lexer = Lexer::new(text.as_bytes(), None, 100_000);
    let entry = lexer.next_entry().map_err(|error| error.to_string())?.ok_or("nothing")?;
    let record_type = type_number(&entry.tokens[0].text).ok_or("no type")?;
    let data =
        read(record_type, &entry.tokens[1..], ORIGIN).map_err(|(_, why)| why.into_string())?;
    Ok((record_type, data))
}

fn again(text: &str) -> Result<String, String> {
    let (record_type, data) = wire(text)?;
    assert!(is_valid(record_type, &data), "{text}");
    Ok(format!("{} {}", type_text(record_type), Data(record_type, &data)))
}

#[test]
fn every_type_round_trips() {
    let texts = [
        "A 192.0.2.1",
        "NS ns.example.",
        "CNAME a.b.",
        "SOA ns.example. root.example. 4294967295 3600 900 604800 60",
        "PTR .",
        "HINFO \"PC\" \"\"",
        "MINFO a. b.",
        "MX 10 mx.example.",
        "TXT \"a \\\"b\\\\\" \"\\000\\255\"",
        "RP a. b.",
        "AFSDB 1 a.",
        "X25 \"311061700956\"",
        "KEY 256 3 8 AQID",
        "PX 10 a. b.",
        "GPOS \"-32.6\" \"116.8\" \"10.0\"",
        "AAAA 2001:db8::1",
        "SRV 0 5 5060 sip.example.",
        "NAPTR 100 50 \"s\" \"http+I2L+I2C+I2R\" \"\" _http._tcp.example.",
        "CERT 1 0 0 AQID",
        "DNAME a.",
        "DS 60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118",
        "SSHFP 4 2 00FF",
        "RRSIG A 8 2 3600 20370101000000 20000229123456 12345 example. AQID",
        "NSEC a.example. A NS RRSIG TYPE1234",
        "NSEC a.example.",
        "DNSKEY 257 3 13 AQID",
        "DHCID AQID",
        "NSEC3 1 1 12 AABBCCDD 2VPTU5TIMAMQTTGL4LUU9KG21E0AOR3S A RRSIG",
        "NSEC3 1 0 0 - 2VPTU5TIMAMQTTGL4LUU9KG21E0AOR3S",
        "NSEC3PARAM 1 0 0 -",
        "TLSA 3 1 1 AABB",
        "CDS 0 0 0 00",
        "CDNSKEY 0 3 0 AA==",
        "OPENPGPKEY AQID",
        "CSYNC 66 3 A NS",
        "ZONEMD 2018031900 1 1 AABB",
        "SVCB 0 a.",
        "HTTPS 1 . mandatory=alpn,port alpn=\"h2,h3\" no-default-alpn port=8443 ipv4hint=192.0.2.1,192.0.2.2 ech=\"AQID\" ipv6hint=2001:db8::1 dohpath=\"/q{?dns}\" key667=\"a b\"",
        "NID 10 14:4fff:ff20:ee64",
        "L32 10 10.1.2.0",
        "L64 10 2001:db8:1140:1000",
        "LP 10 a.",
        "EUI48 00-00-5e-00-53-2a",
        "EUI64 00-00-5e-ef-10-00-00-2a",
        "URI 10 1 \"ftp://ftp1.example.com/public\"",
        "CAA 0 \"issue\" \"ca.example.net; policy=ev\"",
        "LOC \\# 16 00112233445566778899aabbccddeeff",
        "TYPE65280 \\# 3 0a0b0c",
        "TYPE65280 \\# 0",
    ];
    for text in texts {
        assert_eq!(again(text).as_deref(), Ok(text));
    }
}

#[test]
fn other_spellings() {
    let cases = [
        ("A \\# 4 c0000201", "A 192.0.2.1"),
        ("TYPE1 \\# 4 C0 00 02 01", "A 192.0.2.1"),
        ("MX 10 mail", "MX 10 mail.example."),
        ("SOA @ root 1 1h 15m 1W 1m30s", "SOA example. root.example. 1 3600 900 604800 90"),
        ("TXT a b", "TXT \"a\" \"b\""),
        ("DS 1 5 1 2b b183\taf", "DS 1 5 1 2BB183AF"),
        ("NSEC a. TYPE1 MX A", "NSEC a. A MX"),
        ("HTTPS 1 . port=\"53\" alpn=h2", "HTTPS 1 . alpn=\"h2\" port=53"),
        ("CAA 0 issue \";\"", "CAA 0 \"issue\" \";\""),
        (
            "RRSIG A 8 2 3600 86400 0 1 . AQID",
            "RRSIG A 8 2 3600 19700102000000 19700101000000 1 . AQID",
        ),
    ];
    for (text, shown) in cases {
        assert_eq!(again(text).as_deref(), Ok(shown), "{text}");
    }
}

#[test]
fn invalid_data() {
    let texts = [
        "A",
        "A 1.2.3",
        "A 1.2.3.4 5",
        "A \\# 3 010203",
        "A \\# 4 010203",
        "MX a b",
        "MX 65536 a.",
        "MX +1 a.",
        "NS a..b",
        "SOA a. b. 1 2 3 4",
        "SOA a. b. 1 2 3 4 99999999999",
        "TXT",
        "SRV 1 2 3",
        "DS 1 2 3",
        "DS 1 2 3 0",
        "DS 1 2 3 xx",
        "DNSKEY 1 2 3 ?",
        "NSEC a. NOTYPE",
        "NSEC3 1 1 1 - 8",
        "TYPE65280 01",
        "TYPE65280 \\# 1",
        "LOC 1",
        "HTTPS 1 . alpn",
        "HTTPS 1 . port=x",
        "HTTPS 1 . a=b",
        "HTTPS 1 . port=1 port=2",
        "EUI48 1-2",
        "L64 1 1:2:3",
        "TXT \"\\300\"",
        "CAA 256 a b",
        "RRSIG A 8 2 3600 20371301000000 0 1 . AQID",
        "AAAA ::1%lo",
    ];
    for text in texts {
        assert!(wire(text).is_err(), "{text}");
    }
    assert!(wire(&format!("TXT {}", "a".repeat(256))).is_err());
}

#[test]
fn unknown_type_round_trip() {
    let (record_type, data) = wire("TYPE731 \\# 6 abcd ef01 2345").expect("it is valid");
    assert_eq!((record_type, data.as_slice()), (731, &[0xab, 0xcd, 0xef, 0x01, 0x23, 0x45][..]));
}
