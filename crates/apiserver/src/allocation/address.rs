//! Cluster addresses.

use std::net::{IpAddr, Ipv4Addr};

use api::status::{FieldError, FieldPath, Status};
use serde_json::{Value, json};

use super::claim::{ADDRESSES, Claim};
use super::{Allocation, Cidr, Draft, Refusal, draw, service};
use crate::strategy::format::parse_ip;

/// Where ServiceCIDR objects are.
pub(super) const CIDRS: &str = "networking.k8s.io/servicecidrs";

impl Allocation {
    /// The ranges that addresses come from: ours, then those of ready ServiceCIDR objects.
    fn address_ranges(&self) -> Vec<Cidr> {
        let mut ranges = vec![self.ranges.services];
        let (objects, _) = self.cache.shard(CIDRS).snapshot();
        for object in objects.values() {
            let object: Value = serde_json::from_slice(object.versioned.json()).unwrap_or_default();
            ranges.extend(ready_ranges(&object));
        }
        ranges.dedup();
        ranges
    }
}

/// The IPv4 ranges of a ServiceCIDR that may be used.
fn ready_ranges(object: &Value) -> Vec<Cidr> {
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    let ready = conditions
        .filter(|condition| condition["type"] == "Ready")
        .any(|condition| condition["status"] == "True");
    let cidrs = object["spec"]["cidrs"].as_array().into_iter().flatten();
    let parsed = cidrs.filter_map(Value::as_str).filter_map(|cidr| cidr.parse().ok());
    let usable = ready && api::meta::deletion_timestamp(object).is_none();
    parsed.filter(|_| usable).collect()
}

impl Draft<'_> {
    /// Gives the Service its cluster address, or claims those it asks for.
    pub(super) async fn addresses(&mut self, spec: &mut Value, old: &Value) -> Result<(), Status> {
        let before = service::addresses(old);
        match (service::has_address(spec), service::has_address(old)) {
            (true, false) => self.new_addresses(spec).await?,
            // The first is given once: validation refuses another.
            (true, true) => {
                let known = service::address_texts(old);
                for text in service::address_texts(spec).iter().skip(1).filter(|ip| !known.contains(ip)) {
                    self.asked_address(spec, text).await?;
                }
            }
            (false, _) => self.claims.outdated.extend(before.into_iter().map(Claim::Address)),
        }
        Ok(())
    }

    async fn new_addresses(&mut self, spec: &mut Value) -> Result<(), Status> {
        let is_empty = spec["clusterIPs"].as_array().is_none_or(Vec::is_empty);
        if !is_empty {
            for text in service::address_texts(spec) {
                self.asked_address(spec, &text).await?;
            }
            return Ok(());
        }
        // This cluster has IPv4 alone: validation refuses what begins with another family.
        if spec["clusterIP"].as_str().is_none_or(str::is_empty) && spec["ipFamilies"][0] != "IPv6" {
            let ip = self.next_address().await?.to_string();
            spec["clusterIP"] = json!(ip);
            spec["clusterIPs"] = json!([ip]);
        }
        Ok(())
    }

    /// Claims an address that the client named. One that is none is left to validation.
    async fn asked_address(&mut self, spec: &Value, text: &str) -> Result<(), Status> {
        let refusal = match parse_ip(text) {
            None => return Ok(()),
            Some(IpAddr::V6(_)) if spec["clusterIPs"][0] == text => return Ok(()),
            Some(IpAddr::V6(_)) => Err(Refusal::ForeignNetwork),
            Some(IpAddr::V4(ip)) => match self.check_address(ip) {
                Ok(()) => self.exactly(Claim::Address(ip), Refusal::AddressTaken).await?,
                outside => outside,
            },
        };
        refusal.map_err(|why| {
            let path = FieldPath::new("spec").child("clusterIPs");
            let detail = format!("failed to allocate IP {text}: {why}");
            let error = FieldError::invalid(&path, spec["clusterIPs"].clone(), detail);
            Status::invalid(&self.resource.group_kind(), self.name, &[error])
        })
    }

    fn check_address(&self, ip: Ipv4Addr) -> Result<(), Refusal> {
        let ranges = self.allocation.address_ranges();
        let range = ranges.into_iter().find(|range| range.contains(ip)).ok_or(Refusal::ForeignNetwork)?;
        if range.is_usable(ip) { Ok(()) } else { Err(Refusal::AddressOutside { ip, range }) }
    }

    async fn next_address(&mut self) -> Result<Ipv4Addr, Status> {
        for range in self.allocation.address_ranges() {
            let size = range.usable();
            let (reserved, random) = (draw::reserved(size, 16, 16, 256), self.allocation.random(size));
            let candidates =
                || draw::order(size, reserved, random).map(move |index| Claim::Address(range.nth(index)));
            if let Some(Claim::Address(ip)) = self.any(ADDRESSES, candidates).await? {
                return Ok(ip);
            }
        }
        Err(Status::internal_error("failed to allocate a serviceIP: range is full"))
    }
}
