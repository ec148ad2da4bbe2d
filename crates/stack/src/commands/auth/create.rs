//! `stack auth token create`.

use std::num::NonZeroU32;
use std::sync::Arc;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde_json::{Value, json};
use stack_chat::{Priority, Tenant};
use stack_seal::time::UnixTime;
use stack_server::{Grant, ModelPattern, RateLimits, Scope};

use super::row;
use crate::api_keys::{ApiKey, KeyFile, Token, parse_priority, parse_tenant, word};
use crate::audit::{Act, ActKind};
use crate::error::{CommandError, Kind};
use crate::options::CommonArguments;
use crate::process::{core_dumps, machine};
use crate::terminal::output::{Data, stderr};
use crate::terminal::units;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Name of the key, such as its user or program
    #[arg(long, value_name = "NAME", value_parser = word)]
    name: String,
    /// What it allows; may be given several times, or as a list
    #[arg(long, value_name = "SCOPE", value_parser = scopes(), value_delimiter = ',')]
    #[arg(default_value = "infer")]
    scope: Vec<Scope>,
    /// Only models of this name, in which `*` stands for any text; may be given several times [default: all]
    #[arg(long, value_name = "PATTERN")]
    model: Vec<ModelPattern>,
    /// Share caches and stored responses with the other keys of this tenant [default: with no other key]
    #[arg(long, value_name = "NAME", value_parser = parse_tenant)]
    tenant: Option<Tenant>,
    /// Requests that it may make in any minute [default: any number]
    #[arg(long, value_name = "N", alias = "rpm")]
    requests_per_minute: Option<NonZeroU32>,
    /// Tokens that it may read and write in any minute [default: any number]
    #[arg(long, value_name = "N", alias = "tpm")]
    tokens_per_minute: Option<NonZeroU32>,
    /// The most urgent that its requests can be: `interactive`, or `batch` for what nobody waits for
    #[arg(long, value_name = "PRIORITY", value_parser = parse_priority, default_value = "interactive")]
    priority: Priority,
    /// When it ends: after a time such as 30d, or at a time such as 2027-11-30 or 2027-11-30T12:00:00Z [default: never]
    #[arg(long, value_name = "TIME", value_parser = Expiry::parse)]
    expires: Option<Expiry>,
    #[command(flatten)]
    common: CommonArguments,
}

/// When a key ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expiry {
    At(UnixTime),
    After(u64),
}

/// Creates a key, and prints it.
pub(super) fn run(arguments: &Arguments) -> Result<(), CommandError> {
    let common = &arguments.common;
    let file = KeyFile::of(&common.home()?)?;
    if let Err(error) = core_dumps::forbid() {
        stderr(format!("warning: a crash could write secrets of this process to the disk: {error}"));
    }
    let token = Token::draw(&mut machine::random()?);
    let key = key(arguments, &token)?;
    let about = json!({"act": "create an API key", "key": row::json(&key)});
    common.audit()?.record(Act::new(ActKind::ADMIN, about), || {
        file.change(|keys| {
            keys.push(key.clone());
            Ok(())
        })?;
        Ok(((), Value::Null))
    })?;
    let mut data = Data::new();
    if common.json {
        let mut made = row::json(&key);
        made["token"] = token.text.as_str().into();
        return data.json(&made);
    }
    common.stderr(format!("the key {} of {}; it is shown this once:", key.grant.key_id, key.grant.name));
    data.line(&token.text)
}

fn key(arguments: &Arguments, token: &Token) -> Result<ApiKey, CommandError> {
    let now = machine::now();
    let expires = arguments.expires.map(|expiry| expiry.from(now));
    if expires.is_some_and(|end| end <= now) {
        return Err(CommandError::new(Kind::Usage, "the key would have ended before it begins")
            .hint("give --expires a time that is to come"));
    }
    let models = if arguments.model.is_empty() { vec![every_model()] } else { arguments.model.clone() };
    Ok(ApiKey {
        digest: token.digest(),
        created: now,
        grant: Arc::new(Grant {
            key_id: token.id.clone(),
            name: arguments.name.clone(),
            tenant: arguments.tenant.clone().unwrap_or_else(|| Tenant::new(&token.id)),
            scopes: arguments.scope.iter().copied().collect(),
            models,
            limits: RateLimits {
                requests: arguments.requests_per_minute,
                tokens: arguments.tokens_per_minute,
            },
            priority: arguments.priority,
            expires_s: expires.map(UnixTime::seconds),
        }),
    })
}

fn every_model() -> ModelPattern {
    "*".parse().expect("a star is a pattern")
}

fn scopes() -> impl TypedValueParser<Value = Scope> {
    let names = PossibleValuesParser::new(Scope::ALL.map(Scope::name));
    names.map(|name| Scope::from_name(&name).expect("only names of scopes are possible"))
}

impl Expiry {
    fn parse(text: &str) -> Result<Self, String> {
        if let Ok(after) = units::parse_duration(text) {
            return Ok(Self::After(after.as_secs()));
        }
        let time = if text.contains('T') { text.to_owned() } else { format!("{text}T00:00:00Z") };
        let expected = "expected a time such as 30d, 2027-11-30 or 2027-11-30T12:00:00Z";
        time.parse().map(Self::At).map_err(|_| expected.to_owned())
    }

    fn from(self, now: UnixTime) -> UnixTime {
        match self {
            Self::At(time) => time,
            Self::After(seconds) => now.plus(seconds),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_ends_at_a_time_or_after_one() {
        let now = UnixTime::from_seconds(1000);
        let end = |text| Expiry::parse(text).map(|expiry| expiry.from(now).seconds());
        assert_eq!((end("1h"), end("1970-01-02")), (Ok(4600), Ok(86_400)));
        assert_eq!(end("1970-01-01T01:00:00Z"), Ok(3600));
        for wrong in ["", "never", "30", "2027-13-01"] {
            assert!(end(wrong).is_err(), "{wrong}");
        }
    }
}
