//! The plots of each mode, and the text above them.

use crate::figure::{
    CANCEL, CPU, CPU_PER_MB, ELAPSED, END, FIRE, INSTRUCTIONS, MAKE, MB_RATE, P50, P99, RATE,
    RESET, RESIDENT, SYSTEM_CALLS,
};
use crate::instrument::Instrument;
use crate::mode::Mode;
use crate::results::CaseResults;

use super::bars;
use super::lines::{self, Curve};

const LESS: &str = "Lower is better.";
const MORE: &str = "Higher is better.";

/// A description of a mode, in a sentence or two.
pub(crate) fn about(mode: Mode) -> &'static str {
    match mode {
        Mode::Echo => {
            "Each connection keeps some messages in flight; the messages completed by one read are answered by one write. \
             Most of the CPU time is spent in the kernel's TCP."
        }
        Mode::Bulk => {
            "The same with large messages: shows how often bytes are copied, and how much is read at once."
        }
        Mode::Line => {
            "Every line is decoded and answered. With several in flight it shows whether a batch is answered with one \
             write."
        }
        Mode::Fanout => {
            "Data of one connection is written to all others; a message counts once for each receiver."
        }
        Mode::Churn => "A connection for each message: accepted, read, answered, closed.",
        Mode::Storm => {
            "All connections at once, as fast as the kernel opens them; each expects a reply."
        }
        Mode::Idle => {
            "The growth of the server's resident memory for each connection that has been used once and is idle."
        }
        Mode::Scale => {
            "The same number of connections is active in each case; only the number of idle ones differs. A curve that rises \
             to the right shows a cost of idle connections."
        }
        Mode::Spin => {
            "One connection, request and reply in turn: busy polling before sleeping saves wakeups, and costs CPU time while \
             idle."
        }
        Mode::Timers => "Without a network, on one thread: CPU time for each timer.",
        Mode::Http => {
            "Requests for a short text on connections that are kept, as many outstanding on each. The bare loop parses the head and \
             answers with a constant; the others route, date and check."
        }
        Mode::HttpFile => {
            "Requests for a file of 1 MiB, which the kernel moves to the socket where the server lets it."
        }
        Mode::HttpIdle => {
            "The growth of the server's resident memory for each connection that has had an answer and waits for another request."
        }
        Mode::HttpsIdle => "The same over TLS, whose session is kept.",
        Mode::WsEcho => {
            "Binary messages of WebSocket and their echoes, without compression; each message of the client is masked."
        }
        Mode::WsIdle => {
            "The growth of the server's resident memory for each WebSocket that has echoed a message and is idle."
        }
        Mode::WsBroadcast => {
            "A message of one WebSocket is sent to all others, encoded once; it counts once for each receiver."
        }
        Mode::Dns => {
            "Queries over UDP for the addresses of a thousand names. The bare loop answers them one by one with a constant; dnsmasq and \
             the forwarder answer from a cache, the others from a zone."
        }
        Mode::Smtp => {
            "Messages sent on connections that are kept. All servers read them and forget them."
        }
        Mode::Pop3 => {
            "Messages of a maildir in memory, each of 2,500 in turn, a mailbox for each connection."
        }
        Mode::Imap => "The same messages, whole, by FETCH.",
        Mode::Irc => {
            "What one member of a channel says is sent to all others; it counts once for each of them."
        }
        Mode::IrcIdle => "The growth of the server's resident memory for each member of a channel.",
        Mode::ImapIdle => {
            "The growth of the server's resident memory for each connection that has selected a mailbox of 2,500 messages and idles."
        }
    }
}

/// The plots of a mode.
pub(crate) fn cards(mode: Mode, cases: &[&CaseResults]) -> Vec<String> {
    let (counted, timed) =
        cases.iter().copied().partition::<Vec<_>, _>(|one| one.case.instrument.is_some());
    let mut cards = match mode {
        Mode::Scale => scale(&timed),
        Mode::Spin => timed.iter().flat_map(|one| spin(one)).collect(),
        _ => timed.iter().enumerate().flat_map(|(index, one)| plain(one, index == 0)).collect(),
    };
    cards.extend(counted.into_iter().map(count));
    cards
}

