//! Processes that end at any time: what was acknowledged is there.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::json;
use stack_audit::{Kind, Log, Outcome, Phase};

use crate::support::{copy_folder, draft, open, session, verify};

#[test]
fn what_was_open_is_abandoned_or_ambiguous() {
    let folder = tempfile::tempdir().unwrap();
    let audit = open(folder.path());
    let acts = [
        (Kind::MODEL_CALL, json!({}), Outcome::Abandoned),
        (Kind::TOOL_CALL, json!({"rank": "restricted"}), Outcome::Abandoned),
        (Kind::TOOL_CALL, json!({"rank": "elevated"}), Outcome::Ambiguous),
        (Kind::PUSH, json!({}), Outcome::Ambiguous),
    ];
    let begun: Vec<_> = acts
        .iter()
        .map(|(kind, payload, _)| audit.begin(draft(session(1), *kind, payload.clone())).unwrap())
        .collect();
    let crashed = tempfile::tempdir().unwrap();
    copy_folder(folder.path(), crashed.path());
    for act in begun {
        act.done(json!({})).unwrap();
    }

    let audit = open(crashed.path());
    assert_eq!((audit.recovery().abandoned, audit.recovery().ambiguous), (2, 2));
    audit.close().unwrap();
    let report = verify(crashed.path()).unwrap();
    assert_eq!((report.open_intents, report.ambiguous), (0, 2));
    let entries = Log::open(crashed.path()).unwrap().entries(session(1), 5, 100).unwrap();
    for (number, (entry, (.., outcome))) in entries.iter().zip(&acts).enumerate() {
        assert_eq!(entry.entry.phase, Phase::Effect { closes: number as u64 + 1, outcome: *outcome });
    }
    // The next opening finds nothing to do.
    assert_eq!(open(crashed.path()).recovery(), stack_audit::Recovery::default());
}

/// The example that writes until it is killed, if it was built.
pub(crate) fn load_generator() -> Option<PathBuf> {
    let tests = std::env::current_exe().expect("the test has a path");
    let path = tests.parent()?.parent()?.join("examples/audit_load");
    if !path.exists() {
        println!("SKIPPED: {} is not built; `cargo test -p stack-audit` builds it", path.display());
        return None;
    }
    Some(path)
}

/// Starts 64 writers on a log, kills them after a while, and returns what they were told: seq and hash by index.
fn write_and_kill(program: &Path, folder: &Path, after: Duration) -> HashMap<u64, String> {
    let mut child = Command::new(program).arg(folder).arg("64").stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let reader = thread::spawn(move || {
        let mut told = HashMap::new();
        for line in lines.map_while(Result::ok) {
            // The last line may be cut off by the kill.
            if let [index, hash] = line.split(' ').collect::<Vec<_>>()[..]
                && hash.len() == 64
            {
                told.insert(index.parse().unwrap(), hash.to_owned());
            }
        }
        told
    });
    thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap()
}

fn kill_many_times(kills: u64) {
    let Some(program) = load_generator() else { return };
    let (mut acknowledged, mut settled) = (0, 0);
    let mut folder = tempfile::tempdir().unwrap();
    let mut ambiguous = 0;
    for kill in 0..kills {
        if kill % KILLS_PER_LOG == 0 {
            (folder, ambiguous) = (tempfile::tempdir().unwrap(), 0);
        }
        let told = write_and_kill(&program, folder.path(), Duration::from_millis(20 + kill * 37 % 160));
        acknowledged += told.len();
        // A process that was killed before it had made the schema leaves a file that is opened like a new one.
        let audit = open(folder.path());
        let kept = leaves(folder.path());
        for (index, hash) in &told {
            assert_eq!(kept.get(*index as usize), Some(hash), "kill {kill}: acknowledged entry {index}");
        }
        let recovery = audit.recovery();
        ambiguous += recovery.ambiguous;
        settled += recovery.ambiguous + recovery.abandoned;
        audit.close().unwrap();
        let report = verify(folder.path()).unwrap_or_else(|fault| panic!("kill {kill}: {fault}"));
        assert_eq!((report.open_intents, report.ambiguous), (0, ambiguous), "kill {kill}");
    }
    println!("{kills} kills, {acknowledged} acknowledged entries, {settled} acts settled");
    assert!(acknowledged > 0 && settled > 0);
}

/// Returns the stored hashes of all entries.
pub(crate) fn leaves(folder: &Path) -> Vec<String> {
    let connection = rusqlite::Connection::open(folder.join("audit.db")).unwrap();
    let mut select = connection.prepare("SELECT hash FROM entry ORDER BY idx").unwrap();
    let leaves = select.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
    leaves.map(|hash| stack_seal::hex::encode(&hash.unwrap())).collect()
}

#[test]
fn acknowledged_entries_survive_being_killed() {
    kill_many_times(12);
}

#[test]
#[ignore = "takes minutes; run it after changes to the writer or the store"]
fn acknowledged_entries_survive_being_killed_500_times() {
    kill_many_times(500);
}

/// A log that is killed again and again grows, and takes longer to verify each time.
const KILLS_PER_LOG: u64 = 25;
