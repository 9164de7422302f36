//! Draws what the model knows. Small terminals get what fits: the list first.

use ratatui::{
    Frame,
    layout::{Alignment, Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::{Block, Borders, Cell, Clear, Paragraph, Row, Table, Wrap},
};
use sinew::{
    application::inspect::report::{Counts, Durations, ShardStatus, Status},
    reactor::Excerpt,
};

use super::{
    columns::{Column, Listed},
    keys,
    model::{Mode, Model, View},
};
use crate::look::{age, bytes, count, micros, name, port_rows};

const HEAD: Style = Style::new().add_modifier(Modifier::BOLD);
const SELECTED: Style = Style::new().add_modifier(Modifier::REVERSED);
const WARNING: Style = Style::new().fg(Color::Yellow);

/// From this height on, there are lines above and below the list.
const HEIGHT_FULL: u16 = 8;

pub(super) fn draw(model: &mut Model, frame: &mut Frame<'_>) {
    let area = frame.area();
    let (above, below) = if area.height >= HEIGHT_FULL { (3, 1) } else { (0, 0) };
    let rows = [Constraint::Length(above), Constraint::Min(1), Constraint::Length(below)];
    let [summary, main, footer] = Layout::vertical(rows).areas(area);
    draw_summary(model, frame, summary);
    draw_main(model, frame, main);
    frame.render_widget(Paragraph::new(bottom_line(model)), footer);
    match &model.mode {
        Mode::Help => draw_help(frame, area),
        Mode::Detail => draw_detail(model, frame, area),
        Mode::Confirm { action, peer, .. } => {
            let question = format!("{action} the connection with {}? y/n", Excerpt::new(peer));
            draw_box(frame, area, "", vec![Line::from(question)], 3);
        }
        Mode::List | Mode::Filter => {}
    }
}

fn draw_summary(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let Some(status) = &model.status else {
        return frame.render_widget(Paragraph::new("sinew top: waiting for the program"), area);
    };
    let (total, rates) = (&status.total, &model.rates);
    let oldest = status.shards.iter().map(|shard| shard.age_ms).max().unwrap_or(0);
    let lag =
        status.shards.iter().filter_map(|shard| shard.lag.as_ref()).map(|lag| lag.p99_us).max();
    let lines = vec![
        Line::styled(
            format!(
                "{}  process {}  {} reactor{}  for {}",
                Excerpt::new(&status.program),
                status.pid,
                status.shards.len(),
                if status.shards.len() == 1 { "" } else { "s" },
                age(oldest)
            ),
            HEAD,
        ),
        Line::from(format!(
            "{} connections, {:.0}/s new   in {}/s   out {}/s   {:.0} events/s   lag p99 {}   slow {}   panics {}",
            count(total.connections),
            rates.made,
            bytes(rates.received as u64),
            bytes(rates.sent as u64),
            rates.events,
            lag.map_or_else(|| "not measured".to_owned(), micros),
            count(total.slow_callbacks),
            count(total.panics)
        )),
        views(model.view),
    ];
    frame.render_widget(Paragraph::new(lines), area);
}

fn views(shown: View) -> Line<'static> {
    let mut spans = Vec::new();
    for (index, view) in View::ALL.into_iter().enumerate() {
        let style = if view == shown { SELECTED } else { Style::new() };
        spans.push(Span::styled(format!(" {} {} ", index + 1, view.title()), style));
    }
    Line::from(spans)
}

fn bottom_line(model: &Model) -> Line<'static> {
    if model.mode == Mode::Filter {
        return Line::from(format!("filter: {}_", Excerpt::new(&model.filter)));
    }
    if let Some(message) = &model.message {
        let style = if model.is_lost { WARNING } else { Style::new() };
        return Line::styled(Excerpt::new(message).to_string(), style);
    }
    let filter = match model.filter.as_str() {
        "" => String::new(),
        filter => format!("   filter: {}", Excerpt::new(filter)),
    };
    let partial = match (&model.status, model.is_partial) {
        (Some(status), true) => {
            format!(
                "   {} of {} asked for",
                count(model.known() as u64),
                count(status.total.connections)
            )
        }
        _ => String::new(),
    };
    Line::from(format!(
        "? help   s sort   / filter   Enter detail   p pause   c close   x abort   q quit{filter}{partial}"
    ))
}

