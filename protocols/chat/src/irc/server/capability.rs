//! Capabilities of IRCv3 that a server has: [`Capability`] and [`Capabilities`].

/// A capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Capability {
    AccountNotify,
    AccountTag,
    AwayNotify,
    Batch,
    CapNotify,
    Chghost,
    EchoMessage,
    ExtendedJoin,
    InviteNotify,
    LabeledResponse,
    MessageTags,
    MultiPrefix,
    Sasl,
    ServerTime,
    Setname,
    StandardReplies,
    UserhostInNames,
}

impl Capability {
    pub(super) const ALL: [(&'static str, Self); 17] = [
        ("account-notify", Self::AccountNotify),
        ("account-tag", Self::AccountTag),
        ("away-notify", Self::AwayNotify),
        ("batch", Self::Batch),
        ("cap-notify", Self::CapNotify),
        ("chghost", Self::Chghost),
        ("echo-message", Self::EchoMessage),
        ("extended-join", Self::ExtendedJoin),
        ("invite-notify", Self::InviteNotify),
        ("labeled-response", Self::LabeledResponse),
        ("message-tags", Self::MessageTags),
        ("multi-prefix", Self::MultiPrefix),
        ("sasl", Self::Sasl),
        ("server-time", Self::ServerTime),
        ("setname", Self::Setname),
        ("standard-replies", Self::StandardReplies),
        ("userhost-in-names", Self::UserhostInNames),
    ];

    pub(super) fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, capability)| *capability)
    }
}

/// Those that a client has on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Capabilities(u32);

impl Capabilities {
    pub(super) const fn has(self, capability: Capability) -> bool {
        self.0 & (1 << capability as u8) != 0
    }

    pub(super) const fn set(&mut self, capability: Capability, is_on: bool) {
        let bit = 1 << capability as u8;
        self.0 = if is_on { self.0 | bit } else { self.0 & !bit };
    }
}
