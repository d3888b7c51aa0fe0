use super::instance::Change;
use super::reader::Map;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What leads from one map to the other: first who left, then the others in the order in which
/// they were put.
pub(super) fn diff(old: &Map, new: &Map) -> Vec<Change> {
    let is_gone = |(key, old): &(_, &Arc<_>)| new.get(*key).is_none_or(|new| !new.is_same_as(old));
    let gone = old.iter().filter(is_gone);
    let gone = gone.map(|(_, old)| Change::Left(Arc::clone(old)));
    let mut put = BTreeMap::new();
    for (key, new) in new {
        let change = match old.get(key) {
            Some(old) if new.is_unchanged_from(old) => continue,
            Some(old) if new.is_same_as(old) => Change::Updated(Arc::clone(new)),
            _ => Change::Joined(Arc::clone(new)),
        };
        // Several keys may have one revision.
        put.insert((new.mod_revision, key), change);
    }
    gone.chain(put.into_values()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::instance::Instance;
    use super::*;
    use bytes::Bytes;
    use proptest::prelude::*;

    /// Key, revision of creation, of the last put, lease, value.
    type Row = (&'static str, i64, i64, i64, &'static str);

    fn map(rows: &[Row]) -> Map {
        let instance = |&(key, create_revision, mod_revision, lease, value): &Row| {
            let instance = Instance {
                key: Bytes::from_static(key.as_bytes()),
                prefix_len: 0,
                value: Bytes::from_static(value.as_bytes()),
                lease,
                create_revision,
                mod_revision,
                writer: None,
                noticed_after: None,
            };
            (instance.key.clone(), Arc::new(instance))
        };
        rows.iter().map(instance).collect()
    }

    fn told(changes: &[Change]) -> Vec<String> {
        let tell = |change: &Change| {
            let what = match change {
                Change::Joined(_) => "+",
                Change::Updated(_) => "=",
                Change::Left(_) => "-",
            };
            format!(
                "{what}{}{}",
                change.instance().name(),
                change.instance().mod_revision()
            )
        };
        changes.iter().map(tell).collect()
    }

    #[test]
    fn who_left_is_told_first_and_who_came_in_order() {
        let old = map(&[
            ("gone", 1, 1, 1, ""),
            ("same", 2, 2, 2, "v"),
            ("put", 3, 3, 3, "v"),
            ("moved", 4, 4, 4, "v"),
            ("again", 5, 5, 5, "v"),
            // The store lost its data, and counts anew.
            ("lost", 6, 6, 6, "v"),
            ("lost too", 7, 7, 0, "v"),
        ]);
        let new = map(&[
            ("a", 15, 15, 1, ""),
            ("same", 2, 2, 2, "v"),
            ("put", 3, 14, 3, "w"),
            ("moved", 4, 13, 14, "v"),
            ("again", 12, 12, 15, "v"),
            ("b", 11, 11, 1, ""),
            ("lost", 6, 6, 16, "v"),
            ("lost too", 7, 7, 0, "w"),
        ]);
        let expected = [
            "-again5",
            "-gone1",
            "-lost6",
            "+lost6",
            "=lost too7",
            "+b11",
            "+again12",
            "=moved13",
            "=put14",
            "+a15",
        ];
        assert_eq!(told(&diff(&old, &new)), expected);
        assert!(diff(&new, &new).is_empty());
    }

    proptest! {
        #[test]
        fn it_leads_from_one_to_the_other(old in maps(), new in maps()) {
            let mut map = old.clone();
            let changes = diff(&old, &new);
            for change in &changes {
                // Nobody joins twice, or leaves who is not there.
                let known = map.contains_key(change.key());
                prop_assert_eq!(known, !matches!(change, Change::Joined(_)));
                change.apply_to(&mut map);
            }
            prop_assert!(diff(&map, &new).is_empty());
            prop_assert_eq!(map.len(), new.len());
        }
    }

    fn maps() -> impl Strategy<Value = Map> {
        const KEYS: [&str; 4] = ["a", "b", "c", "d"];
        let instance = (0..4_usize, 1..3_i64, 0..2_i64, 0..2_i64);
        let instance = instance
            .prop_map(|(key, create, age, lease)| (KEYS[key], create, create + age, lease, "v"));
        proptest::collection::vec(instance, 0..6).prop_map(|instances| map(&instances))
    }
}
