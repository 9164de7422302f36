//! Errors of TLS certificates, keys and configuration: [`TlsConfigError`]. Errors of a session are `TlsError`.

use std::{io, path::PathBuf};

use sinew_reactor::Excerpt;

/// Invalid TLS configuration. Each error names the file, or says that the input was given in memory.
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
    /// The input is not valid PEM.
    #[error("{} is not PEM: {why}", Excerpt::new(.from))]
    BadPem {
        /// Where it came from.
        from: String,
        /// What is wrong with it.
        why: String,
    },
    /// The input holds no certificate.
    #[error("no certificate in {}", Excerpt::new(.from))]
    NoCertificate {
        /// The input.
        from: String,
    },
    /// The input holds no private key.
    #[error("no private key in {}", Excerpt::new(.from))]
    NoKey {
        /// The input.
        from: String,
    },
    /// The private key is encrypted with a passphrase, which is not supported.
    #[error("the private key in {} is encrypted; decrypt it first", Excerpt::new(.from))]
    EncryptedKey {
        /// Where it came from.
        from: String,
    },
    /// The private key is invalid, or of an unsupported kind.
    #[error("the private key in {} cannot be used: {why}", Excerpt::new(.from))]
    BadKey {
        /// Where it came from.
        from: String,
        /// What is wrong with it.
        why: String,
    },
    /// A certificate is invalid, or of an unsupported kind.
    #[error("a certificate in {} cannot be used: {why}", Excerpt::new(.from))]
    BadCertificate {
        /// Where it came from.
        from: String,
        /// What is wrong with it.
        why: String,
    },
    /// The certificate is for another key.
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
    /// The system has no usable root certificates.
    #[error("could not load root certificates from the system: {why}")]
    NoSystemRoots {
        /// The cause.
        why: String,
    },
    /// The text is not a valid server name.
    #[error("{:?} is not the name of a server", Excerpt::new(.name))]
    BadName {
        /// The name.
        name: String,
    },
    /// An ALPN protocol name is empty or too long (RFC 7301 3.1).
    #[error(
        "invalid ALPN protocol name \"{start}\" of {len} bytes; the length must be between 1 and 255"
    )]
    BadAlpnName {
        /// The beginning of the name; unprintable bytes are escaped.
        start: String,
        /// Its length in bytes.
        len: usize,
    },
    /// The ALPN protocol names are too long together.
    #[error("the ALPN protocol names take {len} bytes; the maximum is {max}")]
    TooManyAlpnNames {
        /// Their length in bytes, with one length byte for each.
        len: usize,
        /// The maximum.
        max: usize,
    },
    /// No certificate was given.
    #[error("a TLS server needs at least one certificate")]
    NoIdentity,
}

sinew_reactor::error_debug!(TlsConfigError);
