//! The secrets that this program is given: wherever they stand in what is written down, they are replaced.

use stack_audit::Scrubber;
use stack_trust::home::Home;
use zeroize::Zeroizing;

use crate::config::{PROXY_VARIABLES, ProviderSection, login_of};
use crate::home::secrets;
use crate::process::machine::environment;
use crate::transport::hub_token;

/// Finds the keys of providers, each by its name. Those that cannot be read are not known to anybody else here, either.
pub(crate) fn of_providers(home: &Home, providers: &[ProviderSection]) -> Vec<(String, Zeroizing<String>)> {
    let names = providers.iter().filter_map(|provider| Some(&provider.key.as_ref()?.value));
    names.filter_map(|name| Some((name.as_str().to_owned(), secrets::find(home, name).ok()??))).collect()
}

/// Teaches a scrubber the secrets of the environment, and those that are given.
pub(crate) fn known_to(scrubber: Scrubber, keys: Vec<(String, Zeroizing<String>)>) -> Scrubber {
    let keys = keys.into_iter().filter(|(_, key)| key.len() >= SECRET_MIN);
    let keys = keys.map(|(name, key)| (name, key.as_str().to_owned()));
    let secrets: Vec<_> = found_in(environment).into_iter().chain(keys).collect();
    scrubber.with_secrets(&secrets).expect("shorter ones were left out")
}

/// Finds the secrets among variables, each with the name of its variable: tokens, and passwords of proxies.
fn found_in(variable: impl Fn(&str) -> Option<String>) -> Vec<(String, String)> {
    let tokens = hub_token::VARIABLES.into_iter().filter_map(|name| {
        let token = variable(name)?.trim().to_owned();
        Some((name.to_owned(), token))
    });
    let names = PROXY_VARIABLES.into_iter().flat_map(|name| [name.to_owned(), name.to_ascii_lowercase()]);
    let passwords = names.filter_map(|name| {
        let address = variable(&name)?;
        let (_, password) = login_of(&address)?;
        Some((name, password.to_owned()))
    });
    tokens.chain(passwords).filter(|(_, secret)| secret.len() >= SECRET_MIN).collect()
}

/// What is shorter would be found everywhere.
const SECRET_MIN: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_and_passwords_of_proxies_are_secrets_as_a_whole() {
        for (name, value, secret) in [
            ("HF_TOKEN", " hf_0123456789\n", Some("hf_0123456789")),
            ("HUGGING_FACE_HUB_TOKEN", "hf_01:23@456789", Some("hf_01:23@456789")),
            ("HTTPS_PROXY", "http://me:correct:horse/battery@proxy.lan:3128", Some("correct:horse/battery")),
            ("all_proxy", "me:correct@horse@proxy.lan:3128", Some("correct@horse")),
            ("https_proxy", "http://a-user-alone@proxy.lan", None),
            ("ALL_PROXY", "http://proxy.lan:3128", None),
            ("ALL_PROXY", "http://me:short@proxy.lan", None),
            ("NO_PROXY", "me:correct@horse", None),
        ] {
            let found = found_in(|asked| (asked == name).then(|| value.to_owned()));
            let expected = secret.map(|secret| (name.to_owned(), secret.to_owned()));
            assert_eq!(found, Vec::from_iter(expected), "{name}={value}");
        }
    }
}
