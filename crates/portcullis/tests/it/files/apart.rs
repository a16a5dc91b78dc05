//! Two clients and a server in networks of their own, with a router between them: files go directly; a rule of
//! the router cuts that path midway, and what is left comes by way of the server; where TCP can't go QUIC does, where
//! nothing can the server's relay carries it, and from home to home they find a way through both gates.
//!
//! Linux alone has such networks; they need an administrator's rights and the program `ip`, homes the program `nft`
//! too. Where these are not to be had the test says so and ends, unless `PORTCULLIS_NETWORKS` is set, as it is in
//! continuous integration; homes are left out there without `nft`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

use super::{bytes_below, found, noise, until};
use crate::program::{Process, World, text};

const HOSTS: [&str; 3] = ["server", "mira", "noor"];

/// The hosts that stand before those who are at home.
const GATES: [&str; 2] = ["mira-gate", "noor-gate"];

/// What a gate does: everybody at home has its address, and nobody is let in who was not called.
const GATE: &str = "
table ip gate {
    chain out { type nat hook postrouting priority srcnat; oifname eth0 masquerade; }
    chain in { type filter hook input priority filter; iifname eth0 drop; }
    chain through { type filter hook forward priority filter; iifname eth0 ct state new drop; }
}";

/// A router, and three hosts that reach each other through it alone.
struct Networks {
    prefix: String,
}

impl Networks {
    /// None where there can't be any.
    fn make() -> Option<Self> {
        // Tests may be in one process.
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let networks = Self { prefix: format!("pc{}-{number}", std::process::id()) };
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
        self.refuse(&[]);
    }

    /// What is like this goes no more between the two clients.
    fn refuse(&self, like: &[&str]) {
        let (mira, noor) = (address(2), address(3));
        for (from, to) in [(&mira, &noor), (&noor, &mira)] {
            let router = self.name("router");
            let rule = ["-n", &router, "rule", "add", "from", from, "to", to];
            ip(&[&rule, like, &["blackhole"]].concat());
        }
    }

    /// Puts both clients behind gates of their own, which take their places at the router; false where there can't
    /// be any.
    fn send_home(&self) -> bool {
        for (number, (host, gate)) in (2..).zip(HOSTS[1..].iter().zip(GATES)) {
            let (home, gate_name) = (self.name(host), self.name(gate));
            ip(&["netns", "add", &gate_name]);
            let mut nft = Command::new("ip");
            nft.args(["netns", "exec", &gate_name, "nft", GATE]);
            if !nft.output().unwrap().status.success() {
                eprintln!("skipped: gates need `nft`");
                return false;
            }
            self.within(gate, &["sysctl", "-qw", "net.ipv4.ip_forward=1"]);
            ip(&["-n", &home, "link", "set", "eth0", "netns", &gate_name]);
            let out = format!("{}/24", address(number));
            ip(&["-n", &gate_name, "address", "add", &out, "dev", "eth0"]);
            ip(&["-n", &gate_name, "link", "set", "eth0", "up"]);
            let via = format!("10.77.{number}.1");
            ip(&["-n", &gate_name, "route", "add", "default", "via", &via]);
            ip(&[
                "-n", &gate_name, "link", "add", "home", "type", "veth", "peer", "name", "eth0",
                "netns", &home,
            ]);
            let (inside, own) = (format!("10.78.{number}.1"), format!("10.78.{number}.2/24"));
            ip(&["-n", &gate_name, "address", "add", &format!("{inside}/24"), "dev", "home"]);
            ip(&["-n", &gate_name, "link", "set", "home", "up"]);
            ip(&["-n", &home, "address", "add", &own, "dev", "eth0"]);
            ip(&["-n", &home, "link", "set", "eth0", "up"]);
            ip(&["-n", &home, "route", "add", "default", "via", &inside]);
        }
        true
    }

    /// Bytes that have gone to the server.
    fn to_server(&self) -> usize {
        let file = "/sys/class/net/server/statistics/tx_bytes";
        text(&self.within("router", &["cat", file]).stdout).trim().parse().unwrap()
    }
}

