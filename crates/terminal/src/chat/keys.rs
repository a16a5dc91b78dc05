//! The keyboard: a thread that waits for keys, since reading them can't be interrupted. It ends
//! with the program.

use super::limits;
use ratatui::crossterm::event::{self, Event};
use std::io;
use tokio::sync::mpsc;

/// Begins to read. The channel closes when nothing can be read any more.
pub(super) fn read() -> io::Result<mpsc::Receiver<Event>> {
    let (sender, receiver) = mpsc::channel(limits::KEYS);
    let run = move || {
        while let Ok(event) = event::read() {
            if sender.blocking_send(event).is_err() {
                break;
            }
        }
    };
    std::thread::Builder::new().name("keyboard".to_owned()).spawn(run)?;
    Ok(receiver)
}
