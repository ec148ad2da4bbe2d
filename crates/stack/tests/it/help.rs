//! Help and completions.

use crate::stack::stack;

const COMMANDS: [&str; 34] = [
    "run",
    "serve",
    "ps",
    "stop",
    "list",
    "show",
    "pull",
    "push",
    "cp",
    "rm",
    "gc",
    "export",
    "import",
    "adopt",
    "keygen",
    "sign",
    "verify",
    "trust",
    "encrypt",
    "decrypt",
    "rekey",
    "tokenize",
    "render",
    "logits",
    "bench",
    "route",
    "circuit",
    "health",
    "providers",
    "lineage",
    "doctor",
    "completions",
    "help",
    "version",
];

#[test]
fn every_command_explains_itself() {
    let overview = stack(&["--help"]).output();
    for command in COMMANDS {
        assert!(overview.contains(&format!("\n  {command} ")), "{command} is not in:\n{overview}");
        let help = stack(&[command, "--help"]).output();
        assert!(help.contains(&format!("Usage: stack {command}")), "{help}");
    }
}

#[test]
fn every_reading_command_speaks_json() {
    for command in COMMANDS
        .into_iter()
        .filter(|name| !["serve", "trust", "circuit", "completions", "help"].contains(name))
    {
        assert!(stack(&[command, "--help"]).output().contains("--json"), "{command}");
    }
}

#[test]
fn help_is_a_command_too() {
    assert_eq!(stack(&["help"]).output(), stack(&["--help"]).output());
    assert_eq!(stack(&["help", "run"]).output(), stack(&["run", "--help"]).output());
    assert_eq!(stack(&["help", "trust", "add"]).output(), stack(&["trust", "add", "--help"]).output());
    assert_eq!(stack(&["help", "ls"]).output(), stack(&["list", "--help"]).output());
    stack(&["help", "rnu"]).fails(2, &["has no command", "did you mean `stack run`?"]);
    stack(&["help", "trust", "fly"]).fails(2, &["stack trust has no command"]);
}

#[test]
fn unknown_commands_and_options_say_what_to_do() {
    stack(&["top"]).fails(2, &["error: stack has no command \"top\"", "hint: ", "stack ps"]);
    stack(&["unload", "llama3"]).fails(2, &["hint: ", "stack stop"]);
    let create = stack(&["create", "mine", "-f", "Modelfile"]);
    assert!(!create.stderr.contains("rekey"), "{}", create.stderr);
    create.fails(2, &["hint: there are no Modelfiles"]);
    stack(&["run", "m", "-ngl", "99"]).fails(2, &["stack run has no option -ngl", "--device"]);
    let json = stack(&["run", "m", "--mlock", "--json"]);
    assert_eq!(json.code, 2);
    let error: serde_json::Value = serde_json::from_str(&json.stderr).unwrap();
    assert_eq!(error["error"]["message"], "stack run has no option --mlock");
}

#[test]
fn the_version_names_the_commit() {
    let version = stack(&["--version"]).output();
    assert_eq!(stack(&["version"]).output(), version);
    assert_eq!(stack(&["version", "--json"]).json()["version"], env!("CARGO_PKG_VERSION"));
    assert!(version.starts_with(concat!("stack ", env!("CARGO_PKG_VERSION"), " (")), "{version}");
}

#[test]
fn shells_get_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = stack(&["completions", shell]).output();
        for word in ["tokenize", "version", "help", "--alias", "--max-tokens"] {
            assert!(
                script.contains(word.trim_start_matches("--")),
                "{word} is not in the script for {shell}"
            );
        }
    }
    stack(&["completions", "tcsh"]).fails(2, &["tcsh"]);
}
