//! From events of `tracing` to formatted messages: [`LogLayer`].

use std::sync::{Arc, PoisonError, RwLock};

use tracing::{Event, Level, Subscriber, span};
use tracing_subscriber::{
    Layer,
    fmt::{
        format::Writer as TimeWriter,
        time::{FormatTime, SystemTime},
    },
    layer::Context,
    registry::LookupSpan,
};

use super::{
    record::{Fields, Record},
    writer::Writer,
};

/// How messages are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Text { colour: bool },
    Json,
    Journald,
}

/// The format, which a reload may change.
#[derive(Debug)]
pub(super) struct Formatting(RwLock<Format>);

pub(super) struct LogLayer {
    formatting: Arc<Formatting>,
    writer: Writer,
}

impl Formatting {
    pub(super) fn new(format: Format) -> Self {
        Self(RwLock::new(format))
    }

    pub(super) fn set(&self, format: Format) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = format;
    }

    fn current(&self) -> Format {
        *self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LogLayer {
    pub(super) fn new(formatting: Arc<Formatting>, writer: Writer) -> Self {
        Self { formatting, writer }
    }

    fn write(&self, record: &Record<'_>) {
        self.writer.write(match self.formatting.current() {
            Format::Text { colour } => record.text(colour),
            Format::Json => record.json(),
            Format::Journald => record.journald(),
        });
    }

    fn report_dropped(&self, time: &str) {
        let dropped = self.writer.take_dropped();
        if dropped > 0 {
            let message = format!(
                "{dropped} messages of the log were lost: the writer was too slow, or failed"
            );
            let fields = Fields { message, values: Vec::new() };
            let target = "sinew::log";
            self.write(&Record { time, level: Level::WARN, target, fields, spans: Vec::new() });
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for LogLayer {
    fn on_new_span(
        &self,
        attributes: &span::Attributes<'_>,
        id: &span::Id,
        context: Context<'_, S>,
    ) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        span.extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut time = String::new();
        let _ = SystemTime.format_time(&mut TimeWriter::new(&mut time));
        self.report_dropped(&time);
        let mut fields = Fields::default();
        event.record(&mut fields);
        let spans = context.event_scope(event).map(|scope| {
            let of = |fields: Option<&Fields>| fields.cloned().unwrap_or_default();
            scope.from_root().map(|span| (span.name(), of(span.extensions().get()))).collect()
        });
        let metadata = event.metadata();
        self.write(&Record {
            time: &time,
            level: *metadata.level(),
            target: metadata.target(),
            fields,
            spans: spans.unwrap_or_default(),
        });
    }
}
