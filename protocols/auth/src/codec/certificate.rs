//! The hash function of a certificate's signature, for `tls-server-end-point`. Reads no more of the DER (X.690) than that.

/// Hash functions of bindings. MD5 and SHA-1 are replaced by SHA-256 (RFC 5929 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SignatureHash {
    Sha256,
    Sha384,
    Sha512,
}

const SEQUENCE: u8 = 0x30;
const OBJECT_IDENTIFIER: u8 = 0x06;

/// Object identifiers of signature algorithms (RFC 3279, 4055, 5758), as they are encoded.
const ALGORITHMS: [(&[u8], SignatureHash); 10] = [
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04", SignatureHash::Sha256), // md5WithRSAEncryption
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05", SignatureHash::Sha256), // sha1WithRSAEncryption
    (b"\x2a\x86\x48\xce\x3d\x04\x01", SignatureHash::Sha256),         // ecdsa-with-SHA1
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b", SignatureHash::Sha256), // sha256WithRSAEncryption
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c", SignatureHash::Sha384), // sha384WithRSAEncryption
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d", SignatureHash::Sha512), // sha512WithRSAEncryption
    (b"\x2a\x86\x48\xce\x3d\x04\x03\x02", SignatureHash::Sha256),     // ecdsa-with-SHA256
    (b"\x2a\x86\x48\xce\x3d\x04\x03\x03", SignatureHash::Sha384),     // ecdsa-with-SHA384
    (b"\x2a\x86\x48\xce\x3d\x04\x03\x04", SignatureHash::Sha512),     // ecdsa-with-SHA512
    (b"\x60\x86\x48\x01\x65\x03\x04\x03\x02", SignatureHash::Sha256), // dsa-with-SHA256
];

/// The hash function; `None` if it is no certificate, or its algorithm is not in the table. Certificate ::= SEQUENCE {
/// tbsCertificate SEQUENCE, signatureAlgorithm SEQUENCE { algorithm OBJECT IDENTIFIER, … }, … } (RFC 5280 4.1).
pub(crate) fn signature_hash(certificate: &[u8]) -> Option<SignatureHash> {
    let (whole, _) = element(certificate, SEQUENCE)?;
    let (_, behind_signed) = element(whole, SEQUENCE)?;
    let (algorithm, _) = element(behind_signed, SEQUENCE)?;
    let (identifier, _) = element(algorithm, OBJECT_IDENTIFIER)?;
    ALGORITHMS.iter().find(|(known, _)| *known == identifier).map(|(_, hash)| *hash)
}

/// The contents of an element with this tag, and what is behind it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, first], mut rest) = der.split_first_chunk::<2>()?;
    if found != tag {
        return None;
    }
    let len = match first {
        0..=0x7f => usize::from(first),
        // The length is in the next one to four bytes.
        0x81..=0x84 => {
            let (bytes, behind) = rest.split_at_checked(usize::from(first & 0x7f))?;
            rest = behind;
            bytes.iter().fold(0, |len, byte| len << 8 | usize::from(*byte))
        }
        _ => return None,
    };
    rest.split_at_checked(len)
}
