//! Tools on folders with traps.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::json;
use stack_agent::ToolFailureKind;
use stack_agent::approval::Answer;
use stack_agent::files::{Workspace, list, read, search, stat};
use stack_agent::path::RelativePath;
use stack_agent::state::State;

use crate::support::{Person, Place, Say, Sequence, call, results, start};

fn path(text: &str) -> RelativePath {
    RelativePath::parse(text).unwrap()
}

#[test]
fn no_link_leads_out_of_the_workspace() {
    let place = Place::new();
    let ws = place.ws();
    let outside = ws.parent().unwrap().join("ws-evil");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), "secret").unwrap();
    symlink(&outside, ws.join("out")).unwrap();
    symlink("../ws-evil/secret", ws.join("up")).unwrap();
    symlink("/etc/passwd", ws.join("passwd")).unwrap();
    symlink("/proc/self/root", ws.join("magic")).unwrap();
    symlink("loop", ws.join("loop")).unwrap();
    fs::create_dir(ws.join("in")).unwrap();
    fs::write(ws.join("in/a"), "inside").unwrap();
    symlink("in", ws.join("within")).unwrap();
    let workspace = Workspace::open(&ws).unwrap();
    for name in ["out/secret", "up", "passwd", "magic/etc/passwd", "loop", "out/../../ws-evil/secret"] {
        let Ok(path) = RelativePath::parse(name) else { continue };
        let failure = read(&workspace, &path, 0, 100).unwrap_err();
        assert_eq!(failure.kind, ToolFailureKind::PathEscape, "{name}: {failure}");
        assert!(stat(&workspace, &path).is_err(), "{name}");
    }
    assert_eq!(list(&workspace, &path("out")).unwrap_err().kind, ToolFailureKind::PathEscape);
    assert_eq!(read(&workspace, &path("within/a"), 0, 100).unwrap()["content"], "inside");
    let found = search(&workspace, &path("."), "secret|root:", (None, 10)).unwrap();
    assert_eq!(found["matches"], json!([]), "a search follows no link");
}

#[test]
fn a_link_that_is_swapped_meanwhile_leads_nowhere() {
    let place = Place::new();
    let ws = place.ws();
    let outside = ws.parent().unwrap().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("f"), "OUTSIDE").unwrap();
    fs::create_dir(ws.join("real")).unwrap();
    fs::write(ws.join("real/f"), "inside").unwrap();
    symlink("real", ws.join("d")).unwrap();
    let workspace = Workspace::open(&ws).unwrap();
    assert_eq!(read(&workspace, &path("d/f"), 0, 100).unwrap()["content"], "inside");
    let stop = Arc::new(AtomicBool::new(false));
    let swapper = {
        let (stop, ws) = (Arc::clone(&stop), ws.clone());
        thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                for target in [Path::new("real"), outside.as_path()] {
                    let _gone = fs::remove_file(ws.join("new"));
                    symlink(target, ws.join("new")).unwrap();
                    fs::rename(ws.join("new"), ws.join("d")).unwrap();
                }
            }
        })
    };
    for _ in 0..3000 {
        if let Ok(found) = read(&workspace, &path("d/f"), 0, 100) {
            assert_eq!(found["content"], "inside");
        }
    }
    stop.store(true, Ordering::Relaxed);
    swapper.join().unwrap();
}

#[test]
fn what_is_no_file_of_its_own_is_not_changed() {
    let place = Place::new();
    let ws = place.ws();
    let outside = ws.parent().unwrap().join("precious");
    fs::write(&outside, "precious").unwrap();
    fs::hard_link(&outside, ws.join("hard")).unwrap();
    symlink(&outside, ws.join("soft")).unwrap();
    symlink(".git/hooks", ws.join("hooks")).unwrap();
    fs::create_dir_all(ws.join(".git/hooks")).unwrap();
    fs::create_dir(ws.join("folder")).unwrap();
    let writes: Vec<_> = ["hard", "soft", "hooks/pre-commit", "folder", ".GIT/hooks/x"]
        .into_iter()
        .map(|name| ("write_file", json!({"path": name, "content": "evil"})))
        .collect();
    let count = writes.len();
    let model = Sequence::new(vec![Say::Calls(writes), Say::Text("ok")]);
    let mut person = Person::saying(&vec![Answer::AllowOnce; count]);
    let session = place.run(&start("x"), &model, &mut person);
    assert_eq!(session.state(), State::Failed, "so many denials end it");
    assert_eq!(fs::read_to_string(&outside).unwrap(), "precious");
    assert!(fs::read_dir(ws.join(".git/hooks")).unwrap().next().is_none());
    assert!(fs::symlink_metadata(ws.join("soft")).unwrap().is_symlink());
}

