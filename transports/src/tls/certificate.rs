//! What a certificate says of itself: [`Certificate`], with its names and its validity. Verifies no chain and no signature.

use std::{fmt, path::Path, sync::Arc};

use rustls::{
    client::verify_server_name,
    pki_types::{CertificateDer, ServerName},
    server::ParsedCertificate,
};
use sinew_reactor::calendar::days_since_1970;

use super::{TlsConfigError, der, pem::Source};
use crate::names::to_ascii;

/// A certificate as it is, whether anybody trusts it or not: the names that it is for, and when it is valid. Cheap to clone.
///
/// # Examples
///
/// ```no_run
/// use sinew_transports::tls::Certificate;
///
/// let certificate = Certificate::from_pem_file("cert.pem")?;
/// if !certificate.is_for("mail.example.org") {
///     println!("clients will refuse it: it is for {}", certificate.names().join(", "));
/// }
/// if let Some(validity) = certificate.validity() {
///     println!("it ends at {}", validity.not_after);
/// }
/// # Ok::<(), sinew_transports::tls::TlsConfigError>(())
/// ```
#[derive(Clone)]
pub struct Certificate(Arc<Parts>);

struct Parts {
    der: CertificateDer<'static>,
    origin: String,
    names: Vec<String>,
    validity: Option<Validity>,
}

/// When a certificate is valid (RFC 5280 4.1.2.5): from the first second to the last one, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Validity {
    /// The first second.
    pub not_before: CertificateTime,
    /// The last second.
    pub not_after: CertificateTime,
}

/// A time in a certificate: a second, in UTC. Its `Display` is that of RFC 3339: `2026-12-01T09:00:00Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CertificateTime {
    // In the order by which times compare.
    pub(super) year: u16,
    pub(super) month: u8,
    pub(super) day: u8,
    pub(super) hour: u8,
    pub(super) minute: u8,
    pub(super) second: u8,
}

impl Certificate {
    /// Reads the first certificate of a PEM file, which is that of the server in the file of a chain. No key is read.
    ///
    /// # Errors
    ///
    /// [`TlsConfigError`], with the file and what is wrong with it.
    pub fn from_pem_file(path: impl AsRef<Path>) -> Result<Self, TlsConfigError> {
        Self::first(&Source::file(path.as_ref())?)
    }

    /// The same from memory.
    ///
    /// # Errors
    ///
    /// As [`from_pem_file`](Self::from_pem_file).
    pub fn from_pem(pem: impl AsRef<[u8]>) -> Result<Self, TlsConfigError> {
        Self::first(&Source::memory(pem.as_ref(), "certificate"))
    }

    /// A certificate in DER, such as one of [`TlsInfo::peer_certificates`](super::TlsInfo::peer_certificates).
    ///
    /// # Errors
    ///
    /// [`TlsConfigError::BadCertificate`] if it is none, or of an unsupported version.
    pub fn from_der(der: impl AsRef<[u8]>) -> Result<Self, TlsConfigError> {
        let der = CertificateDer::from(der.as_ref().to_vec());
        let from = Source::memory(&[], "certificate").from;
        check(&der, &from)?;
        Ok(Self::new(der, from))
    }

    fn first(source: &Source) -> Result<Self, TlsConfigError> {
        let der = source.certificates()?.swap_remove(0);
        check(&der, &source.from)?;
        Ok(Self::new(der, source.from()))
    }

    /// What has been [checked](check).
    pub(super) fn new(der: CertificateDer<'static>, origin: String) -> Self {
        let contents = der::contents(&der).unwrap_or_default();
        let validity =
            contents.validity.map(|(not_before, not_after)| Validity { not_before, not_after });
        Self(Arc::new(Parts { names: contents.names, validity, der, origin }))
    }

    /// The file that it was read from; or a text that says that it was given in memory.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.0.origin
    }

    /// The names of hosts and the IP addresses that it is for (`subjectAltName`), as text. The common name of the subject is none of
    /// them: clients do not look at it any more (RFC 9525). Bytes of a name that are not printable ASCII are escaped, as `\n`. All names
    /// together are not longer than four times the certificate.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.0.names
    }

    /// When it is valid. `None` if that cannot be read, and so no client accepts it.
    #[must_use]
    pub fn validity(&self) -> Option<Validity> {
        self.0.validity
    }

    /// Whether it is for this host, a name or an IP address, by the rules of RFC 9525 6: a `*` stands for the whole leftmost label, and for
    /// one label. A name outside ASCII is compared by its A-labels, with the feature `idna`; without it, it is `false` for such names.
    #[must_use]
    pub fn is_for(&self, host: &str) -> bool {
        let Ok(host) = to_ascii(host.strip_suffix('.').unwrap_or(host)) else { return false };
        let Ok(name) = ServerName::try_from(&*host) else { return false };
        ParsedCertificate::try_from(&self.0.der)
            .is_ok_and(|certificate| verify_server_name(&certificate, &name).is_ok())
    }
}

/// Whether it is a certificate that rustls can use.
pub(super) fn check(der: &CertificateDer<'_>, from: &str) -> Result<(), TlsConfigError> {
    let checked = ParsedCertificate::try_from(der);
    checked.map(drop).map_err(|error| TlsConfigError::BadCertificate {
        from: from.to_owned(),
        why: error.to_string(),
    })
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("origin", &self.0.origin)
            .field("names", &self.0.names)
            .field("validity", &self.0.validity)
            .finish_non_exhaustive()
    }
}

impl CertificateTime {
    /// Seconds since 1970, negative before.
    #[must_use]
    pub fn unix_seconds(self) -> i64 {
        let days = days_since_1970(i64::from(self.year), self.month, self.day);
        let minutes = (days * 24 + i64::from(self.hour)) * 60 + i64::from(self.minute);
        minutes * 60 + i64::from(self.second)
    }
}

impl fmt::Display for CertificateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, day, hour, minute, second } = self;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

#[cfg(test)]
mod tests;
