//! Guests' files over real sockets: sent, fetched, refused, cut off.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use portcullis_server::gateway::PublicUrl;
use portcullis_server::uploads::Settings;
use portcullis_server_core::defences::{Host, OriginPolicy, SOUND, UploadPolicy};
use tempfile::TempDir;

use crate::repeat::Repeat;
use crate::running::RunningServer;
use crate::wire::Client;

const BASE: &str = "https://chat.example:8443";

struct World {
    server: RunningServer,
    folder: TempDir,
}

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl World {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::within(tempfile::tempdir().unwrap(), change)
    }

    fn within(folder: TempDir, change: impl FnOnce(&mut Settings)) -> Self {
        let base = PublicUrl::parse(BASE).unwrap();
        let mut settings = Settings::new(folder.path().join("uploads"), base);
        change(&mut settings);
        let policy = OriginPolicy { on_loopback: true, ..OriginPolicy::default() };
        let server = RunningServer::start_changed(Repeat, |parts| {
            parts.uploads = Some(settings);
            parts.admit = Arc::new(move |origin, host| {
                let admitted = (SOUND.admit_origin)(&policy, origin, Host(host));
                admitted.map(drop).map_err(|refusal| refusal.message)
            });
        });
        let world = Self { server, folder };
        world.get("/healthz").check(200, "ok"); // it is there, and so is its folder
        world
    }

    fn dial(&self) -> Client {
        Client::dial(self.server.address)
    }

    fn ask(&self, request: &[u8]) -> Answer {
        let mut client = self.dial();
        client.send(request);
        answer(&mut client)
    }

    fn post(&self, headers: &str, body: &[u8]) -> Answer {
        self.ask(&post(headers, body))
    }

    fn get(&self, path: &str) -> Answer {
        self.ask(request("GET", path, "").as_bytes())
    }

    /// Sends a file that has to be taken; the path of its address.
    fn send(&self, headers: &str, body: &[u8]) -> String {
        path(&self.post(headers, body))
    }

    /// The names in the folder.
    fn files(&self) -> Vec<String> {
        let found = std::fs::read_dir(self.folder.path().join("uploads")).unwrap();
        found.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    fn metric(&self, name: &str) -> u64 {
        let body = String::from_utf8(self.get("/metrics").body).unwrap();
        let name = format!("portcullis_upload_{name}_total ");
        let value = body.lines().find_map(|line| line.strip_prefix(&name));
        value.unwrap_or_else(|| panic!("{body}")).parse().unwrap()
    }
}

fn request(method: &str, path: &str, headers: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n")
}

fn post(headers: &str, body: &[u8]) -> Vec<u8> {
    let headers = format!("{headers}Content-Length: {}\r\n", body.len());
    [request("POST", "/api/upload", &headers).as_bytes(), body].concat()
}

fn answer(client: &mut Client) -> Answer {
    let head = client.head().to_ascii_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let mut body = Vec::new();
    client.socket.read_to_end(&mut body).unwrap();
    Answer { status, head, body }
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let name = format!("{name}: ");
        self.head.lines().find_map(|line| line.strip_prefix(&name))
    }

    #[track_caller]
    fn check(&self, status: u16, part: &str) {
        let body = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{body}");
        assert!(body.contains(part), "{body}");
    }
}

const FORM: &str = "Content-Type: multipart/form-data; boundary=b\r\n";

fn form(name: &str, content: &[u8]) -> Vec<u8> {
    let head = format!(
        "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
         Content-Type: text/html\r\n\r\n"
    );
    [head.as_bytes(), content, b"\r\n--b--\r\n"].concat()
}

/// The path of the address that a file has got.
#[track_caller]
fn path(answer: &Answer) -> String {
    answer.check(200, "file_url");
    let body = String::from_utf8(answer.body.clone()).unwrap();
    let address = body.strip_prefix("{\"file_url\":\"").and_then(|rest| rest.strip_suffix("\"}"));
    let path = address.and_then(|address| address.strip_prefix(BASE));
    path.unwrap_or_else(|| panic!("{body}")).to_owned()
}

