//! [`error_debug!`](crate::error_debug): implements `Debug` of errors as the text that a program prints when `main`
//! returns one.

use std::{error::Error, fmt};

/// Implements `Debug` for error types as their `Display`, followed by the causes that it does not mention.
///
/// When `main` returns `Err`, the standard library prints the error's `Debug`. A derived `Debug` shows the fields of
/// the type; this one shows the readable message. All error types of sinew use it.
///
/// # Examples
///
/// ```
/// use std::{fmt, io};
///
/// struct NoConfig(io::Error);
///
/// impl std::error::Error for NoConfig {
///     fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
///         Some(&self.0)
///     }
/// }
///
/// impl fmt::Display for NoConfig {
///     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
///         f.write_str("no configuration")
///     }
/// }
///
/// sinew_reactor::error_debug!(NoConfig);
///
/// let error = NoConfig(io::Error::other("the disk is gone"));
/// assert_eq!(format!("{error:?}"), "no configuration: the disk is gone");
/// ```
#[macro_export]
macro_rules! error_debug {
    ($($error:ident $(<$parameter:ident: $bound:ident>)?),+ $(,)?) => {$(
        impl $(<$parameter: $bound>)? ::std::fmt::Debug for $error $(<$parameter>)? {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                $crate::write_error(self, f)
            }
        }
    )+};
}

/// The implementation behind [`error_debug!`](crate::error_debug).
#[doc(hidden)]
pub fn write_error(error: &dyn Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    fmt::Display::fmt(&with_causes(error), f)
}

/// An error on one line with its causes, for logs and messages. Made by [`with_causes`].
#[derive(Clone, Copy)]
pub struct WithCauses<'a>(&'a dyn Error);

/// The text of an error, followed by those of its causes that it does not contain: `the queue could not be opened: Permission denied (os
/// error 13)`. The `Display` of an error alone may leave its causes out.
///
/// # Examples
///
/// ```
/// use std::{error::Error, io};
///
/// use sinew_reactor::with_causes;
///
/// #[derive(Debug, thiserror::Error)]
/// #[error("the spool could not be written")]
/// struct Spool(#[source] io::Error);
///
/// let error = Spool(io::ErrorKind::StorageFull.into());
/// assert_eq!(error.to_string(), "the spool could not be written");
/// assert_eq!(with_causes(&error).to_string(), "the spool could not be written: no storage space");
///
/// // A cause that the text contains is not written twice.
/// let error = io::Error::other(error);
/// assert_eq!(with_causes(&error).to_string(), "the spool could not be written: no storage space");
/// ```
#[must_use]
pub fn with_causes(error: &dyn Error) -> WithCauses<'_> {
    WithCauses(error)
}

impl fmt::Display for WithCauses<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.0.to_string();
        let mut cause = self.0.source();
        while let Some(error) = cause {
            let cause_text = error.to_string();
            if !text.contains(&cause_text) {
                text += ": ";
                text += &cause_text;
            }
            cause = error.source();
        }
        f.write_str(&text)
    }
}

impl fmt::Debug for WithCauses<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
