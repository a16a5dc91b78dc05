//! Whom a client takes for a Portcullis server.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::program::{World, text};

/// A certificate for this machine, which is its own root, and its key, as files.
pub(crate) fn certificate(folder: &Path, name: &str) -> [PathBuf; 2] {
    let names = ["127.0.0.1", "localhost"].map(ToOwned::to_owned);
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let files = ["pem", "key"].map(|kind| folder.join(format!("{name}.{kind}")));
    std::fs::write(&files[0], made.cert.pem()).unwrap();
    std::fs::write(&files[1], made.signing_key.serialize_pem()).unwrap();
    files
}

#[test]
fn a_server_is_vouched_for_by_the_file_that_is_named() {
    let folder = TempDir::new().unwrap();
    let [[good, key], [other, _]] = ["good", "other"].map(|name| certificate(folder.path(), name));
    let [good, key, other] = [good, key, other].map(|path| path.to_str().unwrap().to_owned());
    let mut world = World::new(&["--tls-cert", &good, "--tls-key", &key]);
    let _server = world.serve();
    let check = |words: &[&str], expected: i32, says: &str| {
        let output = world.run("mira", "mira", words);
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(expected), "{words:?}: {errors}");
        assert!(errors.contains(says), "{words:?}: {errors}");
    };
    check(&["register", "--tls-root", &other], 6, "TLS: invalid peer certificate");
    check(&["register", "--tls-root", &key], 2, "there are no trusted certificates");
    check(&["register", "--tls-root", "/nowhere"], 2, "/nowhere");
    check(&["register", "--tls-root", &good], 0, "");
    check(&["send", "--to", "#lobby", "hello", "--tls-root", &good], 0, "");
}

#[test]
fn another_server_is_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let world = World::at(listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut request = [0; 1024];
            let _ = connection.read(&mut request);
            let _ = connection.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
        }
    });
    let output = world.run("mira", "mira", &["register"]);
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(6), "{errors}");
    assert!(errors.contains("there is no Portcullis server at this address"), "{errors}");
}
