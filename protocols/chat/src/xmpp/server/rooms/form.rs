//! Forms of fields (XEP-0004), as far as rooms use them: [`Form`] is written, [`Submitted`] is read. Pure.

use crate::xmpp::codec::{Element, ns};

/// Most fields of a form that are read.
const FIELDS_MAX: usize = 100;

/// A form that is asked, or a result that is told.
#[derive(Debug)]
pub(super) struct Form(Element);

impl Form {
    pub(super) fn new(kind: &str, form_type: &str) -> Self {
        let x = Element::new("x", ns::DATA_FORMS).with_attribute("type", kind);
        Self(x).field("FORM_TYPE", "hidden", "", form_type)
    }

    pub(super) fn title(mut self, title: &str) -> Self {
        self.0.push(Element::new("title", ns::DATA_FORMS).with_text(title));
        self
    }

    pub(super) fn field(mut self, name: &str, kind: &str, label: &str, value: &str) -> Self {
        self.0.push(field(name, kind, label, value));
        self
    }

    pub(super) fn boolean(self, name: &str, label: &str, value: bool) -> Self {
        self.field(name, "boolean", label, if value { "1" } else { "0" })
    }

    /// One of these: values and what they say.
    pub(super) fn choice(
        mut self,
        name: &str,
        label: &str,
        value: &str,
        of: &[(&str, &str)],
    ) -> Self {
        let mut field = field(name, "list-single", label, value);
        for (value, label) in of {
            let value = Element::new("value", ns::DATA_FORMS).with_text(*value);
            let option = Element::new("option", ns::DATA_FORMS).with_attribute("label", *label);
            field.push(option.with_child(value));
        }
        self.0.push(field);
        self
    }

    pub(super) fn into_element(self) -> Element {
        self.0
    }
}

fn field(name: &str, kind: &str, label: &str, value: &str) -> Element {
    let mut field = Element::new("field", ns::DATA_FORMS).with_attribute("var", name);
    field.set_attribute("type", kind);
    if !label.is_empty() {
        field.set_attribute("label", label);
    }
    field.with_child(Element::new("value", ns::DATA_FORMS).with_text(value))
}

/// What was filled in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Submitted {
    Cancelled,
    /// The names and the first values, without the type of the form.
    Fields(Vec<(String, String)>),
}

impl Submitted {
    /// `None` if it is no answer to a form of this type.
    pub(super) fn read(x: &Element, form_type: &str) -> Option<Self> {
        match x.attribute("type") {
            Some("cancel") => return Some(Self::Cancelled),
            Some("submit") => {}
            _ => return None,
        }
        let mut fields = Vec::new();
        for field in x.children().filter(|child| child.is("field", ns::DATA_FORMS)).take(FIELDS_MAX)
        {
            let value = field.child("value", ns::DATA_FORMS).map(Element::text).unwrap_or_default();
            match field.attribute("var") {
                Some("FORM_TYPE") if value == form_type => {}
                Some("FORM_TYPE") => return None,
                Some(name) => fields.push((name.to_owned(), value)),
                None => {}
            }
        }
        Some(Self::Fields(fields))
    }
}

/// `true` and `1`, `false` and `0`.
pub(super) fn boolean(value: &str) -> Option<bool> {
    match value {
        "1" | "true" => Some(true),
        "0" | "false" => Some(false),
        _ => None,
    }
}
