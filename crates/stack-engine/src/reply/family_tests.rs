//! Families whose templates are not among the reference data: what their models write, read at every cut and written again.
//!
//! The templates in `testdata` write conversations as those families do. What a model would write is written here a
//! second time, so that the two prove each other.

use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::probe::{CALLS, KEYS, Probe};
use super::tests::{Reply, read};
use super::*;
use crate::template::ChatTemplate;
use crate::template::conversation::spaced;

/// What a model says.
#[derive(Clone, Debug, Default)]
struct Said {
    reasoning: &'static str,
    text: &'static str,
    /// The arguments of its calls.
    calls: Vec<Json>,
}

struct Family {
    name: &'static str,
    template: &'static str,
    /// Writes what the model would write behind the prompt.
    write: fn(&Said) -> String,
    /// What ends a turn.
    ends: &'static [&'static str],
    /// A call that is none.
    broken: &'static str,
    /// Whether the template writes all of this into the next prompt as the model wrote it.
    rewrites: fn(&Said) -> bool,
}

const FAMILIES: &[Family] = &[
    Family {
        name: "functionary 3.1",
        template: include_str!("testdata/functionary-v3.1.jinja"),
        write: |said| {
            let call = |(name, _, arguments): (&str, usize, &Json)| {
                format!("<function={name}>{}</function>", spaced(arguments))
            };
            format!("{}{}", said.text, said.calls().map(call).collect::<String>())
        },
        ends: &["<|eom_id|>", "<|eot_id|>"],
        broken: "<function=probe_tool_one>not json</function>",
        rewrites: |said| said.reasoning.is_empty(),
    },
    Family {
        name: "functionary 3.2",
        template: include_str!("testdata/functionary-v3.2.jinja"),
        write: |said| {
            let call = |(name, _, arguments): (&str, usize, &Json)| format!("{name}\n{}", spaced(arguments));
            let text = (!said.text.is_empty()).then(|| format!("all\n{}", said.text));
            // The prompt ends with the mark of the first.
            text.into_iter().chain(said.calls().map(call)).collect::<Vec<_>>().join(">>>")
        },
        ends: &["<|eot_id|>"],
        broken: "probe_tool_one\nnot json",
        rewrites: |said| said.reasoning.is_empty(),
    },
    Family {
        name: "Kimi K2",
        template: include_str!("testdata/kimi-k2.jinja"),
        write: |said| {
            let call = |(name, number, arguments): (&str, usize, &Json)| {
                format!(
                    "<|tool_call_begin|>functions.{name}:{number}<|tool_call_argument_begin|>{}<|tool_call_end|>",
                    spaced(arguments)
                )
            };
            let calls: String = said.calls().map(call).collect();
            let section = format!("<|tool_calls_section_begin|>{calls}<|tool_calls_section_end|>");
            let section = if calls.is_empty() { "" } else { &section };
            format!("<think>{}</think>{}{section}", said.reasoning, said.text)
        },
        ends: &["<|im_end|>"],
        broken: "<|tool_calls_section_begin|><|tool_call_begin|>functions.probe_tool_one:0<|tool_call_argument_begin|>not json\
                 <|tool_call_end|><|tool_calls_section_end|>",
        rewrites: |_| true,
    },
    Family {
        name: "Gemma 4",
        template: include_str!("testdata/gemma-4.jinja"),
        write: |said| {
            let literal =
                |value: &Json| value.as_str().map_or(value.to_string(), |text| format!("<|\"|>{text}<|\"|>"));
            let argument = |(key, value): (&String, &Json)| format!("{key}:{}", literal(value));
            let call = |(name, _, arguments): (&str, usize, &Json)| {
                let arguments: Vec<_> = arguments.as_object().unwrap().iter().map(argument).collect();
                format!("<|tool_call>call:{name}{{{}}}<tool_call|>", arguments.join(","))
            };
            let calls: String = said.calls().map(call).collect();
            let thought = format!("<|channel>thought\n{}\n<channel|>", said.reasoning);
            format!("{}{}{calls}", if said.reasoning.is_empty() { "" } else { &thought }, said.text)
        },
        ends: &["<turn|>"],
        broken: "<|tool_call>call:probe_tool_one{not json}<tool_call|>",
        // It writes text behind calls, and leaves thoughts out.
        rewrites: |said| said.reasoning.is_empty() && (said.text.is_empty() || said.calls.is_empty()),
    },
    Family {
        name: "MiniMax M2",
        template: include_str!("testdata/minimax-m2.jinja"),
        write: |said| {
            let plain = |value: &Json| value.as_str().map_or(value.to_string(), str::to_owned);
            let argument = |(key, value): (&String, &Json)| {
                format!("<parameter name=\"{key}\">{}</parameter>\n", plain(value))
            };
            let call = |(name, _, arguments): (&str, usize, &Json)| {
                let arguments: String = arguments.as_object().unwrap().iter().map(argument).collect();
                format!("<invoke name=\"{name}\">\n{arguments}</invoke>\n")
            };
            let calls: String = said.calls().map(call).collect();
            let section = format!("\n<minimax:tool_call>\n{calls}</minimax:tool_call>");
            let section = if calls.is_empty() { "" } else { &section };
            // The prompt has begun to think.
            format!("{}\n</think>\n\n{}{section}", said.reasoning, said.text)
        },
        ends: &["[e~["],
        broken: "</think><minimax:tool_call><invoke name=\"probe_tool_one\">not xml</invoke></minimax:tool_call>",
        rewrites: |said| !said.reasoning.is_empty(),
    },
    Family {
        name: "Command R7B",
        template: include_str!("testdata/command-r7b.jinja"),
        write: |said| {
            let call = |(name, number, arguments): (&str, usize, &Json)| {
                format!(
                    "    {{\"tool_call_id\": \"{number}\", \"tool_name\": \"{name}\", \"parameters\": {}}}",
                    spaced(arguments)
                )
            };
            let calls: Vec<String> = said.calls().map(call).collect();
            let action = format!("<|START_ACTION|>[\n{}\n]<|END_ACTION|>", calls.join(",\n"));
            let response = format!("<|START_RESPONSE|>{}<|END_RESPONSE|>", said.text);
            let thought = format!("<|START_THINKING|>{}<|END_THINKING|>", said.reasoning);
            let thought = if calls.is_empty() && said.reasoning.is_empty() { "" } else { &thought };
            let response = if said.text.is_empty() { "" } else { &response };
            format!("{thought}{response}{}", if calls.is_empty() { "" } else { &action })
        },
        ends: &["<|END_OF_TURN_TOKEN|>"],
        broken: "<|START_ACTION|>[\n    {\"tool_call_id\": \"0\", \"tool_name\": 3}\n]<|END_ACTION|>",
        // It leaves text beside calls out, and thoughts in front of text.
        rewrites: |said| said.text.is_empty() || (said.calls.is_empty() && said.reasoning.is_empty()),
    },
];

