//! The login of a client: one exchange of SASL (RFC 6120 6).

use data_encoding::BASE64;
use sinew_auth::{Channel, Mechanism, SaslClient, SaslError};
use sinew_transports::Transport;

use super::{XmppClient, XmppError, connection::Next, state::Phase};
use crate::xmpp::codec::{Element, StreamFeatures, ns};

/// The channel binding that a client has.
const BINDING: &str = "tls-server-end-point";

impl XmppClient {
    pub(super) fn begin_login(&self, transport: &Transport, features: &StreamFeatures) {
        let sasl = match self.choose(&Channel::of(transport), features) {
            Ok(sasl) => sasl,
            Err(error) => return self.fail(transport, error.into()),
        };
        let now = sasl.mechanism();
        let pinned = *self.0.pinned.borrow();
        if let Some(before) = pinned.filter(|before| rank(now) > rank(*before)) {
            return self.fail(transport, XmppError::Downgraded { before, now });
        }
        let initial = match sasl.initial_encoded() {
            Ok(initial) => initial,
            Err(error) => return self.fail(transport, error.into()),
        };
        let mut auth = Element::new("auth", ns::SASL).with_attribute("mechanism", now.name());
        if let Some(initial) = initial {
            auth = auth.with_text(initial);
        }
        let mut link = self.0.link.borrow_mut();
        link.login = Some(sasl);
        link.phase = Phase::LoggingIn;
        drop(link);
        self.write(transport, &auth);
    }

    /// The best mechanism that both have. Bindings differ: one that the server does not have would make the login fail, so a login is
    /// bound only if the server says that it has this one (XEP-0440), or if nothing else is allowed. Otherwise the exchange says that
    /// the client has none. Where no login can be bound, it says that the server has none: so the server knows if somebody between
    /// has taken that away.
    fn choose(
        &self,
        channel: &Channel,
        features: &StreamFeatures,
    ) -> Result<SaslClient, SaslError> {
        let (login, all) = (&self.0.config.login, &features.mechanisms);
        let is_usable = match &features.channel_bindings {
            Some(types) => types.iter().any(|name| name == BINDING),
            None => !all.iter().any(|name| name.ends_with("-PLUS")),
        };
        if is_usable {
            return login.choose(all, channel);
        }
        let unbound = Channel::new().encrypted(channel.is_encrypted());
        let chosen = login.choose(without_binding(all), &unbound);
        match chosen {
            Err(SaslError::NoCommonMechanism) if features.channel_bindings.is_none() => {
                login.choose(all, channel)
            }
            chosen => chosen,
        }
    }

    /// An element while the client logs in.
    pub(super) fn login_received(&self, transport: &Transport, element: &Element) -> Next {
        match element.name() {
            _ if element.ns() != ns::SASL => self.unexpected(transport, "no answer to a login"),
            "challenge" => self.challenged(transport, element.text()),
            "success" => return self.logged_in(transport, element.text().trim()),
            "failure" => {
                if let Some(sasl) = self.0.link.borrow_mut().login.take() {
                    sasl.refused();
                }
                let condition = element.children().find(|child| child.name() != "text");
                let text = element.child("text", ns::SASL).map(Element::text);
                let error = XmppError::LoginRefused {
                    condition: condition.map(|word| word.name().to_owned()).unwrap_or_default(),
                    text: text.unwrap_or_default(),
                };
                self.fail(transport, error);
            }
            _ => self.unexpected(transport, "no answer to a login"),
        }
        Next::Element
    }

    fn challenged(&self, transport: &Transport, challenge: String) {
        let link = self.0.link.borrow();
        let (Some(sasl), generation) = (link.login.clone(), link.generation) else { return };
        drop(link);
        let Some(reactor) = self.0.reactor.upgrade() else { return };
        let (this, transport) = (self.clone(), transport.clone());
        // `=` is a challenge without data (RFC 6120 6.4.2).
        let challenge = match challenge.trim() {
            "=" => "",
            challenge => challenge,
        };
        let response = sasl.respond_encoded(&reactor, challenge.as_bytes());
        response.then(move |_, response| {
            let link = this.0.link.borrow();
            let is_over = link.generation != generation || link.phase != Phase::LoggingIn;
            drop(link);
            match response {
                _ if is_over => {}
                Ok(response) => {
                    this.write(&transport, &Element::new("response", ns::SASL).with_text(response));
                }
                Err(error) => {
                    this.write(&transport, &Element::new("abort", ns::SASL));
                    this.fail(&transport, error.into());
                }
            }
        });
    }

    fn logged_in(&self, transport: &Transport, data: &str) -> Next {
        let login = self.0.link.borrow_mut().login.take();
        let data = match data {
            "" => Ok(None),
            "=" => Ok(Some(Vec::new())),
            data => BASE64.decode(data.as_bytes()).map(Some),
        };
        let (Some(sasl), Ok(data)) = (login, data) else {
            self.unexpected(transport, "a success without a login");
            return Next::Element;
        };
        if let Err(error) = sasl.finish(data.as_deref()) {
            self.fail(transport, error.into());
            return Next::Element;
        }
        *self.0.pinned.borrow_mut() = Some(sasl.mechanism());
        self.0.link.borrow_mut().is_logged_in = true;
        Next::Stream
    }
}

fn without_binding(offered: &[String]) -> Vec<String> {
    let names = offered.iter().filter(|name| !name.ends_with("-PLUS"));
    names.cloned().collect()
}

/// The best one is 0.
fn rank(mechanism: Mechanism) -> usize {
    let mut all = Mechanism::ALL.into_iter();
    all.position(|known| known == mechanism).unwrap_or(usize::MAX)
}
