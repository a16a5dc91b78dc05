//! Blobs over real sockets and real files: stored in pieces, cut off, gone on with, fetched while they come,
//! refused; over a restart, over TLS, and beside people who talk.

use std::io::{ErrorKind, Read as _, Write as _};
use std::path::Path;

use portcullis_proto::{
    Bytes, Code, ConversationId, Draft, Reference, Refusal, Reply, Request, TransferId,
};
use portcullis_server::blobs::Settings;
use portcullis_server_core::BlobPolicy;
use tempfile::TempDir;

use crate::people::{GROUP, Session, populate, serve};
use crate::running::RunningServer;
use crate::tls;
use crate::wire::Client;

const BLOB: TransferId = TransferId::from_bytes([0x2b; 16]);
const OTHER: TransferId = TransferId::from_bytes([0x2c; 16]);

/// Bytes of the usual blob: several pieces, and a part of one.
const BYTES: usize = 1_000_000;

/// The bytes of a blob, none like its neighbours.
fn content() -> Vec<u8> {
    (0..BYTES as u32).map(|place| (place.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

/// A server, mira who stores, and oleg who fetches.
struct World {
    server: RunningServer,
    mira: Session,
    oleg: Session,
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
        Self::kept(BlobPolicy::default(), change)
    }

    fn kept(policy: BlobPolicy, change: impl FnOnce(&mut Settings)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        populate(folder.path(), 2);
        Self::over(folder, policy, change)
    }

    fn over(folder: TempDir, policy: BlobPolicy, change: impl FnOnce(&mut Settings)) -> Self {
        let server = serve(folder.path(), policy, change, |_| {});
        let (mira, oleg) = (Session::open(&server, 1), Session::open(&server, 2));
        Self { server, mira, oleg, folder }
    }

    /// The process ends and another one takes its place.
    fn restart(self) -> Self {
        let Self { server, mira, oleg, folder } = self;
        drop((mira, oleg));
        server.stop();
        Self::over(folder, BlobPolicy::default(), |_| {})
    }

    /// Mira's token to store a blob.
    fn reserve(&mut self, blob: TransferId) -> String {
        let request = Request::ReserveBlob { blob, conversation: GROUP, bytes: BYTES as u64 };
        token(self.mira.ask(request))
    }

    /// Oleg's token to fetch a blob.
    fn fetch(&mut self, blob: TransferId) -> String {
        token(self.oleg.ask(Request::FetchBlob { blob }))
    }

    fn begin(&self, request: &str) -> Client {
        let mut client = Client::dial(self.server.address);
        client.send(request.as_bytes());
        client
    }

    fn ask(&self, request: &str, body: &[u8]) -> Answer {
        let mut client = self.begin(request);
        client.send(body);
        answer(&mut client)
    }

    /// Stores these bytes of the usual content.
    fn put(&self, token: &str, start: usize, end: usize) -> Answer {
        self.ask(&put(token, start, end), &content()[start..end])
    }

    fn get(&self, token: &str, range: &str) -> Answer {
        self.ask(&request("GET", token, range), b"")
    }

    /// How much is there.
    fn offset(&self, token: &str) -> usize {
        let answer = self.ask(&request("HEAD", token, ""), b"");
        assert_eq!(answer.header("upload-length"), Some("1000000"));
        answer.header("upload-offset").unwrap().parse().unwrap()
    }

    /// The names of the files in the blobs' folder.
    fn files(&self) -> Vec<String> {
        let found = std::fs::read_dir(self.folder.path().join("blobs")).unwrap();
        found.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

fn token(reply: Result<Reply, Refusal>) -> String {
    match reply {
        Ok(Reply::Blob { token, .. }) => token.to_base64(),
        other => panic!("{other:?}"),
    }
}

fn request(method: &str, token: &str, headers: &str) -> String {
    format!(
        "{method} /blobs/{BLOB} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Authorization: Bearer {token}\r\n{headers}\r\n"
    )
}

fn put(token: &str, start: usize, end: usize) -> String {
    let headers = format!(
        "Content-Range: bytes {start}-{}/{BYTES}\r\nContent-Length: {}\r\n",
        end - 1,
        end - start
    );
    request("PUT", token, &headers)
}

fn answer(client: &mut Client) -> Answer {
    let head = client.head().to_ascii_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let mut body = Vec::new();
    // A body that is cut off ends like any other here; its length tells.
    let _ = client.socket.read_to_end(&mut body);
    Answer { status, head, body }
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let name = format!("{name}: ");
        self.head.lines().find_map(|line| line.strip_prefix(&name))
    }

    #[track_caller]
    fn check(&self, status: u16, header: &str, value: Option<&str>) {
        assert_eq!((self.status, self.header(header)), (status, value), "{}", self.head);
    }
}

#[test]
fn a_blob_is_stored_in_pieces_and_fetched_from_anywhere() {
    let mut world = World::new();
    let store = world.reserve(BLOB);
    let fetch = world.fetch(BLOB);
    assert_eq!(world.offset(&store), 0);
    world.put(&store, 0, 300_000).check(204, "upload-offset", Some("300000"));
    world.put(&store, 300_000, 300_001).check(204, "upload-offset", Some("300001"));
    assert_eq!(world.offset(&fetch), 300_001);
    world.put(&store, 300_001, BYTES).check(204, "upload-offset", Some("1000000"));
    assert_eq!(world.offset(&store), BYTES);
    world.put(&store, 0, BYTES).check(409, "upload-offset", Some("1000000"));

    let check = |range: &str, status: u16, of: Option<&str>, start: usize, end: usize| {
        let answer = world.get(&fetch, range);
        answer.check(status, "content-range", of);
        assert!(answer.body == content()[start..end], "{range}");
        assert_eq!(answer.header("content-length"), Some(&*(end - start).to_string()));
    };
    check("", 200, None, 0, BYTES);
    check("Range: bytes=0-\r\n", 206, Some("bytes 0-999999/1000000"), 0, BYTES);
    check("Range: bytes=262143-\r\n", 206, Some("bytes 262143-999999/1000000"), 262_143, BYTES);
    check("Range: bytes=5-524292\r\n", 206, Some("bytes 5-524292/1000000"), 5, 524_293);
    check("Range: bytes=999999-\r\n", 206, Some("bytes 999999-999999/1000000"), 999_999, BYTES);
    check("Range: bytes=9-99999999\r\n", 206, Some("bytes 9-999999/1000000"), 9, BYTES);
}

/// Whatever it holds, no browser opens it or keeps it.
#[test]
fn a_blob_is_an_attachment() {
    let mut world = World::new();
    let store = world.reserve(BLOB);
    world.put(&store, 0, BYTES).check(204, "upload-offset", Some("1000000"));
    let fetch = world.fetch(BLOB);
    let answer = world.get(&fetch, "");
    answer.check(200, "content-type", Some("application/octet-stream"));
    answer.check(200, "content-disposition", Some("attachment"));
    answer.check(200, "x-content-type-options", Some("nosniff"));
    answer.check(200, "cache-control", Some("private, no-store"));
    world.get(&store, "").check(403, "x-content-type-options", Some("nosniff"));
}

#[test]
fn only_a_fitting_token_serves() {
    let mut world = World::new();
    let (store, other) = (world.reserve(BLOB), world.reserve(OTHER));
    let (fetch, of_other) = (world.fetch(BLOB), world.fetch(OTHER));
    let check = |method: &str, token: &str, status: u16| {
        let range = "Content-Range: bytes 0-0/1000000\r\nContent-Length: 1\r\n";
        let (headers, body) = if method == "PUT" { (range, &b"0"[..]) } else { ("", &b""[..]) };
        let answer = world.ask(&request(method, token, headers), body);
        assert_eq!(answer.status, status, "{method} {token}");
    };
    for (method, wrong) in [("PUT", &fetch), ("GET", &store)] {
        for token in ["!", "AAAA", wrong, &other, &of_other, &fetch.to_lowercase()] {
            check(method, token, 403);
        }
    }
    check("HEAD", &other, 403);
    check("POST", &store, 405);
    check("DELETE", &store, 405);
    for line in [
        "",
        "Authorization: Bearer \r\n",
        "Authorization: Basic bTpt\r\n",
        "Authorization: Bearer\r\n",
    ] {
        let head =
            format!("GET /blobs/{BLOB} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{line}\r\n");
        world.ask(&head, b"").check(401, "www-authenticate", Some("bearer"));
    }
    let elsewhere = request("GET", &fetch, "").replace(&BLOB.to_string(), "nowhere");
    assert_eq!(world.ask(&elsewhere, b"").status, 403);
    let twice = request("GET", &fetch, &format!("Authorization: Bearer {fetch}\r\n"));
    assert_eq!(world.ask(&twice, b"").status, 403);
    let small = request("HEAD", &fetch, "").replace("Bearer", "bearer");
    assert_eq!(world.ask(&small, b"").status, 200);
}

#[test]
fn what_does_not_fit_the_blob_is_refused() {
    let mut world = World::new();
    let (store, fetch) = (world.reserve(BLOB), world.fetch(BLOB));
    let ten = |headers: &str, status: u16| {
        let answer = world.ask(&request("PUT", &store, headers), b"0123456789");
        assert_eq!(answer.status, status, "{headers}");
    };
    ten("Content-Length: 10\r\n", 400);
    ten("Content-Length: 10\r\nContent-Range: bytes 0-9/999999\r\n", 400);
    ten("Content-Length: 10\r\nContent-Range: bytes 0-9/*\r\n", 400);
    ten("Content-Length: 10\r\nContent-Range: bytes 0-8/1000000\r\n", 400);
    ten("Content-Length: 10\r\nContent-Range: bytes 0-10/1000000\r\n", 400);
    ten("Content-Length: 10\r\nContent-Range: bytes 999991-1000000/1000000\r\n", 400);
    ten("Content-Length: 10\r\nContent-Range: bytes 1-10/1000000\r\n", 409);
    // Without a length the body's end is what counts.
    let chunked = "Transfer-Encoding: chunked\r\nContent-Range: bytes 0-9/1000000\r\n";
    let chunks = |body: &[u8]| world.ask(&request("PUT", &store, chunked), body).status;
    assert_eq!(chunks(b"b\r\n0123456789a\r\n0\r\n\r\n"), 400);
    assert_eq!(world.offset(&store), 0);
    assert_eq!(chunks(b"5\r\n01234\r\n0\r\n\r\n"), 400);
    assert_eq!(world.offset(&store), 5);
    let rest = chunked.replace("0-9", "5-9");
    let rest = world.ask(&request("PUT", &store, &rest), b"5\r\n56789\r\n0\r\n\r\n");
    rest.check(204, "upload-offset", Some("10"));
    ten("Content-Length: 10\r\nContent-Range: bytes 0-9/1000000\r\n", 409);
    ten("Content-Length: 10\r\nContent-Range: bytes 11-20/1000000\r\n", 409);
    let begin = "Content-Length: 10\r\nContent-Range: bytes 20-29/1000000\r\nUpload-Begin: ";
    ten(&format!("{begin}21\r\n"), 400);
    ten(&format!("{begin}+20\r\n"), 400);
    ten(&format!("{begin}20\r\nUpload-Begin: 20\r\n"), 400);
    assert_eq!(world.offset(&store), 10);

    world.get(&fetch, "Range: bytes=1000000-\r\n").check(
        416,
        "content-range",
        Some("bytes */1000000"),
    );
    world.get(&fetch, "Range: bytes=-5\r\n").check(400, "content-range", None);
}

/// The bytes that came before the connection broke stay, and the upload goes on from there.
#[test]
fn an_upload_that_is_cut_off_goes_on() {
    let mut world = World::new();
    let (store, fetch) = (world.reserve(BLOB), world.fetch(BLOB));
    for (start, end) in [(0, 300_000), (300_000, 300_007), (300_007, 900_000)] {
        let mut client = world.begin(&put(&store, start, BYTES));
        client.send(&content()[start..end]);
        drop(client);
        // Whoever fetches is told when they are there.
        let range = format!("Range: bytes={start}-{}\r\n", end - 1);
        assert!(world.get(&fetch, &range).body == content()[start..end]);
        assert_eq!(world.offset(&store), end);
    }
    world.put(&store, 900_000, BYTES).check(204, "upload-offset", Some("1000000"));
    assert!(world.get(&fetch, "").body == content());
}

/// A client comes back on another connection while the old one is half dead.
#[test]
fn the_newer_of_two_uploads_goes_on() {
    let mut world = World::new();
    let (store, fetch) = (world.reserve(BLOB), world.fetch(BLOB));
    let mut older = world.begin(&put(&store, 0, BYTES));
    older.send(&content()[..400_000]);
    assert!(world.get(&fetch, "Range: bytes=0-99\r\n").body == content()[..100]);
    let refused = world.put(&store, 0, BYTES);
    assert_eq!(refused.status, 409);
    // The server reads on for a while, so this one does not end at once.
    assert!(older.head().starts_with("HTTP/1.1 409 "));
    let offset: usize = refused.header("upload-offset").unwrap().parse().unwrap();
    assert!((100..=400_000).contains(&offset), "{offset}");
    assert_eq!(world.offset(&store), offset);
    world.put(&store, offset, BYTES).check(204, "upload-offset", Some("1000000"));
    assert!(world.get(&fetch, "").body == content());
}

#[test]
fn a_blob_is_fetched_while_it_is_stored() {
    let mut world = World::new();
    let (store, fetch) = (world.reserve(BLOB), world.fetch(BLOB));
    let mut early = world.begin(&request("GET", &fetch, "Range: bytes=10-\r\n"));
    assert!(early.head().starts_with("HTTP/1.1 206 "));
    let mut part = vec![0; 499_990];
    world.put(&store, 0, 500_000).check(204, "upload-offset", Some("500000"));
    early.socket.read_exact(&mut part).unwrap();
    assert!(part == content()[10..500_000]);
    world.put(&store, 500_000, BYTES).check(204, "upload-offset", Some("1000000"));
    let mut rest = Vec::new();
    early.socket.read_to_end(&mut rest).unwrap();
    assert!(rest == content()[500_000..]);
}

/// Few bytes are handed on, too, while more are still to come.
#[test]
fn a_slow_upload_is_fetched_as_it_comes() {
    let mut world = World::with(|settings| settings.gather = std::time::Duration::ZERO);
    let (store, fetch) = (world.reserve(BLOB), world.fetch(BLOB));
    let mut slow = world.begin(&put(&store, 0, BYTES));
    for place in 0..5 {
        slow.send(&content()[place..=place]);
        let answer = world.get(&fetch, &format!("Range: bytes=0-{place}\r\n"));
        assert!(answer.body == content()[..=place]);
    }
}

#[test]
fn whoever_stalls_is_not_waited_for() {
    let mut world = World::with(|settings| settings.stall = std::time::Duration::from_millis(50));
    let (store, fetch) = (world.reserve(BLOB), world.fetch(BLOB));
    let mut slow = world.begin(&put(&store, 0, BYTES));
    slow.send(&content()[..7]);
    assert_eq!(answer(&mut slow).status, 408);
    assert_eq!(world.offset(&store), 7);
    let short = world.get(&fetch, "");
    short.check(200, "content-length", Some("1000000"));
    assert!(short.body == content()[..7]);
}

#[test]
fn whoever_drips_lets_go_of_its_place() {
    let mut world = World::with(|settings| settings.pace = (std::time::Duration::ZERO, 10));
    let (store, fetch) = (world.reserve(BLOB), world.fetch(BLOB));
    let mut slow = world.begin(&put(&store, 0, BYTES));
    slow.send(&content()[..9]);
    assert_eq!(answer(&mut slow).status, 408);
    // What has come stays, and whoever waits for more of it is let go as well, long before nothing comes.
    assert_eq!(world.offset(&store), 9);
    let mut waits = world.begin(&request("GET", &fetch, ""));
    let ended = waits.socket.read_to_end(&mut Vec::new()).map_err(|error| error.kind());
    assert!(!matches!(ended, Err(ErrorKind::WouldBlock | ErrorKind::TimedOut)));
}

#[test]
fn nobody_takes_every_place() {
    let mut world = World::with(|settings| {
        settings.uploads_each = 1;
        settings.fetches_each = 1;
    });
    let (store, other) = (world.reserve(BLOB), world.reserve(OTHER));
    let fetch = world.fetch(BLOB);
    let waits = put(&store, 0, BYTES).replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n");
    let mut first = world.begin(&waits);
    assert!(first.head().starts_with("HTTP/1.1 100 "), "its place is taken by then");
    let second = put(&other, 0, 10).replace(&BLOB.to_string(), &OTHER.to_string());
    world.ask(&second, &[0; 10]).check(429, "retry-after", Some("2"));
    first.send(&content());
    assert_eq!(answer(&mut first).status, 204);
    assert_eq!(world.ask(&second, &[0; 10]).status, 204);

    let of_other = world.fetch(OTHER).clone();
    let waiting = request("GET", &of_other, "").replace(&BLOB.to_string(), &OTHER.to_string());
    let mut waiting = world.begin(&waiting);
    assert!(waiting.head().starts_with("HTTP/1.1 200 "));
    world.get(&fetch, "").check(429, "retry-after", Some("2"));
}

/// Whoever still stores or fetches a blob that is dropped ends, and its bytes go.
#[test]
fn a_blob_that_is_dropped_is_gone_at_once() {
    let mut world = World::new();
    let (store, fetch) = (world.reserve(BLOB), world.fetch(BLOB));
    world.put(&store, 0, 500_000).check(204, "upload-offset", Some("500000"));
    let mut reader = world.begin(&request("GET", &fetch, ""));
    let waits = put(&store, 500_000, BYTES).replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n");
    let mut writer = world.begin(&waits);
    assert!(writer.head().starts_with("HTTP/1.1 100 "));
    assert_eq!(world.mira.ask(Request::ReleaseBlob { blob: BLOB }), Ok(Reply::Done));
    assert_eq!(answer(&mut writer).status, 404);
    assert!(answer(&mut reader).body.len() <= 500_000);
    assert_eq!(world.get(&fetch, "").status, 404);
    assert_eq!(world.put(&store, 500_000, BYTES).status, 404);
    // The same id again is another blob: old tokens serve no more.
    let new = world.reserve(BLOB);
    assert_eq!(world.get(&fetch, "").status, 404);
    assert_eq!(world.put(&store, 0, BYTES).status, 404);
    assert_eq!(world.offset(&new), 0);
    assert_eq!(world.restart().files(), Vec::<String>::new());
}

#[test]
fn what_has_expired_is_gone() {
    let policy = BlobPolicy { keep_millis: 5_000, ..BlobPolicy::default() };
    let every_second = |settings: &mut Settings| settings.sweep_every = std::time::Duration::ZERO;
    let mut world = World::kept(policy, every_second);
    let (store, fetch) = (world.reserve(BLOB), world.fetch(BLOB));
    world.put(&store, 0, 10).check(204, "upload-offset", Some("10"));
    // It waits for more until the blob is dropped.
    assert!(world.get(&fetch, "").body == content()[..10]);
    let missing = world.oleg.ask(Request::FetchBlob { blob: BLOB });
    assert_eq!(missing.map_err(|refusal| refusal.code), Err(Code::NotFound));
    assert_eq!(world.restart().files(), Vec::<String>::new());
}

#[test]
fn an_upload_outlives_the_server() {
    let mut world = World::new();
    let (store, fetch) = (world.reserve(BLOB), world.fetch(BLOB));
    world.put(&store, 0, 600_000).check(204, "upload-offset", Some("600000"));
    let stray = world.folder.path().join("blobs").join("ab".repeat(16));
    std::fs::write(&stray, b"of no blob").unwrap();
    let mut world = world.restart();
    assert!(!stray.exists());
    assert_eq!(world.get(&fetch, "").status, 403, "tokens end with the server");
    let (store, fetch) = (world.reserve(BLOB), world.fetch(BLOB));
    assert_eq!(world.offset(&store), 600_000);
    world.put(&store, 600_000, BYTES).check(204, "upload-offset", Some("1000000"));
    assert!(world.get(&fetch, "").body == content());
}

/// Who has the first bytes needs only the others; if they are lost after all, the blob begins anew.
#[test]
fn a_blob_may_begin_anywhere() {
    let mut world = World::new();
    let put_anew = |world: &World, store: &str, start: usize, end: usize| {
        let request = put(store, start, end);
        let anew = request.replacen("\r\n", &format!("\r\nUpload-Begin: {start}\r\n"), 1);
        world.ask(&anew, &content()[start..end])
    };
    let (store, fetch) = (world.reserve(BLOB), world.fetch(BLOB));
    let begins = |world: &World, store: &str, begins: &str| {
        let head = request("HEAD", store, "");
        world.ask(&head, b"").check(200, "upload-begin", Some(begins));
    };
    begins(&world, &store, "0");
    // Whoever waits for what will never come is told so.
    let mut early = world.begin(&request("GET", &fetch, ""));
    assert!(early.head().starts_with("HTTP/1.1 200 "));
    put_anew(&world, &store, 700_000, 800_000).check(204, "upload-offset", Some("800000"));
    assert_eq!(early.socket.read_to_end(&mut Vec::new()).unwrap_or(0), 0);
    begins(&world, &store, "700000");
    world.get(&fetch, "").check(416, "upload-begin", Some("700000"));
    world.get(&fetch, "Range: bytes=699999-\r\n").check(416, "upload-begin", Some("700000"));

    let mut world = world.restart();
    let (store, fetch) = (world.reserve(BLOB), world.fetch(BLOB));
    begins(&world, &store, "700000");
    assert_eq!(world.offset(&store), 800_000);
    world.put(&store, 800_000, BYTES).check(204, "upload-offset", Some("1000000"));
    assert!(world.get(&fetch, "Range: bytes=700000-\r\n").body == content()[700_000..]);

    put_anew(&world, &store, 500_000, 500_010).check(204, "upload-offset", Some("500010"));
    begins(&world, &store, "500000");
    put_anew(&world, &store, 0, BYTES).check(204, "upload-offset", Some("1000000"));
    begins(&world, &store, "0");
    assert!(world.get(&fetch, "").body == content());
    assert_eq!(world.files().len(), 1);
}

/// What lies on the disk now is what a killed process leaves.
#[test]
fn an_upload_outlives_a_killed_server() {
    let mut world = World::new();
    let store = world.reserve(BLOB);
    world.reserve(OTHER);
    world.put(&store, 0, 600_000).check(204, "upload-offset", Some("600000"));
    let copy = tempfile::tempdir().unwrap();
    copy_folder(world.folder.path(), copy.path());
    let mut found = World::over(copy, BlobPolicy::default(), |_| {});
    let (store, fetch) = (found.reserve(BLOB), found.fetch(BLOB));
    assert_eq!(found.offset(&store), 600_000);
    found.put(&store, 600_000, BYTES).check(204, "upload-offset", Some("1000000"));
    assert!(found.get(&fetch, "").body == content());
    let empty = found.reserve(OTHER);
    let head = request("HEAD", &empty, "").replace(&BLOB.to_string(), &OTHER.to_string());
    found.ask(&head, b"").check(200, "upload-offset", Some("0"));
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir(&to).unwrap();
            copy_folder(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[test]
fn an_account_stores_within_its_share() {
    let policy = BlobPolicy { account_bytes: BYTES as u64 + 9, ..BlobPolicy::default() };
    let mut world = World::kept(policy, |_| {});
    world.reserve(BLOB);
    let mut more = |bytes: u64| {
        let request = Request::ReserveBlob { blob: OTHER, conversation: GROUP, bytes };
        world.mira.ask(request).map(|_| ()).map_err(|refusal| (refusal.code, refusal.message))
    };
    let message = "your files may take 9 bytes more on this server, and these take 10".to_owned();
    assert_eq!(more(10), Err((Code::NoRoom, message)));
    assert_eq!(more(9), Ok(()));
}

#[test]
fn blobs_travel_inside_tls() {
    let folder = tempfile::tempdir().unwrap();
    populate(folder.path(), 1);
    let (config, certificate) = tls::certificate();
    let policy = BlobPolicy::default();
    // This machine may speak without TLS too, so the session does.
    let server = serve(folder.path(), policy, |_| {}, |parts| parts.tls = Some(config));
    let mut mira = Session::open(&server, 1);
    let reserve = Request::ReserveBlob { blob: BLOB, conversation: GROUP, bytes: BYTES as u64 };
    let store = token(mira.ask(reserve));
    let fetch = token(mira.ask(Request::FetchBlob { blob: BLOB }));
    let ask = |request: &str, body: &[u8]| {
        let mut stream = tls::dial(&server, &certificate);
        stream.write_all(request.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        all
    };
    let stored = ask(&put(&store, 0, BYTES), &content());
    assert!(stored.starts_with(b"HTTP/1.1 204 "), "{}", String::from_utf8_lossy(&stored));
    let fetched = ask(&request("GET", &fetch, ""), b"");
    assert!(fetched.ends_with(&content()));
}

/// Somebody keeps all their uploads and fetches open and does nothing with them; others are heard.
#[test]
fn blobs_never_delay_what_others_say() {
    let mut world = World::new();
    let ids: Vec<_> = (0..4).map(|number| TransferId::from_bytes([number; 16])).collect();
    let tokens: Vec<_> = ids.iter().map(|id| world.reserve(*id)).collect();
    let store = world.reserve(BLOB);
    world.put(&store, 0, BYTES).check(204, "upload-offset", Some("1000000"));
    let fetch = token(world.mira.ask(Request::FetchBlob { blob: BLOB }));
    let mut held = Vec::new();
    for (id, token) in ids.iter().zip(&tokens) {
        let upload = put(token, 0, BYTES).replace(&BLOB.to_string(), &id.to_string());
        let upload = upload.replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n");
        let mut client = world.begin(&upload);
        assert!(client.head().starts_with("HTTP/1.1 100 "));
        client.send(&content()[..300_000]);
        held.push(client);
    }
    for _ in 0..8 {
        let mut client = world.begin(&request("GET", &fetch, ""));
        assert!(client.head().starts_with("HTTP/1.1 200 "));
        held.push(client);
    }
    for number in 0..20 {
        let reference = Reference::from_bytes([number; 16]);
        let envelopes = vec![Draft { reference, body: Bytes(vec![number; 100]) }];
        let (conversation, device): (ConversationId, _) = (GROUP, world.oleg.device());
        let submit = Request::Submit { conversation, epoch: 0, device, envelopes };
        assert!(matches!(world.oleg.ask(submit), Ok(Reply::Submitted { .. })));
    }
    // Theirs go on, too.
    for mut client in held.drain(..4) {
        client.send(&content()[300_000..]);
        assert_eq!(answer(&mut client).status, 204);
    }
}
