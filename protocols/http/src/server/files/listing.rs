//! Directory listings as HTML.

use std::{
    ffi::OsStr,
    fmt::Write,
    fs::{self, DirEntry},
    io,
    path::Path,
};

use crate::{
    codec::{format_date, percent_encode},
    server::Response,
};

/// Most entries that are listed.
const ENTRIES_MAX: usize = 10_000;

/// The listing of a directory below the root.
pub(super) fn page(folder: &Path, root: &Path, dot_files: bool) -> io::Result<Response> {
    let mut entries: Vec<_> = fs::read_dir(folder)?
        .filter_map(Result::ok)
        .filter(|entry| dot_files || !entry.file_name().as_encoded_bytes().starts_with(b"."))
        .take(ENTRIES_MAX + 1)
        .collect();
    let is_cut = entries.len() > ENTRIES_MAX;
    entries.truncate(ENTRIES_MAX);
    entries.sort_by_key(|entry| (!entry.path().is_dir(), entry.file_name()));
    let below = folder.strip_prefix(root).unwrap_or(Path::new(""));
    let title = escape(&format!("/{}", below.display()));
    let mut page = format!(
        "<!doctype html>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n<h1>{title}</h1>\n<table>\n"
    );
    if folder != root {
        page.push_str("<tr><td><a href=\"../\">../</a>\n");
    }
    for entry in &entries {
        row(&mut page, entry);
    }
    page.push_str("</table>\n");
    if is_cut {
        // Writing to a string cannot fail.
        let _ = writeln!(page, "<p>and more than {ENTRIES_MAX} in all");
    }
    Ok(Response::html(page))
}

fn row(page: &mut String, entry: &DirEntry) {
    // Metadata of the target of a link, as it would be served.
    let Ok(metadata) = fs::metadata(entry.path()) else { return };
    let name = entry.file_name();
    let slash = if metadata.is_dir() { "/" } else { "" };
    let size = if metadata.is_dir() { String::new() } else { metadata.len().to_string() };
    let modified = metadata.modified().map(format_date).unwrap_or_default();
    let _ = writeln!(
        page,
        "<tr><td><a href=\"./{}{slash}\">{}{slash}</a><td align=\"right\">{size}<td>{modified}",
        percent_encode(bytes(&name)),
        escape(&name.to_string_lossy()),
    );
}

#[cfg(unix)]
fn bytes(name: &OsStr) -> &[u8] {
    std::os::unix::ffi::OsStrExt::as_bytes(name)
}

#[cfg(not(unix))]
fn bytes(name: &OsStr) -> &[u8] {
    name.to_str().unwrap_or_default().as_bytes()
}

/// Escapes text for HTML and for attribute values.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            character => escaped.push(character),
        }
    }
    escaped
}
