//! The handler of connections that bring mail: [`Receiving`]. What it decides is up to `sinew::mail::routing`.

use sinew::mail::{
    routing::{ReceiverHandler, Rules},
    smtp::{
        codec::{Recipient, Reply, Sender},
        server::{MessageSink, Session, SmtpHandler, Verdict},
    },
};

use super::queue_slot::{Places, QueueSlot};

/// Handles one connection. It holds the queue from MAIL to the end of the message, and not while the connection is idle: the next service
/// can open the queue although connections of this one are drained.
pub(super) struct Receiving {
    slot: QueueSlot,
    places: Places,
    rules: Rules,
    message: Option<ReceiverHandler>,
}

impl Receiving {
    pub(super) fn new(slot: &QueueSlot, places: &Places, rules: &Rules) -> Self {
        let (slot, places, rules) = (slot.clone(), places.clone(), rules.clone());
        Self { slot, places, rules, message: None }
    }
}

impl SmtpHandler for Receiving {
    fn mail(&mut self, session: &Session, from: &Sender) -> Verdict {
        let receiver = self.slot.receiver(&self.places, &self.rules);
        self.message = receiver.map(|made| made.handler());
        match &mut self.message {
            Some(message) => message.mail(session, from),
            None => Verdict::refuse(no_queue()),
        }
    }

    fn rcpt(&mut self, session: &Session, to: &Recipient) -> Verdict {
        match &mut self.message {
            Some(message) => message.rcpt(session, to),
            None => Verdict::refuse(no_queue()),
        }
    }

    fn data(&mut self, session: &Session) -> Verdict<Box<dyn MessageSink>> {
        match self.message.take() {
            Some(mut message) => message.data(session),
            None => Verdict::refuse(no_queue()),
        }
    }
}

/// The queue is not open yet, or not any more.
fn no_queue() -> Reply {
    Reply::new(421, "4.3.2 No mail is taken at the moment, try again later").expect("it is a reply")
}
