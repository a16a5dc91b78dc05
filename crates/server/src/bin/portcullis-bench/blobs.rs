//! A blob stored and fetched over loopback: the server's part of a transfer that goes over it. The floor
//! is a thread that moves the same bytes between a socket and a file and does nothing else. Leaves out the
//! clients' part: reading, sealing, verifying and writing.

use std::fs::File;
use std::io::{Read, Seek as _, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use portcullis_proto::{ClientFrame, Reply, Request, ServerFrame, TransferId};

use crate::process::{Folder, Server};
use crate::table::Table;
use crate::{Options, connect, world};

const BLOB: TransferId = TransferId::from_bytes([0x2b; 16]);

/// Bytes that a client, or the floor, reads or writes in one go.
const BUFFER: usize = 256 * 1024;

/// Both rows.
pub(crate) fn rows(options: &Options) -> anyhow::Result<Table> {
    let bytes = options.mebibytes * 1024 * 1024;
    let rows = vec![floor(bytes)?, server(bytes)?];
    let head = vec!["blobs over loopback", "stored, MB/s", "fetched, MB/s", "server CPU, s"];
    Ok(Table { head, rows })
}

fn row(name: &str, bytes: u64, times: [Duration; 2], processor: Option<Duration>) -> Vec<String> {
    let rate = |time: Duration| format!("{:.0}", bytes as f64 / 1e6 / time.as_secs_f64());
    let processor = processor.map_or("–".to_owned(), |time| format!("{:.1}", time.as_secs_f64()));
    vec![name.to_owned(), rate(times[0]), rate(times[1]), processor]
}

fn server(bytes: u64) -> anyhow::Result<Vec<String>> {
    let folder = Folder::make()?;
    world::populate(folder.path(), 1, 1)?;
    world::populate_group(folder.path())?;
    let server = Server::start(&["serve-whole"], Some(folder.path()))?;
    let mut session = connect::resume(server.address, 0)?;
    let conversation = world::GROUP;
    let store = ask(&mut session, Request::ReserveBlob { blob: BLOB, conversation, bytes })?;
    let fetch = ask(&mut session, Request::FetchBlob { blob: BLOB })?;
    let before = server.processor_time()?;
    let begun = Instant::now();
    let range =
        format!("Content-Range: bytes 0-{}/{bytes}\r\nContent-Length: {bytes}\r\n", bytes - 1);
    let mut stream = request(server.address, "PUT", &store, &range)?;
    send(&mut stream, bytes)?;
    read_head(&mut stream, "HTTP/1.1 204 ")?;
    let stored = begun.elapsed();
    let begun = Instant::now();
    let mut stream = request(server.address, "GET", &fetch, "Range: bytes=0-\r\n")?;
    read_head(&mut stream, "HTTP/1.1 206 ")?;
    ensure!(receive(&mut stream)? == bytes, "a blob that is cut off");
    let fetched = begun.elapsed();
    let processor = server.processor_time()?.saturating_sub(before);
    Ok(row("the server, durable when it answers", bytes, [stored, fetched], Some(processor)))
}

/// Lends a server to another program that measures. Says the server's address; then, for a line `TRANSFER BYTES`,
/// the tokens to store and to fetch such a blob, for `used` the milliseconds of its processor time, and when nothing
/// more is asked, the KiB that it has had at most.
pub(crate) fn lend() -> anyhow::Result<()> {
    let folder = Folder::make()?;
    world::populate(folder.path(), 1, 1)?;
    world::populate_group(folder.path())?;
    let server = Server::start(&["serve-whole"], Some(folder.path()))?;
    let mut session = connect::resume(server.address, 0)?;
    println!("{}", server.address);
    for line in std::io::stdin().lines() {
        match line?.split_once(' ') {
            None => println!("{}", server.processor_time()?.as_millis()),
            Some((blob, bytes)) => {
                let (blob, bytes) = (blob.parse()?, bytes.parse()?);
                let conversation = world::GROUP;
                let store = Request::ReserveBlob { blob, conversation, bytes };
                let store = ask(&mut session, store)?;
                println!("{store} {}", ask(&mut session, Request::FetchBlob { blob })?);
            }
        }
    }
    println!("{}", server.memory("VmHWM:")?);
    Ok(())
}

fn floor(bytes: u64) -> anyhow::Result<Vec<String>> {
    let folder = Folder::make()?;
    let mut file = File::create_new(folder.path().join("floor"))?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let path = folder.path().join("floor");
    let serving = std::thread::spawn(move || -> anyhow::Result<()> {
        let (mut stream, _) = listener.accept()?;
        ensure!(move_all(&mut stream, &mut file)? == bytes, "a short file");
        file.sync_data()?;
        stream.write_all(b"!")?;
        let (mut stream, _) = listener.accept()?;
        let mut file = File::open(path)?;
        file.rewind()?;
        move_all(&mut file, &mut stream)?;
        Ok(())
    });
    let begun = Instant::now();
    let mut stream = TcpStream::connect(address)?;
    send(&mut stream, bytes)?;
    stream.shutdown(std::net::Shutdown::Write)?;
    stream.read_exact(&mut [0])?;
    let stored = begun.elapsed();
    let begun = Instant::now();
    ensure!(receive(&mut TcpStream::connect(address)?)? == bytes, "a short file");
    let fetched = begun.elapsed();
    if serving.join().map(|ended| ended.is_err()).unwrap_or(true) {
        bail!("the floor has failed");
    }
    Ok(row("floor: between a socket and a file", bytes, [stored, fetched], None))
}

fn ask(session: &mut TcpStream, request: Request) -> anyhow::Result<String> {
    session.write_all(&connect::frame(ClientFrame { id: 7, request }.encode().as_bytes()))?;
    let answer = connect::text(session)?;
    match ServerFrame::decode(&answer) {
        Ok(ServerFrame::Reply(_, Reply::Blob { token, .. })) => Ok(token.to_base64()),
        _ => bail!("no token: {answer}"),
    }
}

fn request(
    address: SocketAddr,
    method: &str,
    token: &str,
    headers: &str,
) -> anyhow::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "{method} /blobs/{BLOB} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Authorization: Bearer {token}\r\n{headers}\r\n"
    )?;
    Ok(stream)
}

fn read_head(stream: &mut TcpStream, expected: &str) -> anyhow::Result<()> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).context("an answer")?;
        head.extend_from_slice(&byte);
    }
    ensure!(head.starts_with(expected.as_bytes()), "{}", String::from_utf8_lossy(&head));
    Ok(())
}

fn send(stream: &mut TcpStream, bytes: u64) -> anyhow::Result<()> {
    let (buffer, mut left) = (vec![b'x'; BUFFER], bytes);
    while left > 0 {
        let next = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        stream.write_all(buffer.get(..next).unwrap_or_default())?;
        left -= next as u64;
    }
    Ok(())
}

fn receive(stream: &mut TcpStream) -> anyhow::Result<u64> {
    move_all(stream, &mut std::io::sink())
}

fn move_all(from: &mut impl Read, to: &mut impl Write) -> anyhow::Result<u64> {
    let (mut buffer, mut moved) = (vec![0; BUFFER], 0);
    loop {
        let read = from.read(&mut buffer)?;
        if read == 0 {
            return Ok(moved);
        }
        to.write_all(buffer.get(..read).unwrap_or_default())?;
        moved += read as u64;
    }
}
