//! Writes what fuzzing begins with into `fuzz/corpus`: the examples of `docs/protocol.md`, frames of a
//! played conversation, and short plays for the targets that read their bytes as steps. Run it after a
//! change of the wire: `cargo run -p portcullis-sim --example fuzz-seeds`.

use portcullis_sim::fuzz;
use std::collections::BTreeSet;
use std::io;
use std::path::Path;

const DOCUMENT: &str = include_str!("../../../docs/protocol.md");

/// Steps for the targets that take them; the bodies say what a byte means.
const PLAYS: &[(&str, &str, &[u8])] = &[
    (
        "client",
        "registers-and-talks",
        &[0, 17, 2, 11, 0, 0, 0, 0, 17, 2, 11, 0, 0, 0, 18, 2, 104, 105],
    ),
    ("client", "comes-back-and-talks", &[1, 11, 0, 0, 0, 18, 2, 104, 105, 13, 9, 17, 3]),
    ("client", "hears-another", &[1, 15, 1, 0, 0, 18, 2, 104, 105, 2, 2, 17, 2]),
    ("client", "step-by-step", &[3, 2, 2, 14, 2, 2, 2, 14, 2, 2, 2, 2, 2, 2, 2]),
    ("client", "hears-a-lie", &[3, 2, 2, 4, 0, 5, 3, 10, 250, 2, 4, 0, 9, 1, 8, 0, 17, 2]),
    ("client", "invented-frames", &[1, 9, 5, 0, 0, 9, 5, 1, 0, 9, 5, 2, 0, 9, 5, 8, 0, 17, 2]),
    (
        "client",
        "crashes-while-saying",
        &[1, 11, 0, 0, 0, 18, 1, 65, 16, 0, 17, 2, 1, 13, 1, 0, 17, 2],
    ),
    (
        "client",
        "channels",
        &[1, 11, 1, 1, 0, 3, 17, 2, 11, 2, 1, 0, 6, 11, 0, 1, 0, 7, 17, 2, 11, 0, 0, 0, 5, 17, 2],
    ),
    (
        "client",
        "people",
        &[1, 11, 1, 0, 0, 8, 17, 2, 11, 1, 0, 0, 9, 17, 2, 11, 1, 0, 0, 10, 17, 2],
    ),
    (
        "client",
        "new-password",
        &[1, 11, 0, 0, 0, 14, 17, 2, 17, 3, 0, 17, 2, 11, 0, 0, 0, 16, 17, 2],
    ),
    (
        "requests",
        "says-and-reads",
        &[0, 7, 1, 0, 0, 0, 0, 23, 0, 1, 1, 3, 1, 65, 0, 0, 2, 7, 1, 0, 0, 0, 0, 8, 0, 9],
    ),
    (
        "requests",
        "says-twice",
        &[0, 7, 1, 0, 0, 0, 0, 23, 0, 1, 1, 3, 1, 65, 0, 7, 1, 0, 0, 0, 0, 23, 0, 1, 1, 3, 1, 65],
    ),
    (
        "requests",
        "makes-and-joins",
        &[0, 7, 1, 2, 9, 1, 0, 2, 0, 0, 2, 7, 1, 2, 9, 1, 0, 4, 2, 7, 1, 2, 0, 1, 0, 6],
    ),
    (
        "requests",
        "stores-and-fetches",
        &[
            0, 7, 1, 0, 0, 0, 0, 12, 0, 2, 0, 1, 2, 0, 1, 1, 65, 3, 0, 0, 0, 0, 1, 65, 0, 0, 0, 7,
            1, 0, 0, 0, 0, 18, 1, 0, 2, 0, 100, 0, 0, 2, 7, 1, 0, 0, 0, 0, 19, 1, 0, 0, 2, 7, 1, 0,
            0, 0, 0, 20, 1, 0, 0,
        ],
    ),
    (
        "requests",
        "stores-until-it-ends",
        &[
            0, 7, 1, 0, 0, 0, 0, 12, 0, 2, 0, 1, 2, 0, 1, 1, 65, 3, 0, 0, 0, 0, 1, 65, 0, 0, 0, 7,
            1, 0, 0, 0, 0, 18, 1, 0, 2, 0, 100, 0, 0, 0, 4, 253,
        ],
    ),
    (
        "requests",
        "stores-otherwise-and-too-much",
        &[
            0, 7, 1, 0, 0, 0, 0, 12, 0, 2, 0, 1, 2, 0, 1, 1, 65, 3, 0, 0, 0, 0, 1, 65, 0, 0, 0, 7,
            1, 0, 0, 0, 0, 18, 1, 0, 2, 0, 100, 0, 7, 1, 0, 0, 0, 0, 18, 1, 0, 2, 0, 101, 0, 7, 1,
            0, 0, 0, 0, 18, 2, 0, 2, 0, 253, 0, 7, 1, 0, 0, 0, 0, 18, 3, 0, 2, 0, 0, 0, 0,
        ],
    ),
    ("requests", "asks-for-the-relay", &[0, 7, 1, 0, 0, 0, 0, 21, 1, 0, 0]),
    ("requests", "comes-back", &[0, 1, 0, 2, 0, 0, 0, 1, 1, 1, 2, 0, 1, 0, 0]),
    ("requests", "logs-in-and-confirms", &[0, 3, 0, 0, 0, 7, 0, 0, 6, 32, 1, 2, 3, 0, 0]),
    ("requests", "raw", b"\x00\x05\x21{\"id\":1,\"request\":\"sign_out\"}    \x00\x00"),
    (
        "requests",
        "users-and-accounts",
        &[0, 7, 1, 0, 0, 0, 0, 9, 0, 7, 1, 0, 0, 0, 1, 10, 250, 0, 7, 1, 0, 0, 0, 1, 11, 0, 0, 0],
    ),
    ("records", "changed-account", &[1, 0, 0, 0, 2, 0, 11, 255]),
    ("records", "changed-conversation", &[1, 0, 3, 1, 5, 0, 8, 0, 9, 0, 11, 250]),
    ("records", "any-number", b"\x00\x00\x02\x02{}\x03\x0d{\"v\":1,\"r\":7}"),
    ("records", "any-account", b"\x00\x00\x80{\"v\":1,\"r\":null}"),
    ("opaque", "honest-registration", &[0, 1]),
    ("opaque", "honest-response", &[1, 1]),
    ("opaque", "honest-record", &[2, 1]),
    ("opaque", "honest-ke1", &[3, 1]),
    ("opaque", "honest-ke2", &[4, 1]),
    ("opaque", "honest-ke3", &[5, 1]),
    ("opaque", "changed-ke2", &[4, 1, 0, 0, 1]),
    ("opaque", "short-ke1", &[3, 0, 7, 7, 7]),
    ("names_and_ids", "user", b"\x00Mira.o-1"),
    ("names_and_ids", "channel", b"\x01#Lobby"),
    ("names_and_ids", "device", b"\x02 laptop 2 "),
    ("names_and_ids", "bidi", b"\x02a\xe2\x80\xaeb"),
    ("names_and_ids", "id", b"\x03000102030405060708090a0b0c0d0e0f"),
];

