//! An account on the disk, as a session has it: [`MaildirAccount`].

use std::rc::Rc;

use sinew_transports::reactor::Deferred;

use super::{
    append,
    disk::Done,
    edits::Transfer,
    mailbox::{MaildirMailbox, transfer},
    shared::Accounting,
};
use crate::store::{
    Account, Append, Mailbox, MailboxInfo, MailboxName, NewMessage, Quota, Status, StoreError,
    UidSet,
};

pub(super) struct MaildirAccount {
    pub(super) shared: Rc<Accounting>,
}

impl Account for MaildirAccount {
    fn mailboxes(&self) -> Deferred<Vec<MailboxInfo>, StoreError> {
        let account = Rc::clone(&self.shared);
        self.shared.spawn(async move { account.call(|root| root.list()).await })
    }

    fn create(&self, name: &MailboxName) -> Deferred<(), StoreError> {
        self.shared.spawn(create(Rc::clone(&self.shared), name.clone()))
    }

    fn delete(&self, name: &MailboxName) -> Deferred<(), StoreError> {
        let (account, name) = (Rc::clone(&self.shared), name.clone());
        self.shared.spawn(async move {
            if name.is_inbox() {
                return Err(StoreError::NotPermitted { what: "to delete the inbox" });
            }
            let Some(root) = account.root() else { return Ok(()) };
            account.mailbox(&name)?.work(move |work| work.delete(&root.unique)).await
        })
    }

    fn rename(&self, from: &MailboxName, to: &MailboxName) -> Deferred<(), StoreError> {
        let (account, from, to) = (Rc::clone(&self.shared), from.clone(), to.clone());
        self.shared.spawn(async move {
            if !from.is_inbox() {
                return account.rename(from, to).await;
            }
            create(Rc::clone(&account), to.clone()).await?;
            let inbox = account.mailbox(&from)?;
            inbox.refresh().await?;
            transfer(inbox, UidSet::all(), to, Transfer::Move).await.map(drop)
        })
    }

    fn subscribe(&self, name: &MailboxName, subscribed: bool) -> Deferred<(), StoreError> {
        let (account, name) = (Rc::clone(&self.shared), name.clone());
        self.shared.spawn(async move {
            let call = move |root: &super::root::Root| root.subscribe(&name, subscribed).map(Some);
            account.call_locked(call).await
        })
    }

    fn status(&self, name: &MailboxName) -> Deferred<Status, StoreError> {
        let (account, name) = (Rc::clone(&self.shared), name.clone());
        self.shared.spawn(async move {
            let shared = account.mailbox(&name)?;
            shared.refresh().await?;
            shared.status().ok_or_else(|| shared.missing())
        })
    }

    fn open(&self, name: &MailboxName) -> Deferred<Rc<dyn Mailbox>, StoreError> {
        let (account, name) = (Rc::clone(&self.shared), name.clone());
        self.shared.spawn(async move {
            let shared = account.mailbox(&name)?;
            shared.refresh().await?;
            let mailbox: Rc<dyn Mailbox> = Rc::new(MaildirMailbox { shared });
            Ok(mailbox)
        })
    }

    fn deliver(
        &self,
        name: &MailboxName,
        message: NewMessage,
    ) -> Deferred<Box<dyn Append>, StoreError> {
        let (account, name) = (Rc::clone(&self.shared), name.clone());
        self.shared.spawn(async move { append::begin(account.mailbox(&name)?, message).await })
    }

    fn quota(&self) -> Deferred<Quota, StoreError> {
        let account = Rc::clone(&self.shared);
        self.shared.spawn(async move { account.call(|root| root.quota()).await })
    }

    fn has_room(&self, bytes: u64, messages: u64) -> Deferred<bool, StoreError> {
        let account = Rc::clone(&self.shared);
        let look = async move { account.call(move |root| root.has_room(bytes, messages)).await };
        self.shared.spawn(look)
    }
}

async fn create(account: Rc<Accounting>, name: MailboxName) -> Done {
    account.call_locked(move |root| root.create(&name).map(Some)).await
}
