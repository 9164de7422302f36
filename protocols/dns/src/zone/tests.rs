//! Tables of zone texts, and of what zones answer.

use super::{
    Zone, ZoneConfig,
    name::WireName,
    response_writer::{HEADER_LEN, NameTable, ResponseWriter},
    schema::type_number,
};
use crate::codec::{Message, MessageLimits, Name, Record, decode};

fn origin() -> Name {
    "example.".parse().expect("it is a name")
}

fn zone(text: &str) -> Zone {
    Zone::parse(text, &origin()).unwrap_or_else(|error| panic!("{error}"))
}

fn fault(text: &str) -> String {
    match Zone::parse(text, &origin()) {
        Ok(zone) => panic!("accepted:\n{zone}"),
        Err(error) => error.to_string(),
    }
}

/// Asks a zone. The response as lines: code and flags, then each record behind the letter of its section.
fn ask(zone: &Zone, name: &str, record_type: &str, is_dnssec: bool, limit: usize) -> Vec<String> {
    let (name, record_type) = (
        WireName::parse(name.as_bytes(), Some(b"\x07example\0")).expect("it is a name"),
        type_number(record_type.as_bytes())
            .unwrap_or_else(|| if record_type == "ANY" { 255 } else { panic!("{record_type}") }),
    );
    let mut question = name.as_bytes().to_vec();
    question.extend(record_type.to_be_bytes());
    question.extend([0, 1]);
    let (mut out, mut names) = (vec![0xaa; 3], NameTable::default());
    let mut header = [0; HEADER_LEN];
    header[5] = 1;
    let mut writer = ResponseWriter::new(&mut out, &mut names, header, &question, limit);
    let verdict = zone.respond(name.as_bytes(), record_type, is_dnssec, &mut writer);
    assert!(writer.len() <= limit, "longer than {limit}");
    writer.finish(0x8000 | verdict.code, &[], 0);
    let message = decode(&out[3..], &MessageLimits::response()).expect("it is a message");
    let mut lines = vec![format!(
        "{}{}{}",
        verdict.code,
        if verdict.is_authoritative { " aa" } else { "" },
        if message.metadata.truncation { " tc" } else { "" }
    )];
    let Message { answers, authorities, additionals, .. } = &message;
    for (letter, section) in [("=", answers), ("!", authorities), ("+", additionals)] {
        lines.extend(section.iter().map(|record| format!("{letter} {}", shown(record))));
    }
    lines
}

fn shown(record: &Record) -> String {
    let record = super::record::ZoneRecord::from_record(record).expect("it is of a zone");
    record.to_string()
}

const TEXT: &str = r#"
$TTL 3600
@        SOA ns root 7 1d 2h 4w 300
         NS  ns
         NS  ns.other.
         MX  10 mail
ns       A   192.0.2.1
mail     A   192.0.2.2
         AAAA 2001:db8::2
www      CNAME mail
chain    CNAME www
out      CNAME www.other.
gone     CNAME nothing
loop     CNAME loop2
loop2    CNAME loop
a.b.c    TXT deep
*.wild   TXT wild
         CNAME.here TXT no
*.wc     CNAME mail
sub      NS  ns.sub
         NS  ns
ns.sub   A   192.0.2.3
bad      DNAME target
x.target A   192.0.2.9
*.exists.wild A 192.0.2.8
Mixed    A   192.0.2.7
"#;

