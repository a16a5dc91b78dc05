//! Which guests are here, and which came and went since the last second. In memory only.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use portcullis_proto::classroom::{DialectId, GuestKey};
use portcullis_proto::{AccountId, Event, GuestCard, Reference, limits as wire};

use super::{GuestList, GuestRefused};
use crate::defences::{HelloAdmitted, NeighbourAdmitted};
use crate::{ConnectionId, limits};

/// The guests that are here or at a linked server, and the changes that nobody was told of yet.
#[derive(Debug, Default)]
pub struct Guests {
    known: BTreeMap<AccountId, Guest>,
    connections: HashMap<ConnectionId, Held>,
    /// Connections of guests here, by the address that they come from.
    addresses: HashMap<IpAddr, usize>,
    /// Those that have gone.
    lately: Lately,
    /// By id: whether the guest was here when the watchers were last told.
    changed: BTreeMap<AccountId, bool>,
    /// What a list says, until something changes.
    list: Option<Arc<GuestList>>,
    /// The list has changed since this was last told.
    list_changed: bool,
}

#[derive(Debug)]
struct Guest {
    key: GuestKey,
    dialect: DialectId,
    /// Its connections here.
    here: Vec<ConnectionId>,
    /// The linked servers that have it.
    elsewhere: Vec<(ConnectionId, Arc<str>)>,
    /// Linked servers know that it is here.
    told: bool,
    /// It is a linked server's own key: heard like a guest, and listed for other clients, but nobody to talk to.
    is_server: bool,
}

/// Guests that have gone, the last of them: when as many have gone as are remembered, those that went before them are
/// forgotten together.
#[derive(Debug, Default)]
struct Lately {
    last: HashSet<AccountId>,
    before: HashSet<AccountId>,
}

impl Lately {
    fn add(&mut self, guest: AccountId) {
        if self.last.len() >= limits::GUESTS_REMEMBERED {
            self.before = std::mem::take(&mut self.last);
        }
        self.last.insert(guest);
    }

    fn has(&self, guest: AccountId) -> bool {
        self.last.contains(&guest) || self.before.contains(&guest)
    }
}

/// What a connection is.
#[derive(Debug)]
enum Held {
    Guest(Own),
    Neighbour(BTreeSet<AccountId>),
}

/// A guest's own connection.
#[derive(Debug)]
struct Own {
    guest: AccountId,
    address: IpAddr,
    /// What its `hello` is told from others by.
    hello: Reference,
    /// Something new was said on it, so it is no copy of another.
    spoke: bool,
}

impl Guests {
    /// Whether there is anybody to whom what is said to all guests would be sent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    /// How many connections of guests and linked servers there are.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// Whether a connection is this guest's own or that of a linked server that has it; `Some(true)` for its own.
    pub(crate) fn holds(&self, connection: ConnectionId, guest: AccountId) -> Option<bool> {
        match self.connections.get(&connection)? {
            Held::Guest(own) => (own.guest == guest).then_some(true),
            Held::Neighbour(clients) => clients.contains(&guest).then_some(false),
        }
    }

    /// Whether a guest is here, or was lately: then it is no new one.
    pub(crate) fn knows(&self, guest: AccountId) -> bool {
        self.known.contains_key(&guest) || self.lately.has(guest)
    }

    /// A guest is seen to speak so; whether that is news.
    pub(crate) fn speaks(&mut self, guest: AccountId, dialect: DialectId) -> bool {
        let Some(guest) = self.known.get_mut(&guest) else {
            return false;
        };
        std::mem::replace(&mut guest.dialect, dialect) != dialect
    }

    /// Whether a linked server with clients has this address.
    pub(crate) fn is_linked(&self, address: &str) -> bool {
        self.known
            .values()
            .flat_map(|guest| &guest.elsewhere)
            .any(|(_, server)| server.eq_ignore_ascii_case(address))
    }

    /// The guest of a connection, if it has made itself known.
    pub(crate) fn guest_of(&self, connection: ConnectionId) -> Option<AccountId> {
        match self.connections.get(&connection)? {
            Held::Guest(own) => Some(own.guest),
            Held::Neighbour(_) => None,
        }
    }

