//! What browsers see. All text from outside is escaped.

use std::fmt::Write;

use crate::book::Book;

pub(crate) const STYLE: &str = "body { max-width: 40em; margin: auto; font-family: sans-serif }\n";

/// The front page, with the name of who has signed before.
pub(crate) fn front(book: &Book, name: Option<&str>) -> String {
    let name = escape(name.unwrap_or_default());
    let mut page = format!(
        "<!doctype html>\n<meta charset=\"utf-8\">\n<title>Guest book</title>\n\
         <link rel=\"stylesheet\" href=\"/style.css\">\n<h1>Guest book</h1>\n\
         <form method=\"post\" action=\"/sign\">\n\
         <p><input name=\"name\" value=\"{name}\" placeholder=\"Your name\">\n\
         <p><textarea name=\"text\" rows=\"4\" cols=\"50\"></textarea>\n<p><button>Sign</button>\n</form>\n\
         <form method=\"post\" action=\"/upload\" enctype=\"multipart/form-data\">\n\
         <p><input type=\"file\" name=\"file\"> <button>Send</button>\n</form>\n"
    );
    for entry in &book.entries {
        // Writing to a string does not fail.
        let _ = writeln!(page, "<p><b>{}</b>: {}", escape(&entry.name), escape(&entry.text));
    }
    for (name, len) in &book.files {
        let _ = writeln!(page, "<p>{}, {len} bytes", escape(name));
    }
    page
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
