//! A client of TOC: [`TocClient`].

use std::fmt;

use sinew_auth::Secret;
use sinew_transports::{AsyncStream, endpoint::ClientEndpoint, reactor::Reactor};

use super::{Line, TEXT_MAX, Words, handshake::FLAPON};
use crate::historical::{
    Buddy, Event, Message, ScreenName, SessionError, SignOnError,
    flap::Channel,
    flap_link::FlapLink,
    oscar::VERSION,
    password::roast_toc,
    sign_on::{CLIENT, in_time},
};

/// A user that is signed on. The methods are those of [`OscarClient`](crate::historical::oscar::OscarClient).
///
/// # Examples
///
/// ```no_run
/// use sinew_auth::Secret;
/// use sinew_chat::historical::toc::TocClient;
/// use sinew_transports::reactor::Reactor;
///
/// async fn greet(reactor: Reactor) -> Result<(), Box<dyn std::error::Error>> {
///     let (name, password) = ("Ann".parse()?, Secret::from("secret"));
///     let mut client = TocClient::sign_on(&reactor, "127.0.0.1:9898", &name, &password).await?;
///     client.send(&"Bob".parse()?, "Hello, Bob.").await?;
///     client.sign_off().await;
///     Ok(())
/// }
/// ```
pub struct TocClient {
    link: FlapLink,
    name: ScreenName,
}

impl TocClient {
    /// Connects, logs in, and signs on. It is given 60 seconds. The password is hidden from nobody who can read the connection, unless it
    /// is one of TLS.
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

    /// Waits for the next event. Says to the server every minute that the client is there.
    ///
    /// Cancel safe: no event is lost.
    ///
    /// # Errors
    ///
    /// [`SessionError`]; the session has ended.
    pub async fn next(&mut self) -> Result<Event, SessionError> {
        loop {
            let event = match self.line().await? {
                Line::Message { from, is_automatic, text } => from
                    .parse()
                    .ok()
                    .map(|from| Event::Message(Message { from, text, is_automatic })),
                Line::Buddy { name, is_online, signed_on, is_away } => {
                    name.parse().ok().map(|name| match is_online {
                        true => Event::Arrived(Buddy { name, is_away, signed_on }),
                        false => Event::Departed(name),
                    })
                }
                Line::Error { code: 901, about } => {
                    Some(Event::NotDelivered { to: about.parse().ok() })
                }
                Line::Error { code: 903, .. } => Some(Event::TooFast),
                _ => None,
            };
            if let Some(event) = event {
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
        self.say(&Words::new("toc_send_im").with(to.normalized()).with(text)).await
    }

    /// Watches these users. Those that are signed on arrive.
    ///
    /// # Errors
    ///
    /// The session has ended, or the names are longer than a frame.
    pub async fn add_buddies(&mut self, names: &[ScreenName]) -> Result<(), SessionError> {
        self.say(&of_names("toc_add_buddy", names)).await
    }

    /// Watches these users no longer.
    ///
    /// # Errors
    ///
    /// As [`add_buddies`](Self::add_buddies).
    pub async fn remove_buddies(&mut self, names: &[ScreenName]) -> Result<(), SessionError> {
        self.say(&of_names("toc_remove_buddy", names)).await
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
        self.say(&Words::new("toc_set_away").with(message)).await
    }

    /// Signs off.
    pub async fn sign_off(mut self) {
        let _ = self.link.send(Channel::SignOff, b"").await;
    }

    async fn say(&mut self, words: &Words) -> Result<(), SessionError> {
        self.link.send(Channel::Data, &words.encode()).await
    }

    async fn line(&mut self) -> Result<Line, SessionError> {
        match self.link.receive().await? {
            (Channel::Data, data) => Ok(Line::parse(&data)),
            _ => Err(SessionError::SignedOff),
        }
    }

    /// Until the login is answered: the code if it was refused.
    async fn begin(&mut self, password: &Secret) -> Result<Option<u16>, SessionError> {
        self.link.send_raw(FLAPON).await?;
        match self.link.receive().await? {
            (Channel::SignOn, version) if version.starts_with(&VERSION) => {}
            _ => return Err(SessionError::Unexpected("no sign-on frame")),
        }
        let name = self.name.normalized().to_owned();
        let mut data = VERSION.to_vec();
        data.extend([0, 1, 0, name.len() as u8]);
        data.extend(name.as_bytes());
        self.link.send(Channel::SignOn, &data).await?;
        let words = Words::new("toc_signon").with("login.oscar.aol.com").with("5159").with(name);
        let words = words.with(roast_toc(password.bytes())).with("english").with(CLIENT);
        self.say(&words).await?;
        loop {
            match self.line().await? {
                Line::SignOn => break,
                Line::Error { code, .. } => return Ok(Some(code)),
                _ => {}
            }
        }
        self.say(&Words::new("toc_init_done")).await?;
        Ok(None)
    }
}

async fn signed_on(
    reactor: &Reactor,
    to: ClientEndpoint,
    name: &ScreenName,
    password: &Secret,
) -> Result<TocClient, SignOnError> {
    let link = FlapLink::new(reactor, AsyncStream::connect(reactor, to).await?);
    let mut client = TocClient { link, name: name.clone() };
    match client.begin(password).await {
        Ok(None) => Ok(client),
        Ok(Some(code)) => Err(SignOnError::Refused { name: name.clone(), code }),
        Err(source) => Err(SignOnError::Ended { name: name.clone(), source }),
    }
}

fn of_names(command: &str, names: &[ScreenName]) -> Words {
    names.iter().fold(Words::new(command), |words, name| words.with(name.normalized()))
}

impl fmt::Debug for TocClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TocClient").field("name", &self.name).finish_non_exhaustive()
    }
}