impl Said {
    fn calls(&self) -> impl Iterator<Item = (&'static str, usize, &Json)> {
        self.calls.iter().enumerate().map(|(number, arguments)| (CALLS[number].name, number, arguments))
    }

    fn expected(&self) -> Reply {
        let calls = self.calls().map(|(name, _, arguments)| (name.to_owned(), arguments.clone()));
        Reply {
            reasoning: self.reasoning.to_owned(),
            text: self.text.to_owned(),
            calls: calls.map(|(name, arguments)| (name, arguments.to_string())).collect(),
            broken: false,
        }
    }
}

fn sayings() -> Vec<Said> {
    let first = json!({ KEYS[0]: "Zürich, \"CH\" & <b> 你好", KEYS[1]: 2 });
    let second = json!({ KEYS[0]: "a {b} [c] (d)", KEYS[1]: -17 });
    let one = Said { calls: vec![first.clone()], ..Said::default() };
    let thought = "Hm, {it} is < so.";
    vec![
        Said { calls: vec![first, second], ..Said::default() },
        Said { text: "I look it up.", ..one.clone() },
        Said { reasoning: thought, ..one.clone() },
        Said { text: "No { call < here }.", ..Said::default() },
        Said { reasoning: thought, text: "No { call < here }.", ..Said::default() },
        one,
    ]
}

/// The format of each family.
pub(super) fn formats() -> Vec<(String, ReplyFormat)> {
    let format = |family: &Family| ReplyFormat::of(&ChatTemplate::compile(family.template).unwrap());
    FAMILIES.iter().map(|family| (family.name.to_owned(), format(family))).collect()
}

/// Reads a text whole, and makes sure that it is the same at every cut.
fn read_at_every_cut(format: &Arc<ReplyFormat>, prompt: &str, text: &str) -> Reply {
    let whole = read(format, prompt, &[text]);
    for cut in (0..text.len()).filter(|&cut| text.is_char_boundary(cut)) {
        assert_eq!(read(format, prompt, &[&text[..cut], &text[cut..]]), whole, "at {cut}: {text}");
    }
    let pieces: Vec<String> = text.chars().map(String::from).collect();
    let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
    assert_eq!(read(format, prompt, &pieces), whole, "{text}");
    whole
}

/// Parses the arguments, in which white space does not matter.
fn parsed(mut reply: Reply) -> Reply {
    for (_, arguments) in &mut reply.calls {
        let value: Json =
            serde_json::from_str(arguments).unwrap_or_else(|error| panic!("{error}: {arguments}"));
        *arguments = value.to_string();
    }
    reply
}

#[test]
fn what_a_model_writes_is_read_at_every_cut() {
    for Family { name, template, write, broken, .. } in FAMILIES {
        let template = ChatTemplate::compile(template).unwrap();
        let format = Arc::new(ReplyFormat::of(&template));
        let probe = Probe::new(&template).unwrap();
        for said in sayings() {
            let reasons = format.reasoning.is_some();
            assert!(reasons || name.starts_with("functionary"), "{name}: {format:#?}");
            if !reasons && !said.reasoning.is_empty() {
                continue;
            }
            let text = write(&said);
            let reply = read_at_every_cut(&format, probe.prompt(), &text);
            assert_eq!(parsed(reply), said.expected(), "{name}: {text}\n{format:#?}");
        }
        let reply = read_at_every_cut(&format, probe.prompt(), broken);
        assert!(reply.calls.is_empty(), "{name}: {reply:?}");
        assert!(["not", "3}"].iter().any(|word| reply.text.contains(word)), "{name} loses words: {reply:?}");
    }
}

