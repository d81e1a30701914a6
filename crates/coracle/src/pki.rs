//! The embedded certificate authority and the files under `pki/`.
//!
//! ```text
//! pki/ca.{crt,key}                 signs serving and client certificates
//! pki/front-proxy-ca.{crt,key}     signs the identity of the aggregator
//! pki/apiserver.{crt,key}          the API's serving certificate, re-issued at each start
//! pki/admin.{crt,key}              client certificate: user kubernetes-admin, group system:masters
//! pki/service-account.key          signs service-account tokens (ES256)
//! ```
//!
//! Every key is 0600 in a 0700 directory. Leaf certificates are made anew at each start, so that
//! none expires under a server that is restarted within its year.

use std::fs;
use std::io::Write;
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use time::{Duration, OffsetDateTime};

const CA_YEARS: i64 = 10;
const LEAF_DAYS: i64 = 365;
/// Clocks of clients may be behind ours.
const SKEW: Duration = Duration::hours(1);

/// A certificate and its key, both PEM.
#[derive(Clone)]
pub struct Pair {
    /// The certificate.
    pub cert: String,
    /// The private key, PKCS#8.
    pub key: String,
}

/// A certificate authority.
pub struct Authority {
    /// The CA's certificate and key.
    pub pair: Pair,
    issuer: Issuer<'static, KeyPair>,
}

/// Who a client certificate names: X.509 common name and organizations.
pub struct Subject<'a> {
    /// The user.
    pub user: &'a str,
    /// The groups.
    pub groups: &'a [&'a str],
}

/// All key material of a server.
pub struct Pki {
    dir: PathBuf,
    /// The cluster's CA.
    pub ca: Authority,
    /// The aggregator's CA.
    pub front_proxy_ca: Authority,
    /// The key that signs service-account tokens, PKCS#8 PEM.
    pub service_account_key: String,
}

impl Authority {
    fn load_or_create(dir: &Path, name: &str, common_name: &str, now: OffsetDateTime) -> Result<Self> {
        let (cert_path, key_path) = (dir.join(format!("{name}.crt")), dir.join(format!("{name}.key")));
        if !cert_path.exists() || !key_path.exists() {
            let pair = new_ca(common_name, now)?;
            write_private(&key_path, &pair.key)?;
            write_private(&cert_path, &pair.cert)?;
        }
        let pair = Pair { cert: read(&cert_path)?, key: read(&key_path)? };
        let key = KeyPair::from_pem(&pair.key).with_context(|| unreadable(&key_path))?;
        let issuer = Issuer::from_ca_cert_pem(&pair.cert, key).with_context(|| unreadable(&cert_path))?;
        Ok(Self { pair, issuer })
    }

    /// Issues a client certificate.
    pub fn client(&self, subject: &Subject<'_>, now: OffsetDateTime) -> Result<Pair> {
        let mut params = leaf(subject.user, now)?;
        for group in subject.groups {
            params.distinguished_name.push(DnType::OrganizationName, *group);
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(&params)
    }

    /// Issues a serving certificate for names and addresses.
    pub fn serving(
        &self,
        name: &str,
        names: &[String],
        addresses: &[IpAddr],
        now: OffsetDateTime,
    ) -> Result<Pair> {
        let mut params = leaf(name, now)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        for name in names {
            params.subject_alt_names.push(SanType::DnsName(name.as_str().try_into()?));
        }
        params.subject_alt_names.extend(addresses.iter().map(|address| SanType::IpAddress(*address)));
        self.sign(&params)
    }

    fn sign(&self, params: &CertificateParams) -> Result<Pair> {
        let key = KeyPair::generate()?;
        let cert = params.signed_by(&key, &self.issuer)?;
        Ok(Pair { cert: cert.pem(), key: key.serialize_pem() })
    }
}

impl Pki {
    /// Loads the key material in `dir`, making what is missing.
    pub fn load_or_create(dir: &Path, now: OffsetDateTime) -> Result<Self> {
        private_dir(dir)?;
        let ca = Authority::load_or_create(dir, "ca", "coracle-ca", now)?;
        let front_proxy_ca = Authority::load_or_create(dir, "front-proxy-ca", "coracle-front-proxy-ca", now)?;
        let key_path = dir.join("service-account.key");
        if !key_path.exists() {
            write_private(&key_path, &KeyPair::generate()?.serialize_pem())?;
        }
        Ok(Self { dir: dir.to_owned(), ca, front_proxy_ca, service_account_key: read(&key_path)? })
    }

    /// Writes a pair as `NAME.crt` and `NAME.key`.
    pub fn save(&self, name: &str, pair: &Pair) -> Result<()> {
        write_private(&self.dir.join(format!("{name}.key")), &pair.key)?;
        write_private(&self.dir.join(format!("{name}.crt")), &pair.cert)
    }
}

fn new_ca(common_name: &str, now: OffsetDateTime) -> Result<Pair> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages =
        vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
    params.not_before = now - SKEW;
    params.not_after = now + Duration::days(365 * CA_YEARS);
    let key = KeyPair::generate()?;
    Ok(Pair { cert: params.self_signed(&key)?.pem(), key: key.serialize_pem() })
}

fn leaf(common_name: &str, now: OffsetDateTime) -> Result<CertificateParams> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    params.not_before = now - SKEW;
    params.not_after = now + Duration::days(LEAF_DAYS);
    Ok(params)
}

fn unreadable(path: &Path) -> String {
    format!(
        "{} is damaged: restore it from a backup, or remove pki/ to make a new cluster identity",
        path.display()
    )
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Makes a directory that only its owner can enter.
pub fn private_dir(dir: &Path) -> Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .with_context(|| format!("cannot create {}", dir.display()))
}

/// Writes a file that only its owner can read, in one rename: a reader never sees half of it.
pub fn write_private(path: &Path, text: &str) -> Result<()> {
    let temporary = path.with_extension("tmp");
    let context = || format!("cannot write {}", path.display());
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&temporary)
        .with_context(context)?;
    file.write_all(text.as_bytes()).with_context(context)?;
    file.sync_all().with_context(context)?;
    fs::rename(&temporary, path).with_context(context)
}
