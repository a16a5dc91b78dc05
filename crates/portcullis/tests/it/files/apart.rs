//! Two clients and a server in networks of their own, with a router between them: files go directly; a rule of
//! the router cuts that path midway, and what is left comes by way of the server.
//!
//! Linux alone has such networks; they need an administrator's rights and the program `ip`. Where these are not to
//! be had the test says so and ends, unless `PORTCULLIS_NETWORKS` is set, as it is in continuous integration.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use super::{bytes_below, found, noise, until};
use crate::program::{Process, World, text};

const HOSTS: [&str; 3] = ["server", "mira", "noor"];

/// A router, and three hosts that reach each other through it alone.
struct Networks {
    prefix: String,
}

impl Networks {
    /// None where there can't be any.
    fn make() -> Option<Self> {
        let networks = Self { prefix: format!("pc{}", std::process::id()) };
        let router = networks.name("router");
        let probe = Command::new("ip").args(["netns", "add", &router]).output();
        if !probe.is_ok_and(|probe| probe.status.success()) {
            assert!(std::env::var_os("PORTCULLIS_NETWORKS").is_none(), "networks can be made");
            eprintln!("skipped: making networks needs an administrator's rights, and `ip`");
            return None;
        }
        networks.within("router", &["sysctl", "-qw", "net.ipv4.ip_forward=1"]);
        for (number, host) in (1..).zip(HOSTS) {
            let name = networks.name(host);
            ip(&["netns", "add", &name]);
            ip(&[
                "-n", &router, "link", "add", host, "type", "veth", "peer", "name", "eth0",
                "netns", &name,
            ]);
            ip(&["-n", &router, "address", "add", &format!("10.77.{number}.1/24"), "dev", host]);
            ip(&["-n", &router, "link", "set", host, "up"]);
            ip(&["-n", &name, "address", "add", &format!("{}/24", address(number)), "dev", "eth0"]);
            ip(&["-n", &name, "link", "set", "eth0", "up"]);
            ip(&["-n", &name, "link", "set", "lo", "up"]);
            ip(&["-n", &name, "route", "add", "default", "via", &format!("10.77.{number}.1")]);
            // So slow that there is a middle.
            let slow = ["rate", "300mbit", "burst", "512kb", "latency", "50ms"];
            let words = ["tc", "qdisc", "add", "dev", host, "root", "tbf"];
            networks.within("router", &[&words[..], &slow[..]].concat());
        }
        Some(networks)
    }

    fn name(&self, host: &str) -> String {
        format!("{}{host}", self.prefix)
    }

    /// Runs something on a host.
    fn within(&self, host: &str, words: &[&str]) -> Output {
        let output =
            Command::new("ip").args(["netns", "exec", &self.name(host)]).args(words).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{words:?}: {}", text(&output.stderr));
        output
    }

    /// Has a command run on a host.
    fn on(&self, host: &str, command: &Command) -> Command {
        let mut within = Command::new("ip");
        within.args(["netns", "exec", &self.name(host)]).arg(command.get_program());
        within.args(command.get_args());
        within
    }

    /// Nothing goes between the two clients any more.
    fn cut(&self) {
        let (mira, noor) = (address(2), address(3));
        for (from, to) in [(&mira, &noor), (&noor, &mira)] {
            ip(&["-n", &self.name("router"), "rule", "add", "from", from, "to", to, "blackhole"]);
        }
    }
}

impl Drop for Networks {
    fn drop(&mut self) {
        for host in HOSTS.iter().chain(&["router"]) {
            let _ = Command::new("ip").args(["netns", "delete", &self.name(host)]).output();
        }
    }
}

fn address(number: u8) -> String {
    format!("10.77.{number}.2")
}

fn ip(words: &[&str]) {
    let output = Command::new("ip").args(words).output().unwrap();
    assert!(output.status.success(), "ip {words:?}: {}", text(&output.stderr));
}

/// A certificate for the server and its key, as files.
fn certificate(folder: &Path) -> [String; 2] {
    let made = rcgen::generate_simple_self_signed(vec![address(1)]).unwrap();
    let files = ["server.pem", "server.key"].map(|name| folder.join(name));
    fs::write(&files[0], made.cert.pem()).unwrap();
    fs::write(&files[1], made.signing_key.serialize_pem()).unwrap();
    files.map(|path| path.to_str().unwrap().to_owned())
}

#[test]
fn the_path_is_cut_and_the_file_arrives() {
    let Some(networks) = Networks::make() else { return };
    let mut world = World::at(format!("{}:12345", address(1)));
    let [certificate, key] = certificate(&world.path(""));
    world.add_options(&["--tls-cert", &certificate, "--tls-key", &key]);
    let server = world.serve_by(|command| networks.on("server", command));
    let verb = |user: &str, words: &[&str]| {
        let words = [words, &["--tls-root", &certificate]].concat();
        Process::start(networks.on(user, &world.command(user, user, &words)))
    };
    for user in ["mira", "noor"] {
        assert_eq!(verb(user, &["register"]).end(), Some(0));
    }
    let into = world.folder("in");
    let receive = ["receive", "--into", into.to_str().unwrap(), "--once", "--direct"];
    let blobs = world.path("data").join("blobs");

    // Directly: the server has never seen a byte of it.
    let content = noise(20_000_000, 3);
    let file = world.file("direct.bin", &content);
    let receiving = verb("noor", &receive);
    let sending =
        verb("mira", &["send", "--to", "noor", "--direct", "--file", file.to_str().unwrap()]);
    assert_eq!(receiving.json()["title"], "direct.bin");
    assert_eq!(sending.json()["state"], "received");
    assert!(fs::read(into.join("direct.bin")).unwrap() == content);
    assert_eq!(bytes_below(&blobs), 0);
    assert_eq!((receiving.end(), sending.end()), (Some(0), Some(0)));

    // Cut in the middle.
    let content = noise(100_000_000, 4);
    let file = world.file("cut.bin", &content);
    let receiving = verb("noor", &receive);
    let sending =
        verb("mira", &["send", "--to", "noor", "--direct", "--file", file.to_str().unwrap()]);
    until("some of it is here", || bytes_below(&into) > 20_000_000 + 10_000_000);
    networks.cut();
    assert_eq!(bytes_below(&blobs), 0, "so far it came directly");
    assert_eq!(receiving.json()["title"], "cut.bin");
    assert_eq!(sending.json()["state"], "received");
    assert_eq!((receiving.end(), sending.end()), (Some(0), Some(0)));
    assert_eq!(found(&into), ["cut.bin", "direct.bin"]);
    assert!(fs::read(into.join("cut.bin")).unwrap() == content);
    assert_eq!(server.terminate(), Some(0));
}
