//! What a client may say when (RFC 3501 3): [`Phase`].
//!
//! | command | before the login | after it | with a mailbox |
//! |---|---|---|---|
//! | CAPABILITY, NOOP, LOGOUT, ID | yes | yes | yes |
//! | STARTTLS, LOGIN, AUTHENTICATE | yes | no | no |
//! | SELECT, EXAMINE, CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE, LIST, LSUB, STATUS, APPEND, NAMESPACE, ENABLE, IDLE | no | yes | yes |
//! | CHECK, CLOSE, UNSELECT, EXPUNGE, SEARCH, FETCH, STORE, COPY, MOVE | no | no | yes |
//!
//! What is not allowed is answered with `BAD` and changes nothing. `BAD`, too, for commands that are known but not offered.

use crate::imap::codec::CommandBody;

/// How far a session has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    #[default]
    BeforeLogin,
    LoggedIn,
    Selected,
}

impl Phase {
    /// Whether a command is allowed now.
    pub(super) fn allows(self, command: &CommandBody) -> bool {
        match command {
            CommandBody::Capability
            | CommandBody::Noop
            | CommandBody::Logout
            | CommandBody::Id(_) => true,
            CommandBody::StartTls
            | CommandBody::Login { .. }
            | CommandBody::Authenticate { .. } => self == Self::BeforeLogin,
            CommandBody::Check
            | CommandBody::Close
            | CommandBody::Unselect
            | CommandBody::Expunge(_)
            | CommandBody::Search(_)
            | CommandBody::Fetch(_)
            | CommandBody::Store(_)
            | CommandBody::Copy(_)
            | CommandBody::Move(_) => self == Self::Selected,
            _ => self != Self::BeforeLogin,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::codec::{Command, Dialect, Message};

    #[test]
    fn every_command_in_every_phase() {
        let cases = [
            ("CAPABILITY NOOP LOGOUT ID_NIL", [true, true, true]),
            ("STARTTLS LOGIN_a_b AUTHENTICATE_PLAIN", [true, false, false]),
            (
                "SELECT_a EXAMINE_a CREATE_a DELETE_a RENAME_a_b SUBSCRIBE_a UNSUBSCRIBE_a LIST_a_b LSUB_a_b STATUS_a_(MESSAGES) \
                 NAMESPACE ENABLE_X IDLE COMPRESS_DEFLATE",
                [false, true, true],
            ),
            (
                "CHECK CLOSE UNSELECT EXPUNGE UID_EXPUNGE_1 SEARCH_ALL UID_SEARCH_ALL FETCH_1_ALL UID_FETCH_1_FAST STORE_1_FLAGS_() \
                 UID_STORE_1_FLAGS_() COPY_1_a UID_COPY_1_a MOVE_1_a UID_MOVE_1_a",
                [false, false, true],
            ),
        ];
        for (commands, allowed) in cases {
            for text in commands.split_whitespace() {
                let message = Message::new(format!("a {}", text.replace('_', " ")));
                let command = Command::parse(&message, Dialect::default()).expect(text);
                let found = [Phase::BeforeLogin, Phase::LoggedIn, Phase::Selected]
                    .map(|phase| phase.allows(&command.body));
                assert_eq!(found, allowed, "{text}");
            }
        }
    }
}