#[test]
fn a_file_is_fetched_as_it_was_sent() {
    let world = World::new();
    let check = |headers: &str, body: &[u8], name: &str, content: &[u8], disposition: &str| {
        let path = world.send(headers, body);
        let (id, rest) = path.strip_prefix("/files/").unwrap().split_at(64);
        assert!(id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{path}");
        assert_eq!(rest, name);
        let got = world.get(&path);
        assert_eq!((got.status, &got.body[..]), (200, content));
        assert_eq!(got.header("content-disposition"), Some(disposition));
        assert_eq!(got.header("content-type"), Some("application/octet-stream"));
        assert_eq!(got.header("x-content-type-options"), Some("nosniff"));
        let policy = got.header("content-security-policy");
        assert_eq!(policy, Some("sandbox; default-src 'none'"));
        let asked = world.ask(request("HEAD", &path, "").as_bytes());
        assert_eq!((asked.status, asked.body.len()), (200, 0));
        assert_eq!(asked.header("content-length"), Some(&*content.len().to_string()));
    };
    let page = b"<script>alert(1)</script>";
    check("", page, "", page, "attachment");
    check("Content-Type: text/html\r\n", page, "", page, "attachment");
    check("", b"", "", b"", "attachment");
    check(FORM, &form("a.html", page), "/a.html", page, "attachment; filename=\"a.html\"");
    check(FORM, &form("../../lock", b"1"), "/lock", b"1", "attachment; filename=\"lock\"");
    let long: Vec<u8> = (0..3_000_000).map(|index: u32| (index % 251) as u8).collect();
    check("", &long, "", &long, "attachment");
    check(FORM, &form("a", &long), "/a", &long, "attachment; filename=\"a\"");
    let chunked = "Transfer-Encoding: chunked\r\n";
    let chunked = request("POST", "/api/upload", chunked) + "3\r\none\r\n0\r\n\r\n";
    let path = path(&world.ask(chunked.as_bytes()));
    assert_eq!(world.get(&path).body, b"one");
    assert_eq!(world.metric("taken"), 8);
    assert_eq!(world.metric("fetched"), 15);
}

#[test]
fn an_address_is_the_configured_one_whatever_the_host() {
    let world = World::new();
    let sent = post("", b"one");
    let elsewhere =
        String::from_utf8(sent).unwrap().replace("Host: localhost", "Host: 127.0.0.1:9");
    path(&world.ask(elsewhere.as_bytes()));
}

#[test]
fn names_of_nothing_are_not_found() {
    let world = World::new();
    let path = world.send("", b"one");
    std::fs::write(world.folder.path().join("uploads/notes.txt"), "1").unwrap();
    let check = |path: &str| world.get(path).check(404, "");
    check("/files/");
    check("/files/notes.txt");
    check("/files/..%2Fuploads%2Fnotes.txt");
    check("/files/../uploads/notes.txt");
    check("/files/%2e%2e");
    check(&path.to_ascii_uppercase());
    check(&path[..path.len() - 1]);
    check(&format!("{path}/a/b"));
    check(&format!("/files/{}", "0".repeat(64)));
    assert_eq!(world.get(&path).status, 200);
}

#[test]
fn what_cannot_be_read_is_refused() {
    let world = World::new();
    let check = |headers: &str, body: &[u8]| world.post(headers, body).check(400, "field `file`");
    check("Content-Type: multipart/form-data\r\n", b"one");
    check(FORM, b"one");
    check(FORM, b"--b--");
    check(FORM, b"--b\r\nContent-Disposition: form-data; name=other\r\n\r\n1\r\n--b--");
    check(FORM, b"--b\r\nContent-Disposition: form-data; name=file\r\n\r\n1\r\n");
    check(FORM, b"--bc");
    assert_eq!(world.files(), Vec::<String>::new());
    assert_eq!(world.metric("malformed"), 6);
}

fn small(settings: &mut Settings) {
    settings.policy = UploadPolicy {
        file_bytes: 1000,
        quota_bytes: 2500,
        files: 4,
        at_once_each: 2,
        ..settings.policy.clone()
    };
}

#[test]
fn a_file_that_is_too_large_is_refused_before_it_has_come() {
    let world = World::with(small);
    world.send("", &[b'x'; 1000]);
    let promised = |headers: &str, bytes: usize| {
        let headers = format!("{headers}Content-Length: {bytes}\r\n");
        request("POST", "/api/upload", &headers).into_bytes()
    };
    let check = |request: &[u8]| {
        let mut client = world.dial();
        client.send(request);
        let head = client.head();
        assert!(head.starts_with("HTTP/1.1 413"), "{head}");
    };
    check(&promised("", 1001));
    check(&promised("Expect: 100-continue\r\n", 1001));
    check(&promised(FORM, 1_000_000));
    check(&promised("", 1 << 40));
    // As much as a form may have, but its file is too long, which shows when it comes.
    check(&[promised(FORM, 2000), form("a", &[b'x'; 1500])].concat());
    let endless = request("POST", "/api/upload", "Transfer-Encoding: chunked\r\n");
    check((endless + "3e9\r\n" + &"x".repeat(1001) + "\r\n").as_bytes());
    assert_eq!(world.files().len(), 1);
    assert_eq!(world.metric("too_large"), 6);
}

#[test]
fn who_sends_everything_before_listening_hears_of_the_refusal() {
    let world = World::with(small);
    let refused = world.post("", &vec![b'x'; 8_000_000]);
    refused.check(413, "{\"error\":\"this file is too large\"}");
    assert_eq!(refused.header("content-type"), Some("application/json"));
}

#[test]
fn a_full_folder_takes_no_more() {
    let world = World::with(small);
    world.send("", &[b'x'; 1000]);
    world.send("", &[b'x'; 1000]);
    world.post("", &[b'x'; 501]).check(507, "no room");
    world.send("", &[b'x'; 500]);
    world.post("", b"x").check(507, "no room");
    assert_eq!(world.metric("full"), 2);
    let world = World::with(small);
    (0..4).for_each(|_| drop(world.send("", b"")));
    world.post("", b"").check(507, "no room");
}

/// Begins a file and waits until the server has begun to write it.
fn begin(world: &World, bytes: usize) -> Client {
    let before = world.files().len();
    let mut client = world.dial();
    let headers = format!("Content-Length: {bytes}\r\nExpect: 100-continue\r\n");
    client.send(request("POST", "/api/upload", &headers).as_bytes());
    assert!(client.head().starts_with("HTTP/1.1 100"));
    assert_eq!(world.files().len(), before + 1);
    client
}

#[test]
fn a_file_that_is_cut_off_leaves_nothing() {
    let world = World::with(small);
    let (first, mut second) = (begin(&world, 900), begin(&world, 800));
    let refused = world.post("", b"x");
    refused.check(429, "try again");
    assert_eq!(refused.header("retry-after"), Some("2"));
    drop(first);
    second.socket.shutdown(std::net::Shutdown::Write).unwrap();
    let mut rest = Vec::new();
    let _ = second.socket.read_to_end(&mut rest);
    // Both are gone once there is room again for as much as they were promised.
    while world.files() != Vec::<String>::new() {
        std::thread::yield_now();
    }
    while world.metric("cut") < 2 {
        std::thread::yield_now();
    }
    world.send("", &[b'x'; 1000]);
    world.send("", &[b'x'; 1000]);
}

#[test]
fn who_sends_too_slowly_is_not_waited_for() {
    let check = |change: fn(&mut Settings)| {
        let world = World::with(change);
        let mut client = begin(&world, 900);
        client.send(b"x");
        answer(&mut client).check(408, "too slowly");
        assert_eq!(world.files(), Vec::<String>::new());
        assert_eq!(world.metric("too_slow"), 1);
    };
    // Long enough for a busy machine to begin.
    check(|settings| settings.stall = Duration::from_millis(500));
    check(|settings| settings.whole = Duration::from_millis(500));
}

#[test]
fn who_stops_fetching_makes_room_for_others() {
    let world = World::with(|settings| {
        settings.fetches_at_once = 1;
        settings.fetch_stall = Duration::from_secs(1);
    });
    // More than the systems on both ends keep for a connection.
    let path = world.send("", &vec![b'x'; 16 << 20]);
    let mut stalled = world.dial();
    stalled.send(request("GET", &path, "").as_bytes());
    assert!(stalled.head().starts_with("HTTP/1.1 200"));
    let refused = world.get(&path);
    refused.check(503, "try again");
    assert_eq!(refused.header("retry-after"), Some("1"));
    let ask = || world.ask(request("HEAD", &path, "").as_bytes()).status;
    while ask() != 200 {
        std::thread::yield_now();
    }
    let mut rest = Vec::new();
    let _ = stalled.socket.read_to_end(&mut rest);
    assert!(rest.len() < 16 << 20);
}

#[test]
fn an_expired_file_is_gone() {
    let world = World::with(|settings| settings.keep = Duration::ZERO);
    let path = world.send("", b"one");
    world.get(&path).check(404, "no more");
    assert_eq!(world.metric("missing"), 1);
}

#[test]
fn files_outlive_the_server_and_nothing_else_does() {
    let world = World::new();
    let (fresh, old) = (world.send("", b"one"), world.send("", b"two"));
    let World { server, folder } = world;
    server.stop();
    let file =
        |path: &str| folder.path().join("uploads").join(Path::new(path).file_name().unwrap());
    let expired = std::fs::File::options().write(true).open(file(&old)).unwrap();
    expired.set_modified(SystemTime::now() - Duration::from_secs(24 * 3600)).unwrap();
    let coming = file(&fresh).with_extension("part");
    std::fs::write(&coming, "1").unwrap();
    let world = World::within(folder, |_| {});
    assert_eq!(world.get(&fresh).body, b"one");
    world.get(&old).check(404, "");
    assert_eq!(world.files().len(), 1);
}

#[test]
#[cfg(unix)]
fn the_files_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new();
    world.send("", b"one");
    let folder = world.folder.path().join("uploads");
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(&folder.join(&world.files()[0])), 0o600);
}

