//! Who receives mail for an address: [`Router`] follows aliases and forwarding to mailboxes, other hosts, programs and files.

use std::{
    cell::RefCell,
    collections::{BTreeSet, VecDeque},
    fmt, io,
    path::Path,
    rc::Rc,
};

use sinew_protocols::basic::Word;
use sinew_transports::reactor::{Deferred, Reactor, with_causes};

use super::{
    AliasError, Aliases, LocalDomain, RouteError, RouterConfig, User,
    aliases::FILE_MAX,
    target::{Target, TargetRules, parse_targets, unquoted},
};
use crate::{
    queue::QueuedRecipient,
    smtp::codec::{Address, Notify, Recipient, Sender},
};

/// The name of the agent that delivers to mailboxes.
pub const MAILBOX_AGENT: Word = Word::from_static("mailbox");
/// The name of the agent that runs programs.
pub const PROGRAM_AGENT: Word = Word::from_static("program");
/// The name of the agent that appends to files.
pub const FILE_AGENT: Word = Word::from_static("file");

/// Most targets of a file of forwarding.
const FORWARDS_MAX: usize = 100;

/// Follows the aliases of local domains. Clones share everything, so that new aliases count for all.
///
/// What is asked for an address of a local domain, in this order: an alias of the name; a user of it; the same without a tag
/// (`ann+lists`); for `postmaster`, who is [set for it](RouterConfig::new); the catch-all of the domain, which the
/// [aliases](Aliases::catch_all) have or else the [domain](LocalDomain::catch_all).
///
/// A name that leads to itself is the mailbox of that name, so that `ann: ann, bob` works; a longer way back is
/// [`RouteError::Loop`]. With an alias `owner-NAME`, the members of `NAME` receive mail with that sender, to whom reports go, unless
/// the message has none.
#[derive(Clone)]
pub struct Router {
    config: Rc<RefCell<Rc<RouterConfig>>>,
}

/// An address that is followed.
struct Step {
    target: Target,
    /// Of the names in it that have none.
    domain: Rc<str>,
    /// The names that have led here, the last one first.
    path: Option<Rc<Way>>,
    owner: Option<Address>,
}

struct Way {
    name: String,
    before: Option<Rc<Self>>,
    depth: usize,
}

impl Router {
    /// A router with these domains.
    #[must_use]
    pub fn new(config: RouterConfig) -> Self {
        Self { config: Rc::new(RefCell::new(Rc::new(config))) }
    }

    /// Uses other aliases from now on.
    pub fn set_aliases(&self, aliases: Aliases) {
        let config = RouterConfig { aliases: Rc::new(aliases), ..(**self.config.borrow()).clone() };
        let old = self.config.replace(Rc::new(config));
        drop(old);
    }

    /// Reads a file of aliases, with the files that it includes, and uses it from now on. Returns how many names it has. If it has
    /// something wrong in it, the old ones stay.
    ///
    /// # Errors
    ///
    /// [`AliasError`], by the deferred; a file that cannot be read is [`AliasError::Include`].
    pub fn load_aliases(
        &self,
        reactor: &Reactor,
        path: impl AsRef<Path>,
        rules: TargetRules,
    ) -> Deferred<usize, AliasError> {
        let path = path.as_ref().to_owned();
        let reading = reactor.defer_to_thread(move || {
            let text = read_file(&path).map_err(|error| AliasError::Include {
                path: path.display().to_string(),
                why: error.to_string(),
            })?;
            Aliases::parse(&text, rules)?.including(rules, |path| read_file(Path::new(path)))
        });
        let router = self.clone();
        reading.map(move |read| {
            let aliases = read??;
            let names = aliases.len();
            router.set_aliases(aliases);
            Ok(names)
        })
    }

    /// The domains for which the aliases have a [catch-all](Aliases::catch_all), in order.
    #[must_use]
    pub fn catch_all_domains(&self) -> Vec<String> {
        self.config.borrow().aliases.catch_all_domains().map(str::to_owned).collect()
    }

