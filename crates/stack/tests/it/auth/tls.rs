//! Servers that speak TLS.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Site, vector};

#[test]
fn files_that_are_no_certificate_are_named() {
    let site = Site::new();
    let serve = |certificate: &str, key: &str| {
        site.stack(&["serve", "--port", "0", "--tls-certificate", certificate, "--tls-key", key])
    };
    let (certificate, key) = (vector("server.pem"), vector("server.key"));
    let empty = site.path("empty.pem");
    std::fs::write(&empty, "").unwrap();
    for (given, wanted) in [
        ([site.path("absent.pem"), key.clone()], (3, "absent.pem")),
        ([empty.clone(), key.clone()], (4, "empty.pem holds no certificate")),
        ([certificate.clone(), empty], (4, "empty.pem holds no private key")),
        ([certificate.clone(), vector("second.key")], (4, "second.key is not the key of the certificate in")),
    ] {
        serve(&given[0], &given[1]).fails(wanted.0, &[wanted.1]);
    }
    site.stack(&["serve", "--tls-key", &key]).fails(2, &["--tls-certificate"]);
    site.configure(&format!("[server.tls]\ncertificate = \"{certificate}\"\n"));
    site.stack(&["serve", "--port", "0"]).fails(4, &["line 2: server.tls.certificate needs server.tls.key"]);
}

/// The serial number of the certificate that a server shows, as a client sees it that trusts the authority of the tests.
fn asks(site: &Site, port: &str) -> Value {
    site.stack(&[
        "whoami",
        "--server",
        &format!("https://localhost:{port}"),
        "--allow-host",
        "localhost",
        "--json",
    ])
    .json()
}

#[test]
fn a_server_speaks_tls_and_its_certificate_changes_without_a_restart() {
    let site = Site::new();
    let (certificate, key) = (site.path("c.pem"), site.path("k.pem"));
    let copy = |name: &str| {
        std::fs::copy(vector(&format!("{name}.pem")), &certificate).unwrap();
        std::fs::copy(vector(&format!("{name}.key")), &key).unwrap();
    };
    copy("server");
    site.configure(&format!("[server.tls]\ncertificate = \"{certificate}\"\nkey = \"{key}\"\n"));
    let server = site.serve(&[]);
    assert!(server.said.contains("listening on https://127.0.0.1:"), "{}", server.said);
    assert_eq!(asks(&site, &server.port)["whoami"]["name"], "operator");
    // A certificate that clients refuse shows that it is in use.
    std::fs::copy(vector("expired.pem"), &certificate).unwrap();
    let refused = || {
        let server = format!("https://localhost:{}", server.port);
        site.stack(&["whoami", "--server", &server, "--allow-host", "localhost"]).code == 6
    };
    let deadline = Instant::now() + Duration::from_mins(1);
    while !refused() {
        assert!(Instant::now() < deadline, "the certificate is never read again");
        std::thread::sleep(Duration::from_millis(50));
    }
    // A file that does not fit is passed over, and the pair is used once it is whole.
    std::fs::copy(vector("second.pem"), &certificate).unwrap();
    std::fs::copy(vector("second.key"), &key).unwrap();
    std::process::Command::new("kill").args(["-HUP", &server.child.id().to_string()]).status().unwrap();
    while refused() {
        assert!(Instant::now() < deadline, "the certificate is never read again");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_certificate_that_has_expired_is_warned_about() {
    let site = Site::new();
    let (certificate, key) = (vector("expired.pem"), vector("server.key"));
    let server = site.serve(&["--tls-certificate", &certificate, "--tls-key", &key]);
    assert!(server.said.contains("expired.pem expired at 2021-01-01T00:00:00Z"), "{}", server.said);
}
