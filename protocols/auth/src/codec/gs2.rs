//! The header that SCRAM and OAUTHBEARER messages begin with (RFC 5801 4): [`Gs2Header`].

use super::names::{USER_MAX, prepare_user};
use crate::SaslError;

/// What a client says about channel binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BindingFlag<'a> {
    /// `n`: it does not support it.
    None,
    /// `y`: it does, but thinks that the server does not.
    NotOffered,
    /// `p=`: this one is used.
    Used(&'a str),
}

/// `flag "," ["a=" name] ","`.
#[derive(Debug)]
pub(crate) struct Gs2Header<'a> {
    pub(crate) flag: BindingFlag<'a>,
    pub(crate) authorize_as: Option<String>,
}

impl<'a> Gs2Header<'a> {
    /// Splits a message into its header, the text of that, and the rest.
    pub(crate) fn split(message: &'a str) -> Result<(Self, &'a str, &'a str), SaslError> {
        let malformed = SaslError::Malformed("its header");
        let mut parts = message.splitn(3, ',');
        let (Some(flag), Some(name), Some(rest)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(malformed);
        };
        let flag = match flag {
            "n" => BindingFlag::None,
            "y" => BindingFlag::NotOffered,
            _ => match flag.strip_prefix("p=") {
                Some(name) if is_binding_name(name) => BindingFlag::Used(name),
                _ => return Err(malformed),
            },
        };
        let authorize_as = match name.strip_prefix("a=") {
            Some(name) => Some(decode_name(name)?),
            None if name.is_empty() => None,
            None => return Err(malformed),
        };
        let header = &message[..message.len() - rest.len()];
        Ok((Self { flag, authorize_as }, header, rest))
    }

    /// The text of a header.
    pub(crate) fn encode(flag: BindingFlag<'_>, authorize_as: Option<&str>) -> String {
        let mut header = match flag {
            BindingFlag::None => "n,".to_owned(),
            BindingFlag::NotOffered => "y,".to_owned(),
            BindingFlag::Used(name) => format!("p={name},"),
        };
        if let Some(name) = authorize_as {
            header += "a=";
            header += &encode_name(name);
        }
        header + ","
    }
}

/// RFC 5056 7: letters, digits, points and hyphens.
fn is_binding_name(name: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    !name.is_empty() && name.bytes().all(is_letter)
}

/// A name, in which `=2C` stands for a comma and `=3D` for the sign of equality (RFC 5802 5.1), in its canonical form.
pub(crate) fn decode_name(text: &str) -> Result<String, SaslError> {
    let malformed = || SaslError::Malformed("the name of the user");
    // Three bytes stand for one.
    if text.len() > 3 * USER_MAX {
        return Err(malformed());
    }
    let mut pieces = text.split('=');
    let mut name = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (sign, rest) = match (piece.strip_prefix("2C"), piece.strip_prefix("3D")) {
            (Some(rest), _) => (',', rest),
            (None, Some(rest)) => ('=', rest),
            (None, None) => return Err(malformed()),
        };
        name.push(sign);
        name += rest;
    }
    prepare_user(&name)
}

pub(crate) fn encode_name(name: &str) -> String {
    name.replace('=', "=3D").replace(',', "=2C")
}