/// The plots of one case; more for the first case of a mode.
fn plain(results: &CaseResults, first: bool) -> Vec<String> {
    let case = &results.case;
    let about = |what: &str| format!("{}. {what}", case.load());
    let figure = |what: &str, better: &str, name| {
        bars::absolute(what, &about(better), &bars::figures(results, name))
    };
    let ratio = |name| {
        let yardstick = &results.yardstick;
        let about = about(&format!("{LESS} One is {yardstick}."));
        bars::relative(&format!("CPU, to {yardstick}"), &about, &bars::ratios(results, name))
    };
    let own = |name| {
        let about = about(&format!("{LESS} One is the bare loop on the same mechanism."));
        bars::relative("CPU, engine by engine", &about, &bars::ratios_to_bare(results, name))
    };
    match case.mode {
        Mode::Echo if first => {
            vec![ratio(CPU), own(CPU), lines::latency(results), figure("Messages/s", MORE, RATE)]
        }
        Mode::Echo => vec![ratio(CPU), lines::latency(results)],
        Mode::Line
        | Mode::Fanout
        | Mode::Http
        | Mode::WsEcho
        | Mode::WsBroadcast
        | Mode::Dns
        | Mode::Smtp
        | Mode::Pop3
        | Mode::Imap
        | Mode::Irc => {
            vec![ratio(CPU), figure("Messages/s", MORE, RATE)]
        }
        Mode::Churn => vec![ratio(CPU), figure("Connections/s", MORE, RATE)],
        Mode::Bulk | Mode::HttpFile => vec![ratio(CPU_PER_MB), figure("MB/s", MORE, MB_RATE)],
        Mode::Storm => vec![figure("All answered, ms", LESS, ELAPSED), lines::latency(results)],
        Mode::Idle
        | Mode::HttpIdle
        | Mode::HttpsIdle
        | Mode::WsIdle
        | Mode::ImapIdle
        | Mode::IrcIdle => {
            vec![figure("Bytes a connection", LESS, RESIDENT)]
        }
        Mode::Timers => vec![
            figure("Make, ns", LESS, MAKE),
            figure("Reset, ns", LESS, RESET),
            figure("Cancel, ns", LESS, CANCEL),
            figure("Make and fire, ns", LESS, FIRE),
        ],
        // Plotted by `scale` and `spin`.
        Mode::Scale | Mode::Spin => Vec::new(),
    }
}

fn count(results: &CaseResults) -> String {
    let (name, what) = match results.case.instrument {
        Some(Instrument::Strace) => (SYSTEM_CALLS, "System calls a message"),
        _ => (INSTRUCTIONS, "Instructions a message, in user space"),
    };
    let about = format!("{}. {LESS}", results.case.load());
    bars::absolute(what, &about, &bars::figures(results, name))
}

/// The plots of all cases together, by connections.
fn scale(cases: &[&CaseResults]) -> Vec<String> {
    let mut places = cases.iter().map(|one| one.case.connections as f64).collect::<Vec<_>>();
    places.sort_by(f64::total_cmp);
    let about = "Lower is better, and flat is best.";
    let plot = |title: &str, figure: &str| {
        let mut curves = Vec::<Curve>::new();
        for one in cases {
            for row in &one.rows {
                let Some(spread) = row.spread(figure) else {
                    continue;
                };
                let point = (one.case.connections as f64, spread.median);
                match curves.iter_mut().find(|curve| curve.name == row.contestant) {
                    Some(curve) => curve.points.push(point),
                    None => {
                        curves.push(Curve { name: row.contestant.clone(), points: vec![point] });
                    }
                }
            }
        }
        lines::over(title, about, "connections", &places, curves)
    };
    let mut cards = vec![
        plot("CPU a message of the active ones, µs", CPU),
        plot("Latency of the active ones, median, µs", P50),
        plot("Latency of the active ones, 99 %, µs", P99),
    ];
    if let Some(most) = cases.iter().max_by_key(|one| one.case.connections) {
        let all = format!("{} connections", most.case.connections);
        let figure = |what: &str, name| {
            bars::absolute(&format!("{what}: {all}"), LESS, &bars::figures(most, name))
        };
        cards.push(figure("Bytes a connection, idle timeout included", RESIDENT));
        cards.push(figure("From SIGTERM to the end of all, ms", END));
    }
    cards
}

/// Servers named `… spin N` by their N; the others as horizontal lines.
fn spin(results: &CaseResults) -> Vec<String> {
    let spun = |name: &str| {
        let (engine, spin) = name.split_once(" spin ")?;
        Some((engine.to_owned(), spin.parse::<f64>().ok()?))
    };
    let mut places =
        results.rows.iter().filter_map(|row| Some(spun(&row.contestant)?.1)).collect::<Vec<_>>();
    places.sort_by(f64::total_cmp);
    places.dedup();
    let plot = |title: &str, about: &str, figure: &str| {
        let mut curves = Vec::<Curve>::new();
        for row in &results.rows {
            let Some(median) = row.spread(figure).map(|spread| spread.median) else {
                continue;
            };
            let Some((name, spin)) = spun(&row.contestant) else {
                let points = places.iter().map(|place| (*place, median)).collect();
                curves.push(Curve { name: row.contestant.clone(), points });
                continue;
            };
            match curves.iter_mut().find(|curve| curve.name == name) {
                Some(curve) => curve.points.push((spin, median)),
                None => curves.push(Curve { name, points: vec![(spin, median)] }),
            }
        }
        lines::over(title, about, "µs of polling before a sleep", &places, curves)
    };
    vec![
        plot("Round trips a second", MORE, RATE),
        plot("Server CPU a message, µs", LESS, CPU),
        plot("Latency, median, µs", LESS, P50),
        bars::absolute(
            "Latency, median and spread over the rounds, µs",
            LESS,
            &bars::figures(results, P50),
        ),
    ]
}
