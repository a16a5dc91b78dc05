//! Other accounts: their identity keys, taken on trust at first contact and compared by safety number,
//! and their device lists.

use crate::client::{Client, Pending, Step};
use crate::defences::{Contact, Lists, Pinned};
use crate::effect::Key;
use crate::show::{IdentityState, PersonView, Show, Warning};
use crate::transfers::Unasked;
use portcullis_crypto::{IdentityPublic, SafetyNumber};
use portcullis_proto::{
    AccountCard, AccountId, BadList, Code, DeviceId, DeviceKeys, DeviceList, ListRecord, Refusal,
    Request, SignedList, UserCard, UserName, limits as wire,
};
use std::collections::BTreeSet;

/// What is known of an account.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) name: UserName,
    pub(crate) identity: IdentityPublic,
    pub(crate) verified: bool,
    /// Another key, or another account behind the same name, that was shown and not accepted.
    pub(crate) changed: Option<(AccountId, IdentityPublic)>,
    /// The newest verified version of the device list, as it was signed.
    pub(crate) list: Option<SignedList>,
    /// The same, opened.
    pub(crate) devices: Option<ListRecord>,
    /// A request for its lists is under way.
    pub(crate) asked: bool,
    /// Up to how many bytes of files of theirs are taken without asking in a day.
    pub(crate) auto_accept: Option<u64>,
    /// How much was, of late.
    pub(crate) unasked: Unasked,
    /// They may be reached directly without being verified.
    pub(crate) direct: bool,
}

impl Person {
    pub(crate) const fn state(&self) -> IdentityState {
        match (self.changed.is_some(), self.verified) {
            (true, _) => IdentityState::Changed,
            (false, true) => IdentityState::Verified,
            (false, false) => IdentityState::NotVerified,
        }
    }

    fn version(&self) -> u64 {
        self.devices.as_ref().map_or(0, |list| list.list().version)
    }
}

impl Lists for Client {
    fn list(&self, account: AccountId) -> Option<&DeviceList> {
        self.list_of(account)
    }
}

impl Client {
    /// The keys of a device of an account, if its signed list names it.
    pub(crate) fn keys_of(&self, account: AccountId, device: DeviceId) -> Option<DeviceKeys> {
        self.list_of(account)?.keys_of(device)
    }

    /// The newest verified list of an account.
    pub(crate) fn list_of(&self, account: AccountId) -> Option<&DeviceList> {
        let record = match &self.own {
            Some(own) if own.account == account => self.own_list()?,
            _ => self.people.get(&account)?.devices.as_ref()?,
        };
        Some(record.list())
    }

    /// Makes sure that the newest lists of some accounts are known, in this session. True if that has
    /// to be waited for.
    pub(crate) fn check_lists(
        &mut self,
        step: &mut Step<'_>,
        accounts: &BTreeSet<AccountId>,
    ) -> bool {
        let unchecked: Vec<AccountId> = accounts.difference(&self.checked).copied().collect();
        if unchecked.is_empty() {
            return false;
        }
        let new: Vec<AccountId> =
            unchecked.into_iter().filter(|account| self.checking.insert(*account)).collect();
        for some in new.chunks(wire::LIST_VERSIONS) {
            let accounts = some.to_vec();
            self.ask(step, Request::ListVersions { accounts }, Pending::Versions(some.to_vec()));
        }
        true
    }

    /// The newest versions came: lists that are older here are fetched.
    pub(crate) fn versions_learned(
        &mut self,
        step: &mut Step<'_>,
        accounts: &[AccountId],
        versions: &[u64],
    ) {
        if versions.len() != accounts.len() {
            // Asked again with what happens next, not at once: the answer may be the same.
            self.checking.retain(|account| !accounts.contains(account));
            return self.warn_of_inbox(step, Warning::Nonsense);
        }
        for (account, version) in accounts.iter().zip(versions) {
            self.checking.remove(account);
            let known = self.list_of(*account).map_or(0, |list| list.version);
            if known < *version {
                self.ask_account(step, *account);
                continue;
            }
            self.checked.insert(*account);
            if known > *version {
                let name = self.name_of(*account).unwrap_or_else(nobody);
                step.warn(None, Warning::OlderList { name });
            }
        }
        self.flush_all(step);
    }

    /// An account's lists are as new as the server says.
    fn list_checked(&mut self, step: &mut Step<'_>, account: AccountId) {
        self.checked.insert(account);
        self.resume_inbox(step, account);
        self.resume_joins(step, account);
        self.flush_all(step);
    }

    /// The name of an account, as far as known.
    pub(crate) fn name_of(&self, account: AccountId) -> Option<UserName> {
        match &self.own {
            Some(own) if own.account == account => Some(own.name.clone()),
            _ => self.people.get(&account).map(|person| person.name.clone()),
        }
    }

    /// What is known of an account's identity.
    pub(crate) fn identity_of(&self, account: AccountId) -> IdentityState {
        match &self.own {
            Some(own) if own.account == account => IdentityState::Own,
            _ => self.people.get(&account).map_or(IdentityState::NotVerified, Person::state),
        }
    }

