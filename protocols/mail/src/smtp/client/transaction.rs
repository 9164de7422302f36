//! One message on a connection: MAIL, RCPT, and DATA or BDAT, pipelined if the server allows it (RFC 2920).

use sinew_transports::reactor::with_causes;

use std::io;

use sinew_protocols::basic::DotStuffing;

use super::{
    Delivery, Envelope, MessageSource, RecipientReply, SmtpClient, SmtpError, Stage,
    smtp_client::accepted,
};
use crate::smtp::codec::{Body, Command, LineEnds, MessageFacts, Recipient, Reply, Sender};

/// Commands that are sent before their replies are read. They and the replies fit into any buffer, so that neither side waits for the
/// other to read.
const PIPELINED: usize = 100;
/// Bytes of a message that are written at once.
const WRITTEN: usize = 16 * 1024;

impl SmtpClient {
    pub(super) async fn transaction(
        &mut self,
        envelope: &Envelope,
        text: &mut impl MessageSource,
    ) -> Result<Delivery, SmtpError> {
        if self.is_unusable {
            return Err(SmtpError::Unusable);
        }
        let sender = self.sender(envelope, &text.facts())?;
        if envelope.recipients().is_empty() {
            return Err(SmtpError::NoRecipient);
        }
        let mut progress = Progress::new(envelope);
        // What follows may be dropped at each `await`.
        self.is_unusable = true;
        match self.converse(sender, text, &mut progress).await {
            Ok(()) => self.is_unusable = false,
            Err(error) if progress.is_decided() => {
                tracing::debug!(error = %with_causes(&error), "a mail server has failed after it had decided about a message");
            }
            Err(error) => return Err(error),
        }
        Ok(progress.into_delivery())
    }

    async fn converse(
        &mut self,
        sender: Sender,
        text: &mut impl MessageSource,
        progress: &mut Progress<'_>,
    ) -> Result<(), SmtpError> {
        if std::mem::take(&mut self.needs_reset) {
            let reply = self.link.ask(Stage::Reset, Command::Rset).await?;
            accepted(Stage::Reset, reply)?;
        }
        let by_chunks = self.link.config.uses_chunks && self.capabilities.has_chunking();
        let with_data = self.capabilities.has_pipelining() && !by_chunks;
        let mut commands = vec![(Stage::Mail, Command::Mail(sender))];
        commands.extend(
            self.recipients(progress.envelope).map(|to| (Stage::Recipient, Command::Rcpt(to))),
        );
        if with_data {
            commands.push((Stage::Data, Command::Data));
        }
        self.needs_reset = true;
        let group = if self.capabilities.has_pipelining() { PIPELINED } else { 1 };
        for group in commands.chunks(group) {
            self.link.send(group[0].0, group.iter().map(|(_, command)| command)).await?;
            for (stage, _) in group {
                let reply = self.link.reply(*stage).await?;
                progress.note(*stage, reply)?;
            }
            if progress.mail_is_refused {
                // Later groups would be refused, too.
                break;
            }
        }
        match () {
            () if by_chunks => self.chunk(text, progress).await,
            () => self.data(text, progress, with_data).await,
        }
    }

    /// The sender with what the message needs, as far as the server offers it.
    fn sender(&self, envelope: &Envelope, text: &MessageFacts) -> Result<Sender, SmtpError> {
        let capabilities = &self.capabilities;
        if let Some(max) = capabilities.size_max().filter(|max| text.len() > *max) {
            return Err(SmtpError::TooLarge { len: text.len(), max });
        }
        let mut sender = Sender::new(envelope.sender().address().cloned());
        if capabilities.has_size() {
            sender = sender.with_size(text.len());
        }
        if text.header_is_8bit() || envelope.needs_utf8() {
            if !capabilities.has_smtputf8() {
                return Err(SmtpError::Needs { extension: "SMTPUTF8" });
            }
            sender = sender.with_utf8();
        }
        if text.body_is_8bit() || text.header_is_8bit() {
            if !capabilities.has_8bitmime() {
                return Err(SmtpError::Needs { extension: "8BITMIME" });
            }
            sender = sender.with_body(Body::EightBitMime);
        }
        if capabilities.has_dsn() {
            sender = sender.with_reports_of(envelope.sender());
        }
        Ok(sender)
    }

