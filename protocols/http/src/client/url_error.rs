//! URLs that cannot be asked for: [`UrlError`].

use sinew_transports::reactor::{Excerpt, error_debug};

use crate::codec::FieldError;

/// A URL that cannot be asked for.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// It is not a URL.
    #[error("{:?} is not a URL: {reason}", Excerpt::new(.url))]
    Invalid {
        /// The text.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Its scheme is not one that is supported.
    #[error("the scheme {:?} is not supported", Excerpt::new(.scheme))]
    Scheme {
        /// The scheme.
        scheme: String,
    },
    /// It names no host.
    #[error("{:?} names no host", Excerpt::new(.url))]
    NoHost {
        /// The URL.
        url: String,
    },
    /// The name and the password in it cannot be sent.
    #[error("the user name or the password of a URL cannot be sent: {0}")]
    Login(#[from] FieldError),
}

error_debug!(UrlError);

impl UrlError {
    pub(crate) fn invalid(url: &str, source: url::ParseError) -> Self {
        Self::Invalid { url: url.to_owned(), reason: source.to_string() }
    }
}
