//! Every bound of the control plane, in one place, with the reason where it is not obvious.

use std::time::Duration;

/// Characters of a [`Name`](crate::Name): a DNS label.
pub const NAME_LEN_MAX: usize = 63;
/// Characters of a display name or a description's title.
pub const DISPLAY_NAME_LEN_MAX: usize = 120;
/// Characters of an e-mail address (RFC 5321's path without its brackets).
pub const EMAIL_LEN_MAX: usize = 254;
/// Characters of a password: long enough that one factor suffices (NIST SP 800-63B).
pub const PASSWORD_LEN_MIN: usize = 15;
/// Bytes of a password: more only costs hashing time.
pub const PASSWORD_BYTES_MAX: usize = 512;

/// Bytes of a request body.
pub const BODY_BYTES_MAX: usize = 256 * 1024;
/// Bytes of a request's address with its query.
pub const URI_BYTES_MAX: usize = 4 * 1024;
/// Characters of an `Idempotency-Key`.
pub const IDEMPOTENCY_KEY_LEN_MAX: usize = 128;
/// How long an answer is kept for repetition.
pub const IDEMPOTENCY_KEPT: Duration = Duration::from_hours(24);

/// Items of a page unless asked otherwise.
pub const PAGE_SIZE_DEFAULT: u16 = 50;
/// Items of a page at most.
pub const PAGE_SIZE_MAX: u16 = 200;

/// How long a request may take to arrive and be answered, beside what `?wait=` asks for.
pub const REQUEST_TIME_MAX: Duration = Duration::from_secs(30);
/// How long `?wait=` may hold an answer back.
pub const WAIT_MAX: Duration = Duration::from_secs(60);
/// Long polls and event streams open at once in one process.
pub const WAITERS_MAX: usize = 1_024;
/// Of these, one tenant's.
pub const WAITERS_PER_TENANT_MAX: usize = 64;
/// A stream's credential is looked up again this often.
pub const CREDENTIAL_CHECKED_EVERY: Duration = Duration::from_secs(2);
/// Between two comments on a silent event stream, so that proxies keep it open.
pub const STREAM_KEEPALIVE: Duration = Duration::from_secs(15);
/// Events read at once for a stream.
pub const EVENTS_READ_MAX: u16 = 200;
/// How long a waiter sleeps at most before it looks again: a notification may be lost.
pub const NOTIFY_LOST_AFTER: Duration = Duration::from_secs(1);
/// What callers are told to wait when something that we need does not answer.
pub const RETRY_AFTER: Duration = Duration::from_secs(2);

/// Passwords hashed at once in one process: each takes 19 MiB and a core.
pub const PASSWORD_HASHES_MAX: usize = 2;
/// Sign-ins that may wait for their turn to hash.
pub const PASSWORD_QUEUE_MAX: usize = 64;
/// Failed sign-ins in a row after which an account pauses.
pub const SIGN_IN_FAILURES_MAX: u32 = 10;
/// How long an account pauses.
pub const SIGN_IN_PAUSE: Duration = Duration::from_mins(15);

/// When a refused sign-in is answered, after it began: whether the address is known changes how much
/// is written, and must not show in the time that it takes.
pub const SIGN_IN_REFUSED_AFTER: Duration = Duration::from_millis(300);
/// Life of a console session.
pub const SESSION_LIFE: Duration = Duration::from_hours(12);
/// Life of an access token: short, since it is also refused at once when its session ends.
pub const ACCESS_TOKEN_LIFE: Duration = Duration::from_mins(10);
/// Difference between two machines' clocks that tokens tolerate.
pub const CLOCK_LEEWAY: Duration = Duration::from_secs(5);
/// Bytes of an access token.
pub const ACCESS_TOKEN_BYTES_MAX: usize = 2 * 1024;
/// How long the keys of access tokens are kept before they are asked for again.
pub const JWT_KEYS_KEPT: Duration = Duration::from_mins(1);
/// At most one fetch of the keys in this time, whatever key ids callers invent.
pub const JWT_KEYS_FETCH_EVERY: Duration = Duration::from_secs(10);
/// Bytes of the secret half of API keys, sessions and enrolment tokens.
pub const TOKEN_SECRET_BYTES: usize = 32;
/// Life of an API key unless asked otherwise.
pub const API_KEY_LIFE_DEFAULT: Duration = Duration::from_hours(90 * 24);
/// Life of an API key at most.
pub const API_KEY_LIFE_MAX: Duration = Duration::from_hours(366 * 24);
/// "Last used" is written at most this often for one credential.
pub const LAST_USED_EVERY: Duration = Duration::from_mins(1);

