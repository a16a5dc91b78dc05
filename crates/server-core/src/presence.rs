//! Who is here, and who came and went since the last second. In memory only.

use portcullis_proto::{AccountId, Event, UserName, limits};
use std::collections::{BTreeMap, HashMap};

/// The accounts with a session, and the changes that nobody was told of yet.
#[derive(Debug, Default)]
pub struct Presence {
    sessions: HashMap<AccountId, (UserName, usize)>,
    /// By name: whether the account was online when the watchers were last told.
    changed: BTreeMap<UserName, bool>,
}

impl Presence {
    /// Whether one of the account's devices has a session.
    #[must_use]
    pub fn is_online(&self, account: AccountId) -> bool {
        self.sessions.contains_key(&account)
    }

    /// How many accounts have a session.
    #[must_use]
    pub fn online(&self) -> usize {
        self.sessions.len()
    }

    /// A session of the account has opened.
    pub(crate) fn came(&mut self, account: AccountId, name: &UserName) {
        let (_, count) = self.sessions.entry(account).or_insert_with(|| {
            self.changed.entry(name.clone()).or_insert(false);
            (name.clone(), 0)
        });
        *count += 1;
    }

    /// A session of the account has ended.
    pub(crate) fn went(&mut self, account: AccountId) {
        let Some((name, count)) = self.sessions.get_mut(&account) else {
            return;
        };
        *count -= 1;
        if *count == 0 {
            self.changed.entry(name.clone()).or_insert(true);
            self.sessions.remove(&account);
        }
    }

    /// What the watchers are to be told, once a second; nothing where all is as it was.
    pub(crate) fn tell(&mut self) -> Option<Event> {
        let now: std::collections::HashSet<&UserName> =
            self.sessions.values().map(|(name, _)| name).collect();
        let (mut online, mut offline) = (Vec::new(), Vec::new());
        for (name, was) in std::mem::take(&mut self.changed) {
            match (was, now.contains(&name)) {
                (false, true) => online.push(name),
                (true, false) => offline.push(name),
                _ => {}
            }
        }
        let more = online.len() + offline.len() > limits::PRESENCE_CHANGES;
        if more {
            online.clear();
            offline.clear();
        }
        let nothing = online.is_empty() && offline.is_empty() && !more;
        (!nothing).then_some(Event::Presence { online, offline, more })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn person(number: usize) -> (AccountId, UserName) {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&number.to_le_bytes());
        (AccountId::from_bytes(id), UserName::parse(&format!("user{number}")).unwrap())
    }

    fn check(steps: &[(bool, usize)], expected: Option<(&[&str], &[&str])>) {
        let mut presence = Presence::default();
        presence.came(person(9).0, &person(9).1);
        presence.tell();
        for (comes, number) in steps {
            let (id, name) = person(*number);
            if *comes { presence.came(id, &name) } else { presence.went(id) }
        }
        let names = |list: &[&str]| list.iter().map(|n| UserName::parse(n).unwrap()).collect();
        let expected = expected.map(|(online, offline)| Event::Presence {
            online: names(online),
            offline: names(offline),
            more: false,
        });
        assert_eq!(presence.tell(), expected, "{steps:?}");
        assert_eq!(presence.tell(), None);
    }

    #[test]
    fn only_what_changed_is_told_and_once() {
        check(&[], None);
        check(&[(true, 1)], Some((&["user1"], &[])));
        check(&[(true, 1), (true, 1), (false, 1)], Some((&["user1"], &[])));
        check(&[(true, 1), (false, 1)], None);
        check(&[(false, 9)], Some((&[], &["user9"])));
        check(&[(false, 9), (true, 9)], None);
        check(&[(false, 5)], None);
    }

    #[test]
    fn a_crowd_is_told_as_more() {
        let mut presence = Presence::default();
        for number in 0..=limits::PRESENCE_CHANGES {
            presence.came(person(number).0, &person(number).1);
        }
        let expected = Event::Presence { online: vec![], offline: vec![], more: true };
        assert_eq!(presence.tell(), Some(expected));
    }
}
