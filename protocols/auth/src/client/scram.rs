//! SCRAM at a client (RFC 5802): [`ScramClient`]. Pure, but slow: [`Challenge::answer`] belongs on a thread.

use std::ops::RangeInclusive;

use crate::{
    SaslError, ScramHash, Secret,
    codec::{
        gs2::{BindingFlag, Gs2Header},
        names::text,
        scram::{ClientFinal, ClientFirst, ServerFinal, ServerFirst},
    },
    scram_keys::xor,
};

/// An exchange, up to the first message of the server.
pub(super) struct ScramClient {
    hash: ScramHash,
    password: Secret,
    iterations: RangeInclusive<u32>,
    /// What `c=` will be.
    binding: Vec<u8>,
    nonce: String,
    /// The first message without its header, which is signed.
    bare: String,
}

/// What the server wants answered.
pub(super) struct Challenge {
    hash: ScramHash,
    password: Secret,
    salt: Vec<u8>,
    iterations: u32,
    without_proof: String,
    signed: String,
}

/// The signature that the server has to prove itself with.
pub(super) struct Signature(Secret);

impl ScramClient {
    pub(super) const fn new(
        hash: ScramHash,
        password: Secret,
        iterations: RangeInclusive<u32>,
        nonce: String,
    ) -> Self {
        Self { hash, password, iterations, binding: Vec::new(), nonce, bare: String::new() }
    }

    /// The first message. The flag says which channel binding is used, if any; `data` are those of the binding.
    pub(super) fn first(
        &mut self,
        user: &str,
        authorize_as: Option<&str>,
        flag: BindingFlag<'_>,
        data: &[u8],
    ) -> Vec<u8> {
        let header = Gs2Header::encode(flag, authorize_as);
        self.bare = ClientFirst::encode_bare(user, &self.nonce);
        self.binding = [header.as_bytes(), data].concat();
        (header + &self.bare).into_bytes()
    }

    /// Reads the first message of the server.
    pub(super) fn challenged(self, message: &[u8]) -> Result<Challenge, SaslError> {
        let first = ServerFirst::decode(message)?;
        let is_ours = first.nonce.strip_prefix(&*self.nonce).is_some_and(|rest| !rest.is_empty());
        if !is_ours {
            return Err(SaslError::Malformed("the nonce"));
        }
        let (iterations, accepted) = (first.iterations, &self.iterations);
        if !accepted.contains(&iterations) {
            let (min, max) = (*accepted.start(), *accepted.end());
            return Err(SaslError::Iterations { iterations, min, max });
        }
        let without_proof = ClientFinal::encode(&self.binding, first.nonce);
        let signed = format!("{},{},{without_proof}", self.bare, text(message)?);
        let Self { hash, password, .. } = self;
        Ok(Challenge { hash, password, salt: first.salt, iterations, without_proof, signed })
    }
}

impl Challenge {
    /// The last message, and the signature that the server has to answer with. Slow.
    pub(super) fn answer(&self) -> (String, Signature) {
        let salted = self.hash.salted(self.password.bytes(), &self.salt, self.iterations);
        let client_key = self.hash.client_key(&salted);
        let keys = self.hash.keys(&salted, &self.salt, self.iterations);
        let signature = self.hash.hmac(keys.stored_key.bytes(), self.signed.as_bytes());
        let proof = xor(client_key.bytes(), signature.bytes());
        let message = ClientFinal::with_proof(&self.without_proof, &proof);
        (message, Signature(keys.sign(&self.signed)))
    }
}

impl Signature {
    pub(super) fn verify(&self, message: &[u8]) -> Result<(), SaslError> {
        let found = ServerFinal::decode(message)?;
        self.0.is(&found).then_some(()).ok_or(SaslError::ServerNotVerified)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 5802 5 and RFC 7677 3.
    #[test]
    fn examples_of_the_standards() {
        let cases = [
            (
                ScramHash::Sha1,
                "fyko+d2lbbFgONRv9qkxdawL",
                "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
                "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
                "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
            ),
            (
                ScramHash::Sha256,
                "rOprNGfwEbeRWgbNEkqO",
                "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
                "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
                "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
            ),
        ];
        for (hash, nonce, challenge, last, end) in cases {
            let mut scram = ScramClient::new(hash, "pencil".into(), 4096..=4096, nonce.to_owned());
            let first = scram.first("user", None, BindingFlag::None, &[]);
            assert_eq!(first, format!("n,,n=user,r={nonce}").into_bytes());
            let (found, signature) = scram.challenged(challenge.as_bytes()).unwrap().answer();
            assert_eq!(found, last);
            signature.verify(end.as_bytes()).unwrap();
            assert!(
                signature.verify(b"v=").is_err() && signature.verify(b"e=other-error").is_err()
            );
        }
    }

    #[test]
    fn what_no_server_may_ask() {
        let challenged = |message: &str| {
            let mut scram =
                ScramClient::new(ScramHash::Sha1, "pencil".into(), 4_096..=10_000, "abc".into());
            scram.first("user", None, BindingFlag::None, &[]);
            scram.challenged(message.as_bytes()).map(|_| ())
        };
        assert!(challenged("r=abcd,s=QSXCR+Q6sek8bf92,i=4096").is_ok());
        assert!(challenged("r=abcd,s=QSXCR+Q6sek8bf92,i=4096,x=extension").is_ok());
        for (message, iterations) in [
            ("r=abcd,s=QSXCR+Q6sek8bf92,i=4095", 4_095),
            ("r=abcd,s=QSXCR+Q6sek8bf92,i=1", 1),
            ("r=abcd,s=QSXCR+Q6sek8bf92,i=4294967295", u32::MAX),
        ] {
            let error = challenged(message).unwrap_err();
            let found = matches!(error, SaslError::Iterations { iterations: found, .. } if found == iterations);
            assert!(found, "{message}: {error}");
        }
        for bad in [
            "r=abc,s=QSXCR+Q6sek8bf92,i=4096", // nothing of the server
            "r=abd,s=QSXCR+Q6sek8bf92,i=4096",
            "r=abcd,s=,i=4096",
            "r=abcd,s=QSXCR+Q6sek8bf9,i=4096",
            "r=abcd,s=QSXCR+Q6sek8bf92,i=4294967296",
            "r=abcd,s=QSXCR+Q6sek8bf92,i=+4096",
            "r=abcd,s=QSXCR+Q6sek8bf92,i=04096",
            "r=abcd,s=QSXCR+Q6sek8bf92,i=0",
            "r=abcd,s=QSXCR+Q6sek8bf92",
            "r=abcd,i=4096,s=QSXCR+Q6sek8bf92",
            "m=x,r=abcd,s=QSXCR+Q6sek8bf92,i=4096",
            "r=abcd,s=QSXCR+Q6sek8bf92,i=4096,m=x",
            "r=abcd,s=QSXCR+Q6sek8bf92,i=4096,",
            "e=other-error",
            "",
        ] {
            assert!(challenged(bad).is_err(), "{bad}");
        }
    }
}
