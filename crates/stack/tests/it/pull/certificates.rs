//! A hub behind TLS whose certificate is signed by an authority of its own, as inside of companies.
//!
//! The authority and the server's key were made for these tests, with `openssl req -x509` and `openssl x509 -req`, and the
//! authority's own key was thrown away.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::thread;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, Stream};
use stack_testkit::HttpServer;

use super::hub::{Files, answer};
use super::{Home, content, ran, sha256};

#[test]
fn an_authority_of_ones_own_is_trusted_where_it_is_named() {
    let (home, bytes) = (Home::new(), content(1000));
    let files = Files::from([("Tiny-Q4_K_M.gguf", Arc::clone(&bytes))]);
    let hub = HttpServer::start(move |request| answer(request, &files, None));
    let endpoint = behind_tls(&hub);
    let pull = |authority: Option<&str>| -> Command {
        let mut pull = home.pull(&["hf://Me/Tiny-GGUF"]);
        pull.env("HF_ENDPOINT", &endpoint).env_remove("SSL_CERT_FILE").env_remove("SSL_CERT_DIR");
        if let Some(authority) = authority {
            pull.env("SSL_CERT_FILE", authority);
        }
        pull
    };
    let refused = ran(pull(None));
    // It would fail again: that there is something to resume would mislead.
    assert!(!refused.stderr.contains("resume"), "{}", refused.stderr);
    refused.fails(6, &["error[bad-certificate]", "127.0.0.1", "certificate", "hint: ", "SSL_CERT_FILE"]);
    assert!(hub.requests().is_empty(), "nothing is said to a server that nobody knows");
    ran(pull(Some(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/pull/certificates/authority.pem"))))
        .output();
    assert!(home.blob(&sha256(&bytes)).exists());
}

/// Answers for a server under TLS, and returns the address.
fn behind_tls(server: &HttpServer) -> String {
    let chain = CertificateDer::pem_slice_iter(include_bytes!("certificates/server.pem"));
    let chain = chain.collect::<Result<_, _>>().unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("certificates/server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key);
    let config = Arc::new(config.unwrap());
    let plain = server.url("").trim_start_matches("http://").trim_end_matches('/').to_owned();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for connection in listener.incoming().map_while(Result::ok) {
            let (config, plain) = (Arc::clone(&config), plain.clone());
            // A client that does not like the certificate leaves in the middle of the greeting.
            thread::spawn(move || drop(forward(connection, config, &plain)));
        }
    });
    format!("https://{address}")
}

/// Hands one request without a body to the server in clear, and its reply back.
fn forward(mut connection: TcpStream, config: Arc<ServerConfig>, plain: &str) -> std::io::Result<()> {
    let mut session = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut client = Stream::new(&mut session, &mut connection);
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte)?;
        request.push(byte[0]);
    }
    let mut server = TcpStream::connect(plain)?;
    server.write_all(&request)?;
    let mut reply = Vec::new();
    server.read_to_end(&mut reply)?;
    client.write_all(&reply)?;
    session.send_close_notify();
    session.complete_io(&mut connection).map(drop)
}
