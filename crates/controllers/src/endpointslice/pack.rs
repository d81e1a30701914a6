//! Packs endpoints into slices so that few slices are written.
//!
//! Endpoints stay in the slice they are in. New ones go first into slices that are written anyway,
//! then into the fullest slice that has room for all of them, then into new slices. A slice that
//! has lost its last endpoint is reused before another is made.

use std::collections::HashMap;
use std::sync::Arc;

use k8s_openapi::api::discovery::v1::{Endpoint, EndpointPort, EndpointSlice};

use super::desired::ports_key;

/// Endpoints with the same ports.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) ports: Vec<EndpointPort>,
    pub(crate) endpoints: Vec<Endpoint>,
}

/// A slice as it should be; `slice` is the one that becomes it, none where one is to be made.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    pub(crate) slice: Option<Arc<EndpointSlice>>,
    pub(crate) ports: Vec<EndpointPort>,
    pub(crate) endpoints: Vec<Endpoint>,
}

impl Slot {
    /// Whether ports or endpoints differ from the slice's.
    pub(crate) fn differs(&self) -> bool {
        self.slice.as_ref().is_none_or(|slice| {
            let endpoints = slice.endpoints.as_deref().unwrap_or_default();
            let ports = slice.ports.as_deref().unwrap_or_default();
            endpoints != self.endpoints || ports_key(ports) != ports_key(&self.ports)
        })
    }
}

/// What becomes of the slices of one family.
#[derive(Debug, Default)]
pub(crate) struct Packed {
    pub(crate) slots: Vec<Slot>,
    /// Slices that nothing needs any more.
    pub(crate) stale: Vec<Arc<EndpointSlice>>,
}

/// Packs the groups of one family over the family's existing slices, `max` endpoints in each. With
/// `placeholder` at least one slice is left, if only an empty one.
pub(crate) fn pack(
    groups: Vec<Group>,
    existing: &[Arc<EndpointSlice>],
    max: usize,
    placeholder: bool,
) -> Packed {
    let mut packed = Packed::default();
    let mut by_ports: HashMap<String, Vec<Arc<EndpointSlice>>> = HashMap::new();
    for slice in existing {
        let key = ports_key(slice.ports.as_deref().unwrap_or_default());
        by_ports.entry(key).or_default().push(Arc::clone(slice));
    }
    for group in groups {
        let slices = by_ports.remove(&ports_key(&group.ports)).unwrap_or_default();
        pack_group(group, slices, max, &mut packed);
    }
    packed.stale.extend(existing.iter().filter(|slice| holds(&by_ports, slice)).cloned());
    if packed.slots.is_empty() && placeholder {
        packed.slots.push(Slot { slice: None, ports: Vec::new(), endpoints: Vec::new() });
    }
    reuse(&mut packed);
    packed
}

fn holds(by_ports: &HashMap<String, Vec<Arc<EndpointSlice>>>, slice: &Arc<EndpointSlice>) -> bool {
    by_ports.values().flatten().any(|other| Arc::ptr_eq(other, slice))
}

/// New slots take over slices that would be deleted; an empty one takes an empty one if it can.
fn reuse(packed: &mut Packed) {
    packed.stale.sort_by_key(|slice| slice.endpoints.as_ref().map_or(0, Vec::len));
    let mut stale = std::mem::take(&mut packed.stale).into_iter();
    for slot in packed.slots.iter_mut().filter(|slot| slot.slice.is_none()) {
        slot.slice = stale.next();
    }
    packed.stale = stale.collect();
}

fn pack_group(group: Group, slices: Vec<Arc<EndpointSlice>>, max: usize, packed: &mut Packed) {
    let mut wanted = Wanted::new(group.endpoints);
    let mut slots = Vec::new();
    for slice in slices {
        let endpoints = wanted.kept(slice.endpoints.as_deref().unwrap_or_default());
        if endpoints.is_empty() || endpoints.len() > max {
            wanted.give_back(endpoints);
            packed.stale.push(slice);
        } else {
            slots.push(Slot { slice: Some(slice), ports: group.ports.clone(), endpoints });
        }
    }
    let mut rest = wanted.rest();
    for slot in slots.iter_mut().filter(|slot| slot.differs()) {
        fill(slot, &mut rest, max);
    }
    while !rest.is_empty() {
        let room = |slot: &Slot| max - slot.endpoints.len();
        let fitting = slots.iter_mut().filter(|slot| room(slot) >= rest.len()).min_by_key(|slot| room(slot));
        if let Some(slot) = fitting {
            fill(slot, &mut rest, max);
        } else {
            let mut slot = Slot { slice: None, ports: group.ports.clone(), endpoints: Vec::new() };
            fill(&mut slot, &mut rest, max);
            slots.push(slot);
        }
    }
    packed.slots.extend(slots);
}

fn fill(slot: &mut Slot, rest: &mut Vec<Endpoint>, max: usize) {
    let room = max.saturating_sub(slot.endpoints.len()).min(rest.len());
    slot.endpoints.extend(rest.drain(..room));
}

/// The endpoints of a group that have no slice yet.
struct Wanted(Vec<Option<Endpoint>>, HashMap<Identity, usize>);

type Identity = (Vec<String>, Option<String>);

/// An endpoint is the same one while its addresses and its pod are.
fn identity(endpoint: &Endpoint) -> Identity {
    let uid = endpoint.target_ref.as_ref().and_then(|target| target.uid.clone());
    (endpoint.addresses.clone(), uid)
}

impl Wanted {
    fn new(endpoints: Vec<Endpoint>) -> Self {
        let places =
            endpoints.iter().enumerate().map(|(place, endpoint)| (identity(endpoint), place)).collect();
        Self(endpoints.into_iter().map(Some).collect(), places)
    }

    /// The wanted endpoints among `old`, as they are wanted, in the old order; takes them out.
    fn kept(&mut self, old: &[Endpoint]) -> Vec<Endpoint> {
        let Self(wanted, places) = self;
        old.iter().filter_map(|old| wanted[*places.get(&identity(old))?].take()).collect()
    }

    fn give_back(&mut self, endpoints: Vec<Endpoint>) {
        for endpoint in endpoints {
            if let Some(place) = self.1.get(&identity(&endpoint)) {
                self.0[*place] = Some(endpoint);
            }
        }
    }

    /// What is left; of endpoints with one identity only the last.
    fn rest(self) -> Vec<Endpoint> {
        let Self(wanted, places) = self;
        let last = |place: usize, endpoint: &Endpoint| places.get(&identity(endpoint)) == Some(&place);
        let left = wanted.into_iter().enumerate().filter_map(|(place, endpoint)| Some((place, endpoint?)));
        left.filter(|(place, endpoint)| last(*place, endpoint)).map(|(_, endpoint)| endpoint).collect()
    }
}
