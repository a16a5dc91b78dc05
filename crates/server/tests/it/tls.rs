//! The same connections inside TLS.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use portcullis_server::socket::Settings;
use portcullis_server::tls;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::repeat::Repeat;
use crate::running::RunningServer;
use crate::wire::{TEXT, frame, upgrade};

pub(crate) type Stream = StreamOwned<ClientConnection, TcpStream>;

/// A certificate for `localhost`, and a server that speaks TLS with it.
fn server(settings: Settings) -> (RunningServer, CertificateDer<'static>) {
    let (config, certificate) = certificate();
    (RunningServer::start_with(Repeat, settings, Some(config)), certificate)
}

/// A certificate for `localhost`, and what a server needs to speak TLS with it.
pub(crate) fn certificate() -> (Arc<rustls::ServerConfig>, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (chain, key) = (folder.path().join("chain.pem"), folder.path().join("key.pem"));
    std::fs::write(&chain, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let config = tls::load(&chain, &key).unwrap();
    (config, made.cert.der().clone())
}

/// A connection before any handshake but that of TLS.
pub(crate) fn dial(server: &RunningServer, certificate: &CertificateDer<'static>) -> Stream {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let session = ClientConnection::new(Arc::new(config), name).unwrap();
    let socket = TcpStream::connect(server.address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    StreamOwned::new(session, socket)
}

fn connect(server: &RunningServer, certificate: &CertificateDer<'static>) -> Stream {
    let mut stream = dial(server, certificate);
    stream.write_all(upgrade("/connect").as_bytes()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "));
    stream
}

/// The bytes of an unmasked text frame of 60,000 bytes.
fn long() -> Vec<u8> {
    [&[0x81, 126][..], &60_000u16.to_be_bytes(), &[b'x'; 60_000]].concat()
}

#[test]
fn messages_go_both_ways_and_the_end_is_announced() {
    let (server, certificate) = server(Settings::default());
    let mut stream = connect(&server, &certificate);
    for _ in 0..100 {
        stream.write_all(&frame(TEXT, &[b'x'; 60_000])).unwrap();
        let mut answer = vec![0; 60_004];
        stream.read_exact(&mut answer).unwrap();
        assert!(answer == long());
    }
    stream.write_all(&frame(0x82, b"binary")).unwrap();
    let mut rest = Vec::new();
    // With a close_notify; without one this were an error.
    stream.read_to_end(&mut rest).unwrap();
    assert_eq!(rest[..4], [0x88, 29, 0x03, 0xeb]);
}

#[test]
fn a_slow_reader_delays_nobody() {
    // All that the slow one asks for waits: else it would have to read to be read from.
    let (server, certificate) =
        server(Settings { queue: 16 << 20, queue_hard: 32 << 20, ..Settings::default() });
    let mut slow = connect(&server, &certificate);
    for _ in 0..200 {
        slow.write_all(&frame(TEXT, &[b'x'; 60_000])).unwrap();
    }
    let mut quick = connect(&server, &certificate);
    quick.write_all(&frame(TEXT, b"quick")).unwrap();
    let mut answer = [0; 7];
    quick.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"\x81\x05quick");
    for _ in 0..200 {
        let mut answer = vec![0; 60_004];
        slow.read_exact(&mut answer).unwrap();
        assert!(answer == long());
    }
}

#[test]
fn on_this_machine_it_goes_without_tls_beside_others_with_it() {
    let (server, certificate) = server(Settings::default());
    let mut plain = crate::wire::Client::open(server.address, "/connect");
    let mut secure = connect(&server, &certificate);
    plain.send(&frame(TEXT, b"plain"));
    assert_eq!(plain.next().unwrap().payload, b"plain");
    secure.write_all(&frame(TEXT, b"secure")).unwrap();
    let mut answer = [0; 8];
    secure.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"\x81\x06secure");
}

#[test]
fn garbage_instead_of_tls_is_hung_up_on() {
    let (server, _) = server(Settings::default());
    let mut peer = TcpStream::connect(server.address).unwrap();
    peer.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    // It begins as TLS does, and goes on otherwise.
    peer.write_all(b"\x16GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = peer.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "HTTP in the clear");
}

#[test]
fn unusable_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let file = |name: &str, content: String| {
        std::fs::write(folder.path().join(name), content).unwrap();
    };
    file("chain", made.cert.pem());
    file("key", made.signing_key.serialize_pem());
    file("other", other.signing_key.serialize_pem());
    file("empty", String::new());
    let check = |chain: &str, key: &str, expected: &str| {
        let loaded = tls::load(&folder.path().join(chain), &folder.path().join(key));
        let text = loaded.map_or_else(|error| error.to_string(), |_| String::new());
        assert!(text.contains(expected) && text.is_empty() == expected.is_empty(), "{text}");
    };
    check("chain", "key", "");
    check("empty", "key", "empty: ");
    check("chain", "empty", "empty: ");
    check("absent", "key", "absent: ");
    check("chain", "other", "the certificate and key: ");
}
