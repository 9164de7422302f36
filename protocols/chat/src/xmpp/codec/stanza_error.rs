//! Errors of stanzas (RFC 6120 8.3): [`StanzaError`], [`StanzaCondition`], [`ErrorKind`].

use std::fmt;

use sinew_transports::reactor::Excerpt;

use super::{Element, ns};

macro_rules! words {
    ($(#[$outer:meta])* $name:ident { $($(#[$inner:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$outer])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$inner])* $variant,)*
        }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its word in XML.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }

            /// What a word of XML stands for.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}
pub(super) use words;

words! {
    /// What may help after an error (RFC 6120 8.3.2).
    ErrorKind {
        /// Try again with other credentials.
        Auth = "auth",
        /// Do not try again.
        Cancel = "cancel",
        /// It was a warning.
        Continue = "continue",
        /// Try again with other data.
        Modify = "modify",
        /// Try again later.
        Wait = "wait",
    }
}

words! {
    /// What is wrong with a stanza (RFC 6120 8.3.3).
    StanzaCondition {
        /// It cannot be understood.
        BadRequest = "bad-request",
        /// Something of that name is there.
        Conflict = "conflict",
        /// It is not implemented.
        FeatureNotImplemented = "feature-not-implemented",
        /// It is not allowed to this entity.
        Forbidden = "forbidden",
        /// The recipient has another address now.
        Gone = "gone",
        /// The server has failed.
        InternalServerError = "internal-server-error",
        /// There is no such thing.
        ItemNotFound = "item-not-found",
        /// An address is none.
        JidMalformed = "jid-malformed",
        /// It does not fulfil a condition.
        NotAcceptable = "not-acceptable",
        /// It is not allowed to anybody.
        NotAllowed = "not-allowed",
        /// A login is needed first.
        NotAuthorized = "not-authorized",
        /// A policy of the service is violated.
        PolicyViolation = "policy-violation",
        /// The recipient is not there now.
        RecipientUnavailable = "recipient-unavailable",
        /// The recipient has another address for now.
        Redirect = "redirect",
        /// A registration is needed first.
        RegistrationRequired = "registration-required",
        /// There is no such server.
        RemoteServerNotFound = "remote-server-not-found",
        /// A server did not answer in time.
        RemoteServerTimeout = "remote-server-timeout",
        /// There is too much of something.
        ResourceConstraint = "resource-constraint",
        /// The service is not there.
        ServiceUnavailable = "service-unavailable",
        /// A subscription is needed first.
        SubscriptionRequired = "subscription-required",
        /// None of the others.
        UndefinedCondition = "undefined-condition",
        /// It came when it was not expected.
        UnexpectedRequest = "unexpected-request",
    }
}

/// Why a stanza was not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StanzaError {
    /// What may help.
    pub kind: ErrorKind,
    /// What is wrong.
    pub condition: StanzaCondition,
    /// The same in words, for people.
    pub text: Option<String>,
    /// The same in the words of an application.
    pub application: Option<Element>,
}

impl StanzaError {
    /// An error without words.
    #[must_use]
    pub const fn new(kind: ErrorKind, condition: StanzaCondition) -> Self {
        Self { kind, condition, text: None, application: None }
    }

    /// The answer to what nobody here knows.
    #[must_use]
    pub const fn service_unavailable() -> Self {
        Self::new(ErrorKind::Cancel, StanzaCondition::ServiceUnavailable)
    }

    /// Says it in words as well.
    #[must_use]
    pub fn with_text(mut self, text: impl Into<String>) -> Self {
        self.text = Some(text.into());
        self
    }

    /// The error in a stanza, in the namespace of the stanza. What it does not say is an undefined condition.
    #[must_use]
    pub fn of(stanza: &Element) -> Self {
        let undefined = Self::new(ErrorKind::Cancel, StanzaCondition::UndefinedCondition);
        let Some(error) = stanza.child("error", stanza.ns()) else { return undefined };
        let kind = error.attribute("type").and_then(ErrorKind::from_word);
        let mut found = Self { kind: kind.unwrap_or(ErrorKind::Cancel), ..undefined };
        for child in error.children() {
            match (child.ns(), child.name()) {
                (ns::STANZA_ERRORS, "text") => found.text = Some(child.text()),
                (ns::STANZA_ERRORS, word) => {
                    found.condition = StanzaCondition::from_word(word).unwrap_or(found.condition);
                }
                _ => found.application = Some(child.clone()),
            }
        }
        found
    }

    /// The element `<error/>`, in this namespace.
    #[must_use]
    pub fn to_element(&self, within: &str) -> Element {
        let condition = Element::new(self.condition.as_str(), ns::STANZA_ERRORS);
        let mut error = Element::new("error", within)
            .with_attribute("type", self.kind.as_str())
            .with_child(condition);
        if let Some(text) = &self.text {
            error.push(Element::new("text", ns::STANZA_ERRORS).with_text(text.as_str()));
        }
        if let Some(application) = &self.application {
            error.push(application.clone());
        }
        error
    }
}

impl fmt::Display for StanzaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.condition)?;
        match &self.text {
            Some(text) => write!(f, " ({})", Excerpt::new(text)),
            None => Ok(()),
        }
    }
}
