//! What decides over logins: [`Authenticator`], a checker with its limits and the mechanisms that are offered. The exchanges of
//! SASL are in `server/`.

use std::{cell::RefCell, fmt, rc::Rc};

use sinew_transports::reactor::{Deferred, Failure, Promise, Reactor};

use crate::{
    Ability, AuthError, AuthenticatorConfig, Channel, Checker, Credentials, Form, Identity,
    Mechanism, SaslError, ScramHash, ScramKeys, Secret, Stored,
    attempts::{Attempt, Attempts},
    checkers::gate::Gate,
    codec::names::{PASSWORD_MAX, USER_MAX},
    login_log::{Login, LoginLog, Reason},
};

/// Most SCRAM keys that are derived at once, and most logins that wait.
const DERIVING_MAX: usize = 2;
const WAITING_MAX: usize = 100;

/// Bytes of the salts of keys that are derived from stored passwords.
const SALT_LEN: usize = 16;

/// Checks credentials for servers: a [`Checker`] with a [`FailureLimiter`](crate::FailureLimiter), and a policy for the mechanisms of
/// SASL. A handle: clones are the same authenticator, and count failures together. Give one to all servers of a program.
///
/// # Examples
///
/// ```
/// use sinew_auth::{Authenticator, Channel, Mechanism, Users};
///
/// let users = Authenticator::new(Users::new().user("ann", "secret"));
/// // No password is asked for as long as everybody could read it.
/// assert!(!users.mechanisms(&Channel::new()).contains(&Mechanism::Plain));
/// assert!(users.mechanisms(&Channel::new().encrypted(true)).contains(&Mechanism::Plain));
/// ```
#[derive(Clone)]
pub struct Authenticator(Rc<Inner>);

struct Inner {
    checker: Box<dyn Checker>,
    attempts: Attempts,
    config: AuthenticatorConfig,
    deriving: Gate,
    log: LoginLog,
    /// For salts; created when it is first needed.
    salt_secret: RefCell<Option<Secret>>,
}

impl Authenticator {
    /// With the default configuration.
    pub fn new(checker: impl Checker) -> Self {
        Self::with(checker, AuthenticatorConfig::default())
    }

    /// With a configuration.
    pub fn with(checker: impl Checker, mut config: AuthenticatorConfig) -> Self {
        Self(Rc::new(Inner {
            checker: Box::new(checker),
            attempts: Attempts::new(std::mem::take(&mut config.limiter)),
            salt_secret: RefCell::new(config.salt_secret.take()),
            deriving: Gate::new(DERIVING_MAX, WAITING_MAX),
            log: LoginLog::default(),
            config,
        }))
    }

    /// The mechanisms to offer on a connection, the best one first: those that the configuration allows, that the checker supports,
    /// and that show no password to those who can read the connection.
    #[must_use]
    pub fn mechanisms(&self, channel: &Channel) -> Vec<Mechanism> {
        let all = Mechanism::ALL.into_iter();
        all.filter(|mechanism| self.allows(*mechanism, channel).is_ok()).collect()
    }

    /// Whether a mechanism may be used; [`SaslError::EncryptionRequired`] if it could be with encryption.
    pub(crate) fn allows(&self, mechanism: Mechanism, channel: &Channel) -> Result<(), SaslError> {
        let can = |ability| self.0.checker.can(ability);
        let is_possible = match mechanism {
            Mechanism::External => can(Ability::CheckExternal) && channel.external_name().is_some(),
            Mechanism::ScramPlus(hash) => self.has_keys(hash) && !channel.bindings().is_empty(),
            Mechanism::Scram(hash) => self.has_keys(hash),
            Mechanism::OAuthBearer | Mechanism::XOAuth2 => can(Ability::CheckToken),
            Mechanism::Plain | Mechanism::Login => can(Ability::CheckPassword),
            Mechanism::CramMd5 => can(Ability::TellPassword),
        };
        if !is_possible || !self.0.config.mechanisms.contains(&mechanism) {
            return Err(SaslError::NoSuchMechanism(mechanism.name().to_owned()));
        }
        self.allows_plaintext(channel)
            .or_else(|error| if mechanism.is_plaintext() { Err(error) } else { Ok(()) })
    }

    fn has_keys(&self, hash: ScramHash) -> bool {
        let can = |ability| self.0.checker.can(ability);
        can(Ability::TellScramKeys(hash)) || can(Ability::TellPassword)
    }

    /// Whether a password may be sent as it is, as by `USER` and `PASS` of POP3 or `LOGIN` of IMAP.
    ///
    /// # Errors
    ///
    /// [`SaslError::EncryptionRequired`] if not.
    pub fn allows_plaintext(&self, channel: &Channel) -> Result<(), SaslError> {
        match channel.is_encrypted() || self.0.config.allow_plaintext {
            true => Ok(()),
            false => Err(SaslError::EncryptionRequired),
        }
    }