#[test]
fn a_pipe_does_not_make_a_tool_wait() {
    let place = Place::new();
    let fifo = place.ws().join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let workspace = Workspace::open(&place.ws()).unwrap();
    assert_eq!(read(&workspace, &path("fifo"), 0, 10).unwrap_err().kind, ToolFailureKind::Failed);
}

#[test]
fn tools_do_what_they_say() {
    let place = Place::new();
    place.write("long", &"a".repeat(2000));
    place.write("umlaut", "aüb");
    place.write("code.rs", "fn main() {}\nlet x = 1;\n");
    let one = |tool: &'static str, arguments| {
        let model = Sequence::new(vec![call(tool, arguments), Say::Text("ok")]);
        place.run(&start("x"), &model, &mut Person::saying(&[Answer::AllowOnce]));
        results(&model.shown()).remove(0)
    };
    let result = |text: String| serde_json::from_str::<serde_json::Value>(&text).unwrap();
    let cut = result(one("read_file", json!({"path": "long", "max_bytes": 100})));
    assert_eq!((cut["content"].as_str().unwrap().len(), &cut["truncated"]), (100, &json!(true)));
    assert_eq!(result(one("read_file", json!({"path": "umlaut", "max_bytes": 2})))["content"], "a");
    assert_eq!(result(one("stat_file", json!({"path": "code.rs"})))["lines"], 2);
    assert_eq!(result(one("find_files", json!({"pattern": "*.rs"})))["files"], json!(["code.rs"]));
    let found = result(one("search_code", json!({"pattern": "x = \\d"})));
    assert_eq!(found["matches"], json!([{"path": "code.rs", "line": 2, "text": "let x = 1;"}]));
    assert!(one("search_code", json!({"pattern": "("})).contains("input_invalid"));
    one("write_file", json!({"path": "new/deep/a", "content": "1", "create_dirs": true}));
    one("write_file", json!({"path": "new/deep/a", "content": "2", "mode": "append"}));
    assert_eq!(place.read("new/deep/a").as_deref(), Some("12"));
    assert!(one("write_file", json!({"path": "none/a", "content": "1"})).contains("failed"));
    one("edit_file", json!({"path": "code.rs", "edits": [{"old": "x = 1", "new": "y = 2"}]}));
    assert_eq!(place.read("code.rs").as_deref(), Some("fn main() {}\nlet y = 2;\n"));
    let twice =
        json!({"path": "code.rs", "edits": [{"old": "fn", "new": "FN"}, {"old": "nothing", "new": ""}]});
    assert!(one("edit_file", twice).contains("nothing was changed"));
    assert!(place.read("code.rs").unwrap().starts_with("fn"), "all edits or none");
    one("move_file", json!({"from": "umlaut", "to": "moved"}));
    assert_eq!((place.read("umlaut"), place.read("moved").as_deref()), (None, Some("aüb")));
    assert!(one("move_file", json!({"from": "moved", "to": "long"})).contains("there already"));
    one("delete_file", json!({"path": "moved"}));
    assert_eq!(place.read("moved"), None);
    let names = one("list_files", json!({"path": "."}));
    assert!(names.contains("code.rs") && names.contains("folder"), "{names}");
}

#[test]
fn a_person_undoes_a_call() {
    let place = Place::new();
    place.write("a", "old");
    let model = Sequence::new(vec![
        call("write_file", json!({"path": "a", "content": "new"})),
        call("write_file", json!({"path": "b", "content": "new"})),
        call("move_file", json!({"from": "b", "to": "c"})),
        Say::Text("ok"),
    ]);
    let session = place.run(&start("x"), &model, &mut Person::saying(&vec![Answer::AllowOnce; 3]));
    assert_eq!(session.state(), State::Done);
    let calls: Vec<String> =
        model.shown().iter().flat_map(|message| message.tool_calls().map(|call| call.id.clone())).collect();
    let workspace = Workspace::open(&place.ws()).unwrap();
    let undo = |call: &str| place.trash().undo(&workspace, call);
    undo(&calls[2]).unwrap();
    assert_eq!((place.read("b").as_deref(), place.read("c")), (Some("new"), None));
    undo(&calls[1]).unwrap();
    undo(&calls[0]).unwrap();
    assert_eq!((place.read("a").as_deref(), place.read("b")), (Some("old"), None));
    for call in [calls[0].as_str(), "c_aaaaaaaaaaaaaaaa", "../../../etc", ""] {
        assert!(undo(call).is_err(), "{call}");
    }
}
