//! Whatever is gathered, each connection hears everything in the order it was said.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use portcullis_server::domain::{Arrival, Domain};
use portcullis_server::hub::Batch;
use portcullis_server::socket::{ConnectionId, Incoming, Settings};

use crate::running::RunningServer;
use crate::wire::{Client, TEXT, frame};

const CLIENTS: usize = 3;
const COMMANDS: usize = 60;
const SEEDS: u64 = 60;
const ROOMS: [char; 3] = ['a', 'b', 'c'];

#[test]
fn each_connection_hears_everything_in_order() {
    for seed in 0..SEEDS {
        check(seed);
    }
}

/// Runs random scripts of several clients against a server and a model of it: for each connection
/// and each room, its replies and the room's events must be the same in both.
fn check(seed: u64) {
    let heard = Arc::new(Mutex::new(HashMap::new()));
    let scripted = Scripted { heard: Arc::clone(&heard), rooms: HashMap::new(), said: 0 };
    let server = RunningServer::start(scripted, Settings::default());
    let (mut clients, mut got) = (Vec::new(), Vec::new());
    for _ in 0..CLIENTS {
        let mut client = Client::open(server.address, "/connect");
        // An answer means that this one has its number before the next one comes.
        client.send(&frame(TEXT, b"hello"));
        got.push(read_until(&mut client, "end"));
        clients.push(client);
    }
    let mut random = Random(seed + 1);
    for client in &mut clients {
        let mut packet = Vec::new();
        for _ in 0..COMMANDS {
            packet.extend(frame(TEXT, random.command().as_bytes()));
        }
        packet.extend(frame(TEXT, b"end"));
        client.send(&packet);
    }
    for (client, got) in clients.iter_mut().zip(&mut got) {
        got.extend(read_until(client, "end"));
    }
    clients[0].send(&frame(TEXT, b"all bye"));
    for (client, got) in clients.iter_mut().zip(&mut got) {
        got.extend(read_until(client, "*bye"));
    }
    let heard = heard.lock().unwrap();
    let mut ids = heard.keys().copied().collect::<Vec<ConnectionId>>();
    ids.sort();
    for (id, got) in ids.iter().zip(&got) {
        for room in ROOMS.into_iter().chain(['*']) {
            let of_room = |lines: &[String]| -> Vec<String> {
                let kept = |line: &&String| line.starts_with(['=', 'e', room]);
                lines.iter().filter(kept).cloned().collect()
            };
            assert_eq!(of_room(got), of_room(&heard[id]), "seed {seed}, {id:?}, room {room}");
        }
    }
}

fn read_until(client: &mut Client, last: &str) -> Vec<String> {
    let mut lines = Vec::new();
    while lines.last().is_none_or(|line| line != last) {
        lines.push(String::from_utf8(client.next().unwrap().payload).unwrap());
    }
    lines
}

/// Does as it is told, and notes what each connection is to hear.
struct Scripted {
    heard: Arc<Mutex<HashMap<ConnectionId, Vec<String>>>>,
    rooms: HashMap<char, Vec<ConnectionId>>,
    said: u64,
}

impl Scripted {
    fn obey(&mut self, connection: ConnectionId, command: &str, batch: &mut Batch<char>) {
        let mut heard = self.heard.lock().unwrap();
        self.said += 1;
        let reply = match command.split_once(' ') {
            Some(("join", room)) => {
                let room = room.chars().next().unwrap();
                let members = self.rooms.entry(room).or_default();
                if !members.contains(&connection) {
                    members.push(connection);
                }
                batch.join(room, connection);
                format!("={}", self.said)
            }
            Some(("leave", room)) => {
                let room = room.chars().next().unwrap();
                self.rooms.entry(room).or_default().retain(|member| *member != connection);
                batch.leave(room, connection);
                format!("={}", self.said)
            }
            Some(("say", room)) => {
                let room = room.chars().next().unwrap();
                let line = format!("{room}{}", self.said);
                batch.room(room, line.as_bytes());
                for member in self.rooms.get(&room).into_iter().flatten() {
                    heard.entry(*member).or_default().push(line.clone());
                }
                format!("={}", self.said)
            }
            Some(("others", room)) => {
                let room = room.chars().next().unwrap();
                let line = format!("{room}{}", self.said);
                batch.room_except(room, connection, line.as_bytes());
                let members = self.rooms.get(&room).into_iter().flatten();
                for member in members.filter(|member| **member != connection) {
                    heard.entry(*member).or_default().push(line.clone());
                }
                format!("={}", self.said)
            }
            Some(("all", text)) => {
                let line = format!("*{text}");
                batch.everyone(line.as_bytes());
                for lines in heard.values_mut() {
                    lines.push(line.clone());
                }
                return;
            }
            _ => "end".to_owned(),
        };
        batch.reply(connection, reply.as_bytes());
        heard.entry(connection).or_default().push(reply);
    }
}

impl Domain for Scripted {
    type Room = char;
    type Request = String;

    fn read(message: &Incoming) -> String {
        match message {
            Incoming::Text(text) => text.to_string(),
            Incoming::Binary(_) => String::new(),
        }
    }

    fn carry_out(&mut self, arrivals: Vec<Arrival<String>>, batch: &mut Batch<char>) {
        for arrival in arrivals {
            match arrival {
                Arrival::Opened(connection) => {
                    self.heard.lock().unwrap().insert(connection.id(), Vec::new());
                }
                Arrival::Request(connection, command) => self.obey(connection, &command, batch),
                Arrival::Closed(_) => {}
            }
        }
    }

    fn tick(&mut self, _: &mut Batch<char>) {}
}

/// A linear congruential generator: the same commands for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn command(&mut self) -> String {
        let room = ROOMS[self.below(ROOMS.len())];
        match self.below(20) {
            0..4 => format!("join {room}"),
            4..6 => format!("leave {room}"),
            6 => format!("all {}", self.below(1_000)),
            7..12 => format!("others {room}"),
            _ => format!("say {room}"),
        }
    }
}
