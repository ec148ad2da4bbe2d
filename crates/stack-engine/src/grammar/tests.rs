use serde_json::{Value as Json, json};
use stack_chat::{Grammar, GrammarSyntax, Json as JsonText, Tool};

use super::*;
use crate::reply::{CallRule, MessageFormat, ReplyEvent, ReplyParser, opened_grammar, reply_grammar};
use crate::tokenizer::Tokenizer;
use crate::weights::{GgufFile, WeightSource};

/// The vocabulary of Qwen 2, of the reference data.
fn tokenizer() -> Option<Tokenizer> {
    let folder = stack_testkit::reference_data("tokenizers")?;
    let path = folder.join("ggml-vocab-qwen2.gguf");
    let file = GgufFile::open(&path).unwrap();
    Some(Tokenizer::from_metadata(file.metadata()).unwrap())
}

/// Writes an answer: the token of those allowed that `choose` picks, until the answer ends.
fn write(
    constraint: &mut Constraint,
    tokenizer: &Tokenizer,
    choose: &mut dyn FnMut(&[u32]) -> u32,
) -> String {
    let mut text = Vec::new();
    for _ in 0..400 {
        let mask = constraint.mask().unwrap();
        if tokenizer.end_of_generation().any(|end| mask.allows(end)) {
            break;
        }
        let allowed: Vec<u32> = mask.tokens().take(2000).collect();
        assert!(!allowed.is_empty());
        let token = choose(&allowed);
        text.extend_from_slice(tokenizer.piece(token));
        constraint.accept(token).unwrap();
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// A generator of numbers that looks random and is the same each time.
fn chooser(mut state: u64) -> impl FnMut(&[u32]) -> u32 {
    move |allowed| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        allowed[(state >> 33) as usize % allowed.len()]
    }
}

#[test]
fn a_schema_binds_whatever_is_drawn() {
    let Some(tokenizer) = tokenizer() else { return };
    let compiler = GrammarCompiler::new(&tokenizer).unwrap();
    let schema = json!({
        "type": "object",
        "properties": {
            "kind": { "enum": ["a\"b", "ü\n", 3] },
            "count": { "type": "integer", "minimum": 2, "maximum": 12 },
            "flags": { "type": "array", "items": { "type": "boolean" }, "maxItems": 3 },
        },
        "required": ["kind", "count", "flags"],
        "additionalProperties": false,
    });
    let compiled = compiler.schema(&schema.to_string()).unwrap();
    for seed in 0..20 {
        let text = write(&mut compiled.clone(), &tokenizer, &mut chooser(seed));
        let value: Json = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert!([json!("a\"b"), json!("ü\n"), json!(3)].contains(&value["kind"]), "{text}");
        assert!((2..=12).contains(&value["count"].as_i64().unwrap()), "{text}");
        assert!(value["flags"].as_array().unwrap().len() <= 3, "{text}");
    }
}

#[test]
fn what_is_not_understood_is_refused_by_name() {
    let Some(tokenizer) = tokenizer() else { return };
    let compiler = GrammarCompiler::new(&tokenizer).unwrap();
    let problem = |syntax, text: &str| {
        let grammar = Grammar { syntax, text: text.to_owned() };
        compiler.grammar(&grammar).unwrap_err().problem
    };
    let schema_text = |text: &str| compiler.schema(text).unwrap_err().problem;
    let schema = |schema: Json| schema_text(&schema.to_string());
    assert!(schema(json!({ "type": "array", "uniqueItems": true })).contains("uniqueItems"));
    assert!(schema(json!({ "type": "string", "enum": [] })).contains("nsatisfiable"));
    assert!(schema(json!({ "$ref": "#/$defs/none" })).contains("none"));
    assert!(schema(json!({ "type": "strin" })).contains("strin"));
    assert!(schema(json!({ "type": "string", "pattern": "(" })).contains('('));
    assert!(schema_text("[1]").contains("object"));
    assert!(schema_text("{").contains("JSON"));
    assert!(problem(GrammarSyntax::Regex, "a(").contains('('));
    assert!(problem(GrammarSyntax::Gbnf, "root ::= \"a\n").contains("line 1"));
    assert!(problem(GrammarSyntax::Gbnf, "other ::= \"a\"").contains("root"));
    assert!(problem(GrammarSyntax::Lark, "start: x").contains('x'));
}

#[test]
fn recursive_schemas_and_deep_ones_end() {
    let Some(tokenizer) = tokenizer() else { return };
    let compiler = GrammarCompiler::new(&tokenizer).unwrap();
    let tree = json!({
        "$defs": { "tree": { "type": "object", "properties": { "left": { "$ref": "#/$defs/tree" } },
                             "additionalProperties": false } },
        "$ref": "#/$defs/tree",
    });
    compiler.schema(&tree.to_string()).unwrap();
    let mut deep = json!({ "type": "integer" });
    for _ in 0..30 {
        deep = json!({ "type": "object", "properties": { "a": deep }, "required": ["a"], "additionalProperties": false });
    }
    compiler.schema(&deep.to_string()).unwrap();
    // A language that explodes is refused, or bound; it never hangs.
    let _either =
        compiler.grammar(&Grammar { syntax: GrammarSyntax::Regex, text: "(a?){500}(a*)*b{1000}".into() });
}

#[test]
fn a_grammar_of_llama_cpp_is_read() {
    let Some(tokenizer) = tokenizer() else { return };
    let compiler = GrammarCompiler::new(&tokenizer).unwrap();
    let source = r#"
        # an arithmetic
        root  ::= (expr "=" ws term "\n")+
        expr  ::= term ([-+*/] term)*   # infix
        term  ::= ident | num | "(" ws expr ")" ws
        ident ::= [a-z] [a-z0-9_]{0,3} ws
        num   ::= [0-9]+ ws
        ws    ::= [ \t\n]*
    "#;
    let mut constraint =
        compiler.grammar(&Grammar { syntax: GrammarSyntax::Gbnf, text: source.into() }).unwrap();
    assert!(constraint.accept_text("a+(b_1*3)=7\nx=1\n"));
    assert!(constraint.may_end());
    let mut constraint =
        compiler.grammar(&Grammar { syntax: GrammarSyntax::Gbnf, text: source.into() }).unwrap();
    assert!(!constraint.accept_text("a+=7"));
}

#[test]
fn a_bound_call_is_always_one_that_the_parser_reads() {
    let Some(tokenizer) = tokenizer() else { return };
    let compiler = GrammarCompiler::new(&tokenizer).unwrap();
    let parameters = json!({
        "type": "object",
        "properties": {
            "city": { "type": "string", "maxLength": 8 },
            "days": { "type": "integer", "minimum": 0, "maximum": 9 },
            "unit": { "type": "string", "enum": ["C", "F"] },
        },
        "required": ["city", "unit"],
    });
    let tools: Vec<Tool> = ["get_weather", "get_time"]
        .map(|name| {
            let parameters = Some(JsonText(parameters.to_string()));
            Tool { name: name.into(), description: None, parameters, strict: true }
        })
        .into();
    let all: Vec<&Tool> = tools.iter().collect();
    let text = |text: &str| compiler.lark_text(text);
    for (name, format) in crate::reply::testing::formats() {
        let rule = CallRule { is_parallel: false, is_reasoning: false, answer: None };
        let source = reply_grammar(&format, &all, rule, &text);
        let compiled = compiler.lark(&source).unwrap_or_else(|error| panic!("{name}: {error}\n{source}"));
        for seed in 0..5 {
            let written = write(&mut compiled.clone(), &tokenizer, &mut chooser(seed));
            let mut parser = ReplyParser::new(format.clone().into(), &tools, "");
            let mut events = parser.push(&written);
            events.extend(parser.finish());
            let mut arguments = String::new();
            for event in &events {
                if let ReplyEvent::Arguments(text) = event {
                    arguments.push_str(text);
                }
            }
            // What was drawn may be reasoning to the end of the tokens.
            if !events.iter().any(|event| matches!(event, ReplyEvent::CallEnd)) && written.len() > 300 {
                continue;
            }
            let value: Json =
                serde_json::from_str(&arguments).unwrap_or_else(|error| panic!("{name} {error}: {written}"));
            assert!(
                value["city"].is_string() && ["C", "F"].contains(&value["unit"].as_str().unwrap_or_default()),
                "{name}: {written}"
            );
        }
        compiler.lark(&opened_grammar(&format, &all, &text)).unwrap();

        let answer = Some(r#"{"type": "object", "properties": {"a": {"const": 1}}, "required": ["a"]}"#);
        let either = compiler.lark(&reply_grammar(&format, &all, CallRule { answer, ..rule }, &text));
        let either = either.unwrap_or_else(|error| panic!("{name}: {error}"));
        let opener = match format.messages {
            Some(MessageFormat::Harmony) => "<|channel|>final<|message|>",
            Some(MessageFormat::Recipients) => "all\n",
            None => "",
        };
        assert!(either.clone().accept_text(&format!("{opener}{{\"a\": 1}}")), "{name}: an answer");
        assert!(!either.clone().accept_text(&format!("{opener}{{\"a\": 2}}")), "{name}: a wrong answer");
    }
}

#[test]
fn control_tokens_stand_in_grammars_by_number() {
    let Some(tokenizer) = tokenizer() else { return };
    let compiler = GrammarCompiler::new(&tokenizer).unwrap();
    let end = tokenizer.token_id("<|im_end|>").unwrap();
    assert_eq!(compiler.lark_text("a\"<|im_end|>b"), format!(r#""a\"" <[{end}]> "b""#));
}
