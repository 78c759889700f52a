//! What a member's administrator key signs to take a seat.
//!
//! The key is the member's authority over ledgers later, so taking a seat proves that the member
//! holds it. The signed message is `SHA-256(len(tag) u8 | tag | lines)`, each line ending with
//! `\n`; the tag keeps it apart from everything else that such a key ever signs, and is never
//! reused for another layout.

use hansa_core::{ConsortiumId, InvitationId, Name, TenantId};

use crate::signature::PublicKey;

/// The statement of a tenant that founds a consortium and takes its first seat.
#[derive(Clone, Debug)]
pub struct Found<'a> {
    /// The tenant.
    pub tenant: TenantId,
    /// The consortium's name.
    pub consortium: &'a Name,
    /// The name of its seat.
    pub member: &'a Name,
    /// The key that signs.
    pub administrator_key: PublicKey,
}

/// The statement of a tenant that accepts an invitation.
#[derive(Clone, Debug)]
pub struct Accept<'a> {
    /// The invitation.
    pub invitation: InvitationId,
    /// The consortium.
    pub consortium: ConsortiumId,
    /// The tenant.
    pub tenant: TenantId,
    /// The name of its seat.
    pub member: &'a Name,
    /// The key that signs.
    pub administrator_key: PublicKey,
}

impl Found<'_> {
    /// The bytes whose SHA-256 is signed.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let Self { tenant, consortium, member, administrator_key } = self;
        tagged(
            "hansa/consortium-found/v1",
            &[
                ("tenant", tenant.to_string()),
                ("consortium", consortium.to_string()),
                ("member", member.to_string()),
                ("administrator_key", administrator_key.to_string()),
            ],
        )
    }
}

impl Accept<'_> {
    /// The bytes whose SHA-256 is signed.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let Self { invitation, consortium, tenant, member, administrator_key } = self;
        tagged(
            "hansa/invitation-accept/v1",
            &[
                ("invitation", invitation.to_string()),
                ("consortium", consortium.to_string()),
                ("tenant", tenant.to_string()),
                ("member", member.to_string()),
                ("administrator_key", administrator_key.to_string()),
            ],
        )
    }
}

fn tagged(tag: &str, fields: &[(&str, String)]) -> Vec<u8> {
    let mut bytes = vec![u8::try_from(tag.len()).expect("tags are short")];
    bytes.extend_from_slice(tag.as_bytes());
    for (name, value) in fields {
        bytes.extend_from_slice(format!("{name}={value}\n").as_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Clients in other languages build these bytes: the layout must not change under its tag.
    #[test]
    fn the_layout_is_fixed() {
        let id = uuid::Uuid::from_u128(1);
        let member: Name = "beta".parse().expect("a name");
        let accept = Accept {
            invitation: id.into(),
            consortium: id.into(),
            tenant: id.into(),
            member: &member,
            administrator_key: PublicKey::from([0xab; 32]),
        };
        let one = "00000000-0000-0000-0000-000000000001";
        let key = "ab".repeat(32);
        let text = format!(
            "\u{1a}hansa/invitation-accept/v1invitation={one}\nconsortium={one}\ntenant={one}\n\
             member=beta\nadministrator_key={key}\n"
        );
        assert_eq!(String::from_utf8(accept.bytes()).ok(), Some(text), "use a new tag instead");
    }
}
