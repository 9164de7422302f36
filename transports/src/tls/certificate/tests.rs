//! Certificates as they are made, and as nobody should make them.

use std::{
    net::{IpAddr, Ipv6Addr},
    time::{Duration, UNIX_EPOCH},
};

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, IsCa, KeyPair, SanType,
    date_time_ymd,
};

use super::{super::der::contents, *};

fn made(change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
    let mut params = CertificateParams::default();
    change(&mut params);
    let key = KeyPair::generate().expect("a key");
    params.self_signed(&key).expect("a certificate").der().to_vec()
}

fn of_names(names: &[&str]) -> Certificate {
    let names = names.iter().map(|name| match name.parse::<IpAddr>() {
        Ok(address) => SanType::IpAddress(address),
        Err(_) => SanType::DnsName((*name).try_into().expect("ASCII")),
    });
    let der = made(|params| params.subject_alt_names = names.collect());
    Certificate::from_der(der).expect("a certificate")
}

#[test]
fn names_and_addresses() {
    let v6 = Ipv6Addr::LOCALHOST.to_string();
    let names = ["example.org", "*.example.net", "192.0.2.7", &v6];
    let certificate = of_names(&names);
    assert_eq!(certificate.names(), names);
    for (host, expected) in [
        ("example.org", true),
        ("EXAMPLE.ORG", true),
        ("example.org.", true),
        ("www.example.org", false),
        ("mail.example.net", true),
        ("a.mail.example.net", false),
        ("example.net", false),
        ("192.0.2.7", true),
        ("192.0.2.8", false),
        ("::1", true),
        ("0:0::1", true),
        ("::2", false),
        ("", false),
        (".", false),
        ("a b", false),
        ("example.org\n", false),
        (&"a".repeat(100_000), false),
        (&"ä".repeat(100_000), false),
    ] {
        assert_eq!(certificate.is_for(host), expected, "{:.40}", host);
    }
    // RFC 9525 6.3: a `*` is a whole label, and the leftmost one.
    for name in ["w*.example.org", "*w.example.org", "www.*.org", "*.*.org"] {
        let certificate = of_names(&[name]);
        assert!(!certificate.is_for("www.example.org"), "{name}");
        assert_eq!(certificate.names(), [name]);
    }
}

#[test]
fn names_in_other_scripts() {
    let certificate = of_names(&["xn--bcher-kva.example"]);
    assert_eq!(certificate.is_for("bücher.example"), cfg!(feature = "idna"));
    assert!(certificate.is_for("xn--bcher-kva.example"));
}

#[test]
fn the_common_name_does_not_count() {
    let der = made(|params| params.distinguished_name.push(DnType::CommonName, "example.org"));
    let certificate = Certificate::from_der(der).expect("a certificate");
    assert!(certificate.names().is_empty() && !certificate.is_for("example.org"));
}

#[test]
fn other_extensions_are_passed_over() {
    let der = made(|params| {
        let mut critical = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
        critical.set_criticality(false);
        params.custom_extensions.push(critical);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(3));
        params.subject_alt_names = vec![
            SanType::Rfc822Name("ann@example.org".try_into().expect("ASCII")),
            SanType::DnsName("example.org".try_into().expect("ASCII")),
            SanType::URI("https://example.org".try_into().expect("ASCII")),
        ];
    });
    assert_eq!(contents(&der).expect("a certificate").names, ["example.org"]);
}

#[test]
fn hostile_names_are_escaped() {
    let hostile = [("a\nERROR b", r"a\nERROR b"), ("\u{1b}[2J", r"\x1b[2J"), ("", "")];
    let der = made(|params| {
        let name = |(text, _): &(&str, _)| SanType::DnsName((*text).try_into().expect("ASCII"));
        params.subject_alt_names = hostile.iter().map(name).collect();
    });
    let certificate = Certificate::from_der(der).expect("a certificate");
    assert_eq!(certificate.names(), hostile.map(|(_, escaped)| escaped));
    assert!(!certificate.is_for("a"));
}

