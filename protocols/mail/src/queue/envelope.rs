//! To whom a message in the queue goes, and by which way: [`QueuedEnvelope`], [`QueuedRecipient`]; and how far it has come:
//! [`Progress`]. Pure.

use std::collections::{HashMap, HashSet};

use sinew_protocols::basic::Word;

use super::Status;
use crate::smtp::codec::{Address, Command, Notify, Recipient, Sender};

/// The sender and the recipients of a message, each with the agent that delivers to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuedEnvelope {
    pub(crate) sender: Sender,
    pub(crate) recipients: Vec<QueuedRecipient>,
}

/// A recipient of a message in the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueuedRecipient {
    pub(crate) recipient: Recipient,
    pub(crate) agent: Word,
    pub(crate) argument: Box<str>,
    /// In the place of that of the envelope.
    pub(crate) sender: Option<Sender>,
    /// It is a list: all that is left to do is to tell the sender so.
    pub(crate) is_expanded: bool,
    /// Another recipient of the message has the same [key](Self::key) and gets the copy. What becomes of that one becomes of this one.
    pub(crate) is_twin: bool,
}

impl QueuedEnvelope {
    /// A message of this sender, as yet without recipients. SIZE, BODY and SMTPUTF8 are those of the message in any case.
    #[must_use]
    pub fn new(sender: Sender) -> Self {
        let sender = Sender::new(sender.address().cloned()).with_reports_of(&sender);
        Self { sender, recipients: Vec::new() }
    }

    /// Adds a recipient.
    #[must_use]
    pub fn with(mut self, recipient: QueuedRecipient) -> Self {
        self.recipients.push(recipient);
        self
    }

    /// Adds recipients that addresses have led to. Those with the same [key](QueuedRecipient::key) get one copy (RFC 5321 4.1.1.3), and
    /// all of them their reports; where nothing would differ in the reports either, there is one recipient.
    ///
    /// The copy has the sender of the message, if one of them was named without a list that has an owner, and asks for a report of a
    /// failure, if one of them wants it; else the first gets it.
    pub(crate) fn with_routed(self, routed: impl IntoIterator<Item = QueuedRecipient>) -> Self {
        let mut recipients: Vec<QueuedRecipient> = Vec::new();
        let mut places: HashMap<_, Vec<usize>> = HashMap::new();
        let mut seen = HashSet::new();
        for to in routed {
            if !to.is_expanded {
                let key = to.key();
                let sender = to.sender.as_ref().map(ToString::to_string);
                if !seen.insert((
                    key.clone(),
                    Command::Rcpt(to.recipient.clone()).to_string(),
                    sender,
                )) {
                    continue;
                }
                places.entry(key).or_default().push(recipients.len());
            }
            recipients.push(to);
        }
        for same in places.values().filter(|same| same.len() > 1) {
            let rank = |at: &usize| {
                let to = &recipients[*at];
                (to.sender.is_some(), !to.wants(Notify::FAILURE), *at)
            };
            let first = same.iter().copied().min_by_key(rank);
            same.iter()
                .filter(|at| Some(**at) != first)
                .for_each(|at| recipients[*at].is_twin = true);
        }
        recipients.into_iter().fold(self, Self::with)
    }

    /// The sender.
    #[must_use]
    pub fn sender(&self) -> &Sender {
        &self.sender
    }

    /// The recipients.
    #[must_use]
    pub fn recipients(&self) -> &[QueuedRecipient] {
        &self.recipients
    }

    /// The sender for this recipient.
    pub(crate) fn sender_of<'a>(&'a self, to: &'a QueuedRecipient) -> &'a Sender {
        to.sender.as_ref().unwrap_or(&self.sender)
    }
}

impl QueuedRecipient {
    /// A recipient to whom the [agent](super::DeliveryAgent) of this name delivers: `smtp` for other hosts.
    #[must_use]
    pub fn new(recipient: impl Into<Recipient>, agent: Word) -> Self {
        let recipient = recipient.into();
        let (argument, sender) = ("".into(), None);
        Self { recipient, agent, argument, sender, is_expanded: false, is_twin: false }
    }

    /// A recipient on another host.
    #[must_use]
    pub fn remote(recipient: impl Into<Recipient>) -> Self {
        Self::new(recipient, super::SMTP_AGENT)
    }

