//! The certificate of a server: read at the start, and again when its files change or a SIGHUP comes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::{Args, ValueHint};
use stack_seal::time::UnixTime;
use stack_server::{BadCertificate, Certificate, Tls};
use stack_trust::private_file;

use super::file_watch::FileWatch;
use crate::config::TlsSection;
use crate::error::{CommandError, Kind};
use crate::process::machine;
use crate::terminal::output::{sanitize, stderr};
use crate::terminal::report::{report, warn_exposed};

#[derive(Debug, Default, Args)]
pub(crate) struct TlsArguments {
    /// Serve over TLS with the certificates in this PEM file, the server's own first
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "tls_key")]
    #[arg(aliases = ["ssl-certfile", "ssl-cert-file"])]
    tls_certificate: Option<PathBuf>,
    /// Their private key, a PEM file without passphrase
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "tls_certificate")]
    #[arg(aliases = ["ssl-keyfile", "ssl-key-file"])]
    tls_key: Option<PathBuf>,
}

/// The files of a certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TlsFiles {
    certificate: PathBuf,
    key: PathBuf,
}

impl TlsArguments {
    /// The files, by the options or the configuration; `None` = no TLS.
    pub(super) fn files(&self, section: &TlsSection) -> Option<TlsFiles> {
        let given = self.tls_certificate.clone().zip(self.tls_key.clone());
        let configured =
            || Some((section.certificate.as_ref()?.value.clone(), section.key.as_ref()?.value.clone()));
        given.or_else(configured).map(|(certificate, key)| TlsFiles { certificate, key })
    }
}

impl TlsFiles {
    /// Reads them, and says what is questionable about them.
    pub(super) fn open(&self) -> Result<Tls, CommandError> {
        let certificate = self.read()?;
        private_file::exposures(&self.key).iter().for_each(warn_exposed);
        self.warn_of_end(&certificate);
        Ok(Tls::new(certificate))
    }

    fn read(&self) -> Result<Certificate, CommandError> {
        let (chain, key) = (read(&self.certificate)?, read(&self.key)?);
        Certificate::parse(&chain, &key).map_err(|error| self.unusable(error))
    }

    fn unusable(&self, error: BadCertificate) -> CommandError {
        let (certificate, key) = (self.certificate.display(), self.key.display());
        let (message, hint) = match &error {
            BadCertificate::NoCertificate => (
                format!("{certificate} holds no certificate"),
                "expected PEM, with lines `-----BEGIN CERTIFICATE-----`",
            ),
            BadCertificate::NoKey => (
                format!("{key} holds no private key that can be used"),
                "expected PEM, with a line `-----BEGIN PRIVATE KEY-----` and without a passphrase",
            ),
            BadCertificate::Mismatch => (
                format!("{key} is not the key of the certificate in {certificate}"),
                "the first certificate in the file must be the server's own",
            ),
            BadCertificate::DamagedCertificate(_) => {
                (format!("{certificate} cannot be used as a certificate"), "check that it is whole")
            }
            BadCertificate::DamagedKey(_) => {
                (format!("{key} cannot be used as a key"), "check that it is whole: RSA, ECDSA or Ed25519")
            }
        };
        CommandError::new(Kind::Malformed, message).reason("bad-certificate").caused(error).hint(hint)
    }

    fn warn_of_end(&self, certificate: &Certificate) {
        let (now, end) = (machine::now().seconds(), certificate.ends_s());
        let (file, time) = (self.certificate.display(), UnixTime::from_seconds(end));
        let line = match end.checked_sub(now) {
            None | Some(0) => format!("the certificate in {file} expired at {time}; clients will refuse it"),
            Some(left) if left < SOON_S => {
                format!("the certificate in {file} expires at {time}, in {} days", left / DAY_S)
            }
            Some(_) => return,
        };
        stderr(sanitize(&format!("warning: {line}")));
    }

    /// Follows the files as long as the server runs. What cannot be used, because one of two files was replaced and the
    /// other not yet, or for good, is told once; the server goes on with what it had.
    pub(super) async fn follow(self, tls: Tls) {
        let mut seen = self.changed();
        let mut watch = FileWatch::new();
        loop {
            let is_asked = watch.next().await;
            let files = self.clone();
            let look = move || {
                let now = files.changed();
                (is_asked || now != seen).then(|| (now, files.read()))
            };
            let Ok(Some((now, certificate))) = tokio::task::spawn_blocking(look).await else { continue };
            seen = now;
            match certificate {
                Ok(certificate) => {
                    self.warn_of_end(&certificate);
                    tls.replace(certificate);
                    stderr(sanitize(&format!(
                        "the certificate in {} is in use now",
                        self.certificate.display()
                    )));
                }
                Err(error) => {
                    report(&error);
                    stderr("the server goes on with the certificate that it had");
                }
            }
        }
    }

    /// When the files were last changed.
    fn changed(&self) -> [Option<SystemTime>; 2] {
        [&self.certificate, &self.key].map(|path| fs::metadata(path).and_then(|file| file.modified()).ok())
    }
}

fn read(path: &Path) -> Result<Vec<u8>, CommandError> {
    let read = fs::File::open(path).and_then(|file| {
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut io::Read::take(file, BYTES_MAX + 1), &mut bytes)?;
        Ok(bytes)
    });
    let bytes = read.map_err(|error| CommandError::reading(path.display(), error))?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(CommandError::new(Kind::Limit, format!("{} is larger than 1 MiB", path.display())));
    }
    Ok(bytes)
}

/// No chain of certificates is longer.
const BYTES_MAX: u64 = 1 << 20;
const DAY_S: u64 = 86_400;
/// Whoever renews certificates by a machine has done so by then.
const SOON_S: u64 = 14 * DAY_S;
