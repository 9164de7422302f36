//! The domains of a server: [`LocalDomain`], whose mail is delivered here, in a [`RouterConfig`].

use std::{collections::BTreeMap, fmt, rc::Rc};

use super::{
    Aliases, Users,
    target::{Target, TargetRules},
};

/// A domain whose mail is delivered here.
#[derive(Clone)]
#[must_use]
pub struct LocalDomain {
    pub(super) users: Rc<dyn Users>,
    pub(super) catch_all: Option<Target>,
    pub(super) tag_separator: Option<char>,
}

impl LocalDomain {
    /// A domain with these users.
    pub fn new(users: impl Users) -> Self {
        Self { users: Rc::new(users), catch_all: None, tag_separator: Some('+') }
    }

    /// Where mail goes for which there is neither an alias nor a user, unless [the aliases say](Aliases::catch_all). Default: it is
    /// refused.
    pub fn catch_all(mut self, target: Target) -> Self {
        self.catch_all = Some(target);
        self
    }

    /// What separates the name of a user from a tag that the user has made up, as in `ann+lists`. Default `+`; with `None`, nothing does.
    pub fn tag_separator(mut self, separator: impl Into<Option<char>>) -> Self {
        self.tag_separator = separator.into();
        self
    }
}

impl fmt::Debug for LocalDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalDomain").field("catch_all", &self.catch_all).finish_non_exhaustive()
    }
}

/// The domains and aliases of a server.
///
/// | limit | default | when exceeded |
/// |---|---|---|
/// | [`recipients_max`](Self::recipients_max): what an address stands for | 1,000 | 554 |
/// | [`depth_max`](Self::depth_max): aliases in aliases | 20 | 554 |
/// | a file of forwarding | 64 KiB | 451 |
#[derive(Clone, Debug)]
#[must_use]
pub struct RouterConfig {
    pub(super) domains: BTreeMap<String, LocalDomain>,
    pub(super) first_domain: Option<String>,
    pub(super) aliases: Rc<Aliases>,
    pub(super) postmaster: Target,
    pub(super) forward_rules: TargetRules,
    pub(super) recipients_max: usize,
    pub(super) depth_max: usize,
}

impl RouterConfig {
    /// No domain yet. `postmaster` is who reads mail for `postmaster` where no alias and no user has that name: it is never refused
    /// (RFC 5321 4.5.1). A name without a domain is one of the first domain.
    pub fn new(postmaster: Target) -> Self {
        Self {
            domains: BTreeMap::new(),
            first_domain: None,
            aliases: Rc::default(),
            postmaster,
            forward_rules: TargetRules::default(),
            recipients_max: 1_000,
            depth_max: 20,
        }
    }

    /// Adds a domain whose mail is delivered here. `postmaster` without a domain is one of the first.
    pub fn domain(mut self, name: &str, domain: LocalDomain) -> Self {
        let name = name.to_ascii_lowercase();
        self.first_domain.get_or_insert_with(|| name.clone());
        self.domains.insert(name, domain);
        self
    }

    /// The aliases.
    pub fn aliases(mut self, aliases: Aliases) -> Self {
        self.aliases = Rc::new(aliases);
        self
    }

    /// What users may forward their mail to. Default: names and addresses.
    pub fn forward_rules(mut self, rules: TargetRules) -> Self {
        self.forward_rules = rules;
        self
    }

    /// Most recipients that an address stands for. Default 1,000.
    pub fn recipients_max(mut self, recipients: usize) -> Self {
        self.recipients_max = recipients;
        self
    }

    /// How deep aliases may be nested. Default 20.
    pub fn depth_max(mut self, depth: usize) -> Self {
        self.depth_max = depth;
        self
    }
}
