//! How far others have come in a conversation, shown behind the last own message that they have.

use std::collections::BTreeMap;

/// How far each of the others has come, by name.
#[derive(Debug, Default)]
pub(super) struct Marks(BTreeMap<String, Mark>);

#[derive(Debug, Clone, Copy)]
struct Mark {
    delivered: u64,
    read: u64,
}

impl Marks {
    /// Somebody has come so far.
    pub(super) fn set(&mut self, name: &str, delivered: u64, read: u64) {
        self.0.insert(name.to_owned(), Mark { delivered, read });
    }

    /// The words behind own messages, by their numbers; `own` are the numbers of all of them, in order.
    /// Where there is but one other, nobody needs to be named.
    pub(super) fn words(&self, own: &[u64], is_direct: bool) -> BTreeMap<u64, String> {
        let last = |mark: u64| {
            let at = own.partition_point(|seq| *seq <= mark);
            at.checked_sub(1).and_then(|at| own.get(at)).copied()
        };
        let mut names: BTreeMap<u64, [Vec<&str>; 2]> = BTreeMap::new();
        for (name, mark) in &self.0 {
            let (read, delivered) = (last(mark.read), last(mark.delivered));
            if let Some(seq) = delivered.filter(|_| delivered > read) {
                names.entry(seq).or_default()[1].push(name);
            }
            if let Some(seq) = read {
                names.entry(seq).or_default()[0].push(name);
            }
        }
        let words = |what: &str, by: &str, names: &[&str]| match names {
            [] => None,
            _ if is_direct => Some(what.to_owned()),
            names => Some(format!("{what} {by} {}", names.join(", "))),
        };
        let both = |[read, delivered]: [Vec<&str>; 2]| {
            let both = [words("read", "by", &read), words("delivered", "to", &delivered)];
            both.into_iter().flatten().collect::<Vec<_>>().join(", ")
        };
        names.into_iter().map(|(seq, names)| (seq, both(names))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(marks: &[(&str, u64, u64)], is_direct: bool, expected: &[(u64, &str)]) {
        let mut all = Marks::default();
        marks.iter().for_each(|(name, delivered, read)| all.set(name, *delivered, *read));
        let words = all.words(&[3, 5, 9], is_direct);
        let shown: Vec<_> = words.iter().map(|(seq, words)| (*seq, words.as_str())).collect();
        assert_eq!(shown, expected, "{marks:?}");
    }

    #[test]
    fn marks_stand_behind_the_last_message_that_they_apply_to() {
        check(&[], true, &[]);
        check(&[("bob", 2, 0)], true, &[]);
        check(&[("bob", 4, 0)], true, &[(3, "delivered")]);
        check(&[("bob", 9, 5)], true, &[(5, "read"), (9, "delivered")]);
        check(&[("bob", 10, 10)], true, &[(9, "read")]);
        check(&[("bob", 8, 8), ("carol", 7, 5)], false, &[(5, "read by bob, carol")]);
        check(
            &[("bob", 5, 5), ("carol", 5, 3)],
            false,
            &[(3, "read by carol"), (5, "read by bob, delivered to carol")],
        );
    }
}
