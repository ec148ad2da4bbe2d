//! The commands of the guides, run one after the other as they stand there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::stack::Ran;

#[test]
fn the_guide_to_signing_works_as_written() {
    let machine = Machine::new();
    let ran = machine.follow("guides/signing.md");
    let verified = ran.iter().filter(|(line, _)| line.starts_with("stack verify")).count();
    assert_eq!(verified, 2);
    // Alice's key was revoked at the end.
    let ran = machine.run("stack verify model.gguf");
    assert_eq!(ran.code, 6, "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn the_guide_to_sealing_works_as_written() {
    let machine = Machine::new();
    let ran = machine.follow("guides/sealing.md");
    let answers: Vec<&str> = ran
        .iter()
        .filter(|(line, _)| line.starts_with("stack run"))
        .map(|(_, ran)| ran.stdout.trim())
        .collect();
    assert_eq!(answers.len(), 2);
    assert!(answers.iter().all(|answer| answer.split(' ').count() > 5), "{answers:?}");
    assert_eq!(fs::read(machine.path("opened.gguf")).unwrap(), MODEL);
}

#[test]
fn the_guide_to_auditing_works_as_written() {
    let machine = Machine::new();
    let ran = machine.follow("guides/audit.md");
    let verified = ran.iter().filter(|(_, ran)| ran.stdout.starts_with("verified: ")).count();
    assert_eq!(verified, 3);
}

#[test]
fn the_guide_to_adapters_works_as_written() {
    let machine = Machine::new();
    let page = page("guides/adapters.md");
    let script =
        page.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap()).collect::<String>();
    let ran = machine.run(&format!("set -e\n{script}"));
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let says = "version 1 for acme (openai_chat) breaks no rule and passes its 1 examples";
    assert!(
        ran.stdout.contains(says) && ran.stdout.contains("+ /finish/finished \"stop\""),
        "{}",
        ran.stdout
    );
    assert_eq!(ran.stderr, "", "every operation is needed by the example");
}

#[test]
fn the_guide_to_looking_before_running_works_as_written() {
    let machine = Machine::new();
    let ran = machine.follow("guides/insight.md");
    assert!(
        ran.iter().any(|(_, ran)| ran.stdout.contains("Use:       stack serve (engine), confidence 0.85"))
    );
    assert!(machine.path("prompt.md").exists());
}

#[test]
fn every_recipe_of_the_oracle_works_as_written() {
    let book = Machine::new().run("stack oracle --cookbook --json").json();
    let recipes = book.as_array().unwrap();
    assert!(recipes.len() >= 8, "{book}");
    for recipe in recipes {
        let machine = Machine::new();
        for line in recipe["commands"].as_array().unwrap() {
            let line = line.as_str().unwrap();
            let ran = machine.run(line);
            assert_eq!(ran.code, 0, "{}: $ {line}\n{}{}", recipe["id"], ran.stdout, ran.stderr);
        }
    }
}

/// A machine with a model and nothing else.
struct Machine {
    folder: TempDir,
}

impl Machine {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("model.gguf"), MODEL).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs every command of a page of the book, each of which must succeed.
    #[track_caller]
    fn follow(&self, page: &str) -> Vec<(String, Ran)> {
        let commands = commands(&self::page(page));
        assert!(commands.len() > 5, "{commands:?}");
        let run = |line: String| {
            let ran = self.run(&line);
            assert_eq!(ran.code, 0, "$ {line}\n{}{}", ran.stdout, ran.stderr);
            (line, ran)
        };
        commands.into_iter().map(run).collect()
    }

    #[expect(clippy::disallowed_methods, reason = "a shell finds its tools on the path of the test")]
    fn run(&self, line: &str) -> Ran {
        // There is no terminal to type a passphrase on; all else is as somebody types it.
        let line = match line.strip_prefix("stack keygen ") {
            Some(rest) => format!("stack keygen --no-passphrase {rest}"),
            None => line.to_owned(),
        };
        let program = Path::new(env!("CARGO_BIN_EXE_stack"));
        let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
        let mut command = Command::new("sh");
        command.arg("-c").arg(line).current_dir(self.folder.path());
        command.env("PATH", path).env("STACK_HOME", self.path("home")).env_remove("STACK_LOG");
        Ran::from(command.stdin(std::process::Stdio::null()).output().unwrap())
    }
}

fn page(name: &str) -> String {
    let book = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../book/src");
    fs::read_to_string(book.join(name)).unwrap()
}

/// The lines of a page that are meant for a shell.
fn commands(page: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut inside = false;
    for line in page.lines() {
        match line.trim() {
            "```sh" => inside = true,
            "```" => inside = false,
            line if inside && !line.is_empty() => commands.push(line.to_owned()),
            _ => {}
        }
    }
    commands
}

const MODEL: &[u8] = include_bytes!("../../../../models/default/stories.gguf");