#[test]
fn times() {
    for (year, month, day, text) in [
        (1950, 1, 1, "1950-01-01T00:00:00Z"),
        (1969, 12, 31, "1969-12-31T00:00:00Z"),
        (2000, 2, 29, "2000-02-29T00:00:00Z"),
        (2049, 12, 31, "2049-12-31T00:00:00Z"),
        (2050, 1, 1, "2050-01-01T00:00:00Z"),
        (9999, 12, 31, "9999-12-31T00:00:00Z"),
    ] {
        let date = date_time_ymd(year, month, day);
        let der = made(|params| (params.not_before, params.not_after) = (date, date));
        let validity = Certificate::from_der(der).expect("a certificate").validity();
        let Validity { not_before, not_after } = validity.expect("dates");
        assert_eq!((not_before, not_before.to_string().as_str()), (not_after, text));
        assert_eq!(not_before.unix_seconds(), date.unix_timestamp(), "{text}");
    }
    // Each day of 800 years, against another library.
    let mut date = date_time_ymd(1600, 1, 1);
    while date < date_time_ymd(2400, 1, 1) {
        let time = CertificateTime {
            year: u16::try_from(date.year()).expect("it is positive"),
            month: date.month().into(),
            day: date.day(),
            hour: 23,
            minute: 59,
            second: 58,
        };
        assert_eq!(time.unix_seconds(), date.unix_timestamp() + 86_398, "{time}");
        date += Duration::from_secs(86_400);
    }
    let end = CertificateTime { year: 9999, month: 12, day: 31, hour: 23, minute: 59, second: 59 };
    let seconds = u64::try_from(end.unix_seconds()).expect("it is positive");
    assert!(UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).is_some());
}

/// A certificate with these bytes in place of the date that it ends at, which is one of 13 bytes.
fn with_end(tag: u8, text: &[u8]) -> Vec<u8> {
    let mut der = made(|params| params.not_after = date_time_ymd(2040, 1, 2));
    let at = der.windows(15).position(|at| at == b"\x17\x0d400102000000Z").expect("it is there");
    der[at] = tag;
    der[at + 2..at + 15].copy_from_slice(text);
    der
}

#[test]
fn dates_that_are_none() {
    let end = |tag, text| {
        let certificate = Certificate::from_der(with_end(tag, text)).expect("a certificate");
        certificate.validity().map(|validity| validity.not_after.to_string())
    };
    assert_eq!(end(0x17, b"490228235959Z").as_deref(), Some("2049-02-28T23:59:59Z"));
    for (tag, text) in [
        (0x17, b"490001000000Z"),
        (0x17, b"491301000000Z"),
        (0x17, b"490100000000Z"),
        (0x17, b"490132000000Z"),
        (0x17, b"490229000000Z"),
        (0x17, b"490431000000Z"),
        (0x17, b"490101240000Z"),
        (0x17, b"490101006000Z"),
        (0x17, b"490101000060Z"),
        (0x17, b"490101000000+"),
        (0x17, b"4901010000-1Z"),
        (0x17, b" 90101000000Z"),
        (0x17, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
        (0x18, b"490101000000Z"),
        (0x04, b"490101000000Z"),
    ] {
        assert_eq!(end(tag, text), None, "{tag} {}", text.escape_ascii());
    }
}

#[test]
fn damaged_certificates() {
    let good = made(|params| {
        params.subject_alt_names = vec![SanType::DnsName("example.org".try_into().expect("ASCII"))];
    });
    let whole = contents(&good).expect("a certificate");
    assert!(whole.validity.is_some() && whole.names == ["example.org"]);
    for len in 0..good.len() {
        assert_eq!(contents(&good[..len]), None, "cut off after {len} bytes");
        Certificate::from_der(&good[..len]).expect_err("it is cut off");
    }
    // No byte that is wrong makes more of it than it holds.
    for at in 0..good.len() {
        for byte in [0x00, 0x30, 0x7f, 0x80, 0x81, 0x84, 0xa3, 0xff] {
            let mut damaged = good.clone();
            damaged[at] = byte;
            let Some(found) = contents(&damaged) else { continue };
            let len: usize = found.names.iter().map(String::len).sum();
            assert!(len <= 4 * good.len(), "{at} {byte:#x}: {len} bytes of names");
            let _ = Certificate::from_der(&damaged).map(|it| it.is_for("example.org"));
        }
    }
    for (pem, error) in [
        ("", "no certificate in the certificate given"),
        ("-----BEGIN CERTIFICATE-----\n", "the certificate given is not PEM: "),
        (
            "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
            "the certificate given is not PEM: ",
        ),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "a certificate in the certificate given cannot be used: ",
        ),
    ] {
        let found = Certificate::from_pem(pem).expect_err("it is none").to_string();
        assert!(found.starts_with(error), "{found}");
    }
}
