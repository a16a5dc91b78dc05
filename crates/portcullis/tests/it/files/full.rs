//! A full disk, at whoever receives and at whoever is about to offer.
//!
//! The disk is a small one in memory that only some programs see. Linux alone has such ones; they need an
//! administrator's rights, and `unshare` and `nsenter`. Where these are not to be had the tests say so and end, as
//! those do that need networks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use portable_pty::CommandBuilder;

use super::{found, noise, until};
use crate::program::{Process, World, text};
use crate::pty::Pty;

/// What takes the room away.
const FILLER: &str = "filler";

/// Puts a disk at a folder, for this process and those that enter where it is.
const MOUNT: &str = "mount -t tmpfs -o size=$1 portcullis \"$0\" && echo there && exec cat";

/// A small disk. It ends with this.
struct Disk {
    /// A process that sees it.
    holder: Process,
    at: PathBuf,
}

impl Disk {
    /// A disk of this many bytes at a folder; none where there can't be any.
    fn mount(at: &Path, bytes: usize) -> Option<Self> {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", MOUNT]);
        let holder = Process::start({
            command.arg(at).arg(bytes.to_string());
            command
        });
        if holder.line_within(crate::program::DEADLINE).is_ok() {
            return Some(Self { holder, at: at.to_owned() });
        }
        assert!(std::env::var_os("PORTCULLIS_NETWORKS").is_none(), "disks can be mounted");
        eprintln!("skipped: a small disk needs an administrator's rights, `unshare` and `nsenter`");
        None
    }

    /// Where others find what is on it.
    fn seen(&self) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
        root.join(self.at.strip_prefix("/").unwrap())
    }

    /// What lets a command see it.
    fn entering(&self) -> [String; 3] {
        ["nsenter".to_owned(), format!("--target={}", self.holder.id()), "--mount".to_owned()]
    }

    /// Runs a command that sees it, to its end: the exit code, and what it has written to standard error.
    fn run(&self, command: &Command) -> (Option<i32>, String) {
        let [enter, rest @ ..] = self.entering();
        let mut within = Command::new(enter);
        let output = within.args(rest).arg(command.get_program()).args(command.get_args());
        let output = output.output().unwrap();
        (output.status.code(), text(&output.stderr))
    }

    /// Takes room away, and gives it back.
    fn fill(&self, bytes: usize) {
        fs::write(self.seen().join(FILLER), vec![1; bytes]).unwrap();
    }

    fn make_room(&self) {
        fs::remove_file(self.seen().join(FILLER)).unwrap();
    }
}

/// Bytes of the file, of the disk, and of what takes the room away: there is room for some of the file.
const FILE: usize = 20_000_000;
const SIZE: usize = 24 << 20;
const TAKEN: usize = 12_000_000;

#[test]
fn a_recipient_without_room_says_so_and_goes_on_when_there_is_some() {
    for path in ["off", "on"] {
        let mut world = World::new(&[]);
        let _server = world.serve();
        let (folder, server, into) = (world.path(""), world.server(), world.folder("in"));
        let Some(disk) = Disk::mount(&into, SIZE) else { return };
        disk.fill(TAKEN);
        let content = noise(FILE, 8);
        let file = world.file("large.bin", &content);

        let mut mira = Pty::register(&folder, &server, "mira");
        let mut command = CommandBuilder::new("nsenter");
        command.args(&disk.entering()[1..]);
        command.arg(env!("CARGO_BIN_EXE_portcullis"));
        let downloads = into.to_str().unwrap();
        let words = ["chat", "--server", &server, "--user", "noor", "--downloads", downloads];
        let mut noor = Pty::start_by(command, &folder, &words, &[]);
        noor.fill_in("noor");
        mira.wait_for("● noor");
        mira.keys(&format!("/direct noor {path}\r"));
        noor.keys(&format!("/direct mira {path}\r"));
        mira.keys(&format!("/file noor {}\r", file.display()));
        noor.wait_for("mira offers large.bin (20.0 MB)");
        noor.keys("/get 1\r");
        noor.wait_for("there is no room left on this disk");
        let names = found(&disk.seen());
        assert!(names.iter().all(|name| name.starts_with('.') || name == FILLER), "{names:?}");

        // They can still talk.
        noor.keys("/msg mira\rmy disk is full\r");
        mira.wait_for("my disk is full");
        mira.keys("then make some room\r");
        noor.wait_for("then make some room");

        disk.make_room();
        noor.keys("/transfers resume 1\r");
        noor.wait_for("large.bin is there:");
        until("nothing else is left", || fs::read_dir(disk.seen()).unwrap().count() == 1);
        assert!(fs::read(disk.seen().join("large.bin")).unwrap() == content);
    }
}

#[test]
fn receive_ends_where_there_is_no_room_and_goes_on_when_there_is_some() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    world.register(&["mira", "noor"]);
    let into = world.folder("in");
    let Some(disk) = Disk::mount(&into, SIZE) else { return };
    disk.fill(TAKEN);
    let content = noise(FILE, 9);
    let file = world.file("large.bin", &content);
    world.lines("mira", "mira", &["send", "--to", "noor", "--file", file.to_str().unwrap()]);

    let receive =
        world.command("noor", "noor", &["receive", "--into", into.to_str().unwrap(), "--once"]);
    let (code, errors) = disk.run(&receive);
    assert!(errors.contains("large.bin of mira: there is no room left on this disk"), "{errors}");
    assert_eq!(code, Some(1));
    let names = found(&disk.seen());
    assert!(names.iter().all(|name| name.starts_with('.') || name == FILLER), "{names:?}");

    disk.make_room();
    assert_eq!(disk.run(&receive), (Some(0), String::new()));
    until("nothing else is left", || fs::read_dir(disk.seen()).unwrap().count() == 1);
    assert!(fs::read(disk.seen().join("large.bin")).unwrap() == content);
}

#[test]
fn what_can_not_be_prepared_for_want_of_room_is_not_offered() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    world.register(&["mira", "noor"]);
    let transfers = world.path("mira").join("transfers");
    // Two pages of memory, which the hashes of more than 128 chunks need.
    let Some(disk) = Disk::mount(&transfers, 8192) else { return };
    disk.fill(4096);
    let file = world.file("large.bin", &noise(40_000_000, 10));
    let send = ["send", "--to", "noor", "--file", file.to_str().unwrap()];
    let send = world.command("mira", "mira", &send);

    let (code, errors) = disk.run(&send);
    assert!(
        errors.contains("what belongs to the offer can't be kept: no storage space"),
        "{errors}"
    );
    assert_eq!(code, Some(1));
    assert_eq!(found(&disk.seen()), [FILLER]);
    let say = world.command("mira", "mira", &["send", "--to", "noor", "later, my disk is full"]);
    assert_eq!(disk.run(&say).0, Some(0));
    let said = world.lines("noor", "noor", &["tail", "--in", "mira", "--count", "2"]);
    assert_eq!(said[1]["text"], "later, my disk is full", "and nothing was offered before");

    disk.make_room();
    assert_eq!(disk.run(&send), (Some(0), String::new()));
}
