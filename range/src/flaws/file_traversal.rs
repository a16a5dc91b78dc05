//! NO SECURITY. `file-traversal`: the name that a sender gives a file decides where it is written.

use super::talk::message;
use super::{Fate, Fix, Flaw, Lost, Role, Solve, Source};
use crate::hands::{Hands, YOU};
use crate::plane::Secrets;
use crate::world::{Cue, Happened, Person, Stage, WorldError, received};
use portcullis_client_core::defences::{EntryPlaced, PlaceRefused};
use portcullis_client_core::{Body, Command};
use portcullis_proto::FilePath;
use std::path::{Path, PathBuf};

/// The lesson.
pub(super) static FLAW: Flaw = Flaw {
    slug: "file-traversal",
    title: "A file called the way out",
    difficulty: 1,
    cwe: 22,
    precedent: "CVE-2019-20851 (Mattermost) and CVE-2020-1904 (WhatsApp): a sender's file name chose the folder",
    role: Role::User,
    solve: Solve::State(broken),
    story: "Oleg takes whatever you send him, and his client puts it into /home/oleg/downloads. Some people's programs \
            write %20 where they mean a space, so his client kindly reads such names as they are meant. Have it write \
            a file that holds your word, NONCE, anywhere else on his disk: /home/oleg/start.sh, say.",
    hints: [
        "Offer Oleg a file called a%20b.txt in your direct with him, and see what his client calls it.",
        "What may stand in a name has to be looked at when it is what it will be: after everything that is to be decoded \
         has been decoded, and as the system reads it that the file is written on.",
        "The protocol refuses names with / in them, and it sees the name as you wrote it. Where does the client turn \
         %2f into something else: before, or after?",
        "Offer a file whose content is NONCE, called ..%2fstart.sh.",
    ],
    aftermath: "Oleg: what runs at his next login is yours. On the wire there is nothing to see, since names travel \
                encrypted; on his disk a file lies where no friend's file belongs.",
    sound: Source {
        file: include_str!("../../../crates/client-core/src/defences/place_entry.rs"),
        function: "place_entry",
    },
    file: include_str!("file_traversal.rs"),
    unsound: "as_meant",
    put: |twins| twins.client.place_entry = as_meant,
    fixes: &[
        Fix {
            idea: "names in which .. stands are refused",
            put: |twins| twins.client.place_entry = without_dots,
            function: "without_dots",
            fate: Fate::Beaten("a dot can be written as %2e, and is decoded afterwards", encoded),
        },
        Fix::sound(
            "each name becomes one part of a path as it is, and is refused if the system reads it otherwise",
        ),
        Fix {
            idea: "every ../ is taken out of what was decoded",
            put: |twins| twins.client.place_entry = taken_out,
            function: "taken_out",
            fate: Fate::Beaten("taken out of ....// it leaves ../ behind", doubled),
        },
        Fix {
            idea: "names with a dot in them are refused",
            put: |twins| twins.client.place_entry = no_dots_at_all,
            function: "no_dots_at_all",
            fate: Fate::Breaks("report.txt has a dot"),
        },
    ],
    cast,
    react,
    exploit,
    honest,
    marker: &MARKER,
};

#[used]
static MARKER: [u8; 34] = *b"portcullis-range/v1/file-traversal";

/// The names as they were meant, joined to a path.
fn as_meant(entry: &FilePath) -> Result<EntryPlaced, PlaceRefused> {
    let names = entry.names().iter().map(|name| decoded(name.as_str()));
    let path: Vec<String> = names.collect();
    Ok(EntryPlaced::unproven(PathBuf::from(path.join("/"))))
}

/// The same, but for names that lead upwards.
fn without_dots(entry: &FilePath) -> Result<EntryPlaced, PlaceRefused> {
    if entry.names().iter().any(|name| name.as_str().contains("..")) {
        return Err(PlaceRefused);
    }
    as_meant(entry)
}

/// The same, without what leads upwards.
fn taken_out(entry: &FilePath) -> Result<EntryPlaced, PlaceRefused> {
    let names = entry.names().iter().map(|name| decoded(name.as_str()).replace("../", ""));
    let path: Vec<String> = names.collect();
    Ok(EntryPlaced::unproven(PathBuf::from(path.join("/"))))
}

/// The same, but for names with dots, written so or otherwise.
fn no_dots_at_all(entry: &FilePath) -> Result<EntryPlaced, PlaceRefused> {
    if entry.names().iter().any(|name| decoded(name.as_str()).contains('.')) {
        return Err(PlaceRefused);
    }
    as_meant(entry)
}

/// A text with each `%` and two hexadecimal digits read as the letter of that number (RFC 3986, 2.1).
fn decoded(name: &str) -> String {
    let mut parts = name.split('%');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let digits = part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match digits.filter(u8::is_ascii) {
            Some(letter) => {
                text.push(char::from(letter));
                text.push_str(part.get(2..).unwrap_or_default());
            }
            None => {
                text.push('%');
                text.push_str(part);
            }
        }
    }
    text
}

fn cast(stage: &mut Stage<'_>, _: &Secrets) -> Result<(), WorldError> {
    stage.person("oleg")?;
    stage.tells("oleg", YOU, "send me the report when you have it")?;
    stage.waits(2)
}

/// Oleg takes what he is offered.
fn react(person: &Person, cue: &Cue, _: &Secrets) -> Vec<Command> {
    let Some(message) = message(cue).filter(|message| !message.own) else { return Vec::new() };
    match (person.name().as_str(), &message.body) {
        ("oleg", Body::Offer(offered)) => {
            let place = Some("downloads".to_owned());
            vec![Command::Answer { transfer: offered.transfer, place }]
        }
        _ => Vec::new(),
    }
}

/// A file with the learner's word lies on Oleg's disk, and not where received files belong.
fn broken(happened: &[Happened], secrets: &Secrets) -> bool {
    happened.iter().any(|happened| match happened {
        Happened::Wrote { whose, path, content } => {
            let holds = String::from_utf8_lossy(content).contains(&secrets.nonce);
            holds && whose.as_str() == "oleg" && !path.starts_with(received(whose))
        }
        _ => false,
    })
}

fn exploit(hands: &mut Hands<'_>) -> Result<Option<String>, Lost> {
    send(hands, "..%2fstart.sh")
}

/// The dots are not to be seen either.
fn encoded(hands: &mut Hands<'_>) -> Result<Option<String>, Lost> {
    send(hands, "%2e%2e%2fstart.sh")
}

/// What is taken out leaves what is meant.
fn doubled(hands: &mut Hands<'_>) -> Result<Option<String>, Lost> {
    send(hands, "....%2f%2fstart.sh")
}

fn send(hands: &mut Hands<'_>, name: &str) -> Result<Option<String>, Lost> {
    let content = format!("#!/bin/sh\necho {} was here\n", hands.nonce());
    hands.offers("oleg", name, &content)?;
    hands.wait(4)?;
    Ok(None)
}

/// What Oleg is sent lies in his folder, whole.
fn honest(hands: &mut Hands<'_>) -> Result<(), Lost> {
    hands.offers("oleg", "report.txt", "all is well")?;
    hands.wait(4)?;
    let arrived = hands.written("oleg").iter().any(|(path, content)| {
        path == Path::new("/home/oleg/downloads/report.txt") && content == b"all is well"
    });
    if arrived {
        return Ok(());
    }
    Err(Lost::new("sending a report", "it does not lie in /home/oleg/downloads"))
}