fn draw_main(model: &mut Model, frame: &mut Frame<'_>, area: Rect) {
    match model.view {
        View::Connections => draw_connections(model, frame, area),
        View::Ports => draw_rows(model, frame, area, &PORTS, ports),
        View::Reactors => draw_rows(model, frame, area, &REACTORS, reactors),
        View::Callbacks => draw_rows(model, frame, area, &CALLBACKS, callbacks),
    }
}

fn draw_connections(model: &mut Model, frame: &mut Frame<'_>, area: Rect) {
    let columns = Column::fitting(area.width, model.sorted_by);
    let has_head = area.height > 1;
    let lines = usize::from(area.height) - usize::from(has_head);
    let listed = model.listed();
    let cursor = model.cursor(&listed);
    let offset = scrolled(model.offset, cursor, listed.len(), lines);
    let rows = listed.iter().enumerate().skip(offset).take(lines).map(|(index, one)| {
        let style = if Some(index) == cursor { SELECTED } else { style_of(one) };
        Row::new(columns.iter().map(|column| Cell::from(column.text(one)))).style(style)
    });
    let rows: Vec<_> = rows.collect();
    let widths: Vec<_> = columns.iter().map(|column| Constraint::Length(column.width())).collect();
    let mut table = Table::new(rows, widths).column_spacing(1);
    if has_head {
        let heads =
            columns.iter().map(|column| keys::head(*column, model.sorted_by, model.descending));
        table = table.header(Row::new(heads).style(HEAD));
    }
    model.offset = offset;
    frame.render_widget(table, area);
}

/// The first line to show, so that the cursor is on the screen.
fn scrolled(offset: usize, cursor: Option<usize>, len: usize, lines: usize) -> usize {
    let offset = offset.min(len.saturating_sub(lines));
    match cursor {
        Some(cursor) if cursor < offset => cursor,
        Some(cursor) if lines > 0 && cursor >= offset + lines => cursor + 1 - lines,
        _ => offset,
    }
}

fn style_of(one: &Listed) -> Style {
    if one.status.paused.is_empty() { Style::new() } else { WARNING }
}

