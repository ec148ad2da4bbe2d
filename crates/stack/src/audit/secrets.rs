//! The secrets that this program is given: wherever they stand in what is written down, they are replaced.

use stack_audit::Scrubber;

use crate::process::machine::environment;

/// Teaches a scrubber the secrets of the environment.
pub(crate) fn known_to(scrubber: Scrubber) -> Scrubber {
    let secrets = VARIABLES.iter().filter_map(|name| {
        let value = environment(name)?;
        // A password of a proxy is a part of its address.
        let value = match value.rsplit_once('@') {
            Some((login, _)) => login.rsplit([':', '/']).next().unwrap_or_default().to_owned(),
            None if name.to_ascii_uppercase().ends_with("_PROXY") => return None,
            None => value.trim().to_owned(),
        };
        (value.len() >= SECRET_MIN).then(|| ((*name).to_owned(), value))
    });
    scrubber.with_secrets(&secrets.collect::<Vec<_>>()).expect("shorter ones were left out")
}

/// Variables with credentials that commands use.
const VARIABLES: [&str; 6] =
    ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
/// What is shorter would be found everywhere.
const SECRET_MIN: usize = 8;
