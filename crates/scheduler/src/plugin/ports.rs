//! NodePorts: a host port is taken once per protocol and address.

use super::{Filter, Plugin, PreFilter, Verdict, refuse};
use crate::{
    event::Event,
    template::{HostPort, Pod},
};

/// The address that stands for all addresses of the node.
const ANY: &str = "0.0.0.0";

/// The row.
pub(super) const PLUGIN: Plugin = Plugin {
    name: "NodePorts",
    pre_filter: |pod, _, _| match pod.template.ports.is_empty() {
        true => PreFilter::Skip,
        false => PreFilter::Run,
    },
    filter: Filter::Live(|pod, node, _| filter(&pod.template.ports, &node.ports)),
    explain: |_, _| vec!["node(s) didn't have free ports for the requested pod ports".into()],
    hint,
    ..Plugin::BLANK
};

fn filter(wanted: &[HostPort], taken: &[HostPort]) -> Verdict {
    if wanted.iter().any(|one| taken.iter().any(|other| conflict(one, other))) {
        return refuse(0);
    }
    Ok(())
}

fn conflict(one: &HostPort, other: &HostPort) -> bool {
    one.port == other.port
        && one.protocol == other.protocol
        && (one.address == other.address || *one.address == *ANY || *other.address == *ANY)
}

fn hint(pod: &Pod, event: &Event<'_>) -> bool {
    match event {
        Event::Node(_, change) => change.added,
        Event::Freed(other) => filter(&pod.template.ports, &other.template.ports).is_err(),
        Event::NodeGone(_) | Event::Placed(_) | Event::Changed(..) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_conflict_by_number_protocol_and_address() {
        let port = |protocol: &str, address: &str, port| HostPort {
            protocol: protocol.into(),
            address: address.into(),
            port,
        };
        let taken = port("TCP", "10.0.0.1", 80);
        let cases = [
            (port("TCP", "10.0.0.1", 80), true),
            (port("TCP", ANY, 80), true),
            (port("TCP", "10.0.0.2", 80), false),
            (port("UDP", "10.0.0.1", 80), false),
            (port("TCP", "10.0.0.1", 81), false),
        ];
        for (wanted, conflicts) in cases {
            assert_eq!(conflict(&wanted, &taken), conflicts, "{wanted:?}");
            assert_eq!(conflict(&taken, &wanted), conflicts, "{wanted:?}");
        }
    }
}
