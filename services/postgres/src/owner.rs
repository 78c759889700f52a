//! Who runs the server: PostgreSQL refuses to run as root.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown},
    path::Path,
};

use crate::error::ClusterError;

/// The user that runs the server's programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// Whoever runs us.
    Ourselves,
    /// The system user `postgres`, because we are root.
    Postgres { uid: u32, gid: u32 },
}

impl Owner {
    /// Decides by who we are.
    pub(crate) fn find() -> Result<Self, ClusterError> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self::Ourselves);
        }
        let users =
            fs::read_to_string("/etc/passwd").map_err(ClusterError::io("read", "/etc/passwd"))?;
        Self::in_passwd(&users).ok_or(ClusterError::NoServerUser)
    }

    fn in_passwd(users: &str) -> Option<Self> {
        let entry = users.lines().find_map(|line| line.strip_prefix("postgres:"))?;
        let mut fields = entry.split(':').skip(1);
        let uid = fields.next()?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(Self::Postgres { uid, gid })
    }

    /// Gives a file or folder to the server.
    pub(crate) fn give(self, path: &Path) -> Result<(), ClusterError> {
        match self {
            Self::Ourselves => Ok(()),
            Self::Postgres { uid, gid } => {
                chown(path, Some(uid), Some(gid)).map_err(ClusterError::io("give away", path))
            }
        }
    }

    /// Checks that the server can enter every folder above `dir`.
    pub(crate) fn check_reach(self, dir: &Path) -> Result<(), ClusterError> {
        let Self::Postgres { .. } = self else { return Ok(()) };
        for above in dir.ancestors().skip(1) {
            let mode = fs::metadata(above)
                .map_err(ClusterError::io("look at", above))?
                .permissions()
                .mode();
            if mode & 0o001 == 0 {
                return Err(ClusterError::Unreachable { path: above.to_owned() });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The third and fourth fields are the ids; a user whose name only begins alike is another.
    #[test]
    fn the_server_user_is_found_by_its_whole_name() {
        let users = "root:x:0:0::/root:/bin/sh\npostgres2:x:7:8::/:/bin/sh\n\
                     postgres:x:105:110:PostgreSQL:/var/lib/postgresql:/bin/bash\n";
        assert_eq!(Owner::in_passwd(users), Some(Owner::Postgres { uid: 105, gid: 110 }));
        assert_eq!(Owner::in_passwd("root:x:0:0::/root:/bin/sh\n"), None);
    }
}
