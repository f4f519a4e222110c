//! Giving up root: once the ports are open, and before the store is touched, so that its files belong to that user.

use std::ffi::CString;

use nix::unistd::{Uid, User, getuid, initgroups, setgid, setuid};

use crate::cli::Failure;

/// Becomes a user, when running as root and one is named.
pub(crate) fn become_user(name: &str) -> Result<(), Failure> {
    if name.is_empty() || !getuid().is_root() {
        return Ok(());
    }
    let user = find(name)?;
    let failed = |what: &str, error: nix::Error| Failure::new(format!("{what} for user {name} failed: {error}"));
    let c_name = CString::new(name).map_err(|_| Failure::new(format!("\"{name}\" is no user name")))?;
    initgroups(&c_name, user.gid).map_err(|error| failed("setting the groups", error))?;
    setgid(user.gid).map_err(|error| failed("setting the group", error))?;
    setuid(user.uid).map_err(|error| failed("setting the user", error))?;
    if user.uid != Uid::from_raw(0) && setuid(Uid::from_raw(0)).is_ok() {
        return Err(Failure::new(format!("root could not be given up for user {name}")));
    }
    Ok(())
}

/// The user of that name.
pub(crate) fn find(name: &str) -> Result<User, Failure> {
    match User::from_name(name) {
        Ok(Some(user)) => Ok(user),
        Ok(None) => Err(Failure::new(format!("there is no user {name} on this machine"))
            .hint(format!("`useradd --system --no-create-home {name}` makes one, or leave `run_as_user` empty"))),
        Err(error) => Err(Failure::new(format!("the user {name} can't be looked up: {error}"))),
    }
}
