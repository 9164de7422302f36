//! An offer of somebody else: [`DccOffer`]. Data only; it was checked when it was made.

use std::net::SocketAddr;

use super::{DccConfig, DccError, part_file::not_of_a_part};
use crate::irc::codec::{Dcc, DccOffered, IrcText, Source, safe_file_name};

/// A file or a conversation that somebody offers. Its address is one that the configuration allows.
///
/// Everybody who can send a message can offer: look at [`from`](Self::from) before you accept.
#[derive(Clone, Debug)]
pub struct DccOffer {
    from: Vec<u8>,
    pub(super) place: Place,
    pub(super) file: Option<OfferedFile>,
}

/// Where an offer can be taken.
#[derive(Clone, Debug)]
pub(super) enum Place {
    At(SocketAddr),
    /// With this token.
    Passive(Vec<u8>),
}

#[derive(Clone, Debug)]
pub(super) struct OfferedFile {
    /// As it was sent, to speak of it.
    pub(super) sent_name: Vec<u8>,
    pub(super) name: String,
    pub(super) size: u64,
}

impl DccOffer {
    /// The offer that a message makes, if it makes one that is acceptable.
    pub(super) fn new(
        config: &DccConfig,
        from: Source<'_>,
        message: &Dcc<'_>,
    ) -> Result<Option<Self>, DccError> {
        let (at, file) = match message {
            Dcc::Send { name, at, size } => {
                let size = size.ok_or(DccError::NoSize)?;
                let safe = safe_file_name(name).map(not_of_a_part).ok_or(DccError::NoName)?;
                (at, Some(OfferedFile { sent_name: name.to_vec(), name: safe, size }))
            }
            Dcc::Chat { at } => (at, None),
            _ => return Ok(None),
        };
        let place = match *at {
            DccOffered::At(at) => {
                config.check(at, from.host().map(IrcText::as_bytes))?;
                Place::At(at)
            }
            DccOffered::Passive(_, token) => Place::Passive(token.to_vec()),
            // An answer, and not to an offer of this client.
            _ => return Ok(None),
        };
        Ok(Some(Self { from: from.whole().to_vec(), place, file }))
    }

    /// Who makes it.
    #[must_use]
    pub fn from(&self) -> Source<'_> {
        Source::new(&self.from)
    }

    /// The name of the file: the last part of what was sent, without all that is not safe in a file name; behind `.part`
    /// comes `_`, since that ending is for files that are not whole. `None` for a conversation.
    #[must_use]
    pub fn file_name(&self) -> Option<&str> {
        self.file.as_ref().map(|file| file.name.as_str())
    }

    /// How many bytes the file has, as its sender says. `None` for a conversation.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.file.as_ref().map(|file| file.size)
    }

    /// Where the other listens. `None` if the offer is passive: then this client opens a port.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        match self.place {
            Place::At(at) => Some(at),
            Place::Passive(_) => None,
        }
    }
}
