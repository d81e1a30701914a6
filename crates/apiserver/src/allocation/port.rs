//! Node ports, and the port for the health checks of load balancers.

use api::status::{FieldError, FieldPath, Status};
use serde_json::{Value, json};

use super::claim::{Claim, PORTS};
use super::{Draft, Refusal, draw, service};

impl Draft<'_> {
    /// Gives every port the node port it needs, or claims those that are asked for.
    pub(super) async fn ports(&mut self, spec: &mut Value, old: &Value) -> Result<(), Status> {
        let before = service::ports(old);
        if service::has_ports(spec) {
            self.asked_ports(spec, &before).await?;
            self.missing_ports(spec, old.is_null()).await?;
        }
        let (health, had) = (service::has_health_port(spec), service::health_port(old));
        if health && had.is_none() {
            self.health_port(spec).await?;
        }
        let now = service::claims(spec);
        let gone = before.into_iter().chain(had).map(Claim::Port).filter(|claim| !now.contains(claim));
        self.claims.outdated.extend(gone);
        Ok(())
    }

    /// Claims the ports that the client named. One may serve several protocols.
    async fn asked_ports(&mut self, spec: &Value, before: &[u16]) -> Result<(), Status> {
        let mut given: Vec<i64> = before.iter().copied().map(i64::from).collect();
        let ports = spec["ports"].as_array().into_iter().flatten().enumerate();
        for (index, number) in ports.map(|(index, port)| (index, service::number(port, "nodePort"))) {
            if number == 0 || given.contains(&number) {
                continue;
            }
            given.push(number);
            self.asked_port(number).await?.map_err(|why| {
                let path = FieldPath::new("spec").child("ports").index(index).child("nodePort");
                let error = FieldError::invalid(&path, number, why.to_string());
                Status::invalid(&self.resource.group_kind(), self.name, &[error])
            })?;
        }
        Ok(())
    }

    async fn asked_port(&mut self, number: i64) -> Result<Result<(), Refusal>, Status> {
        let range = &self.allocation.ranges.node_ports;
        match u16::try_from(number).ok().filter(|port| range.contains(port)) {
            Some(port) => self.exactly(Claim::Port(port), Refusal::PortTaken).await,
            None => Ok(Err(Refusal::PortOutside { first: *range.start(), last: *range.end() })),
        }
    }

    /// Draws node ports. In a new Service the same port has the same node port in every protocol.
    async fn missing_ports(&mut self, spec: &mut Value, new: bool) -> Result<(), Status> {
        if !service::wants_ports(spec) {
            return Ok(());
        }
        for index in 0..spec["ports"].as_array().map_or(0, Vec::len) {
            if service::number(&spec["ports"][index], "nodePort") != 0 {
                continue;
            }
            let shared = sibling(&spec["ports"], index).filter(|_| new);
            let number = match shared {
                Some(number) => number,
                None => i64::from(self.next_port("failed to allocate a nodePort").await?),
            };
            spec["ports"][index]["nodePort"] = json!(number);
        }
        Ok(())
    }

    async fn next_port(&mut self, failure: &str) -> Result<u16, Status> {
        let (first, last) = self.allocation.ranges.node_ports.clone().into_inner();
        let size = u32::from(last.saturating_sub(first)) + 1;
        let (reserved, random) = (draw::reserved(size, 32, 16, 128), self.allocation.random(size));
        let port = move |index: u32| Claim::Port(first + u16::try_from(index).expect("below the last port"));
        match self.any(PORTS, || draw::order(size, reserved, random).map(port)).await? {
            Some(Claim::Port(port)) => Ok(port),
            _ => Err(Status::internal_error(format!("{failure}: range is full"))),
        }
    }

    async fn health_port(&mut self, spec: &mut Value) -> Result<(), Status> {
        let asked = service::number(spec, "healthCheckNodePort");
        if asked == 0 {
            let port = self.next_port("failed to allocate a HealthCheck NodePort").await?;
            spec["healthCheckNodePort"] = json!(port);
            return Ok(());
        }
        self.asked_port(asked).await?.map_err(|why| {
            Status::internal_error(format!(
                "failed to allocate requested HealthCheck NodePort {asked}: {why}"
            ))
        })
    }
}

/// The node port of another entry for the same port.
fn sibling(ports: &Value, index: usize) -> Option<i64> {
    let wanted = &ports[index]["port"];
    let mut others = ports.as_array()?.iter().filter(|port| port["port"] == *wanted);
    others.find_map(|port| Some(service::number(port, "nodePort")).filter(|number| *number != 0))
}
