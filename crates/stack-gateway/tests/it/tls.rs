//! A provider whose certificate nobody vouches for is not spoken to.

use std::io::Read;
use std::net::TcpListener;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, Stream};
use stack_chat::Tier;
use stack_testkit::ProviderFamily;

use super::support::{answer, ask, options, provider};

/// A certificate for this machine, signed by itself, and its key.
const CERTIFICATE: &str = include_str!("../data/self_signed.pem");
const CERTIFICATE_KEY: &str = include_str!("../data/self_signed.key");

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_ends_the_connection_before_the_request() {
    let _chosen_before = rustls::crypto::ring::default_provider().install_default();
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(CERTIFICATE_KEY.as_bytes()).unwrap();
    let config =
        ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let mut heard = Vec::new();
        // Once for each attempt.
        for _ in 0..3 {
            let (mut socket, _) = listener.accept().unwrap();
            let mut connection = ServerConnection::new(Arc::new(config.clone())).unwrap();
            // It ends with an alert.
            let _refused = Stream::new(&mut connection, &mut socket).read_to_end(&mut heard);
        }
        heard
    });
    let base = format!("https://127.0.0.1:{port}");
    let provider = provider(options(ProviderFamily::OpenaiChat, &base), Tier::Standard);
    assert_eq!(answer(&provider, ask()).await, "!provider_connection_failed");
    let heard = server.join().unwrap();
    assert!(heard.is_empty(), "neither key nor prompt was said");
}
