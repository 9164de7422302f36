//! Tests of the messages: vectors of the standards, and properties of what was written and is read again.

use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::{
    certificate::{SignatureHash, signature_hash},
    cram_md5::{self, CramMd5},
    encoding,
    gs2::{BindingFlag, Gs2Header, decode_name, encode_name},
    names::{prepare_password, prepare_user},
    oauth::Bearer,
    plain::Plain,
    scram::{ClientFinal, ClientFirst, ServerFinal, ServerFirst},
};
use crate::SaslError;

/// The examples of RFC 4616 4, RFC 2195 2, RFC 7628 4.1 and Google's description of XOAUTH2.
#[test]
fn examples_of_the_standards() {
    let plain = Plain::decode(b"\0tim\0tanstaaftanstaaf").unwrap();
    assert_eq!((&*plain.user, plain.authorize_as), ("tim", None));
    assert!(plain.password.is(b"tanstaaftanstaaf"));
    let plain = Plain::decode(b"Ursel\0Kurt\0xipj3plmq").unwrap();
    assert_eq!((&*plain.user, plain.authorize_as.as_deref()), ("Kurt", Some("Ursel")));

    let challenge = b"<1896.697170952@postoffice.reston.mci.net>";
    let digest = cram_md5::digest(b"tanstaaftanstaaf", challenge);
    assert_eq!(digest, "b913a602c7eda7a495b4e6e7334d3890");
    let text = format!("tim {digest}");
    let read = CramMd5::decode(text.as_bytes()).unwrap();
    assert_eq!((&*read.user, read.digest), ("tim", &*digest));

    let text = b"n,a=user@example.com,\x01host=server.example.com\x01port=143\x01\
                 auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01";
    let bearer = Bearer::decode(text).unwrap();
    assert_eq!(bearer.user.as_deref(), Some("user@example.com"));
    assert!(bearer.token.is(b"vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="));
    let server = ("server.example.com".to_owned(), 143);
    let token = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==";
    assert_eq!(Bearer::encode("user@example.com", token, Some(&server)).as_bytes(), text);

    let text = b"user=someuser@example.com\x01auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg\x01\x01";
    let bearer = Bearer::decode_x(text).unwrap();
    assert_eq!(bearer.user.as_deref(), Some("someuser@example.com"));
    assert!(bearer.token.is(b"ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg"));
}

/// The table of RFC 4013 3.
#[test]
fn names_and_passwords_are_prepared() {
    for (given, expected) in [
        ("I\u{ad}X", Some("IX")),
        ("user", Some("user")),
        ("USER", Some("USER")),
        ("\u{aa}", Some("a")),
        ("\u{2168}", Some("IX")),
        ("\u{7}", None),
        ("\u{627}1", None),
        ("", None),
        ("\u{ad}", None),
    ] {
        assert_eq!(prepare_user(given).ok().as_deref(), expected, "{given:?}");
        let password = prepare_password(given.as_bytes());
        let fallback = expected.map_or(given, |prepared| prepared);
        if given != "\u{ad}" {
            assert_eq!(&*password, fallback.as_bytes(), "{given:?}");
        }
    }
    assert_eq!(&*prepare_password(b"\xff"), b"\xff");
    // A letter whose canonical form is longer than it.
    assert!(prepare_user(&"\u{fdfa}".repeat(85)).is_err());
}

#[test]
fn tokens_that_are_none() {
    for bad in [
        "",
        "n,,",
        "n,,\x01\x01",
        "n,,\x01auth=Bearer abc\x01",
        "n,,\x01auth=Bearer \x01\x01",
        "n,,\x01auth=Basic abc\x01\x01",
        "n,,\x01auth=Bearer abc\x01auth=Bearer abd\x01\x01",
        "n,,\x01auth=Bearer a c\x01\x01",
        "n,,\x01auth=Bearer a=c\x01\x01",
        "n,,\x01auth\x01\x01",
        "n,,\x01=x\x01auth=Bearer abc\x01\x01",
        "n,,\x01\x01auth=Bearer abc\x01\x01",
        "y,,\x01auth=Bearer abc\x01\x01",
        "p=tls-exporter,,\x01auth=Bearer abc\x01\x01",
        "user=ann\x01auth=Bearer abc\x01\x01",
    ] {
        assert!(Bearer::decode(bad.as_bytes()).is_err(), "{bad:?}");
    }
    for bad in
        ["", "user=\x01auth=Bearer abc\x01\x01", "auth=Bearer abc\x01\x01", "user=ann\x01\x01"]
    {
        assert!(Bearer::decode_x(bad.as_bytes()).is_err(), "{bad:?}");
    }
}

/// A certificate as far as it is read: what is signed, and the identifier of an algorithm.
fn certificate(algorithm: &[u8]) -> Vec<u8> {
    let element = |tag: u8, content: &[u8]| {
        let mut der = vec![tag];
        match content.len() {
            len @ 0..=0x7f => der.push(len as u8),
            len => der.extend([0x82, (len >> 8) as u8, len as u8]),
        }
        der.extend_from_slice(content);
        der
    };
    let signed = element(0x30, &[0; 300]);
    let identifier = element(0x30, &[element(0x06, algorithm), element(0x05, b"")].concat());
    element(0x30, &[signed, identifier, element(0x03, &[0; 9])].concat())
}

