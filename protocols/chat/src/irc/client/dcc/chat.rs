//! Conversations without a server: [`IrcClient::accept_chat`] and [`IrcClient::offer_chat`].

use sinew_protocols::basic::{Line, LineHandler, LineReceiver};
use sinew_transports::{AsyncStream, Transport, reactor::Deferred};

use super::{
    DccError, DccOffer,
    meeting::{self, Subject},
    task::run,
    transfers::Slot,
};
use crate::irc::client::IrcClient;

impl IrcClient {
    /// Accepts a conversation that somebody offers. Its lines go to a [`LineHandler`], whose connection is there with the result; they
    /// end in LF or CRLF, and an action is the CTCP message that it is elsewhere ([`Ctcp::parse`](crate::irc::codec::Ctcp::parse)).
    ///
    /// # Errors
    ///
    /// [`DccError`].
    pub fn accept_chat(
        &self,
        offer: &DccOffer,
        handler: impl LineHandler,
    ) -> Deferred<Transport, DccError> {
        let (irc, offer) = (self.clone(), offer.clone());
        run(self, |reactor| async move {
            let slot = Slot::take(&irc)?;
            if offer.file.is_some() {
                return Err(DccError::OtherKind);
            }
            begin(slot, &irc, meeting::take(&irc, &reactor, &offer).await?, handler)
        })
    }

    /// Offers a conversation to somebody. The result is there when the other is.
    ///
    /// DCC authenticates nobody: the first to connect to the port is taken for the other.
    ///
    /// # Errors
    ///
    /// [`DccError`].
    pub fn offer_chat(
        &self,
        nick: impl AsRef<[u8]>,
        handler: impl LineHandler,
    ) -> Deferred<Transport, DccError> {
        let (irc, nick) = (self.clone(), nick.as_ref().to_vec());
        run(self, |reactor| async move {
            let slot = Slot::take(&irc)?;
            let subject = Subject { file: None };
            let (stream, _) = meeting::offer(&irc, &reactor, &nick, subject).await?;
            begin(slot, &irc, stream, handler)
        })
    }
}

fn begin(
    slot: Slot,
    irc: &IrcClient,
    stream: AsyncStream,
    handler: impl LineHandler,
) -> Result<Transport, DccError> {
    let lines = Line::lf_or_crlf().len_max(meeting::config(irc)?.line_max);
    let transport = stream.transport().clone();
    transport.set_idle_timeout(None);
    transport.when_lost().then(move |_, _| drop(slot));
    let ended = |_| DccError::Lost(std::io::ErrorKind::ConnectionReset.into());
    stream.into_protocol(LineReceiver::with_decoder(lines, handler)).map_err(ended)?;
    Ok(transport)
}
