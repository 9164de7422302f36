//! From whom a message is, and to whom: [`Envelope`].

use crate::smtp::codec::{Address, Recipient, Sender};

/// The sender and the recipients of a message, which need not be those of its header.
///
/// # Examples
///
/// ```
/// use sinew_mail::smtp::{client::Envelope, codec::Address};
///
/// let ann: Address = "ann@example.net".parse()?;
/// let bob: Address = "bob@example.org".parse()?;
/// let envelope = Envelope::new(Some(ann), [bob]);
/// assert_eq!(envelope.recipients().len(), 1);
/// # Ok::<(), sinew_mail::smtp::codec::AddressError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    sender: Sender,
    recipients: Vec<Recipient>,
}

impl Envelope {
    /// A message from `from`, or from the null path with `None`, which is for reports only: nobody is told if it cannot be delivered.
    #[must_use]
    pub fn new(from: Option<Address>, to: impl IntoIterator<Item = Address>) -> Self {
        let recipients = to.into_iter().map(Recipient::new).collect();
        Self { sender: Sender::new(from), recipients }
    }

    /// Takes a sender with parameters for reports (RET, ENVID). Where the server does not offer DSN, they are not sent. SIZE, BODY and
    /// SMTPUTF8 are those of the message in any case.
    #[must_use]
    pub fn with_sender(mut self, sender: Sender) -> Self {
        self.sender = sender;
        self
    }

    /// Adds a recipient with parameters for reports (NOTIFY, ORCPT). Where the server does not offer DSN, they are not sent.
    #[must_use]
    pub fn with_recipient(mut self, recipient: Recipient) -> Self {
        self.recipients.push(recipient);
        self
    }

    /// The sender.
    #[must_use]
    pub fn sender(&self) -> &Sender {
        &self.sender
    }

    /// The recipients.
    #[must_use]
    pub fn recipients(&self) -> &[Recipient] {
        &self.recipients
    }

    /// Whether an address is not ASCII.
    pub(super) fn needs_utf8(&self) -> bool {
        let addresses = self.recipients.iter().map(Recipient::address);
        self.sender.address().into_iter().chain(addresses).any(|address| !address.is_ascii())
    }
}
