//! Dates in the fields of messages. Pure.

use std::time::SystemTime;

/// A date of RFC 5322 3.3, in UTC.
pub(crate) fn date(now: SystemTime) -> String {
    httpdate::fmt_http_date(now).replace("GMT", "+0000")
}
