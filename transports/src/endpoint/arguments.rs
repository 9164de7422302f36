//! Parameters of an endpoint string, for the parsers of its kinds: [`Arguments`], and one [`Value`].

use std::{
    collections::{HashSet, VecDeque},
    fmt::Display,
    net::SocketAddr,
    ops::Range,
    rc::Rc,
    str::FromStr,
    time::Duration,
};

use super::{
    error::{EndpointError, EndpointProblem},
    grammar::Field,
    seconds, without_kind,
};
use crate::{
    names::lookup,
    names::{literal::Literal, services},
};

/// The fields of an endpoint string after its kind. A kind takes the parameters that it knows, by name or by position; any that
/// are left are an error.
#[derive(Debug)]
pub struct Arguments {
    text: Rc<str>,
    kind: String,
    kind_place: Range<usize>,
    /// Fields without a name, in order.
    ordered: VecDeque<Field>,
    named: Vec<Field>,
    /// Parameter names that the kind has asked for, to be listed in errors.
    known: Vec<&'static str>,
}

/// A value, with its position in the string.
#[derive(Clone, Debug)]
pub struct Value {
    text: Rc<str>,
    name: &'static str,
    place: Range<usize>,
    value: String,
}

impl Arguments {
    /// The first field is the kind.
    pub(super) fn new(
        text: &str,
        fields: impl IntoIterator<Item = Field>,
    ) -> Result<Self, EndpointError> {
        let mut fields = fields.into_iter();
        let kind = fields.next().expect("a string has one field at least");
        if kind.name.is_some() || kind.value.is_empty() {
            return Err(EndpointError::new(text, kind.place, EndpointProblem::Empty));
        }
        let (named, ordered): (Vec<_>, Vec<_>) = fields.partition(|field| field.name.is_some());
        let ordered = VecDeque::from(ordered);
        let mut names = HashSet::new();
        if let Some(duplicate) = named.iter().find(|field| !names.insert(&field.name)) {
            let name = duplicate.name.clone().unwrap_or_default();
            let problem = EndpointProblem::Duplicate { name };
            return Err(EndpointError::new(text, duplicate.place.clone(), problem));
        }
        let (kind, kind_place) = (kind.value, kind.place);
        Ok(Self { text: text.into(), kind, kind_place, ordered, named, known: Vec::new() })
    }

    /// The kind, as written in the string.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Takes a parameter by name: `name=value`.
    pub fn named(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        let at = self.named.iter().position(|field| field.name.as_deref() == Some(name))?;
        let field = self.named.remove(at);
        Some(self.value(name, field))
    }

    /// Takes a parameter by name, or else the next value without a name.
    pub fn next(&mut self, name: &'static str) -> Option<Value> {
        if let Some(value) = self.named(name) {
            return Some(value);
        }
        let field = self.ordered.pop_front()?;
        Some(self.value(name, field))
    }

    /// As [`next`](Self::next), for a required parameter.
    ///
    /// # Errors
    ///
    /// [`EndpointProblem::Missing`].
    pub fn require(&mut self, name: &'static str) -> Result<Value, EndpointError> {
        let value = self.next(name);
        self.non_empty(name, value)
    }

    fn non_empty(&self, name: &'static str, value: Option<Value>) -> Result<Value, EndpointError> {
        match value {
            Some(value) if !value.as_str().is_empty() => Ok(value),
            empty => {
                let end = self.text.chars().count();
                let place = empty.map_or(end..end, |empty| empty.place);
                let problem = EndpointProblem::Missing { kind: self.kind.clone(), name };
                Err(EndpointError::new(&self.text, place, problem))
            }
        }
    }

    /// As [`named`](Self::named), for a required parameter.
    ///
    /// # Errors
    ///
    /// [`EndpointProblem::Missing`].
    pub fn require_named(&mut self, name: &'static str) -> Result<Value, EndpointError> {
        let value = self.named(name);
        self.non_empty(name, value)
    }

    /// Takes all remaining values without a name, in order.
    pub fn all(&mut self, name: &'static str) -> Vec<Value> {
        let fields: Vec<_> = self.ordered.drain(..).collect();
        fields.into_iter().map(|field| self.value(name, field)).collect()
    }

    /// An error of the kind as a whole, not of one value.
    #[must_use]
    pub fn unusable(&self, why: impl Display) -> EndpointError {
        let (kind, why) = (self.kind.clone(), why.to_string());
        self.kind_problem(EndpointProblem::Unusable { kind, why })
    }

    /// Ignores the empty field after the colon of a kind without parameters, as in `stdio:`.
    #[cfg(unix)]
    pub(super) fn skip_empty(&mut self) {
        if self.ordered.front().is_some_and(|field| field.value.is_empty()) {
            self.ordered.pop_front();
        }
    }

