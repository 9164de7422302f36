//! What happens in the room: [`Event`]. All that doors and reactors tell each other.

use std::sync::Arc;

/// Cheap to clone, and may be sent to other reactors.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    Joined {
        name: Arc<str>,
    },
    Said {
        name: Arc<str>,
        text: Arc<str>,
    },
    /// To one guest only.
    Whispered {
        name: Arc<str>,
        to: Arc<str>,
        text: Arc<str>,
    },
    Renamed {
        from: Arc<str>,
        name: Arc<str>,
    },
    Left {
        name: Arc<str>,
        why: Arc<str>,
    },
}

impl Event {
    /// The guest of whom it tells, by the present name.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Joined { name }
            | Self::Said { name, .. }
            | Self::Whispered { name, .. }
            | Self::Renamed { name, .. }
            | Self::Left { name, .. } => name,
        }
    }
}
