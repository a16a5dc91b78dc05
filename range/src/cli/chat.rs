//! `chat`: the chat's own terminal client, in a world; at its end it asks for what was found there.
//!
//! Leaves out looking for flags by itself: they come to scripts, which submit them, and not to this client.

use super::Where;
use super::ask::{Range, address, learner_folder};
use super::learner::submit;
use super::output::{Failure, say};
use crate::host::SUBPROTOCOL;
use portcullis_crypto::{Password, Stretch};
use portcullis_proto::UserName;
use portcullis_terminal::chat::{self, Options};
use portcullis_terminal::device::{FileOptions, device_name};
use portcullis_terminal::net::{Address, Door, TlsRoots};
use std::fmt::Display;
use std::io::{self, BufRead, IsTerminal as _, Write};

pub(super) fn chat(at: &Where, slug: &str) -> Result<(), Failure> {
    let entrance = Range::new(at)?.get(&format!("/api/flaws/{slug}/entrance"))?;
    let connect = entrance["connect"].as_str().unwrap_or_default();
    let path = connect.strip_prefix("ws://").and_then(|rest| Some(rest.split_once('/')?.1));
    let path = path.ok_or("the range does not say where the world is")?;
    // What this client has seen of the world holds for no other.
    let path = format!("/{path}?made={}", entrance["made"]);
    let ticket: String = path.split('/').nth(2).unwrap_or_default().to_owned();
    let server =
        Address::parse(&format!("ws://{}", address(at)?)).map_err(|error| error.to_string())?;
    let options = Options {
        server,
        door: Door::Other { path, subprotocol: SUBPROTOCOL, gone: gone(slug) },
        roots: TlsRoots::System,
        user: UserName::parse(crate::hands::YOU).ok(),
        password: entrance["password"].as_str().map(|password| Password::new(password.to_owned())),
        // A world that was made anew does not know the devices of the one before.
        home: Some(
            learner_folder(at)?.join("homes").join(format!("{ticket}-{}", entrance["made"])),
        ),
        device: device_name(),
        stretch_floor: Stretch::LIGHT,
        read_marks: true,
        files: FileOptions::default(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let ended = runtime.block_on(chat::run(options));
    runtime.shutdown_background();
    ended.map_err(|error| error.to_string())?;
    let page = Range::new(at)?.get(&format!("/api/flaws/{slug}"))?;
    if page["state"].as_str().is_some_and(|state| state.starts_with("solved")) {
        say!("{slug} is solved. `diff {slug}` shows what was broken.");
        return Ok(());
    }
    if page["submits"] != true {
        say!("{slug} is not solved yet; the range sees it as soon as it has happened.");
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Ok(());
    }
    Ok(ask(slug, &mut io::stdin().lock(), &mut io::stdout(), |value| submit(at, slug, value))?)
}

/// What whoever is in a world is told that is not there any more.
fn gone(slug: &str) -> String {
    format!(
        "this world has gone: it, or the range, was begun anew, or a fix was put in. `/quit`, and \
         `portcullis-range chat {slug}` opens the new one"
    )
}

/// Asks for a flag or a value, and submits it, until it is right or nothing more is typed.
fn ask<E: Display>(
    slug: &str,
    typed: &mut impl BufRead,
    told: &mut impl Write,
    submit: impl Fn(&str) -> Result<(), E>,
) -> Result<(), String> {
    let broken = |error: io::Error| error.to_string();
    loop {
        write!(told, "found it? a flag or value for {slug}, or Enter to leave: ")
            .map_err(broken)?;
        told.flush().map_err(broken)?;
        let mut value = String::new();
        typed.read_line(&mut value).map_err(broken)?;
        let value = value.trim();
        if value.is_empty() {
            return Ok(());
        }
        match submit(value) {
            Ok(()) => return Ok(()),
            Err(why) => writeln!(told, "{why}").map_err(broken)?,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn what_is_typed_is_submitted_until_it_is_right() {
        let check = |typed: &str, submitted: &[&str], told: &[&str]| {
            let (seen, mut shown) = (RefCell::new(Vec::new()), Vec::new());
            let submit = |value: &str| {
                seen.borrow_mut().push(value.to_owned());
                if value == "right" { Ok(()) } else { Err("that is not it".to_owned()) }
            };
            ask("no-tag", &mut typed.as_bytes(), &mut shown, submit).unwrap();
            let shown = String::from_utf8(shown).unwrap();
            assert_eq!(*seen.borrow(), submitted, "{typed:?}");
            let rows: Vec<&str> =
                shown.lines().filter_map(|row| row.split_once(": ")).map(|(_, row)| row).collect();
            assert_eq!(rows, told, "{typed:?}");
        };
        check("", &[], &[""]);
        check("\n", &[], &[""]);
        check(" right \nmore\n", &["right"], &[""]);
        check("one\nright\n", &["one", "right"], &["that is not it", ""]);
        check("one\ntwo\n", &["one", "two"], &["that is not it", "that is not it", ""]);
    }
}
