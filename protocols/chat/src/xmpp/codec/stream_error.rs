//! Errors of streams (RFC 6120 4.9): [`StreamError`], [`StreamCondition`].

use std::fmt;

use sinew_transports::reactor::Excerpt;

use super::{Element, ns, stanza_error::words};

words! {
    /// Why a stream is over (RFC 6120 4.9.3).
    StreamCondition {
        /// XML that cannot be processed.
        BadFormat = "bad-format",
        /// A prefix that is not known.
        BadNamespacePrefix = "bad-namespace-prefix",
        /// Another stream has taken its place.
        Conflict = "conflict",
        /// Nothing was received for too long.
        ConnectionTimeout = "connection-timeout",
        /// The domain is not served here any more.
        HostGone = "host-gone",
        /// The domain is not served here.
        HostUnknown = "host-unknown",
        /// A stanza without the address that it needs.
        ImproperAddressing = "improper-addressing",
        /// The server has failed.
        InternalServerError = "internal-server-error",
        /// A sender that is not who it says.
        InvalidFrom = "invalid-from",
        /// A namespace that is not that of a stream.
        InvalidNamespace = "invalid-namespace",
        /// XML that is not valid.
        InvalidXml = "invalid-xml",
        /// A login is needed first.
        NotAuthorized = "not-authorized",
        /// It is not XML.
        NotWellFormed = "not-well-formed",
        /// A policy of the service is violated.
        PolicyViolation = "policy-violation",
        /// Another server cannot be reached.
        RemoteConnectionFailed = "remote-connection-failed",
        /// It is time for a new connection.
        Reset = "reset",
        /// There is too much of something.
        ResourceConstraint = "resource-constraint",
        /// XML that must not be in streams.
        RestrictedXml = "restricted-xml",
        /// Another host serves the domain.
        SeeOtherHost = "see-other-host",
        /// The server ends.
        SystemShutdown = "system-shutdown",
        /// None of the others.
        UndefinedCondition = "undefined-condition",
        /// Another encoding than UTF-8.
        UnsupportedEncoding = "unsupported-encoding",
        /// A feature that must be there is not known.
        UnsupportedFeature = "unsupported-feature",
        /// An element below the stream that is no stanza.
        UnsupportedStanzaType = "unsupported-stanza-type",
        /// Another version of XMPP.
        UnsupportedVersion = "unsupported-version",
    }
}

/// The last that is said on a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamError {
    /// Why.
    pub condition: StreamCondition,
    /// The same in words, for people.
    pub text: Option<String>,
    /// For [`SeeOtherHost`](StreamCondition::SeeOtherHost), where to go.
    pub other_host: Option<String>,
    /// What an extension says of it (RFC 6120 4.9.4).
    pub application: Option<Box<Element>>,
}

impl StreamError {
    /// An error without words.
    #[must_use]
    pub const fn new(condition: StreamCondition) -> Self {
        Self { condition, text: None, other_host: None, application: None }
    }

    /// The other end has acknowledged more stanzas than were sent to it (XEP-0198 4).
    pub(in crate::xmpp) fn handled_too_many(handled: u32, sent: u32) -> Self {
        let mut error = Self::new(StreamCondition::UndefinedCondition);
        let application = Element::new("handled-count-too-high", ns::STREAM_MANAGEMENT)
            .with_attribute("h", handled.to_string())
            .with_attribute("send-count", sent.to_string());
        error.application = Some(Box::new(application));
        error.text = Some(format!("{handled} stanzas are acknowledged, and {sent} were sent"));
        error
    }

    /// What `<stream:error/>` says.
    #[must_use]
    pub fn from_element(error: &Element) -> Self {
        let mut found = Self::new(StreamCondition::UndefinedCondition);
        let application = error.children().find(|child| child.ns() != ns::STREAM_ERRORS);
        found.application = application.cloned().map(Box::new);
        for child in error.children().filter(|child| child.ns() == ns::STREAM_ERRORS) {
            match child.name() {
                "text" => found.text = Some(child.text()),
                word => {
                    found.condition = StreamCondition::from_word(word).unwrap_or(found.condition);
                    if found.condition == StreamCondition::SeeOtherHost {
                        found.other_host = Some(child.text()).filter(|host| !host.is_empty());
                    }
                }
            }
        }
        found
    }

    /// The element `<error/>` of a stream.
    #[must_use]
    pub fn to_element(&self) -> Element {
        let mut condition = Element::new(self.condition.as_str(), ns::STREAM_ERRORS);
        if let Some(host) = &self.other_host {
            condition = condition.with_text(host.as_str());
        }
        let mut error = Element::new("error", ns::STREAMS).with_child(condition);
        if let Some(text) = &self.text {
            error.push(Element::new("text", ns::STREAM_ERRORS).with_text(text.as_str()));
        }
        if let Some(application) = &self.application {
            error.push((**application).clone());
        }
        error
    }
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.condition)?;
        match (&self.other_host, &self.text) {
            (Some(host), _) => write!(f, " ({})", Excerpt::new(host)),
            (None, Some(text)) => write!(f, " ({})", Excerpt::new(text)),
            (None, None) => Ok(()),
        }
    }
}
