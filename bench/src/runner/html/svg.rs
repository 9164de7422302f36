//! The few SVG elements that the plots use. Pure.

use std::fmt::{Display, Write};

/// The family of a server, which determines its colour.
pub(crate) fn family(contestant: &str) -> &'static str {
    let begins = |prefix| contestant.starts_with(prefix);
    match () {
        () if begins("sinew") => "ours",
        () if begins("bare") => "bare",
        () if begins("tokio") => "tokio",
        () => "other",
    }
}

/// A drawing in progress.
#[derive(Debug, Default)]
pub(crate) struct Drawing {
    text: String,
}

impl Drawing {
    pub(crate) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.put(format_args!(
            "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
        ));
    }

    pub(crate) fn circle(&mut self, class: &str, (x, y): (f64, f64), radius: f64) {
        self.put(format_args!(
            "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\"/>"
        ));
    }

    pub(crate) fn bar(&mut self, class: &str, (x, y): (f64, f64), (width, height): (f64, f64)) {
        self.put(format_args!(
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"2\"/>"
        ));
    }

    pub(crate) fn path(&mut self, class: &str, points: &[(f64, f64)]) {
        let points = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}"));
        let points = points.collect::<Vec<_>>().join(" ");
        self.put(format_args!("<polyline class=\"{class}\" points=\"{points}\"/>"));
    }

    /// Text whose `anchor` (`start`, `middle`, `end`) is at the point, vertically centred.
    pub(crate) fn text(&mut self, class: &str, (x, y): (f64, f64), anchor: &str, text: &str) {
        self.put(format_args!(
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" dominant-baseline=\"central\">{}</text>",
            escape(text)
        ));
    }

    /// Starts a group with a tooltip, which ends with [`Self::end`].
    pub(crate) fn begin(&mut self, tooltip: &str) {
        self.put(format_args!("<g><title>{}</title>", escape(tooltip)));
    }

    pub(crate) fn end(&mut self) {
        self.put("</g>");
    }

    fn put(&mut self, what: impl Display) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{what}");
    }

    /// The card around the drawing.
    pub(crate) fn card(self, title: &str, about: &str, (width, height): (f64, f64)) -> String {
        format!(
            "<figure class=\"card\">\n<h3>{}</h3>\n<p>{}</p>\n\
             <svg viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" aria-label=\"{}\">\n{}</svg>\n</figure>\n",
            escape(title),
            escape(about),
            escape(title),
            self.text
        )
    }
}

pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