    /// Asks for several accounts at once. True if there are any, whose answers have to be waited for:
    /// each, since some may have been asked for before.
    pub(crate) fn ask_accounts(
        &mut self,
        step: &mut Step<'_>,
        accounts: &BTreeSet<AccountId>,
    ) -> bool {
        accounts.iter().for_each(|account| self.ask_account(step, *account));
        !accounts.is_empty()
    }

    /// Asks for an account's lists, unless that is under way.
    pub(crate) fn ask_account(&mut self, step: &mut Step<'_>, account: AccountId) {
        let mut after_version = 0;
        if let Some(person) = self.people.get_mut(&account) {
            if std::mem::replace(&mut person.asked, true) {
                return;
            }
            after_version = person.version();
        } else if self.own.as_ref().is_some_and(|own| own.account == account) {
            after_version = self.own_list().map_or(0, |list| list.list().version);
        }
        let request = Request::AccountById { account, after_version };
        self.ask(step, request, Pending::Account(account, after_version));
    }

    /// The server says that a list has a new version.
    pub(crate) fn list_announced(&mut self, step: &mut Step<'_>, account: AccountId, version: u64) {
        if self.own.as_ref().is_some_and(|own| own.account == account) {
            return self.own_list_announced(step, version);
        }
        let Some(person) = self.people.get(&account) else {
            return;
        };
        if version > person.version() {
            self.checked.remove(&account);
            self.ask_account(step, account);
        }
    }

    /// Takes in what the server says of an account.
    pub(crate) fn account_learned(
        &mut self,
        step: &mut Step<'_>,
        asked: Option<AccountId>,
        after: u64,
        card: &AccountCard,
    ) {
        if asked.is_some_and(|asked| asked != card.account) {
            return step.warn(None, Warning::Nonsense);
        }
        if let Some(own) = &self.own
            && own.account == card.account
        {
            if own.identity == card.identity {
                self.extend_own_list(step, after, &card.lists);
            } else {
                let name = own.name.clone();
                step.warn(None, Warning::IdentityChanged { name });
            }
            self.resume_conversations(step, card.account);
            return self.list_checked(step, card.account);
        }
        match (self.defences.accept_identity)(&self.pinned(card), card) {
            Contact::First => {
                self.people.insert(
                    card.account,
                    Person {
                        name: card.name.clone(),
                        identity: card.identity,
                        verified: false,
                        changed: None,
                        list: None,
                        devices: None,
                        asked: false,
                        auto_accept: None,
                        unasked: Unasked::default(),
                        direct: false,
                    },
                );
                self.extend_list(step, after, card);
            }
            Contact::Known => self.extend_list(step, after, card),
            Contact::Changed(pinned) => self.identity_changed(step, pinned, card),
        }
        if let Some(person) = self.people.get_mut(&card.account) {
            person.asked = false;
            let more = card.lists.len() == wire::DEVICE_LIST_VERSIONS;
            self.touch(Key::Person(card.account));
            if more {
                return self.ask_account(step, card.account);
            }
        }
        self.resume_conversations(step, card.account);
        self.list_checked(step, card.account);
    }

    /// The account could not be looked up: later, if that helps; otherwise its messages can't be
    /// verified, and say so.
    pub(crate) fn account_refused(
        &mut self,
        step: &mut Step<'_>,
        account: AccountId,
        refusal: &Refusal,
    ) {
        if let Some(person) = self.people.get_mut(&account) {
            person.asked = false;
        }
        if refusal.code.passes() {
            self.put_off_joins(account);
            return self.put_off_conversations(step, account, refusal);
        }
        if refusal.code == Code::NotFound {
            // There is nothing newer than nothing.
            self.checked.insert(account);
        }
        self.resume_conversations(step, account);
        self.resume_inbox(step, account);
        self.resume_joins(step, account);
    }

    /// What this device holds fast about the account of a card, by its id and by its name.
    fn pinned(&self, card: &AccountCard) -> Pinned {
        let by_id = self.people.get(&card.account);
        let mut named = self.people.iter().filter(|(_, person)| person.name == card.name);
        let own = self.own.as_ref().filter(|own| own.name == card.name).map(|own| own.account);
        Pinned {
            by_id: by_id.map(|person| (person.name.clone(), person.identity)),
            by_name: own.or_else(|| named.next().map(|(id, _)| *id)),
        }
    }

    fn identity_changed(&mut self, step: &mut Step<'_>, pinned: AccountId, card: &AccountCard) {
        let name = card.name.clone();
        if let Some(person) = self.people.get_mut(&pinned) {
            let shown = Some((card.account, card.identity));
            let again = std::mem::replace(&mut person.changed, shown) == shown;
            self.touch(Key::Person(pinned));
            if again {
                return;
            }
        }
        step.warn(None, Warning::IdentityChanged { name });
    }

