//! AXFR: a whole zone, printed record by record as it comes, and only as fast as somebody reads.

use std::net::SocketAddr;

use sinew::dns::{
    client::TransferReader,
    codec::{Checked, Message, MessageLimits, Mismatch, ResponseCode, SentQuery, decode},
    zone::text_of_name,
};

use super::{
    Ended, Servers,
    ask::{AskError, Asker},
    print, show,
    words::{Asked, Flags},
};
use crate::exit::{Code, Failure};

/// What the transfer has brought.
#[derive(Default)]
struct Tally {
    records: u64,
    messages: u64,
    bytes: u64,
}

/// Transfers a zone from the first server.
pub(super) async fn run(
    asker: &Asker,
    servers: &Servers,
    asked: &Asked,
    flags: &Flags,
) -> Result<(), Ended> {
    let Some(&server) = servers.addrs.first() else {
        return Err(Failure::new(Code::NoHost, "there is no server to ask").into());
    };
    let begun = asker.now();
    let tally = receive(asker, server, asked, flags).await?;
    if flags.is_short {
        return Ok(());
    }
    let Tally { records, messages, bytes } = tally;
    print(format_args!(
        ";; Query time: {} msec\n;; SERVER: {} ({})\n;; XFR size: {records} records (messages {messages}, bytes {bytes})\n",
        (asker.now() - begun).as_millis(),
        show::addr(server),
        asker.over_stream(),
    ))
}

async fn receive(
    asker: &Asker,
    server: SocketAddr,
    asked: &Asked,
    flags: &Flags,
) -> Result<Tally, Ended> {
    let failed = |code: Code, why: &dyn std::fmt::Display| {
        let name = text_of_name(&asked.name);
        Failure::new(code, format!("the transfer of {name} from {server} has failed: {why}"))
    };
    let io = |error: AskError| failed(Code::Unavailable, &error);
    let question = flags.question(asked).recursion_desired(false);
    let sent = asker.encode(&question, false).map_err(|error| failed(Code::Usage, &error))?;
    let mut frames = asker.connect(server).await.map_err(io)?;
    asker.in_time(async { Ok(frames.send(sent.bytes()).await?) }).await.map_err(io)?;
    let mut reader = TransferReader::new(asked.name.clone(), None);
    let mut tally = Tally::default();
    while !reader.is_over() {
        let next = async { Ok(frames.next().await.ok_or(AskError::Closed)??) };
        let frame = asker.in_time(next).await.map_err(io)?;
        let message = message(&sent, &frame, tally.messages == 0).map_err(io)?;
        let code = message.metadata.response_code;
        if code != ResponseCode::NoError {
            let why = format!("the server responds {}", show::status(code));
            return Err(failed(Code::Protocol, &why).into());
        }
        tally.messages += 1;
        tally.bytes += frame.len() as u64;
        for record in message.answers {
            tally.records += 1;
            print(if flags.is_short { show::data(&record) } else { show::record(&record) })?;
            reader.take(record).map_err(|error| failed(Code::Protocol, &error))?;
        }
    }
    Ok(tally)
}

/// Decodes a message. All but the first may leave the question away (RFC 5936, section 2.2.1).
fn message(sent: &SentQuery, frame: &[u8], is_first: bool) -> Result<Message, AskError> {
    let limits = MessageLimits::response();
    match sent.check(frame, &limits) {
        Ok(Checked::Whole(message)) => Ok(*message),
        Ok(Checked::Malformed(error)) => Err(error.into()),
        Ok(_) => Err(AskError::Cut),
        Err(Mismatch::Question) if !is_first => {
            let message = decode(frame, &limits)?;
            let is_same = message.metadata.id == sent.id() && message.queries.is_empty();
            if is_same { Ok(message) } else { Err(Mismatch::Question.into()) }
        }
        Err(mismatch) => Err(mismatch.into()),
    }
}