    /// Takes all remaining fields as a nested endpoint; returns them with the whole string.
    pub(super) fn rest(
        &mut self,
        name: &'static str,
    ) -> Result<(Rc<str>, Vec<Field>), EndpointError> {
        if self.ordered.iter().all(|field| field.value.is_empty()) {
            self.require(name)?;
        }
        let fields = self.ordered.drain(..).chain(self.named.drain(..)).collect();
        Ok((self.text.clone(), fields))
    }

    /// Fails if any field is left.
    pub(super) fn finish(self) -> Result<(), EndpointError> {
        let Self { text, kind, ordered, named, known, .. } = self;
        if let Some(field) = named.into_iter().next() {
            let name = field.name.unwrap_or_default();
            let problem = EndpointProblem::UnknownParameter { kind, name, known };
            return Err(EndpointError::new(&text, field.place, problem));
        }
        if let Some(field) = ordered.into_iter().next() {
            let problem = EndpointProblem::TooManyValues { kind, value: field.value };
            return Err(EndpointError::new(&text, field.place, problem));
        }
        Ok(())
    }

    pub(super) fn unknown_kind(&self, known: Vec<String>) -> EndpointError {
        let alike = known.iter().find(|known| without_kind::is_like(known, &self.kind)).cloned();
        let name = self.kind.clone();
        self.kind_problem(EndpointProblem::UnknownKind { name, alike, known })
    }

    #[cfg(not(feature = "tls"))]
    pub(super) fn needs_feature(&self, feature: &'static str) -> EndpointError {
        self.kind_problem(EndpointProblem::NeedsFeature { kind: self.kind.clone(), feature })
    }

    fn kind_problem(&self, problem: EndpointProblem) -> EndpointError {
        EndpointError::new(&self.text, self.kind_place.clone(), problem)
    }

    fn value(&self, name: &'static str, field: Field) -> Value {
        let place = field.value_place();
        Value { text: self.text.clone(), name, place, value: field.value }
    }
}

impl Value {
    /// The unescaped value.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.value
    }

    /// An error of this value: `why` follows the value, as in "is not a number".
    #[must_use]
    pub fn error(&self, why: impl Display) -> EndpointError {
        self.problem(EndpointProblem::BadValue {
            name: self.name.to_owned(),
            value: self.value.clone(),
            why: why.to_string(),
        })
    }

    /// Parses the value; `what` names the type in the error.
    ///
    /// # Errors
    ///
    /// [`EndpointProblem::BadValue`].
    pub fn parse<T: FromStr>(&self, what: &str) -> Result<T, EndpointError> {
        self.value.parse().map_err(|_| self.error(format_args!("is not a {what}")))
    }

    /// Parses a port, by number or by service name.
    ///
    /// # Errors
    ///
    /// [`EndpointProblem::BadPort`].
    pub fn port(&self) -> Result<u16, EndpointError> {
        let value = self.value.clone();
        services::port(&self.value).ok_or_else(|| self.problem(EndpointProblem::BadPort { value }))
    }

    /// Parses an address, with a port or, without one, port 0. An IPv6 address may have a scope; an interface name is looked up
    /// at once.
    ///
    /// # Errors
    ///
    /// [`EndpointProblem::BadValue`].
    pub fn address(&self) -> Result<SocketAddr, EndpointError> {
        if let Ok(addr) = self.value.parse() {
            return Ok(addr);
        }
        let literal = Literal::parse(&self.value).ok_or_else(|| self.error("is not an address"))?;
        lookup::kernels_addr(&literal)
            .map_err(|error| self.error(format_args!("cannot be: {error}")))
    }

    /// Parses a time in seconds, with an optional fraction.
    ///
    /// # Errors
    ///
    /// [`EndpointProblem::BadValue`].
    pub fn seconds(&self) -> Result<Duration, EndpointError> {
        if let Some(time) = seconds::read(&self.value) {
            return Ok(time);
        }
        let seconds = self.parse::<f64>("number of seconds")?;
        Duration::try_from_secs_f64(seconds)
            .map_err(|error| self.error(format_args!("is not a valid duration: {error}")))
    }

    /// Parses `yes` or `no`, `1` or `0`, `true` or `false`.
    ///
    /// # Errors
    ///
    /// [`EndpointProblem::BadValue`].
    pub fn flag(&self) -> Result<bool, EndpointError> {
        match &*self.value.to_ascii_lowercase() {
            "yes" | "1" | "true" => Ok(true),
            "no" | "0" | "false" => Ok(false),
            _ => Err(self.error("must be yes or no")),
        }
    }

    /// The parameter's name.
    #[cfg(feature = "tls")]
    pub(super) const fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn problem(&self, problem: EndpointProblem) -> EndpointError {
        EndpointError::new(&self.text, self.place.clone(), problem)
    }
}
