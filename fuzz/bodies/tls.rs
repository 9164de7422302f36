//! Certificates: whatever they say, names are printable and no longer than the input allows, dates are dates, and what can be read of a
//! certificate by itself is read from PEM, too.

use sinew::transports::tls::{Certificate, CertificateTime};

/// A certificate in DER.
pub(crate) fn certificate(data: &[u8]) {
    let Ok(certificate) = Certificate::from_der(data) else { return };
    let names = certificate.names();
    let len: usize = names.iter().map(String::len).sum();
    assert!(len <= 4 * data.len(), "{len} bytes of names");
    for name in names {
        assert!(name.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{name:?}");
        let _ = certificate.is_for(name);
    }
    if let Some(validity) = certificate.validity() {
        check_time(validity.not_before);
        check_time(validity.not_after);
        let (from, to) = (validity.not_before, validity.not_after);
        assert_eq!(from.cmp(&to), from.unix_seconds().cmp(&to.unix_seconds()));
    }
    let again = Certificate::from_pem(pem(data)).expect("it is a certificate");
    assert_eq!((again.names(), again.validity()), (names, certificate.validity()));
}

/// The seconds of what is shown, counted year by year and month by month.
fn check_time(time: CertificateTime) {
    let text = time.to_string();
    let parts: Vec<i64> = text
        .trim_end_matches('Z')
        .split(['-', 'T', ':'])
        .map(|part| part.parse().expect("a number"))
        .collect();
    let [year, month, day, hour, minute, second] = parts[..] else { panic!("{text}") };
    assert_eq!(text.len(), 20, "{text}");
    let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_of = |year| 365 + i64::from(is_leap(year));
    let years: i64 = (0..year).map(days_of).sum::<i64>() - (0..1970).map(days_of).sum::<i64>();
    let february = 28 + i64::from(is_leap(year));
    let lens = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let before = usize::try_from(month - 1).expect("a month");
    let days = years + lens[..before].iter().sum::<i64>() + day - 1;
    assert!((1..=lens[before]).contains(&day) && hour < 24 && minute < 60 && second < 60, "{text}");
    assert_eq!(time.unix_seconds(), ((days * 24 + hour) * 60 + minute) * 60 + second, "{text}");
}

fn pem(der: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = "-----BEGIN CERTIFICATE-----\n".to_owned();
    for (line, chunk) in der.chunks(3).enumerate() {
        let mut bytes = [0; 4];
        bytes[1..=chunk.len()].copy_from_slice(chunk);
        let bits = u32::from_be_bytes(bytes);
        for digit in 0..4 {
            let index = (bits >> (18 - 6 * digit)) as usize & 63;
            text.push(if digit > chunk.len() { '=' } else { DIGITS[index].into() });
        }
        if line % 16 == 15 {
            text.push('\n');
        }
    }
    text + "\n-----END CERTIFICATE-----\n"
}
