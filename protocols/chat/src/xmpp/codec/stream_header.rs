//! What the header of a stream says of the stream (RFC 6120 4.7.5, 4.8): its namespaces and its version. Pure.

use super::{Element, ns};

/// The version of a stream without one (RFC 6120 4.7.5).
const OLD: StreamVersion = StreamVersion { major: 0, minor: 9 };

/// A version of XMPP. Its numbers are compared as numbers: 1.10 comes after 1.9.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::xmpp) struct StreamVersion {
    major: u32,
    minor: u32,
}

impl StreamVersion {
    /// The version that a header says, [`OLD`] if it says none; `None` if what it says is no version.
    fn of(header: &Element) -> Option<Self> {
        let Some(version) = header.attribute("version") else { return Some(OLD) };
        let (major, minor) = version.split_once('.')?;
        // A sign is not a digit, though `parse` takes one.
        let number = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
            true => text.parse().ok(),
            false => None,
        };
        Some(Self { major: number(major)?, minor: number(minor)? })
    }

    /// Whether the peer can speak XMPP 1.0. One of a later version is told 1.0, and decides itself whether to go on.
    pub(in crate::xmpp) fn is_supported(header: &Element) -> bool {
        Self::of(header).is_some_and(|version| version.major >= 1)
    }

    /// Whether a header gets an answer without a version: it has none, or an older one than 1.0.
    pub(in crate::xmpp) fn is_old(header: &Element) -> bool {
        Self::of(header).is_some_and(|version| version <= OLD)
    }
}

/// Whether a header is that of a stream, whose stanzas may be of this namespace (RFC 6120 4.8.2, 4.9.3.10). `default` is the namespace of
/// names without a prefix below the header. If that is none, or the one of streams, each stanza declares its own.
pub(in crate::xmpp) fn has_namespaces(header: &Element, default: &str, content: &str) -> bool {
    header.is("stream", ns::STREAMS) && (default == content || matches!(default, "" | ns::STREAMS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        for (version, is_supported, is_old) in [
            (None, false, true),
            (Some("0.9"), false, true),
            (Some("0.10"), false, false),
            (Some("1.0"), true, false),
            (Some("01.00"), true, false),
            (Some("1.10"), true, false),
            (Some("10.0"), true, false),
            (Some("2.0"), true, false),
            (Some(""), false, false),
            (Some("1"), false, false),
            (Some("+1.0"), false, false),
            (Some("1.0.0"), false, false),
            (Some("99999999999.0"), false, false),
        ] {
            let mut header = Element::new("stream", ns::STREAMS);
            if let Some(version) = version {
                header.set_attribute("version", version);
            }
            let found = (StreamVersion::is_supported(&header), StreamVersion::is_old(&header));
            assert_eq!(found, (is_supported, is_old), "{version:?}");
        }
    }
}
