//! What a server offers on a new stream: [`StreamFeatures`].

use super::{Element, StreamLimits, ns};

/// Most mechanisms that are remembered.
const MECHANISMS_MAX: usize = 64;

/// The features of a stream (RFC 6120 4.3.2), as far as this crate knows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamFeatures {
    /// STARTTLS is offered.
    pub has_starttls: bool,
    /// STARTTLS has to be used.
    pub requires_starttls: bool,
    /// The mechanisms of logins.
    pub mechanisms: Vec<String>,
    /// The types of channel bindings, if the server says them (XEP-0440).
    pub channel_bindings: Option<Vec<String>>,
    /// A resource can be bound.
    pub has_bind: bool,
    /// A session of RFC 3921 must be asked for.
    pub requires_session: bool,
    /// Stream management is there.
    pub has_stream_management: bool,
    /// The server wants to know whether somebody looks at the client (XEP-0352).
    pub has_client_state: bool,
    /// What the server accepts (XEP-0478).
    pub limits: StreamLimits,
}

impl StreamFeatures {
    /// Reads `<stream:features/>`; `None` if it is something else.
    #[must_use]
    pub fn from_element(features: &Element) -> Option<Self> {
        if !features.is("features", ns::STREAMS) {
            return None;
        }
        let mut found = Self::default();
        for feature in features.children() {
            match (feature.ns(), feature.name()) {
                (ns::TLS, "starttls") => {
                    found.has_starttls = true;
                    found.requires_starttls = feature.child("required", ns::TLS).is_some();
                }
                (ns::SASL, "mechanisms") => {
                    let names = feature.children().filter(|name| name.is("mechanism", ns::SASL));
                    found.mechanisms = names.take(MECHANISMS_MAX).map(Element::text).collect();
                }
                (ns::CHANNEL_BINDING, "sasl-channel-binding") => {
                    let types = feature.children().filter_map(|kind| kind.attribute("type"));
                    let types = types.take(MECHANISMS_MAX).map(str::to_owned).collect();
                    found.channel_bindings = Some(types);
                }
                (ns::BIND, "bind") => found.has_bind = true,
                (ns::SESSION, "session") => {
                    found.requires_session = feature.child("optional", ns::SESSION).is_none();
                }
                (ns::STREAM_LIMITS, "limits") => found.limits = StreamLimits::from_element(feature),
                (ns::CLIENT_STATE, "csi") => found.has_client_state = true,
                (ns::STREAM_MANAGEMENT, "sm") => found.has_stream_management = true,
                _ => {}
            }
        }
        Some(found)
    }
}
