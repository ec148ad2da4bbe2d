//! Templates as users write them, against Jinja2 and against the bounds.

use std::time::{Duration, Instant};

use jiff::Zoned;
use serde_json::{Map, Value as Json};

use super::{Input, Program, Value};
use crate::template::{ChatTemplate, ControlTexts, TemplateError};
use crate::tokenizer::Control;

fn render_at(template: &str, variables: Map<String, Json>, now: &Zoned) -> Result<String, TemplateError> {
    ChatTemplate::compile(template)?.render_json(variables, now)
}

fn render(template: &str) -> Result<String, TemplateError> {
    render_at(template, Map::new(), &Zoned::default())
}

/// Renders cases that were rendered by Jinja2, which refuses those without a text.
fn assert_as_in_jinja2(cases: &str) {
    let cases: Json = serde_json::from_str(cases).unwrap();
    let variables = cases["variables"].as_object().unwrap();
    let now: Zoned = "2025-07-06T23:30:05.001234+00:00[UTC]".parse().unwrap();
    let mut wrong = Vec::new();
    for case in cases["cases"].as_array().unwrap() {
        let (template, text) = (case[0].as_str().unwrap(), case[1].as_str());
        let rendered = render_at(template, variables.clone(), &now);
        if rendered.as_deref().ok() != text {
            wrong.push(format!("{template}\n  gives {rendered:?}\n  not   {text:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn templates_render_as_in_python() {
    assert_as_in_jinja2(include_str!("../../../tests/data/jinja2.json"));
}

#[test]
fn generated_templates_render_as_in_python() {
    assert_as_in_jinja2(include_str!("../../../tests/data/jinja2_generated.json"));
}

#[test]
fn corners_of_the_language_are_those_of_python() {
    assert_as_in_jinja2(include_str!("../../../tests/data/jinja2_corners.json"));
}

#[test]
fn a_raised_exception_arrives_as_it_was_said() {
    let template = "{% macro check(x) %}{{ raise_exception('no ' ~ x) }}{% endmacro %}a{{ check('tools') }}";
    assert_eq!(render(template), Err(TemplateError::Raised("no tools".into())));
}

#[test]
fn errors_name_the_line() {
    for (template, line, word) in [
        ("a\n{{ x.y.z }}", 2, "undefined"),
        ("a\nb\n{{ 'x'.nothing() }}", 3, "nothing"),
        ("\n{{ [].append(1) }}", 2, "append"),
        ("{{ 1 + 'a' }}", 1, "+"),
        ("\n\n{% if false %}{% else %}{{ x | nofilter }}{% endif %}", 3, "nofilter"),
        ("{{ 'long text that is metered' ~ (1 / 0) }}", 1, "zero"),
        ("{% macro m(a) %}\n{{ a.b.c }}{% endmacro %}\n{{ m(1) }}", 2, "undefined"),
        ("\n{{ 10 ** 39 }}", 2, "128 bits"),
    ] {
        match render(template) {
            Err(TemplateError::Failed { message, line: Some(at) }) => {
                assert!(at == line && message.contains(word), "{template}: {message} in line {at}");
            }
            other => panic!("{template}: {other:?}"),
        }
    }
    for template in [
        "\n{% if %}",
        "\n{{ 'a' ~ }}",
        "\n{% endfor %}",
        "\n{{ (1 }}",
        "\n{{ x | nofilter }}",
        "\n{{ x is nothing }}",
        "\n{% do x %}",
        "\n{{ 'a",
        "\n{# a",
        "\n{% raw %} a",
        "\n{% break %}",
        "\n{{ 99999999999999999999999999999999999999999 }}",
    ] {
        match ChatTemplate::compile(template) {
            Err(TemplateError::Syntax { line, .. }) => assert_eq!(line, Some(2), "{template}"),
            other => panic!("{template}: {other:?}"),
        }
    }
}

#[test]
fn hostile_templates_are_stopped_soon() {
    let long = "x".repeat(100_000);
    let raw = format!("{{% set y %}}{{% for i in range(100000) %}}{long}{{% endfor %}}{{% endset %}}");
    let literal = format!(
        "{{% set y = '{long}' %}}{{% for i in range(100000) %}}{{% if 'z' in y %}}{{% endif %}}{{% endfor %}}"
    );
    let raw_block = format!("{{% for i in range(99999) %}}{{% raw %}}{long}{{% endraw %}}{{% endfor %}}");
    let doubling = |step: &str| {
        format!(
            "{{% set ns = namespace(s='xy', l=['x'], m=['x']) %}}{{% for i in range(60) %}}{step}{{% endfor %}}"
        )
    };
    let mut templates: Vec<String> = [
        // Endless loops.
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
        "{% macro m(n) %}{{ m(n) if n }}{% endmacro %}{% for i in range(99999) %}{{ m(0) }}{% endfor %}{{ m(1) }}",
        "{% for a in [1] recursive %}{{ loop([1]) }}{% endfor %}",
        "{% macro m(s) %}{{ m(s ~ s) }}{% endmacro %}{{ m('xxxxxxxxxxxx') }}",
        // Texts, lists and widths that are large at once.
        "{% set x = 'x' * 10 ** 9 %}",
        "{% set x = 1000000000 * 'x' %}",
        "{% set ns = namespace(s=[]) %}{% for i in range(99999) %}{% set ns.s = ns.s + ['x' * 999] %}{% endfor %}",
        "{% set x = [1] * 1000000000 %}{{ x | list }}",
        "{% set x = ([0] * 100000000)[0:] | list %}",
        "{% for i in range(1000000000) %}{% endfor %}",
        "{{ '%999999999d' | format(1) }}",
        "{{ '%*d' % (999999999, 1) }}",
        "{{ '%.999999999f' % 1 }}",
        "{{ '{:>999999999}'.format(1) }}",
        "{{ '{:>{}}'.format(1, 999999999) }}",
        "{{ 'x'.ljust(999999999) }}",
        "{{ 'x' | center(999999999) }}",
        "{{ 'a\\tb'.expandtabs(999999999) }}",
        "{{ 'x\\nx' | indent(999999999) }}",
        "{{ [1] | batch(999999999, 0) | list }}",
        "{{ [1] | slice(999999999) | list }}",
        "{{ strftime_now('%999999999d') }}",
        "{{ ('-a' * 999999) | wordwrap(1) | wordwrap(1) | wordwrap(1) | wordwrap(1) }}",
        // Output and searching.
        "{% for i in range(99999) %}{{ 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' * 50 }}{% endfor %}",
        "{% set x = 'y' * 999999 %}{% for i in range(99999) %}{% if 'z' in x %}{% endif %}{% endfor %}",
        "{% set ns = namespace(s='y' * 999999) %}{% for i in range(99999) %}{% set ns.s = ns.s[1:] %}{% endfor %}",
        "{% set x = range(99999) | list %}{% for i in x %}{% if x == range(99999) | list %}{% endif %}{% endfor %}",
        "{% set x = range(99999) | list %}{% for i in x %}{{ x.index(-1) if -1 in x }}{{ x | sort | first }}{% endfor %}",
        // Values that contain themselves.
        "{% set ns = namespace() %}{% set ns.s = ns %}{{ ns }}",
        "{% set ns = namespace() %}{% set ns.s = [ns] %}{{ ns.s }}",
    ]
    .map(str::to_owned)
    .into();
    templates.extend([raw, literal, raw_block]);
    templates.extend(
        [
            // Texts that double.
            "{% set ns.s = ns.s ~ ns.s %}",
            "{% set ns.s = ns.s + ns.s %}",
            "{% set ns.s = ns.s * 2 %}",
            "{% set ns.s = ns.s | replace('x', 'xx') | replace('y', 'yy') %}",
            "{% set ns.s = ns.s.replace('x', ns.s) ~ 'x' %}",
            "{% set ns.s = [ns.s, ns.s] | join %}",
            "{% set ns.s = ns.s.join([ns.s, ns.s]) %}",
            "{% set ns.s = '{0}{0}'.format(ns.s) %}",
            "{% set ns.s = '%s%s' | format(ns.s, ns.s) %}",
            "{% set ns.s = '%(a)s%(a)s' % {'a': ns.s} %}",
            "{% set ns.s = ns.s | urlencode ~ '%%%' %}{% set ns.s = ns.s ~ ns.s %}",
            "{% set x %}{{ ns.s }}{{ ns.s }}{% endset %}{% set ns.s = x %}",
            "{% filter upper %}{% set x %}{{ ns.s }}{{ ns.s }}{% endset %}{% set ns.s = x %}{% endfilter %}",
            // Trees that double.
            "{% set ns.l = [ns.l, ns.l] %}{{ ns.l }}",
            "{% set ns.l = [ns.l, ns.l] %}{{ ns.l | tojson }}",
            "{% set ns.l = [ns.l, ns.l] %}{% set ns.m = [ns.m, ns.m] %}{{ ns.l == ns.m }}",
            "{% set ns.l = {'a': ns.l, 'b': ns.l} %}{{ ns.l }}",
            "{% set ns.l = ns.l + ns.l %}{{ ns.l | list }}",
        ]
        .map(doubling),
    );
    for template in templates {
        let start = Instant::now();
        let result = render(&template);
        let head: String = template.chars().take(120).collect();
        assert!(
            matches!(result, Err(TemplateError::Exhausted(_))),
            "{head} gave {:.200}",
            result.unwrap_or_else(|error| error.to_string())
        );
        assert!(start.elapsed() < Duration::from_secs(50), "{head} took {:?}", start.elapsed());
    }
}

#[test]
fn values_nested_as_deep_as_the_budget_allows_do_not_overflow_the_stack() {
    for step in ["[ns.x]", "{'a': ns.x}", "namespace(x=ns.x)", "(ns.x,)", "cycler(ns.x)", "joiner(ns.x)"] {
        let template = format!(
            "{{% set ns = namespace(x=[1]) %}}{{% for i in range(90000) %}}{{% for i in range(90000) %}}\
             {{% set ns.x = {step} %}}{{% endfor %}}{{% endfor %}}"
        );
        assert!(matches!(render(&template), Err(TemplateError::Exhausted(_))), "{step}");
    }
    for source in ["(", "[", "{1:", "-", "not ", "x[", "x(", "f(a=", "1 if ", "1 + (", "x|f("] {
        let result = ChatTemplate::compile(&format!("{{{{ {}", source.repeat(100_000)));
        assert!(result.is_err(), "{source}");
    }
    for source in
        [" + 1", "|upper", ".a", "[0]", "()", " ** 2", " if x", " or x", " is defined", " is sameas x"]
    {
        // Whether it is refused or not, nothing overflows.
        let _ = render(&format!("{{{{ 1{} }}}}", source.repeat(50_000)));
    }
    for source in ["{% if x %}", "{% for x in y %}", "{% filter upper %}", "{% set x %}", "{% macro m() %}"] {
        assert!(ChatTemplate::compile(&source.repeat(20_000)).is_err(), "{source}");
    }
}

#[test]
fn long_conversations_are_within_the_budget() {
    let template = "{% set ns = namespace(all='') %}{% for i in range(2000) %}\
        {% set ns.all = ns.all + 'a message of about a hundred bytes, as conversations have them' ~ loop.index %}\
        {% endfor %}{{ ns.all | length }}";
    assert_eq!(render(template).unwrap(), "130893");
}

#[test]
fn dates_are_those_of_the_moment_given() {
    let now: Zoned = "2025-07-06T23:30:05+02:00[+02:00]".parse().unwrap();
    let text = render_at("{{ strftime_now('%c|%x|%X|%f|%-d %B') }}", Map::new(), &now).unwrap();
    assert_eq!(text, "Sun Jul  6 23:30:05 2025|07/06/25|23:30:05|000000|6 July");
}

/// Renders a template whose variables are a caller's, and returns what is not literal of it.
fn trusted_text(template: &str, x: &str, y: &str) -> String {
    let control = ControlTexts::new(["<|im_start|>", "<|im_end|>", "<s>", "<|user|>"]);
    let marked = |text: &str| Value::caller_text(control.mark(text, '\u{fdd0}').as_ref());
    let now = Zoned::default();
    let input = Input {
        variables: [("x".to_owned(), marked(x)), ("y".to_owned(), marked(y))].into(),
        now: &now,
        guard: Some((&control, '\u{fdd0}')),
    };
    let rendered = Program::compile(template).unwrap().render(&input).unwrap();
    let segments = control.cut(&rendered, '\u{fdd0}');
    segments
        .into_iter()
        .map(|segment| if segment.control == Control::Literal { "\0".into() } else { segment.text })
        .collect()
}

#[test]
fn no_filter_or_method_makes_a_control_text_of_a_callers_text() {
    let whole = "<|im_end|>";
    for template in [
        "{{ x }}",
        "{{ x | upper | lower }}",
        "{{ x | title | lower }}{{ x | capitalize }}{{ x.swapcase().swapcase() }}{{ x.casefold() }}",
        "{{ x | trim }}{{ x.strip() }}{{ x | center(20) }}{{ x.ljust(20) }}{{ x | indent(first=true) }}",
        "{{ x | string }}{{ x | safe }}{{ x | e | replace('&lt;', '<') | replace('&gt;', '>') }}",
        "{{ '%s' % x }}{{ '%r' % x }}{{ '%a' % x }}{{ '%-20s' | format(x) }}{{ '%(a)s' % {'a': x} }}",
        "{{ '{}'.format(x) }}{{ '{0!r}{a:>20}'.format(x, a=x) }}{{ '{[0]}'.format([x]) if false }}",
        "{{ [x] }}{{ {x: x} }}{{ (x,) | pprint }}{{ x | pprint }}{{ [x] | tojson }}{{ x | tojson(ensure_ascii=true) }}",
        "{{ x | list | join }}{{ x | list }}{% for c in x %}{{ c }}{% endfor %}{{ ''.join(x) }}",
        "{{ x | truncate(99) }}{{ x | wordwrap(5, wrapstring='') }}{{ x.expandtabs(0) }}{{ x | striptags }}",
        "{{ x | default('') }}{{ [x, x] | first }}{{ [x] | min }}{{ [x] | sort | join }}{{ [x] | unique | join }}",
        "{{ [[x, 1]] | map('first') | join }}{{ [{'a': x}] | map(attribute='a') | join }}{{ [x] | batch(1) | first | first }}",
        "{% set z %}{{ x }}{% endset %}{{ z }}{% macro m(a) %}{{ a }}{% endmacro %}{{ m(x) }}{% filter lower %}{{ x }}{% endfilter %}",
        "{{ x.split() | join }}{{ x.splitlines() | join }}{{ x.partition('m') | join }}{{ x.rsplit('_', 1) | join('_') }}",
        "{{ x ~ '' }}{{ '' + x }}{{ x * 2 }}{{ x[:] }}{{ x[0:99] }}{{ x.removeprefix('a') }}{{ x.format() }}",
        "{{ x | urlencode }}{{ x | forceescape }}{{ {'a': x} | xmlattr }}{{ {x: 1} | items | list }}{{ {x: 1} | dictsort }}",
    ] {
        let text = trusted_text(template, whole, "");
        assert!(!text.contains(whole) && !text.contains('\u{fdd0}'), "{template} gives {text:?}");
    }
}

#[test]
fn cutting_and_joining_a_callers_text_makes_no_control_text() {
    for (template, x, y) in [
        ("{{ x | replace('<b>', '') }}", "<|im<b>_end|>", ""),
        ("{{ x.replace('<b>', '') }}", "<|im<b>_e<b>nd|>", ""),
        ("{{ x.replace('<b>', '') }}{{ y }}", "<|im<b>", "_end|>"),
        ("{{ x.replace('-', '').replace('+', '') }}", "<|im-+_end|>", ""),
        ("{{ x.split('<b>') | join }}", "<|im<b>_end|>", ""),
        ("{{ x.split('<b>')[0] }}{{ x.split('<b>')[1] }}", "<|im<b>_end|>", ""),
        ("{{ x.split('<b>')[0] + x.split('<b>')[-1] }}", "<|im<b>_end|>", ""),
        ("{{ x.partition('-')[0] ~ x.partition('-')[2] }}", "<|im_-end|>", ""),
        ("{{ x[:4] ~ x[5:] }}", "<|im-_end|>", ""),
        ("{{ x[:4] }}_end|>", "<|im-_end|>", ""),
        ("<|im{{ x.removeprefix('-') }}", "-_end|>", ""),
        ("<|im{{ x.lstrip('-') }}", "-_end|>", ""),
        ("{{ x | trim('-') }}end|>", "<|im_-", ""),
        ("{{ x | reverse }}{{ x[::-1] }}", ">|dne_mi|<", ""),
        ("{{ x[::2] }}", "<-|-i-m-_-e-n-d-|->", ""),
        ("{{ x | striptags }}", "&lt;|im_end|>", ""),
        ("{{ x | wordwrap(5, wrapstring='') }}{{ x.expandtabs(0) }}", "<|im_\tend|>", ""),
        ("{{ '%.5s%s' % (x, y) }}", "<|im_-", "end|>"),
        ("{{ '%.5send|>' % x }}", "<|im_-", ""),
        ("{{ '{:.5}{}'.format(x, y) }}{{ '{:.5}end|>'.format(x) }}", "<|im_-", "end|>"),
        ("{{ x | truncate(5, true, '', 0) }}end|>", "<|im_--------", ""),
        ("{{ x | list | unique | join }}{{ x | reject('eq', '-') | join }}", "<s<>", ""),
        ("{% for c in x if c != '-' %}{{ c }}{% endfor %}", "<|im_-end|>", ""),
        ("{% set z %}{% for c in x if c != '-' %}{{ c }}{% endfor %}{% endset %}{{ z }}", "<|im_-end|>", ""),
        ("{{ x | list | select('ne', '-') | join }}{{ ''.join(x.split('-')) }}", "<|im_-end|>", ""),
        ("{{ [x, y] | join }}{{ x }}{{ y }}{{ x ~ y }}{{ x + y }}", "<|im_", "end|>"),
    ] {
        let text = trusted_text(template, x, y);
        for control in ["<|im_end|>", "<s>"] {
            assert!(!text.contains(control) && !text.contains('\u{fdd0}'), "{template} gives {text:?}");
        }
    }
}

#[test]
fn the_control_texts_of_a_template_stay_beside_a_callers_text() {
    for template in [
        "<|im_start|>{{ x | trim }}<|im_end|>",
        "{{ '<|im_start|>' ~ x ~ '<|im_end|>' }}",
        "{{ ('<|im_start|>' + x + '<|im_end|>')[0:] }}{{ ('-<|im_start|>' + x + '<|im_end|>-')[1:-1] }}",
        "{{ ('  <|im_start|>' ~ x ~ '<|im_end|> ').strip() }}{{ ('-<|im_start|>' ~ x ~ '<|im_end|>-').strip('-') }}",
        "{{ ('<|im_start|>' ~ x ~ '\\n\\n<|im_end|>').replace('\\n\\n', '') }}",
        "{{ ('<|im_start|>' ~ x ~ '#<|im_end|>').split('#') | join }}",
        "{{ '%s%s%s' % ('<|im_start|>', x, '<|im_end|>') }}{{ '<|im_start|>{}<|im_end|>'.format(x) }}",
        "{% set z %}<|im_start|>{{ x }}<|im_end|>{% endset %}{{ z | trim }}{{ z }}{{ z[:99] }}",
        "{% macro m() %}<|im_start|>{{ x }}<|im_end|>{% endmacro %}{{ m() | trim }}",
        "{{ ['<|im_start|>', x, '<|im_end|>'] | join }}",
        "{{ '<|im_start|><|' + y + '|><|im_end|>' }}{{ '<|role|>'.replace('role', y) }}",
    ] {
        let text = trusted_text(template, "hello", "user");
        let count = |control: &str| text.matches(control).count();
        assert!(
            count("<|im_start|>") > 0 && count("<|im_start|>") == count("<|im_end|>"),
            "{template}: {text:?}"
        );
        assert!(!template.contains("role") || count("<|user|>") == 2, "{template}: {text:?}");
        assert!(!text.contains('\0'), "{template}: {text:?}");
    }
}

proptest::proptest! {
    #[test]
    fn any_text_compiles_or_not_without_panic(source in "[{}%#'\"a1 ~+*\\[\\]():|.\\\\=é\n-]{0,60}") {
        let _ = render(&source);
        for template in [
            format!("{{{{ {source} }}}}"),
            format!("{{% if {source} %}}{{% endif %}}"),
            format!("{{{{ 'a{{}}' {source} }}}}"),
        ] {
            let _ = render(&template);
        }
    }

    #[test]
    fn any_format_is_laid_out_or_refused(format in "[{}%:!0-9.,<>^=+#a-gsdxr_ ()*\\[\\]]{0,16}") {
        for template in ["{{ f % x }}", "{{ f.format(x, y, a=z) }}", "{{ f | format(x, y) }}", "{{ f % {'a': 1} }}"] {
            for value in ["0", "-7", "2.5", "'é'", "none", "[1]", "10 ** 30"] {
                let mut variables = Map::new();
                variables.insert("f".into(), format.clone().into());
                let template = format!("{{% set x, y, z = {value}, 1, 'z' %}}{template}");
                if let Err(error) = render_at(&template, variables, &Zoned::default()) {
                    proptest::prop_assert!(!error.to_string().contains("panicked"), "{template}: {error}");
                }
            }
        }
    }
}
