//! What is new since the last session: [`NewMessage`]s, by their unique ids.

use super::{Listing, Pop3Client, Pop3Error, Stage};
use crate::pop3::codec::{Command, Listed, UniqueId};

/// A message that a client does not have yet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewMessage {
    /// Its number in this session.
    pub number: u32,
    /// Its identity, also in later sessions.
    pub unique_id: UniqueId,
    /// Its size in bytes, as the server says: a hint.
    pub size: u64,
}

impl Pop3Client {
    /// The messages whose unique ids are not `known`, in the order of the server. Only these are kept in memory.
    ///
    /// # Errors
    ///
    /// [`Pop3Error`]; [`Pop3Error::Refused`] at [`Stage::UniqueIds`] if the server has no unique ids.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::collections::BTreeSet;
    /// use sinew_mail::pop3::{client::{Pop3Client, Pop3Error}, codec::UniqueId};
    ///
    /// /// Fetches what is new, and leaves it on the server.
    /// async fn fetch(mut client: Pop3Client, known: &mut BTreeSet<UniqueId>) -> Result<(), Pop3Error> {
    ///     let new = client.new_messages(|id| known.contains(id)).await?;
    ///     let mut messages = client.retrieve_all(new.iter().map(|new| new.number));
    ///     for new in &new {
    ///         let Some(message) = messages.next().await? else { break };
    ///         let text = message.collect(10 << 20).await?;
    ///         println!("{} bytes", text.len());
    ///         known.insert(new.unique_id.clone());
    ///     }
    ///     client.quit().await
    /// }
    /// ```
    pub async fn new_messages(
        &mut self,
        mut known: impl FnMut(&UniqueId) -> bool,
    ) -> Result<Vec<NewMessage>, Pop3Error> {
        let stage = Stage::UniqueIds;
        let is_pipelined = self.capabilities.has_pipelining();
        let commands = [Command::Uidl(None), Command::List(None)];
        let together = if is_pipelined { &commands[..] } else { &commands[..1] };
        self.link.send(stage, together).await?;
        let mut new = Vec::new();
        let mut refused = None;
        match self.link.status_of_text(stage).await {
            Ok(_) => {
                let mut listing = Listing::new(self, stage, Listed::unique_id);
                while let Some(Listed { number, value: unique_id }) = listing.next().await? {
                    if !known(&unique_id) {
                        new.push(NewMessage { number, unique_id, size: 0 });
                    }
                }
            }
            Err(error @ Pop3Error::Refused { .. }) => refused = Some(error),
            Err(error) => return Err(error),
        }
        if !is_pipelined {
            if let Some(refused) = refused {
                return Err(refused);
            }
            if new.is_empty() {
                return Ok(new);
            }
            self.link.send(Stage::List, &commands[1..]).await?;
        }
        self.link.status_of_text(Stage::List).await?;
        self.add_sizes(&mut new).await?;
        refused.map_or(Ok(new), Err)
    }

    async fn add_sizes(&mut self, new: &mut [NewMessage]) -> Result<(), Pop3Error> {
        let mut order: Vec<usize> = (0..new.len()).collect();
        order.sort_by_key(|at| new[*at].number);
        let mut listing = Listing::new(self, Stage::List, Listed::size);
        while let Some(Listed { number, value: size }) = listing.next().await? {
            if let Ok(at) = order.binary_search_by_key(&number, |at| new[*at].number) {
                new[order[at]].size = size;
            }
        }
        Ok(())
    }
}
