//! Modes of channels and users: [`ModeKinds`] says which take an argument, [`ModeChange`] is one change. Pure.

use super::{IrcText, MessageBuf, message_buf::BuildError};

/// Which letters are modes of a channel, by what they take (CHANMODES and PREFIX of a server).
///
/// # Examples
///
/// ```
/// use sinew_chat::irc::codec::ModeKinds;
///
/// let changes = ModeKinds::default().parse(b"+ok-l+b", &[b"ann", b"key", b"*!*@bad.example"])?;
/// assert_eq!(changes.len(), 4);
/// assert_eq!(changes[3].argument.as_deref(), Some(&b"*!*@bad.example"[..]));
/// # Ok::<(), sinew_chat::irc::codec::ModesError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModeKinds {
    pub(crate) lists: Vec<u8>,
    pub(crate) always: Vec<u8>,
    pub(crate) when_set: Vec<u8>,
    pub(crate) never: Vec<u8>,
    pub(crate) prefixes: Vec<(u8, u8)>,
}

/// One change of a mode.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ModeChange {
    /// Whether it is set, or taken away.
    pub is_set: bool,
    /// Its letter.
    pub mode: char,
    /// What it is set to: a nick, a mask, a key, a limit. `None` for a mode without an argument, and to ask for a list.
    pub argument: Option<Vec<u8>>,
}

/// Why a change of modes cannot be understood.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModesError {
    /// The mode does not exist.
    #[error("there is no mode {mode:?}")]
    Unknown {
        /// Its letter.
        mode: char,
    },
    /// The mode takes an argument, and none is left.
    #[error("the mode {mode:?} lacks its argument")]
    NoArgument {
        /// Its letter.
        mode: char,
    },
    /// More changes than a message can hold.
    #[error("more than {max} changes of modes")]
    TooMany {
        /// The limit.
        max: usize,
    },
}

sinew_transports::reactor::error_debug!(ModesError);

/// Most changes that one message can hold: every byte a letter.
const CHANGES_MAX: usize = 512;

impl Default for ModeKinds {
    /// Those of RFC 2811, for servers that do not say anything else.
    fn default() -> Self {
        Self {
            lists: b"beI".to_vec(),
            always: b"k".to_vec(),
            when_set: b"l".to_vec(),
            never: b"aimnpqrst".to_vec(),
            prefixes: vec![(b'o', b'@'), (b'v', b'+')],
        }
    }
}

impl ModeKinds {
    /// Modes of users, of which none takes an argument.
    #[must_use]
    pub fn of_users(modes: &str) -> Self {
        let (lists, always, when_set, prefixes) = Default::default();
        Self { lists, always, when_set, never: modes.as_bytes().to_vec(), prefixes }
    }

    /// The changes of a message: its letters, and their arguments.
    ///
    /// # Errors
    ///
    /// [`ModesError`]. [`parse_known`](Self::parse_known) goes on instead.
    pub fn parse(
        &self,
        letters: &[u8],
        arguments: &[&[u8]],
    ) -> Result<Vec<ModeChange>, ModesError> {
        let mut found = Vec::new();
        self.each(letters, arguments, |change| {
            found.push(change?);
            Ok(())
        })?;
        Ok(found)
    }

    /// As [`parse`](Self::parse), without the changes that cannot be understood; they are returned beside the others.
    #[must_use]
    pub fn parse_known(
        &self,
        letters: &[u8],
        arguments: &[&[u8]],
    ) -> (Vec<ModeChange>, Vec<ModesError>) {
        let (mut found, mut errors) = (Vec::new(), Vec::new());
        let done = self.each(letters, arguments, |change| {
            match change {
                Ok(change) => found.push(change),
                Err(error) => errors.push(error),
            }
            Ok(())
        });
        errors.extend(done.err());
        (found, errors)
    }

    fn each(
        &self,
        letters: &[u8],
        arguments: &[&[u8]],
        mut take: impl FnMut(Result<ModeChange, ModesError>) -> Result<(), ModesError>,
    ) -> Result<(), ModesError> {
        let mut arguments = arguments.iter();
        let (mut is_set, mut changes) = (true, 0);
        for &letter in letters {
            match letter {
                b'+' => is_set = true,
                b'-' => is_set = false,
                _ => {
                    changes += 1;
                    if changes > CHANGES_MAX {
                        return Err(ModesError::TooMany { max: CHANGES_MAX });
                    }
                    take(self.change(letter, is_set, &mut arguments))?;
                }
            }
        }
        Ok(())
    }

