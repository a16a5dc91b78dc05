//! The program in a real pseudo-terminal. What a terminal would show is waited for, with a deadline;
//! nothing waits for time alone.

use std::io::{Read as _, Write};
use std::num::NonZero;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};
use vt100::{Color, Parser};

use crate::program::DEADLINE;

/// A password that the program takes.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// A terminal with a program in it.
pub(crate) struct Pty {
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
    bytes: Receiver<Vec<u8>>,
    parser: Parser,
    /// Everything that the program has written.
    pub(crate) written: Vec<u8>,
}

impl Pty {
    /// Starts `portcullis` with these arguments, in 24 rows of 80 columns.
    pub(crate) fn start(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let program = CommandBuilder::new(env!("CARGO_BIN_EXE_portcullis"));
        Self::start_by(program, folder, arguments, environment)
    }

    /// The same, by another command that does it.
    pub(crate) fn start_by(
        mut command: CommandBuilder,
        folder: &Path,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let size = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        command.args(arguments);
        command.cwd(folder);
        command.env_remove("NO_COLOR");
        command.env("TERM", "xterm-256color");
        command.env("XDG_DATA_HOME", folder.join("homes"));
        for (name, value) in environment {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let (sender, bytes) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        let writer = pair.master.take_writer().unwrap();
        let parser = Parser::new(above_zero(24), above_zero(80), 0);
        Self { child, master: pair.master, writer, bytes, parser, written: Vec::new() }
    }

    /// Starts the chat, and makes an account.
    pub(crate) fn register(folder: &Path, server: &str, name: &str) -> Self {
        let mut pty = Self::start(folder, &["chat", "--server", server, "--user", name], &[]);
        pty.fill_in(name);
        pty
    }

    /// Fills in the form for a new account, in which a name that was asked for stands already.
    pub(crate) fn fill_in(&mut self, name: &str) {
        self.wait_for("Make a new account");
        // The last of the form: what is drawn above it is there then, the name too.
        self.wait_for("I have an account");
        let is_named = self.screen().contains(&format!("User name   {name}"));
        let name = if is_named { String::new() } else { format!("{name}\r") };
        self.keys(&format!("{name}{PASSWORD}\r{PASSWORD}\r"));
        self.wait_for("● online");
    }

    /// Presses keys.
    pub(crate) fn keys(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    /// Changes the size of the window.
    pub(crate) fn resize(&mut self, rows: u16, cols: u16) {
        self.parser.screen_mut().set_size(above_zero(rows), above_zero(cols));
        self.master.resize(PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }).unwrap();
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let id = self.child.process_id().and_then(|id| i32::try_from(id).ok());
        kill_process(id.and_then(Pid::from_raw).unwrap(), signal).unwrap();
    }

    /// The screen's text, a line a row.
    pub(crate) fn screen(&self) -> String {
        self.parser.screen().contents()
    }

    /// Whether the program has the screen to itself.
    pub(crate) fn is_alternate(&self) -> bool {
        self.parser.screen().alternate_screen()
    }

    /// The colours of all cells.
    pub(crate) fn colours(&self) -> Vec<Color> {
        let screen = self.parser.screen();
        let (rows, cols) = screen.size();
        let places = (0..rows.get()).flat_map(|row| (0..cols.get()).map(move |col| (row, col)));
        let cells = places.filter_map(|(row, col)| screen.cell(row, col));
        cells.flat_map(|cell| [cell.fgcolor(), cell.bgcolor()]).collect()
    }

    /// Waits until the screen has this text.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) {
        self.wait_until(text, |screen| screen.contains(text));
    }

    /// Waits until some cell has a colour: it may be drawn after a text that is waited for.
    #[track_caller]
    pub(crate) fn wait_for_colour(&mut self) {
        let has_colour = |it: &Self| it.colours().iter().any(|colour| *colour != Color::Default);
        self.wait("a colour", has_colour);
    }

    /// Waits until the screen is as it should be.
    #[track_caller]
    pub(crate) fn wait_until(&mut self, what: &str, is_there: impl Fn(&str) -> bool) {
        self.wait(what, |it| is_there(&it.screen()));
    }

    #[track_caller]
    fn wait(&mut self, what: &str, is_there: impl Fn(&Self) -> bool) {
        let until = Instant::now() + DEADLINE;
        while !is_there(self) {
            let left = until.saturating_duration_since(Instant::now());
            let Ok(bytes) = self.bytes.recv_timeout(left) else {
                panic!("not seen: {what}\n{}", self.screen());
            };
            self.take(&bytes);
        }
    }

    /// Waits for the program's end; its exit code.
    pub(crate) fn end(&mut self) -> u32 {
        let until = Instant::now() + DEADLINE;
        while let Ok(bytes) =
            self.bytes.recv_timeout(until.saturating_duration_since(Instant::now()))
        {
            self.take(&bytes);
        }
        assert!(Instant::now() < until, "it ends in time\n{}", self.screen());
        self.child.wait().unwrap().exit_code()
    }

    fn take(&mut self, bytes: &[u8]) {
        self.parser.process(bytes);
        self.written.extend(bytes);
    }
}

fn above_zero(count: u16) -> NonZero<u16> {
    NonZero::new(count).unwrap()
}

impl Drop for Pty {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
