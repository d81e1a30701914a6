//! What must be right about the security contexts of pods and containers.
//!
//! Source: `pkg/apis/core/validation` of Kubernetes 1.36.

use api::meta::name;

use super::volume::descending_path;
use crate::strategy::field::{Faults, Field};
use crate::strategy::format;

/// Finds what is wrong with a pod's security context.
pub(crate) fn check_pod(spec: &Field<'_>, faults: &mut Faults) {
    let context = spec.at("securityContext");
    for field in ["fsGroup", "runAsUser", "runAsGroup"] {
        id(&context.at(field), faults);
    }
    context.at("supplementalGroups").items().for_each(|group| id(&group, faults));
    if spec.is_true("shareProcessNamespace") && spec.is_true("hostPID") {
        let detail = "ShareProcessNamespace and HostPID cannot both be enabled";
        faults.invalid(&context.at("shareProcessNamespace"), true, detail);
    }
    sysctls(spec, &context.at("sysctls"), faults);
    faults.optional_one_of(&context.at("fsGroupChangePolicy"), &["Always", "OnRootMismatch"]);
    seccomp(&context.at("seccompProfile"), faults);
    windows(&context.at("windowsOptions"), faults);
    app_armor(&context.at("appArmorProfile"), faults);
    faults.optional_one_of(&context.at("supplementalGroupsPolicy"), &["Merge", "Strict"]);
    faults.optional_one_of(&context.at("seLinuxChangePolicy"), &["MountOption", "Recursive"]);
}

fn id(at: &Field<'_>, faults: &mut Faults) {
    if let Some(number) = at.number() {
        faults.each_number(at, format::user_id(number));
    }
}

fn sysctls(spec: &Field<'_>, sysctls: &Field<'_>, faults: &mut Faults) {
    const REGEX: &str = "^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$";
    let mut names: Vec<String> = Vec::new();
    for sysctl in sysctls.items() {
        let name = sysctl.at("name");
        let text = name.text();
        if text.is_empty() {
            faults.required(&name, "");
        } else if !is_sysctl(text) {
            faults.wrong_text(&name, format!("must have at most 253 characters and match regex {REGEX}"));
        } else if names.iter().any(|taken| taken == text) {
            faults.duplicate(&name, text);
        }
        let dotted = text.replace('/', ".");
        let is_ipc = ["kernel.sem", "kernel.shm", "kernel.msg", "fs.mqueue."];
        if spec.is_true("hostNetwork") && dotted.starts_with("net.") {
            faults.wrong_text(&name, "may not be specified when 'hostNetwork' is true");
        } else if spec.is_true("hostIPC") && is_ipc.iter().any(|prefix| dotted.starts_with(prefix)) {
            faults.wrong_text(&name, "may not be specified when 'hostIPC' is true");
        }
        names.push(text.to_owned());
    }
}

fn is_sysctl(name: &str) -> bool {
    let alnum = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let segment = |segment: &str| {
        let bytes = segment.as_bytes();
        bytes.first().is_some_and(alnum)
            && bytes.last().is_some_and(alnum)
            && bytes.iter().all(|b| alnum(b) || b"-_".contains(b))
    };
    name.len() <= 253 && name.split(['.', '/']).all(segment)
}

fn seccomp(profile: &Field<'_>, faults: &mut Faults) {
    const TYPES: [&str; 3] = ["Localhost", "RuntimeDefault", "Unconfined"];
    if !profile.is_set() {
        return;
    }
    let (kind, path) = (profile.at("type"), profile.at("localhostProfile"));
    if kind.text().is_empty() {
        faults.required(&kind, "type is required when seccompProfile is set");
    } else if !TYPES.contains(&kind.text()) {
        faults.unsupported(&kind, &TYPES);
    }
    match (kind.text(), path.is_set()) {
        ("Localhost", false) => faults.required(&path, "must be set when seccomp type is Localhost"),
        ("Localhost", true) => descending_path(&path, path.text(), faults),
        (_, true) => {
            faults.invalid(&path, profile.value().clone(), "can only be set when seccomp type is Localhost");
        }
        (_, false) => {}
    }
}