    fn change<'a>(
        &self,
        letter: u8,
        is_set: bool,
        arguments: &mut impl Iterator<Item = &'a &'a [u8]>,
    ) -> Result<ModeChange, ModesError> {
        let mode = char::from(letter);
        let takes_argument = self.always.contains(&letter)
            || self.is_prefix(letter)
            || self.when_set.contains(&letter) && is_set;
        let is_list = self.lists.contains(&letter);
        let argument = match (takes_argument, is_list) {
            (true, _) => Some(arguments.next().ok_or(ModesError::NoArgument { mode })?.to_vec()),
            // Without an argument the list is asked for.
            (false, true) => arguments.next().map(|argument| argument.to_vec()),
            (false, false) => {
                if !self.never.contains(&letter) && !self.when_set.contains(&letter) {
                    return Err(ModesError::Unknown { mode });
                }
                None
            }
        };
        Ok(ModeChange { is_set, mode, argument })
    }

    /// Whether the mode is a list of masks, as bans are.
    #[must_use]
    pub fn is_list(&self, mode: char) -> bool {
        u8::try_from(mode).is_ok_and(|mode| self.lists.contains(&mode))
    }

    /// The mode that a prefix before a nick stands for: `o` for `@`.
    #[must_use]
    pub fn mode_of_prefix(&self, prefix: u8) -> Option<u8> {
        self.prefixes.iter().find(|(_, found)| *found == prefix).map(|(mode, _)| *mode)
    }

    /// The prefix that stands for a mode: `@` for `o`.
    #[must_use]
    pub fn prefix_of_mode(&self, mode: char) -> Option<u8> {
        let mode = u8::try_from(mode).ok()?;
        self.prefixes.iter().find(|(found, _)| *found == mode).map(|(_, prefix)| *prefix)
    }

    fn is_prefix(&self, mode: u8) -> bool {
        self.prefixes.iter().any(|(found, _)| *found == mode)
    }
}

impl ModeChange {
    /// A mode that is set, or taken away, without an argument.
    #[must_use]
    pub fn new(is_set: bool, mode: char) -> Self {
        Self { is_set, mode, argument: None }
    }

    /// The same change with an argument.
    #[must_use]
    pub fn with(mut self, argument: impl Into<Vec<u8>>) -> Self {
        self.argument = Some(argument.into());
        self
    }

    /// Adds changes to a message: the letters, and then their arguments.
    ///
    /// # Errors
    ///
    /// [`BuildError`].
    pub fn add_all(changes: &[Self], message: MessageBuf) -> Result<MessageBuf, BuildError> {
        let message = message.param(Self::letters(changes))?;
        changes
            .iter()
            .filter_map(|change| change.argument.as_ref())
            .try_fold(message, MessageBuf::param)
    }

    /// The letters of changes, with their signs: `+o-v`.
    #[must_use]
    pub fn letters(changes: &[Self]) -> String {
        let (mut letters, mut sign) = (String::new(), None);
        for change in changes {
            if sign.replace(change.is_set) != Some(change.is_set) {
                letters.push(if change.is_set { '+' } else { '-' });
            }
            letters.push(change.mode);
        }
        letters
    }

    /// The argument as a text.
    #[must_use]
    pub fn argument_text(&self) -> Option<IrcText<'_>> {
        self.argument.as_deref().map(IrcText::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(changes: &[ModeChange]) -> String {
        changes
            .iter()
            .map(|change| {
                let sign = if change.is_set { '+' } else { '-' };
                let argument = change.argument_text().map(|argument| format!("={argument}"));
                format!("{sign}{}{} ", change.mode, argument.unwrap_or_default())
            })
            .collect()
    }

    #[test]
    fn mode_with_list_and_set() {
        let kinds = ModeKinds::default();
        for (letters, arguments, expected, errors) in [
            ("+o", "ann", "+o=ann ", 0),
            ("-k+l-l", "key 5", "-k=key +l=5 -l ", 0),
            ("b", "", "+b ", 0),
            ("+b-b", "a!*@* b!*@*", "+b=a!*@* -b=b!*@* ", 0),
            ("+nX-t", "", "+n -t ", 1),
            ("+ov", "ann", "+o=ann ", 1),
            ("nt", "", "+n +t ", 0),
            ("+-+", "", "", 0),
        ] {
            let arguments: Vec<&[u8]> = arguments.split_whitespace().map(str::as_bytes).collect();
            let (found, failed) = kinds.parse_known(letters.as_bytes(), &arguments);
            assert_eq!((shown(&found).as_str(), failed.len()), (expected, errors), "{letters}");
            assert_eq!(kinds.parse(letters.as_bytes(), &arguments).is_err(), errors > 0);
        }
        assert_eq!(kinds.parse(&b"n".repeat(513), &[]), Err(ModesError::TooMany { max: 512 }));
    }

    #[test]
    fn changes_are_put_together() {
        let changes = [
            ModeChange::new(true, 'o').with("ann"),
            ModeChange::new(true, 'n'),
            ModeChange::new(false, 'v').with("bob"),
        ];
        let message = MessageBuf::new("MODE").unwrap().param("#a").unwrap();
        let message = ModeChange::add_all(&changes, message).unwrap().encode().unwrap();
        assert_eq!(message, "MODE #a +on-v ann bob\r\n");
        let injected = [ModeChange::new(true, 'b').with("a b")];
        let message = MessageBuf::new("MODE").unwrap();
        assert!(ModeChange::add_all(&injected, message).is_err());
    }
}
