//! Daytime, RFC 867: [`Daytime`].

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sinew_transports::{Protocol, Transport};

/// The last second of the year 9999. Later dates have no four-digit year.
const SECONDS_MAX: u64 = 253_402_300_799;

/// Sends the time as a line of text, and closes.
///
/// RFC 867 leaves the format open; this is the one of RFC 9110 5.6.7, always in GMT. The time comes from the reactor,
/// or in tests from the function passed to [`with_clock`](Self::with_clock).
///
/// # Examples
///
/// ```
/// use std::time::UNIX_EPOCH;
/// use sinew_protocols::wire::Daytime;
/// use sinew_transports::{Protocol, Transport};
///
/// let (transport, wire) = Transport::memory();
/// Daytime::with_clock(|_| UNIX_EPOCH).connection_made(&transport);
/// assert_eq!(wire.sent(), b"Thu, 01 Jan 1970 00:00:00 GMT\r\n");
/// assert!(wire.is_closing());
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Daytime {
    clock: fn(&Transport) -> SystemTime,
}

impl Daytime {
    /// Uses `clock` instead of the reactor's clock.
    #[must_use]
    pub const fn with_clock(clock: fn(&Transport) -> SystemTime) -> Self {
        Self { clock }
    }

    /// The line for `time`, clamped to the years 1970 to 9999.
    #[must_use]
    pub fn line(time: SystemTime) -> String {
        let since_1970 = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        let seconds = since_1970.as_secs().min(SECONDS_MAX);
        let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(seconds));
        format!("{date}\r\n")
    }
}

impl Default for Daytime {
    /// Uses the reactor's clock.
    fn default() -> Self {
        Self::with_clock(|transport| {
            transport.reactor().map_or(UNIX_EPOCH, |reactor| reactor.wall_clock())
        })
    }
}

impl Protocol for Daytime {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write(Self::line((self.clock)(transport)).as_bytes());
        transport.lose_connection();
    }

    fn data_received(&mut self, _transport: &Transport, _data: &[u8]) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_out_of_range_are_clamped() {
        let after = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let cases = [
            (UNIX_EPOCH - Duration::from_secs(1), "Thu, 01 Jan 1970 00:00:00 GMT\r\n"),
            (after(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT\r\n"),
            (after(951_782_400), "Tue, 29 Feb 2000 00:00:00 GMT\r\n"),
            (after(SECONDS_MAX), "Fri, 31 Dec 9999 23:59:59 GMT\r\n"),
            (after(SECONDS_MAX + 1), "Fri, 31 Dec 9999 23:59:59 GMT\r\n"),
        ];
        for (time, line) in cases {
            assert_eq!(Daytime::line(time), line);
        }
    }
}
