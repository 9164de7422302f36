//! Own certificates and trusted root certificates: [`Identity`] and [`TrustedRoots`].

use std::{
    fmt,
    path::Path,
    sync::{Arc, OnceLock},
};

use rustls::{
    Error, InconsistentKeys, RootCertStore,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer},
    sign::CertifiedKey,
};

use super::{Certificate, TlsConfigError, certificate::check, pem::Source};

/// The crypto provider (ring). Passed explicitly: if two providers are compiled in, rustls has no default.
pub(super) fn provider() -> &'static Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER.get_or_init(|| Arc::new(rustls::crypto::ring::default_provider()))
}

/// A certificate chain and its private key. Cheap to clone.
#[derive(Clone)]
pub struct Identity {
    key: Arc<CertifiedKey>,
    /// The first of the chain.
    certificate: Certificate,
}

impl Identity {
    /// Reads PEM files: the certificate chain, leaf first, and the key. Both may be in one file.
    ///
    /// # Errors
    ///
    /// [`TlsConfigError`], with the file and what is wrong with it.
    pub fn from_pem_files(
        certificate: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, TlsConfigError> {
        Self::new(&Source::file(certificate.as_ref())?, &Source::file(key.as_ref())?)
    }

    /// The same from memory.
    ///
    /// # Errors
    ///
    /// As [`from_pem_files`](Self::from_pem_files).
    pub fn from_pem(
        certificate: impl AsRef<[u8]>,
        key: impl AsRef<[u8]>,
    ) -> Result<Self, TlsConfigError> {
        let certificate = Source::memory(certificate.as_ref(), "certificate");
        Self::new(&certificate, &Source::memory(key.as_ref(), "key"))
    }

    fn new(certificate: &Source, key: &Source) -> Result<Self, TlsConfigError> {
        let chain = certificate.certificates()?;
        chain.iter().try_for_each(|der| check(der, &certificate.from))?;
        let key_der = key.key()?;
        Self::certified(chain, key_der, certificate, key)
    }

    fn certified(
        chain: Vec<CertificateDer<'static>>,
        key_der: PrivateKeyDer<'static>,
        certificate: &Source,
        key: &Source,
    ) -> Result<Self, TlsConfigError> {
        // A source has one certificate at least.
        let first = Certificate::new(chain[0].clone(), certificate.from());
        match CertifiedKey::from_der(chain, key_der, provider()) {
            Ok(certified) => Ok(Self { key: Arc::new(certified), certificate: first }),
            Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
                Err(TlsConfigError::KeyMismatch {
                    certificate: certificate.from(),
                    key: key.from(),
                })
            }
            Err(error) => Err(TlsConfigError::BadKey { from: key.from(), why: error.to_string() }),
        }
    }

    /// The certificate itself, which is the first of the chain.
    #[must_use]
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    pub(super) fn certified_key(&self) -> Arc<CertifiedKey> {
        self.key.clone()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("certificates", &self.key.cert.len())
            .finish_non_exhaustive()
    }
}

/// Root certificates to verify peers with, at least one. Cheap to clone.
#[derive(Clone)]
pub struct TrustedRoots(Arc<RootCertStore>);

impl TrustedRoots {
    /// The system's root certificates. Reads files, which is slow; reuse the result.
    ///
    /// # Errors
    ///
    /// [`TlsConfigError::NoSystemRoots`] if there is none.
    pub fn system() -> Result<Self, TlsConfigError> {
        let found = rustls_native_certs::load_native_certs();
        let mut store = RootCertStore::empty();
        let (added, _) = store.add_parsable_certificates(found.certs);
        if added > 0 {
            return Ok(Self(Arc::new(store)));
        }
        let why = found.errors.first().map_or_else(|| "none found".to_owned(), ToString::to_string);
        Err(TlsConfigError::NoSystemRoots { why })
    }

    /// All certificates of a PEM file.
    ///
    /// # Errors
    ///
    /// [`TlsConfigError`], with the file and what is wrong with it.
    pub fn from_pem_file(path: impl AsRef<Path>) -> Result<Self, TlsConfigError> {
        Self::new(&Source::file(path.as_ref())?)
    }

    /// The same from memory.
    ///
    /// # Errors
    ///
    /// As [`from_pem_file`](Self::from_pem_file).
    pub fn from_pem(pem: impl AsRef<[u8]>) -> Result<Self, TlsConfigError> {
        Self::new(&Source::memory(pem.as_ref(), "roots"))
    }

    fn new(source: &Source) -> Result<Self, TlsConfigError> {
        let mut store = RootCertStore::empty();
        for der in source.certificates()? {
            store.add(der).map_err(|error| TlsConfigError::BadCertificate {
                from: source.from(),
                why: error.to_string(),
            })?;
        }
        Ok(Self(Arc::new(store)))
    }

    pub(super) fn store(&self) -> Arc<RootCertStore> {
        self.0.clone()
    }

    /// Length in bytes of the subject names in a handshake message, each with its two-byte length.
    pub(super) fn names_len(&self) -> usize {
        self.0.subjects().iter().map(|name| 2 + name.as_ref().len()).sum()
    }
}

impl fmt::Debug for TrustedRoots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrustedRoots").field("certificates", &self.0.len()).finish()
    }
}
