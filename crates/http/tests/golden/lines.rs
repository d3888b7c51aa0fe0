use opentelemetry::{Array, KeyValue, Value};

/// Every attribute by its key, one a line.
pub(crate) fn attributes(attributes: &[KeyValue]) -> String {
    let line = |kv: &KeyValue| format!("{} = {}\n", kv.key, value(&kv.value));
    let mut lines: Vec<_> = attributes.iter().map(line).collect();
    lines.sort();
    lines.concat()
}

/// Texts in quotes, so that a number is none.
fn value(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{:?}", text.as_str()),
        Value::Array(Array::String(texts)) => {
            let texts: Vec<_> = texts.iter().map(|text| text.as_str()).collect();
            format!("{texts:?}")
        }
        other => other.to_string(),
    }
}
