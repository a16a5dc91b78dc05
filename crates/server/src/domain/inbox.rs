//! What waits for the domain's thread, and what of it comes next.
//!
//! Pages and logins cost a hundred times what a message costs. When thousands of clients come back at
//! once, those who merely talk mustn't wait behind them: a batch takes only so much heavy work, the
//! rest of it stands aside, and light requests pass. What a connection has asked stays in order.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::{Arrival, BATCH, Domain, LinkRoom, Message};
use crate::socket::{Connection, ConnectionId, Ticket};

/// Weight of heavy requests in one batch: about 20 ms of work.
const HEAVY: usize = 1_024;

/// The way out of the channel, past those who stand aside.
pub(super) struct Inbox<D: Domain> {
    messages: Receiver<Message<D::Request>>,
    /// In order of arrival. Their tickets still count, so there can't be more than connections may
    /// have unanswered.
    aside: VecDeque<Message<D::Request>>,
    /// How many messages of a connection stand aside.
    held: HashMap<ConnectionId, usize>,
    stop: bool,
}

/// What comes next, taken apart.
pub(super) struct Waiting<R> {
    pub(super) arrivals: Vec<Arrival<R>>,
    /// Kept until the batch is published: until then these requests count as unanswered.
    pub(super) tickets: Vec<Ticket>,
    /// The same for what came over links.
    pub(super) rooms: Vec<LinkRoom>,
    pub(super) opened: Vec<Arc<Connection>>,
    pub(super) closed: Vec<ConnectionId>,
    /// There will be no more.
    pub(super) stop: bool,
}

impl<D: Domain> Inbox<D> {
    pub(super) fn new(messages: Receiver<Message<D::Request>>) -> Self {
        Inbox { messages, aside: VecDeque::new(), held: HashMap::new(), stop: false }
    }

    /// Waits for a message, and takes what waits behind it.
    pub(super) fn receive(&mut self, patience: Duration) -> Waiting<D::Request> {
        let mut waiting = Waiting {
            arrivals: Vec::new(),
            tickets: Vec::new(),
            rooms: Vec::new(),
            opened: Vec::new(),
            closed: Vec::new(),
            stop: false,
        };
        let mut room = HEAVY;
        self.take_from_aside(&mut room, &mut waiting);
        if waiting.arrivals.is_empty() {
            match self.messages.recv_timeout(patience) {
                Ok(first) => self.sort(first, &mut room, &mut waiting),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => self.stop = true,
            }
        }
        for _ in 1..BATCH {
            let Ok(message) = self.messages.try_recv() else { break };
            self.sort(message, &mut room, &mut waiting);
        }
        waiting.stop = self.stop && self.aside.is_empty();
        waiting
    }

    fn take_from_aside(&mut self, room: &mut usize, waiting: &mut Waiting<D::Request>) {
        while *room > 0
            && let Some(message) = self.aside.pop_front()
        {
            *room = room.saturating_sub(weight::<D>(&message));
            if let Some(connection) = message.connection()
                && let Some(held) = self.held.get_mut(&connection)
            {
                *held -= 1;
                if *held == 0 {
                    self.held.remove(&connection);
                }
            }
            waiting.add(message);
        }
    }

    /// Into this batch, or aside.
    fn sort(
        &mut self,
        message: Message<D::Request>,
        room: &mut usize,
        waiting: &mut Waiting<D::Request>,
    ) {
        let Some(connection) = message.connection() else {
            self.stop = true;
            return;
        };
        let weight = weight::<D>(&message);
        let behind = self.held.contains_key(&connection);
        if behind || (weight > 0 && *room == 0) {
            *self.held.entry(connection).or_insert(0) += 1;
            self.aside.push_back(message);
        } else {
            *room = room.saturating_sub(weight);
            waiting.add(message);
        }
    }
}

fn weight<D: Domain>(message: &Message<D::Request>) -> usize {
    match message {
        Message::Request(request, _) => D::weight(request),
        _ => 0,
    }
}

impl<R> Waiting<R> {
    fn add(&mut self, message: Message<R>) {
        match message {
            Message::Opened(connection) => {
                self.opened.push(Arc::clone(&connection));
                self.arrivals.push(Arrival::Opened(connection));
            }
            Message::Request(request, ticket) => {
                self.arrivals.push(Arrival::Request(ticket.connection().id(), request));
                self.tickets.push(ticket);
            }
            Message::Link(link, request, room) => {
                self.arrivals.push(Arrival::Request(link, request));
                self.rooms.push(room);
            }
            Message::Closed(connection) => {
                self.closed.push(connection);
                self.arrivals.push(Arrival::Closed(connection));
            }
            Message::Stop => {}
        }
    }
}

#[cfg(test)]
#[allow(clippy::panic, reason = "tests")]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::hub::Batch;
    use crate::socket::Incoming;

    /// Requests have no tickets here, so connections that go stand for what is light, and the queue is
    /// looked at through them.
    struct Nothing;

    impl Domain for Nothing {
        type Room = u8;
        type Request = ();
        fn read(_: &Incoming) {}
        fn carry_out(&mut self, _: Vec<Arrival<()>>, _: &mut Batch<u8>) {}
        fn tick(&mut self, _: &mut Batch<u8>) {}
    }

    /// Messages of these connections come, while `aside` has some of others: what comes next.
    fn check(held: &[u64], come: &[u64], room: usize, expected: (&[u64], &[u64])) {
        let (_sender, messages) = channel();
        let mut inbox = Inbox::<Nothing>::new(messages);
        for connection in held {
            inbox.aside.push_back(Message::Closed(ConnectionId(*connection)));
            *inbox.held.entry(ConnectionId(*connection)).or_insert(0) += 1;
        }
        let mut waiting = Waiting {
            arrivals: vec![],
            tickets: vec![],
            rooms: vec![],
            opened: vec![],
            closed: vec![],
            stop: false,
        };
        let mut room = room;
        inbox.take_from_aside(&mut room, &mut waiting);
        for connection in come {
            inbox.sort(Message::Closed(ConnectionId(*connection)), &mut room, &mut waiting);
        }
        let taken: Vec<u64> = waiting.closed.iter().map(|connection| connection.0).collect();
        let aside = inbox.aside.iter().filter_map(Message::connection);
        let aside: Vec<u64> = aside.map(|connection| connection.0).collect();
        assert_eq!((&taken[..], &aside[..]), expected);
        let held: usize = inbox.held.values().sum();
        assert_eq!(held, aside.len());
    }

    #[test]
    fn light_requests_pass_and_each_connection_stays_in_order() {
        check(&[], &[1, 2, 1], 0, (&[1, 2, 1], &[]));
        check(&[7, 8], &[1, 7, 2], 0, (&[1, 2], &[7, 8, 7]));
        check(&[7, 8], &[1, 7, 2], 9, (&[7, 8, 1, 7, 2], &[]));
    }
}
