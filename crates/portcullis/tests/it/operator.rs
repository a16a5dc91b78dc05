//! What the operator does on the server's machine.

use crate::program::{World, text};

#[test]
fn an_invitation_serves_once() {
    let mut world = World::new(&["--registration", "invite"]);
    let _server = world.serve();
    let invite = || {
        let output = world.admin(&["invite"]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout).trim().to_owned()
    };
    let code = invite();
    assert_ne!(code, invite());
    let check = |user: &str, words: &[&str], expected: i32, says: &str| {
        let output = world.run(user, user, words);
        let errors = text(&output.stderr);
        assert_eq!(output.status.code(), Some(expected), "{words:?}: {errors}");
        assert!(errors.contains(says), "{words:?}: {errors}");
    };
    check("mira", &["register"], 5, "(registration_closed)");
    check("mira", &["register", "--invite", "wrong"], 5, "(registration_closed)");
    check("mira", &["register", "--invite", &code], 0, "");
    check("noor", &["register", "--invite", &code], 5, "(registration_closed)");
    assert_eq!(text(&world.admin(&["accounts"]).stdout), "mira\n");
}

#[test]
fn a_disabled_account_is_out_until_it_is_enabled() {
    let mut world = World::new(&[]);
    let _server = world.serve();
    world.register(&["mira"]);
    let tail = world.start("mira", "mira", &["tail"]);
    world.lines("mira", "second", &["send", "--to", "#lobby", "hello"]);
    assert_eq!(tail.json()["text"], "hello");
    assert_eq!(world.admin(&["disable", "mira"]).status.code(), Some(0));
    let (code, errors) = tail.ending();
    assert_eq!(code, Some(5), "{errors}");
    assert!(errors.contains("the server has ended the session"), "{errors}");
    assert_eq!(text(&world.admin(&["accounts"]).stdout), "mira\tdisabled\n");
    assert_eq!(world.run("mira", "second", &["users"]).status.code(), Some(5));
    assert_eq!(world.admin(&["enable", "mira"]).status.code(), Some(0));
    assert_eq!(world.run("mira", "second", &["users"]).status.code(), Some(0));
    assert_eq!(world.admin(&["disable", "nobody"]).status.code(), Some(1));
}

#[test]
fn a_data_folder_has_one_server() {
    let mut world = World::new(&[]);
    assert_eq!(world.admin(&["invite"]).status.code(), Some(7));
    let server = world.serve();
    let data = world.path("data");
    let serve = |words: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_portcullis"));
        command.arg("serve").args(words).arg("--data").arg(&data).output().unwrap()
    };
    let second = serve(&["--listen", "127.0.0.1:0"]);
    let errors = text(&second.stderr);
    assert_eq!(second.status.code(), Some(3), "{errors}");
    assert!(errors.contains(&server.id().to_string()), "{errors}");
    assert_eq!(server.terminate(), Some(0));
    assert_eq!(serve(&["--listen", "0.0.0.0:0"]).status.code(), Some(2));
    type Damage = fn(&std::path::Path) -> std::io::Result<()>;
    let damages: [(Damage, &str); 2] = [
        (|database| std::fs::write(database, [7; 8192]), "the database is damaged"),
        (|database| std::fs::remove_file(database), "restore the whole folder from a backup"),
    ];
    for (damage, says) in damages {
        damage(&data.join("portcullis.db")).unwrap();
        let refused = serve(&["--listen", "127.0.0.1:0"]);
        let errors = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(7), "{errors}");
        assert!(errors.contains(says), "{errors}");
    }
}

/// Operators exchange keys before they start their servers.
#[test]
fn a_classroom_key_is_made_before_there_is_a_server() {
    let mut world = World::new(&[]);
    let key = || {
        let output = world.admin(&["classroom-key"]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    // Who asks at the same time is told the same.
    let keys = std::thread::scope(|scope| {
        let asking = [(); 4].map(|()| scope.spawn(key));
        asking.map(|asking| asking.join().unwrap())
    });
    assert!(keys[0].starts_with("-----BEGIN PUBLIC KEY-----"), "{}", keys[0]);
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    let _server = world.serve();
    assert_eq!(text(&world.admin(&["classroom-key"]).stdout), keys[0]);
    let mut files: Vec<_> = std::fs::read_dir(world.path("data")).unwrap().collect();
    files.retain(|file| file.as_ref().unwrap().file_name().to_string_lossy().contains(".new"));
    assert_eq!(files.len(), 0);
}