type Titles = [(&'static str, u16)];

fn draw_rows(
    model: &mut Model,
    frame: &mut Frame<'_>,
    area: Rect,
    titles: &Titles,
    rows: fn(&Status) -> Vec<Vec<String>>,
) {
    let rows = model.status.as_ref().map(rows).unwrap_or_default();
    let lines = usize::from(area.height).saturating_sub(1);
    model.offset = scrolled(model.offset, None, rows.len(), lines);
    let shown = rows.into_iter().skip(model.offset).take(lines).map(Row::new);
    let widths = titles.iter().map(|(_, width)| Constraint::Length(*width));
    let heads = Row::new(titles.iter().map(|(title, _)| *title)).style(HEAD);
    frame.render_widget(Table::new(shown, widths).header(heads).column_spacing(1), area);
}

const PORTS: [(&str, u16); 8] = [
    ("REACTOR", 8),
    ("KIND", 10),
    ("ADDRESS", 30),
    ("CONNECTIONS", 11),
    ("LIMIT", 10),
    ("SO FAR", 12),
    ("FAILURES", 9),
    ("PAUSED", 8),
];

fn ports(status: &Status) -> Vec<Vec<String>> {
    status.shards.iter().flat_map(port_rows).collect()
}

const REACTORS: [(&str, u16); 11] = [
    ("REACTOR", 8),
    ("ENGINE", 10),
    ("CONNECTIONS", 11),
    ("LAG P50", 9),
    ("LAG P99", 9),
    ("LAG MAX", 9),
    ("TURN P99", 9),
    ("TIMERS", 9),
    ("TASKS", 9),
    ("CALLS WAITING", 13),
    ("THREADS", 8),
];

fn reactors(status: &Status) -> Vec<Vec<String>> {
    let row = |shard: &ShardStatus| {
        if let Some(error) = &shard.error {
            return vec![shard.shard.to_string(), Excerpt::new(error).to_string()];
        }
        let shown = |durations: &Option<Durations>, of: fn(&Durations) -> u64| {
            durations.as_ref().map_or_else(|| "-".to_owned(), |durations| micros(of(durations)))
        };
        vec![
            shard.shard.to_string(),
            shard.engine.clone(),
            count(shard.connections),
            shown(&shard.lag, |lag| lag.p50_us),
            shown(&shard.lag, |lag| lag.p99_us),
            shown(&shard.lag, |lag| lag.max_us),
            shown(&shard.turn, |turn| turn.p99_us),
            count(shard.timers as u64),
            count(shard.tasks as u64),
            count(shard.calls_queued as u64),
            format!("{}/{}", shard.pool.threads, shard.pool.threads_max),
        ]
    };
    status.shards.iter().map(row).collect()
}

const CALLBACKS: [(&str, u16); 5] =
    [("REACTOR", 8), ("TOOK", 10), ("WHEN", 12), ("COUNT", 9), ("WHAT", 60)];

fn callbacks(status: &Status) -> Vec<Vec<String>> {
    let slow = status.shards.iter().flat_map(|shard| {
        shard.slow.iter().map(|slow| {
            let ago = format!("{} ago", age(slow.ago_ms));
            vec![
                shard.shard.to_string(),
                micros(slow.took_us),
                ago,
                "slow".to_owned(),
                name(&slow.name),
            ]
        })
    });
    let longest = status.shards.iter().flat_map(|shard| {
        shard.longest.iter().map(|long| {
            vec![
                shard.shard.to_string(),
                micros(long.longest_us),
                "longest of".to_owned(),
                count(long.count),
                name(&long.name),
            ]
        })
    });
    slow.chain(longest).collect()
}

fn draw_help(frame: &mut Frame<'_>, area: Rect) {
    let lines = keys::HELP.iter().map(|(key, does)| Line::from(format!("{key:<16} {does}")));
    let lines: Vec<_> = lines.collect();
    let height = lines.len() as u16 + 2;
    draw_box(frame, area, " keys ", lines, height);
}

fn draw_detail(model: &Model, frame: &mut Frame<'_>, area: Rect) {
    let lines = match model.selected() {
        Some(one) => detail(&one),
        None => vec![format!("the connection {} is gone", model.selected_id().unwrap_or_default())],
    };
    let lines: Vec<_> = lines.into_iter().map(Line::from).collect();
    let height = lines.len() as u16 + 2;
    draw_box(frame, area, " p pause or resume, c close, x abort, Esc back ", lines, height);
}

fn detail(one: &Listed) -> Vec<String> {
    let status = &one.status;
    let or_none = |text: Option<&str>, none: &str| match text {
        Some(text) => Excerpt::new(text).to_string(),
        None => none.to_owned(),
    };
    let paused =
        if status.paused.is_empty() { "nobody".to_owned() } else { status.paused.join(", ") };
    let tls = status.tls.as_ref().map(|tls| format!("{}, {}", tls.version, tls.cipher));
    let mut lines = vec![
        format!("peer          {}", Excerpt::new(&status.peer)),
        format!("id            {} on reactor {}", Excerpt::new(&status.id), status.shard),
        format!("kind          {}", Excerpt::new(&status.kind)),
        format!("local         {}", or_none(status.local.as_deref(), "-")),
        format!("port          {}", or_none(status.port.as_deref(), "opened by the program")),
        format!("state         {}", Excerpt::new(&status.state)),
        format!("paused by     {}", Excerpt::new(&paused)),
        format!("protocol      {}", or_none(status.protocol.as_deref(), "-")),
        format!("TLS           {}", or_none(tls.as_deref(), "no")),
        format!("queued        {}", bytes(status.queued as u64)),
        format!("timers        {}", status.timers),
    ];
    match &status.counts {
        Some(counts) => lines.extend(counted(counts, one.rate)),
        None => lines
            .push("the program does not count for each connection (inspection is off)".to_owned()),
    }
    lines
}

fn counted(counts: &Counts, rate: f64) -> [String; 7] {
    [
        format!("age           {}", age(counts.age_ms)),
        format!("quiet for     {}", age(counts.quiet_ms)),
        format!("received      {}", bytes(counts.received)),
        format!("sent          {}", bytes(counts.sent)),
        format!("now           {}/s", bytes(rate as u64)),
        format!("last call     {} of {}", micros(counts.last_us), count(counts.calls)),
        format!("longest call  {}", micros(counts.longest_us)),
    ]
}

/// A box in the middle of the screen, no larger than that.
fn draw_box(frame: &mut Frame<'_>, area: Rect, title: &str, lines: Vec<Line<'_>>, height: u16) {
    let widest = lines.iter().map(Line::width).max().unwrap_or(0).max(title.chars().count()) as u16;
    let (width, height) = (widest.saturating_add(4).min(area.width), height.min(area.height));
    let place = Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    };
    frame.render_widget(Clear, place);
    let block = Block::new()
        .borders(Borders::ALL)
        .title_bottom(Line::from(title).alignment(Alignment::Center));
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }).block(block), place);
}

#[cfg(test)]
mod tests;
