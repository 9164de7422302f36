//! The contract of a request and its answer on one connection: [`Exchange`]. Declarations only; the protocols are in files of their own.

use super::tally::Trouble;

/// What an [`Exchange`] found in the input.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// The answer is not complete. All input has been taken.
    Incomplete,
    /// An answer has ended, and was right.
    Answer,
    /// An answer has ended and was right, and the server closes the connection.
    LastAnswer,
    /// An answer has ended, and says that the request failed.
    Failure(Trouble),
    /// The same, and the server closes the connection.
    LastFailure(Trouble),
}

/// Makes the requests of one connection and checks their answers, in order. It knows neither sockets nor time.
pub(crate) trait Exchange {
    /// Appends the next request.
    fn request(&mut self, out: &mut Vec<u8>);

    /// Takes input up to the end of at most one answer. Called only while an answer is owed.
    ///
    /// # Errors
    ///
    /// The answer is wrong, and where the next one begins is unknown.
    fn answer(&mut self, input: &mut &[u8]) -> Result<Found, Trouble>;

    /// The server has ended its output: an answer, if that is the right end of one.
    fn end_of_input(&mut self) -> Option<Found> {
        None
    }
}

/// Feeds the answers, in pieces of each length, and returns what was found: for the tests of each protocol.
#[cfg(test)]
pub(crate) fn found_in_every_split(
    make: impl Fn() -> Box<dyn Exchange>,
    input: &[u8],
) -> Result<Vec<Found>, Trouble> {
    let of = |len: usize| {
        let (mut exchange, mut found) = (make(), Vec::new());
        for piece in input.chunks(len) {
            let mut piece = piece;
            while !piece.is_empty() {
                match exchange.answer(&mut piece)? {
                    Found::Incomplete => assert!(piece.is_empty(), "all is taken"),
                    complete => found.push(complete),
                }
            }
        }
        Ok(found)
    };
    let whole = of(input.len());
    for len in 1..input.len() {
        assert_eq!(of(len), whole, "in pieces of {len}");
    }
    whole
}
