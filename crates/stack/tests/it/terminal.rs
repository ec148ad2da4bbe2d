//! Conversations and bars on a terminal, as somebody sees them who types.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

use nix::pty::{OpenptyResult, Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::Pid;
use stack_testkit::{HttpReply, HttpServer};
use tempfile::TempDir;

#[test]
fn typed_keys_stay_out_of_the_answer_and_are_not_lost() {
    let mut terminal = Terminal::run(60, &["run", "--seed", "1", "--max-tokens", "400"]);
    terminal.wait_for(">>> ");
    let asked = terminal.ask("Tell me a story about a dog.");
    terminal.wait_for(" ");
    // While it answers: a command, another one with a mistake that is taken back, and the way out.
    terminal.kind("/show parameters\r/set nowordwrapx\x7f\r/bye\r");
    terminal.wait_for(">>> ");
    let answer = String::from_utf8_lossy(&terminal.seen[asked..terminal.found]).into_owned();
    assert!(!answer.contains("/show") && !answer.contains("/bye"), "{answer}");
    let lines: Vec<&str> = answer.split("\r\n").collect();
    assert!(lines.len() > 3, "{answer}");
    assert!(lines.iter().all(|line| line.chars().count() < 60), "{answer}");
    terminal.wait_for("seed              1\r\n");
    terminal.wait_for("lines are left as they come");
    assert!(terminal.end().success());
    assert!(terminal.echoes(), "the terminal is as it was");
}

#[test]
fn every_end_leaves_the_terminal_as_it_was() {
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGHUP, 129)] {
        let mut terminal = Terminal::run(80, &["run", "--seed", "1"]);
        terminal.wait_for(">>> ");
        terminal.ask("Tell me a story about a dog.");
        terminal.wait_for(" ");
        terminal.signal(signal);
        assert_eq!(terminal.end().code(), Some(code), "{signal}");
        assert!(terminal.echoes(), "{signal}");
    }
    let mut terminal = Terminal::run(80, &["run", "--seed", "1"]);
    terminal.wait_for(">>> ");
    terminal.ask("Tell me a story about a dog.");
    terminal.wait_for(" ");
    // What Ctrl-C sends to whoever has a terminal of its own.
    terminal.signal(Signal::SIGINT);
    terminal.wait_for(">>> ");
    terminal.kind("/exit\r");
    assert!(terminal.end().success());
    assert!(terminal.echoes());
}

#[test]
fn a_full_context_is_told_and_the_oldest_turns_go_only_if_somebody_agrees() {
    let mut terminal = Terminal::run(80, &["run", "--seed", "1", "--ctx", "96", "--max-tokens", "30"]);
    terminal.wait_for(">>> ");
    terminal.kind("Tell me a story about a dog.\r");
    terminal.wait_for("note: the answer is cut after 30 tokens");
    terminal.wait_for(">>> ");
    terminal.kind("/set parameter num_predict -1\r");
    terminal.wait_for("num_predict: as many tokens as the context leaves");
    let question = "And then there was a big storm, and the little dog ran home to its mother.\r";
    terminal.wait_for(">>> ");
    terminal.kind(question);
    // The answer takes what is left of the context, if anything is; the next question does not fit at all.
    if terminal.wait_for_one(&["[y/N] ", "note: the answer is cut, because the context of 96"]) == 1 {
        terminal.wait_for(">>> ");
        terminal.kind(question);
        terminal.wait_for("[y/N] ");
    }
    terminal.kind("n\r");
    terminal.wait_for("Nothing was dropped");
    terminal.wait_for(">>> ");
    terminal.kind(question);
    terminal.wait_for("[y/N] ");
    terminal.kind("y\r");
    terminal.wait_for("turns; the system message stays");
    terminal.wait_for(">>> ");
    terminal.kind("quit\r");
    assert!(terminal.end().success());
}

#[test]
fn another_model_takes_over_and_tab_completes_commands() {
    let dir = tempfile::tempdir().unwrap();
    let tiny = crate::tiny_model::write(dir.path());
    let mut terminal = Terminal::run(80, &["run"]);
    terminal.wait_for(">>> ");
    terminal.kind("/mo\t");
    terminal.wait_for("/model ");
    terminal.kind(&format!("{}\r", tiny.display()));
    terminal.wait_for("tiny answers now");
    terminal.wait_for(">>> ");
    terminal.kind("/model nowhere.gguf\r");
    terminal.wait_for("error");
    terminal.wait_for(">>> ");
    terminal.kind("/show info\r");
    terminal.wait_for("context       64 tokens");
    terminal.wait_for(">>> ");
    terminal.kind("\x04");
    assert!(terminal.end().success());
}