    /// A connection has made itself known; which other one had to make room.
    ///
    /// # Errors
    /// [`GuestRefused::SecondHello`] and [`GuestRefused::Full`]; nothing has changed then.
    pub(crate) fn came(
        &mut self,
        connection: ConnectionId,
        address: IpAddr,
        hello: &HelloAdmitted,
    ) -> Result<Option<ConnectionId>, GuestRefused> {
        if self.connections.contains_key(&connection) {
            return Err(GuestRefused::SecondHello);
        }
        let id = hello.key().id();
        let of_guest = self.known.get(&id).map_or(0, |guest| guest.here.len());
        let displaced = match of_guest < limits::GUEST_CONNECTIONS {
            true => None,
            false => Some(self.likely_copy(id, hello.reference()).ok_or(GuestRefused::Full)?),
        };
        let from_there = self.addresses.get(&address).copied().unwrap_or(0);
        if self.addresses.values().sum::<usize>() >= limits::GUESTS
            || from_there >= limits::GUESTS_AT_ADDRESS
        {
            return Err(GuestRefused::Full);
        }
        if let Some(displaced) = displaced {
            self.went(displaced);
        }
        let guest = self.guest(hello.key());
        // What it was last seen to speak counts, and the form in which it now sends its key.
        guest.dialect = hello.dialect();
        guest.key = hello.key().clone();
        guest.here.push(connection);
        let (hello, spoke) = (hello.reference(), false);
        self.connections.insert(connection, Held::Guest(Own { guest: id, address, hello, spoke }));
        *self.addresses.entry(address).or_insert(0) += 1;
        self.forget_list();
        Ok(displaced)
    }

    /// The connection of a guest that makes room for one with a new `hello`: the oldest on which nothing but its `hello`
    /// was said, which anybody could have repeated. None for a `hello` that is itself a copy.
    fn likely_copy(&self, guest: AccountId, hello: Reference) -> Option<ConnectionId> {
        let here = &self.known.get(&guest)?.here;
        let owns = here.iter().filter_map(|connection| match self.connections.get(connection)? {
            Held::Guest(own) => Some((*connection, own)),
            Held::Neighbour(_) => None,
        });
        if owns.clone().any(|(_, own)| own.hello == hello) {
            return None;
        }
        owns.into_iter().find(|(_, own)| !own.spoke).map(|(connection, _)| connection)
    }

    /// Something new was said on a guest's connection.
    pub(crate) fn spoke(&mut self, connection: ConnectionId) {
        if let Some(Held::Guest(own)) = self.connections.get_mut(&connection) {
            own.spoke = true;
        }
    }

    /// A linked server has these clients, and no others; past the limit they are left out.
    pub(crate) fn neighbour(
        &mut self,
        (connection, _): (ConnectionId, NeighbourAdmitted),
        (server, itself): (&str, AccountId),
        clients: Vec<GuestKey>,
    ) -> Result<(), GuestRefused> {
        if self.guest_of(connection).is_some() {
            return Err(GuestRefused::Stranger);
        }
        self.went(connection);
        let server: Arc<str> = Arc::from(server);
        let mut ids = BTreeSet::new();
        for key in clients.into_iter().take(wire::GUEST_CLIENTS) {
            if ids.insert(key.id()) {
                let guest = self.guest(&key);
                guest.elsewhere.push((connection, Arc::clone(&server)));
                guest.is_server |= key.id() == itself;
            }
        }
        self.connections.insert(connection, Held::Neighbour(ids));
        self.forget_list();
        Ok(())
    }

    /// A connection has gone, and with it its guest, or a linked server's.
    pub(crate) fn went(&mut self, connection: ConnectionId) {
        let ids: Vec<AccountId> = match self.connections.remove(&connection) {
            None => return,
            Some(Held::Neighbour(ids)) => ids.into_iter().collect(),
            Some(Held::Guest(Own { guest, address, .. })) => {
                if let Some(count) = self.addresses.get_mut(&address) {
                    *count -= 1;
                    if *count == 0 {
                        self.addresses.remove(&address);
                    }
                }
                vec![guest]
            }
        };
        for id in ids {
            let Some(guest) = self.known.get_mut(&id) else { continue };
            guest.here.retain(|other| *other != connection);
            guest.elsewhere.retain(|(other, _)| *other != connection);
            if guest.here.is_empty() && guest.elsewhere.is_empty() {
                self.changed.entry(id).or_insert(!guest.is_server);
                self.known.remove(&id);
                self.lately.add(id);
            }
        }
        self.forget_list();
    }

