//! [`Watch`]: sees every life of every protocol, on all hosts. What it finds wrong it counts, so that to look after every event
//! whether all is well costs next to nothing.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    rc::Rc,
};

use sinew::{
    prelude::*,
    transports::sim::{Host, Network},
};

/// What is seen of all hosts.
#[derive(Clone, Default)]
pub(crate) struct Watch(Rc<Seen>);

#[derive(Default)]
struct Seen {
    hosts: RefCell<Vec<Rc<HostSeen>>>,
    /// Processes may be killed, so protocols may go without a word.
    kills: Cell<bool>,
    fault: RefCell<Option<String>>,
}

/// What is seen of one host.
struct HostSeen {
    host: Host,
    seen: Watch,
    /// Every connection of this host is watched.
    is_whole: Cell<bool>,
    queued_max: Cell<usize>,
    /// Those that are alive, by number.
    live: RefCell<BTreeMap<u64, Transport>>,
    made: Cell<u64>,
}

impl Watch {
    /// A watch of a network, which looks after every event.
    pub(crate) fn over(network: &Network) -> Self {
        let watch = Self::default();
        let looking = watch.clone();
        network.after_every_event(move || looking.look());
        watch
    }

    /// A watch of one host: all its connections are watched, and each may have so many bytes queued.
    pub(crate) fn on(&self, host: &Host, queued_max: usize) -> HostWatch {
        let seen = Rc::new(HostSeen {
            host: host.clone(),
            seen: self.clone(),
            is_whole: Cell::new(true),
            queued_max: Cell::new(queued_max),
            live: RefCell::default(),
            made: Cell::default(),
        });
        self.0.hosts.borrow_mut().push(seen.clone());
        HostWatch(seen)
    }

    /// From now on processes are killed.
    pub(crate) fn allow_kills(&self) {
        self.0.kills.set(true);
    }

    fn fault(&self, what: &str) {
        self.0.fault.borrow_mut().get_or_insert_with(|| what.to_owned());
    }

    /// What must hold at any time.
    fn look(&self) {
        if let Some(fault) = &*self.0.fault.borrow() {
            panic!("{fault}");
        }
        for host in &*self.0.hosts.borrow() {
            let live = host.live.borrow();
            for transport in live.values() {
                let (queued, max) = (transport.queued(), host.queued_max.get());
                assert!(
                    queued <= max,
                    "{}: {queued} bytes are queued, past {max}",
                    host.host.name()
                );
            }
            if host.is_whole.get() {
                let counted = host.host.reactor().stats().connections;
                assert_eq!(live.len() as u64, counted, "{}: alive, counted", host.host.name());
            }
        }
    }

    /// What must hold once everything is over.
    pub(crate) fn assert_over(&self) {
        self.look();
        for HostSeen { host, live, .. } in self.0.hosts.borrow().iter().map(|host| &**host) {
            assert_eq!(live.borrow().len(), 0, "{}: protocols are still there", host.name());
        }
    }
}

/// Watches the protocols of a host.
#[derive(Clone)]
pub(crate) struct HostWatch(Rc<HostSeen>);

impl HostWatch {
    /// The host has connections that are not watched, too.
    pub(crate) fn in_part(self) -> Self {
        self.0.is_whole.set(false);
        self
    }

    pub(crate) fn watch<P: Protocol>(&self, protocol: P) -> Watched<P> {
        Watched { protocol, host: self.0.clone(), stage: Stage::New, number: 0 }
    }

    /// How many connections are alive now.
    pub(crate) fn alive(&self) -> usize {
        self.0.live.borrow().len()
    }

    /// How many there have been.
    pub(crate) fn made(&self) -> u64 {
        self.0.made.get()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    New,
    Alive,
    Lost,
}

/// A protocol that is watched.
pub(crate) struct Watched<P> {
    protocol: P,
    host: Rc<HostSeen>,
    stage: Stage,
    number: u64,
}

impl<P> Watched<P> {
    fn told(&self, what: &str) {
        if self.stage != Stage::Alive {
            self.fault(&format!("told {what} when it is {:?}", self.stage));
        }
    }

    fn fault(&self, what: &str) {
        self.host.seen.fault(&format!("{}: a protocol is {what}", self.host.host.name()));
    }
}

impl<P> Drop for Watched<P> {
    fn drop(&mut self) {
        self.host.live.borrow_mut().remove(&self.number);
        if self.stage != Stage::Lost && !self.host.seen.0.kills.get() && !std::thread::panicking() {
            self.fault(&format!("dropped when it is {:?}", self.stage));
        }
    }
}

macro_rules! watched {
    ($($name:ident($($arg:ident: $type:ty),*);)+) => {
        $(fn $name(&mut self, transport: &Transport, $($arg: $type),*) {
            self.told(stringify!($name));
            self.protocol.$name(transport, $($arg),*);
        })+
    };
}

impl<P: Protocol> Protocol for Watched<P> {
    fn connection_made(&mut self, transport: &Transport) {
        if self.stage != Stage::New {
            self.fault("made twice");
        }
        self.stage = Stage::Alive;
        self.number = self.host.made.get() + 1;
        self.host.made.set(self.number);
        self.host.live.borrow_mut().insert(self.number, transport.clone());
        self.protocol.connection_made(transport);
    }

    fn connection_lost(&mut self, transport: &Transport, reason: &ConnectionLost) {
        self.told("connection_lost");
        self.stage = Stage::Lost;
        self.protocol.connection_lost(transport, reason);
    }

    watched! {
        data_received(data: &[u8]);
        read_closed();
        writing_paused();
        writing_resumed();
        reading_resumed();
        timer_fired(timer: TimerId);
        idle_timeout();
        drain_requested();
    }

    fn take_unread(&mut self, transport: &Transport) -> bytes::Bytes {
        self.told("take_unread");
        self.protocol.take_unread(transport)
    }
}
