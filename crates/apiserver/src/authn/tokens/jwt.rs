//! Compact JWS with ES256 (RFC 7515, RFC 7518 section 3.4), and the key as JWK (RFC 7517).

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// What precedes the point in the SubjectPublicKeyInfo of a P-256 key (RFC 5480).
const SPKI: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// Bytes of a coordinate of the point.
const COORDINATE: usize = 32;

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It is not PEM with one private key in it.
    #[error("the key is not a PKCS#8 private key in PEM")]
    Pem,
    /// It is for another algorithm.
    #[error("the key is not an ECDSA key on P-256")]
    Algorithm(#[source] aws_lc_rs::error::KeyRejected),
    /// The library refused to sign.
    #[error("the token cannot be signed")]
    Sign,
}

/// A signing key.
#[derive(Debug)]
pub struct Key {
    pair: EcdsaKeyPair,
    id: String,
}

impl Key {
    /// Reads a PKCS#8 key in PEM.
    ///
    /// # Errors
    /// When it is anything else, or no P-256 key.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let body = pem.split_once("-----BEGIN PRIVATE KEY-----").ok_or(KeyError::Pem)?.1;
        let body = body.split_once("-----END PRIVATE KEY-----").ok_or(KeyError::Pem)?.0;
        let text: String = body.split_whitespace().collect();
        let der = STANDARD.decode(text).map_err(|_| KeyError::Pem)?;
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der).map_err(KeyError::Algorithm)?;
        let id = digest(&SHA256, &[&SPKI, pair.public_key().as_ref()].concat());
        Ok(Self { id: URL_SAFE_NO_PAD.encode(id), pair })
    }

    /// The key's id: the hash of its public half.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Signs claims.
    ///
    /// # Errors
    /// When the cryptographic library fails.
    pub fn sign(&self, claims: &impl Serialize) -> Result<String, KeyError> {
        let claims = serde_json::to_vec(claims).map_err(|_| KeyError::Sign)?;
        let header = json!({"alg": "ES256", "kid": self.id}).to_string();
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature =
            self.pair.sign(&SystemRandom::new(), signed.as_bytes()).map_err(|_| KeyError::Sign)?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    /// The claims of a token that this key has signed.
    pub fn verify<T: DeserializeOwned>(&self, token: &str) -> Option<T> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
        // The key decides the algorithm, never the token; what a critical extension means is unknown.
        if header["alg"] != "ES256" || header.get("crit").is_some() {
            return None;
        }
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.pair.public_key().as_ref());
        key.verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).ok()?).ok()?;
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()
    }

    /// The public half as a JWK.
    pub fn jwk(&self) -> Value {
        let (x, y) = self.pair.public_key().as_ref()[1..].split_at(COORDINATE);
        json!({
            "use": "sig", "kty": "EC", "kid": self.id, "crv": "P-256", "alg": "ES256",
            "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
        })
    }
}