#[test]
fn bars_fit_the_terminal_and_count_what_moved_now() {
    let home = tempfile::tempdir().unwrap();
    let home_path = home.path().to_str().unwrap().to_owned();
    let header = b"GGUF\x03\0\0\0".iter().copied().chain([0; 16]);
    let bytes: Arc<Vec<u8>> = Arc::new(header.chain((0..24_u32 << 20).map(|n| (n % 251) as u8)).collect());
    let pause = Duration::from_millis(10);
    let served = Arc::clone(&bytes);
    let server =
        HttpServer::start(move |request| HttpReply::file(request, &served, "\"one\"").paced(64 << 10, pause));
    let url = server.url("/a-model-with-a-name-that-is-longer-than-lines-should-be.Q4_K_M.gguf");
    let pull = ["pull", &url, "--as", "m", "--allow-host", "127.0.0.1", "--jobs", "1", "--home", &home_path];
    let mut terminal = Terminal::run(60, &pull);
    terminal.wait_for("/s");
    terminal.signal(Signal::SIGINT);
    assert_eq!(terminal.end().code(), Some(130));
    let seen = terminal.seen();
    let said = seen.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("are kept, and the same command goes on from there"), "{seen}");
    assert_frames(&seen, 60);

    let mut terminal = Terminal::run(60, &pull);
    terminal.wait_for("/s");
    assert!(terminal.end().success());
    let seen = terminal.seen();
    assert_frames(&seen, 60);
    assert!(!["GiB/s", "TiB/s"].iter().any(|unit| seen.contains(unit)), "{seen}");
    // Nothing is left of the bars but what is said at the end.
    let left: Vec<&str> = seen.split('\n').filter(|line| line.contains('█') || line.contains('%')).collect();
    assert!(left.iter().all(|line| line.contains("\x1b[2K") || line.contains("\x1b[K")), "{left:?}");
}

/// Every line that was drawn is shorter than the terminal is wide.
#[track_caller]
fn assert_frames(seen: &str, columns: usize) {
    for line in seen.split(['\r', '\n']) {
        for frame in line.split("\x1b[2K").flat_map(|frame| frame.split("\x1b[1A")) {
            if frame.contains('%') || frame.contains('█') {
                assert!(frame.trim_end().chars().count() < columns, "{frame:?}");
            }
        }
    }
}

/// A terminal in which the program runs, and what it showed.
struct Terminal {
    /// What is typed goes in here.
    keys: File,
    /// Keeps the settings of the terminal alive when the program is gone.
    tty: OwnedFd,
    child: Child,
    shows: Receiver<Vec<u8>>,
    seen: Vec<u8>,
    /// Up to where what was waited for has been found.
    found: usize,
    _state: TempDir,
}

impl Terminal {
    fn run(columns: u16, arguments: &[&str]) -> Self {
        let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let OpenptyResult { master, slave } = openpty(Some(&size), None).unwrap();
        let state = tempfile::tempdir().unwrap();
        let stdio = || Stdio::from(slave.try_clone().unwrap());
        let mut command = Command::new(env!("CARGO_BIN_EXE_stack"));
        command.args(arguments).env_remove("STACK_LOG").env("TERM", "xterm-256color");
        command.env("XDG_STATE_HOME", state.path()).env("STACK_HOME", state.path().join("home"));
        for name in ["STACK_PRIVACY", "STACK_OFFLINE", "HTTPS_PROXY", "ALL_PROXY"] {
            command.env_remove(name);
        }
        let child = command.stdin(stdio()).stdout(stdio()).stderr(stdio()).spawn().unwrap();
        let mut reader = File::from(master.try_clone().unwrap());
        let (sender, shows) = sync_channel(1024);
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self { keys: master.into(), tty: slave, child, shows, seen: Vec::new(), found: 0, _state: state }
    }

    fn kind(&mut self, text: &str) {
        self.keys.write_all(text.as_bytes()).unwrap();
    }

    /// Types a question, waits until the line is taken, and returns the place behind it.
    #[track_caller]
    fn ask(&mut self, question: &str) -> usize {
        self.kind(&format!("{question}\r"));
        // The line editor ends its work by leaving bracketed paste.
        self.wait_for("\x1b[?2004l");
        self.wait_for("\n");
        self.found
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    /// Waits until a text is shown, behind what was waited for before.
    #[track_caller]
    fn wait_for(&mut self, text: &str) {
        self.wait_for_one(&[text]);
    }

    /// Waits for the first of several texts, and says which one it is.
    #[track_caller]
    fn wait_for_one(&mut self, texts: &[&str]) -> usize {
        loop {
            let fresh = String::from_utf8_lossy(&self.seen[self.found..]).into_owned();
            let places =
                texts.iter().enumerate().filter_map(|(which, text)| Some((fresh.find(text)?, which)));
            if let Some((at, which)) = places.min() {
                self.found += at + texts[which].len();
                return which;
            }
            match self.shows.recv_timeout(DELAY) {
                Ok(bytes) => self.seen.extend(bytes),
                Err(error) => panic!("{texts:?} is not shown ({error}):\n{}", self.seen()),
            }
        }
    }

    /// Everything that was shown so far.
    fn seen(&self) -> String {
        String::from_utf8_lossy(&self.seen).into_owned()
    }

    /// Waits for the end of the program.
    fn end(&mut self) -> ExitStatus {
        let status = self.child.wait().unwrap();
        while let Ok(bytes) = self.shows.recv_timeout(Duration::from_millis(200)) {
            self.seen.extend(bytes);
        }
        status
    }

    /// Whether the terminal shows what is typed.
    fn echoes(&self) -> bool {
        tcgetattr(&self.tty).unwrap().local_flags.contains(LocalFlags::ECHO | LocalFlags::ICANON)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A test that failed leaves nothing that runs.
        let _ended = self.child.kill();
        let _ended = self.child.wait();
    }
}

/// What is not shown by then never is.
const DELAY: Duration = Duration::from_mins(1);