#[test]
fn lookups_of_rfc_1034() {
    let zone = zone(&TEXT.replace("         CNAME.here TXT no\n", ""));
    let soa = "! example. 300 IN SOA ns.example. root.example. 7 86400 7200 2419200 300";
    let mail = "= mail.example. 3600 IN A 192.0.2.2";
    let cases: [(&str, &str, &[&str]); 23] = [
        ("mail", "A", &["0 aa", mail]),
        ("mail", "TXT", &["0 aa", soa]),
        ("nothing", "A", &["3 aa", soa]),
        ("b.c", "TXT", &["0 aa", soa]),
        ("a.b.c", "TXT", &["0 aa", "= a.b.c.example. 3600 IN TXT \"deep\""]),
        ("z.b.c", "TXT", &["3 aa", soa]),
        ("www", "A", &["0 aa", "= www.example. 3600 IN CNAME mail.example.", mail]),
        ("www", "CNAME", &["0 aa", "= www.example. 3600 IN CNAME mail.example."]),
        (
            "chain",
            "A",
            &[
                "0 aa",
                "= chain.example. 3600 IN CNAME www.example.",
                "= www.example. 3600 IN CNAME mail.example.",
                mail,
            ],
        ),
        ("out", "A", &["0 aa", "= out.example. 3600 IN CNAME www.other."]),
        ("gone", "A", &["3 aa", "= gone.example. 3600 IN CNAME nothing.example.", soa]),
        ("any.wild", "TXT", &["0 aa", "= any.wild.example. 3600 IN TXT \"wild\""]),
        ("a.b.wild", "TXT", &["0 aa", "= a.b.wild.example. 3600 IN TXT \"wild\""]),
        ("any.wild", "A", &["0 aa", soa]),
        ("wild", "TXT", &["0 aa", soa]),
        // RFC 4592: a name that exists, even without records, hides the wildcard above it.
        ("exists.wild", "TXT", &["0 aa", soa]),
        ("q.exists.wild", "TXT", &["0 aa", soa]),
        ("x.wc", "A", &["0 aa", "= x.wc.example. 3600 IN CNAME mail.example.", mail]),
        (
            "below.sub",
            "A",
            &[
                "0",
                "! sub.example. 3600 IN NS ns.sub.example.",
                "! sub.example. 3600 IN NS ns.example.",
                "+ ns.sub.example. 3600 IN A 192.0.2.3",
                "+ ns.example. 3600 IN A 192.0.2.1",
            ],
        ),
        ("sub", "DS", &["0 aa", soa]),
        (
            "x.bad",
            "A",
            &[
                "0 aa",
                "= bad.example. 3600 IN DNAME target.example.",
                "= x.bad.example. 3600 IN CNAME x.target.example.",
                "= x.target.example. 3600 IN A 192.0.2.9",
            ],
        ),
        ("bad", "A", &["0 aa", soa]),
        ("mIxEd", "A", &["0 aa", "= mIxEd.example. 3600 IN A 192.0.2.7"]),
    ];
    for (name, record_type, expected) in cases {
        assert_eq!(ask(&zone, name, record_type, false, 4096), expected, "{name} {record_type}");
    }
    let mx = ask(&zone, "@", "MX", false, 4096);
    assert_eq!(mx.len(), 4, "{mx:?}");
    assert_eq!(ask(&zone, "@", "ANY", false, 4096).len(), 2, "one set (RFC 8482)");
}

#[test]
fn cname_loop() {
    let zone = zone("$TTL 1\n@ SOA a b 1 1 1 1 1\nloop CNAME loop2\nloop2 CNAME loop\n");
    let lines = ask(&zone, "loop", "A", false, 4096);
    assert_eq!(lines.len(), 1 + 9, "{lines:?}");
}

#[test]
fn rrset_whole_or_tc() {
    let mut text = String::from("$TTL 60\n@ SOA a b 1 1 1 1 1\n NS ns.sub\n");
    for at in 0..50 {
        text += &format!("many A 192.0.2.{at}\nsub NS ns{at}.sub\nns{at}.sub A 192.0.2.{at}\n");
    }
    let zone = zone(&text);
    assert_eq!(ask(&zone, "many", "A", false, 512), ["0 aa tc"]);
    assert_eq!(ask(&zone, "many", "A", false, 1232).len(), 51);
    // Glue that is needed and does not fit (RFC 9471).
    let lines = ask(&zone, "x.sub", "A", false, 1232);
    assert!(lines[0] == "0 tc" && lines.len() > 51, "{lines:?}");
    for limit in 40..1300 {
        let lines = ask(&zone, "x.sub", "A", false, limit);
        assert!(lines[0].ends_with("tc"), "{limit}");
    }
}

#[test]
fn names_are_compressed() {
    let zone =
        zone("$TTL 1\n@ SOA ns.example. root.ns.example. 1 1 1 1 1\n MX 1 mail\nmail A 1.2.3.4\n");
    let (mut out, mut names) = (Vec::new(), NameTable::default());
    let question = b"\x07EXAMPLE\0\0\x0f\0\x01";
    let mut writer = ResponseWriter::new(&mut out, &mut names, [0; 12], question, 512);
    zone.respond(b"\x07EXAMPLE\0", 15, false, &mut writer);
    // Question 13, MX 2 + 10 + 2 + 5 + 2, A 2 + 10 + 4.
    assert_eq!(writer.len(), 12 + 13 + 21 + 16);
}

