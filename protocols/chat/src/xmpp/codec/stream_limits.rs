//! What the other end of a stream accepts (XEP-0478): [`StreamLimits`].

use std::time::Duration;

use super::{Element, ns};

/// The least that RFC 6120 13.12 lets a server accept. One that says less is not believed.
const BYTES_MIN: usize = 10_000;

/// Shortest time for which a server is asked whether it is there.
const PING_MIN: Duration = Duration::from_secs(5);

/// What the other end says that it accepts: how long stanzas may be, and for how long it bears silence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamLimits {
    /// Most bytes of a stanza.
    pub bytes_max: Option<usize>,
    /// After how long a silence it asks, or ends the connection.
    pub idle: Option<Duration>,
}

impl StreamLimits {
    /// Nothing was said.
    pub const NONE: Self = Self { bytes_max: None, idle: None };

    /// Reads `<limits/>` among the features of a stream. What is no number is not said.
    #[must_use]
    pub fn from_element(limits: &Element) -> Self {
        let number = |name| -> Option<u64> {
            limits.child(name, ns::STREAM_LIMITS)?.text().trim().parse().ok()
        };
        let bytes_max = number("max-bytes").map(|max| usize::try_from(max).unwrap_or(usize::MAX));
        Self { bytes_max, idle: number("idle-seconds").map(Duration::from_secs) }
    }

    /// The element `<limits/>`.
    #[must_use]
    pub fn to_element(&self) -> Element {
        let number = |name, number: String| Element::new(name, ns::STREAM_LIMITS).with_text(number);
        let mut limits = Element::new("limits", ns::STREAM_LIMITS);
        if let Some(max) = self.bytes_max {
            limits.push(number("max-bytes", max.to_string()));
        }
        if let Some(idle) = self.idle {
            limits.push(number("idle-seconds", idle.as_secs().to_string()));
        }
        limits
    }

    /// Most bytes of a stanza that is sent by somebody who would send this many.
    pub(in crate::xmpp) fn stanza_max(&self, own: usize) -> usize {
        self.bytes_max.map_or(own, |max| own.min(max.max(BYTES_MIN)))
    }

    /// After how long a silence to say something, for somebody who would do so after this time.
    pub(in crate::xmpp) fn ping_after(&self, own: Duration) -> Duration {
        // Well before the other end loses its patience.
        self.idle.map_or(own, |idle| own.min((idle / 4 * 3).max(PING_MIN)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_and_applied() {
        let limits = |bytes: &str, idle: &str| {
            let child = |name, text| Element::new(name, ns::STREAM_LIMITS).with_text(text);
            let element = Element::new("limits", ns::STREAM_LIMITS);
            let element = element.with_child(child("max-bytes", bytes));
            StreamLimits::from_element(&element.with_child(child("idle-seconds", idle)))
        };
        let minute = Duration::from_secs(60);
        for (bytes, idle, max, after) in [
            ("50000", "40", 50_000, 30),
            ("999999999999999999", "300", 262_144, 60),
            // Not believed, and not obeyed to the letter.
            ("5", "0", 10_000, 5),
            ("-1", "x", 262_144, 60),
            ("", "18446744073709551615", 262_144, 60),
        ] {
            let limits = limits(bytes, idle);
            assert_eq!(limits.stanza_max(262_144), max, "{bytes}");
            assert_eq!(limits.ping_after(minute).as_secs(), after, "{idle}");
            assert_eq!(StreamLimits::from_element(&limits.to_element()), limits);
        }
        assert_eq!(StreamLimits::NONE.stanza_max(7), 7);
    }
}
