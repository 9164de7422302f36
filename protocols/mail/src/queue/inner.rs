//! What is behind a queue, for all that works on it: [`Inner`]; and the agents that deliver, [`Agents`].

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    fmt,
    rc::Rc,
    sync::Arc,
};

use sinew_protocols::basic::Word;
use sinew_transports::reactor::{DelayedCall, Promise, Task, WeakReactor};

use super::{
    DeliveryAgent, QueueConfig, QueueError, QueueStats, Spool,
    ledger::Ledger,
    schedule::{Parcel, Schedule},
};

/// The agents of a queue, by their names.
///
/// # Examples
///
/// ```
/// use sinew_mail::{queue::{Agents, Relay, SMTP_AGENT}, smtp::client::ClientConfig};
///
/// // All mail for other hosts goes through one.
/// let relay = Relay::new(ClientConfig::new("mail.example.org")?).smart_host("smtp.example.net:587");
/// let agents = Agents::default().with(SMTP_AGENT, relay);
/// # drop(agents);
/// # Ok::<(), sinew_protocols::basic::ArgumentError>(())
/// ```
#[derive(Clone, Default)]
pub struct Agents(BTreeMap<Word, Rc<dyn DeliveryAgent>>);

impl Agents {
    /// Adds an agent, in the place of one of the same name.
    #[must_use]
    pub fn with(mut self, name: Word, agent: impl DeliveryAgent) -> Self {
        self.0.insert(name, Rc::new(agent));
        self
    }

    pub(crate) fn find(&self, name: &Word) -> Option<Rc<dyn DeliveryAgent>> {
        self.0.get(name).cloned()
    }
}

impl Agents {
    /// The agent of this name.
    pub(super) fn get(&self, name: &Word) -> Option<&Rc<dyn DeliveryAgent>> {
        self.0.get(name)
    }
}

impl fmt::Debug for Agents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

pub(crate) struct Inner {
    pub(crate) reactor: WeakReactor,
    pub(crate) config: QueueConfig,
    pub(crate) spool: Spool,
    pub(crate) agents: Agents,
    pub(crate) ledger: RefCell<Ledger>,
    pub(crate) schedule: RefCell<Schedule>,
    pub(crate) running: RefCell<BTreeMap<Parcel, Task<()>>>,
    pub(crate) timer: RefCell<Option<DelayedCall>>,
    pub(crate) stats: RefCell<QueueStats>,
    /// Messages, recipients and bytes of what is being received.
    pub(crate) reserved: Cell<(usize, usize, u64)>,
    pub(crate) is_stopping: Cell<bool>,
    /// Who waits until nothing is written any more.
    pub(crate) stopped: RefCell<Vec<Promise<(), QueueError>>>,
    pub(crate) saving: Cell<usize>,
    /// Held until the queue is gone, and all that it writes is written.
    pub(crate) lock: Arc<dyn Send + Sync>,
}
