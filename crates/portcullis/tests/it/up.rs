//! The first command of a newcomer, and the last.

use std::net::TcpListener;
use std::process::Command;

use tempfile::TempDir;

use crate::program::text;
use crate::pty::Pty;

#[test]
fn up_starts_a_server_that_goes_on_until_down() {
    let folder = TempDir::new().unwrap();
    let port = free_port();
    let up = ["up", "--port", &port];
    let mut mira = Pty::start(folder.path(), &up, &[]);
    mira.fill_in("mira");
    // A second one uses the same server.
    let mut noor = Pty::start(folder.path(), &up, &[]);
    noor.fill_in("noor");
    noor.keys("hello\r");
    mira.wait_for("noor: hello");
    mira.keys("/quit\r");
    assert_eq!(mira.end(), 0);
    assert!(mira.screen().contains("The server goes on in the background"), "{}", mira.screen());

    let (code, said) = run(&folder, &["down"]);
    assert_eq!(code, Some(0), "{said}");
    noor.wait_for("connection lost");
    let (code, said) = run(&folder, &["down"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("no server runs on portcullis-data"), "{said}");
}

#[test]
fn a_port_that_others_use_is_named() {
    let folder = TempDir::new().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    std::thread::spawn(move || {
        use std::io::Write as _;
        for mut stream in listener.incoming().flatten() {
            let _ = stream.write_all(b"SSH-2.0-other\r\n");
        }
    });
    let (code, said) = run(&folder, &["up", "--port", &port]);
    assert_eq!(code, Some(1));
    assert!(said.contains("no Portcullis server listens on"), "{said}");
}

#[test]
fn a_chat_needs_a_terminal() {
    let folder = TempDir::new().unwrap();
    let (code, said) = run(&folder, &["chat"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("the chat needs a terminal"), "{said}");
}

fn run(folder: &TempDir, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    let output = command.args(arguments).current_dir(folder.path()).output().unwrap();
    (output.status.code(), text(&output.stderr))
}

fn free_port() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string()
}
