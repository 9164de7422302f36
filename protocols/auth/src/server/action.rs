//! What an exchange wants next: [`Action`].

use crate::{Credentials, ScramHash};

/// What happens next.
pub(super) enum Action {
    /// The client gets this.
    Challenge(Vec<u8>),
    /// These are checked. [`Exchange::refusal`](super::exchange::Exchange::refusal) says what happens if they are wrong.
    Check(Credentials),
    /// The keys of this user are given to [`Exchange::keys`](super::exchange::Exchange::keys).
    ScramKeys(String, ScramHash),
    /// The password of this user is given to [`Exchange::password`](super::exchange::Exchange::password).
    Password(String),
    /// It is this user, and this is to be sent, unless there were [too many failures](crate::Authenticator::judge).
    Accept(String, Option<Vec<u8>>),
    /// It is not this user.
    Refuse(String),
}