fn app_armor(profile: &Field<'_>, faults: &mut Faults) {
    const TYPES: [&str; 3] = ["Localhost", "RuntimeDefault", "Unconfined"];
    const NEEDED: &str = "must be set when AppArmor type is Localhost";
    if !profile.is_set() {
        return;
    }
    let (kind, path) = (profile.at("type"), profile.at("localhostProfile"));
    match kind.text() {
        "Localhost" if !path.is_set() => faults.required(&path, NEEDED),
        "Localhost" => {
            if path.text().trim() != path.text() {
                faults.wrong_text(&path, "must not be padded with whitespace");
            } else if path.text().is_empty() {
                faults.required(&path, NEEDED);
            }
            if path.text().len() > 4095 {
                faults.too_long(&path, 4095);
            }
        }
        "RuntimeDefault" | "Unconfined" => {
            if path.is_set() {
                faults.wrong_text(&path, "can only be set when AppArmor type is Localhost");
            }
        }
        "" => faults.required(&kind, "type is required when appArmorProfile is set"),
        _ => faults.unsupported(&kind, &TYPES),
    }
}

/// Finds what is wrong with a container's security context.
pub(crate) fn check_container(context: &Field<'_>, host_users: bool, faults: &mut Faults) {
    if !context.is_set() {
        return;
    }
    id(&context.at("runAsUser"), faults);
    id(&context.at("runAsGroup"), faults);
    let proc = context.at("procMount");
    faults.optional_one_of(&proc, &["Default", "Unmasked"]);
    if host_users && proc.text() == "Unmasked" {
        faults.wrong_text(&proc, "`hostUsers` must be false to use `Unmasked`");
    }
    seccomp(&context.at("seccompProfile"), faults);
    if context.at("allowPrivilegeEscalation").truth() == Some(false) {
        if context.is_true("privileged") {
            faults.wrong(context, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true");
        }
        let admin = context.at("capabilities.add").texts().filter(|name| *name == "CAP_SYS_ADMIN").count();
        let detail = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN";
        (0..admin).for_each(|_| faults.wrong(context, detail));
    }
    windows(&context.at("windowsOptions"), faults);
    app_armor(&context.at("appArmorProfile"), faults);
}

fn windows(options: &Field<'_>, faults: &mut Faults) {
    let (name, spec, user) =
        (options.at("gmsaCredentialSpecName"), options.at("gmsaCredentialSpec"), options.at("runAsUserName"));
    if name.is_set() {
        faults.each(&name, name.text(), name::dns1123_subdomain(name.text()));
    }
    if spec.is_set() && spec.text().is_empty() {
        faults.wrong_text(&spec, "gmsaCredentialSpec cannot be an empty string");
    } else if spec.text().len() > 64 * 1024 {
        faults.wrong_text(&spec, "gmsaCredentialSpec size must be under 64 KiB");
    }
    if user.is_set() {
        for fault in user_faults(user.text()) {
            faults.wrong_text(&user, format!("runAsUserName{fault}"));
        }
    }
}

fn user_faults(text: &str) -> Vec<&'static str> {
    if text.is_empty() {
        return vec![" cannot be an empty string"];
    }
    if text.chars().any(|c| c.is_ascii_control()) {
        return vec![" cannot contain control characters"];
    }
    let (domain, user) = match text.split_once('\\') {
        None => (None, text),
        Some((_, rest)) if rest.contains('\\') => return vec![" cannot contain more than one backslash"],
        Some((domain, user)) => (Some(domain), user),
    };
    let mut faults = Vec::new();
    if domain.is_some_and(|domain| domain.len() >= 256) {
        faults.push("'s Domain length must be under 256 characters");
    }
    if domain.is_some_and(|domain| !is_windows_domain(domain)) {
        faults.push("'s Domain doesn't match the NetBios nor the DNS format");
    }
    if user.is_empty() {
        faults.push("'s User cannot be empty");
    } else if user.len() > 104 {
        faults.push("'s User length must not be longer than 104 characters");
    }
    if !user.is_empty() && user.chars().all(|c| ". ".contains(c)) {
        faults.push("'s User cannot contain only periods or spaces");
    }
    if user.contains(|c| "\"/\\:;|=,+*?<>@[]".contains(c)) {
        faults.push("'s User cannot contain the following characters: \"/\\:;|=,+*?<>@[]");
    }
    faults
}

