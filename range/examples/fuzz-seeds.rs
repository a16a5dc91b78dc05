//! NO SECURITY. Writes what fuzzing the range begins with into `fuzz/corpus/range`: for every flaw one play, in
//! which each door is opened and used, and one of requests. Run it after a change of what a byte means there.

use portcullis_range::flaws::ALL;
use std::io;
use std::path::Path;

/// What is sent over each door, in the order in which the doors stand in `range/src/fuzz/play.rs`.
const SAID: &[&[&str]] = &[
    &[r#"{"id":1,"request":"login_start","data":{"name":"you","request":"AAAA"}}"#],
    &[
        r#"{"id":1,"request":"channels","data":{"after":null}}"#,
        r#"{"id":2,"request":"conversations","data":{"after":null}}"#,
    ],
    &[r#"{"id":1,"request":"help","data":{}}"#],
    &[
        r##"{"do":"say","place":"#lobby","text":"look at https://cats.example"}"##,
        r##"{"do":"offer","place":"#lobby","name":"a.txt","content":"hello"}"##,
        r#"{"do":"double","account":"00000000000000000000000000000000"}"#,
        r#"{"do":"package","double":1}"#,
    ],
    &[
        r#"{"do":"hold","on":true}"#,
        r#"{"do":"sever","whose":"mira"}"#,
        r#"{"do":"pass","frame":1}"#,
        r#"{"do":"replace","frame":2,"with":["{}"]}"#,
        r#"{"do":"send","whose":"mira","up":false,"text":"{}"}"#,
    ],
    &["{}"],
];

fn main() -> io::Result<()> {
    for (place, flaw) in (0_u8..).zip(ALL) {
        write(&format!("{}-doors", flaw.slug), &doors(place))?;
        write(&format!("{}-requests", flaw.slug), &requests(place))?;
    }
    Ok(())
}

/// Opens each door, says something over it after a second, and hangs up.
fn doors(place: u8) -> Vec<u8> {
    let mut play = vec![place];
    for (door, said) in (0_u8..).zip(SAID) {
        play.extend([2, door, 0, 4]);
        for text in *said {
            play.extend([6, 0, 0]);
            play.extend(u8::try_from(text.len()));
            play.extend(text.bytes());
        }
        play.extend([5, 0]);
    }
    play
}

/// Asks for every page of the flaw and of the range, and for what there is not.
fn requests(place: u8) -> Vec<u8> {
    let mut play = vec![place];
    for page in 0..8 {
        let method = u8::from([1, 3, 7].contains(&page));
        play.extend([0, method, 1, page, 1, 0, 11]);
        play.extend(br#"{"value":1}"#);
        play.push(0);
    }
    for page in 0..6 {
        play.extend([0, u8::from(page == 2), 0, page, 1, 0, 15]);
        play.extend(br#"{"name":"nina"}"#);
        play.push(0);
    }
    for (method, path) in [(0, "/nowhere"), (1, "/api/board"), (0, "/api/flaws/%ff")] {
        play.extend([0, method, 3]);
        play.extend(u8::try_from(path.len()));
        play.extend(path.bytes());
        play.extend([1, 0, 0, 0]);
    }
    play
}

fn write(name: &str, bytes: &[u8]) -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/range");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join(format!("seed-{name}")), bytes)
}
