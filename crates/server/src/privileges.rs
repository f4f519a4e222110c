//! Giving up root: once the ports are open, and before the store is touched, so that its files belong to that user.

use std::ffi::CString;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::unistd::{Gid, Uid, User, getuid, initgroups, setgid, setgroups, setuid};

use crate::cli::Failure;
use crate::config::Config;

/// Becomes the user that the store belongs to, when running as root: the one that the configuration names, else the
/// owner of the data folder. What root wrote there that user could not open any more.
pub(crate) fn become_owner(config: &Config) -> Result<(), Failure> {
    if !config.run_as_user.is_empty() || !getuid().is_root() {
        return become_user(&config.run_as_user);
    }
    let Ok(folder) = std::fs::metadata(&config.data_dir) else { return Ok(()) };
    if folder.uid() == 0 {
        return Ok(());
    }
    let (uid, gid) = (Uid::from_raw(folder.uid()), Gid::from_raw(folder.gid()));
    match User::from_uid(uid) {
        Ok(Some(user)) => become_user(&user.name),
        // Containers and network disks have owners without a name.
        Ok(None) | Err(_) => give_up(&format!("number {uid}"), uid, gid, || setgroups(&[gid])),
    }
}

/// Becomes a user, when running as root and one is named.
pub(crate) fn become_user(name: &str) -> Result<(), Failure> {
    if name.is_empty() || !getuid().is_root() {
        return Ok(());
    }
    let user = find(name)?;
    let c_name = CString::new(name).map_err(|_| Failure::new(format!("\"{name}\" is no user name")))?;
    give_up(name, user.uid, user.gid, || initgroups(&c_name, user.gid))
}

fn give_up(name: &str, uid: Uid, gid: Gid, groups: impl FnOnce() -> nix::Result<()>) -> Result<(), Failure> {
    let failed = |what: &str, error: nix::Error| {
        let failure = Failure::new(format!("{what} for user {name} failed: {error}"));
        failure.hint("start as root with the capabilities CAP_SETUID and CAP_SETGID, or as that user")
    };
    groups().map_err(|error| failed("setting the groups", error))?;
    setgid(gid).map_err(|error| failed("setting the group", error))?;
    setuid(uid).map_err(|error| failed("setting the user", error))?;
    if !uid.is_root() && setuid(Uid::from_raw(0)).is_ok() {
        return Err(Failure::new(format!("root could not be given up for user {name}")));
    }
    Ok(())
}

/// Whether this process is root's.
pub(crate) fn is_root() -> bool {
    getuid().is_root()
}

/// The name of the user that this process runs as, or the number.
pub(crate) fn own_name() -> String {
    let uid = getuid();
    User::from_uid(uid).ok().flatten().map_or_else(|| format!("number {uid}"), |user| user.name)
}

/// The name of the owner of a file, or the number; nothing when that can't be told.
pub(crate) fn owner_of(path: &Path) -> Option<String> {
    let uid = Uid::from_raw(std::fs::metadata(path).ok()?.uid());
    Some(User::from_uid(uid).ok().flatten().map_or_else(|| format!("number {uid}"), |user| user.name))
}

/// The user of that name.
pub(crate) fn find(name: &str) -> Result<User, Failure> {
    match User::from_name(name) {
        Ok(Some(user)) => Ok(user),
        Ok(None) => Err(Failure::new(format!("there is no user {name} on this machine"))
            .hint(format!("`useradd --system --no-create-home {name}` makes one, or leave `run_as_user` empty"))),
        Err(error) => Err(Failure::new(format!("the user {name} can't be looked up: {error}"))
            .hint("`getent passwd` shows the users that the system knows")),
    }
}
