//! Operations, drawn at random. What depends on the store is drawn as a distance.

use etcd_client::{
    Compare, CompareOp, DeleteOptions, GetOptions, PutOptions, SortOrder, SortTarget, Txn, TxnOp,
};
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

/// Leases that are granted and revoked.
pub(super) const LEASES: std::ops::Range<i64> = 1..5;

#[derive(Clone, Debug)]
pub(super) enum Operation {
    Put(String, Vec<u8>, PutOptions),
    Get(String, GetOptions),
    /// As the store was so many revisions before.
    GetOld(String, i64),
    Delete(String, DeleteOptions),
    Txn(Txn),
    Grant(i64),
    Revoke(i64),
    TimeToLive(i64),
    Leases,
    /// Locks and unlocks.
    Lock(String, i64),
    /// Up to so many revisions before.
    Compact(i64),
}

/// How many puts are at the end, so that something is left.
const LAST_PUTS: usize = 40;

pub(super) fn operations(seed: u64, count: usize) -> Vec<Operation> {
    let mut draw = Draw(SmallRng::seed_from_u64(seed));
    let grants = LEASES.map(Operation::Grant);
    let mut all: Vec<_> = grants.collect();
    all.extend((all.len()..count - LAST_PUTS).map(|_| draw.operation()));
    all.extend((all.len()..count).map(|_| draw.put()));
    all
}

struct Draw(SmallRng);

impl Draw {
    fn operation(&mut self) -> Operation {
        match self.0.random_range(0..100) {
            0..30 => self.put(),
            30..50 => {
                let key = self.range_start();
                let options = self.get_options(&key);
                Operation::Get(key, options)
            }
            50..54 => Operation::GetOld(self.key(), self.0.random_range(0..40)),
            54..66 => Operation::Delete(self.range_start(), self.delete_options(30)),
            66..88 => Operation::Txn(self.txn(2)),
            88..91 => Operation::Grant(self.lease()),
            91..93 => Operation::Revoke(self.lease()),
            93..95 => Operation::TimeToLive(self.lease()),
            95..96 => Operation::Leases,
            96..98 => Operation::Lock(format!("lock/{}", self.key()), self.lease()),
            _ => Operation::Compact(self.0.random_range(-1..30)),
        }
    }

    fn put(&mut self) -> Operation {
        Operation::Put(self.key(), self.value(), self.put_options())
    }

    fn one_in(&mut self, many: u32) -> bool {
        self.0.random_ratio(1, many)
    }

    fn key(&mut self) -> String {
        if self.one_in(100) {
            return String::new();
        }
        let (folder, name) = (self.0.random_range(0..4), self.0.random_range(0..6));
        format!("u/{folder}/{name}")
    }

    /// A key, or a folder of keys.
    fn range_start(&mut self) -> String {
        match self.one_in(3) {
            true => format!("u/{}/", self.0.random_range(0..4)),
            false => self.key(),
        }
    }

    fn value(&mut self) -> Vec<u8> {
        let length = match self.one_in(20) {
            true => self.0.random_range(1_000..5_000),
            false => self.0.random_range(0..30),
        };
        (0..length).map(|_| self.0.random()).collect()
    }

    fn lease(&mut self) -> i64 {
        // One more than there are.
        self.0.random_range(LEASES.start..=LEASES.end)
    }

    fn put_options(&mut self) -> PutOptions {
        let mut options = PutOptions::new();
        if self.one_in(3) {
            options = options.with_lease(self.lease());
        }
        if self.one_in(3) {
            options = options.with_prev_key();
        }
        if self.one_in(8) {
            options = options.with_ignore_lease();
        }
        if self.one_in(12) {
            options = options.with_ignore_value();
        }
        options
    }

    /// Whoever gets all keys gets the companions too, so nobody does here.
    fn get_options(&mut self, key: &str) -> GetOptions {
        let mut options = GetOptions::new();
        if key.is_empty() {
            return options;
        }
        options = match self.0.random_range(0..4) {
            0 => options.with_prefix(),
            1 => options.with_range(self.key()),
            2 => options.with_from_key(),
            _ => options,
        };
        if self.one_in(3) {
            options = options.with_limit(self.0.random_range(0..5));
        }
        if self.one_in(3) {
            use SortTarget::{Create, Key, Mod, Value, Version};
            let targets = [Key, Version, Create, Mod, Value];
            let orders = [SortOrder::None, SortOrder::Ascend, SortOrder::Descend];
            let target = *targets.choose(&mut self.0).unwrap();
            let order = *orders.choose(&mut self.0).unwrap();
            options = options.with_sort(target, order);
        }
        if self.one_in(4) {
            options = options.with_serializable();
        }
        if self.one_in(6) {
            options = options.with_keys_only();
        }
        if self.one_in(6) {
            options = options.with_count_only();
        }
        if self.one_in(6) {
            let (least, most) = (self.revision(), self.revision());
            options = options.with_min_mod_revision(least);
            options = options.with_max_create_revision(most);
        }
        options
    }

    fn delete_options(&mut self, kinds: u32) -> DeleteOptions {
        let mut options = DeleteOptions::new();
        options = match self.0.random_range(0..kinds) {
            0..8 => options.with_prefix(),
            8..12 => options.with_range(self.key()),
            12 => options.with_from_key(),
            13 => options.with_all_keys(),
            _ => options,
        };
        if self.one_in(3) {
            options = options.with_prev_key();
        }
        options
    }

    fn revision(&mut self) -> i64 {
        self.0.random_range(0..1500)
    }

    fn compare(&mut self) -> Compare {
        use CompareOp::{Equal, Greater, Less, NotEqual};
        let how = *[Equal, Greater, Less, NotEqual]
            .choose(&mut self.0)
            .unwrap();
        let key = self.range_start();
        let compare = match self.0.random_range(0..5) {
            0 => Compare::version(key, how, self.0.random_range(0..3)),
            1 => Compare::create_revision(key, how, self.revision()),
            2 => Compare::mod_revision(key, how, self.revision()),
            3 => Compare::value(key, how, self.value()),
            _ => Compare::lease(key, how, self.lease()),
        };
        match self.one_in(4) {
            true => compare.with_prefix(),
            false => compare,
        }
    }

    fn txn(&mut self, depth: u32) -> Txn {
        let compares = self.0.random_range(0..3);
        let when: Vec<_> = (0..compares).map(|_| self.compare()).collect();
        Txn::new()
            .when(when)
            .and_then(self.branch(depth))
            .or_else(self.branch(depth))
    }

    fn branch(&mut self, depth: u32) -> Vec<TxnOp> {
        let operations = self.0.random_range(0..4);
        (0..operations).map(|_| self.txn_op(depth)).collect()
    }

    fn txn_op(&mut self, depth: u32) -> TxnOp {
        match self.0.random_range(0..10) {
            0..4 => TxnOp::put(self.key(), self.value(), Some(self.put_options())),
            4..6 => {
                let key = self.range_start();
                let options = self.get_options(&key);
                TxnOp::get(key, Some(options))
            }
            6..8 => {
                let key = self.range_start();
                let options = self.delete_options(12);
                // Not to the end of all keys: beside a put that is a duplicate, which etcd
                // overlooks of the keys themselves, but not of their companions.
                let options = match &*key {
                    "" => None,
                    _ => Some(options),
                };
                TxnOp::delete(key, options)
            }
            _ if depth > 0 => TxnOp::txn(self.txn(depth - 1)),
            _ => TxnOp::get(self.key(), None),
        }
    }
}