/// Users of a tenant.
pub const USERS_PER_TENANT_MAX: u32 = 1_000;
/// API keys of a tenant that are neither revoked nor expired.
pub const API_KEYS_PER_TENANT_MAX: u32 = 100;
/// Consortiums that a tenant owns.
pub const CONSORTIUMS_PER_TENANT_MAX: u32 = 100;
/// Seats and open invitations of a consortium; the ledger's genesis holds as many.
pub const MEMBERS_PER_CONSORTIUM_MAX: u32 = 64;
/// Ledgers of a consortium.
pub const LEDGERS_PER_CONSORTIUM_MAX: u32 = 16;
/// Nodes of a ledger.
pub const NODES_PER_LEDGER_MAX: u32 = 64;

/// Nodes that `bft` needs: it tolerates one of four.
pub const BFT_NODES_MIN: u32 = 4;
/// Nodes that `cft` needs: it tolerates one of three.
pub const CFT_NODES_MIN: u32 = 3;
/// Nodes that `cft` needs on a ledger marked as for development.
pub const CFT_DEVELOPMENT_NODES_MIN: u32 = 1;

/// Life of an invitation unless asked otherwise.
pub const INVITATION_LIFE_DEFAULT: Duration = Duration::from_hours(7 * 24);
/// Life of an invitation at most.
pub const INVITATION_LIFE_MAX: Duration = Duration::from_hours(30 * 24);
/// Time for a node to start, stop or restart before its operation fails.
pub const NODE_OPERATION_TIME_MAX: Duration = Duration::from_mins(5);
/// Time for each step of a launch that machines do, before the launch fails.
pub const LAUNCH_STEP_TIME_MAX: Duration = Duration::from_mins(10);
/// Time for the members to sign a charter: people, in several organisations.
pub const LAUNCH_SIGNATURES_TIME_MAX: Duration = Duration::from_hours(72);
/// Time to end a consortium's nodes before its operation fails.
pub const DELETE_TIME_MAX: Duration = Duration::from_mins(15);

/// Connections to the database for one pool of one process.
pub const DATABASE_CONNECTIONS_MAX: u32 = 16;
/// How long a request waits for a connection before it is told to come back.
pub const DATABASE_ACQUIRE_TIME_MAX: Duration = Duration::from_secs(3);
/// How long one statement may run.
pub const DATABASE_STATEMENT_TIME_MAX: Duration = Duration::from_secs(10);
/// How long a statement waits for a lock.
pub const DATABASE_LOCK_TIME_MAX: Duration = Duration::from_secs(5);
/// How long an open transaction may be idle: a forgotten one holds locks and delays events.
pub const DATABASE_IDLE_TRANSACTION_TIME_MAX: Duration = Duration::from_secs(15);

/// Bytes of a cluster's kubeconfig.
pub const KUBECONFIG_BYTES_MAX: usize = 48 * 1024;
/// Characters of a host name (RFC 1035).
pub const HOST_LEN_MAX: usize = 253;
/// Characters of an image's reference.
pub const IMAGE_LEN_MAX: usize = 512;
/// Networks and namespaces in each list of a cluster's settings.
pub const CLUSTER_SOURCES_MAX: usize = 64;
/// Clusters of one installation.
pub const CLUSTERS_MAX: u32 = 100;
/// Before a cluster that could not be connected to is tried again.
pub const CLUSTER_RETRY_AFTER: Duration = Duration::from_secs(10);
/// Between two looks at a cluster.
pub const CLUSTER_PROBE_EVERY: Duration = Duration::from_secs(60);

