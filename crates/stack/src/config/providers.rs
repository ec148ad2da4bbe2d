//! The sections `[providers.NAME]`: who may be asked beside the models of this machine.

use std::fmt;
use std::time::Duration;

use stack_chat::ENGINE;
use stack_gateway::provider::{Interface, ProviderBase, ProviderKind, ProviderOptions, StreamTimeouts};
use stack_wire::provider::ThinkingForm;

use super::file::Section;
use super::{Origin, Setting};

/// A section `[providers.NAME]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProviderSection {
    /// The name by which requests select it.
    pub(crate) name: String,
    /// What it is.
    pub(crate) kind: Setting<ProviderKind>,
    /// Where it is.
    pub(crate) base: Setting<ProviderBase>,
    /// Where its key is.
    pub(crate) key: Option<Setting<SecretName>>,
    /// Its models that may be asked; without any, all.
    pub(crate) models: Setting<Vec<String>>,
    interface: Option<Setting<Interface>>,
    thinking: Option<Setting<Option<ThinkingForm>>>,
    output_tokens_max: Option<Setting<u32>>,
    remote_media: Option<Setting<bool>>,
    plaintext: Option<Setting<bool>>,
    first_output_s: Option<Setting<u16>>,
    idle_s: Option<Setting<u16>>,
    total_s: Option<Setting<u16>>,
}

/// Where a secret is, which is never the secret itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SecretName(String);

impl ProviderSection {
    /// Takes a section. Without a kind it is a problem of the file, which is then refused as a whole.
    pub(super) fn take(name: &str, mut section: Section<'_>) -> Self {
        if !is_name(name) {
            section.problem(": a provider's name has 1 to 32 of the characters a-z, 0-9, _ and -");
        }
        if name == ENGINE {
            section.problem(": this is the name of what runs in this process; choose another");
        }
        let kind = section.text("kind", |text| {
            ProviderKind::from_name(text).ok_or_else(|| {
                let kinds = ProviderKind::ALL.map(ProviderKind::name).join(", ");
                format!("expected one of {kinds}")
            })
        });
        let base = section.text("base", ProviderBase::parse);
        let key = section.text("key", SecretName::parse);
        let interface =
            section.text("interface", |text| Interface::from_name(text).ok_or("expected chat or responses"));
        let thinking = section.text("thinking", |text| match text {
            "effort" => Ok(Some(ThinkingForm::Effort)),
            "budget" => Ok(Some(ThinkingForm::Budget)),
            "off" => Ok(None),
            _ => Err("expected effort, budget or off"),
        });
        let taken = Self {
            name: name.to_owned(),
            models: section.texts("models", parse_model).unwrap_or(Setting::new(Vec::new(), Origin::Default)),
            output_tokens_max: section.number("output_tokens_max"),
            remote_media: section.flag("remote_media"),
            plaintext: section.flag("plaintext"),
            first_output_s: section.integer("first_output_s"),
            idle_s: section.integer("idle_s"),
            total_s: section.integer("total_s"),
            base: match (base, &kind) {
                (Some(base), _) => base,
                (None, Some(kind)) => Setting::new(default_base(kind.value), Origin::Default),
                (None, None) => Setting::new(default_base(ProviderKind::Openai), Origin::Default),
            },
            kind: kind.unwrap_or_else(|| {
                section.missing("kind");
                Setting::new(ProviderKind::Openai, Origin::Default)
            }),
            key,
            interface,
            thinking,
        };
        if taken.interface.is_some() && !taken.kind.value.has_interfaces() {
            section.problem(&format!(".interface: {} has one interface", taken.kind.value.name()));
        }
        taken
    }

    /// Returns what the gateway is told of it, but for its key.
    pub(crate) fn options(&self) -> ProviderOptions {
        let default = ProviderOptions::new(&self.name, self.kind.value, self.base.value.clone());
        let seconds = |setting: &Option<Setting<u16>>, default: Duration| {
            setting.as_ref().map_or(default, |setting| Duration::from_secs(setting.value.into()))
        };
        let is_on = |setting: &Option<Setting<bool>>| setting.as_ref().is_some_and(|setting| setting.value);
        ProviderOptions {
            interface: self.interface.as_ref().map_or(default.interface, |setting| setting.value),
            models: self.models.value.clone(),
            thinking: self.thinking.as_ref().map_or(default.thinking, |setting| setting.value),
            output_tokens_max: self.output_tokens_max.as_ref().map(|setting| setting.value),
            remote_media: is_on(&self.remote_media),
            plaintext: is_on(&self.plaintext),
            timeouts: StreamTimeouts {
                first_output: seconds(&self.first_output_s, default.timeouts.first_output),
                idle: seconds(&self.idle_s, default.timeouts.idle),
                total: seconds(&self.total_s, default.timeouts.total),
                ..default.timeouts
            },
            ..default
        }
    }
}

