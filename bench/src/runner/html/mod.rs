//! Results as one self-contained page: plots as inline SVG, tables in expandable sections, light and dark.

mod axis;
mod bars;
mod lines;
mod section;
mod svg;
mod tiles;

use crate::markdown;
use crate::mode::Mode;
use crate::results::{CaseResults, Results};
use crate::table::Table;

use self::svg::escape;

const STYLE: &str = include_str!("style.css");

/// In the order of the page.
const MODES: [Mode; 24] = [
    Mode::Echo,
    Mode::Line,
    Mode::Fanout,
    Mode::Http,
    Mode::HttpFile,
    Mode::WsEcho,
    Mode::WsBroadcast,
    Mode::Dns,
    Mode::Smtp,
    Mode::Pop3,
    Mode::Imap,
    Mode::Irc,
    Mode::Bulk,
    Mode::Idle,
    Mode::HttpIdle,
    Mode::HttpsIdle,
    Mode::WsIdle,
    Mode::ImapIdle,
    Mode::IrcIdle,
    Mode::Scale,
    Mode::Churn,
    Mode::Storm,
    Mode::Spin,
    Mode::Timers,
];

pub(crate) fn page(results: &Results) -> String {
    let present =
        MODES.iter().filter(|mode| results.cases.iter().any(|one| one.case.mode == **mode));
    let sections = present.clone().map(|&mode| section(results, mode)).collect::<String>();
    let links = present.map(|&mode| {
        format!("<a href=\"#{}\">{}</a>", mode.name(), escape(markdown::heading(mode)))
    });
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>sinew: benchmarks</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <header>\n<h1>sinew and its peers</h1>\n<p class=\"machine\">{}</p>\n<nav>{}</nav>\n\
         </header>\n<main>\n{}{sections}</main>\n<footer>{FOOTER}</footer>\n</body>\n</html>\n",
        escape(&results.machine.line()),
        links.collect::<Vec<_>>().join(" "),
        tiles::of(results),
    )
}

const FOOTER: &str = "A large dot or the end of a bar is the median of the rounds, the thin line ranges from the minimum to the \
                      maximum, and small dots are the rounds. Ratios are computed per round and are more reliable than the absolute figures. \
                      For the meaning of each figure, and how to make this page, see <code>bench/README.md</code>.";

fn section(results: &Results, mode: Mode) -> String {
    let cases = results.cases.iter().filter(|one| one.case.mode == mode).collect::<Vec<_>>();
    let cards = section::cards(mode, &cases).concat();
    let tables = cases.iter().map(|one| table(one)).collect::<String>();
    format!(
        "<section id=\"{}\">\n<h2>{}</h2>\n<p>{}</p>\n<div class=\"cards\">\n{cards}</div>\n\
         <details><summary>tables</summary>\n{tables}</details>\n</section>\n",
        mode.name(),
        escape(markdown::heading(mode)),
        section::about(mode),
    )
}

fn table(results: &CaseResults) -> String {
    let table = Table::of(results);
    let row = |cells: &Vec<String>, tag: &str| {
        let cells = cells.iter().map(|cell| format!("<{tag}>{}</{tag}>", escape(cell)));
        format!("<tr>{}</tr>\n", cells.collect::<String>())
    };
    let (heading, rest) = table.rows().split_first().map_or((None, &[][..]), |(h, r)| (Some(h), r));
    let heading = heading.map(|cells| row(cells, "th")).unwrap_or_default();
    let rows = rest.iter().map(|cells| row(cells, "td")).collect::<String>();
    let out = results.left_out.iter().map(|out| {
        let what = if out.failed { "failed" } else { "left out" };
        format!("<li>{what}: {}: {}</li>", escape(&out.contestant), escape(&out.reason))
    });
    format!(
        "<h3>{}</h3>\n<div class=\"wide\"><table>\n{heading}{rows}</table></div>\n<ul>{}</ul>\n",
        escape(&results.case.to_string()),
        out.collect::<String>()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Case;
    use crate::columns;
    use crate::machine::Machine;
    use crate::results::{LeftOut, Row, Sample};

    fn case(mode: Mode, names: &[&str]) -> CaseResults {
        let sample = |value: f64| {
            let case = Case::new(mode, 64, 1);
            let mut sample = Sample::default();
            for figure in columns::of(&case) {
                sample.figures.insert(figure.name.to_owned(), value);
            }
            sample.latency_us = bench::outcome::QUANTILES.map(|q| value * (1.0 + q)).to_vec();
            sample
        };
        let row = |(index, name): (usize, &&str)| Row {
            contestant: (*name).to_owned(),
            bare: (index > 0).then(|| names[0].to_owned()),
            samples: vec![sample(1.0 + index as f64), sample(2.0)],
        };
        let out = LeftOut {
            contestant: "<none>".to_owned(),
            reason: "no & never".to_owned(),
            failed: false,
        };
        CaseResults {
            case: Case::new(mode, 64, 1),
            yardstick: names[0].to_owned(),
            rows: names.iter().enumerate().map(row).collect(),
            left_out: vec![out],
        }
    }

    #[test]
    fn every_mode_has_a_section_with_a_plot_and_no_external_resource() {
        let cases = MODES.map(|mode| case(mode, &["bare_epoll", "sinew spin 0", "tokio"]));
        let page = page(&Results { machine: Machine::default(), cases: cases.into() });
        for mode in MODES {
            let start = page.find(&format!("<section id=\"{}\">", mode.name()));
            let section = &page[start.unwrap_or_default()..];
            let section = &section[..section.find("</section>").unwrap_or_default()];
            assert!(section.contains("<svg"), "{mode:?}");
        }
        assert!(page.contains("&lt;none&gt;: no &amp; never"));
        for outside in ["http://", "https://", "<script", "NaN", "inf"] {
            assert!(!page.contains(outside), "{outside}");
        }
    }

    #[test]
    fn an_empty_run_gives_a_page() {
        let page = page(&Results { machine: Machine::default(), cases: Vec::new() });
        assert!(page.ends_with("</html>\n"));
    }
}
