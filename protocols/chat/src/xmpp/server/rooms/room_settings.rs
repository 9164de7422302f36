//! How a room is configured: [`RoomSettings`], and the form in which owners do it (XEP-0045 10.2). Pure.

use super::form::{Form, boolean};
use crate::xmpp::codec::{Element, ns};

/// Who may write to single occupants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PrivateMessages {
    /// All occupants.
    Anyone,
    /// Those who may speak.
    Participants,
    /// Moderators.
    Moderators,
    /// Nobody.
    Nobody,
}

/// How a room is configured: what its owners decide.
///
/// # Examples
///
/// ```
/// use sinew_chat::xmpp::server::rooms::RoomSettings;
///
/// let settings = RoomSettings::default();
/// assert!(settings.is_public && !settings.is_persistent && settings.password.is_none());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoomSettings {
    /// The name for people. Default empty.
    pub name: String,
    /// What the room is for. Default empty.
    pub description: String,
    /// Whether the room is kept when nobody is in it. Default `false`.
    pub is_persistent: bool,
    /// Whether the room is listed. Default `true`.
    pub is_public: bool,
    /// Whether only members may enter. Default `false`.
    pub is_members_only: bool,
    /// Whether those without an affiliation may only listen, until they are given voice. Default `false`.
    pub is_moderated: bool,
    /// Whether all occupants see the addresses of each other, and not moderators only. Default `false`.
    pub shows_addresses: bool,
    /// Whether all who may speak may change the subject. Default `false`: moderators only.
    pub anyone_changes_subject: bool,
    /// Whether all occupants may invite into a room for members. Default `false`: admins and owners only.
    pub anyone_invites: bool,
    /// Who may write to single occupants. Default [`PrivateMessages::Anyone`].
    pub private_messages: PrivateMessages,
    /// What is needed to enter. Default `None`.
    pub password: Option<String>,
    /// Most occupants; owners and admins may enter a full room. Default `None`: the limit of the service.
    pub occupants_max: Option<usize>,
    /// How many messages are shown to those who enter. Default 20; at most the limit of the service.
    pub history: usize,
}

impl Default for RoomSettings {
    fn default() -> Self {
        Self {
            name: String::new(),
            description: String::new(),
            is_persistent: false,
            is_public: true,
            is_members_only: false,
            is_moderated: false,
            shows_addresses: false,
            anyone_changes_subject: false,
            anyone_invites: false,
            private_messages: PrivateMessages::Anyone,
            password: None,
            occupants_max: None,
            history: 20,
        }
    }
}

/// Most bytes of a name, a description or a password.
const TEXT_MAX: usize = 1_024;

const ALLOW_PM: [(&str, &str); 4] = [
    ("anyone", "All occupants"),
    ("participants", "Those who may speak"),
    ("moderators", "Moderators"),
    ("none", "Nobody"),
];

impl RoomSettings {
    /// The fields of the form, with their values.
    pub(super) fn fields(&self, form: Form) -> Form {
        let whois = if self.shows_addresses { "anyone" } else { "moderators" };
        let max = self.occupants_max.map(|max| max.to_string());
        let password = self.password.as_deref().unwrap_or_default();
        form.field("muc#roomconfig_roomname", "text-single", "Name", &self.name)
            .field("muc#roomconfig_roomdesc", "text-single", "Description", &self.description)
            .boolean(
                "muc#roomconfig_persistentroom",
                "Keep the room when it is empty",
                self.is_persistent,
            )
            .boolean("muc#roomconfig_publicroom", "List the room", self.is_public)
            .boolean("muc#roomconfig_membersonly", "Members only", self.is_members_only)
            .boolean("muc#roomconfig_moderatedroom", "Moderated", self.is_moderated)
            .boolean(
                "muc#roomconfig_changesubject",
                "Participants may change the subject",
                self.anyone_changes_subject,
            )
            .boolean("muc#roomconfig_allowinvites", "Occupants may invite", self.anyone_invites)
            .choice(
                "muc#roomconfig_allowpm",
                "Who may write to single occupants",
                self.private_messages.as_str(),
                &ALLOW_PM,
            )
            .choice(
                "muc#roomconfig_whois",
                "Who sees the addresses of occupants",
                whois,
                &[("moderators", "Moderators"), ("anyone", "All occupants")],
            )
            .boolean(
                "muc#roomconfig_passwordprotectedroom",
                "A password is needed",
                self.password.is_some(),
            )
            .field("muc#roomconfig_roomsecret", "text-private", "Password", password)
            .field(
                "muc#roomconfig_maxusers",
                "text-single",
                "Most occupants",
                max.as_deref().unwrap_or("none"),
            )
            .field(
                "muc#maxhistoryfetch",
                "text-single",
                "Messages shown to those who enter",
                &self.history.to_string(),
            )
    }

