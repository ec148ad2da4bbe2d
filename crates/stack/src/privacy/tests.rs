//! The matrix of tiers, hosts and hops.

use super::*;

fn gate(tier: Tier, listed: &[&str]) -> EgressGate {
    let listed = listed.iter().map(|text| HostPattern::parse(text).unwrap()).collect();
    EgressGate::new(Settings { tier, offline: false, listed, proxy: None })
}

fn code(gate: &EgressGate, url: &str, hop: &Hop) -> &'static str {
    gate.permit(&Url::parse(url).unwrap(), hop).map_or_else(|denied| denied.refusal.code(), |_| "yes")
}

#[test]
fn each_tier_lets_through_what_it_says() {
    let listed = ["registry.lan", "10.0.0.5", "127.0.0.1:5000", "*.hf.co"];
    let [sovereign, private, standard] =
        [Tier::Sovereign, Tier::Private, Tier::Standard].map(|tier| gate(tier, &listed));
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
        for hop in [Hop::Asked, Hop::Led] {
            let found = [&sovereign, &private, &standard].map(|gate| code(gate, url, &hop));
            assert_eq!(found, expected, "{url}");
        }
    }
}

#[test]
fn credentials_are_shown_to_the_registry_itself_or_to_listed_hosts() {
    let realm = Hop::Realm { of: "registry.test".to_owned() };
    let standard = gate(Tier::Standard, &["auth.test"]);
    for (url, expected) in [
        ("https://registry.test/token", "yes"),
        ("https://auth.test/token", "yes"),
        ("https://evil.test/token", "host-not-listed"),
        ("http://registry.test/token", "host-not-listed"),
    ] {
        assert_eq!(code(&standard, url, &realm), expected, "{url}");
    }
}

#[test]
fn names_that_lead_inside_are_refused_unless_listed() {
    let gate = gate(Tier::Standard, &["registry.lan"]);
    let addresses = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpAddr>>();
    let inside = addresses(&["93.184.216.34", "10.0.0.1"]);
    assert_eq!(gate.admits("evil.test", &inside).unwrap_err().refusal.code(), "host-not-listed");
    gate.admits("evil.test", &inside[..1]).unwrap();
    gate.admits("registry.lan", &inside).unwrap();
    gate.admits("localhost", &addresses(&["127.0.0.1", "::1"])).unwrap();
    assert!(gate.admits("localhost", &inside).is_err());
}

#[test]
fn proxies_are_hosts_too() {
    let mut gate = gate(Tier::Private, &["registry.lan", "127.0.0.1"]);
    let url = Url::parse("http://proxy.lan:3128").unwrap();
    let except = vec![HostPattern::parse("*.near.lan").unwrap()];
    gate.proxy = Some(Proxy { url, except, login: None });
    assert_eq!(code(&gate, "https://registry.lan/", &Hop::Asked), "host-not-listed");
    assert_eq!(code(&gate, "http://127.0.0.1/", &Hop::Asked), "yes");
    gate.listed.push(HostPattern::parse("proxy.lan").unwrap());
    gate.listed.push(HostPattern::parse("*.near.lan").unwrap());
    for (url, proxied) in [("https://registry.lan/", true), ("https://a.near.lan/", false)] {
        assert_eq!(code(&gate, url, &Hop::Asked), "yes");
        assert_eq!(gate.proxy_for(Url::parse(url).unwrap().origin()).is_some(), proxied);
    }
    gate.admits("proxy.lan", &["10.0.0.1".parse().unwrap()]).unwrap();
}

#[test]
fn offline_is_offline() {
    let mut gate = gate(Tier::Standard, &["127.0.0.1"]);
    gate.offline = true;
    for url in ["https://huggingface.co/", "http://127.0.0.1/"] {
        assert_eq!(code(&gate, url, &Hop::Asked), "offline");
    }
}
