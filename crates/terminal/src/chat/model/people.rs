//! Who there is: name, presence, and what is known of the identity. It leaves out how the pane
//! looks.

use crate::ui::view::{Person, Trust};
use portcullis_client_core::{IdentityState, PersonView};
use portcullis_proto::{GuestName, UserName};
use std::collections::{BTreeMap, BTreeSet};

/// The people by name.
#[derive(Debug, Default)]
pub(super) struct People {
    known: BTreeMap<UserName, Known>,
    /// The classroom guests who are here.
    guests: BTreeSet<GuestName>,
    /// Pages of a list that is not complete yet.
    coming: Vec<PersonView>,
}

#[derive(Debug, Clone)]
struct Known {
    online: bool,
    trust: Trust,
}

impl People {
    /// A page of the list. Whether the list is complete with it.
    pub(super) fn take_page(&mut self, people: Vec<PersonView>, first: bool, more: bool) -> bool {
        if first {
            self.coming.clear();
        }
        self.coming.extend(people);
        if more {
            return false;
        }
        let known = |person: PersonView| {
            let trust = trust(person.identity);
            let online = person.online;
            (person.name, Known { online, trust })
        };
        self.known = std::mem::take(&mut self.coming).into_iter().map(known).collect();
        true
    }

    /// Somebody came or went.
    pub(super) fn set_online(&mut self, names: Vec<UserName>, online: bool) {
        for name in names {
            let trust = Trust::NotVerified;
            self.known.entry(name).or_insert(Known { online, trust }).online = online;
        }
    }

    /// Whether a device of theirs is here.
    pub(super) fn is_online(&self, name: &UserName) -> bool {
        self.known.get(name).is_some_and(|known| known.online)
    }

    /// Whether there is an account of this name, as far as is known.
    pub(super) fn knows(&self, name: &UserName) -> bool {
        self.known.contains_key(name)
    }

    /// Classroom guests came and went.
    pub(super) fn set_guests(&mut self, came: Vec<GuestName>, went: &[GuestName]) {
        self.guests.extend(came);
        self.guests.retain(|guest| !went.contains(guest));
    }

    /// These classroom guests are here, and no others.
    pub(super) fn take_guests(&mut self, here: impl Iterator<Item = GuestName>) {
        self.guests = here.collect();
    }

    /// Nobody's presence is known without a connection.
    pub(super) fn forget_presence(&mut self) {
        self.guests.clear();
        self.known.values_mut().for_each(|known| known.online = false);
    }

    /// Somebody's identity key has changed.
    pub(super) fn distrust(&mut self, name: &UserName) {
        let online = false;
        let trust = trust(Some(IdentityState::Changed));
        let entry = self.known.entry(name.clone());
        entry.or_insert(Known { online, trust: Trust::NotVerified }).trust = trust;
    }

    /// What is known of somebody's identity.
    pub(super) fn trust(&self, name: &str) -> Option<Trust> {
        let name = UserName::parse(name).ok()?;
        self.known.get(&name).map(|known| known.trust.clone())
    }

    /// The rows of the pane: who is here first.
    pub(super) fn rows(&self) -> Vec<Person> {
        let row = |(name, known): (&UserName, &Known)| Person {
            name: name.as_str().to_owned(),
            display_name: None,
            online: known.online,
            trust: known.trust.clone(),
        };
        let mut rows: Vec<Person> = self.known.iter().map(row).collect();
        rows.extend(self.guests.iter().map(|name| Person {
            name: name.as_str().to_owned(),
            display_name: None,
            online: true,
            trust: Trust::Guest,
        }));
        rows.sort_by_key(|person| !person.online);
        rows
    }

    /// The list in words, for `/list`.
    pub(super) fn words(&self) -> String {
        let names = |wanted: bool| {
            let fit = self.known.iter().filter(|(_, known)| known.online == wanted);
            fit.map(|(name, _)| name.as_str()).collect::<Vec<_>>()
        };
        let (here, away) = (names(true), names(false));
        let mut words = format!("{} here: {}", here.len(), here.join(", "));
        if !away.is_empty() {
            words.push_str(&format!("\n{} away: {}", away.len(), away.join(", ")));
        }
        words
    }
}

/// The mark of an identity's state; none before the first contact.
pub(super) fn trust(identity: Option<IdentityState>) -> Trust {
    match identity {
        Some(IdentityState::Verified | IdentityState::Own) => Trust::Verified,
        Some(IdentityState::Changed) => Trust::Warning("the identity key has changed".to_owned()),
        Some(IdentityState::Guest) => Trust::Guest,
        Some(IdentityState::NotVerified) | None => Trust::NotVerified,
    }
}