impl SecretName {
    /// Parses `secret:NAME`. What is wrong with it is said without showing it: it may be the secret.
    fn parse(text: &str) -> Result<Self, String> {
        let name = text.strip_prefix("secret:").filter(|name| {
            let sound = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
            (1..=64).contains(&name.len()) && name.bytes().all(sound)
        });
        name.map(|name| Self(name.to_owned())).ok_or_else(|| {
            "expected secret:NAME; the key itself is in the variable NAME or in the file secrets/NAME of the home"
                .to_owned()
        })
    }

    /// Returns the name.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "secret:{}", self.0)
    }
}

fn default_base(kind: ProviderKind) -> ProviderBase {
    ProviderBase::parse(kind.base()).expect("the addresses that the program knows are addresses")
}

fn parse_model(text: &str) -> Result<String, String> {
    let sound =
        (1..=256).contains(&text.len()) && text.chars().all(|c| !c.is_control() && !c.is_whitespace());
    if sound { Ok(text.to_owned()) } else { Err(format!("{text:?} cannot be the name of a model")) }
}

fn is_name(name: &str) -> bool {
    let sound = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-');
    (1..=32).contains(&name.len()) && name.bytes().all(sound)
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    #[test]
    fn a_provider_is_described_by_its_section() {
        let text = "[providers.acme]\nkind = \"openai\"\nbase = \"https://llm.acme.test/v1\"\n\
                    key = \"secret:ACME_KEY\"\nmodels = [\"m-1\"]\ninterface = \"chat\"\nidle_s = 5\n\
                    [providers.claude]\nkind = \"anthropic\"\n";
        let [acme, claude] = &Config::parse(text.as_bytes()).unwrap().providers[..] else { panic!() };
        let options = acme.options();
        assert_eq!((options.name.as_str(), options.interface), ("acme", Interface::Chat));
        assert_eq!(options.base.to_string(), "https://llm.acme.test");
        assert_eq!((options.models, options.timeouts.idle), (vec!["m-1".to_owned()], Duration::from_secs(5)));
        assert_eq!(acme.key.as_ref().unwrap().value.to_string(), "secret:ACME_KEY");
        assert_eq!(acme.kind.origin, Origin::File(2));
        assert_eq!(claude.options().base.to_string(), "https://api.anthropic.com");
    }

    #[test]
    fn what_is_wrong_is_told_and_a_key_in_the_file_is_not_repeated() {
        let problems = |text: &str| {
            let problems = Config::parse(text.as_bytes()).unwrap_err();
            problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        };
        for (text, says) in [
            ("[providers.a]\n", "line 1: providers.a.kind is missing"),
            ("[providers.a]\nkind = \"cohere\"\n", "line 2: providers.a.kind: expected one of openai"),
            ("[providers.A]\nkind = \"openai\"\n", "line 1: providers.A: a provider's name"),
            ("[providers.engine]\nkind = \"openai\"\n", "what runs in this process"),
            ("[providers]\na = 1\n", "line 2: providers.a is a section: write [providers.a]"),
            ("[providers.a]\nkind = \"xai\"\nbase = \"ftp://x\"\n", "providers.a.base: the URL"),
            (
                "[providers.a]\nkind = \"xai\"\nkeys = \"\"\n",
                "unknown key providers.a.keys; did you mean key?",
            ),
            ("[providers.a]\nkind = \"gemini\"\ninterface = \"chat\"\n", "gemini has one interface"),
        ] {
            let told = problems(text);
            assert!(told.contains(says), "{text}: {told}");
        }
        let told = problems("[providers.a]\nkind = \"xai\"\nkey = \"xai-0123456789\"\n");
        assert!(told.contains("expected secret:NAME") && !told.contains("0123"), "{told}");
    }
}
