"""Every table. Times are milliseconds UTC; JSON columns hold plain data; ids are integers.

alembic's migrations must arrive at exactly this (a test compares). Names: singular, as the nouns.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    true,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_Big = BigInteger().with_variant(Integer, "sqlite")


def _id() -> Column[int]:
    return Column("id", _Big, primary_key=True, autoincrement=True)


def _ref(target: str, *, name: str = "", null: bool = False, index: bool = False) -> Column[Any]:
    return Column(
        name or target,
        _Big,
        ForeignKey(f"{target}.id", ondelete="CASCADE"),
        nullable=null,
        index=index,
    )


def _time(name: str, *, null: bool = True) -> Column[int]:
    return Column(name, _Big, nullable=null)


def _text(name: str, default: str = "") -> Column[str]:
    return Column(name, Text, nullable=False, server_default=default)


def _int(name: str, default: int = 0) -> Column[int]:
    return Column(name, _Big, nullable=False, server_default=str(default))


def _flag(name: str, *, default: bool = False) -> Column[bool]:
    return Column(name, Boolean, nullable=False, server_default=true() if default else false())


def _json(name: str, default: str = "{}") -> Column[Any]:
    return Column(name, JSON, nullable=False, server_default=default)


# ---- who ----------------------------------------------------------------------------------------

user = Table(
    "user",
    metadata,
    _id(),
    Column("login", String(255), nullable=False, unique=True),
    _text("name"),
    _text("email"),
    _flag("admin"),
    _flag("machine"),  # a runner, or Fairway itself
    _flag("active", default=True),
    _text("password"),  # access/passwords.py's own form; "" for none
    _int("failures"),  # wrong passwords in a row
    _time("failed"),  # when the last was
    _time("created", null=False),
)

team = Table(
    "team",
    metadata,
    _id(),
    Column("name", String(255), nullable=False, unique=True),
    _time("created", null=False),
)

team_member = Table(
    "team_member",
    metadata,
    _id(),
    _ref("team"),
    _ref("user", index=True),
    _time("created", null=False),
    UniqueConstraint("team", "user"),
)

delivery_right = Table(
    "delivery_right",
    metadata,
    _id(),
    _ref("user", null=True, index=True),  # of one user, or
    _ref("team", null=True, index=True),  # ... of a team's members
    Column("action", String(32), nullable=False),  # model/delivery_right.py
    Column("delivery", String(255), nullable=False),
    Column("environment", String(255), nullable=False, server_default=""),  # "": every one
    _time("created", null=False),
    UniqueConstraint("user", "team", "action", "delivery", "environment"),
)

organisation = Table(
    "organisation",
    metadata,
    _id(),
    Column("name", String(255), nullable=False, unique=True),
    _time("created", null=False),
)

role = Table(
    "role",
    metadata,
    _id(),
    _ref("user", index=True),
    Column("name", String(32), nullable=False),  # reader | writer | maintainer | admin
    _ref("organisation", null=True),
    _ref("repository", null=True, index=True),
    _time("created", null=False),
    UniqueConstraint("user", "organisation", "repository"),
)

token = Table(
    "token",
    metadata,
    _id(),
    _ref("user", index=True),
    _text("name"),
    Column("digest", String(64), nullable=False, unique=True),  # SHA-256 of the token, hex
    _json("scopes", "[]"),
    _ref("repository", null=True),  # bound to one repository
    _ref("build", null=True, index=True),  # a build's own credentials: they end with it
    _time("expires"),
    _time("revoked"),
    _time("used"),
    _time("created", null=False),
)

audit = Table(
    "audit",
    metadata,
    _id(),
    _time("at", null=False),
    _text("actor"),
    _text("action"),  # noun.verb
    _text("subject"),
    _json("before", "null"),
    _json("after", "null"),
    Index("ix_audit_subject", "subject", "id"),
)

# ---- source -------------------------------------------------------------------------------------

repository = Table(
    "repository",
    metadata,
    _id(),
    Column("slug", String(511), nullable=False, unique=True),  # organisation/name
    _ref("organisation", index=True),
    Column("name", String(255), nullable=False),
    Column("default_branch", String(255), nullable=False, server_default="main"),
    _text("visibility", "private"),  # private | internal | public
    _flag("active", default=True),
    _flag("trusted"),
    _flag("protected"),  # builds need a signed file or an approval
    _text("config_path", ".drone.yml"),
    _int("timeout_s", 3600),
    _json("settings"),  # the rest: model/repository.py Settings
    _text("remote_url"),  # lives elsewhere; "" for our own hosting
    Column("remote_credentials", LargeBinary),  # sealed
    Column("hook_secret", LargeBinary),  # sealed
    Column("signing_key", LargeBinary),  # sealed
    _time("polled"),
    _text("poll_error"),
    _int("counter"),  # the last build number
    _time("created", null=False),
    _int("version"),
)

ref = Table(
    "ref",
    metadata,
    _id(),
    _ref("repository"),
    Column("name", String(1023), nullable=False),
    Column("sha", String(64), nullable=False),
    UniqueConstraint("repository", "name"),
)

quiet_commit = Table(  # Fairway's own commits that start no pipeline
    "quiet_commit",
    metadata,
    _id(),
    _ref("repository"),
    Column("sha", String(64), nullable=False),
    UniqueConstraint("repository", "sha"),
)

change_request = Table(
    "change_request",
    metadata,
    _id(),
    _ref("repository"),
    Column("number", Integer, nullable=False),
    Column("source", String(255), nullable=False),  # branches
    Column("target", String(255), nullable=False),
    _text("title"),
    _text("description"),
    _text("author"),
    _text("state", "open"),  # open | merged | closed
    _text("head"),
    _text("base"),
    _text("merge"),  # "" while they conflict
    _json("conflicts", "[]"),
    _text("tested"),  # the merge that `build` and `check` tell of
    _int("build"),
    _text("check", "waiting"),
    _text("when_green"),  # merge | squash
    _text("green_by"),
    Column("green_user", _Big),
    _text("merging"),
    _text("merged"),
    _text("merged_by"),
    _text("reason"),
    _time("created", null=False),
    _time("changed", null=False),
    _time("closed"),
    _int("version"),
    UniqueConstraint("repository", "number"),
    Index("ix_change_request_open", "repository", "state", "source"),
)

cron = Table(
    "cron",
    metadata,
    _id(),
    _ref("repository", index=True),
    Column("name", String(255), nullable=False),
    _text("expression"),
    _text("timezone", "UTC"),
    _text("branch"),
    _text("missed", "once"),  # once | skip | all
    _flag("disabled"),
    _time("next_at", null=False),
    _time("last_at"),
    _text("error"),
    _time("created", null=False),
    UniqueConstraint("repository", "name"),
)

# ---- pipeline -----------------------------------------------------------------------------------

build = Table(
    "build",
    metadata,
    _id(),
    _ref("repository"),
    Column("number", _Big, nullable=False),
    Column("trigger_key", String(255), unique=True),  # the same trigger twice makes one build
    _text("trigger"),  # @hook | @cron | login of a person
    Column("event", String(32), nullable=False),  # push tag pull_request custom cron promote ...
    _text("action"),
    Column("status", String(16), nullable=False),
    _text("error"),
    _text("reason"),  # why it waits, is blocked, or was cancelled
    _text("verdict"),  # the status that it must end with (a cancel, a deadline), or ""
    _text("ref"),
    _text("source"),
    _text("target"),
    _text("source_repo"),
    _text("before"),
    _text("after"),
    _text("title"),
    _text("message"),
    _text("author_login"),
    _text("author_name"),
    _text("author_email"),
    _text("sender"),
    _text("link"),
    _text("cron"),
    _text("deploy_to"),
    _int("deploy_id"),
    _flag("fork"),
    _int("parent"),  # number of the build that this one repeats, promotes or rolls back
    _json("retry", "null"),  # what of the parent runs again
    _json("params"),
    _text("config"),  # the pipeline file as it was
    _text("expanded"),  # ... with its templates expanded, "" where that is the same
    _json("changed", "null"),  # paths changed, or null when unknown
    _flag("debug"),
    _json("companions", "[]"),  # model/build.py Companion
    _time("created", null=False),
    _time("started"),
    _time("finished"),
    _time("deadline"),
    _int("version"),
    UniqueConstraint("repository", "number"),
    Index("ix_build_status", "status", "id"),
    Index("ix_build_after", "repository", "after"),
    Index("ix_build_finished", "finished"),
)

stage = Table(
    "stage",
    metadata,
    _id(),
    _ref("build", index=True),
    _ref("repository"),
    Column("number", Integer, nullable=False),
    Column("name", String(255), nullable=False),
    Column("kind", String(32), nullable=False, server_default="pipeline"),
    Column("type", String(32), nullable=False, server_default="docker"),
    Column("status", String(16), nullable=False),
    _text("error"),
    _text("reason"),
    _int("exit_code"),
    Column("os", String(32), nullable=False, server_default="linux"),
    Column("arch", String(32), nullable=False, server_default="amd64"),
    _text("variant"),
    _text("kernel"),
    _json("labels"),
    _json("depends_on", "[]"),
    _flag("on_success", default=True),
    _flag("on_failure"),
    _int("concurrency"),  # 0: no limit
    _int("line"),
    _text("machine"),
    _text("workspace"),  # the workspace's key
    _text("holder"),  # name of the runner that holds the lease
    _text("token"),  # the lease's token (digest)
    Column("credential", LargeBinary),  # the steps' own token, sealed: the same in every lease
    _time("until"),  # the lease holds so long
    _int("attempt"),
    _flag("stop"),  # the holder shall stop
    _time("created", null=False),
    _time("started"),
    _time("stopped"),
    _int("version"),
    UniqueConstraint("build", "number"),
    Index("ix_stage_status", "status", "id"),
)

step = Table(
    "step",
    metadata,
    _id(),
    _ref("stage"),
    Column("number", Integer, nullable=False),
    Column("name", String(255), nullable=False),
    Column("status", String(16), nullable=False),
    _int("attempt", 1),
    _int("exit_code"),
    _text("error"),
    _text("image"),
    _flag("service"),
    _flag("detach"),
    _flag("ignored"),  # its failure does not count
    _json("depends_on", "[]"),
    _json("images", "[]"),  # what it pushed: dispatch.BuiltImage
    _int("carried"),  # number of the build whose result this one keeps (a retry), or 0
    _time("started"),
    _time("stopped"),
    UniqueConstraint("stage", "number"),
)

log = Table(
    "log",
    metadata,
    _id(),
    _ref("step"),
    Column("attempt", Integer, nullable=False, server_default="1"),
    _int("size"),  # kept bytes
    _int("raw"),  # the engine's raw bytes that they cover
    _int("lines"),  # whole lines
    _flag("done"),
    _flag("truncated"),
    _flag("removed"),  # retention took the bytes
    _time("created", null=False),
    UniqueConstraint("step", "attempt"),
)

report = Table(
    "report",
    metadata,
    _id(),
    _ref("step"),
    Column("attempt", Integer, nullable=False, server_default="1"),
    _int("passed"),
    _int("failed"),
    _int("errored"),
    _int("skipped"),
    _int("lines_covered"),
    _int("lines_total"),
    _json("cases", "[]"),  # failures and errors whole, the slowest, the rest by name
    UniqueConstraint("step", "attempt"),
)

secret = Table(
    "secret",
    metadata,
    _id(),
    _ref("organisation", null=True),
    _ref("repository", null=True),
    Column("name", String(255), nullable=False),  # lower case
    Column("sealed", LargeBinary, nullable=False),
    Column("key_id", String(32), nullable=False),
    _flag("pull_request"),
    _flag("pull_request_push"),
    _json("events", "[]"),
    _json("branches", "[]"),
    _json("images", "[]"),
    _json("environments", "[]"),
    _time("created", null=False),
    _time("updated", null=False),
    _time("used"),
    UniqueConstraint("organisation", "repository", "name"),
)

runner = Table(
    "runner",
    metadata,
    _id(),
    Column("name", String(255), nullable=False, unique=True),
    Column("type", String(32), nullable=False, server_default="docker"),
    _text("os"),
    _text("arch"),
    _text("variant"),
    _text("kernel"),
    _json("labels"),
    _int("capacity"),
    _text("version"),
    _flag("paused"),
    _time("seen", null=False),
    _time("created", null=False),
)

# ---- image --------------------------------------------------------------------------------------

blob = Table(
    "blob",
    metadata,
    _id(),
    Column("digest", String(160), nullable=False, unique=True),
    _text("key"),  # in the blob store; each upload has its own, so an old deletion hits no new one
    _int("size"),
    _time("created", null=False),
    _time("touched", null=False),  # a push in flight may need it: collection waits
)

registry_repository = Table(
    "registry_repository",
    metadata,
    _id(),
    Column("name", String(255), nullable=False, unique=True),
    _ref("repository", null=True),  # whose rights apply; null: the organisation's
    _text("visibility", "private"),
    _time("created", null=False),
)

blob_link = Table(
    "blob_link",
    metadata,
    _id(),
    _ref("registry_repository"),
    _ref("blob", index=True),
    _time("created", null=False),
    UniqueConstraint("registry_repository", "blob"),
)

manifest = Table(
    "manifest",
    metadata,
    _id(),
    _ref("registry_repository"),
    Column("digest", String(160), nullable=False),
    _text("media_type"),
    _text("artifact_type"),
    Column("subject", String(160)),
    _int("size"),
    Column("body", LargeBinary, nullable=False),
    _json("blobs", "[]"),  # digests of config and layers
    _json("manifests", "[]"),  # digests of children
    _json("annotations"),
    _time("created", null=False),
    _time("touched", null=False),  # a push in flight may need it: collection waits
    UniqueConstraint("registry_repository", "digest"),
    Index("ix_manifest_subject", "registry_repository", "subject"),
)

tag = Table(
    "tag",
    metadata,
    _id(),
    _ref("registry_repository"),
    Column("name", String(128), nullable=False),
    Column("digest", String(160), nullable=False),
    _time("updated", null=False),
    UniqueConstraint("registry_repository", "name"),
)

upload = Table(
    "upload",
    metadata,
    Column("id", String(64), primary_key=True),
    _ref("registry_repository"),
    _int("size"),
    _time("created", null=False),
    _time("updated", null=False),
)

image = Table(
    "image",
    metadata,
    _id(),
    Column("repository_name", String(255), nullable=False),  # in our registry, without a host
    Column("digest", String(160), nullable=False),
    _text("name"),  # as the step named it, with its tag
    _text("target"),  # the Dockerfile's stage
    _ref("build", index=True),
    _ref("step"),
    _text("revision"),  # the commit
    _text("candidate"),  # "" not judged yet | yes | no
    _text("reason"),  # why not
    _time("judged"),
    _time("created", null=False),
    UniqueConstraint("build", "step", "repository_name", "digest"),
    Index("ix_image_digest", "digest"),
    Index("ix_image_repository_name", "repository_name", "candidate", "id"),
)

# ---- delivery ------------------------------------------------------------------------------------

release = Table(
    "release",  # a digest, its chart and commits, under a version
    metadata,
    _id(),
    Column("delivery", String(255), nullable=False),
    Column("service", String(63), nullable=False),
    _text("repository"),  # slug of the source
    Column("version", String(128), nullable=False),
    _text("image"),  # in our registry, without a host
    Column("digest", String(160), nullable=False),
    _text("chart"),  # its name
    _text("chart_digest"),
    _text("revision"),  # the commit
    _text("since"),  # the commit of the release before
    _json("changes", "[]"),
    _int("build"),  # number
    _text("author"),
    _text("state", "pending"),  # pending | published | failed
    _text("problem"),
    _text("commit"),  # the one that wrote version and digest into the chart
    _time("created", null=False),
    _time("published"),
    UniqueConstraint("delivery", "service", "version"),
    UniqueConstraint("delivery", "service", "build", "digest"),
    Index("ix_release_digest", "digest"),
    Index("ix_release_state", "state"),
)

promotion = Table(
    "promotion",  # one release on its way into one environment
    metadata,
    _id(),
    _ref("release", index=True),
    Column("delivery", String(255), nullable=False),
    Column("service", String(63), nullable=False),
    Column("environment", String(63), nullable=False),
    _text("kind", "promotion"),  # promotion | rollback | revert
    _text("state", "waiting"),  # waiting | running | passed | failed | rejected | ...
    _text("step", "copy"),  # copy | keys | commit | sync | verify
    _text("actor"),
    _text("why"),
    _text("message"),
    _json("waits", "[]"),
    _text("commit"),
    _ref("release", name="previous", null=True),
    _text("bad"),  # why automation does not take this release there again
    _time("created", null=False),
    _time("started"),
    _time("traffic"),
    _time("full"),
    _time("ended"),
    Index("ix_promotion_lane", "delivery", "environment", "service", "id"),
    Index("ix_promotion_state", "state"),
)

approval = Table(
    "approval",  # a person's word on a release in an environment
    metadata,
    _id(),
    _ref("release"),
    Column("environment", String(63), nullable=False),
    Column("kind", String(16), nullable=False),  # approval | qa
    Column("login", String(255), nullable=False),
    Column("verdict", String(8), nullable=False),  # yes | no
    _text("comment"),
    _time("at", null=False),
    UniqueConstraint("release", "environment", "kind", "login"),
)

verification = Table(
    "verification",  # a pipeline or an analysis that ran for a release
    metadata,
    _id(),
    _ref("release"),
    Column("environment", String(63), nullable=False),  # where
    Column("key", String(512), nullable=False),
    _text("reference"),
    _text("verdict"),  # "" goes on | passed | failed
    _text("message"),
    _time("created", null=False),
    _time("ended"),
    UniqueConstraint("release", "environment", "key"),
)

delivery_spec = Table(
    "delivery_spec",  # the Deliveries of the hub that can be carried out, as they were read last
    metadata,
    Column("name", String(255), primary_key=True),
    _json("spec"),
)

reserved_name = Table(
    "reserved_name",  # the first part of names in our registry that Fairway alone pushes
    metadata,
    Column("name", String(255), primary_key=True),
    _text("delivery"),
    _text("environment"),
)

# ---- the story ----------------------------------------------------------------------------------

event = Table(
    "event",
    metadata,
    _id(),
    Column("type", String(64), nullable=False),
    Column("subject", String(255), nullable=False),
    Column("key", String(255), unique=True),
    _json("payload"),
    _time("at", null=False),
)

delivery = Table(
    "delivery",  # an event that a handler has still to take; gone when it did
    metadata,
    _id(),
    Column("handler", String(128), nullable=False),
    Column("subject", String(255), nullable=False),
    _ref("event", index=True),
    _int("tries"),
    _time("due", null=False),
    _flag("parked"),
    _text("error"),
    UniqueConstraint("handler", "event"),
    Index("ix_delivery_due", "parked", "due"),
    Index("ix_delivery_order", "handler", "subject", "event"),
)

lease = Table(
    "lease",
    metadata,
    _id(),
    Column("name", String(255), nullable=False, unique=True),
    _text("holder"),
    _time("until", null=False),
)

idempotency = Table(
    "idempotency",
    metadata,
    _id(),
    Column("key", String(255), nullable=False, unique=True),  # actor and key
    Column("request", String(64), nullable=False),  # digest of the request
    _time("at", null=False),
)

setting = Table(
    "setting",
    metadata,
    Column("name", String(128), primary_key=True),  # installation id, pauses, ...
    _json("value", "null"),
)

bill = Table(
    "bill",  # of materials: what is in a digest
    metadata,
    _id(),
    Column("digest", String(160), nullable=False, unique=True),
    _text("image"),  # the registry repository that it was read in
    _json("packages", "[]"),  # image/scan Package
    _text("release"),  # Debian's
    _json("problems", "[]"),
    _text("artifact"),  # digest of the CycloneDX document's manifest
    _time("created", null=False),
)

advisory = Table(
    "advisory",
    metadata,
    _id(),
    Column("ecosystem", String(64), nullable=False),
    Column("package", String(255), nullable=False),
    Column("name", String(128), nullable=False),  # OSV's id
    _json("record"),  # image/scan Advisory
    UniqueConstraint("ecosystem", "package", "name"),
)

advisory_source = Table(
    "advisory_source",
    metadata,
    Column("ecosystem", String(64), primary_key=True),
    _time("imported", null=False),
    _int("records"),
)

# ---- notify -------------------------------------------------------------------------------------

channel = Table(
    "channel",
    metadata,
    _id(),
    Column("name", String(255), nullable=False, unique=True),
    Column("kind", String(16), nullable=False),  # slack | webhook
    _text("address"),
    _text("api"),
    _flag("progress"),
    Column("sealed", LargeBinary, nullable=False),
    _time("created", null=False),
)

notice_rule = Table(
    "notice_rule",
    metadata,
    _id(),
    Column("name", String(255), nullable=False, unique=True),
    _ref("channel"),
    _json("topics", "[]"),
    _json("repositories", "[]"),
    _json("environments", "[]"),
    _flag("transitions"),
    _time("created", null=False),
)

message = Table(
    "message",
    metadata,
    _id(),
    _ref("channel"),
    Column("key", String(255), nullable=False),
    Column("stream", String(511), nullable=False),
    _json("content"),
    _json("details", "[]"),
    _text("application"),
    _text("progress"),
    _flag("silent"),
    _flag("held"),
    _text("outcome"),  # of the content: success | failure | "" while it goes on
    _int("wanted", 1),
    _int("sent"),
    _int("told"),
    _int("begun"),
    _text("remote"),
    _int("tries"),
    _int("due"),
    _flag("pending", default=True),  # something of it has not arrived yet
    _text("error"),
    _time("created", null=False),
    UniqueConstraint("channel", "key"),
    Index("ix_message_pending", "pending", "due"),
    Index("ix_message_stream", "channel", "stream", "id"),
)