    /// Checks credentials. Failures are counted and answered late ([`FailureLimiter`](crate::FailureLimiter)), also if nobody waits
    /// for the answer any more.
    ///
    /// # Errors
    ///
    /// [`AuthError`]. Credentials that are too long for any user are refused.
    pub fn check(
        &self,
        reactor: &Reactor,
        channel: &Channel,
        credentials: Credentials,
    ) -> Deferred<Identity, AuthError> {
        let user = credentials.user().unwrap_or_default();
        let password_len = match &credentials {
            Credentials::Password { password, .. } => password.bytes().len(),
            _ => 0,
        };
        let is_too_long = password_len > PASSWORD_MAX || user.len() > USER_MAX;
        let begun = self.0.attempts.begin(reactor, channel.address(), user);
        let login = Login::new(channel, user, Some(way_of(&credentials)));
        let (promise, identity) = reactor.promise();
        let this = self.clone();
        begun.then(move |reactor, begun| {
            let attempt = match begun {
                Ok(attempt) if is_too_long => {
                    return this.refuse(reactor, attempt, &login, promise);
                }
                Ok(attempt) => attempt,
                Err(error) => return this.not_checked(reactor, &login, error, promise),
            };
            // A checker is user code, which only the loop calls.
            let checked = this.0.checker.check(reactor, credentials);
            checked.then(move |reactor, checked| match checked {
                Err(AuthError::Refused) => this.refuse(reactor, attempt, &login, promise),
                Err(error) => {
                    drop(attempt);
                    this.not_checked(reactor, &login, error, promise);
                }
                Ok(identity) => {
                    drop(attempt);
                    promise.resolve(identity);
                }
            });
        });
        identity
    }

    /// What the checker has stored of a user, for a protocol that has a mechanism of its own, such as HTTP's Digest. Whether
    /// what the client shows is right then, say by [`judge`](Self::judge), and act on its answer.
    ///
    /// # Errors
    ///
    /// [`AuthError`], but never that credentials are wrong.
    pub fn stored(
        &self,
        reactor: &Reactor,
        channel: &Channel,
        user: &str,
        form: Form,
    ) -> Deferred<Option<Stored>, AuthError> {
        let stored = self.look_up(reactor, channel, user, form);
        self.logged(reactor, Login::new(channel, user, None), stored)
    }

    /// As [`stored`](Self::stored), but nothing is logged.
    fn look_up(
        &self,
        reactor: &Reactor,
        channel: &Channel,
        user: &str,
        form: Form,
    ) -> Deferred<Option<Stored>, AuthError> {
        if let Err(error) = self.0.attempts.admit(reactor, channel.address(), user) {
            return Deferred::failed_on(reactor, error);
        }
        let (promise, stored) = reactor.promise();
        let (this, user) = (self.clone(), user.to_owned());
        reactor.call_soon(move |reactor| {
            promise.follow(this.0.checker.stored(reactor, &user, form));
        });
        stored
    }

    /// The verdict over what a client has shown of a user, if a protocol has compared it itself with what is [`stored`](Self::stored).
    /// Failures are counted and answered late, as by [`check`](Self::check). The client must not be told anything else: after too
    /// many failures it is not to know whether it was right.
    ///
    /// # Errors
    ///
    /// [`AuthError::Refused`] if it was wrong; [`AuthError::TooManyFailures`] and [`AuthError::Unavailable`] whatever it was.
    pub fn judge(
        &self,
        reactor: &Reactor,
        channel: &Channel,
        user: &str,
        is_right: bool,
    ) -> Deferred<Identity, AuthError> {
        let (promise, identity) = reactor.promise();
        let (this, login, user) = (self.clone(), Login::new(channel, user, None), user.to_owned());
        let begun = self.0.attempts.begin(reactor, channel.address(), &user);
        begun.then(move |reactor, begun| match begun {
            Ok(_) if is_right => promise.resolve(Identity::new(user)),
            Ok(attempt) => this.refuse(reactor, attempt, &login, promise),
            Err(error) => this.not_checked(reactor, &login, error, promise),
        });
        identity
    }

