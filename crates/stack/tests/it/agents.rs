//! `stack agent`, `tools` and `policy`: sessions with the default model, which calls no tools, and everything that can be
//! wrong before a model is loaded.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::stack::{Ran, command, stack};

/// A home with a log, and a workspace beside it.
struct Site(TempDir);

impl Site {
    fn new() -> Self {
        let site = Self(tempfile::tempdir().unwrap());
        fs::create_dir(site.path("ws")).unwrap();
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(arguments);
        command.env("STACK_HOME", self.path("home")).current_dir(self.0.path());
        command
    }

    fn stack(&self, arguments: &[&str]) -> Ran {
        Ran::from(self.command(arguments).output().unwrap())
    }
}

/// Shows tools as Hermes' models know them.
const TEMPLATE: &str = r#"{% if tools %}<|im_start|>system
<tools>{% for tool in tools %}{{ tool | tojson }}
{% endfor %}</tools><|im_end|>
{% endif %}{% for message in messages %}<|im_start|>{{ message.role }}
{% if message.content %}{{ message.content }}{% endif %}{% for call in message.tool_calls or [] %}
<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>{% endfor %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"#;

#[test]
fn a_session_runs_is_listed_replays_and_stays_ended() {
    let site = Site::new();
    let story = ["agent", "run", "-w", "ws", "--task", "Tell me a story.", "--max-steps", "1", "--json"];
    site.stack(&story).fails(7, &["no-tools", "--template"]);
    fs::write(site.path("tools.jinja"), TEMPLATE).unwrap();
    let ran = site.stack(&[&story[..], &["--template", "tools.jinja"]].concat());
    // The default model tells stories, and may not come to an end within the tokens of a step.
    let report: Value = match ran.code {
        0 => serde_json::from_str(&ran.stdout).unwrap(),
        11 => serde_json::from_str::<Value>(&ran.stderr).unwrap()["error"]["details"].clone(),
        code => panic!("{code}: {}", ran.stderr),
    };
    assert_eq!((&report["steps"], &report["tool_calls"]), (&json!(1), &json!(0)));
    let id = report["session"].as_str().unwrap();

    let listed = site.stack(&["agent", "list", "--json"]).json();
    assert_eq!(listed["sessions"][0]["session"], id);
    let replayed = site.stack(&["agent", "replay", id, "--json"]).json();
    assert_eq!(replayed, listed["sessions"][0]);
    assert_eq!(replayed["state"], report["state"]);
    let part = site.stack(&["agent", "replay", id, "--until", "1", "--json"]).json();
    assert_eq!((&part["state"], &part["entries"]), (&json!("running"), &json!(1)));
    let shown = site.stack(&["agent", "show", id]).output();
    assert!(shown.contains("Tell me a story.") && shown.contains("session.start"), "{shown}");
    site.stack(&["agent", "resume", id]).fails(7, &["error[session-ended]"]);
    assert!(site.stack(&["audit", "verify"]).output().contains("verified"));
}

#[test]
fn what_is_wrong_is_said_before_a_model_is_loaded() {
    let site = Site::new();
    let run = |more: &[&str]| site.stack(&[&["agent", "run", "-m", "none.gguf"], more].concat());
    run(&["-w", "ws", "--task", " "]).fails(2, &["the task is empty", "hint: "]);
    run(&["-w", "missing", "--task", "x"]).fails(3, &["the workspace missing"]);
    // The home is here by now, and everything above it would open it.
    fs::create_dir_all(site.path("home/inside")).unwrap();
    run(&["-w", ".", "--task", "x"]).fails(7, &["error[workspace]"]);
    run(&["-w", "home/inside", "--task", "x"]).fails(7, &["error[workspace]"]);
    run(&["-w", "ws", "--task", "x", "--tools", "rm_rf"]).fails(2, &["no such tool"]);
    run(&["-w", "ws", "--task", "x", "--mode", "yolo"]).fails(2, &["agent, plan or ask"]);
    run(&["-w", "ws", "--task", "x", "--max-time", "2d"]).fails(2, &["--max-time"]);
    run(&["-w", "ws", "--task", &"x".repeat(40_000)]).fails(11, &["error[task-too-long]", "32 KiB"]);
    run(&["-w", "ws", "--task", "x"]).fails(3, &["none.gguf"]);
    fs::write(site.path("bad.toml"), "[[rule]]\nid = \"a\"\ntool = \"format_disk\"\ndecision = \"allow\"\n")
        .unwrap();
    run(&["-w", "ws", "--task", "x", "--policy", "bad.toml"])
        .fails(4, &["error[bad-policy]", "models never"]);
    let nobody = "00112233445566778899aabbccddeeff";
    for action in ["show", "replay"] {
        site.stack(&["agent", action, nobody]).fails(3, &["error[unknown-session]"]);
    }
    site.stack(&["agent", "resume", nobody]).fails(3, &["error[unknown-session]"]);
    site.stack(&["agent", "undo", nobody, "c_aaaaaaaaaaaaaaaa"]).fails(3, &["error[unknown-session]"]);
}

#[test]
fn without_a_log_no_session_begins() {
    // The shared home of the tests has switched it off.
    stack(&["agent", "run", "--task", "x"]).fails(7, &["error[audit-off]"]);
}

#[test]
fn tools_and_rules_are_shown() {
    let tools = stack(&["tools", "list", "--json"]).json();
    let names: Vec<_> = tools["tools"].as_array().unwrap().iter().map(|tool| tool["name"].clone()).collect();
    assert!(names.contains(&json!("read_file")) && names.contains(&json!("delete_file")), "{names:?}");
    let write = stack(&["tools", "show", "write_file", "--json"]).json();
    assert_eq!((&write["rank"], &write["without_a_rule"]), (&json!("standard"), &json!("ask_once")));
    assert_eq!(write["input_schema"]["required"], json!(["path", "content"]));
    stack(&["tools", "show", "rm_rf"]).fails(3, &["no tool"]);

    let site = Site::new();
    let rules = "[[rule]]\nid = \"out\"\ntool = \"write_file\"\ndecision = \"allow\"\npath_prefix = \"out\"\n\
                 match = [\"out/a\"]\nnot_match = [\"out-b/a\"]\n";
    fs::create_dir_all(site.path("home/agent")).unwrap();
    fs::write(site.path("home/agent/policy.toml"), rules).unwrap();
    assert!(site.stack(&["policy", "check"]).output().contains("1 rules"));
    let shown = site.stack(&["policy", "show"]).output();
    assert!(shown.contains("write_file   ask_once\n  allow      out below out"), "{shown}");
    fs::write(site.path("wrong.toml"), rules.replace("out-b/a", "out/b")).unwrap();
    site.stack(&["policy", "check", "wrong.toml"]).fails(4, &["error[bad-policy]", "not_match"]);
    site.stack(&["policy", "check", "nowhere.toml"]).fails(3, &["nowhere.toml"]);
}
