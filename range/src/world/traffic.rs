//! A world's connections, and the frames on them: one frame at a time arrives, and what it leads to comes after it.
//!
//! Leaves out what people do with what they hear, and who may send what.

use super::{End, Entered, Frame, Happened, Party, Visit, World, WorldError, budget};
use crate::limits;
use crate::work;
use portcullis_client_core::Event;
use portcullis_proto::{Request, encode_event, encode_refusal, encode_reply};
use portcullis_server_core::{ConnectionId, Effect, Incoming, Output, Peer};
use portcullis_sim::Told;

impl World {
    /// Lets every frame under way arrive, and those that follow, until nothing moves any more.
    pub(super) fn settle(&mut self) -> Result<(), WorldError> {
        if self.ended {
            return Err(WorldError::Exhausted);
        }
        for _ in 0..limits::STEPS {
            if self.budget.is_spent() {
                self.under_way.clear();
                return Err(WorldError::Full);
            }
            if self.under_way_bytes() > limits::MOVING_BYTES {
                break;
            }
            let Some(frame) = self.under_way.pop_front() else {
                let Some((who, origin)) = self.clicks.pop() else { return Ok(()) };
                // Who can't come now does not come.
                let line = self.visit(who, &origin).ok().flatten();
                self.visits.extend(line.map(|line| Visit { origin, line }));
                continue;
            };
            if let Some(frame) = self.held.hold(frame) {
                self.arrive(frame);
            }
        }
        self.under_way.clear();
        self.ended = true;
        Err(WorldError::Exhausted)
    }

    pub(super) fn arrive(&mut self, frame: Frame) {
        let Frame { connection, up, text } = frame;
        if !self.links.contains_key(&connection) || !self.has_room(text.len()) {
            return;
        }
        let party = self.party(connection);
        let (from, to) = if up { (party, Party::Server) } else { (Party::Server, party) };
        self.wire.note(self.now, from, to, &text);
        if up && self.desk.as_ref().is_some_and(|desk| desk.has(connection)) {
            return self.attend(connection, &text);
        }
        if up {
            return self.serve(connection, &text);
        }
        match self.links.get_mut(&connection) {
            Some(End::Person(index)) => {
                let (index, bytes, before) = (*index, text.len(), self.happened.len());
                self.event(index, Event::Frame(text));
                if self.happened.len() > before {
                    // What they were shown of it stands in the log.
                    self.budget.spend(bytes);
                }
            }
            Some(End::Actor(index)) => {
                let index = *index;
                self.tell_actor(index, &text);
            }
            Some(End::Learner(unread)) => {
                if !unread.put(text) {
                    self.cut(connection);
                }
            }
            Some(End::Machine(_)) | None => {}
        }
    }

    /// The server answers one frame. Frames are run one at a time, so that what follows has one cause.
    fn serve(&mut self, connection: ConnectionId, text: &str) {
        let (id, request) = match self.enter(connection, text) {
            Entered::Asked(Ok((id, request))) => (id, Ok(request)),
            Entered::Asked(Err((id, refusal))) => (id, Err(refusal)),
            Entered::Answered(answer) => {
                let answer = answer.map(|text| Frame { connection, up: false, text });
                return self.under_way.extend(answer);
            }
        };
        let by = self.doer(connection);
        let asked = request.as_ref().ok().map(Request::kind);
        if let Some(kind) = asked {
            self.budget.spend(budget::stored(kind, text.len()));
        }
        let incoming = Incoming::Request { connection, id, request };
        let outputs = self.server.run(&self.store, self.now, vec![incoming]);
        self.now = self.now.plus_millis(work::take());
        for output in &outputs {
            match output {
                Output::Reply { result, .. } => {
                    let refused = result.as_ref().err().map(|refusal| refusal.code);
                    self.note(Happened::Asked { by: by.clone(), asked, refused });
                }
                Output::Connection { effect: Effect::Opened { account, device, .. }, .. } => {
                    let (account, device) = (*account, *device);
                    self.sessions.insert(connection);
                    self.note(Happened::Opened { by: by.clone(), account, device });
                }
                Output::Effect(Effect::Deliver {
                    event: portcullis_proto::Event::Envelope(envelope),
                    ..
                }) => {
                    let envelope = Box::new(envelope.clone());
                    self.budget.spend(limits::ROW_BYTES);
                    self.note(Happened::Stored { by: by.clone(), envelope });
                }
                _ => {}
            }
        }
        self.release(outputs);
    }

    pub(super) fn release(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Reply { connection, id, result } => {
                    let text = match &result {
                        Ok(reply) => encode_reply(id, reply),
                        Err(refusal) => encode_refusal(id, refusal),
                    };
                    self.under_way.push_back(Frame { connection, up: false, text });
                }
                Output::Connection { connection, effect } => self.hub.own(connection, effect),
                Output::Effect(effect) => {
                    for told in self.hub.follow(effect) {
                        match told {
                            Told::Frame(connection, text) => {
                                self.under_way.push_back(Frame { connection, up: false, text });
                            }
                            Told::Close(connection) => self.cut(connection),
                        }
                    }
                }
                Output::Guest(_) => {}
                Output::Drop { connection } => self.cut(connection),
            }
        }
    }

    pub(super) fn link(&mut self, end: End) -> ConnectionId {
        let connection = ConnectionId(self.next_connection);
        self.next_connection += 1;
        let hello = self.server.connect(connection, Peer::loopback(), self.now);
        self.links.insert(connection, end);
        let text = encode_event(&hello);
        self.under_way.push_back(Frame { connection, up: false, text });
        connection
    }

    pub(super) fn cut(&mut self, connection: ConnectionId) {
        if let Some(desk) = self.desk.as_mut().filter(|desk| desk.has(connection)) {
            desk.disconnect(connection);
            self.links.remove(&connection);
            return;
        }
        self.server.disconnect(connection);
        self.hub.forget(connection);
        self.sessions.remove(&connection);
        if let Some(End::Person(index)) = self.links.remove(&connection) {
            self.event(index, Event::Disconnected);
        }
    }
}