fn main() -> io::Result<()> {
    for (target, name, bytes) in PLAYS {
        write(target, name, bytes)?;
    }
    let fenced = [
        ("client", "client_frame"),
        ("server", "server_frame"),
        ("content", "content"),
        ("list", "device_list"),
    ];
    for (marker, target) in fenced {
        for (number, text) in examples(marker).into_iter().enumerate() {
            write(target, &format!("example-{number:02}"), text.as_bytes())?;
        }
    }
    let mut kinds = BTreeSet::new();
    for frame in fuzz::sample_frames() {
        // One of each kind: what stands before the data, without the request's id.
        let head = frame.split("\"data\"").next().unwrap_or_default();
        let kind: String = head.chars().filter(|letter| letter.is_ascii_lowercase()).collect();
        if kinds.insert(kind.clone()) {
            write("server_frame", &format!("played-{kind}"), frame.as_bytes())?;
        }
    }
    for (number, list) in fuzz::sample_lists().iter().enumerate() {
        write("device_list", &format!("own-{number}"), list)?;
    }
    Ok(())
}

/// The texts of the document's fenced examples with this marker.
fn examples(marker: &str) -> Vec<&'static str> {
    let fence = format!("```json {marker}\n");
    let after = DOCUMENT.split(fence.as_str()).skip(1);
    after.filter_map(|rest| rest.split("\n```").next()).collect()
}

fn write(target: &str, name: &str, bytes: &[u8]) -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join(format!("seed-{name}")), bytes)
}
