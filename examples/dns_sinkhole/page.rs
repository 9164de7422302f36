//! The page: [`page`] makes it of the counts. Names are what clients have asked for, so they are escaped.

use std::fmt::{Display, Write};

use crate::counts::Counts;

/// Rows of each table on the page.
const ROWS: usize = 50;

/// HTML of the counts.
pub(crate) fn page(counts: &Counts) -> String {
    let mut page = String::from(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"10\">\n\
         <title>Sinkhole</title>\n<style>body { font: 16px sans-serif; margin: 2em } td { padding: 0 1em 0 0 } \
         td:first-child { text-align: right }</style>\n<h1>Sinkhole</h1>\n",
    );
    // Writing to a string does not fail.
    let _ = writeln!(page, "<p>{} questions, {} of them blocked.", counts.asked, counts.blocked);
    table(&mut page, "Blocked names", counts.names.top(ROWS));
    table(&mut page, "Clients", counts.clients.top(ROWS));
    table(&mut page, "Clients with blocked questions", counts.blocked_clients.top(ROWS));
    page.push_str("</html>\n");
    page
}

fn table<K: Display>(page: &mut String, title: &str, rows: Vec<(&K, u64)>) {
    let _ = writeln!(page, "<h2>{title}</h2>\n<table>");
    for (key, count) in rows {
        let _ = writeln!(page, "<tr><td>{count}<td>{}", escaped(&key.to_string()));
    }
    page.push_str("</table>\n");
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}
