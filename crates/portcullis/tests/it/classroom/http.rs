//! Files by HTTP, asked for as simply as can be: one request, one connection.

use std::io::{Read as _, Write as _};

use super::family::Family;
use super::json::Json;
use super::wire::{Root, Wire};
use crate::program::DEADLINE;

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// Asks the server at `HOST:PORT`.
pub(crate) fn ask(server: &str, head: &str, body: &[u8]) -> Answer {
    ask_by(server, None, head, body)
}

/// The same, inside TLS where there is a root to trust.
fn ask_by(server: &str, root: Option<&Root>, head: &str, body: &[u8]) -> Answer {
    let mut stream = Wire::open(server, root);
    stream.socket().set_read_timeout(Some(DEADLINE)).unwrap();
    let (_, port) = server.rsplit_once(':').unwrap();
    let length = body.len();
    let head = format!("{head}\r\nHost: localhost:{port}\r\nConnection: close\r\n");
    stream.write_all(format!("{head}Content-Length: {length}\r\n\r\n").as_bytes()).unwrap();
    // A server that won't have it may hang up before it has all; then it has answered.
    let _ = stream.write_all(body);
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    assert!(read.is_ok() || !answer.is_empty(), "{read:?}");
    read_answer(&answer)
}

/// How often the server has counted something, `portcullis_*_total`.
pub(crate) fn counter(server: &str, name: &str) -> u64 {
    let answer = ask(server, "GET /metrics HTTP/1.1", &[]);
    let text = String::from_utf8(answer.body).unwrap();
    let name = format!("portcullis_{name}_total ");
    let value = text.lines().find_map(|line| line.strip_prefix(&name));
    value.unwrap_or_else(|| panic!("{name} is in {text}")).parse().unwrap()
}

/// Uploads a file by its family's habits; its address.
pub(crate) fn upload(
    server: &str,
    root: Option<&Root>,
    family: &Family,
    name: &str,
    file: &[u8],
) -> String {
    let answer = post(server, root, family.uploads_form, name, file);
    let json = Json::read(&String::from_utf8(answer.body).unwrap()).unwrap();
    assert_eq!(answer.status, 200, "{json:?}");
    json.get_text("file_url").unwrap().to_owned()
}

/// Asks for a file to be taken.
fn post(server: &str, root: Option<&Root>, as_form: bool, name: &str, file: &[u8]) -> Answer {
    let head = "POST /api/upload HTTP/1.1\r\nContent-Type: ";
    if !as_form {
        return ask_by(server, root, &format!("{head}application/octet-stream"), file);
    }
    let before = format!(
        "--a-boundary\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    );
    let body = [before.as_bytes(), file, b"\r\n--a-boundary--\r\n"].concat();
    ask_by(server, root, &format!("{head}multipart/form-data; boundary=a-boundary"), &body)
}

/// Gets a file from its absolute address, as whoever was told it does.
pub(crate) fn download(server: &str, url: &str) -> Answer {
    let rest = url.strip_prefix("http://").expect("an absolute address");
    let (host, path) = rest.split_once('/').unwrap();
    let (_, port) = server.rsplit_once(':').unwrap();
    assert_eq!(host, format!("localhost:{port}"));
    ask(server, &format!("GET /{path} HTTP/1.1"), &[])
}

fn read_answer(answer: &[u8]) -> Answer {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let chunked = lines.any(|line| line.eq_ignore_ascii_case("transfer-encoding: chunked"));
    let body = &answer[end + 4..];
    let body = if chunked { unchunk(body) } else { body.to_vec() };
    Answer { status, body }
}

/// RFC 9112 section 7.1.
fn unchunk(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n").unwrap();
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        if size == 0 {
            return body;
        }
        body.extend_from_slice(&rest[end + 2..][..size]);
        rest = &rest[end + 2 + size + 2..];
    }
}