#[test]
fn nobody_sends_where_there_are_no_guests() {
    let server = RunningServer::start(Repeat, Default::default());
    let mut client = Client::dial(server.address);
    client.send(&post("", b"one"));
    answer(&mut client).check(403, "not admitted");
    let mut client = Client::dial(server.address);
    client.send(request("GET", "/files/a", "").as_bytes());
    answer(&mut client).check(404, "");
    let world = World::with(|settings| settings.policy.guests = false);
    world.post("", b"one").check(403, "not taken here");
    assert_eq!(world.metric("forbidden"), 1);
}

#[test]
fn pages_of_admitted_origins_may_read_the_answers() {
    let world = World::with(small);
    let path = world.send("", b"one");
    let allowed = |answer: &Answer| answer.header("access-control-allow-origin").map(str::to_owned);
    let check = |origin: &str, expected: Option<&str>| {
        let header = format!("Origin: {origin}\r\n");
        let answers = [
            (world.post(&header, b"one"), 200),
            (world.post(&header, &[b'x'; 1001]), 413),
            (world.ask(request("GET", &path, &header).as_bytes()), 200),
            (world.ask(request("OPTIONS", "/api/upload", &header).as_bytes()), 204),
            (world.ask(request("OPTIONS", &path, &header).as_bytes()), 204),
        ];
        for (answer, status) in answers {
            let status = if expected.is_some() { status } else { 403 };
            assert_eq!(answer.status, status, "{origin}");
            assert_eq!(allowed(&answer).as_deref(), expected, "{origin}");
        }
    };
    check("http://localhost:3000", Some("http://localhost:3000"));
    check("http://127.0.0.1:5173", Some("http://127.0.0.1:5173"));
    check("https://evil.example", None);
    check("null", None);
    let preflight = request("OPTIONS", "/api/upload", "Origin: http://localhost:3000\r\n");
    let preflight = world.ask(preflight.as_bytes());
    assert_eq!(preflight.header("access-control-allow-headers"), Some("content-type"));
    assert_eq!(preflight.header("vary"), Some("origin"));
    assert_eq!(allowed(&world.get(&path)), None);
    let elsewhere = request("GET", "/metrics", "Origin: http://localhost:3000\r\n");
    assert_eq!(allowed(&world.ask(elsewhere.as_bytes())), None);
}
