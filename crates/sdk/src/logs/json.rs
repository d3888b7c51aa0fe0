//! A JSON object a line. Everything is written straight into the line, nothing is built first.

use std::error::Error;
use std::fmt::{self, Debug, Display, Write};
use std::iter::successors;

use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber};
use tracing_log::NormalizeEvent;
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use super::Fields;
use super::ids::Ids;

/// Members of every line. A field of the same name becomes `fields.<name>`.
const RESERVED: [&str; 8] = [
    "timestamp",
    "level",
    "target",
    "trace_id",
    "span_id",
    "trace_flags",
    "spans",
    "name",
];

pub(super) fn line<S>(
    context: &FmtContext<'_, S, Fields>,
    mut writer: Writer<'_>,
    event: &Event<'_>,
    metadata: &Metadata<'_>,
) -> fmt::Result
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    writer.write_str(r#"{"timestamp":""#)?;
    SystemTime.format_time(&mut writer)?;
    write!(writer, r#"","level":"{}","target":"#, metadata.level())?;
    string(&mut writer, metadata.target())?;
    if let Some(Ids {
        trace_id,
        span_id,
        trace_flags,
    }) = Ids::current(metadata)
    {
        write!(
            writer,
            r#","trace_id":"{trace_id}","span_id":"{span_id}","trace_flags":"{trace_flags:02x}""#
        )?;
    }
    let bridged = event.is_log();
    members(writer.by_ref(), event, bridged)?;
    let mut open = false;
    for span in context
        .event_scope()
        .into_iter()
        .flat_map(|scope| scope.from_root())
    {
        writer.write_str(if open {
            r#",{"name":"#
        } else {
            r#","spans":[{"name":"#
        })?;
        open = true;
        string(&mut writer, span.name())?;
        if let Some(fields) = span.extensions().get::<FormattedFields<Fields>>() {
            writer.write_str(fields)?;
        }
        writer.write_char('}')?;
    }
    writer.write_str(if open { "]}\n" } else { "}\n" })
}

/// The fields as members, each with a comma in front. Of an event that was `bridged` from the `log`
/// crate, the target and level are in the line already.
pub(super) fn members<R: RecordFields>(
    writer: Writer<'_>,
    fields: R,
    bridged: bool,
) -> fmt::Result {
    let mut members = Members {
        writer,
        bridged,
        result: Ok(()),
    };
    fields.record(&mut members);
    members.result
}

struct Members<'writer> {
    writer: Writer<'writer>,
    bridged: bool,
    result: fmt::Result,
}

impl Members<'_> {
    fn member(&mut self, field: &Field, value: impl FnOnce(&mut Writer<'_>) -> fmt::Result) {
        let name = field.name();
        if self.result.is_err() || (self.bridged && name.starts_with("log.")) {
            return;
        }
        let name = name.strip_prefix("r#").unwrap_or(name);
        let prefix = if RESERVED.contains(&name) {
            "fields."
        } else {
            ""
        };
        self.result = (|| {
            self.writer.write_str(",\"")?;
            write!(Escaped(&mut self.writer), "{prefix}{name}")?;
            self.writer.write_str("\":")?;
            value(&mut self.writer)
        })();
    }

    fn number(&mut self, field: &Field, value: impl Display) {
        self.member(field, |writer| write!(writer, "{value}"));
    }
}

impl Visit for Members<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.member(field, |writer| string(writer, format_args!("{value:?}")));
    }

    /// With the sources, each after a colon.
    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.member(field, |writer| {
            writer.write_char('"')?;
            write!(Escaped(writer), "{value}")?;
            for source in successors(value.source(), |&error| error.source()) {
                write!(Escaped(writer), ": {source}")?;
            }
            writer.write_char('"')
        });
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.member(field, |writer| string(writer, value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.number(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.number(field, value);
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.number(field, value);
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.number(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.number(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no infinity, and no NaN.
        if value.is_finite() {
            self.number(field, value);
        } else {
            self.member(field, |writer| string(writer, value));
        }
    }
}

fn string(writer: &mut Writer<'_>, value: impl Display) -> fmt::Result {
    writer.write_char('"')?;
    write!(Escaped(writer), "{value}")?;
    writer.write_char('"')
}

/// Writes text as the inside of a JSON string (RFC 8259, section 7).
struct Escaped<'a, 'writer>(&'a mut Writer<'writer>);

impl Write for Escaped<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let special = |character: char| character.is_control() || matches!(character, '"' | '\\');
        for piece in text.split_inclusive(special) {
            let mut plain = piece.chars();
            let Some(last) = plain.next_back().filter(|last| special(*last)) else {
                self.0.write_str(piece)?;
                continue;
            };
            self.0.write_str(plain.as_str())?;
            match last {
                '"' => self.0.write_str("\\\"")?,
                '\\' => self.0.write_str("\\\\")?,
                '\n' => self.0.write_str("\\n")?,
                other => write!(self.0, "\\u{:04x}", u32::from(other))?,
            }
        }
        Ok(())
    }
}