/// Life of a node's enrolment token.
pub const ENROLMENT_TOKEN_LIFE: Duration = Duration::from_hours(1);
/// Signatures over nodes in one approval: a member's nodes of one ledger.
pub const ENDORSEMENTS_MAX: usize = NODES_PER_LEDGER_MAX as usize;
/// Gibibytes of a node's volume unless asked otherwise.
pub const VOLUME_GIB_DEFAULT: u32 = 10;
/// Gibibytes that a node's volume can have.
pub const VOLUME_GIB_MAX: u32 = 4_096;
/// Lines of a node's log in one answer.
pub const LOG_LINES_MAX: u16 = 1_000;
/// Lines of a node's log unless asked otherwise.
pub const LOG_LINES_DEFAULT: u16 = 100;
/// Bytes of a node's log in one answer: of a longer one the end.
pub const LOG_BYTES_MAX: usize = 1 << 20;
/// How long a controller may take to answer for a log.
pub const LOG_WAIT_MAX: Duration = Duration::from_secs(8);
/// Questions for logs that a controller looks at together.
pub const LOG_REQUESTS_AT_ONCE: i64 = 256;
/// How long a question for a log is kept that nobody has taken back.
pub const LOG_REQUEST_KEPT: Duration = Duration::from_secs(600);

/// How long a controller may hold an operation without a sign of life.
pub const OPERATION_LEASE: Duration = Duration::from_secs(15);
/// Operations that one controller takes at once.
pub const OPERATIONS_LEASED_MAX: u16 = 256;
/// Nodes, ledgers or consortiums read at once by a reconciler.
pub const RECONCILE_PAGE: u16 = 200;
/// Between two passes of a reconciler when nothing wakes it.
pub const RECONCILE_EVERY: Duration = Duration::from_secs(1);
/// Between two passes over all nodes while nothing tells of a change.
pub const RECONCILE_ALL_EVERY: Duration = Duration::from_secs(10);
/// Between two looks at what has had its time.
pub const HOUSEKEEPING_EVERY: Duration = Duration::from_secs(60);
/// Nodes asked for their status at once.
pub const NODES_ASKED_MAX: usize = 16;
/// How old the last word of a node may be when nobody asks it any more. One that is asked and does not
/// answer counts as silent at once; a look at all nodes ends within the time that a hung one takes, so
/// those that answer are always heard of more often than this.
pub const OBSERVATION_TIME_MAX: Duration = Duration::from_secs(10);
/// Heights that a node may be behind while blocks travel.
pub const HEIGHTS_BEHIND_TOLERATED: u64 = 2;
/// How long the volumes of removed nodes are kept.
pub const VOLUME_RETENTION: Duration = Duration::from_hours(7 * 24);
/// How long events are kept.
pub const EVENTS_KEPT: Duration = Duration::from_hours(7 * 24);
/// After this an intent without an outcome is closed as unknown.
pub const INTENT_OPEN_MAX: Duration = Duration::from_mins(10);
/// In this time a bounded number of a tenant's denied reads is recorded on its trail.
pub const DENIAL_WINDOW: Duration = Duration::from_mins(1);
/// Denied reads of one tenant that one process records in [`DENIAL_WINDOW`].
pub const DENIALS_PER_WINDOW_MAX: u32 = 60;
/// Tenants whose denied reads are remembered before old ones are forgotten.
pub const DENIAL_WINDOWS_MAX: usize = 10_000;
/// Blocks of one relayed page unless asked otherwise: each is a question to a node.
pub const BLOCKS_RELAYED_DEFAULT: u16 = 20;
/// Blocks of one relayed page at most.
pub const BLOCKS_RELAYED_MAX: u16 = 50;
