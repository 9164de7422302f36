//! Reads certificates and keys from PEM, from files or memory. Does not use them.

use std::{fmt, fs, path::Path};

use rustls::pki_types::{
    CertificateDer, PrivateKeyDer,
    pem::{self, PemObject},
};

use super::TlsConfigError;

/// The input, and its origin for errors.
pub(super) struct Source {
    pub(super) bytes: Vec<u8>,
    pub(super) from: String,
}

impl Source {
    pub(super) fn file(path: &Path) -> Result<Self, TlsConfigError> {
        match fs::read(path) {
            Ok(bytes) => Ok(Self { bytes, from: path.display().to_string() }),
            Err(source) => Err(TlsConfigError::Read { path: path.to_owned(), source }),
        }
    }

    pub(super) fn memory(bytes: &[u8], what: &str) -> Self {
        Self { bytes: bytes.to_vec(), from: format!("the {what} given") }
    }

    /// All certificates, at least one.
    pub(super) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, TlsConfigError> {
        let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.bytes).collect();
        match all {
            Ok(all) if all.is_empty() => Err(TlsConfigError::NoCertificate { from: self.from() }),
            Ok(all) => Ok(all),
            Err(error) => Err(self.bad(&error)),
        }
    }

    /// The first private key.
    pub(super) fn key(&self) -> Result<PrivateKeyDer<'static>, TlsConfigError> {
        match PrivateKeyDer::from_pem_slice(&self.bytes) {
            Ok(_) | Err(pem::Error::NoItemsFound) if self.is_encrypted() => {
                Err(TlsConfigError::EncryptedKey { from: self.from() })
            }
            Ok(key) => Ok(key),
            Err(pem::Error::NoItemsFound) => Err(TlsConfigError::NoKey { from: self.from() }),
            Err(_) if self.is_encrypted() => {
                Err(TlsConfigError::EncryptedKey { from: self.from() })
            }
            Err(error) => Err(self.bad(&error)),
        }
    }

    /// Encrypted PKCS #8 (RFC 5958), or the legacy format of OpenSSL (RFC 1421 4.6.1.1).
    fn is_encrypted(&self) -> bool {
        let text = String::from_utf8_lossy(&self.bytes);
        text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----")
            || text.contains("Proc-Type: 4,ENCRYPTED")
    }

    fn bad(&self, why: &dyn fmt::Display) -> TlsConfigError {
        TlsConfigError::BadPem { from: self.from(), why: why.to_string() }
    }

    pub(super) fn from(&self) -> String {
        self.from.clone()
    }
}
