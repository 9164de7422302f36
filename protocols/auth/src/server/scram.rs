//! SCRAM at a server (RFC 5802): [`ScramExchange`]. Pure. The steps are the same for a user who does not exist.

use std::mem;

use super::action::Action;
use crate::{
    ChannelBinding, SaslError, ScramHash, ScramKeys,
    codec::{
        gs2::BindingFlag,
        scram::{ClientFinal, ClientFirst, ServerFinal, ServerFirst},
    },
};

/// One exchange.
pub(super) struct ScramExchange {
    hash: ScramHash,
    /// Whether the mechanism is one with channel binding.
    is_bound: bool,
    /// Whether such a mechanism is offered on this connection.
    offers_binding: bool,
    bindings: Vec<ChannelBinding>,
    nonce: String,
    pub(super) authorize_as: Option<String>,
    state: State,
}

enum State {
    First,
    /// The keys are asked for.
    Keys(First),
    Final(First, ScramKeys),
    Over,
}

/// What the first messages have said.
struct First {
    user: String,
    /// What `c=` has to be.
    binding: Vec<u8>,
    /// The nonces of both ends.
    nonce: String,
    /// The messages so far, which are signed.
    signed: String,
}

impl ScramExchange {
    pub(super) const fn new(
        hash: ScramHash,
        is_bound: bool,
        offers_binding: bool,
        bindings: Vec<ChannelBinding>,
        nonce: String,
    ) -> Self {
        let (authorize_as, state) = (None, State::First);
        Self { hash, is_bound, offers_binding, bindings, nonce, authorize_as, state }
    }

    pub(super) fn respond(&mut self, message: &[u8]) -> Result<Action, SaslError> {
        match mem::replace(&mut self.state, State::Over) {
            State::First => self.first(message),
            State::Final(first, keys) => last(message, first, &keys),
            State::Keys(_) | State::Over => Err(SaslError::OutOfOrder),
        }
    }

    fn first(&mut self, message: &[u8]) -> Result<Action, SaslError> {
        let message = ClientFirst::decode(message)?;
        let mut binding = message.header_text.as_bytes().to_vec();
        match message.header.flag {
            BindingFlag::Used(name) if self.is_bound => {
                let known = self.bindings.iter().find(|binding| binding.name() == name);
                binding.extend_from_slice(known.ok_or(SaslError::ChannelBinding)?.data());
            }
            // The client could, and has not seen that we offer it: somebody has taken it out of the list (RFC 5802 6).
            BindingFlag::NotOffered if self.offers_binding && !self.is_bound => {
                return Err(SaslError::ChannelBinding);
            }
            BindingFlag::None | BindingFlag::NotOffered if !self.is_bound => {}
            _ => return Err(SaslError::Malformed("its header is for another mechanism")),
        }
        let first = First {
            user: message.user.clone(),
            binding,
            nonce: format!("{}{}", message.nonce, self.nonce),
            signed: message.bare.to_owned(),
        };
        self.authorize_as = message.header.authorize_as;
        self.state = State::Keys(first);
        Ok(Action::ScramKeys(message.user, self.hash))
    }

    pub(super) fn keys(&mut self, keys: ScramKeys) -> Result<Action, SaslError> {
        let State::Keys(mut first) = mem::replace(&mut self.state, State::Over) else {
            return Err(SaslError::OutOfOrder);
        };
        let challenge = ServerFirst::encode(&first.nonce, &keys.salt, keys.iterations);
        first.signed = format!("{},{challenge}", first.signed);
        self.state = State::Final(first, keys);
        Ok(Action::Challenge(challenge.into_bytes()))
    }
}

fn last(message: &[u8], first: First, keys: &ScramKeys) -> Result<Action, SaslError> {
    let message = ClientFinal::decode(message)?;
    if message.nonce != first.nonce {
        return Err(SaslError::Malformed("the nonce"));
    }
    if message.binding != first.binding {
        return Err(SaslError::ChannelBinding);
    }
    let signed = format!("{},{}", first.signed, message.without_proof);
    // Made for a wrong proof, too: after too many failures, the time must not tell which it was.
    let last = ServerFinal::encode(keys.sign(&signed).bytes()).into_bytes();
    Ok(match keys.accepts(&signed, &message.proof) {
        true => Action::Accept(first.user, Some(last)),
        false => Action::Refuse(first.user),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of RFC 5802 5 and RFC 7677 3.
    #[test]
    fn examples_of_the_standards() {
        let cases = [
            (
                ScramHash::Sha1,
                "QSXCR+Q6sek8bf92",
                "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
                "3rfcNHYJY1ZVvWVs7j",
                "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
                "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
                "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
            ),
            (
                ScramHash::Sha256,
                "W22ZaJ0SNY7soEsUEjb6gQ==",
                "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
                "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
                "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
                "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
                "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
            ),
        ];
        for (hash, salt, first, nonce, challenge, last, end) in cases {
            let salt = data_encoding::BASE64.decode(salt.as_bytes()).unwrap();
            let keys = ScramKeys::derive(hash, b"pencil", &salt, 4096);
            let mut scram = ScramExchange::new(hash, false, false, Vec::new(), nonce.to_owned());
            let asked = scram.respond(first.as_bytes()).unwrap();
            assert!(matches!(asked, Action::ScramKeys(user, _) if user == "user"));
            let Action::Challenge(found) = scram.keys(keys).unwrap() else {
                panic!("no challenge")
            };
            assert_eq!(String::from_utf8(found).unwrap(), challenge);
            let Action::Accept(user, Some(found)) = scram.respond(last.as_bytes()).unwrap() else {
                panic!("not accepted")
            };
            assert_eq!((&*user, &*String::from_utf8(found).unwrap()), ("user", end));
            assert!(scram.respond(last.as_bytes()).is_err(), "once");
        }
    }
}