    fn recipients<'a>(&self, envelope: &'a Envelope) -> impl Iterator<Item = Recipient> + use<'a> {
        let has_dsn = self.capabilities.has_dsn();
        envelope.recipients().iter().map(move |recipient| match has_dsn {
            true => recipient.clone(),
            false => Recipient::new(recipient.address().clone()),
        })
    }

    async fn data(
        &mut self,
        text: &mut impl MessageSource,
        progress: &mut Progress<'_>,
        was_said: bool,
    ) -> Result<(), SmtpError> {
        let has_recipients = progress.has_recipients();
        if !was_said {
            if !has_recipients {
                return Ok(());
            }
            let reply = self.link.ask(Stage::Data, Command::Data).await?;
            progress.note(Stage::Data, reply)?;
        }
        if !progress.data_is_expected {
            return Ok(());
        }
        if !has_recipients {
            // RFC 2920 3.1: the server goes on although there is nobody to send to.
            self.link.write(Stage::Data, b".\r\n").await?;
            let reply = self.link.reply(Stage::Message).await?;
            tracing::debug!(%reply, "to a message without recipients");
            return Ok(());
        }
        let (mut stuffing, mut left) = (DotStuffing::strict(), text.facts().len());
        let mut out = Vec::with_capacity(WRITTEN + 64);
        while let Some(piece) = next(text, &mut left).await? {
            for piece in piece.chunks(WRITTEN) {
                out.clear();
                let stuffed = stuffing.encode(piece, |bytes| out.extend_from_slice(bytes));
                stuffed.map_err(|error| not_a_message(error.to_string()))?;
                self.link.write(Stage::Data, &out).await?;
            }
        }
        out.clear();
        let stuffed = stuffing.finish(|bytes| out.extend_from_slice(bytes));
        stuffed.map_err(|error| not_a_message(error.to_string()))?;
        self.link.write(Stage::Data, &out).await?;
        self.end(progress).await
    }

    async fn chunk(
        &mut self,
        text: &mut impl MessageSource,
        progress: &mut Progress<'_>,
    ) -> Result<(), SmtpError> {
        if !progress.has_recipients() {
            return Ok(());
        }
        let len = text.facts().len();
        let (mut line_ends, mut left) = (LineEnds::default(), len);
        // The last piece completes the message: it is held back until it is known to be the last.
        let mut held = next(text, &mut left).await?;
        let command = Command::Bdat { len, is_last: true };
        self.link.send(Stage::Data, [&command]).await?;
        while let Some(piece) = held {
            // It may be sent on by DATA.
            if !line_ends.are_whole(&piece) || left == 0 && !line_ends.may_end() {
                return Err(not_a_message("a bare CR or LF"));
            }
            held = next(text, &mut left).await?;
            self.link.write(Stage::Data, &piece).await?;
        }
        self.end(progress).await
    }

    /// The replies to the message: one, or in LMTP one for each recipient that was accepted.
    async fn end(&mut self, progress: &mut Progress<'_>) -> Result<(), SmtpError> {
        if self.link.config.is_lmtp {
            self.end_for_each(progress).await?;
        } else {
            let reply = self.link.reply(Stage::Message).await?;
            progress.note(Stage::Message, reply)?;
        }
        self.needs_reset = false;
        Ok(())
    }

    /// The replies of LMTP. What is replied about one recipient stands, even if the server then fails: the others have its 421, or a
    /// failure that is made here.
    async fn end_for_each(&mut self, progress: &mut Progress<'_>) -> Result<(), SmtpError> {
        let stage = Stage::Message;
        let mut closing = None;
        for (nth, at) in progress.accepted().into_iter().enumerate() {
            match self.link.reply(stage).await {
                Ok(reply) => {
                    if reply.code() == 421 {
                        closing = Some(reply.clone());
                    }
                    progress.replies[at] = Some((stage, reply));
                }
                Err(error) => {
                    if nth > 0 {
                        let made = || Reply::of_checked(451, format!("4.4.2 {error}"));
                        let reply = closing.unwrap_or_else(made);
                        progress.reply_to_accepted(stage, &reply);
                    }
                    return Err(error);
                }
            }
        }
        match closing {
            Some(reply) => Err(SmtpError::Refused { stage, reply }),
            None => Ok(()),
        }
    }
}

