//! What somebody may not read, and where they may not write. An administrator may do both everywhere, so where the
//! tests are run by one, the programs are run by somebody else.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use super::{found, noise};
use crate::program::{Process, World};

/// The user id that is nobody's on any Unix.
const NOBODY: u32 = 65_534;

/// A server and two people without an administrator's rights.
struct Town {
    world: World,
    /// Serves for as long as this lives.
    _server: Process,
    lowered: bool,
}

impl Town {
    fn new() -> Self {
        let mut world = World::new(&[]);
        let server = world.serve();
        let folder = world.path("");
        let lowered = fs::metadata(&folder).unwrap().uid() == 0;
        if lowered {
            // Where the program was built may be closed to others.
            let program = [env!("CARGO_BIN_EXE_portcullis"), folder.to_str().unwrap()];
            assert!(Command::new("cp").args(program).status().unwrap().success());
            chown(&folder, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let town = Self { world, _server: server, lowered };
        for user in ["mira", "noor"] {
            assert_eq!(town.run(user, &["register"]), (Some(0), String::new()));
        }
        town
    }

    /// Starts a verb.
    fn start(&self, user: &str, words: &[&str]) -> Process {
        let command = self.world.command(user, user, words);
        if !self.lowered {
            return Process::start(command);
        }
        chown(self.world.path("password"), Some(NOBODY), Some(NOBODY)).unwrap();
        let mut lowered = Command::new(self.world.path("portcullis"));
        lowered.args(command.get_args()).uid(NOBODY).gid(NOBODY);
        Process::start(lowered)
    }

    /// Runs a verb to its end: the exit code, and what it has written to standard error.
    fn run(&self, user: &str, words: &[&str]) -> (Option<i32>, String) {
        self.start(user, words).ending()
    }
}

fn allow(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn what_may_not_be_read_is_not_offered() {
    let town = Town::new();
    town.world.file("folder/open", b"open");
    let closed = town.world.file("folder/closed", b"closed");
    let inner = town.world.file("outer/inner/file", b"inner").parent().unwrap().to_owned();
    let check = |offered: &str, shut: &Path| {
        let transfers = town.world.path("mira").join("transfers");
        let mode = fs::metadata(shut).unwrap().permissions().mode();
        let before = if transfers.exists() { found(&transfers) } else { Vec::new() };
        allow(shut, 0);
        let offered = town.world.path("own").join(offered);
        let send = ["send", "--to", "noor", "--file", offered.to_str().unwrap()];
        let (code, errors) = town.run("mira", &send);
        assert!(errors.contains(&format!("{}: it may not be read", shut.display())), "{errors}");
        assert_eq!(code, Some(2));
        assert_eq!(found(&transfers), before);
        allow(shut, mode);
        assert_eq!(town.run("mira", &send), (Some(0), String::new()));
    };
    check("folder/closed", &closed);
    check("folder", &closed);
    check("outer", &inner);
}

#[test]
fn where_nothing_may_be_written_nothing_is_received_until_it_may() {
    let town = Town::new();
    let content = noise(1_000_000, 11);
    let file = town.world.file("note.bin", &content);
    let send = ["send", "--to", "noor", "--file", file.to_str().unwrap()];
    assert_eq!(town.run("mira", &send), (Some(0), String::new()));
    let into = town.world.folder("in");
    allow(&into, 0o555);
    let receive = ["receive", "--into", into.to_str().unwrap(), "--once"];
    let (code, errors) = town.run("noor", &receive);
    assert!(errors.contains("in: nothing may be put into this folder"), "{errors}");
    assert_eq!(code, Some(2));
    assert_eq!(found(&into), [""; 0]);

    allow(&into, 0o777);
    let (code, errors) = town.run("noor", &receive);
    assert_eq!(code, Some(0), "{errors}");
    assert_eq!(found(&into), ["note.bin"]);
    assert!(fs::read(into.join("note.bin")).unwrap() == content);
}

#[test]
fn what_may_no_longer_be_read_does_not_leave() {
    let town = Town::new();
    assert_eq!(town.run("mira", &["send", "--to", "noor", "see this"]), (Some(0), String::new()));
    let file = town.world.file("note.bin", &noise(1_000_000, 12));
    let send = ["send", "--to", "noor", "--direct", "--file", file.to_str().unwrap()];
    let sending = town.start("mira", &send);
    let hearing = town.start("noor", &["tail", "--in", "mira", "--count", "3"]);
    let [_, _, offer] = [(); 3].map(|()| hearing.json());
    assert_eq!(offer["text"], "offers note.bin (1.0 MB)");
    assert_eq!(hearing.end(), Some(0));
    allow(&file, 0);
    let into = town.world.folder("in");
    allow(&into, 0o777);
    let receive = ["receive", "--into", into.to_str().unwrap(), "--direct"];
    let receiving = town.start("noor", &receive);
    let (code, errors) = sending.ending();
    let says = "note.bin: the folder or a file in it may not be opened";
    assert!(errors.contains(says), "{errors}");
    assert_eq!(code, Some(5));
    assert!(found(&into).iter().all(|name| name.starts_with('.')));
    drop(receiving);
}
