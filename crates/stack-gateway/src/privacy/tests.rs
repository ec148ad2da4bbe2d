//! The matrix of tiers, hosts and hops.

use std::net::IpAddr;

use stack_chat::{Class, Tier};
use stack_url::Url;

use super::*;

fn policy(tier: Tier, listed: &[&str]) -> EgressPolicy {
    let listed = listed.iter().map(|text| HostPattern::parse(text).unwrap()).collect();
    EgressPolicy { tier, offline: false, listed, proxy: None }
}

fn decide(
    policy: &EgressPolicy,
    url: &str,
    purpose: Purpose<'_>,
    tier: Option<Tier>,
) -> Result<Class, &'static str> {
    let url = Url::parse(url).unwrap();
    let request = EgressRequest { origin: url.origin(), purpose, tier };
    policy.decide(&request).map_err(|denied| denied.refusal.code())
}

fn code(policy: &EgressPolicy, url: &str, purpose: Purpose<'_>) -> &'static str {
    decide(policy, url, purpose, None).map_or_else(|code| code, |_| "yes")
}

const PROVIDER: Purpose<'_> = Purpose::Provider { name: "acme", model: "m", plaintext: false };

#[test]
fn each_tier_lets_through_what_it_says() {
    let listed = ["registry.lan", "10.0.0.5", "127.0.0.1:5000", "*.hf.co"];
    let [sovereign, private, standard] =
        [Tier::Sovereign, Tier::Private, Tier::Standard].map(|tier| policy(tier, &listed));
    for (url, expected) in [
        ("https://huggingface.co/", ["tier-forbids", "host-not-listed", "yes"]),
        ("https://registry.lan/", ["tier-forbids", "yes", "yes"]),
        ("https://cdn-lfs.hf.co/", ["tier-forbids", "yes", "yes"]),
        ("https://hf.co/", ["tier-forbids", "host-not-listed", "yes"]),
        ("https://10.0.0.5/", ["tier-forbids", "yes", "yes"]),
        ("https://10.0.0.6/", ["tier-forbids", "host-not-listed", "host-not-listed"]),
        ("https://169.254.169.254/", ["tier-forbids", "host-not-listed", "host-not-listed"]),
        ("https://[::ffff:10.0.0.6]/", ["tier-forbids", "host-not-listed", "host-not-listed"]),
        ("http://127.0.0.1:5000/", ["yes", "yes", "yes"]),
        ("http://127.0.0.1:5001/", ["host-not-listed", "host-not-listed", "host-not-listed"]),
        ("http://localhost/", ["host-not-listed", "host-not-listed", "host-not-listed"]),
        ("http://registry.lan/", ["tier-forbids", "tier-forbids", "tier-forbids"]),
        ("http://huggingface.co/", ["tier-forbids", "host-not-listed", "tier-forbids"]),
    ] {
        let found = [&sovereign, &private, &standard].map(|policy| code(policy, url, Purpose::Transfer));
        assert_eq!(found, expected, "{url}");
    }
}

#[test]
fn credentials_are_shown_to_the_registry_itself_or_to_listed_hosts() {
    let realm = Purpose::Realm { of: "registry.test" };
    let standard = policy(Tier::Standard, &["auth.test"]);
    for (url, expected) in [
        ("https://registry.test/token", "yes"),
        ("https://auth.test/token", "yes"),
        ("https://evil.test/token", "host-not-listed"),
        ("http://registry.test/token", "host-not-listed"),
    ] {
        assert_eq!(code(&standard, url, realm), expected, "{url}");
    }
}

#[test]
fn names_that_lead_inside_are_refused_unless_listed() {
    let policy = policy(Tier::Standard, &["registry.lan"]);
    let addresses = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpAddr>>();
    let inside = addresses(&["93.184.216.34", "10.0.0.1"]);
    assert_eq!(policy.admits("evil.test", &inside).unwrap_err().refusal.code(), "host-not-listed");
    policy.admits("evil.test", &inside[..1]).unwrap();
    policy.admits("registry.lan", &inside).unwrap();
    policy.admits("localhost", &addresses(&["127.0.0.1", "::1"])).unwrap();
    assert!(policy.admits("localhost", &inside).is_err());
}

#[test]
fn proxies_are_hosts_too() {
    let mut policy = policy(Tier::Private, &["registry.lan", "127.0.0.1"]);
    let url = Url::parse("http://proxy.lan:3128").unwrap();
    let except = vec![HostPattern::parse("*.near.lan").unwrap()];
    policy.proxy = Some(Proxy { url, except, login: None });
    assert_eq!(code(&policy, "https://registry.lan/", Purpose::Transfer), "host-not-listed");
    assert_eq!(code(&policy, "http://127.0.0.1/", Purpose::Transfer), "yes");
    policy.listed.push(HostPattern::parse("proxy.lan").unwrap());
    policy.listed.push(HostPattern::parse("*.near.lan").unwrap());
    for (url, proxied) in [("https://registry.lan/", true), ("https://a.near.lan/", false)] {
        assert_eq!(code(&policy, url, Purpose::Transfer), "yes");
        assert_eq!(policy.proxy_for(Url::parse(url).unwrap().origin()).is_some(), proxied);
    }
    policy.admits("proxy.lan", &["10.0.0.1".parse().unwrap()]).unwrap();
}

#[test]
fn offline_is_offline() {
    let mut policy = policy(Tier::Standard, &["127.0.0.1"]);
    policy.offline = true;
    for url in ["https://huggingface.co/", "http://127.0.0.1/"] {
        assert_eq!(code(&policy, url, Purpose::Transfer), "offline");
    }
}

#[test]
fn a_provider_of_this_machine_is_listed_by_being_configured() {
    let [sovereign, private, standard] =
        [Tier::Sovereign, Tier::Private, Tier::Standard].map(|tier| policy(tier, &["vllm.lan", "10.0.0.5"]));
    for (url, expected) in [
        ("http://127.0.0.1:11434/", [Ok(Class::Loopback); 3]),
        ("http://localhost:11434/", [Ok(Class::Loopback); 3]),
        ("https://vllm.lan/", [Err("tier-forbids"), Ok(Class::Listed), Ok(Class::Listed)]),
        ("https://api.acme.test/", [Err("tier-forbids"), Err("host-not-listed"), Ok(Class::Public)]),
        ("https://10.0.0.6/", [Err("tier-forbids"), Err("host-not-listed"), Err("host-not-listed")]),
        (
            "https://[::ffff:127.0.0.1]/",
            [Err("tier-forbids"), Err("host-not-listed"), Err("host-not-listed")],
        ),
        ("http://vllm.lan/", [Err("tier-forbids"); 3]),
    ] {
        let found = [&sovereign, &private, &standard].map(|policy| decide(policy, url, PROVIDER, None));
        assert_eq!(found, expected, "{url}");
    }
    let in_clear = Purpose::Provider { name: "acme", model: "m", plaintext: true };
    assert_eq!(decide(&private, "http://vllm.lan/", in_clear, None), Ok(Class::Listed));
    assert_eq!(decide(&standard, "http://api.acme.test/", in_clear, None), Err("tier-forbids"));
}

#[test]
fn a_request_lowers_the_tier_for_itself_and_never_raises_it() {
    let (public, here) = ("https://api.acme.test/", "http://127.0.0.1:1/");
    let standard = policy(Tier::Standard, &[]);
    assert_eq!(decide(&standard, public, PROVIDER, Some(Tier::Standard)), Ok(Class::Public));
    assert_eq!(decide(&standard, public, PROVIDER, Some(Tier::Private)), Err("host-not-listed"));
    assert_eq!(decide(&standard, public, PROVIDER, Some(Tier::Sovereign)), Err("tier-forbids"));
    let private = policy(Tier::Private, &[]);
    for url in [public, here] {
        assert_eq!(decide(&private, url, PROVIDER, Some(Tier::Standard)), Err("tier-forbids"), "{url}");
    }
    assert_eq!(decide(&private, here, PROVIDER, Some(Tier::Sovereign)), Ok(Class::Loopback));
}

#[test]
fn a_listed_name_leads_where_it_was_listed_to_lead() {
    let policy = policy(Tier::Private, &["vllm.lan=10.0.0.0/8", "any.lan"]);
    let fits = |host: &str, addresses: &[&str]| {
        let addresses: Vec<IpAddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
        policy.admits(host, &addresses).is_ok()
    };
    assert!(fits("vllm.lan", &["10.1.2.3", "::ffff:10.0.0.1"]));
    assert!(!fits("vllm.lan", &["10.1.2.3", "192.168.0.1"]), "one bad answer refuses all");
    assert!(!fits("vllm.lan", &["93.184.216.34"]));
    assert!(fits("any.lan", &["93.184.216.34", "192.168.0.1"]));
    for rebound in ["127.0.0.1", "::1", "169.254.169.254", "fe80::1", "0.0.0.0", "::ffff:127.0.0.1"] {
        assert!(!fits("any.lan", &[rebound]), "{rebound}");
    }
}