fn is_windows_domain(domain: &str) -> bool {
    let illegal = |c: char| "\\/:*?\"<>|".contains(c);
    let length = domain.chars().count();
    let net_bios = (1..=15).contains(&length) && !domain.starts_with('.') && !domain.contains(illegal);
    let label = |label: &str| {
        let bytes = label.as_bytes();
        bytes.len() <= 63
            && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
            && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
            && bytes.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-')
    };
    net_bios || domain.split('.').all(label)
}

/// Finds what is wrong with a pod whose processes run on a Windows host itself.
pub(crate) fn check_host_process(spec: &Field<'_>, faults: &mut Faults) {
    let pod = spec.at("securityContext.windowsOptions.hostProcess").truth();
    let (mut containers, mut on_host) = (0, 0);
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        for container in spec.at(list).items() {
            containers += 1;
            let own = container.at("securityContext.windowsOptions.hostProcess");
            if let (Some(pod), Some(own_value)) = (pod, own.truth())
                && pod != own_value
            {
                let detail =
                    format!("pod hostProcess value must be identical if both are specified, was {pod}");
                faults.invalid(&own, own_value, detail);
            }
            on_host += i32::from(own.truth().or(pod) == Some(true));
        }
    }
    if on_host == 0 {
        return;
    }
    if on_host != containers {
        let detail =
            "If pod contains any hostProcess containers then all containers must be HostProcess containers";
        faults.invalid(spec, "", detail);
    }
    if !spec.is_true("hostNetwork") {
        let detail = "hostNetwork must be true if pod contains any hostProcess containers";
        faults.invalid(&spec.at("hostNetwork"), false, detail);
    }
}

/// Finds what a pod for another operating system may not say.
pub(crate) fn check_os(spec: &Field<'_>, faults: &mut Faults) {
    let os = spec.at("os");
    match os.text_at("name") {
        _ if !os.is_set() => {}
        "" => faults.required(&os.at("name"), "cannot be empty"),
        "linux" => linux(spec, faults),
        "windows" => windows_only(spec, faults),
        other => faults.unsupported_value(&os, other, &["linux", "windows"]),
    }
}

fn linux(spec: &Field<'_>, faults: &mut Faults) {
    const NOT_HERE: &str = "windows options cannot be set for a linux pod";
    let own = spec.at("securityContext.windowsOptions");
    if own.is_set() {
        faults.forbidden(&own, NOT_HERE);
    }
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        for container in spec.at(list).items() {
            let options = container.at("securityContext.windowsOptions");
            if options.is_set() {
                faults.forbidden(&options, NOT_HERE);
            }
        }
    }
}

fn windows_only(spec: &Field<'_>, faults: &mut Faults) {
    const OF_POD: [&str; 15] = [
        "securityContext.appArmorProfile",
        "securityContext.seLinuxOptions",
        "hostUsers",
        "hostPID",
        "hostIPC",
        "securityContext.seccompProfile",
        "securityContext.fsGroup",
        "securityContext.fsGroupChangePolicy",
        "securityContext.sysctls",
        "shareProcessNamespace",
        "securityContext.runAsUser",
        "securityContext.runAsGroup",
        "securityContext.supplementalGroups",
        "securityContext.supplementalGroupsPolicy",
        "securityContext.seLinuxChangePolicy",
    ];
    const OF_CONTAINER: [&str; 10] = [
        "appArmorProfile",
        "seLinuxOptions",
        "seccompProfile",
        "capabilities",
        "readOnlyRootFilesystem",
        "privileged",
        "allowPrivilegeEscalation",
        "procMount",
        "runAsUser",
        "runAsGroup",
    ];
    const NOT_HERE: &str = "cannot be set for a windows pod";
    for field in OF_POD {
        let at = spec.at(field);
        let is_flag = matches!(field, "hostPID" | "hostIPC");
        if at.is_set() && !(is_flag && at.truth() == Some(false)) {
            faults.forbidden(&at, NOT_HERE);
        }
    }
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        for container in spec.at(list).items() {
            let context = container.at("securityContext");
            for field in OF_CONTAINER.iter().filter(|field| context.has(field)) {
                faults.forbidden(&context.at(field), NOT_HERE);
            }
        }
    }
}
