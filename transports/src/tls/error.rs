//! What can be wrong with certificates, keys and names before anybody connects: [`TlsConfigError`].

use std::{io, path::PathBuf};

/// TLS cannot be set up as asked. Each error names the file, or says that the thing was given in memory.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum TlsConfigError {
    /// A file cannot be read.
    #[error("could not read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file, or what was given, is damaged PEM.
    #[error("{from} is not PEM: {why}")]
    BadPem {
        /// Where it came from.
        from: String,
        /// What is wrong with it.
        why: String,
    },
    /// There is no certificate in it.
    #[error("no certificate in {from}")]
    NoCertificate {
        /// Where it was looked for.
        from: String,
    },
    /// There is no private key in it.
    #[error("no private key in {from}")]
    NoKey {
        /// Where it was looked for.
        from: String,
    },
    /// The private key is encrypted with a passphrase, which sinew does not ask for.
    #[error("the private key in {from} is encrypted")]
    EncryptedKey {
        /// Where it came from.
        from: String,
    },
    /// The private key is damaged, or of a kind that is not supported.
    #[error("the private key in {from} cannot be used: {why}")]
    BadKey {
        /// Where it came from.
        from: String,
        /// What is wrong with it.
        why: String,
    },
    /// A certificate is damaged, or of a kind that is not supported.
    #[error("a certificate in {from} cannot be used: {why}")]
    BadCertificate {
        /// Where it came from.
        from: String,
        /// What is wrong with it.
        why: String,
    },
    /// The certificate belongs to another key.
    #[error("the certificate in {certificate} does not match the key in {key}")]
    KeyMismatch {
        /// Where the certificate came from.
        certificate: String,
        /// Where the key came from.
        key: String,
    },
    /// The system trusts nobody, or does not tell whom.
    #[error("no trusted certificates of the system were found: {why}")]
    NoSystemRoots {
        /// What was wrong with them.
        why: String,
    },
    /// What was given is no name that a server can have.
    #[error("{name:?} is not the name of a server")]
    BadName {
        /// The name.
        name: String,
    },
    /// A server needs a certificate.
    #[error("a server needs a certificate")]
    NoIdentity,
}

sinew_reactor::error_debug!(TlsConfigError);
