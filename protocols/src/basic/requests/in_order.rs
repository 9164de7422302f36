//! Answers that come in the order of the questions: [`Requests`].

use std::{collections::VecDeque, fmt, time::Duration};

use sinew_transports::{ConnectionLost, Transport, WriteStatus, reactor::Deferred};

use super::{
    AnswerError, RequestError,
    places::{InOrder, Outstanding, Place},
};

/// Questions of a protocol that answers in order, as most line protocols do: whoever asks has a [`Deferred`] at once, and whoever reads
/// the answers gives each to the question in front.
///
/// `A` is an answer. `Q` is what has to be known of a question to read its answer, such as whether that has several lines: see
/// [`front`](Self::front). `E` is [`RequestError`], or an error of your own.
///
/// - **Time.** A question that is not answered in [`time`](Self::timeout) fails, and so does one that is cancelled; but it keeps its
///   place, and an answer that still comes is taken for its own and dropped. Else every answer that follows would be given to the
///   wrong question.
/// - **Bounds.** So many questions wait [at most](Self::outstanding_max), those that timed out among them; another is not sent.
/// - **The end.** [`lost`](Self::lost) fails all that wait, and all that are asked after it.
///
/// A clone is a handle of the same. All of it costs one timer of the reactor, while anything waits.
///
/// # Examples
///
/// ```
/// use sinew_protocols::basic::{
///     ArgumentError, Command, LineHandler, LineReceiver, LineTransport, RequestError, Requests, Word, send_line,
/// };
/// use sinew_transports::{ConnectionLost, Transport, reactor::Deferred};
///
/// #[derive(Default)]
/// struct Client {
///     requests: Requests<String>,
/// }
///
/// impl Client {
///     fn get(&mut self, transport: &Transport, key: &Word) -> Deferred<String, RequestError> {
///         let question = Command::new(&Word::from_static("GET")).word(key);
///         self.requests.ask(transport, (), |transport| Ok(send_line(transport, &question)?))
///     }
/// }
///
/// impl LineHandler for Client {
///     fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
///         if self.requests.answered(String::from_utf8_lossy(line).into_owned()).is_err() {
///             transport.fail("an answer to nothing that was asked");
///         }
///     }
///
///     fn connection_lost(&mut self, _: &mut LineTransport<'_>, reason: &ConnectionLost) {
///         self.requests.lost(reason);
///     }
/// }
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use sinew_transports::{memory, reactor::Reactor, StreamConfig};
/// # let reactor = Reactor::simulated(0);
/// # let (connection, wire) =
/// #     memory::connect(&reactor, StreamConfig::default(), LineReceiver::new(Client::default()))?;
///
/// let key = Word::try_from("colour")?;
/// let colour = connection.with(|client, transport| client.handler_mut().get(transport, &key));
/// # let colour = colour.ok_or("it is there")?;
/// # reactor.advance(std::time::Duration::ZERO)?;
/// # assert_eq!(wire.sent(), b"GET colour\r\n");
/// # wire.receive(b"blue\r\n");
/// # reactor.advance(std::time::Duration::ZERO)?;
/// # assert_eq!(colour.take(), Some(Ok("blue".to_owned())));
/// # Ok(())
/// # }
/// ```
pub struct Requests<A: 'static, Q: 'static = (), E: AnswerError = RequestError> {
    outstanding: Outstanding<InOrder<Q, A, E>, A, E>,
}

impl<A: 'static, Q: 'static, E: AnswerError> Requests<A, Q, E> {
    /// How many questions may wait. Default 1,024; past it [`RequestError::TooMany`].
    #[must_use]
    pub fn outstanding_max(self, questions: usize) -> Self {
        self.outstanding.set_max(questions);
        self
    }

    /// How long a question waits for its answer, unless it says otherwise. Default 30 s; past it [`RequestError::TimedOut`].
    #[must_use]
    pub fn timeout(self, timeout: impl Into<Option<Duration>>) -> Self {
        self.outstanding.set_timeout(timeout.into());
        self
    }

    /// Asks: has `send` write the question, at once, and waits for its answer. If it cannot be asked, `send` is not called; if `send`
    /// fails, nothing is waited for.
    pub fn ask(
        &self,
        transport: &Transport,
        question: Q,
        send: impl FnOnce(&Transport) -> Result<WriteStatus, E>,
    ) -> Deferred<A, E> {
        self.ask_within(transport, self.outstanding.timeout(), question, send)
    }

    /// The same with a time of its own.
    pub fn ask_within(
        &self,
        transport: &Transport,
        timeout: impl Into<Option<Duration>>,
        question: Q,
        send: impl FnOnce(&Transport) -> Result<WriteStatus, E>,
    ) -> Deferred<A, E> {
        let put = |places: &mut InOrder<_, _, _>, place| places.push_back((question, place));
        self.outstanding.ask(transport, timeout.into(), None, send, put)
    }

    /// The question that is answered next; `None` if nothing was asked.
    #[must_use]
    pub fn front(&self) -> Option<Q>
    where
        Q: Clone,
    {
        self.outstanding.with(|places| places.front().map(|(question, _)| question.clone()))
    }

    /// Answers the question in front.
    ///
    /// # Errors
    ///
    /// The answer, if nothing was asked: the peer speaks out of turn.
    pub fn answered(&self, answer: A) -> Result<(), A> {
        match self.next() {
            Some(place) => {
                self.outstanding.settle(place, Ok(answer));
                Ok(())
            }
            None => Err(answer),
        }
    }

    /// Fails the question in front: that is its answer.
    ///
    /// # Errors
    ///
    /// The error, if nothing was asked.
    pub fn failed(&self, error: E) -> Result<(), E> {
        match self.next() {
            Some(place) => {
                self.outstanding.settle(place, Err(error));
                Ok(())
            }
            None => Err(error),
        }
    }

    fn next(&self) -> Option<Place<A, E>> {
        self.outstanding.with(VecDeque::pop_front).map(|(_, place)| place)
    }

    /// How many questions wait for an answer, those that timed out or were cancelled among them.
    #[must_use]
    pub fn len(&self) -> usize {
        self.outstanding.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The connection is over: fails all questions with [`RequestError::Lost`], or as abandoned if that is because the reactor ends. To
    /// be called from `connection_lost`.
    pub fn lost(&self, reason: &ConnectionLost) {
        self.outstanding.lost(reason);
    }
}

impl<A: 'static, Q: 'static, E: AnswerError> Default for Requests<A, Q, E> {
    fn default() -> Self {
        Self { outstanding: Outstanding::default() }
    }
}

impl<A: 'static, Q: 'static, E: AnswerError> Clone for Requests<A, Q, E> {
    fn clone(&self) -> Self {
        Self { outstanding: self.outstanding.clone() }
    }
}

impl<A: 'static, Q: 'static, E: AnswerError> fmt::Debug for Requests<A, Q, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Requests").field("len", &self.len()).finish_non_exhaustive()
    }
}
