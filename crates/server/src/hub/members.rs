//! Who sits where: connections, rooms, and which connections are in which rooms. Both are numbered
//! by small integers, so that the loop over a room's members follows no hash table.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use bytes::Bytes;

use crate::socket::{Connection, ConnectionId};

/// A room's place in the table of rooms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RoomSlot(usize);

impl RoomSlot {
    /// The room that every connection is in.
    pub(super) const EVERYONE: RoomSlot = RoomSlot(0);
}

/// A connection's place in the table of connections; given again when the connection has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seat(usize);

pub(super) struct Members<K> {
    seats: Vec<Option<Seated>>,
    free_seats: Vec<Seat>,
    seat_of: HashMap<ConnectionId, Seat>,
    rooms: Vec<Room<K>>,
    free_rooms: Vec<RoomSlot>,
    room_of: HashMap<K, RoomSlot>,
}

struct Seated {
    connection: Arc<Connection>,
    /// Without the room of everyone.
    rooms: Vec<RoomSlot>,
    /// Index of its personal buffer, while it has one.
    personal: Option<usize>,
}

struct Room<K> {
    /// `None`: the room of everyone, or a free slot.
    key: Option<K>,
    members: Vec<Seat>,
    gathered: Vec<u8>,
    frames: usize,
}

impl<K: Hash + Eq + Copy> Members<K> {
    pub(super) fn new() -> Self {
        Members {
            seats: Vec::new(),
            free_seats: Vec::new(),
            seat_of: HashMap::new(),
            rooms: vec![Room::new(None)],
            free_rooms: Vec::new(),
            room_of: HashMap::new(),
        }
    }

    pub(super) fn open(&mut self, connection: Arc<Connection>) {
        let id = connection.id();
        let seated = Seated { connection, rooms: Vec::new(), personal: None };
        let seat = self.free_seats.pop().unwrap_or_else(|| {
            self.seats.push(None);
            Seat(self.seats.len() - 1)
        });
        if let Some(place) = self.seats.get_mut(seat.0) {
            *place = Some(seated);
        }
        self.seat_of.insert(id, seat);
        if let Some(everyone) = self.rooms.first_mut() {
            everyone.members.push(seat);
        }
    }

    /// Takes a connection out of everything.
    pub(super) fn forget(&mut self, id: ConnectionId) {
        let Some(seat) = self.seat_of.remove(&id) else {
            return;
        };
        let Some(seated) = self.seats.get_mut(seat.0).and_then(Option::take) else {
            return;
        };
        for room in seated.rooms {
            self.stand_up(room, seat);
        }
        self.stand_up(RoomSlot::EVERYONE, seat);
        self.free_seats.push(seat);
    }

    /// A connection's seat, handle, and the index of its personal buffer.
    pub(super) fn seat(&self, id: ConnectionId) -> Option<(Seat, &Arc<Connection>, Option<usize>)> {
        let seat = *self.seat_of.get(&id)?;
        let seated = self.seats.get(seat.0)?.as_ref()?;
        Some((seat, &seated.connection, seated.personal))
    }

    pub(super) fn set_personal(&mut self, seat: Seat, personal: Option<usize>) {
        if let Some(Some(seated)) = self.seats.get_mut(seat.0) {
            seated.personal = personal;
        }
    }

    pub(super) fn room(&self, key: &K) -> Option<RoomSlot> {
        self.room_of.get(key).copied()
    }

    /// `None`: it was in the room before.
    pub(super) fn join(&mut self, key: K, seat: Seat) -> Option<RoomSlot> {
        let slot = self.room(&key).unwrap_or_else(|| self.make_room(key));
        let seated = self.seats.get_mut(seat.0)?.as_mut()?;
        if seated.rooms.contains(&slot) {
            return None;
        }
        seated.rooms.push(slot);
        self.rooms.get_mut(slot.0)?.members.push(seat);
        Some(slot)
    }

    pub(super) fn leave(&mut self, key: &K, seat: Seat) {
        let Some(slot) = self.room(key) else { return };
        let Some(Some(seated)) = self.seats.get_mut(seat.0) else {
            return;
        };
        if let Some(index) = seated.rooms.iter().position(|room| *room == slot) {
            seated.rooms.swap_remove(index);
            self.stand_up(slot, seat);
        }
    }

    /// The rooms a connection is in, that of everyone included.
    pub(super) fn rooms_of(&self, seat: Seat) -> impl Iterator<Item = RoomSlot> {
        let seated = self.seats.get(seat.0).and_then(Option::as_ref);
        let rooms = seated.map_or(&[][..], |seated| &seated.rooms);
        std::iter::once(RoomSlot::EVERYONE).chain(rooms.iter().copied())
    }

    /// Appends a frame to what is gathered for a room. Whether it is the first.
    pub(super) fn append(&mut self, room: RoomSlot, frame: &[u8]) -> bool {
        let Some(room) = self.rooms.get_mut(room.0) else {
            return false;
        };
        let first = room.gathered.is_empty();
        room.gathered.extend_from_slice(frame);
        room.frames += 1;
        first
    }

    pub(super) fn gathered(&self, room: RoomSlot) -> &[u8] {
        self.rooms.get(room.0).map_or(&[], |room| &room.gathered)
    }

    /// What is gathered for a room, and how many frames that is. Nothing is left.
    pub(super) fn take_gathered(&mut self, slot: RoomSlot) -> (Bytes, usize) {
        let Some(room) = self.rooms.get_mut(slot.0) else {
            return (Bytes::new(), 0);
        };
        let frames = Bytes::from(std::mem::take(&mut room.gathered));
        let count = std::mem::take(&mut room.frames);
        self.free_if_empty(slot);
        (frames, count)
    }

    /// A room's members without a personal buffer.
    pub(super) fn listeners(&self, room: RoomSlot) -> impl Iterator<Item = &Arc<Connection>> {
        let members = self.rooms.get(room.0).map_or(&[][..], |room| &room.members);
        members
            .iter()
            .filter_map(|seat| self.seats.get(seat.0)?.as_ref())
            .filter(|seated| seated.personal.is_none())
            .map(|seated| &seated.connection)
    }

    fn make_room(&mut self, key: K) -> RoomSlot {
        let slot = self.free_rooms.pop().unwrap_or_else(|| {
            self.rooms.push(Room::new(None));
            RoomSlot(self.rooms.len() - 1)
        });
        if let Some(room) = self.rooms.get_mut(slot.0) {
            room.key = Some(key);
        }
        self.room_of.insert(key, slot);
        slot
    }

    fn stand_up(&mut self, slot: RoomSlot, seat: Seat) {
        let Some(room) = self.rooms.get_mut(slot.0) else {
            return;
        };
        if let Some(index) = room.members.iter().position(|member| *member == seat) {
            room.members.swap_remove(index);
        }
        self.free_if_empty(slot);
    }

    /// Frees a room without members, once nothing waits for it.
    fn free_if_empty(&mut self, slot: RoomSlot) {
        let Some(room) = self.rooms.get_mut(slot.0) else {
            return;
        };
        if !room.members.is_empty() || !room.gathered.is_empty() {
            return;
        }
        if let Some(key) = room.key.take() {
            *room = Room::new(None);
            self.room_of.remove(&key);
            self.free_rooms.push(slot);
        }
    }
}

impl<K> Room<K> {
    fn new(key: Option<K>) -> Self {
        Room { key, members: Vec::new(), gathered: Vec::new(), frames: 0 }
    }
}