    /// What the agent is to know: the name of a user, a command.
    #[must_use]
    pub fn with_argument(mut self, argument: impl Into<String>) -> Self {
        self.argument = argument.into().into();
        self
    }

    /// The sender in the place of that of the envelope: who receives reports about this recipient, as the owner of a list does.
    #[must_use]
    pub fn with_sender(mut self, sender: Sender) -> Self {
        self.sender = Some(sender);
        self
    }

    /// A list that was replaced by its members: nothing is delivered to it, and the sender is told so if a report of success was asked
    /// for.
    #[must_use]
    pub fn expanded(recipient: Recipient) -> Self {
        let to = Self::new(recipient, super::SMTP_AGENT);
        Self { is_expanded: true, ..to }
    }

    /// The address, with the parameters of RCPT.
    #[must_use]
    pub fn recipient(&self) -> &Recipient {
        &self.recipient
    }

    /// The address.
    #[must_use]
    pub fn address(&self) -> &Address {
        self.recipient.address()
    }

    /// The name of the agent.
    #[must_use]
    pub fn agent(&self) -> &Word {
        &self.agent
    }

    /// Whether it is a list that was replaced by its members.
    pub(crate) fn is_expanded(&self) -> bool {
        self.is_expanded
    }

    /// What the agent is to know.
    #[must_use]
    pub fn argument(&self) -> &str {
        &self.argument
    }

    /// What is the same for recipients who get one copy: the agent, and what it delivers to.
    pub(crate) fn key(&self) -> (Word, String) {
        let to = match self.argument.is_empty() {
            true => {
                let address = self.address();
                format!("{}@{}", address.local(), address.domain().to_ascii_lowercase())
            }
            false => self.argument.to_string(),
        };
        (self.agent.clone(), to)
    }

    /// Whether a report of this kind is wanted (RFC 3461 4.1): without NOTIFY, one of failures; of delays, the server may choose.
    pub(crate) fn wants(&self, report: Notify) -> bool {
        match self.recipient.notify() {
            Some(notify) => notify.includes(report),
            None => report != Notify::SUCCESS,
        }
    }
}

/// How far the delivery to one recipient has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    pub(crate) stage: DeliveryStage,
    pub(crate) tries: u32,
    /// When the next attempt is due, in milliseconds since 1970.
    pub(crate) next: u64,
    /// When the last one was.
    pub(crate) last: u64,
    pub(crate) status: Option<Status>,
    /// The number of the report that is due about it.
    pub(crate) report: Option<u32>,
    pub(crate) is_delay_reported: bool,
}

/// What has become of a recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeliveryStage {
    /// It is tried again until the message expires.
    Pending,
    /// It has arrived in the mailbox.
    Delivered,
    /// The next host is responsible; it sends the reports that were asked for.
    Relayed,
    /// The next host is responsible, and sends no reports of success.
    RelayedWithoutReports,
    /// It was replaced by others.
    Expanded,
    /// For good.
    Failed,
}

impl Progress {
    pub(crate) fn new(envelope: &QueuedEnvelope, to: &QueuedRecipient, arrived: u64) -> Self {
        let has_sender = envelope.sender_of(to).address().is_some();
        let is_wanted = to.is_expanded && has_sender && to.wants(Notify::SUCCESS);
        let stage = match to.is_expanded {
            true => DeliveryStage::Expanded,
            false => DeliveryStage::Pending,
        };
        Self {
            stage,
            tries: 0,
            next: arrived,
            last: arrived,
            status: None,
            report: is_wanted.then_some(0),
            is_delay_reported: false,
        }
    }

    /// What has become of it.
    #[must_use]
    pub fn stage(&self) -> DeliveryStage {
        self.stage
    }

    /// How many attempts there were.
    #[must_use]
    pub fn tries(&self) -> u32 {
        self.tries
    }

    /// What was said at the last attempt.
    #[must_use]
    pub fn status(&self) -> Option<&Status> {
        self.status.as_ref()
    }

    /// Whether nothing is left to do.
    pub(crate) fn is_over(&self) -> bool {
        self.stage != DeliveryStage::Pending && self.report.is_none()
    }
}
