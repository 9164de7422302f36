//! The signatures of several messages in a row: [`TsigVerifier`].

use super::{
    TsigError, TsigKey,
    record::{TsigRecord, with_len},
};
use crate::codec::{MessageLimits, inspect};

/// Messages of a transfer without a signature, between two with one (RFC 8945, section 5.3.1).
const UNSIGNED_MAX: usize = 99;

/// Verifies the responses to one signed query, in order: one, or all of a transfer (RFC 8945, section 5.3.1), some of which may have no
/// signature of their own.
#[derive(Clone, Debug)]
pub struct TsigVerifier {
    key: TsigKey,
    /// The last signature.
    mac: Vec<u8>,
    is_first: bool,
    /// Messages since the last signature.
    unsigned: Vec<Vec<u8>>,
}

impl TsigVerifier {
    /// For the responses to a query with this signature.
    #[must_use]
    pub const fn new(key: TsigKey, query_mac: Vec<u8>) -> Self {
        Self { key, mac: query_mac, is_first: true, unsigned: Vec::new() }
    }

    /// Takes the next message.
    ///
    /// # Errors
    ///
    /// [`TsigError`]. Whatever was received since the last signed message must not be used then.
    pub fn verify(&mut self, message: &[u8], now: u64) -> Result<(), TsigError> {
        let outline = inspect(message, &MessageLimits::response())?;
        let Some(record) = TsigRecord::read(message, &outline)? else {
            if self.is_first || self.unsigned.len() >= UNSIGNED_MAX {
                return Err(TsigError::Missing);
            }
            self.unsigned.push(message.to_vec());
            return Ok(());
        };
        let mut before = with_len(Some(&self.mac));
        self.unsigned.drain(..).for_each(|message| before.extend(message));
        let variables = if self.is_first {
            self.key.variables(record.time, record.error, record.other)
        } else {
            record.time.to_bytes().to_vec()
        };
        self.mac = self.key.verify_record(message, &record, &before, &variables, now)?;
        self.is_first = false;
        Ok(())
    }

    /// Whether everything received is signed. The last message of a transfer must be.
    ///
    /// # Errors
    ///
    /// [`TsigError::Missing`].
    pub fn finish(&self) -> Result<(), TsigError> {
        let is_done = !self.is_first && self.unsigned.is_empty();
        if is_done { Ok(()) } else { Err(TsigError::Missing) }
    }
}
