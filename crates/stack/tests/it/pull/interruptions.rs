//! Pulls that end early, and pulls at the same time.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use stack_testkit::{HttpReply, HttpServer};

use super::{Home, content, ran, sha256};

/// Serves a file slowly: about so many bytes per second on each connection.
fn slow(bytes: &Arc<Vec<u8>>, bytes_per_second: u64) -> HttpServer {
    let bytes = Arc::clone(bytes);
    let pause = Duration::from_secs_f64(PIECE as f64 / bytes_per_second as f64);
    HttpServer::start(move |request| HttpReply::file(request, &bytes, "\"one\"").paced(PIECE, pause))
}

#[test]
fn twenty_kills_cost_less_than_a_twentieth() {
    let (home, bytes) = (Home::new(), content(128 << 20));
    let server = slow(&bytes, 1_300_000);
    let url = server.url("/a.gguf");
    // Scattered, but the same each time.
    let mut state = 12345_u64;
    for kill in 0..20 {
        let mut pull = home.pull(&[&url, "-q"]).stderr(Stdio::null()).spawn().unwrap();
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        thread::sleep(Duration::from_millis(500 + (state >> 33) % 2000));
        assert!(pull.try_wait().unwrap().is_none(), "kill {kill} came too late");
        pull.kill().unwrap();
        pull.wait().unwrap();
        assert!(!home.blob(&sha256(&bytes)).exists());
    }
    ran(home.pull(&[&url, "-q"])).output();
    assert_eq!(std::fs::read(home.blob(&sha256(&bytes))).unwrap(), *bytes);
    let extra = server.bytes_sent() - bytes.len() as u64;
    let share = extra as f64 / bytes.len() as f64;
    eprintln!("20 kills: {extra} bytes were fetched again, {:.2} %", share * 100.0);
    assert!(share < 0.05, "{:.2} % were fetched again", share * 100.0);
}

#[test]
fn kills_at_any_moment_leave_a_sound_store() {
    let home = Home::new();
    let server = HttpServer::start(|request| {
        // Each name is another file.
        HttpReply::file(request, &content(200_000 + request.path().len()), "\"one\"")
    });
    let url = |number: usize| server.url(&format!("/m{}.gguf", "x".repeat(number)));
    let started = Instant::now();
    ran(home.pull(&[&url(0)])).output();
    let whole = started.elapsed();
    for kill in 1..=KILLS {
        let mut pull = home.pull(&[&url(kill), "-q"]).stderr(Stdio::null()).spawn().unwrap();
        // Kills come at every moment of a pull in turn, and some a little after its end.
        thread::sleep(whole * kill as u32 / KILLS as u32 * 12 / 10);
        pull.kill().unwrap();
        pull.wait().unwrap();
        assert_sound(&home);
    }
    for number in 1..=KILLS {
        ran(home.pull(&[&url(number)])).output();
    }
    assert_sound(&home);
    let left = home.partial();
    assert!(left.iter().all(|name| Path::new(name).extension().is_none_or(|end| end != "part")), "{left:?}");
}

/// Every blob is what its name says.
fn assert_sound(home: &Home) {
    for entry in std::fs::read_dir(home.path().join("store/blobs/sha256")).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(path.file_name().unwrap().to_str().unwrap(), sha256(&std::fs::read(&path).unwrap()).hex());
    }
}

#[test]
fn two_pulls_of_one_file_fetch_it_once() {
    let (home, bytes) = (Home::new(), content(4 << 20));
    let server = slow(&bytes, 4 << 20);
    let url = server.url("/a.gguf");
    let pull = || home.pull(&[&url, "--as", "me/mine"]).spawn().unwrap();
    let pulls = [pull(), pull()];
    let outputs = pulls.map(|pull| crate::stack::Ran::from(pull.wait_with_output().unwrap()));
    assert!(outputs.iter().any(|ran| ran.stderr.contains("another process")), "{}", outputs[0].stderr);
    let [one, other] = outputs.map(crate::stack::Ran::output);
    assert_eq!(one, other);
    assert_eq!(server.bytes_sent(), bytes.len() as u64);
}

#[cfg(unix)]
#[test]
fn ctrl_c_keeps_what_came() {
    let (home, bytes) = (Home::new(), content(8 << 20));
    let server = slow(&bytes, 4 << 20);
    let url = server.url("/a.gguf");
    let pull = home.pull(&[&url]).spawn().unwrap();
    let started = Instant::now();
    while server.bytes_sent() < 3 << 20 {
        assert!(started.elapsed() < Duration::from_mins(1), "the download began");
        thread::sleep(Duration::from_millis(20));
    }
    let killed = Command::new("kill").args(["-INT", &pull.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let interrupted = crate::stack::Ran::from(pull.wait_with_output().unwrap());
    assert_eq!(interrupted.code, 130, "{}", interrupted.stderr);
    assert_eq!(home.partial().len(), 2, "the part and its state");
    let before = server.bytes_sent();
    ran(home.pull(&[&url])).output();
    assert!(server.bytes_sent() - before < bytes.len() as u64 - (2 << 20));
}

/// Kills that are spread over the length of a pull.
const KILLS: usize = 60;
/// What is sent at once.
const PIECE: usize = 16 << 10;
