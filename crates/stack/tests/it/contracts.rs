//! The commands that look into a model: what their JSON holds.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use stack_testkit::{nmse, reference_data};

use crate::stack::{Ran, command, stack, stack_with_stdin};
use crate::tiny_model;

#[test]
fn show_lists_the_facts() {
    let dir = tempfile::tempdir().unwrap();
    let path = tiny_model::write(dir.path());
    let name = path.to_str().unwrap();
    let facts = stack(&["show", name, "--ctx", "10", "--json"]).json();
    assert_eq!(facts["id"], "tiny");
    assert_eq!(facts["architecture"], "llama");
    assert_eq!(facts["runs"], true);
    assert_eq!(facts["basis"], "first_seen");
    assert_eq!(facts["size_bytes"], fs::metadata(&path).unwrap().len());
    assert_eq!(facts["shape"]["kv_heads"], json!([1]));
    assert_eq!(facts["shape"]["context"], json!([64]));
    assert_eq!(facts["tokenizer"]["tokens"], 11);
    assert_eq!(facts["types"][0]["type"], "F32");
    assert_eq!(facts["types"][0]["tensors"], 12);
    assert_eq!(facts["types"][0]["bytes"], facts["parameters"].as_u64().unwrap() * 4);
    assert_eq!(facts["tokenizer"]["kind"], "llama");
    assert_eq!(facts["tokenizer"]["bos"], json!({"id": 1, "text": "<s>"}));
    let memory = &facts["memory"];
    let cache = memory["cache_bytes_per_token"].as_u64().unwrap();
    assert_eq!(memory["total_bytes"], memory["weights_bytes"].as_u64().unwrap() + 10 * cache);

    let text = stack(&["show", name]).output();
    assert!(text.contains("12 × F32") && text.contains("llama") && !text.contains('\u{1b}'), "{text}");
    let template = stack(&["show", name, "--template"]).output();
    assert_eq!(template, facts["template"].as_str().unwrap());
}

#[test]
fn tokens_come_with_their_pieces() {
    let dir = tempfile::tempdir().unwrap();
    let path = tiny_model::write(dir.path());
    let name = path.to_str().unwrap();
    let tokens = |arguments: &[&str]| stack(&[&["tokenize", name, "--json"], arguments].concat()).json();
    assert_eq!(tokens(&["ab"]), json!({"ids": [1, 7], "pieces": ["<s>", " ab"]}));
    assert_eq!(tokens(&["ab", "--no-special"]), json!({"ids": [7], "pieces": [" ab"]}));
    assert_eq!(tokens(&["<|end|>"])["ids"], json!([1, 9]));
    assert!(!tokens(&["<|end|>", "--no-special"])["ids"].as_array().unwrap().contains(&json!(9)));
    let piped = stack_with_stdin(&["tokenize", name, "--json", "--no-special"], b"ab").json();
    assert_eq!(piped["ids"], json!([7]));
    assert_eq!(stack(&["tokenize", name, "ab"]).output(), "      1  \"<s>\"\n      7  \" ab\"\n");
}

