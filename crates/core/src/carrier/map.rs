use super::{Carrier, CarrierMut, Field};
use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;

/// Implements the carriers for a collection of name and value, compared in any case and written
/// in lowercase.
macro_rules! map_carrier {
    ($type:ty $(, $generic:ident: $bound:path)?; $retain:ident, $insert:expr) => {
        impl$(<$generic: $bound>)? Carrier for $type {
            fn values_of<'a>(&'a self, field: Field<'a>) -> impl Iterator<Item = &'a [u8]> {
                self.iter()
                    .filter(move |entry| field.is(entry.0.as_ref()))
                    .map(|entry| entry.1.as_bytes())
            }

            fn field_names(&self) -> impl Iterator<Item = &str> {
                self.iter().map(|entry| entry.0.as_ref())
            }
        }

        impl$(<$generic: $bound>)? CarrierMut for $type {
            fn set_field(&mut self, field: Field<'_>, value: &str) {
                self.remove_field(field);
                $insert(self, field.name().to_ascii_lowercase(), value.to_owned());
            }

            fn remove_field(&mut self, field: Field<'_>) {
                map_carrier!($retain self field);
            }
        }
    };
    (keyed $map:ident $field:ident) => {
        $map.retain(|name, _| !$field.is(name))
    };
    (paired $list:ident $field:ident) => {
        $list.retain(|pair| !$field.is(&pair.0))
    };
}

map_carrier!(HashMap<String, String, S>, S: BuildHasher; keyed, HashMap::insert);
map_carrier!(BTreeMap<String, String>; keyed, BTreeMap::insert);
map_carrier!(Vec<(String, String)>; paired, |list: &mut Self, name, value| list.push((name, value)));

#[cfg(test)]
mod tests {
    use super::*;

    fn any_case(mut carrier: impl CarrierMut) {
        assert_eq!(carrier.values_of(Field::TraceParent).count(), 1);
        carrier.set_field(Field::TraceParent, "new");
        let values: Vec<_> = carrier.values_of(Field::TraceParent).collect();
        assert_eq!(values, [b"new"]);
        assert_eq!(carrier.field_names().collect::<Vec<_>>(), ["traceparent"]);
        carrier.remove_field(Field::Other("TRACEPARENT"));
        assert_eq!(carrier.field_names().count(), 0);
    }

    #[test]
    fn names_compare_in_any_case_and_set_replaces() {
        let entry = || ("TraceParent".to_owned(), "old".to_owned());
        any_case(HashMap::<_, _>::from([entry()]));
        any_case(BTreeMap::from([entry()]));
        any_case(vec![entry()]);
    }

    #[test]
    fn spellings_of_one_name_are_several_values() {
        let carrier = BTreeMap::from([
            ("baggage".to_owned(), "a=1".to_owned()),
            ("Baggage".to_owned(), "b=2".to_owned()),
        ]);
        assert_eq!(carrier.values_of(Field::Baggage).count(), 2);
    }
}