/// Whatever the names of an answer hash to, its owner is a pointer to the question.
#[test]
fn the_owner_of_an_answer_is_the_question() {
    let zone = zone("$TTL 1\n@ SOA ns root 1 1 1 1 1\n$GENERATE 100-999 h$ A 192.0.2.1\n");
    for host in 100..1000 {
        let (mut out, mut names) = (Vec::new(), NameTable::default());
        let question = format!("\x04h{host}\x07example\0\0\x01\0\x01");
        let (name, _) = question.as_bytes().split_at(14);
        let mut writer =
            ResponseWriter::new(&mut out, &mut names, [0; 12], question.as_bytes(), 512);
        zone.respond(name, 1, false, &mut writer);
        assert_eq!(writer.len(), 12 + question.len() + 16, "h{host}");
    }
}

#[test]
fn directives_and_what_records_leave_out() {
    let text = "
$ORIGIN sub.example.
$TTL 1h
@ 300 IN SOA ns root ( 1 ; serial
   1 1 1 60 )
$ORIGIN example.
a A 192.0.2.1
  30 A 192.0.2.2
b IN 20 TXT x
c 10 IN TXT x
$ORIGIN deep
d TXT x
";
    let error = fault(text);
    assert_eq!(
        error,
        "line 4, column 1: a zone has exactly one SOA record, at its apex example.; this one is elsewhere"
    );
    let zone = zone(&text.replace("$ORIGIN sub.example.", "$ORIGIN example."));
    assert_eq!(
        zone.to_string(),
        "example. 300 IN SOA ns.example. root.example. 1 1 1 1 60
a.example. 30 IN A 192.0.2.1
a.example. 30 IN A 192.0.2.2
b.example. 20 IN TXT \"x\"
c.example. 10 IN TXT \"x\"
d.deep.example. 3600 IN TXT \"x\"
"
    );
    assert_eq!(zone.warnings().len(), 2, "{:?}", zone.warnings());
}

#[test]
fn generate() {
    let text = "$TTL 1\n@ SOA a b 1 1 1 1 1\n$GENERATE 1-5/2 host$ A 192.0.2.$\n$GENERATE 9-10 h${1,3,d} CNAME x${-9,2,x}.\\$\n";
    let lines = zone(text).to_string();
    let lines: Vec<_> = lines.lines().skip(1).collect();
    assert_eq!(
        lines,
        [
            "h010.example. 1 IN CNAME x00.\\$.example.",
            "h011.example. 1 IN CNAME x01.\\$.example.",
            "host1.example. 1 IN A 192.0.2.1",
            "host3.example. 1 IN A 192.0.2.3",
            "host5.example. 1 IN A 192.0.2.5",
        ]
    );
    for bad in ["1-", "5-1", "1-5/0", "a-b", "1-2 ${x} A 1.2.3.4", "1-2 ${0,99} A 1.2.3.4"] {
        let error = fault(&format!("$TTL 1\n$GENERATE {bad} 1 2\n"));
        assert!(error.contains("the directive $GENERATE is invalid"), "{bad}: {error}");
    }
    let error = fault("$TTL 1\n$GENERATE 0-2147483647 a$ A 192.0.2.1\n");
    assert_eq!(error, "line 2, column 1: more than 65536 records by $GENERATE");
}

#[test]
fn faults_of_zones() {
    let soa = "$TTL 1\n@ SOA a b 1 1 1 1 1\n";
    let cases = [
        ("", "a zone has exactly one SOA record, at its apex example.; there is none"),
        ("@ A 1.2.3.4", "line 1, column 1: the record has no TTL: write one, or $TTL before it"),
        (" A 1.2.3.4", "line 1, column 2: the record has no name, and there is none before it"),
        ("@ 1 CH TXT x", "line 1, column 5: the class CH is not served, only IN"),
        ("@ 1 FOO x", "line 1, column 5: FOO is no type of records"),
        ("@ 1", "line 1, column 1: the end of the line is no type of records"),
        ("@ 1 TYPE250 \\# 0", "line 1, column 1: records of type TYPE250 cannot be in a zone"),
        (
            "@ 1 A 1.2.3",
            "line 1, column 7: invalid data of a record of type A: an IPv4 address is expected",
        ),
        ("a..b 1 A 1.2.3.4", "line 1, column 1: a..b is no name: the name has an empty label"),
        (
            "$FOO x",
            "line 1, column 1: the directive $FOO is invalid: $ORIGIN, $TTL, $INCLUDE and $GENERATE are known",
        ),
        ("{soa}a.other. A 1.2.3.4", "line 3, column 1: a.other. is not in the zone example."),
        (
            "{soa}@ SOA a b 2 1 1 1 1",
            "line 3, column 1: a zone has exactly one SOA record, at its apex example.; this one is another",
        ),
        (
            "{soa}a CNAME b\na A 1.2.3.4",
            "line 4, column 1: a.example. has a CNAME record and other records (RFC 1034, section 3.6.2)",
        ),
        ("{soa}a CNAME b\na CNAME c", "line 3, column 1: a.example. has several CNAME records"),
        (
            "{soa}a DNAME b\nx.a A 1.2.3.4",
            "x.a.example. is below a.example., which has a DNAME record (RFC 6672, section 2.4)",
        ),
        ("{soa}@ NSEC3PARAM 1 0 151 -", "NSEC3 has 151 iterations, more than 150"),
    ];
    for (text, error) in cases {
        assert_eq!(fault(&text.replace("{soa}", soa)), error, "{text}");
    }
}