#[test]
fn what_was_read_is_written_again_as_the_model_wrote_it() {
    for Family { name, template, write, ends, rewrites, .. } in FAMILIES {
        let template = ChatTemplate::compile(template).unwrap();
        let probe = Probe::new(&template).unwrap();
        let mut tried = 0;
        for said in sayings().into_iter().filter(rewrites) {
            let call = |(name, number, arguments): (&str, usize, &Json)| {
                let function = json!({ "name": name, "arguments": arguments });
                // Kimi's identifiers are its own words, and come back with the call.
                json!({ "id": format!("functions.{name}:{number}"), "type": "function", "function": function })
            };
            let mut fields = json!({ "content": said.text });
            if !said.reasoning.is_empty() {
                fields["reasoning_content"] = said.reasoning.into();
            }
            if !said.calls.is_empty() {
                fields["tool_calls"] = said.calls().map(call).collect();
            }
            let mut rendered = probe.reply(&fields).unwrap().trim_end().to_owned();
            ends.iter().for_each(|end| rendered = rendered.trim_end_matches(end).to_owned());
            let written = write(&said);
            // What the prompt begins already is not rendered again.
            assert!(
                !rendered.is_empty() && written.ends_with(&rendered),
                "{name}: {rendered:?}, not {written:?}"
            );
            tried += 1;
        }
        assert!(tried >= 2, "{name}: only {tried} were tried");
    }
}

/// What is said of a reply that is cut behind this text, which leaves no room for the rest.
fn cut(format: &Arc<ReplyFormat>, prompt: &str, text: &str) -> Vec<ReplyEvent> {
    let mut parser = ReplyParser::new(Arc::clone(format), &super::probe::tools(), prompt);
    let mut events = parser.push(text);
    events.extend(parser.cut());
    events
}

#[test]
fn a_call_that_is_cut_before_it_has_a_name_is_not_told() {
    let testdata = FAMILIES
        .iter()
        .map(|family| (family.name.to_owned(), ChatTemplate::compile(family.template).unwrap()));
    let reference = super::tests::families().into_iter().map(|(name, template, _)| (name, template));
    for (name, template) in testdata.chain(reference) {
        let format = Arc::new(ReplyFormat::of(&template));
        let probe = Probe::new(&template).unwrap();
        let Some(text) = probe.calls(1) else { continue };
        let begin = match super::marker::find(&text, &format.calls.opening()) {
            super::marker::Found::At(at, _) if format.messages.is_none() => at,
            _ => 0,
        };
        // What a control token spells is there or not.
        let is_half = |said: &str| said.ends_with('<') || said.rfind("<|") > said.rfind("|>");
        for at in (begin..text.len()).filter(|&at| text.is_char_boundary(at)) {
            if format.messages == Some(MessageFormat::Harmony) && is_half(&text[..at]) {
                continue;
            }
            let events = cut(&format, probe.prompt(), &text[..at]);
            let said: String = events
                .iter()
                .take_while(|event| !matches!(event, ReplyEvent::CallStart { .. }))
                .filter_map(|event| match event {
                    ReplyEvent::Text(text) => Some(text.as_str()),
                    _ => None,
                })
                .collect();
            assert_eq!(said.trim(), "", "{name} at {at}: {:?}\n{format:#?}", &text[..at]);
        }
    }
}

#[test]
fn only_what_may_become_a_call_is_left_out_of_an_answer_that_is_cut() {
    let hermes = Arc::new(ReplyFormat::default());
    let text = |events: Vec<ReplyEvent>| match events.as_slice() {
        [] => String::new(),
        [ReplyEvent::Text(text)] => text.clone(),
        [ReplyEvent::Text(a), ReplyEvent::Text(b)] => format!("{a}{b}"),
        other => panic!("{other:?}"),
    };
    for (written, said) in
        [("So it is <b", "So it is <b"), ("So <tool_c", "So"), ("<tool_call>{\"na", ""), ("So ", "So ")]
    {
        assert_eq!(text(cut(&hermes, "", written)), said, "{written}");
    }
    let recipients = FAMILIES.iter().find(|family| family.name == "functionary 3.2").unwrap();
    let template = ChatTemplate::compile(recipients.template).unwrap();
    let (format, probe) = (Arc::new(ReplyFormat::of(&template)), Probe::new(&template).unwrap());
    for (written, said) in [
        ("all\n>>> 1 + 1\n2>>>prob", ">>> 1 + 1\n2"),
        ("all\na >>> b >>", "a >>> b "),
        (
            "all\nprobe_tool_one\nis >>>probe_tool_one\nthe tool",
            "probe_tool_one\nis >>>probe_tool_one\nthe tool",
        ),
        ("prob", ""),
        ("Hello", "Hello"),
    ] {
        assert_eq!(text(cut(&format, probe.prompt(), written)), said, "{written}");
    }
}
