//! Messages of DCC from others: offers are told, answers to own offers and to RESUME are taken, all else is ignored.

use sinew_transports::reactor::with_causes;

use super::{DccConfig, DccError, DccOffer};
use crate::irc::{
    client::{IrcClient, Said, SendError},
    codec::{Ctcp, Dcc, DccOffered, DccPart, IrcText},
};

impl IrcClient {
    /// A message of DCC, to the client itself.
    pub(in crate::irc::client) fn dcc_received(&self, said: &Said<'_>, ctcp: &Ctcp<'_>) {
        let Some(config) = &self.0.config.dcc else { return };
        match Dcc::parse(&ctcp.text) {
            Ok(message) => self.dcc_message(config, said, &message),
            Err(error) => {
                tracing::debug!(from = %said.from, error = %with_causes(&error), "a message of DCC")
            }
        }
    }

    fn dcc_message(&self, config: &DccConfig, said: &Said<'_>, message: &Dcc<'_>) {
        let mapping = self.0.state.borrow().isupport.case_mapping();
        let nick = said.from.nick();
        match message {
            Dcc::Resume(part) => {
                let is_accepted = self.0.transfers.borrow_mut().resume(mapping, &nick, part);
                if is_accepted && let Err(error) = self.send_dcc(&nick, &Dcc::Accept(*part)) {
                    tracing::debug!(%nick, error = %with_causes(&error), "a RESUME of DCC was not answered");
                }
            }
            Dcc::Accept(part) => self.0.transfers.borrow_mut().accepted(mapping, &nick, part),
            Dcc::Send { at: DccOffered::AtFor(at, token), .. }
            | Dcc::Chat { at: DccOffered::AtFor(at, token) } => {
                let is_chat = matches!(message, Dcc::Chat { .. });
                let host = said.from.host();
                let checked = config.check(*at, host.map(IrcText::as_bytes));
                let mut transfers = self.0.transfers.borrow_mut();
                let promise = transfers.answered(mapping, &nick, token, is_chat);
                drop(transfers);
                if let Some(promise) = promise {
                    promise.settle(checked.map(|()| *at));
                }
            }
            _ => match DccOffer::new(config, said.from, message) {
                Ok(Some(offer)) => self.call(|handler, irc| handler.dcc_offered(irc, &offer)),
                Ok(None) => {}
                Err(error) => {
                    tracing::debug!(%nick, error = %with_causes(&error), "an offer of DCC was refused")
                }
            },
        }
    }

    /// Sends a message of DCC.
    pub(super) fn send_dcc(&self, nick: &[u8], message: &Dcc<'_>) -> Result<(), SendError> {
        let text = message.encode()?;
        self.ctcp_query(nick, "DCC", text)
    }

    /// Asks for the rest of a file.
    pub(super) async fn resume_dcc(
        &self,
        nick: &[u8],
        part: &DccPart<'_>,
    ) -> Result<u64, DccError> {
        let config = super::meeting::config(self)?;
        let reactor = self.0.reactor.upgrade().ok_or(DccError::Off)?;
        let (promise, accepted) = reactor.promise();
        self.0.transfers.borrow_mut().resuming(nick, part, promise);
        self.send_dcc(nick, &Dcc::Resume(*part))?;
        let after = config.offer_timeout;
        reactor.timeout(after, accepted).await.map_err(|_| DccError::NotResumed { after })?
    }
}