/// The next piece of a message of which so many bytes are missing; one that is empty is none.
async fn next(
    text: &mut impl MessageSource,
    left: &mut u64,
) -> Result<Option<bytes::Bytes>, SmtpError> {
    let mut piece = text.next().await.map_err(SmtpError::Message)?;
    while piece.as_ref().is_some_and(bytes::Bytes::is_empty) {
        piece = text.next().await.map_err(SmtpError::Message)?;
    }
    let len = piece.as_ref().map_or(0, |piece| piece.len() as u64);
    match left.checked_sub(len) {
        Some(rest) if piece.is_some() || rest == 0 => *left = rest,
        _ => return Err(not_a_message("it has another length than its source said")),
    }
    Ok(piece)
}

fn not_a_message(why: impl Into<String>) -> SmtpError {
    SmtpError::Message(io::Error::new(io::ErrorKind::InvalidData, why.into()))
}

/// What the server has replied so far.
struct Progress<'a> {
    envelope: &'a Envelope,
    /// The last reply about each recipient.
    replies: Vec<Option<(Stage, Reply)>>,
    /// The next recipient whose RCPT is replied to.
    next: usize,
    mail_is_refused: bool,
    data_is_expected: bool,
}

impl<'a> Progress<'a> {
    fn new(envelope: &'a Envelope) -> Self {
        Self {
            envelope,
            replies: vec![None; envelope.recipients().len()],
            next: 0,
            mail_is_refused: false,
            data_is_expected: false,
        }
    }

    /// The recipients that were accepted, by their place in the envelope.
    fn accepted(&self) -> Vec<usize> {
        let is_accepted = |reply: &Option<(Stage, Reply)>| matches!(reply, Some((Stage::Recipient, reply)) if reply.is_success());
        (0..self.replies.len()).filter(|at| is_accepted(&self.replies[*at])).collect()
    }

    /// All recipients for whom there is no other reply yet have this one.
    fn reply_to_accepted(&mut self, stage: Stage, reply: &Reply) {
        for at in self.accepted() {
            self.replies[at] = Some((stage, reply.clone()));
        }
    }

    /// Whether nothing can change what has become of the message: all recipients have their last reply.
    fn is_decided(&self) -> bool {
        self.replies.iter().all(Option::is_some) && !self.has_recipients()
    }

    fn has_recipients(&self) -> bool {
        !self.accepted().is_empty()
    }

    /// Takes the reply to a command, or to the message.
    fn note(&mut self, stage: Stage, reply: Reply) -> Result<(), SmtpError> {
        if reply.code() == 421 {
            // The server closes the connection.
            return Err(SmtpError::Refused { stage, reply });
        }
        match stage {
            Stage::Mail if !reply.is_success() => {
                self.mail_is_refused = true;
                self.replies.fill(Some((stage, reply)));
            }
            Stage::Recipient => {
                if let Some(place) =
                    self.replies.get_mut(self.next).filter(|_| !self.mail_is_refused)
                {
                    *place = Some((stage, reply));
                }
                self.next += 1;
            }
            Stage::Data if reply.is_intermediate() => self.data_is_expected = true,
            Stage::Data | Stage::Message => self.reply_to_accepted(stage, &reply),
            _ => {}
        }
        Ok(())
    }

    fn into_delivery(self) -> Delivery {
        let recipients = self.envelope.recipients().iter();
        let replies = recipients.zip(self.replies).filter_map(|(recipient, reply)| {
            let (stage, reply) = reply?;
            Some(RecipientReply { address: recipient.address().clone(), stage, reply })
        });
        Delivery { replies: replies.collect() }
    }
}