    /// Whether mail of this domain is delivered here.
    #[must_use]
    pub fn is_local(&self, address: &Address) -> bool {
        let config = self.config.borrow();
        address.domain().is_empty()
            || config.domains.contains_key(&address.domain().to_ascii_lowercase())
    }

    /// Who receives the mail for an address, each once. An address of another domain is for the agent
    /// [`SMTP_AGENT`](crate::queue::SMTP_AGENT); one that stands for several is among them as
    /// [expanded](QueuedRecipient::expanded).
    ///
    /// # Errors
    ///
    /// [`RouteError`], by the deferred.
    pub fn route(
        &self,
        reactor: &Reactor,
        to: &Recipient,
        sender: &Sender,
    ) -> Deferred<Vec<QueuedRecipient>, RouteError> {
        let config = Rc::clone(&self.config.borrow());
        let (of_task, to, sender) = (reactor.clone(), to.clone(), sender.clone());
        super::run(reactor, async move {
            let found = follow(&config, &of_task, to.address()).await?;
            Ok(recipients(&to, &sender, found))
        })
    }
}

/// Where an address leads, with the owner of the list that has led there.
type Found = Vec<(Leaf, Option<Address>)>;

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Leaf {
    Remote(Address),
    /// The address, and the account.
    Mailbox(Address, String),
    Program(Address, String),
    File(Address, String),
}

async fn follow(
    config: &RouterConfig,
    reactor: &Reactor,
    to: &Address,
) -> Result<Found, RouteError> {
    let domain: Rc<str> = match to.domain() {
        "" => config.first_domain.clone().ok_or(RouteError::NoSuchMailbox)?.into(),
        domain => domain.to_ascii_lowercase().into(),
    };
    let target = Target::Address(to.clone());
    let mut steps = VecDeque::from([Step { target, domain, path: None, owner: None }]);
    let (mut found, mut seen) = (Found::new(), BTreeSet::new());
    let mut names = BTreeSet::new();
    let max = config.recipients_max;
    while let Some(step) = steps.pop_front() {
        let leaf = match (next(config, reactor, &step, &mut names).await, &step.path) {
            (Ok(Next::Leaf(leaf)), _) => leaf,
            (Ok(Next::Seen), _) => continue,
            // The sender has named the alias, which the others are reached by; who leads it reads the log.
            (Err(RouteError::NoSuchMailbox), Some(way)) => {
                tracing::warn!(alias = %way.name, target = ?step.target, "an alias leads to no mailbox");
                continue;
            }
            (Err(error), _) => return Err(error),
            (Ok(Next::Steps(more)), _) => {
                if steps.len() + more.len() > max {
                    return Err(RouteError::TooMany { max });
                }
                steps.extend(more);
                continue;
            }
        };
        if seen.insert(leaf.clone()) {
            found.push((leaf, step.owner));
        }
        if found.len() > max {
            return Err(RouteError::TooMany { max });
        }
    }
    match found.is_empty() {
        // An alias without targets, or none of them is there.
        true => Err(RouteError::NoSuchMailbox),
        false => Ok(found),
    }
}

enum Next {
    Leaf(Leaf),
    Steps(Vec<Step>),
    /// It was followed before.
    Seen,
}

