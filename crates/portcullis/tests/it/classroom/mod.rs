//! Other people's clients at our door: scripted clients of the six families of the classroom, which
//! know the protocol's text and its table and none of our code, speak to the program.

mod bridge;
mod chat;
mod client;
mod family;
mod half_open;
mod hostile;
pub(crate) mod http;
mod json;
mod key;
mod matrix;
mod neighbours;
mod wire;

use crate::program::World;

/// Where the server is, as `HOST:PORT`.
fn address(world: &World) -> String {
    world.server().split_once("://").unwrap().1.to_owned()
}
