//! How BODY and BODYSTRUCTURE write a [`Part`] (RFC 3501 7.4.2).

use super::{
    Content, ContentFields, Parameter, Part,
    quoting::{write_nstring, write_string},
};

impl Part {
    /// Writes the structure: as BODYSTRUCTURE, or as BODY, which leaves out what came later.
    pub fn write_structure(&self, out: &mut Vec<u8>, is_extended: bool) {
        out.push(b'(');
        match &self.content {
            Content::Multipart(parts) => {
                for part in parts {
                    part.write_structure(out, is_extended);
                }
                if parts.is_empty() {
                    write_no_part(out, is_extended);
                }
                out.push(b' ');
                write_string(out, &self.fields.subtype);
                if is_extended {
                    out.push(b' ');
                    write_parameters(out, &self.fields.parameters, false);
                    write_extension(out, &self.fields);
                }
            }
            Content::Message { envelope, message } => {
                self.write_basic(out);
                out.push(b' ');
                out.extend_from_slice(envelope);
                out.push(b' ');
                message.write_structure(out, is_extended);
                self.write_lines(out);
                self.write_single_extension(out, is_extended);
            }
            Content::Single => {
                self.write_basic(out);
                if self.fields.is("text", None) {
                    self.write_lines(out);
                }
                self.write_single_extension(out, is_extended);
            }
        }
        out.push(b')');
    }

    /// What is told of each part that is not of several: the type and what else the fields say, and the size.
    fn write_basic(&self, out: &mut Vec<u8>) {
        let fields = &self.fields;
        write_string(out, &fields.media_type);
        out.push(b' ');
        write_string(out, &fields.subtype);
        out.push(b' ');
        write_parameters(out, &fields.parameters, fields.is("text", None));
        for text in [&fields.id, &fields.description] {
            out.push(b' ');
            write_nstring(out, text.as_deref());
        }
        out.push(b' ');
        write_string(out, fields.encoding.as_deref().unwrap_or(b"7bit"));
        write_number(out, self.body.end - self.body.start);
    }

    fn write_lines(&self, out: &mut Vec<u8>) {
        write_number(out, self.lines);
    }

    fn write_single_extension(&self, out: &mut Vec<u8>, is_extended: bool) {
        if is_extended {
            out.push(b' ');
            write_nstring(out, self.fields.md5.as_deref());
            write_extension(out, &self.fields);
        }
    }
}

/// A part of several that has none: the grammar wants at least one.
fn write_no_part(out: &mut Vec<u8>, is_extended: bool) {
    out.extend_from_slice(b"(\"text\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7bit\" 0 0");
    if is_extended {
        out.extend_from_slice(b" NIL NIL NIL NIL");
    }
    out.push(b')');
}

fn write_extension(out: &mut Vec<u8>, fields: &ContentFields) {
    out.push(b' ');
    match &fields.disposition {
        Some((kind, parameters)) => {
            out.push(b'(');
            write_string(out, kind);
            out.push(b' ');
            write_parameters(out, parameters, false);
            out.push(b')');
        }
        None => out.extend_from_slice(b"NIL"),
    }
    out.push(b' ');
    match &fields.languages[..] {
        [] => out.extend_from_slice(b"NIL"),
        languages => {
            for (index, language) in languages.iter().enumerate() {
                out.push(if index == 0 { b'(' } else { b' ' });
                write_string(out, language);
            }
            out.push(b')');
        }
    }
    out.push(b' ');
    write_nstring(out, fields.location.as_deref());
}

/// Parameters; of text, with the charset that it has if it names none (RFC 2045 5.2).
fn write_parameters(out: &mut Vec<u8>, parameters: &[Parameter], is_text: bool) {
    let has_charset = parameters.iter().any(|one| one.name.eq_ignore_ascii_case(b"charset"));
    let needs_charset = is_text && !has_charset;
    if parameters.is_empty() && !needs_charset {
        return out.extend_from_slice(b"NIL");
    }
    out.push(b'(');
    for (index, Parameter { name, value }) in parameters.iter().enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        write_string(out, name);
        out.push(b' ');
        write_string(out, value);
    }
    if needs_charset {
        let blank = if parameters.is_empty() { "" } else { " " };
        out.extend_from_slice(format!("{blank}\"charset\" \"us-ascii\"").as_bytes());
    }
    out.push(b')');
}

fn write_number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(format!(" {number}").as_bytes());
}
