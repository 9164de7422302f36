//! Who may do what in a room: [`Affiliation`], which lasts, and [`Role`], which lasts until the occupant leaves. Tables only, pure.
//!
//! | | may | role on entry |
//! |---|---|---|
//! | owner | all: the configuration, all affiliations, the end of the room | moderator |
//! | admin | ban, and make and unmake members; roles | moderator |
//! | member | enter a room for members | participant |
//! | none | enter other rooms | participant; visitor in a moderated room |
//! | outcast | nothing | |
//!
//! | | may |
//! |---|---|
//! | moderator | kick; give and take voice; see the addresses of occupants |
//! | participant | speak |
//! | visitor | listen |

/// The lasting relation of an account to a room (XEP-0045 5.2). Compared by rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Affiliation {
    /// Banned.
    Outcast,
    /// None of the others.
    None,
    /// May enter a room for members.
    Member,
    /// Decides who is a member, and who is banned.
    Admin,
    /// Decides everything.
    Owner,
}

/// What an occupant may do in a room now (XEP-0045 5.1). Compared by rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Role {
    /// Not in the room.
    None,
    /// May listen.
    Visitor,
    /// May speak.
    Participant,
    /// Decides who may speak, and who may stay.
    Moderator,
}

impl Affiliation {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Outcast, Self::None, Self::Member, Self::Admin, Self::Owner];

    /// Its word in XML.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Outcast => "outcast",
            Self::None => "none",
            Self::Member => "member",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    /// What a word of XML stands for.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == word)
    }

    /// The role on entry.
    #[must_use]
    pub const fn role(self, is_moderated: bool) -> Role {
        match self {
            Self::Owner | Self::Admin => Role::Moderator,
            Self::Member => Role::Participant,
            Self::None if is_moderated => Role::Visitor,
            Self::None => Role::Participant,
            Self::Outcast => Role::None,
        }
    }

    /// Whether somebody with this affiliation may change that of somebody else, from one to another: owners everything, admins what is
    /// below them (XEP-0045 5.2.1).
    #[must_use]
    pub fn may_change(self, from: Self, to: Self) -> bool {
        match self {
            Self::Owner => true,
            Self::Admin => from < Self::Admin && to < Self::Admin,
            _ => false,
        }
    }

    /// Whether a moderator with this affiliation may change the role of an occupant with that one, from one to another: of nobody above,
    /// of admins and owners of nobody beside; and only admins make and unmake moderators (XEP-0045 5.1.1, 8.2, 9.6).
    #[must_use]
    pub fn may_change_role(self, of: Self, from: Role, to: Role) -> bool {
        let is_below = of < self || (of == self && of < Self::Admin);
        let is_of_moderators = from == Role::Moderator || to == Role::Moderator;
        // Admins and owners are moderators as long as they are in the room.
        let is_fixed = of >= Self::Admin && to != Role::None;
        is_below && !is_fixed && (!is_of_moderators || self >= Self::Admin)
    }
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::None, Self::Visitor, Self::Participant, Self::Moderator];

    /// Its word in XML.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Visitor => "visitor",
            Self::Participant => "participant",
            Self::Moderator => "moderator",
        }
    }

    /// What a word of XML stands for.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::{Affiliation as A, Role as R};

    #[test]
    fn who_changes_which_affiliation() {
        for (who, from, to, expected) in [
            (A::Owner, A::Owner, A::Outcast, true),
            (A::Admin, A::None, A::Outcast, true),
            (A::Admin, A::Outcast, A::Member, true),
            (A::Admin, A::Member, A::Admin, false),
            (A::Admin, A::Admin, A::None, false),
            (A::Admin, A::Owner, A::None, false),
            (A::Member, A::None, A::Member, false),
            (A::None, A::None, A::Owner, false),
        ] {
            assert_eq!(who.may_change(from, to), expected, "{who:?}: {from:?} to {to:?}");
        }
    }

    #[test]
    fn who_changes_which_role() {
        for (who, of, from, to, expected) in [
            (A::None, A::None, R::Participant, R::None, true),
            (A::None, A::Member, R::Participant, R::None, false),
            (A::None, A::None, R::Moderator, R::Visitor, false),
            (A::None, A::None, R::Visitor, R::Moderator, false),
            (A::Admin, A::None, R::Visitor, R::Moderator, true),
            (A::Admin, A::Member, R::Moderator, R::Visitor, true),
            (A::Admin, A::Admin, R::Moderator, R::None, false),
            (A::Owner, A::Admin, R::Moderator, R::None, true),
            (A::Owner, A::Admin, R::Moderator, R::Visitor, false),
            (A::Owner, A::Owner, R::Moderator, R::None, false),
        ] {
            let found = who.may_change_role(of, from, to);
            assert_eq!(found, expected, "{who:?} of {of:?}: {from:?} to {to:?}");
        }
    }

    #[test]
    fn words_are_theirs() {
        for affiliation in A::ALL {
            assert_eq!(A::from_word(affiliation.as_str()), Some(affiliation));
        }
        for role in R::ALL {
            assert_eq!(R::from_word(role.as_str()), Some(role));
        }
    }
}