async fn next(
    config: &RouterConfig,
    reactor: &Reactor,
    step: &Step,
    names: &mut BTreeSet<String>,
) -> Result<Next, RouteError> {
    let address = match &step.target {
        Target::Address(address) => address.clone(),
        Target::Name(name) | Target::Mailbox(name) => {
            address_of(name, &step.domain).ok_or(RouteError::NoSuchMailbox)?
        }
        Target::Program(command) => {
            return Ok(Next::Leaf(Leaf::Program(step.address()?, command.clone())));
        }
        Target::File(path) => return Ok(Next::Leaf(Leaf::File(step.address()?, path.clone()))),
        Target::Include(_) => {
            return Err(RouteError::Unavailable("a file that was not read".into()));
        }
    };
    let domain = match address.domain() {
        "" => step.domain.to_string(),
        domain => domain.to_ascii_lowercase(),
    };
    let Some(local_domain) = config.domains.get(&domain) else {
        return Ok(Next::Leaf(Leaf::Remote(address)));
    };
    let name = Name { local: unquoted(address.local()), domain: domain.into() };
    let key = name.key();
    let way = step.path.as_deref();
    // A name that leads to itself means its mailbox.
    let is_itself = way.is_some_and(|way| way.name == key);
    if !is_itself && step.leads_through(&key) {
        return Err(RouteError::Loop { name: key });
    }
    if way.is_some_and(|way| way.depth >= config.depth_max) {
        return Err(RouteError::TooDeep { max: config.depth_max });
    }
    let is_mailbox = is_itself || matches!(step.target, Target::Mailbox(_));
    if !is_mailbox && !names.insert(key.clone()) {
        return Ok(Next::Seen);
    }
    look_up(config, reactor, local_domain, step, &address, &name, is_mailbox).await
}

/// A name in a local domain.
struct Name {
    local: String,
    domain: Rc<str>,
}

impl Name {
    fn key(&self) -> String {
        format!("{}@{}", self.local.to_ascii_lowercase(), self.domain)
    }

    /// The name, and the same without its tag.
    fn forms(&self, separator: Option<char>) -> impl Iterator<Item = &str> {
        let stem = separator.and_then(|separator| self.local.split_once(separator));
        let stem = stem.map(|(stem, _)| stem).filter(|stem| !stem.is_empty());
        std::iter::once(&*self.local).chain(stem)
    }
}

async fn look_up(
    config: &RouterConfig,
    reactor: &Reactor,
    domain: &LocalDomain,
    step: &Step,
    address: &Address,
    name: &Name,
    is_mailbox: bool,
) -> Result<Next, RouteError> {
    for form in name.forms(domain.tag_separator) {
        if let Some(targets) = config.aliases.find(form, &name.domain).filter(|_| !is_mailbox) {
            let owner = format!("owner-{form}");
            let owner = config.aliases.find(&owner, &name.domain).map(|_| owner);
            let owner = owner.and_then(|owner| address_of(&owner, &name.domain));
            return Ok(step.lead_to(targets.iter().cloned(), name, owner));
        }
        let user = domain.users.find(reactor, form, &name.domain).await?;
        let Some(User { account, forward }) = user else { continue };
        match forward.filter(|_| !is_mailbox) {
            None => return Ok(Next::Leaf(Leaf::Mailbox(address.clone(), account))),
            Some(forward) => {
                let targets = parse_targets(&forward, config.forward_rules, FORWARDS_MAX);
                let targets = targets.map_err(|error| {
                    tracing::warn!(user = form, error = %with_causes(&error), "what a user forwards mail to is wrong");
                    RouteError::Unavailable(error.to_string())
                })?;
                // An empty file forwards nothing.
                return Ok(match targets.is_empty() {
                    true => Next::Leaf(Leaf::Mailbox(address.clone(), account)),
                    false => step.lead_to(targets, name, None),
                });
            }
        }
    }
    let is_postmaster = name.local.eq_ignore_ascii_case("postmaster");
    let (last, at) = match is_postmaster {
        true => (Some(std::slice::from_ref(&config.postmaster)), config.first_domain.as_deref()),
        false => {
            let of_domain = || domain.catch_all.as_ref().map(std::slice::from_ref);
            (config.aliases.catch_all(&name.domain).or_else(of_domain), None)
        }
    };
    let last = last.filter(|_| !is_mailbox).ok_or(RouteError::NoSuchMailbox)?;
    let mut steps = step.lead_to(last.iter().cloned(), name, None);
    if let (Next::Steps(steps), Some(domain)) = (&mut steps, at) {
        steps.iter_mut().for_each(|step| step.domain = domain.into());
    }
    Ok(steps)
}

