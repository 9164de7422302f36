//! Values of the options of `sinew news`: groups, networks, peers. Pure.

use std::str::FromStr;

use crate::arguments::deserialize_from_str;
use serde::{Deserialize, Deserializer, de};
use sinew::{
    news::{
        nntp::codec::{GroupName, Wildmat},
        store::{GroupStatus, NewGroup},
    },
    protocols::basic::Word,
    reactor::Excerpt,
    transports::endpoint::ClientEndpoint,
};

/// A group, with who may post to it, and what it is about.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Group {
    name: GroupName,
    status: GroupStatus,
    description: String,
}

/// A server to send articles to.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(super) name: Word,
    pub(super) to: ClientEndpoint,
    text: String,
}

/// A user who may approve articles, and for which groups.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Moderator {
    name: String,
    groups: Wildmat,
}

deserialize_from_str!(Group, Peer, Moderator);

impl Moderator {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) const fn groups(&self) -> &Wildmat {
        &self.groups
    }
}

impl FromStr for Moderator {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("{:?}: {why}", Excerpt::new(text));
        let (name, groups) = text.split_once('=').unwrap_or((text, "*"));
        if name.is_empty() {
            return Err(wrong("write the name of a user, or NAME=GROUPS"));
        }
        let groups = groups.parse().map_err(|error| wrong(&format!("the groups: {error}")))?;
        Ok(Self { name: name.to_owned(), groups })
    }
}

impl Group {
    pub(super) fn name(&self) -> &GroupName {
        &self.name
    }

    pub(super) fn status(&self) -> GroupStatus {
        self.status
    }

    pub(super) fn new_group(&self) -> NewGroup {
        let group = NewGroup::new(self.name.clone()).status(self.status);
        // It was checked when it was parsed.
        group.clone().description(&self.description).unwrap_or(group)
    }
}

impl FromStr for Group {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("{:?}: {why}", Excerpt::new(text));
        let (name, description) = text.split_once('=').unwrap_or((text, ""));
        let (name, status) = match name.split_once(':') {
            None => (name, GroupStatus::Open),
            Some((name, letter)) => {
                let char = letter.chars().next().filter(|_| letter.len() == 1);
                let status = char.and_then(GroupStatus::of_letter);
                (name, status.ok_or_else(|| wrong("write y, m or n behind the colon"))?)
            }
        };
        let name: GroupName = name.parse().map_err(|_| wrong("that is no name of a group"))?;
        let group = Self { name, status, description: description.to_owned() };
        let new = NewGroup::new(group.name.clone()).description(description);
        drop(new.map_err(|_| wrong("the description is one line"))?);
        Ok(group)
    }
}

impl FromStr for Peer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: String| format!("{:?}: {why}", Excerpt::new(text));
        let parts = text.split_once('=');
        let (name, to) = parts
            .ok_or_else(|| wrong("write the name of the server, = and its endpoint".into()))?;
        let name = Word::try_from(name).map_err(|error| wrong(error.to_string()))?;
        let to = to.parse().map_err(|error| wrong(format!("{error}")))?;
        Ok(Self { name, to, text: text.to_owned() })
    }
}

impl PartialEq for Peer {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_and_peers() {
        let group: Group = "misc.news:m=What is new".parse().unwrap();
        assert_eq!((group.name().as_str(), group.status()), ("misc.news", GroupStatus::Moderated));
        assert_eq!("misc.test".parse::<Group>().unwrap().status(), GroupStatus::Open);
        for text in ["", "misc..test", "misc.test:x", "misc.test:yy", "misc.test=a\nb"] {
            assert!(text.parse::<Group>().is_err(), "{text:?}");
        }
        let moderator: Moderator = "ann=misc.*,!misc.test".parse().unwrap();
        assert_eq!(moderator.name(), "ann");
        assert!(
            moderator.groups().matches("misc.news") && !moderator.groups().matches("misc.test")
        );
        assert!("ann".parse::<Moderator>().unwrap().groups().matches("misc.test"));
        for text in ["", "=misc.*", "ann=[a]"] {
            assert!(text.parse::<Moderator>().is_err(), "{text:?}");
        }
        assert!("news.example=tcp:127.0.0.1:119".parse::<Peer>().is_ok());
        for text in ["news.example", "=tcp:a:1", "a b=tcp:a:1", "a=nowhere:"] {
            assert!(text.parse::<Peer>().is_err(), "{text:?}");
        }
    }
}
