//! The simplest domain: everything said is said back. Told to `panic`, it does.

use portcullis_server::domain::{Arrival, Domain};
use portcullis_server::hub::Batch;
use portcullis_server::socket::Incoming;

pub(crate) struct Repeat;

impl Domain for Repeat {
    type Room = u8;
    type Request = String;

    fn read(message: &Incoming) -> String {
        match message {
            Incoming::Text(text) => text.to_string(),
            Incoming::Binary(_) => String::new(),
        }
    }

    fn carry_out(&mut self, arrivals: Vec<Arrival<String>>, batch: &mut Batch<u8>) {
        for arrival in arrivals {
            if let Arrival::Request(connection, text) = arrival {
                assert_ne!(text, "panic", "as it was told");
                batch.reply(connection, text.as_bytes());
            }
        }
    }

    fn tick(&mut self, _: &mut Batch<u8>) {}
}
