//! A client of OSCAR: [`OscarClient`].

use std::{collections::VecDeque, fmt};

use sinew_auth::Secret;
use sinew_transports::{AsyncStream, endpoint::ClientEndpoint, reactor::Reactor};

use super::{
    Kind, Reader, Snac, TEXT_MAX, Tlvs,
    fields::{ListItem, put_name, read_buddy, read_text, text_value},
    kinds::{self, SERVED},
    tlv::put,
};
use crate::historical::{
    Event, Message, ScreenName, SessionError, SignOnError,
    flap::Channel,
    flap_link::FlapLink,
    oscar::server::VERSION,
    password::digest,
    sign_on::{CLIENT, in_time},
};

/// A user that is signed on.
///
/// # Examples
///
/// ```no_run
/// use sinew_auth::Secret;
/// use sinew_chat::historical::{Event, oscar::OscarClient};
/// use sinew_transports::reactor::Reactor;
///
/// async fn answer(reactor: Reactor) -> Result<(), Box<dyn std::error::Error>> {
///     let (name, password) = ("Ann".parse()?, Secret::from("secret"));
///     let mut client = OscarClient::sign_on(&reactor, "127.0.0.1:5190", &name, &password).await?;
///     client.add_buddies(&["Bob".parse()?]).await?;
///     loop {
///         if let Event::Message(message) = client.next().await? {
///             client.send(&message.from, &format!("You say: {}", message.text)).await?;
///         }
///     }
/// }
/// ```
pub struct OscarClient {
    link: FlapLink,
    reactor: Reactor,
    name: ScreenName,
    request: u32,
    list: Vec<ListItem>,
    /// The last messages, by their requests: an error names no more.
    sent: VecDeque<(u32, ScreenName)>,
}

/// How many messages an error may be about.
const SENT_MAX: usize = 64;

impl OscarClient {
    /// Connects to the authorizer, logs in by a digest, connects to the service that it names, and signs on. It is given 60 seconds.
    ///
    /// # Errors
    ///
    /// [`SignOnError`].
    pub async fn sign_on(
        reactor: &Reactor,
        to: impl Into<ClientEndpoint>,
        name: &ScreenName,
        password: &Secret,
    ) -> Result<Self, SignOnError> {
        in_time(reactor, name, signed_on(reactor, to.into(), name, password)).await
    }

    /// The name of the user, as the server writes it.
    #[must_use]
    pub fn name(&self) -> &ScreenName {
        &self.name
    }

    /// The contact list that the server keeps for the user, as it was at the sign-on.
    #[must_use]
    pub fn list(&self) -> &[ListItem] {
        &self.list
    }

    /// Waits for the next event. Says to the server every minute that the client is there.
    ///
    /// Cancel safe: no event is lost.
    ///
    /// # Errors
    ///
    /// [`SessionError`]; the session has ended.
    pub async fn next(&mut self) -> Result<Event, SessionError> {
        loop {
            let (channel, data) = self.link.receive().await?;
            if channel != Channel::Data {
                return Err(SessionError::SignedOff);
            }
            let snac = Snac::parse(&data).ok_or(SessionError::Unexpected("a short message"))?;
            if let Some(event) = self.event(&snac) {
                return Ok(event);
            }
        }
    }

    /// Sends a message.
    ///
    /// # Errors
    ///
    /// [`SessionError::TooLong`], or the session has ended. That nobody has received it is an [event](Event::NotDelivered).
    pub async fn send(&mut self, to: &ScreenName, text: &str) -> Result<(), SessionError> {
        if text.len() > TEXT_MAX {
            return Err(SessionError::TooLong { len: text.len(), max: TEXT_MAX });
        }
        let mut data = self.reactor.random().to_be_bytes().to_vec();
        data.extend([0, 1]);
        put_name(&mut data, to);
        put(&mut data, 0x02, &text_value(text));
        self.sent.truncate(SENT_MAX - 1);
        self.sent.push_front((self.next_request(), to.clone()));
        self.say(kinds::SEND_MESSAGE, &data).await
    }

    /// Watches these users until the end of the session. Those that are signed on arrive.
    ///
    /// # Errors
    ///
    /// The session has ended, or the names are longer than a frame.
    pub async fn add_buddies(&mut self, names: &[ScreenName]) -> Result<(), SessionError> {
        self.say(kinds::ADD_BUDDIES, &put_names(names)).await
    }

    /// Watches these users no longer.
    ///
    /// # Errors
    ///
    /// As [`add_buddies`](Self::add_buddies).
    pub async fn remove_buddies(&mut self, names: &[ScreenName]) -> Result<(), SessionError> {
        self.say(kinds::REMOVE_BUDDIES, &put_names(names)).await
    }