#[test]
fn conversations_are_rendered_exactly() {
    let dir = tempfile::tempdir().unwrap();
    let path = tiny_model::write(dir.path());
    let render = ["render", "-", "--model", path.to_str().unwrap()];
    let messages = r#"[{"role": "user", "content": "Hi\n"}]"#;
    assert_eq!(stack_with_stdin(&render, messages.as_bytes()).output(), "<s><user>Hi\n<assistant>");
    let object = format!(r#"{{"messages": {messages}, "bos_token": "[B]"}}"#);
    assert_eq!(stack_with_stdin(&render, object.as_bytes()).output(), "[B]<user>Hi\n<assistant>");
    let text = stack_with_stdin(&[&render[..], &["--json"]].concat(), messages.as_bytes()).json();
    assert_eq!(text, json!({"text": "<s><user>Hi\n<assistant>"}));
}

#[test]
fn the_date_can_be_fixed() {
    let dir = tempfile::tempdir().unwrap();
    let template = dir.path().join("date.jinja");
    fs::write(&template, "{{ strftime_now('%Y-%m-%d %H:%M') }}").unwrap();
    let render = ["render", "-", "--template", template.to_str().unwrap(), "--now", "2025-07-26T12:30:00"];
    assert_eq!(stack_with_stdin(&render, b"[]").output(), "2025-07-26 12:30");
}

#[test]
fn templates_of_many_families_render_as_the_reference_does() {
    let Some(folder) = reference_data("templates") else { return };
    let golden: Value = serde_json::from_slice(&fs::read(folder.join("golden.json")).unwrap()).unwrap();
    for (name, results) in golden["templates"].as_object().unwrap() {
        let template = folder.join(name);
        let render =
            ["render", "-", "--template", template.to_str().unwrap(), "--now", "2025-07-26T00:00:00"];
        for (case, expected) in results.as_object().unwrap() {
            let mut input = golden["cases"][case].clone();
            input["bos_token"] = golden["bos_token"].clone();
            input["eos_token"] = golden["eos_token"].clone();
            let ran = stack_with_stdin(&render, input.to_string().as_bytes());
            match expected["text"].as_str() {
                Some(text) => assert_eq!(ran.output(), text, "{name}, {case}"),
                None => assert_ne!(ran.code, 0, "{name} refuses {case}"),
            }
        }
    }
}

#[test]
fn logits_are_one_row_for_each_position() {
    let dir = tempfile::tempdir().unwrap();
    let path = tiny_model::write(dir.path());
    let logits = |arguments: &[&str]| {
        stack(&[&["logits", path.to_str().unwrap(), "--tokens", "1,4,5,6"], arguments].concat())
    };
    let whole = logits(&["--json"]).json();
    assert_eq!(whole["tokens"], json!([1, 4, 5, 6]));
    assert_eq!(rows(&whole).len(), 4);
    assert!(rows(&whole).iter().all(|row| row.len() == 11));
    for split in ["0", "2"] {
        let split = logits(&["--json", "--split", split]).json();
        for (row, expected) in rows(&split).iter().zip(rows(&whole)) {
            assert!(nmse(row, &expected) < 1e-9);
        }
    }
    let text = logits(&[]).output();
    assert_eq!(text.lines().map(|line| line.split(' ').count()).collect::<Vec<_>>(), [11; 4]);
}

#[test]
fn logits_are_those_of_the_reference() {
    for folder in ["stories260K", "archs", "types"] {
        let Some(folder) = reference_data(folder) else { return };
        for entry in fs::read_dir(&folder).unwrap() {
            let model = entry.unwrap().path();
            if model.extension().is_some_and(|ending| ending == "gguf") && is_supported(&model) {
                compare_logits(&model, &["--split", "24"]);
                compare_logits(&model, &[]);
            }
        }
    }
}

/// Whether there is a row for the model's architecture. The reference data also holds models without one, and nothing
/// but that excuses a model that does not run.
fn is_supported(model: &Path) -> bool {
    let facts = stack(&["show", model.to_str().unwrap(), "--json"]).json();
    let runs = facts["runs"].as_bool().unwrap();
    assert!(runs || facts["problem"].as_str().unwrap().contains("is not known here"), "{facts}");
    runs
}

fn compare_logits(model: &Path, split: &[&str]) {
    let reference: Value = serde_json::from_slice(&fs::read(model.with_extension("json")).unwrap()).unwrap();
    let tokens: Vec<String> = reference["tokens"].as_array().unwrap().iter().map(Value::to_string).collect();
    let tokens = tokens.join(",");
    let logits = ["logits", model.to_str().unwrap(), "--json", "--threads", "1", "--tokens", &tokens];
    let computed = rows(&stack(&[&logits[..], split].concat()).json());
    let expected = rows(&reference);
    assert_eq!(computed.len(), expected.len());
    // The tolerances of the data's README: engines that quantize activations differ from the exact reference.
    let name = model.file_stem().unwrap().to_str().unwrap();
    let quantized = model.parent().unwrap().ends_with("types") && !name.ends_with("F16");
    let tolerance = if quantized { 6e-4 } else { 1e-4 };
    for (computed, expected) in computed.iter().zip(&expected) {
        let error = nmse(computed, expected);
        assert!(error <= tolerance, "{name}, {split:?}: {error}");
    }
}

#[test]
fn bench_reports_what_its_contract_says() {
    let dir = tempfile::tempdir().unwrap();
    let path = tiny_model::write(dir.path());
    let bench = |arguments: &[&str]| {
        let common = ["bench", path.to_str().unwrap(), "--threads", "1", "--reps", "3", "--json"];
        stack(&[&common, arguments].concat()).json()
    };
    let report = bench(&["--prompt", "16", "--generate", "4", "--depth", "8", "--batch", "2"]);
    let keys: Vec<&String> = report.as_object().unwrap().keys().collect();
    let expected = [
        "model",
        "size_bytes",
        "threads",
        "device",
        "isa",
        "commit",
        "load_seconds",
        "peak_rss_bytes",
        "prefill",
        "decode",
    ];
    assert_eq!(keys, expected);
    assert_eq!(
        (&report["model"], &report["threads"], &report["device"]),
        (&"tiny".into(), &1.into(), &"cpu".into())
    );
    assert_eq!(report["size_bytes"], fs::metadata(&path).unwrap().len());
    assert!(report["load_seconds"].as_f64().unwrap() > 0.0);
    for (part, tokens) in [("prefill", 16), ("decode", 4)] {
        assert_eq!((&report[part]["tokens"], &report[part]["reps"]), (&tokens.into(), &3.into()));
        let speed = |name: &str| report[part]["tokens_per_second"][name].as_f64().unwrap();
        assert!(0.0 < speed("min") && speed("min") <= speed("median") && speed("median") <= speed("max"));
    }
    let by_candle = bench(&["--prompt", "2", "--generate", "1", "--device", "candle"]);
    assert_eq!(by_candle["device"], "candle");
    assert_ne!(by_candle["isa"], report["isa"]);
    let eight_bits = bench(&["--prompt", "2", "--generate", "1", "--kv-cache", "q8_0"]);
    assert_eq!(eight_bits["device"], "cpu");
    let with_memory = bench(&["--prompt", "1", "--generate", "4", "--depth", "8", "--memory"]);
    let rate = |name: &str| with_memory["memory"]["gigabytes_per_second"][name].as_f64().unwrap();
    assert!(0.0 < rate("min") && rate("min") <= rate("max"));
    let deeper = bench(&["--prompt", "0", "--generate", "4", "--depth", "24", "--memory"]);
    let read = |report: &Value| report["memory"]["bytes_per_token"].as_u64().unwrap();
    let shown = stack(&["show", path.to_str().unwrap(), "--json"]).json();
    assert_eq!(
        read(&deeper) - read(&with_memory),
        16 * shown["memory"]["cache_bytes_per_token"].as_u64().unwrap()
    );
    assert!(bench(&["--prompt", "0", "--generate", "1"]).get("prefill").is_none());
    assert!(bench(&["--prompt", "1", "--generate", "0"]).get("decode").is_none());
}

#[test]
fn the_doctor_says_what_would_be_used() {
    let report = stack(&["doctor", "--json"]).json();
    assert!(report["threads"].as_u64().unwrap() >= 1);
    assert_eq!(
        report["devices"][0],
        json!({"name": "cpu", "built_in": true, "usable": true, "problem": null})
    );
    assert_eq!(report["default_model"]["id"], "default");
    let scalar = Ran::from(command(&["doctor", "--json"]).env("STACK_ISA", "scalar").output().unwrap());
    let scalar = &scalar.json()["processor"];
    assert_eq!(scalar["isa"], "scalar");
    assert_eq!(scalar["prefetch"], json!(null), "scalar kernels leave no choice");
    for policy in ["software", "hardware"] {
        let doctor = command(&["doctor", "--json"]).env("STACK_PREFETCH", policy).output().unwrap();
        assert_eq!(Ran::from(doctor).json()["processor"]["prefetch"], policy);
    }
    assert!(stack(&["doctor"]).output().contains("threads"));
}

#[test]
fn the_doctor_says_what_may_be_loaded() {
    let home = tempfile::tempdir().unwrap();
    let doctor =
        || Ran::from(command(&["doctor", "--json"]).env("STACK_HOME", home.path()).output().unwrap()).json();
    assert_eq!(doctor()["trust"]["default_level"], "audit");
    fs::create_dir(home.path().join("trust")).unwrap();
    let file = home.path().join("trust/trust.toml");
    fs::write(&file, "level = \"strict\"\n").unwrap();
    assert_eq!(doctor()["trust"]["default_level"], "strict");
    fs::write(&file, "level = 7\n").unwrap();
    assert!(doctor()["trust"]["problem"].as_str().unwrap().contains("trust.toml"));
}

#[test]
fn the_doctor_says_where_everything_is_kept() {
    let home = tempfile::tempdir().unwrap();
    let doctor = |arguments: &[&str]| {
        let mut command = command(&[&["doctor"], arguments].concat());
        Ran::from(command.env("STACK_HOME", home.path()).output().unwrap())
    };
    let folders = &doctor(&["--json"]).json()["folders"];
    let path = |name: &str| json!(home.path().join(name).to_str().unwrap());
    assert_eq!(folders["home"], json!(home.path().to_str().unwrap()));
    assert_eq!((&folders["models"], &folders["keys"]), (&path("store"), &path("keys")));
    assert_eq!((&folders["configuration"], &folders["history"]), (&path("stack.toml"), &path("history")));
    let text = doctor(&[]).output();
    assert!(text.contains(&format!("history    {}", home.path().join("history").display())), "{text}");
    let elsewhere = doctor(&["--json", "--home", "/elsewhere"]).json();
    assert_eq!(elsewhere["folders"]["keys"], "/elsewhere/keys");
}

fn rows(report: &Value) -> Vec<Vec<f32>> {
    let row = |row: &Value| row.as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32).collect();
    report["logits"].as_array().unwrap().iter().map(row).collect()
}
