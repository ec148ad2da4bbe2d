//! What may be asked, by whom.

use std::fs;
use std::process::{Command, Stdio};

use stack_testkit::{HttpReply, HttpServer};

use super::{Home, content, file_server, ran};

#[test]
fn each_tier_refuses_by_name() {
    let (home, bytes) = (Home::new(), content(100));
    let server = file_server(&bytes);
    let url = server.url("/a.gguf");
    ran(home.pull_unlisted(&[&url])).fails(7, &["error[host-not-listed]", &server.host(), "--allow-host"]);
    ran(home.pull(&["hf://a/b", "--privacy", "sovereign"]))
        .fails(7, &["error[tier-forbids]", "huggingface.co"]);
    ran(home.pull(&["oci://ghcr.io/a/b", "--privacy", "private"]))
        .fails(7, &["error[host-not-listed]", "ghcr.io"]);
    ran(home.pull(&[&url, "--offline"])).fails(7, &["error[offline]"]);
    ran(home.pull(&["http://example.org/a.gguf"])).fails(7, &["error[tier-forbids]", "plain http"]);
    ran(home.pull(&["https://169.254.169.254/a"]))
        .fails(7, &["error[host-not-listed]", "not a public address"]);
    assert!(server.requests().is_empty());
    ran(home.pull(&[&url, "--privacy", "sovereign"])).output();
}

#[test]
fn a_redirect_is_decided_anew() {
    let (home, bytes) = (Home::new(), content(100));
    let inside = file_server(&bytes);
    for target in [
        inside.url("/a").replace("127.0.0.1", "localhost"),
        "https://10.0.0.1/a".into(),
        "http://example.org/a".into(),
    ] {
        let location = target.clone();
        let server = HttpServer::start(move |_| HttpReply::redirect(&location));
        let ran = ran(home.pull(&[&server.url("/a.gguf")]));
        assert_eq!(ran.code, 7, "{target}: {}", ran.stderr);
    }
    assert!(inside.requests().is_empty());
}

#[test]
fn a_local_copy_wins_over_a_network_that_may_not_be_asked() {
    let (home, bytes) = (Home::new(), content(100));
    let server = file_server(&bytes);
    let url = server.url("/a.gguf");
    let pulled = ran(home.pull(&[&url])).output();
    for refusal in [&["--offline"][..], &["--privacy", "sovereign"]] {
        let mut again = home.pull_unlisted(&[&url]);
        again.args(refusal);
        assert_eq!(ran(again).output(), pulled, "{refusal:?}");
    }
    assert_eq!(ran(home.pull(&[&format!("{}/a", server.host()), "--offline"])).output(), pulled);
    ran(home.pull_unlisted(&[&url, "--offline", "--update"])).fails(7, &["error[offline]"]);
}

#[test]
fn the_configuration_is_a_ceiling_and_lists_hosts() {
    let (home, bytes) = (Home::new(), content(100));
    let server = file_server(&bytes);
    let url = server.url("/a.gguf");
    let config = home.path().join("stack.toml");
    fs::write(&config, format!("[privacy]\ntier = \"private\"\nhosts = [\"{}\"]", server.host())).unwrap();
    ran(home.pull_unlisted(&["hf://a/b"])).fails(7, &["error[host-not-listed]"]);
    ran(home.pull_unlisted(&[&url, "--privacy", "standard"]))
        .fails(7, &["error[tier-forbids]", "stack.toml"]);
    let mut from_environment = home.pull_unlisted(&[&url]);
    from_environment.env("STACK_PRIVACY", "standard");
    ran(from_environment).fails(7, &["error[tier-forbids]", "STACK_PRIVACY"]);
    ran(home.pull_unlisted(&[&url])).output();
    for wrong in ["[privacy]\ntear = 1", "[privacy]\ntier = \"public\"", "[other]"] {
        fs::write(&config, wrong).unwrap();
        ran(home.pull_unlisted(&[&url])).fails(4, &["stack.toml"]);
    }
}

#[test]
fn a_proxy_is_asked_instead_of_the_host() {
    let (home, proxy) = (Home::new(), HttpServer::start(|_| HttpReply::new(403, "")));
    let through = |arguments: &[&str]| {
        let mut pull = home.pull(&["https://no-such-host.invalid/a.gguf"]);
        pull.args(arguments).env("HTTPS_PROXY", proxy.url(""));
        ran(pull)
    };
    through(&["--privacy", "private"]).fails(7, &["error[host-not-listed]", "no-such-host.invalid"]);
    assert!(proxy.requests().is_empty());
    through(&[]).fails(8, &["error[unreachable]", "no-such-host.invalid"]);
    let asked: Vec<_> =
        proxy.requests().into_iter().map(|request| (request.method, request.target)).collect();
    assert_eq!(asked, [("CONNECT".to_owned(), "no-such-host.invalid:443".to_owned())]);
}

#[test]
fn options_that_mean_nothing_are_refused() {
    let home = Home::new();
    ran(home.pull(&["https://a.test/a.gguf", "--revision", "main"])).fails(2, &["--revision", "hint: "]);
    ran(home.pull(&["oci://a.test/a", "--file", "*"])).fails(2, &["--file", "hint: "]);
}

#[test]
fn errors_are_json_where_the_output_is() {
    let home = Home::new();
    let refused = ran(home.pull(&["hf://a/b", "--privacy", "sovereign", "--json"]));
    let error: serde_json::Value = serde_json::from_str(&refused.stderr).unwrap();
    assert_eq!((refused.code, &error["error"]["code"]), (7, &"tier-forbids".into()));
}

/// The kernel itself says that nothing was tried.
#[test]
fn under_sovereign_no_internet_socket_is_made() {
    if Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_err() {
        eprintln!("SKIPPED: needs strace");
        return;
    }
    let home = Home::new();
    let trace = home.path().join("trace");
    let traced = home.pull(&["hf://owner/repo", "--privacy", "sovereign"]);
    let status = Command::new("strace")
        .args(["-f", "-e", "trace=network", "-o"])
        .arg(&trace)
        .arg(traced.get_program())
        .args(traced.get_args())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(7));
    let calls = fs::read_to_string(trace).unwrap();
    assert!(calls.contains("exited with 7"), "the trace is whole:\n{calls}");
    assert!(!calls.contains("AF_INET"), "{calls}");
}