    /// Adds items to the contact list that the server keeps. Buddies among them are watched.
    ///
    /// # Errors
    ///
    /// As [`add_buddies`](Self::add_buddies).
    pub async fn add_to_list(&mut self, items: &[ListItem]) -> Result<(), SessionError> {
        let mut data = Vec::new();
        items.iter().for_each(|item| item.put(&mut data));
        self.say(kinds::LIST_ADD, &data).await
    }

    /// Tells others that the user is away, with this message; or is back.
    ///
    /// # Errors
    ///
    /// [`SessionError::TooLong`], or the session has ended.
    pub async fn set_away(&mut self, message: Option<&str>) -> Result<(), SessionError> {
        let message = message.unwrap_or_default();
        if message.len() > TEXT_MAX {
            return Err(SessionError::TooLong { len: message.len(), max: TEXT_MAX });
        }
        let mut data = Vec::new();
        put(&mut data, 0x03, b"text/aolrtf; charset=\"utf-8\"");
        put(&mut data, 0x04, message.as_bytes());
        self.say(kinds::SET_INFO, &data).await
    }

    /// Signs off.
    pub async fn sign_off(mut self) {
        let _ = self.link.send(Channel::SignOff, b"").await;
    }

    /// The highest bit is the server's.
    const fn next_request(&self) -> u32 {
        (self.request + 1) & 0x7fff_ffff
    }

    async fn say(&mut self, kind: Kind, data: &[u8]) -> Result<(), SessionError> {
        self.request = self.next_request();
        let snac = Snac { kind, flags: 0, request: self.request, data };
        self.link.send(Channel::Data, &snac.encode()).await
    }

    /// Says something, and waits for the answer; what else comes is dropped.
    async fn ask(
        &mut self,
        kind: Kind,
        data: &[u8],
        answer: Kind,
    ) -> Result<Vec<u8>, SessionError> {
        self.say(kind, data).await?;
        self.wait_for(answer).await.map(|(_, data)| data)
    }

    async fn wait_for(&mut self, answer: Kind) -> Result<(u16, Vec<u8>), SessionError> {
        loop {
            let (channel, data) = self.link.receive().await?;
            if channel != Channel::Data {
                return Err(SessionError::SignedOff);
            }
            let snac = Snac::parse(&data).ok_or(SessionError::Unexpected("a short message"))?;
            if snac.kind == answer {
                return Ok((snac.flags, snac.data.to_vec()));
            }
            if snac.kind == Kind(answer.0, kinds::FAILED) {
                return Err(SessionError::Unexpected("an error in the place of an answer"));
            }
        }
    }

    /// From the connection to the service on until the user is ready.
    async fn begin(&mut self, cookie: &[u8]) -> Result<(), SessionError> {
        let mut data = VERSION.to_vec();
        put(&mut data, 0x06, cookie);
        self.expect_sign_on().await?;
        self.link.send(Channel::SignOn, &data).await?;
        self.wait_for(kinds::FAMILIES).await?;
        let versions = SERVED.iter().flat_map(|(family, version)| [*family, *version]);
        let versions: Vec<u8> = versions.flat_map(u16::to_be_bytes).collect();
        self.ask(kinds::CLIENT_VERSIONS, &versions, kinds::VERSIONS).await?;
        let rates = self.ask(kinds::RATES_QUERY, b"", kinds::RATES).await?;
        self.say(kinds::RATES_ADDED, &rate_classes(&rates)).await?;
        self.say(kinds::LIST_QUERY, b"").await?;
        loop {
            let (flags, items) = self.wait_for(kinds::LIST).await?;
            self.take_list(&items).ok_or(SessionError::Unexpected("a malformed list"))?;
            if flags & 1 == 0 {
                break;
            }
        }
        self.say(kinds::LIST_USE, b"").await?;
        // The tools of each family: any numbers will do.
        let tools = SERVED.iter().flat_map(|(family, version)| [*family, *version, 0x0110, 1]);
        let tools: Vec<u8> = tools.flat_map(u16::to_be_bytes).collect();
        self.say(kinds::CLIENT_READY, &tools).await
    }

    /// What a message tells the user.
    fn event(&self, snac: &Snac<'_>) -> Option<Event> {
        let mut reader = Reader::new(snac.data);
        match snac.kind {
            kinds::ARRIVED => read_buddy(&mut reader).map(Event::Arrived),
            kinds::DEPARTED => ScreenName::from_bytes(reader.short()?).ok().map(Event::Departed),
            kinds::MESSAGE => {
                let (_, channel) = (reader.bytes(8)?, reader.u16()?);
                let from = read_buddy(&mut reader)?.name;
                let values = Tlvs::parse(reader.rest())?;
                let text = read_text(values.get(0x02).filter(|_| channel == 1)?)?;
                let is_automatic = values.get(0x04).is_some();
                Some(Event::Message(Message { from, text, is_automatic }))
            }
            kinds::MESSAGE_FAILED => Some(match reader.u16()? {
                kinds::RATE_EXCEEDED => Event::TooFast,
                _ => {
                    let sent = self.sent.iter().find(|(request, _)| *request == snac.request);
                    Event::NotDelivered { to: sent.map(|(_, to)| to.clone()) }
                }
            }),
            _ => None,
        }
    }