#[test]
fn hashes_of_certificates() {
    let rsa = |last| [b"\x2a\x86\x48\x86\xf7\x0d\x01\x01".as_slice(), &[last]].concat();
    for (algorithm, expected) in [
        (rsa(4), Some(SignatureHash::Sha256)), // MD5 and SHA-1 are replaced
        (rsa(5), Some(SignatureHash::Sha256)),
        (rsa(11), Some(SignatureHash::Sha256)),
        (rsa(12), Some(SignatureHash::Sha384)),
        (rsa(13), Some(SignatureHash::Sha512)),
        (rsa(10), None),                  // RSASSA-PSS
        (b"\x2b\x65\x70".to_vec(), None), // Ed25519
        (b"\x2a\x86\x48\xce\x3d\x04\x03\x03".to_vec(), Some(SignatureHash::Sha384)),
    ] {
        let certificate = certificate(&algorithm);
        assert_eq!(signature_hash(&certificate), expected, "{algorithm:x?}");
        let binding = crate::ChannelBinding::server_end_point(&certificate);
        assert_eq!(binding.is_some(), expected.is_some());
        if expected == Some(SignatureHash::Sha256) {
            assert_eq!(binding.unwrap().data(), &*Sha256::digest(&certificate));
        }
        for len in 0..certificate.len() - 100 {
            // Cut before the identifier, or within the outermost element: the length does not fit.
            assert_eq!(signature_hash(&certificate[..len]), None, "{len}");
        }
    }
}

fn name() -> impl Strategy<Value = String> {
    "[ -~\u{e4}\u{4e2d}]{1,30}".prop_filter("a name", |name| prepare_user(name).is_ok())
}

proptest! {
    #[test]
    fn names_come_back(name in name()) {
        let prepared = prepare_user(&name).unwrap();
        prop_assert_eq!(decode_name(&encode_name(&prepared)).unwrap(), prepared);
        prop_assert!(!encode_name(&name).contains(','));
    }

    #[test]
    fn messages_come_back(
        user in name(),
        other in prop::option::of(name()),
        password in "[ -~\u{e4}]{1,30}",
        nonce in "[!-+\\--~]{1,30}",
        bytes in prop::collection::vec(any::<u8>(), 1..40),
        iterations in 1_u32..,
    ) {
        let user = prepare_user(&user).unwrap();
        let other = other.map(|other| prepare_user(&other).unwrap());
        let plain = Plain::decode(&Plain::encode(other.as_deref(), &user, password.as_bytes())).unwrap();
        prop_assert_eq!((&plain.user, &plain.authorize_as), (&user, &other));
        prop_assert!(plain.password.is(password.as_bytes()));

        let flag = BindingFlag::Used("tls-exporter");
        let header = Gs2Header::encode(flag, other.as_deref());
        let message = format!("{header}{}", ClientFirst::encode_bare(&user, &nonce));
        let first = ClientFirst::decode(message.as_bytes()).unwrap();
        prop_assert_eq!((&first.user, &first.header.authorize_as), (&user, &other));
        prop_assert_eq!((first.nonce, first.header_text, first.header.flag), (&*nonce, &*header, flag));

        let message = ServerFirst::encode(&nonce, &bytes, iterations);
        let first = ServerFirst::decode(message.as_bytes()).unwrap();
        prop_assert_eq!((first.nonce, &first.salt, first.iterations), (&*nonce, &bytes, iterations));

        let without = ClientFinal::encode(&bytes, &nonce);
        let message = ClientFinal::with_proof(&without, &bytes);
        let last = ClientFinal::decode(message.as_bytes()).unwrap();
        prop_assert_eq!((&last.binding, last.nonce, &last.proof), (&bytes, &*nonce, &bytes));
        prop_assert_eq!(last.without_proof, without);
        prop_assert_eq!(ServerFinal::decode(ServerFinal::encode(&bytes).as_bytes()).unwrap(), bytes);
    }

    /// What is read as base64 is the one encoding of what was read.
    #[test]
    fn base64_has_one_form(text in "[A-Za-z0-9+/=]{0,12}", bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        if let Some(decoded) = encoding::base64(text.as_bytes()) {
            prop_assert_eq!(encoding::encode(&decoded), text);
        }
        prop_assert_eq!(encoding::base64(encoding::encode(&bytes).as_bytes()), Some(bytes));
    }

    #[test]
    fn nothing_panics(message in prop::collection::vec(any::<u8>(), 0..60)) {
        let _ = Plain::decode(&message).map(|_| ());
        let _ = CramMd5::decode(&message).map(|_| ());
        let _ = Bearer::decode(&message).map(|_| ());
        let _ = Bearer::decode_x(&message).map(|_| ());
        let _ = ClientFirst::decode(&message).map(|_| ());
        let _ = ServerFirst::decode(&message).map(|_| ());
        let _ = ClientFinal::decode(&message).map(|_| ());
        let _ = ServerFinal::decode(&message).map(|_| ());
        let _ = signature_hash(&message);
        let aborted = matches!(encoding::decode_response(&message, 60), Err(SaslError::Aborted));
        prop_assert_eq!(aborted, message == b"*");
    }
}