    /// The form for owners.
    pub(super) fn form(&self) -> Element {
        let form = Form::new("form", ns::MUC_ROOMCONFIG).title("Configuration of the room");
        self.fields(form).into_element()
    }

    /// What was filled in; fields that are not there stay as they are, and unknown ones are ignored. `None` if a value is none.
    pub(super) fn submitted(
        &self,
        fields: &[(String, String)],
        history_max: usize,
    ) -> Option<Self> {
        let mut settings = self.clone();
        let mut needs_password = None;
        let mut secret = None;
        for (name, value) in fields {
            if value.len() > TEXT_MAX {
                return None;
            }
            match name.as_str() {
                "muc#roomconfig_roomname" => settings.name = value.clone(),
                "muc#roomconfig_roomdesc" => settings.description = value.clone(),
                "muc#roomconfig_persistentroom" => settings.is_persistent = boolean(value)?,
                "muc#roomconfig_publicroom" => settings.is_public = boolean(value)?,
                "muc#roomconfig_membersonly" => settings.is_members_only = boolean(value)?,
                "muc#roomconfig_moderatedroom" => settings.is_moderated = boolean(value)?,
                "muc#roomconfig_changesubject" => settings.anyone_changes_subject = boolean(value)?,
                "muc#roomconfig_allowinvites" => settings.anyone_invites = boolean(value)?,
                "muc#roomconfig_allowpm" => {
                    settings.private_messages = PrivateMessages::from_word(value)?;
                }
                "muc#roomconfig_whois" => settings.shows_addresses = whois(value)?,
                "muc#roomconfig_passwordprotectedroom" => needs_password = Some(boolean(value)?),
                "muc#roomconfig_roomsecret" => secret = Some(value.clone()),
                "muc#roomconfig_maxusers" => settings.occupants_max = occupants_max(value)?,
                "muc#maxhistoryfetch" => {
                    settings.history = value.parse::<usize>().ok()?.min(history_max);
                }
                _ => {}
            }
        }
        match (needs_password, secret) {
            (Some(false), _) => settings.password = None,
            // A room that needs a password has one.
            (Some(true), None) if settings.password.is_none() => return None,
            (Some(true), Some(secret)) if secret.is_empty() => return None,
            (_, Some(secret)) => settings.password = Some(secret).filter(|text| !text.is_empty()),
            (_, None) => {}
        }
        Some(settings)
    }
}

impl PrivateMessages {
    /// Its word in the form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Anyone => "anyone",
            Self::Participants => "participants",
            Self::Moderators => "moderators",
            Self::Nobody => "none",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        let all = [Self::Anyone, Self::Participants, Self::Moderators, Self::Nobody];
        all.into_iter().find(|known| known.as_str() == word)
    }
}

fn whois(value: &str) -> Option<bool> {
    match value {
        "anyone" => Some(true),
        "moderators" => Some(false),
        _ => None,
    }
}

fn occupants_max(value: &str) -> Option<Option<usize>> {
    match value {
        "" | "none" => Some(None),
        value => value.parse().ok().filter(|max| *max > 0).map(Some),
    }
}