#[test]
fn zone_with_include_refused() {
    let soa = "$TTL 1\n@ SOA a b 1 1 1 1 1\n";
    let error = fault(&format!("{soa}$INCLUDE /etc/passwd\n"));
    assert!(
        error.ends_with("is refused: no folder is given that files may be included from"),
        "{error}"
    );

    let folder = std::env::temp_dir().join(format!("sinew-dns-zones-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("in")).expect("a folder can be made");
    std::fs::write(
        folder.join("in/a.zone"),
        "a A 192.0.2.1\n$ORIGIN other.\n$INCLUDE b.zone b.example.\n",
    )
    .expect("written");
    std::fs::write(folder.join("in/b.zone"), "@ A 192.0.2.2\n").expect("written");
    std::fs::write(folder.join("in/self.zone"), "$INCLUDE self.zone\n").expect("written");
    std::fs::write(folder.join("outside.zone"), "x A 192.0.2.3\n").expect("written");
    #[cfg(unix)]
    std::os::unix::fs::symlink("../outside.zone", folder.join("in/link.zone")).expect("linked");
    let config = ZoneConfig::default().include_folder(folder.join("in"));
    let load = |rest: &str| {
        Zone::parse_with(format!("{soa}{rest}"), &origin(), &config).map(|it| it.to_string())
    };

    let text = load("$INCLUDE a.zone\nc A 192.0.2.3\n").expect("it is in the folder");
    let names: Vec<_> = text.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(names, ["example.", "a.example.", "b.example.", "c.example."]);
    for (file, why) in [
        ("../outside.zone", "it is not in the folder"),
        ("link.zone", "it is not in the folder"),
        ("/etc/passwd", "it is not in the folder"),
        (".", "it is not a regular file"),
        ("missing.zone", "could not be read"),
        ("self.zone", "more than 8 files that include each other"),
    ] {
        let error = load(&format!("$INCLUDE {file}\n")).expect_err("it is refused").to_string();
        assert!(error.contains(why), "{file}: {error}");
    }
    let _ = std::fs::remove_dir_all(&folder);
}

#[test]
fn limits_of_texts() {
    let text = "$TTL 1\n@ SOA a b 1 1 1 1 1\na A 1.2.3.4\nb A 1.2.3.4\n";
    let cases = [
        (ZoneConfig::default().records_max(2), "line 4, column 1: more than 2 records"),
        (ZoneConfig::default().text_len_max(40), "line 1, column 1: more than 40 bytes of text"),
        (ZoneConfig::default().entry_len_max(15), "more than 15 bytes in one entry"),
    ];
    for (config, expected) in cases {
        let error =
            Zone::parse_with(text, &origin(), &config).expect_err("it is too much").to_string();
        assert!(error.ends_with(expected), "{error}");
    }
}

#[test]
fn text_of_a_zone_is_the_zone() {
    let first = zone(&TEXT.replace("         CNAME.here TXT no\n", ""));
    let text = first.to_string();
    assert_eq!(zone(&text).to_string(), text);
}

#[test]
fn every_prefix_of_a_text_ends_without_a_panic() {
    for len in 0..TEXT.len() {
        let _ = Zone::parse(&TEXT[..len], &origin());
    }
}

/// The zone of RFC 4035, appendix A, with signatures that are only there.
const SIGNED: &str = r"
$TTL 3600
@ SOA ns1 bugs 1 3600 300 3600000 300
@ RRSIG SOA 5 1 3600 20300101000000 20200101000000 1 example. AQID
@ NS ns1
@ RRSIG NS 5 1 3600 20300101000000 20200101000000 1 example. AQID
@ NSEC a NS SOA RRSIG NSEC
@ RRSIG NSEC 5 1 3600 20300101000000 20200101000000 1 example. AQID
a NS ns1.a
a DS 57855 5 1 B6DCD485719ADCA18E5F3D48A2331627FDD3636B
a RRSIG DS 5 2 3600 20300101000000 20200101000000 1 example. AQID
a NSEC ai NS DS RRSIG NSEC
a RRSIG NSEC 5 2 3600 20300101000000 20200101000000 1 example. AQID
ns1.a A 192.0.2.5
ai A 192.0.2.9
ai RRSIG A 5 2 3600 20300101000000 20200101000000 1 example. AQID
ai NSEC b A RRSIG NSEC
ai RRSIG NSEC 5 2 3600 20300101000000 20200101000000 1 example. AQID
b NS ns1.b
b NSEC ns1 NS RRSIG NSEC
b RRSIG NSEC 5 2 3600 20300101000000 20200101000000 1 example. AQID
ns1.b A 192.0.2.7
ns1 A 192.0.2.1
ns1 RRSIG A 5 2 3600 20300101000000 20200101000000 1 example. AQID
ns1 NSEC *.w A RRSIG NSEC
ns1 RRSIG NSEC 5 2 3600 20300101000000 20200101000000 1 example. AQID
*.w MX 1 ai
*.w RRSIG MX 5 2 3600 20300101000000 20200101000000 1 example. AQID
*.w NSEC x.w MX RRSIG NSEC
*.w RRSIG NSEC 5 2 3600 20300101000000 20200101000000 1 example. AQID
x.w MX 1 xx
x.w RRSIG MX 5 3 3600 20300101000000 20200101000000 1 example. AQID
x.w NSEC @ MX RRSIG NSEC
x.w RRSIG NSEC 5 3 3600 20300101000000 20200101000000 1 example. AQID
";

#[test]
fn signed_zone_with_nsec() {
    let zone = zone(SIGNED);
    assert!(zone.is_signed());
    // Per RFC 4035, appendix B: types by section.
    let types = |name: &str, record_type: &str, is_dnssec: bool| {
        let lines = ask(&zone, name, record_type, is_dnssec, 4096);
        let word = |line: &String, at: usize| line.split(' ').nth(at).unwrap_or("").to_owned();
        let short = |line: &String| match word(line, 4).as_str() {
            "RRSIG" => format!("{}r{}", word(line, 0), word(line, 5)),
            other => format!("{}{other}:{}", word(line, 0), word(line, 1)),
        };
        [lines[0].clone()]
            .into_iter()
            .chain(lines.iter().skip(1).map(short))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let cases = [
        ("ai", "A", "0 aa =A:ai.example. =rA"),
        ("ml", "A", "3 aa !SOA:example. !rSOA !NSEC:b.example. !rNSEC !NSEC:example. !rNSEC"),
        ("ns1", "MX", "0 aa !SOA:example. !rSOA !NSEC:ns1.example. !rNSEC"),
        ("mc.a", "MX", "0 !NS:a.example. !DS:a.example. !rDS +A:ns1.a.example."),
        ("mc.b", "MX", "0 !NS:b.example. !NSEC:b.example. !rNSEC +A:ns1.b.example."),
        (
            "a.z.w",
            "MX",
            "0 aa =MX:a.z.w.example. =rMX !NSEC:x.w.example. !rNSEC +A:ai.example. +rA",
        ),
        (
            "a.z.w",
            "AAAA",
            "0 aa !SOA:example. !rSOA !NSEC:x.w.example. !rNSEC !NSEC:*.w.example. !rNSEC",
        ),
        ("w", "A", "0 aa !SOA:example. !rSOA !NSEC:ns1.example. !rNSEC"),
        ("example.", "DS", "0 aa !SOA:example. !rSOA !NSEC:example. !rNSEC"),
    ];
    for (name, record_type, expected) in cases {
        assert_eq!(types(name, record_type, true), expected, "{name} {record_type}");
    }
    assert_eq!(types("ml", "A", false), "3 aa !SOA:example.");
    assert_eq!(types("ai", "A", false), "0 aa =A:ai.example.");
}

/// Found by comparison with NSD: the proof for a wildcard was written before the target of its CNAME, which put that into the authority
/// section.
#[test]
fn proofs_follow_all_answers() {
    let zone = zone(&format!(
        "{SIGNED}*.c CNAME ai\n*.c NSEC ns1 CNAME RRSIG NSEC\n*.c RRSIG CNAME 5 2 3600 20300101000000 20200101000000 1 example. AQID\n"
    ));
    let lines = ask(&zone, "x.c", "A", true, 4096);
    let sections: String = lines.iter().skip(1).map(|line| &line[..1]).collect();
    assert_eq!(sections, "====!", "{lines:#?}");
}