impl Step {
    /// The name that leads to a program or a file, as an address.
    fn address(&self) -> Result<Address, RouteError> {
        let name = self.path.as_ref().map(|way| way.name.as_str());
        let (local, domain) =
            name.and_then(|name| name.rsplit_once('@')).ok_or(RouteError::NoSuchMailbox)?;
        address_of(local, domain).ok_or(RouteError::NoSuchMailbox)
    }

    fn leads_through(&self, key: &str) -> bool {
        std::iter::successors(self.path.as_deref(), |way| way.before.as_deref())
            .any(|way| way.name == key)
    }

    fn lead_to(
        &self,
        targets: impl IntoIterator<Item = Target>,
        name: &Name,
        owner: Option<Address>,
    ) -> Next {
        let depth = self.path.as_ref().map_or(1, |way| way.depth + 1);
        let way = Rc::new(Way { name: name.key(), before: self.path.clone(), depth });
        let owner = owner.or_else(|| self.owner.clone());
        let steps = targets.into_iter().map(|target| Self {
            target,
            domain: Rc::clone(&name.domain),
            path: Some(Rc::clone(&way)),
            owner: owner.clone(),
        });
        Next::Steps(steps.collect())
    }
}

/// The address of a name in a domain, in quotes if it has to be.
fn address_of(name: &str, domain: &str) -> Option<Address> {
    format!("{name}@{domain}").parse().ok().or_else(|| {
        let escaped = name.replace('\\', "\\\\").replace('"', "\\\"");
        format!("\"{escaped}\"@{domain}").parse().ok()
    })
}

/// The recipients of a message to `to`, with what they keep of its parameters (RFC 3461 5.2.7).
fn recipients(to: &Recipient, sender: &Sender, found: Found) -> Vec<QueuedRecipient> {
    let is_list = found.len() > 1 || found.iter().any(|(_, owner)| owner.is_some());
    let mut recipients = Vec::with_capacity(found.len() + 1);
    let wants_success = to.notify().is_some_and(|notify| notify.includes(Notify::SUCCESS));
    if is_list && wants_success {
        recipients.push(QueuedRecipient::expanded(to.clone()));
    }
    for (leaf, owner) in found {
        let with = |address: Address| {
            let copy = Recipient::new(address);
            let copy = match to.original() {
                Some((kind, original)) => copy.with_original(kind.clone(), original),
                None => copy,
            };
            match to.notify() {
                Some(_) if owner.is_some() => copy,
                Some(notify) if is_list => copy.with_notify(notify.without_success()),
                Some(notify) => copy.with_notify(notify),
                None => copy,
            }
        };
        let recipient = match leaf {
            Leaf::Remote(address) => QueuedRecipient::remote(with(address)),
            Leaf::Mailbox(address, account) => {
                QueuedRecipient::new(with(address), MAILBOX_AGENT).with_argument(account)
            }
            Leaf::Program(address, command) => {
                QueuedRecipient::new(with(address), PROGRAM_AGENT).with_argument(command)
            }
            Leaf::File(address, path) => {
                QueuedRecipient::new(with(address), FILE_AGENT).with_argument(path)
            }
        };
        recipients.push(match owner.filter(|_| sender.address().is_some()) {
            Some(owner) => recipient.with_sender(Sender::new(Some(owner))),
            None => recipient,
        });
    }
    recipients
}

fn read_file(path: &Path) -> io::Result<String> {
    use std::io::Read;
    let mut text = String::new();
    let read = std::fs::File::open(path)?.take(FILE_MAX as u64 + 1).read_to_string(&mut text)?;
    match read > FILE_MAX {
        true => Err(io::Error::other("it is longer than 16 MiB")),
        false => Ok(text),
    }
}

impl From<sinew_transports::reactor::Failure> for AliasError {
    fn from(failure: sinew_transports::reactor::Failure) -> Self {
        Self::Include { path: "aliases".into(), why: failure.to_string() }
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router").field("config", &*self.config.borrow()).finish()
    }
}