    /// Where to send what is for one guest; nothing if it has gone.
    pub(crate) fn reach(&self, guest: AccountId) -> Option<Vec<ConnectionId>> {
        let guest = self.known.get(&guest)?;
        match guest.here.is_empty() {
            false => Some(guest.here.clone()),
            true => Some(guest.elsewhere.first().map(|(link, _)| *link).into_iter().collect()),
        }
    }

    /// A page of the guests in order of their ids, and whether there is another.
    pub(crate) fn page(&self, after: Option<AccountId>, own: &str) -> (Vec<GuestCard>, bool) {
        use core::ops::Bound::{Excluded, Unbounded};
        let range = self.known.range((after.map_or(Unbounded, Excluded), Unbounded));
        let mut rest = range.filter(|(_, guest)| !guest.is_server);
        let card = |(id, guest): (&AccountId, &Guest)| GuestCard {
            guest: *id,
            pem: guest.key.pem().to_owned(),
            dialect: guest.dialect.name().to_owned(),
            server: match guest.elsewhere.first() {
                Some((_, server)) if guest.here.is_empty() => server.as_ref().to_owned(),
                _ => own.to_owned(),
            },
        };
        let page = rest.by_ref().take(wire::PAGE_ROWS as usize).map(card).collect();
        (page, rest.next().is_some())
    }

    /// What lists say has changed.
    pub(crate) fn forget_list(&mut self) {
        self.list = None;
        self.list_changed = true;
    }

    /// What a list says: as before, or of these devices.
    pub(crate) fn list<E>(
        &mut self,
        devices: impl FnOnce() -> Result<Vec<Vec<u8>>, E>,
    ) -> Result<Arc<GuestList>, E> {
        if let Some(list) = &self.list {
            return Ok(Arc::clone(list));
        }
        let mut list = GuestList { devices: devices()?, ..GuestList::default() };
        let mut neighbours: BTreeMap<&Arc<str>, Vec<GuestKey>> = BTreeMap::new();
        for guest in self.known.values() {
            if !guest.here.is_empty() {
                list.guests.push(guest.key.clone());
            }
            for (_, server) in &guest.elsewhere {
                neighbours.entry(server).or_default().push(guest.key.clone());
            }
        }
        list.neighbours = neighbours.into_iter().map(|(at, keys)| (Arc::clone(at), keys)).collect();
        Ok(Arc::clone(self.list.insert(Arc::new(list))))
    }

    /// Whether lists say something else than when this was last asked.
    pub(crate) fn tell_list_changed(&mut self) -> bool {
        self.tell_all();
        std::mem::take(&mut self.list_changed)
    }

    /// Whether linked servers have to be told who is here before they hear this guest, whom they would take for nobody.
    /// The change is told of once more with the next second's, in case the batch of this one is not durable.
    pub(crate) fn tell_before(&mut self, guest: AccountId) -> bool {
        let told = self.known.get(&guest).is_none_or(|guest| guest.told);
        if !told {
            self.tell_all();
        }
        !told
    }

    fn tell_all(&mut self) {
        for guest in self.known.values_mut() {
            guest.told = !guest.here.is_empty();
        }
    }

    /// What those who watch presence are to be told, once a second; nothing where all is as it was.
    pub(crate) fn tell(&mut self) -> Option<Event> {
        let (mut came, mut went) = (Vec::new(), Vec::new());
        for (id, was) in std::mem::take(&mut self.changed) {
            match (was, self.known.get(&id).is_some_and(|guest| !guest.is_server)) {
                (false, true) => came.push(id),
                (true, false) => went.push(id),
                _ => {}
            }
        }
        let more = came.len() + went.len() > wire::PRESENCE_CHANGES;
        if more {
            came.clear();
            went.clear();
        }
        let nothing = came.is_empty() && went.is_empty() && !more;
        (!nothing).then_some(Event::Guests { came, went, more })
    }

    fn guest(&mut self, key: &GuestKey) -> &mut Guest {
        let id = key.id();
        self.known.entry(id).or_insert_with(|| {
            self.changed.entry(id).or_insert(false);
            Guest {
                key: key.clone(),
                dialect: DialectId::BY_THE_TEXT,
                here: Vec::new(),
                elsewhere: Vec::new(),
                told: false,
                is_server: false,
            }
        })
    }
}
