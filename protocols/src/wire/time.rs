//! Time, RFC 868: [`Time`].

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sinew_transports::{Protocol, Transport};

/// From 1900, the epoch of RFC 868, to 1970, [`UNIX_EPOCH`].
const SINCE_1900: Duration = Duration::from_secs(2_208_988_800);

/// Sends the time as four binary bytes, and closes.
///
/// The bytes are [`seconds_since_1900`](Self::seconds_since_1900) in network order. A protocol does not read the
/// system clock: it asks the reactor, or in tests the function passed to [`with_clock`](Self::with_clock).
///
/// # Examples
///
/// ```
/// use std::time::UNIX_EPOCH;
/// use sinew_protocols::wire::Time;
/// use sinew_transports::{Protocol, Transport};
///
/// let (transport, wire) = Transport::memory();
/// Time::with_clock(|_| UNIX_EPOCH).connection_made(&transport);
/// assert_eq!(wire.sent(), 2_208_988_800_u32.to_be_bytes());
/// assert!(wire.is_closing());
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Time {
    clock: fn(&Transport) -> SystemTime,
}

impl Time {
    /// Uses `clock` instead of the reactor's clock.
    #[must_use]
    pub const fn with_clock(clock: fn(&Transport) -> SystemTime) -> Self {
        Self { clock }
    }

    /// Seconds from midnight of 1 January 1900 UTC to `time`, or 0 if `time` is earlier. Only 32 bits are sent, so
    /// the count wraps in February 2036.
    #[must_use]
    pub fn seconds_since_1900(time: SystemTime) -> u32 {
        let since_1900 = time.duration_since(UNIX_EPOCH - SINCE_1900).unwrap_or_default();
        since_1900.as_secs() as u32
    }
}

impl Default for Time {
    /// Uses the reactor's clock.
    fn default() -> Self {
        Self::with_clock(|transport| {
            transport.reactor().map_or(UNIX_EPOCH, |reactor| reactor.wall_clock())
        })
    }
}

impl Protocol for Time {
    fn connection_made(&mut self, transport: &Transport) {
        let seconds = Self::seconds_since_1900((self.clock)(transport));
        transport.write(&seconds.to_be_bytes());
        transport.lose_connection();
    }

    fn data_received(&mut self, _transport: &Transport, _data: &[u8]) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn counts_from_1900_as_an_unsigned_integer() {
        let cases = [
            (UNIX_EPOCH + SECOND, 2_208_988_801),
            (UNIX_EPOCH - SECOND, 2_208_988_799),
            // 00:00 GMT of 1 May 1983, as in RFC 868.
            (UNIX_EPOCH + 420_595_200 * SECOND, 2_629_584_000),
            (UNIX_EPOCH - SINCE_1900, 0),
            (UNIX_EPOCH - SINCE_1900 - SECOND, 0),
            // 06:28:15 and 06:28:16 of 7 February 2036.
            (UNIX_EPOCH + 2_085_978_495 * SECOND, u32::MAX),
            (UNIX_EPOCH + 2_085_978_496 * SECOND, 0),
        ];
        for (time, seconds) in cases {
            assert_eq!(Time::seconds_since_1900(time), seconds, "{time:?}");
        }
    }
}
