//! What goes wrong, and with which exit code.

use std::fs;

use crate::stack::{Ran, command, stack, stack_with_stdin};
use crate::tiny_model;

#[test]
fn wrong_arguments_are_usage_errors() {
    for arguments in [
        &["fly"][..],
        &["run", "--temperature", "hot"],
        &["run", "--temperature", "inf"],
        &["run", "--max-tokens", "0"],
        &["run", "--max-tokens", "-2"],
        &["run", "--seed", "-2"],
        &["run", "--top-p", "1.5"],
        &["serve", "--temp", "-1"],
        &["serve", "a", "-m", "b"],
        &["show", "a", "-m", "b"],
        &["cp", "a"],
        &["cp", "a", "../b"],
        &["help", "fly"],
        &["run", "--ctx", "0"],
        &["run", "--threads", "0"],
        &["run", "--threads", "100000"],
        &["run", "--raw", "--system", "x"],
        &["run", "--device", "abacus"],
        &["run", "--kv-cache", "q4_0"],
        &["serve", "--port", "65536"],
        &["serve", "--host", "nowhere.example"],
        &["logits", "default", "--tokens", "1,x"],
        &["logits", "default", "--tokens", "-1"],
        &["logits", "default"],
        &["bench", "default", "--prompt", "99999999999"],
        &["bench", "default", "--reps", "0"],
        &["render", "x.json", "--now", "yesterday"],
        &[],
    ] {
        stack(arguments).fails(2, &[]);
    }
}

#[test]
fn an_instruction_set_that_is_not_there_is_a_usage_error() {
    for arguments in [&["doctor"][..], &["run", "Hello there"], &["bench", "default"]] {
        let output = command(arguments).env("STACK_ISA", "abacus").output().unwrap();
        Ran::from(output).fails(2, &["STACK_ISA=abacus", "abacus", "hint: "]);
    }
}

#[test]
fn a_prefetch_policy_that_does_not_exist_is_a_usage_error() {
    for arguments in [&["doctor"][..], &["run", "-p", "Hello"], &["bench", "default"]] {
        let output = command(arguments).env("STACK_PREFETCH", "both").output().unwrap();
        Ran::from(output).fails(2, &["STACK_PREFETCH=both", "software and hardware", "hint: "]);
    }
}

#[test]
fn a_missing_model_is_said_with_a_hint() {
    for arguments in [
        &["show", "none.gguf"][..],
        &["run", "-m", "none.gguf", "x"],
        &["tokenize", "none.gguf", "x"],
        &["logits", "none.gguf", "--tokens", "1"],
        &["bench", "none.gguf"],
        &["serve", "--port", "0", "-m", "none.gguf"],
        &["render", "-m", "none.gguf", "-"],
    ] {
        stack_with_stdin(arguments, b"[]")
            .fails(3, &["error: none.gguf: cannot be opened", "caused by: ", "hint: "]);
    }
    stack(&["render", "none.json"]).fails(3, &["none.json", "hint: "]);
}

#[test]
fn what_is_no_model_is_malformed() {
    let dir = tempfile::tempdir().unwrap();
    let whole = fs::read(tiny_model::write(dir.path())).unwrap();
    let path = dir.path().join("wrong.gguf");
    let name = path.to_str().unwrap();
    for content in [
        &b""[..],
        b"GGUF",
        b"PK\x03\x04 zip",
        b"GGUF\x03\0\0\0\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF",
        &whole[..999],
    ] {
        fs::write(&path, content).unwrap();
        for arguments in [&["show", name][..], &["run", "-m", name, "x"], &["tokenize", name, "x"]] {
            stack(arguments).fails(4, &["error: ", "wrong.gguf", "hint: "]);
        }
    }
    let empty = tempfile::tempdir().unwrap();
    stack(&["show", empty.path().to_str().unwrap()]).fails(4, &["holds no model"]);
}

#[test]
fn what_people_take_for_models_is_named_with_a_way_out() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.gguf");
    let name = path.to_str().unwrap();
    let lfs = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n";
    for (content, problem, way_out) in [
        (&lfs[..], "Git LFS pointer", "git lfs pull"),
        (b"<!DOCTYPE html><html>", "web page", "stack pull hf://"),
        (b"\x1F\x8B\x08\0\0\0\0\0", "archive", "unpack it"),
        (b"tjgg\x03\0\0\0", "before GGUF", "convert_hf_to_gguf.py"),
        (b"PK\x03\x04\0\0archive/data.pkl", "PyTorch", "SafeTensors"),
        (b"", "is empty", "fetch it again"),
    ] {
        fs::write(&path, content).unwrap();
        for arguments in [&["show", name][..], &["run", "-m", name, "x"]] {
            let ran = stack(arguments);
            assert!(!ran.stderr.contains("stack show"), "{}", ran.stderr);
            ran.fails(4, &["error: ", "model.gguf", problem, "hint: ", way_out]);
        }
    }
}

