//! Invalid URLs, [`UrlError`], and redirects that are not followed, [`RedirectError`].

use std::fmt::Display;

use sinew_transports::reactor::{Excerpt, error_debug};

use crate::codec::FieldError;

/// Why a URL is invalid.
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
    /// Its scheme is not supported.
    #[error("the scheme {:?} is not supported", Excerpt::new(.scheme))]
    Scheme {
        /// The scheme.
        scheme: String,
    },
    /// It has no host.
    #[error("{:?} names no host", Excerpt::new(.url))]
    NoHost {
        /// The URL.
        url: String,
    },
    /// Its login cannot be sent.
    #[error("the user name or the password of a URL cannot be sent: {0}")]
    Login(#[from] FieldError),
}

error_debug!(UrlError, RedirectError);

impl UrlError {
    #[cfg_attr(not(feature = "client"), allow(dead_code))]
    pub(crate) fn invalid(url: &str, source: impl Display) -> Self {
        Self::Invalid { url: url.to_owned(), reason: source.to_string() }
    }
}

/// Why a redirect was not followed.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RedirectError {
    /// There were too many.
    #[error("more than {max} redirects, the last to {}", Excerpt::new(.to))]
    TooMany {
        /// The limit.
        max: u32,
        /// Where the last one leads.
        to: String,
    },
    /// It does not lead to a URL.
    #[error("a redirect leads to {:?}, which is not a URL", Excerpt::new(.to))]
    Invalid {
        /// Where it leads.
        to: String,
    },
    /// It leads to a scheme that is not supported.
    #[error("a redirect leads to {}, whose scheme is not supported", Excerpt::new(.to))]
    Scheme {
        /// Where it leads.
        to: String,
    },
    /// It leads from `https` to `http`.
    #[error("a redirect leads from https to {}, which is not encrypted", Excerpt::new(.to))]
    Downgrade {
        /// Where it leads.
        to: String,
    },
}
