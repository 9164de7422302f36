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
    let mut text = error.to_string();
    let mut cause = error.source();
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