#[test]
fn folders_without_weights_say_what_they_hold() {
    for (names, code, problem, way_out) in [
        (&["tokenizer.model"][..], 4, "tokenizer.model is a tokenizer", "stack pull hf://"),
        (&["config.json", "pytorch_model.bin"], 4, "pytorch_model.bin is a PyTorch", "SafeTensors"),
        (&["pytorch_model.bin"], 4, "pytorch_model.bin is a PyTorch", "SafeTensors"),
        (&["adapter_config.json", "adapter_model.safetensors"], 4, "LoRA adapter", "merge"),
        (&["config.json"], 3, "model.safetensors: is missing", "stack pull"),
        (&["model.safetensors"], 3, "config.json: is missing", "stack pull"),
        (&["config.json", "model-00001-of-00002.safetensors"], 3, "index.json: is missing", "stack pull"),
        (&["mmproj-f16.gguf"], 4, "mmproj", "language model"),
        (&["snapshots/x", "refs/main"], 4, "Hugging Face hub", "snapshots"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        for name in names {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"{}").unwrap();
        }
        let folder = dir.path().to_str().unwrap();
        for arguments in [&["show", folder][..], &["run", "-m", folder, "x"]] {
            stack(arguments).fails(code, &["error: ", problem, "hint: ", way_out]);
        }
    }
}

#[test]
fn a_missing_shard_is_named_with_a_way_out() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("m-00001-of-00002.gguf");
    let shard = stack_testkit::GgufBuilder::new("llama").u32("split.no", 0).u32("split.count", 2);
    fs::write(&path, shard.f32_tensor("x", &[1], &[0.0]).build()).unwrap();
    let name = path.to_str().unwrap();
    for arguments in [&["show", name][..], &["run", "-m", name, "x"]] {
        let ran = stack(arguments);
        assert!(!ran.stderr.contains("stack show"), "{}", ran.stderr);
        ran.fails(3, &["m-00002-of-00002.gguf", "is missing", "hint: ", "stack pull"]);
    }
}

#[test]
fn an_unknown_architecture_is_shown_but_not_run() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new.gguf");
    let model = stack_testkit::GgufBuilder::new("quantum9").u32("quantum9.block_count", 7);
    fs::write(&path, model.f32_tensor("x", &[2], &[0.0, 1.0]).build()).unwrap();
    let name = path.to_str().unwrap();
    let shown = stack(&["show", name, "--json"]).json();
    assert_eq!((&shown["runs"], &shown["architecture"]), (&false.into(), &"quantum9".into()));
    assert_eq!((&shown["parameters"], &shown["shape"]["layers"]), (&2.into(), &serde_json::json!([7])));
    assert!(shown["problem"].as_str().unwrap().contains("quantum9"));
    stack(&["run", "-m", name, "--raw", "x"]).fails(4, &["quantum9", "llama"]);
}

#[test]
fn a_model_without_a_template_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let path = tiny_model::write_without_template(dir.path());
    stack(&["run", "-m", path.to_str().unwrap(), "a"]).fails(2, &["no chat template", "hint: ", "--raw"]);
}

#[test]
fn prompts_are_text_and_fit_the_context() {
    let dir = tempfile::tempdir().unwrap();
    let path = tiny_model::write(dir.path());
    let run = ["run", "--raw", "-m", path.to_str().unwrap()];
    stack_with_stdin(&run, b"").fails(2, &["the prompt is empty"]);
    stack_with_stdin(&run, b"ab\xFF").fails(4, &["not UTF-8 at byte 2"]);
    stack_with_stdin(&run, "c".repeat(500).as_bytes()).fails(11, &["context", "hint: ", "--ctx"]);
}

#[test]
fn conversations_that_make_no_sense_are_malformed() {
    let dir = tempfile::tempdir().unwrap();
    let path = tiny_model::write(dir.path());
    let render = ["render", "-", "--model", path.to_str().unwrap()];
    let deep = "[".repeat(100_000);
    for text in ["", "{", "3", "{}", r#"{"messages": 1}"#, "[1]", r#"{"messages": "x"}"#, &deep] {
        stack_with_stdin(&render, text.as_bytes()).fails(4, &["error: ", "hint: "]);
    }
    let template = dir.path().join("endless.jinja");
    fs::write(&template, "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}")
        .unwrap();
    let endless = ["render", "-", "--template", template.to_str().unwrap()];
    stack_with_stdin(&endless, b"[]").fails(11, &["error: ", "hint: "]);
    fs::write(&template, "{% for %}").unwrap();
    stack_with_stdin(&endless, b"[]").fails(4, &["line 1"]);
    fs::write(&template, "{{ raise_exception('no tools here') }}").unwrap();
    stack_with_stdin(&endless, b"[]").fails(4, &["no tools here"]);
}

#[test]
fn tokens_and_lengths_beyond_the_model_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = tiny_model::write(dir.path());
    let name = path.to_str().unwrap();
    stack(&["logits", name, "--tokens", "11"]).fails(2, &["token 11", "vocabulary of 11"]);
    let many = vec!["1"; 65].join(",");
    stack(&["logits", name, "--tokens", &many]).fails(11, &["65 tokens", "context length of 64"]);
    stack(&["bench", name, "--prompt", "60", "--generate", "0", "--depth", "5"]).fails(11, &["65 tokens"]);
}

#[test]
fn devices_that_are_not_built_in_are_refused() {
    if cfg!(any(feature = "cuda", feature = "metal")) {
        return;
    }
    stack(&["run", "--device", "cuda", "x"])
        .fails(2, &["without support for cuda", "hint: ", "--features cuda"]);
}

#[test]
fn only_the_processor_holds_keys_and_values_in_eight_bits() {
    stack(&["run", "--device", "candle", "--kv-cache", "q8_0", "x"])
        .fails(2, &["candle does not support a q8_0 KV cache", "hint: "]);
}

#[cfg(unix)]
#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let dir = tempfile::tempdir().unwrap();
    let path = tiny_model::write(dir.path());
    let many = vec!["1"; 60].join(",");
    let mut child = command(&["logits", path.to_str().unwrap(), "--tokens", &many]).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}