    async fn expect_sign_on(&mut self) -> Result<(), SessionError> {
        match self.link.receive().await? {
            (Channel::SignOn, version) if version.starts_with(&VERSION) => Ok(()),
            _ => Err(SessionError::Unexpected("no sign-on frame")),
        }
    }

    fn take_list(&mut self, data: &[u8]) -> Option<()> {
        /// As many as a server may have.
        const ITEMS_MAX: usize = 10_000;
        let mut reader = Reader::new(data);
        reader.u8()?;
        for _ in 0..reader.u16()? {
            let item = ListItem::read(&mut reader)?;
            (self.list.len() < ITEMS_MAX).then(|| self.list.push(item))?;
        }
        Some(())
    }
}

async fn signed_on(
    reactor: &Reactor,
    to: ClientEndpoint,
    name: &ScreenName,
    password: &Secret,
) -> Result<OscarClient, SignOnError> {
    let ended = |source| SignOnError::Ended { name: name.clone(), source };
    let link = FlapLink::new(reactor, AsyncStream::connect(reactor, to).await?);
    let mut client = OscarClient {
        link,
        reactor: reactor.clone(),
        name: name.clone(),
        request: 0,
        list: Vec::new(),
        sent: VecDeque::new(),
    };
    let reply = logged_in(&mut client, name, password).await.map_err(ended)?;
    let malformed = || ended(SessionError::Unexpected("a malformed answer to the login"));
    let values = Tlvs::parse(&reply).ok_or_else(malformed)?;
    if let Some(code) = values.get(0x08).and_then(|code| Reader::new(code).u16()) {
        return Err(SignOnError::Refused { name: name.clone(), code });
    }
    let address = values.get(0x05).and_then(|address| std::str::from_utf8(address).ok());
    let (Some(address), Some(cookie)) = (address, values.get(0x06)) else {
        return Err(malformed());
    };
    if let Some(name) = values.get(0x01).and_then(|name| ScreenName::from_bytes(name).ok()) {
        client.name = name;
    }
    client.link = FlapLink::new(reactor, AsyncStream::connect(reactor, address).await?);
    client.begin(cookie).await.map_err(ended)?;
    Ok(client)
}

/// The login with the authorizer.
async fn logged_in(
    client: &mut OscarClient,
    name: &ScreenName,
    password: &Secret,
) -> Result<Vec<u8>, SessionError> {
    client.expect_sign_on().await?;
    client.link.send(Channel::SignOn, &VERSION).await?;
    let mut data = Vec::new();
    put(&mut data, 0x01, name.as_str().as_bytes());
    put(&mut data, 0x4b, b"");
    let answer = client.ask(kinds::KEY_QUERY, &data, kinds::KEY).await?;
    let mut reader = Reader::new(&answer);
    let len = reader.u16().ok_or(SessionError::Unexpected("a malformed key"))?;
    let key = reader.bytes(len.into()).ok_or(SessionError::Unexpected("a malformed key"))?;
    let mut data = Vec::new();
    put(&mut data, 0x01, name.as_str().as_bytes());
    put(&mut data, 0x03, CLIENT.as_bytes());
    put(&mut data, 0x25, &digest(key, password.bytes(), true));
    put(&mut data, 0x4c, b"");
    put(&mut data, 0x4a, &[1]);
    client.ask(kinds::LOGIN, &data, kinds::LOGIN_REPLY).await
}

fn put_names(names: &[ScreenName]) -> Vec<u8> {
    let mut data = Vec::new();
    names.iter().for_each(|name| put_name(&mut data, name));
    data
}

/// The numbers of the classes in an answer about rates.
fn rate_classes(rates: &[u8]) -> Vec<u8> {
    /// Bytes of a class: its number, eight numbers of four bytes, and a state.
    const CLASS_LEN: usize = 35;
    let mut reader = Reader::new(rates);
    let count = reader.u16().unwrap_or(0);
    let classes = reader.rest().chunks(CLASS_LEN).take(count.into());
    classes.filter_map(|class| class.get(..2)).flatten().copied().collect()
}

impl fmt::Debug for OscarClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OscarClient").field("name", &self.name).finish_non_exhaustive()
    }
}
