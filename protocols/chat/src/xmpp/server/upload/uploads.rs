//! Who may upload what: [`Uploads`], which is given stanzas and returns stanzas. Pure: the time and the random part of an address are
//! arguments.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use super::{Grant, UploadConfig};
use crate::xmpp::{
    codec::{Element, Iq, IqKind, Jid, Stanza, StanzaCondition, StanzaError, ns},
    server::{
        bounce::{auth, cancel, error_of, modify, result_of, wait},
        server_queries::description,
    },
};

const NAME_MAX: usize = 255;
const TYPE_MAX: usize = 128;
const DAY: Duration = Duration::from_secs(86_400);

/// Slots for uploads (XEP-0363).
#[derive(Debug)]
pub struct Uploads {
    domain: Jid,
    config: UploadConfig,
    /// Bytes of each account since the begin of its day.
    granted: HashMap<Jid, Granted>,
}

impl Uploads {
    /// A service of this domain, for accounts of the server's domain only.
    #[must_use]
    pub fn new(domain: Jid, config: UploadConfig) -> Self {
        Self { domain: domain.of_domain(), config, granted: HashMap::new() }
    }

    /// The name of the service.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.config.name
    }

    /// A stanza to the service, with the addresses that the server has checked. `random` is unguessable, and another one each time.
    /// Returns the answer.
    pub fn stanza_received(
        &mut self,
        stanza: Element,
        random: u128,
        now: SystemTime,
    ) -> Option<Element> {
        let answer = match Stanza::try_from(stanza.clone()) {
            Ok(Stanza::Iq(iq)) if iq.is_request() => self.asked(&iq, random, now),
            Ok(Stanza::Message(_)) => Err(StanzaError::service_unavailable()),
            _ => return None,
        };
        match answer {
            Ok(payload) => Some(result_of(&stanza, payload)),
            Err(error) => error_of(&stanza, &error),
        }
    }

    fn asked(
        &mut self,
        iq: &Iq,
        random: u128,
        now: SystemTime,
    ) -> Result<Option<Element>, StanzaError> {
        let (Some(from), Some(payload)) = (iq.from(), iq.payload()) else {
            return Err(StanzaError::service_unavailable());
        };
        if iq.to() != Some(&self.domain) || iq.kind() != IqKind::Get {
            return Err(StanzaError::service_unavailable());
        }
        match (payload.name(), payload.ns()) {
            ("request", ns::UPLOAD) => self.slot(payload, from, random, now).map(Some),
            ("query", ns::DISCO_INFO | ns::DISCO_ITEMS) if payload.attribute("node").is_some() => {
                Err(cancel(StanzaCondition::ItemNotFound))
            }
            ("query", ns::DISCO_INFO) => Ok(Some(self.info())),
            ("query", ns::DISCO_ITEMS) => Ok(Some(Element::new("query", ns::DISCO_ITEMS))),
            ("ping", ns::PING) => Ok(None),
            _ => Err(StanzaError::service_unavailable()),
        }
    }

    fn slot(
        &mut self,
        request: &Element,
        from: &Jid,
        random: u128,
        now: SystemTime,
    ) -> Result<Element, StanzaError> {
        // Who has no account here uploads nothing.
        if from.local().is_none() {
            return Err(auth(StanzaCondition::Forbidden));
        }
        let bad = || modify(StanzaCondition::BadRequest);
        let name = request.attribute("filename").filter(|name| is_name(name)).ok_or_else(bad)?;
        let size = request.attribute("size").and_then(|size| size.parse::<u64>().ok());
        let size = size.filter(|size| *size > 0).ok_or_else(bad)?;
        let content_type = request.attribute("content-type").filter(|text| !text.is_empty());
        if content_type.is_some_and(|text| !is_type(text)) {
            return Err(bad());
        }
        if !self.accepts(content_type) {
            let error = modify(StanzaCondition::NotAcceptable);
            return Err(error.with_text("files of this type are not accepted"));
        }
        if size > self.config.size_max {
            return Err(self.too_large());
        }
        self.count(from, size, now)?;
        let put = format!("{}/{random:032x}/{}", self.config.base, percent_encoded(name));
        let grant = Grant::new(size, content_type, now + self.config.valid_for);
        let token = self.config.key.sign(path_of(&put), &grant);
        let header = Element::new("header", ns::UPLOAD).with_attribute("name", "Authorization");
        let header = header.with_text(format!("Bearer {token}"));
        let get = Element::new("get", ns::UPLOAD).with_attribute("url", put.as_str());
        let put = Element::new("put", ns::UPLOAD).with_attribute("url", put).with_child(header);
        Ok(Element::new("slot", ns::UPLOAD).with_child(put).with_child(get))
    }

    fn accepts(&self, content_type: Option<&str>) -> bool {
        let types = &self.config.types;
        let kind = content_type.unwrap_or_default().to_ascii_lowercase();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        types.is_empty()
            || types.iter().any(|known| match known.strip_suffix('*') {
                Some(prefix) => kind.starts_with(prefix),
                None => kind == known,
            })
    }

    fn too_large(&self) -> StanzaError {
        let max = Element::new("max-file-size", ns::UPLOAD);
        let max = max.with_text(self.config.size_max.to_string());
        let mut error = modify(StanzaCondition::NotAcceptable).with_text("the file is too large");
        error.application = Some(Element::new("file-too-large", ns::UPLOAD).with_child(max));
        error
    }

    /// Counts a file for an account, unless it has had its share of the day.
    fn count(&mut self, from: &Jid, size: u64, now: SystemTime) -> Result<(), StanzaError> {
        let is_over = |begin: SystemTime| now.duration_since(begin).is_ok_and(|age| age >= DAY);
        let account = from.bare();
        if self.granted.len() >= self.config.accounts_max && !self.granted.contains_key(&account) {
            self.granted.retain(|_, granted| !is_over(granted.begin));
            if self.granted.len() >= self.config.accounts_max {
                return Err(wait(StanzaCondition::ResourceConstraint));
            }
        }
        let none = Granted { begin: now, bytes: 0, files: 0 };
        let granted = self.granted.entry(account).or_insert(none);
        if is_over(granted.begin) {
            *granted = none;
        }
        let (bytes, files) = (granted.bytes.saturating_add(size), granted.files + 1);
        let too_many = if bytes > self.config.bytes_per_day {
            "too many bytes were uploaded within a day"
        } else if files > self.config.files_per_day {
            "too many files were uploaded within a day"
        } else {
            (granted.bytes, granted.files) = (bytes, files);
            return Ok(());
        };
        Err(wait(StanzaCondition::ResourceConstraint).with_text(too_many))
    }

    fn info(&self) -> Element {
        let features = [ns::DISCO_INFO, ns::DISCO_ITEMS, ns::PING, ns::UPLOAD];
        let query = description(("store", "file", &self.config.name), &features);
        let mut form = Element::new("x", ns::DATA_FORMS).with_attribute("type", "result");
        let max = self.config.size_max.to_string();
        for (name, kind, value) in
            [("FORM_TYPE", Some("hidden"), ns::UPLOAD), ("max-file-size", None, max.as_str())]
        {
            let mut field = Element::new("field", ns::DATA_FORMS).with_attribute("var", name);
            if let Some(kind) = kind {
                field.set_attribute("type", kind);
            }
            form.push(field.with_child(Element::new("value", ns::DATA_FORMS).with_text(value)));
        }
        query.with_child(form)
    }
}

/// What an account has had slots for since the begin of its day.
#[derive(Clone, Copy, Debug)]
struct Granted {
    begin: SystemTime,
    bytes: u64,
    files: u64,
}

/// What can be the last part of a path, and of a name in a folder.
fn is_name(name: &str) -> bool {
    let is_bad = |c: char| c.is_control() || matches!(c, '/' | '\\');
    !name.trim_matches('.').is_empty() && name.len() <= NAME_MAX && !name.contains(is_bad)
}

/// What can be a header of HTTP.
fn is_type(text: &str) -> bool {
    text.len() <= TYPE_MAX
        && text.contains('/')
        && text.bytes().all(|byte| (b' '..0x7f).contains(&byte))
}

fn percent_encoded(name: &str) -> String {
    let mut encoded = String::new();
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            byte => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// The path of an address, as a request has it.
fn path_of(url: &str) -> &str {
    let behind_scheme = url.find("://").map_or(0, |at| at + 3);
    let path = url[behind_scheme..].find('/').map_or(url.len(), |at| behind_scheme + at);
    &url[path..]
}
