//! Which prefixes mean what in the elements that are open: [`Namespaces`]. A lookup does not depend on the depth.

use std::{collections::HashMap, sync::Arc};

use super::{XmlError, ns, start_tag::StartTag};

#[derive(Debug, Default)]
pub(super) struct Namespaces {
    /// What a prefix means, the innermost meaning last. The empty one is the default.
    meanings: HashMap<Box<str>, Vec<Arc<str>>>,
}

impl Namespaces {
    /// An element begins. Returns the prefixes that it declares.
    pub(super) fn enter(&mut self, tag: &StartTag<'_>) -> Result<Vec<Box<str>>, XmlError> {
        let mut declared: Vec<Box<str>> = Vec::new();
        for (name, value) in &tag.attributes {
            let prefix = match (name.prefix, name.local) {
                ("xmlns", prefix) => prefix,
                ("", "xmlns") => "",
                _ => continue,
            };
            let is_reserved = matches!(prefix, "xml" | "xmlns")
                || value == ns::XML
                || value == ns::XMLNS
                || (value.is_empty() && !prefix.is_empty());
            // `xml` may be declared as what it is.
            if is_reserved && !(prefix == "xml" && value == ns::XML) {
                self.leave(&declared);
                return Err(XmlError::malformed("a namespace that cannot be declared"));
            }
            if declared.iter().any(|known| **known == *prefix) {
                self.leave(&declared);
                return Err(XmlError::malformed("an attribute twice"));
            }
            self.meanings.entry(prefix.into()).or_default().push(value.as_str().into());
            declared.push(prefix.into());
        }
        Ok(declared)
    }

    /// The element ends that has declared these.
    pub(super) fn leave(&mut self, declared: &[Box<str>]) {
        for prefix in declared {
            if let Some(meanings) = self.meanings.get_mut(prefix) {
                meanings.pop();
                if meanings.is_empty() {
                    self.meanings.remove(prefix);
                }
            }
        }
    }

    /// What no prefix means.
    pub(super) fn default_ns(&self) -> &str {
        self.meanings.get("").and_then(|meanings| meanings.last()).map_or("", |meaning| &**meaning)
    }

    /// What a prefix of an element means.
    pub(super) fn of_element(&self, prefix: &str) -> Result<Arc<str>, XmlError> {
        match self.meanings.get(prefix).and_then(|meanings| meanings.last()) {
            Some(meaning) => Ok(Arc::clone(meaning)),
            None if prefix.is_empty() => Ok("".into()),
            None if prefix == "xml" => Ok(ns::XML.into()),
            None => Err(XmlError::UndeclaredPrefix),
        }
    }

    /// What a prefix of an attribute means: without one, none.
    pub(super) fn of_attribute(&self, prefix: &str) -> Result<Option<Arc<str>>, XmlError> {
        match prefix {
            "" => Ok(None),
            prefix => self.of_element(prefix).map(Some),
        }
    }
}