impl Drop for Networks {
    fn drop(&mut self) {
        for host in HOSTS.iter().chain(&GATES).chain(&["router"]) {
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

/// A server, and two people with accounts, who are in the networks.
struct Town {
    world: World,
    server: Process,
    certificate: String,
    into: PathBuf,
    networks: Networks,
}

impl Town {
    fn new(networks: Networks) -> Self {
        let mut world = World::at(format!("{}:12345", address(1)));
        let [certificate, key] = certificate(&world.path(""));
        world.add_options(&["--tls-cert", &certificate, "--tls-key", &key]);
        let server = world.serve_by(|command| networks.on("server", command));
        let into = world.folder("in");
        let town = Self { world, server, certificate, into, networks };
        for user in ["mira", "noor"] {
            assert_eq!(town.verb(user, &["register"]).end(), Some(0));
        }
        town
    }

    fn verb(&self, user: &str, words: &[&str]) -> Process {
        let words = [words, &["--tls-root", &self.certificate]].concat();
        Process::start(self.networks.on(user, &self.world.command(user, user, &words)))
    }

    /// Noor waits for a file, and mira sends her one.
    fn begin(&self, name: &str, content: &[u8]) -> [Process; 2] {
        let file = self.world.file(name, content);
        let into = self.into.to_str().unwrap();
        let receiving = self.verb("noor", &["receive", "--into", into, "--once", "--direct"]);
        let file = file.to_str().unwrap();
        let sending = self.verb("mira", &["send", "--to", "noor", "--direct", "--file", file]);
        [receiving, sending]
    }

    fn check(&self, [receiving, sending]: [Process; 2], name: &str, content: &[u8]) {
        assert_eq!(receiving.json()["title"], name);
        assert_eq!(sending.json()["state"], "received");
        assert_eq!((receiving.end(), sending.end()), (Some(0), Some(0)));
        assert!(fs::read(self.into.join(name)).unwrap() == content);
    }

    /// Bytes that the server has stored for somebody.
    fn stored(&self) -> u64 {
        bytes_below(&self.world.path("data").join("blobs"))
    }
}

#[test]
fn the_path_is_cut_and_the_file_arrives() {
    let Some(networks) = Networks::make() else { return };
    let town = Town::new(networks);

    // Directly: the server has never seen a byte of it.
    let content = noise(20_000_000, 3);
    let both = town.begin("direct.bin", &content);
    town.check(both, "direct.bin", &content);
    assert_eq!(town.stored(), 0);
    assert!(town.networks.to_server() < content.len() / 2);

    // Cut in the middle.
    let content = noise(100_000_000, 4);
    let both = town.begin("cut.bin", &content);
    until("some of it is here", || bytes_below(&town.into) > 20_000_000 + 60_000_000);
    assert_eq!(town.stored(), 0, "so far it came directly");
    let before = town.networks.to_server();
    town.networks.cut();
    town.check(both, "cut.bin", &content);
    let since = town.networks.to_server() - before;
    assert!(since < 80_000_000, "what was here did not come again: {since}");
    assert_eq!(found(&town.into), ["cut.bin", "direct.bin"]);
    assert_eq!(town.server.terminate(), Some(0));
}

#[test]
fn where_tcp_can_not_go_quic_does() {
    let Some(networks) = Networks::make() else { return };
    networks.refuse(&["ipproto", "tcp"]);
    let town = Town::new(networks);
    let content = noise(20_000_000, 5);
    let both = town.begin("quic.bin", &content);
    town.check(both, "quic.bin", &content);
    assert_eq!(town.stored(), 0);
    assert!(town.networks.to_server() < content.len() / 2, "it went past the server");
    assert_eq!(town.server.terminate(), Some(0));
}

#[test]
fn where_nothing_can_go_the_relay_carries_it() {
    let Some(networks) = Networks::make() else { return };
    networks.cut();
    let town = Town::new(networks);
    let content = noise(20_000_000, 6);
    let both = town.begin("relayed.bin", &content);
    town.check(both, "relayed.bin", &content);
    assert_eq!(town.stored(), 0);
    assert!(town.networks.to_server() > content.len());
    assert_eq!(town.server.terminate(), Some(0));
}

#[test]
fn from_home_to_home_they_find_a_way() {
    let Some(networks) = Networks::make() else { return };
    if !networks.send_home() {
        return;
    }
    let town = Town::new(networks);
    let content = noise(100_000_000, 7);
    let both = town.begin("home.bin", &content);
    town.check(both, "home.bin", &content);
    assert_eq!(town.stored(), 0);
    assert!(town.networks.to_server() < content.len() / 2, "most of it went past the server");
    assert_eq!(town.server.terminate(), Some(0));
}
