//! [`error_debug!`](crate::error_debug): the `Debug` of errors, which is what a program prints when `main` returns one.

use std::{error::Error, fmt};

/// Implements `Debug` for error types as their `Display`, followed by the causes that it does not tell.
///
/// When `main` returns `Err`, the standard library prints the error's `Debug`. A derived one shows the fields of the type;
/// this one shows the sentence that was written for people. All error types of sinew have it.
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

/// What [`error_debug!`](crate::error_debug) writes.
#[doc(hidden)]
pub fn write_error(error: &dyn Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let told = error.to_string();
        if !text.contains(&told) {
            text += ": ";
            text += &told;
        }
        cause = error.source();
    }
    f.write_str(&text)
}
