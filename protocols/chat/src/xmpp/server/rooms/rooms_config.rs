//! Limits and rules of a service of rooms: [`RoomsConfig`].

/// What all rooms of a service have in common.
///
/// | limit | default | when exceeded |
/// |---|---|---|
/// | [`rooms_max`](Self::rooms_max): rooms | 1,000 | `resource-constraint` |
/// | [`rooms_of_member_max`](Self::rooms_of_member_max): rooms that a session is in; rooms that an account has made | 50 | `resource-constraint` |
/// | [`occupants_max`](Self::occupants_max): of a room | 200 | `service-unavailable` |
/// | [`affiliations_max`](Self::affiliations_max): owners, admins, members and outcasts of a room | 1,000 | `resource-constraint` |
/// | [`nick_max`](Self::nick_max): bytes of a nick | 128 | `not-acceptable` |
/// | [`subject_max`](Self::subject_max): bytes of a subject | 4 KiB | `not-acceptable` |
/// | [`message_max`](Self::message_max): bytes of a message to all | 32 KiB | `policy-violation` |
/// | [`presence_max`](Self::presence_max): bytes of the presence of an occupant | 8 KiB | `policy-violation` |
/// | [`history_max`](Self::history_max): messages of a room that are kept in memory | 50 | the oldest go |
/// | [`history_bytes_max`](Self::history_bytes_max): of them all | 128 KiB | the oldest go |
/// | questions of an occupant that wait for answers, and their bytes, fixed | 100, 16 KiB | the oldest is answered with `resource-constraint` |
/// | items of a request, fixed | 100 | `not-acceptable` |
/// | invitations of a message, fixed | 10 | `not-acceptable` |
/// | rooms in the list of the service, fixed | 500 | more are not listed |
///
/// # Examples
///
/// ```
/// use sinew_chat::xmpp::server::rooms::RoomsConfig;
///
/// let config = RoomsConfig::default().occupants_max(50).locks_new_rooms(false);
/// # drop(config);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct RoomsConfig {
    pub(super) name: String,
    pub(super) locks_new_rooms: bool,
    pub(super) rooms_max: usize,
    pub(super) rooms_of_member_max: usize,
    pub(super) occupants_max: usize,
    pub(super) affiliations_max: usize,
    pub(super) nick_max: usize,
    pub(super) subject_max: usize,
    pub(super) message_max: usize,
    pub(super) presence_max: usize,
    pub(super) history_max: usize,
    pub(super) history_bytes_max: usize,
}

/// Most items of a request of moderators, admins and owners.
pub(super) const ITEMS_MAX: usize = 100;
/// Most invitations of a message.
pub(super) const INVITATIONS_MAX: usize = 10;
/// Most rooms in a list.
pub(super) const LISTED_MAX: usize = 500;

impl Default for RoomsConfig {
    fn default() -> Self {
        Self {
            name: "Rooms".to_owned(),
            locks_new_rooms: true,
            rooms_max: 1_000,
            rooms_of_member_max: 50,
            occupants_max: 200,
            affiliations_max: 1_000,
            nick_max: 128,
            subject_max: 4 * 1_024,
            message_max: 32 * 1_024,
            presence_max: 8 * 1_024,
            history_max: 50,
            history_bytes_max: 128 * 1_024,
        }
    }
}

impl RoomsConfig {
    /// What the service is called where it is listed. Default "Rooms".
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Whether a new room is locked until its owner has configured it, or has accepted the defaults (XEP-0045 10.1). Default `true`.
    pub const fn locks_new_rooms(mut self, locks: bool) -> Self {
        self.locks_new_rooms = locks;
        self
    }

    /// Most rooms. Default 1,000.
    pub const fn rooms_max(mut self, max: usize) -> Self {
        self.rooms_max = max;
        self
    }

    /// Most rooms that a session is in, and most rooms that an account has made, also if others own them now. Default 50.
    pub const fn rooms_of_member_max(mut self, max: usize) -> Self {
        self.rooms_of_member_max = max;
        self
    }

    /// Most occupants of a room; owners may say less. Default 200.
    pub const fn occupants_max(mut self, max: usize) -> Self {
        self.occupants_max = max;
        self
    }

    /// Most accounts of which a room knows an affiliation. Default 1,000.
    pub const fn affiliations_max(mut self, max: usize) -> Self {
        self.affiliations_max = max;
        self
    }

    /// Most bytes of a nick. Default 128.
    pub const fn nick_max(mut self, max: usize) -> Self {
        self.nick_max = max;
        self
    }

    /// Most bytes of a subject. Default 4 KiB.
    pub const fn subject_max(mut self, max: usize) -> Self {
        self.subject_max = max;
        self
    }

    /// Most bytes of a message to all occupants. Default 32 KiB.
    pub const fn message_max(mut self, max: usize) -> Self {
        self.message_max = max;
        self
    }

    /// Most bytes of the presence of an occupant, which is kept for those who enter. Default 8 KiB.
    pub const fn presence_max(mut self, max: usize) -> Self {
        self.presence_max = max;
        self
    }

    /// Most messages that a room keeps for those who enter. Default 50.
    pub const fn history_max(mut self, max: usize) -> Self {
        self.history_max = max;
        self
    }

    /// Most bytes of the messages that a room keeps. Default 128 KiB.
    pub const fn history_bytes_max(mut self, max: usize) -> Self {
        self.history_bytes_max = max;
        self
    }
}
