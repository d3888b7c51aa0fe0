//! Lists of `key=value` members, as in `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_EXPORTER_OTLP_HEADERS`:
//! separated by commas, values percent-encoded, white space around both ignored.

use percent_encoding::percent_decode_str;

/// The members of `list`, decoded; or the place, from 1 on, of the first that is not one.
pub(super) fn parse(list: &str) -> Result<Vec<(String, String)>, usize> {
    let members = list
        .split(',')
        .enumerate()
        .filter(|(_, member)| !member.trim().is_empty());
    members
        .map(|(place, member)| decode(member).ok_or(place + 1))
        .collect()
}

fn decode(member: &str) -> Option<(String, String)> {
    let (key, value) = member.split_once('=')?;
    let decode = |text: &str| {
        percent_decode_str(text.trim())
            .decode_utf8()
            .ok()
            .map(|text| text.into_owned())
    };
    let key = decode(key)?;
    (!key.is_empty()).then_some((key, decode(value)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_decoded() {
        let pairs = parse(" a = 1 ,b=x%2Cy%3D, ,c==,").unwrap();
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        assert_eq!(pairs, [("a", "1"), ("b", "x,y="), ("c", "=")]);
        assert!(parse("").unwrap().is_empty());
    }

    #[test]
    fn the_first_bad_member_is_named() {
        assert_eq!(parse("a=1,b"), Err(2));
        assert_eq!(parse("=1"), Err(1));
        assert_eq!(parse("a=1,,c=%FF"), Err(3));
    }
}