    /// The keys of SCRAM of a user, or of nobody.
    pub(crate) fn scram_keys(
        &self,
        reactor: &Reactor,
        channel: &Channel,
        user: &str,
        hash: ScramHash,
    ) -> Deferred<ScramKeys, AuthError> {
        let secret = match self.salt_secret() {
            Ok(secret) => secret,
            Err(error) => return Deferred::failed_on(reactor, error),
        };
        let iterations = self.0.config.scram_iterations;
        let salt = hash.name_salt(&secret, user, SALT_LEN);
        let tells_passwords = self.0.checker.can(Ability::TellPassword);
        let (promise, keys) = reactor.promise();
        let gate = self.0.deriving.clone();
        let stored = self.look_up(reactor, channel, user, Form::ScramKeys(hash));
        stored.then(move |reactor, stored| {
            let password = match stored {
                Ok(Some(Stored::ScramKeys(keys))) if keys.hash == hash => {
                    return promise.resolve(keys);
                }
                Err(error) => return promise.reject(error),
                Ok(Some(Stored::Password(password))) => Some(password),
                // As much work as for a user with a password.
                Ok(_) if tells_passwords => None,
                Ok(_) => {
                    return promise.resolve(ScramKeys::of_nobody(hash, &secret, salt, iterations));
                }
            };
            let job = move |reactor: &Reactor| {
                let keys = reactor.defer_to_thread(move || {
                    let given = password.as_ref().unwrap_or(&secret);
                    let keys = ScramKeys::derive(hash, given.bytes(), &salt, iterations);
                    match password {
                        Some(_) => keys,
                        None => ScramKeys::of_nobody(hash, &secret, salt, iterations),
                    }
                });
                keys.map(|keys: Result<_, Failure>| Ok(keys?))
            };
            promise.follow(gate.run(reactor, job));
        });
        self.logged(reactor, Login::new(channel, user, None), keys)
    }

    /// An answer that is logged if it could not be given.
    fn logged<T>(
        &self,
        reactor: &Reactor,
        login: Login,
        answer: Deferred<T, AuthError>,
    ) -> Deferred<T, AuthError> {
        let (promise, logged) = reactor.promise();
        let log = self.0.log.clone();
        answer.then(move |reactor, answer| {
            if let Err(error) = &answer {
                log.unavailable(reactor, &login, error);
            }
            promise.settle(answer);
        });
        logged
    }

    /// Nothing could be checked, or nothing is during a lockout.
    fn not_checked(
        &self,
        reactor: &Reactor,
        login: &Login,
        error: AuthError,
        promise: Promise<Identity, AuthError>,
    ) {
        self.0.log.unavailable(reactor, login, &error);
        promise.reject(error);
    }

    /// Counts and logs a failure, and answers it late.
    fn refuse(
        &self,
        reactor: &Reactor,
        attempt: Attempt,
        login: &Login,
        promise: Promise<Identity, AuthError>,
    ) {
        let failed = attempt.failed(reactor);
        self.0.log.failed(reactor, login, Reason::Refused);
        self.0.log.locked_out(reactor, login, failed.locked_out, failed.window);
        if failed.delay.is_zero() {
            promise.reject(AuthError::Refused);
        } else {
            reactor.call_later(failed.delay, |_| promise.reject(AuthError::Refused));
        }
    }

    /// Logs an exchange that failed although no password was wrong.
    pub(crate) fn log_exchange(&self, reactor: &Reactor, channel: &Channel, error: &SaslError) {
        let (user, reason) = match error {
            SaslError::NotAuthorized { user, .. } => (user.as_str(), Reason::NotAuthorized),
            SaslError::ChannelBinding => ("", Reason::ChannelBinding),
            _ => return,
        };
        self.0.log.failed(reactor, &Login::new(channel, user, None), reason);
    }

    fn salt_secret(&self) -> Result<Secret, AuthError> {
        let mut secret = self.0.salt_secret.borrow_mut();
        if let Some(secret) = &*secret {
            return Ok(secret.clone());
        }
        let mut random = vec![0; 32];
        getrandom::fill(&mut random).map_err(|error| AuthError::Unavailable(error.into()))?;
        Ok(secret.insert(random.into()).clone())
    }

    /// Lets a user act as another one, if the configuration allows it.
    pub(crate) fn authorize(
        &self,
        identity: Identity,
        authorize_as: Option<String>,
    ) -> Result<Identity, SaslError> {
        match authorize_as.filter(|other| other != identity.name()) {
            None => Ok(identity),
            Some(other) if (self.0.config.may_act_as)(identity.name(), &other) => {
                Ok(identity.acting_as(other))
            }
            Some(authorize_as) => {
                Err(SaslError::NotAuthorized { user: identity.name().to_owned(), authorize_as })
            }
        }
    }

    pub(crate) fn config(&self) -> &AuthenticatorConfig {
        &self.0.config
    }
}

/// What a login is called in the log that is none of SASL.
const fn way_of(credentials: &Credentials) -> &'static str {
    match credentials {
        Credentials::Password { .. } => "password",
        Credentials::Token { .. } => "token",
        Credentials::External { .. } => "external",
    }
}

impl<C: Checker> From<C> for Authenticator {
    fn from(checker: C) -> Self {
        Self::new(checker)
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator").field("config", &self.0.config).finish_non_exhaustive()
    }
}
