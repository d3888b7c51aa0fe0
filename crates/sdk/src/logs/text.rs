//! A line to read.

use std::fmt;

use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

use super::Fields;
use super::ids::Ids;

pub(super) fn line<S>(
    context: &FmtContext<'_, S, Fields>,
    mut writer: Writer<'_>,
    event: &Event<'_>,
    metadata: &Metadata<'_>,
) -> fmt::Result
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    SystemTime.format_time(&mut writer)?;
    write!(writer, " {:>5} ", metadata.level().as_str())?;
    for span in context
        .event_scope()
        .into_iter()
        .flat_map(|scope| scope.from_root())
    {
        writer.write_str(span.name())?;
        if let Some(fields) = span.extensions().get::<FormattedFields<Fields>>()
            && !fields.is_empty()
        {
            write!(writer, "{{{fields}}}")?;
        }
        writer.write_str(": ")?;
    }
    write!(writer, "{}: ", metadata.target())?;
    context.format_fields(writer.by_ref(), event)?;
    if let Some(ids) = Ids::current(metadata) {
        write!(writer, " trace_id={} span_id={}", ids.trace_id, ids.span_id)?;
    }
    writer.write_char('\n')
}