    fn extend_list(&mut self, step: &mut Step<'_>, after: u64, card: &AccountCard) {
        for signed in &card.lists {
            let Some(person) = self.people.get(&card.account) else {
                return;
            };
            let (name, known) = (person.name.clone(), person.devices.clone());
            let whose = (card.account, &person.identity, &name);
            let record = match self.take_list(whose, known.as_ref(), after, signed) {
                Ok(Some(record)) => record,
                Ok(None) => continue,
                Err(warning) => return step.warn(None, warning),
            };
            let before = known.as_ref().map(ListRecord::list);
            self.tell_device_changes(step, &name, before, record.list());
            if let Some(person) = self.people.get_mut(&card.account) {
                person.list = Some(signed.clone());
                person.devices = Some(record);
            }
        }
    }

    /// Verifies a list that was asked for; none if an answer that overtook this one brought it before.
    pub(crate) fn take_list(
        &self,
        (account, identity, name): (AccountId, &IdentityPublic, &UserName),
        known: Option<&ListRecord>,
        after: u64,
        signed: &SignedList,
    ) -> Result<Option<ListRecord>, Warning> {
        let name = || name.clone();
        let version = signed.open(account, identity).map(|list| list.list().version);
        let seen = known.map_or(0, |list| list.list().version);
        if version.is_ok_and(|version| version > after && version <= seen) {
            return Ok(None);
        }
        match (self.defences.accept_list)(account, identity, known, signed) {
            Ok(accepted) => Ok(Some(accepted.into_list())),
            Err(BadList::Older) => Err(Warning::OlderList { name: name() }),
            Err(_) => Err(Warning::ForgedList { name: name() }),
        }
    }

    /// Shows the safety number with somebody, whose key has just been asked for.
    pub(crate) fn show_safety_number(&mut self, step: &mut Step<'_>, name: &UserName) {
        let Some(own) = &self.own else { return };
        let named = |(_, person): &(&AccountId, &Person)| person.name == *name;
        let Some((account, person)) = self.people.iter().find(named) else {
            return;
        };
        // Where another key was shown, that is the one to be compared.
        let (account, identity) = person.changed.unwrap_or((*account, person.identity));
        let number = SafetyNumber::new(
            (&own.identity, own.account.as_bytes()),
            (&identity, account.as_bytes()),
        );
        step.show(Show::SafetyNumber { name: name.clone(), number, state: person.state() });
    }

    /// The person has compared the safety number.
    pub(crate) fn mark_verified(&mut self, step: &mut Step<'_>, name: &UserName) {
        let named = self.people.iter_mut().find(|(_, person)| person.name == *name);
        match named {
            Some((account, person)) if person.changed.is_none() => {
                person.verified = true;
                let key = Key::Person(*account);
                self.touch(key);
                step.show(Show::Done(format!("{name} is verified.")));
            }
            Some(_) => step.warn(None, Warning::IdentityChanged { name: name.clone() }),
            None => step.show(Show::Done(format!("Look at the number first: /verify {name}"))),
        }
    }

    /// The person takes the key that was shown last for theirs.
    pub(crate) fn accept_identity(&mut self, step: &mut Step<'_>, name: &UserName) {
        let named = self.people.iter().find(|(_, p)| p.name == *name && p.changed.is_some());
        let Some((old, account, identity)) = named.and_then(|(old, person)| {
            person.changed.map(|(account, identity)| (*old, account, identity))
        }) else {
            return step.show(Show::Done(format!("{name} has shown no other identity key.")));
        };
        self.people.remove(&old);
        self.touch(Key::Person(old));
        self.people.insert(
            account,
            Person {
                name: name.clone(),
                identity,
                verified: false,
                changed: None,
                list: None,
                devices: None,
                asked: false,
                auto_accept: None,
                unasked: Unasked::default(),
                direct: false,
            },
        );
        self.touch(Key::Person(account));
        self.ask_account(step, account);
        step.show(Show::Done(format!("The new identity key of {name} is accepted, not verified.")));
    }

    /// A page of users came.
    pub(crate) fn users_listed(
        &mut self,
        step: &mut Step<'_>,
        page: u32,
        users: Vec<UserCard>,
        more: bool,
    ) {
        let more = more && page + 1 < crate::limits::PAGES;
        if let Some(last) = users.last().filter(|_| more) {
            let request = Request::Users { after: Some(last.name.clone()) };
            self.ask(step, request, Pending::Users(page + 1));
        }
        let view = |user: UserCard| PersonView {
            online: user.online,
            identity: self.known_identity(user.account),
            name: user.name,
        };
        let people = users.into_iter().map(view).collect();
        step.show(Show::People { people, first: page == 0, more });
    }

    fn known_identity(&self, account: AccountId) -> Option<IdentityState> {
        match self.identity_of(account) {
            IdentityState::NotVerified if !self.people.contains_key(&account) => None,
            state => Some(state),
        }
    }
}

/// The name of an account that the server could not or would not show.
pub(crate) fn nobody() -> UserName {
    const NAMES: [&str; 2] = ["unknown-account", "unknown"];
    let parsed = NAMES.iter().find_map(|name| UserName::parse(name).ok());
    parsed.unwrap_or_else(nobody)
}
