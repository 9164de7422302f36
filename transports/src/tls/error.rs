//! What can be wrong with certificates, keys and names before anybody connects: [`TlsConfigError`].

use std::{io, path::PathBuf};

use sinew_reactor::Excerpt;

/// TLS cannot be set up as asked. Each error names the file, or says that the thing was given in memory.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum TlsConfigError {
    /// A file cannot be read.
    #[error("could not read {}: {source}", Excerpt::path(.path))]
    Read {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A file, or what was given, is damaged PEM.
    #[error("{} is not PEM: {why}", Excerpt::new(.from))]
    BadPem {
        /// Where it came from.
        from: String,
        /// What is wrong with it.
        why: String,
    },
    /// There is no certificate in it.
    #[error("no certificate in {}", Excerpt::new(.from))]
    NoCertificate {
        /// Where it was looked for.
        from: String,
    },
    /// There is no private key in it.
    #[error("no private key in {}", Excerpt::new(.from))]
    NoKey {
        /// Where it was looked for.
        from: String,
    },
    /// The private key is encrypted with a passphrase, which sinew does not ask for.
    #[error("the private key in {} is encrypted", Excerpt::new(.from))]
    EncryptedKey {
        /// Where it came from.
        from: String,
    },
    /// The private key is damaged, or of a kind that is not supported.
    #[error("the private key in {} cannot be used: {why}", Excerpt::new(.from))]
    BadKey {
        /// Where it came from.
        from: String,
        /// What is wrong with it.
        why: String,
    },
    /// A certificate is damaged, or of a kind that is not supported.
    #[error("a certificate in {} cannot be used: {why}", Excerpt::new(.from))]
    BadCertificate {
        /// Where it came from.
        from: String,
        /// What is wrong with it.
        why: String,
    },
    /// The certificate belongs to another key.
    #[error(
        "the certificate in {} does not match the key in {}",
        Excerpt::new(.certificate), Excerpt::new(.key)
    )]
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
    #[error("{:?} is not the name of a server", Excerpt::new(.name))]
    BadName {
        /// The name.
        name: String,
    },
    /// The name of an application protocol is empty, or too long (RFC 7301 3.1).
    #[error(
        "the name of an application protocol has between 1 and 255 bytes, and \"{start}\" has {len}"
    )]
    BadAlpnName {
        /// How it begins, with bytes that are not printable escaped.
        start: String,
        /// Its bytes.
        len: usize,
    },
    /// The names of the application protocols do not fit into a handshake.
    #[error("the names of the application protocols take {len} bytes, and {max} are the most")]
    TooManyAlpnNames {
        /// Their bytes, with one more for each.
        len: usize,
        /// As many as they may be.
        max: usize,
    },
    /// A server needs a certificate.
    #[error("a server needs a certificate")]
    NoIdentity,
}

sinew_reactor::error_debug!(TlsConfigError);
