"""The platform's tables: who may ask, what was asked, which jobs serve it, and what is owed to the client.

Every table with a client's rows has row-level security, forced. `geomill_api` owns the API functions and no table, so
that the policies bind it: it sees the rows of `platform.current_client()` and no others.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AwareDatetime, Field

from codegen.models.base import Column, Index, Policy, Table, TableOptions, table
from codegen.models.clock import now
from codegen.models.enums import DeliveryStatus, RequestStatus, RequestType

Json = dict[str, Any]


def own_rows(column: str = "client_id") -> list[Policy]:
    """The two policies of a client's table: the owner's functions see all, the API sees the caller's own rows."""
    return [
        Policy("engine", "geomill_owner", "true"),
        Policy("own_rows", "geomill_api", f"{column} = platform.current_client()"),
    ]


OPERATORS = Policy("operators", "geomill_admin", "true", command="select")
"""What is granted to administrators they see whole."""


class Client(Table):
    """A data hub that may submit requests."""

    __table__: ClassVar[TableOptions] = table(
        schema="platform", name="clients",
        policies=[
            Policy("engine", "geomill_owner", "true"),
            # current_client() reads this table, so its policy cannot call it.
            Policy("own_rows", "geomill_api", "login_role = session_user"),
        ],
        grants={"geomill_api": ("SELECT",)},
    )  # fmt: skip

    client_id: Annotated[str, Column(primary_key=True)] = Field(max_length=50, pattern="^[a-z][a-z0-9_]*$", description="Name of the client, e.g. ddh_v1")
    login_role: Annotated[str, Column(unique=True)] = Field(max_length=63, description="PostgreSQL login that is this client")
    prefix: Annotated[str, Column(unique=True)] = Field(max_length=30, pattern="^[a-z][a-z0-9]*$", description="Prefix of its STAC collections, e.g. ddh")
    title: str = Field(max_length=200, description="Name for people")
    priority: int = Field(default=0, ge=-100, le=100, description="Default priority of its jobs")
    is_active: bool = Field(default=True, description="False refuses every call")
    allowed_request_types: list[Any] | None = Field(default=None, description="Types of requests that it may submit; NULL: all")
    vector_collection: str = Field(default="vectors", max_length=60, description="Default STAC collection of its vector requests, below its prefix")
    raster_collection: str = Field(default="rasters", max_length=60, description="Default STAC collection of its raster requests, below its prefix")
    calls_per_minute: int | None = Field(default=None, ge=1, le=100000, description="Calls of the API in a minute; NULL: no limit")
    requests_per_day: int | None = Field(default=None, ge=1, le=100000, description="Requests and revisions made in 24 hours; NULL: no limit")
    concurrent_requests: int | None = Field(default=None, ge=1, le=100000, description="Requests open at the same time; NULL: no limit")
    bytes_per_day: int | None = Field(default=None, ge=1, le=2**53, description="Bytes of source ingested in 24 hours, after which no request is taken; NULL: no limit")
    notify_token: str | None = Field(default=None, max_length=32, description="End of the name of its channel, that nobody guesses; NULL until it asks for it")
    webhook_generation: int = Field(default=1, ge=1, description="Which of the secrets made for it signs its webhooks; a rotation raises it")
    webhook_overlap_until: AwareDatetime | None = Field(default=None, description="Until then the generation before signs as well")
    created_at: AwareDatetime = Field(default_factory=now, description="Created at")
    updated_at: AwareDatetime = Field(default_factory=now, description="Last change")


class SourceRoot(Table):
    """A place that a client may name sources in: an absolute folder, or a URL prefix of an allowed scheme."""

    __table__: ClassVar[TableOptions] = table(
        schema="platform", name="source_roots", primary_key=("client_id", "root"), policies=own_rows(), grants={"geomill_api": ("SELECT",)},
    )  # fmt: skip

    client_id: Annotated[str, Column(references="platform.clients", on_delete="cascade")] = Field(max_length=50, description="The client")
    root: str = Field(max_length=1000, pattern="^(/|s3://|az://|gs://|https://).*/$", description="Folder or URL prefix; ends in a slash")
    created_at: AwareDatetime = Field(default_factory=now, description="Allowed at")


class Request(Table):
    """One resource that a client asked for, in its current revision."""

    __table__: ClassVar[TableOptions] = table(
        schema="platform", name="requests", unique=[("client_id", "dataset_id", "resource_id", "version_id"), ("client_id", "stac_item_id")],
        indexes=[
            Index(("stac_collection",), where="request_type = 'collection'", unique=True, name="idx_requests_own_collection"),
            Index(("client_id", "created_at DESC", "request_id")),
            Index(("client_id", "status")),
            Index(("client_id", "started_at", "request_id"), where="status = 'pending'", name="idx_requests_waiting"),
            Index(("client_id", "source_checksum"), where="source_checksum IS NOT NULL", name="idx_requests_source"),
            Index(("table_name",), where="table_name IS NOT NULL", name="idx_requests_table"),
            Index(("status", "updated_at"), where="status IN ('pending', 'processing')", name="idx_requests_open"),
        ],
        only_these_indexes="clients list by creation, the janitor looks at what is open; nothing else sorts by a timestamp",
        policies=[*own_rows(), OPERATORS], grants={"geomill_api": ("SELECT", "INSERT", "UPDATE"), "geomill_admin": ("SELECT",)},
    )  # fmt: skip

    request_id: Annotated[str, Column(primary_key=True)] = Field(min_length=32, max_length=32, pattern="^[0-9a-f]+$", description="First 32 hex digits of the SHA-256 of client, dataset, resource and version")
    client_id: Annotated[str, Column(references="platform.clients", on_delete="restrict")] = Field(max_length=50, description="Who asked")
    client_request_id: str | None = Field(default=None, max_length=255, description="The client's own reference")
    dataset_id: str = Field(min_length=1, max_length=255, description="The client's dataset")
    resource_id: str = Field(min_length=1, max_length=255, description="The client's resource within the dataset")
    version_id: str = Field(min_length=1, max_length=50, description="The client's version of the resource")
    revision: int = Field(default=1, ge=1, description="Raised by each overwrite and each resubmission after unpublish")
    request_type: RequestType = Field(description="vector, raster, collection or h3_statistics")
    source_path: str = Field(max_length=100000, description="As given: a path or URL, a JSON array of them, a prefix ending in a slash, or request: and the id of what is measured")
    processing_config: Json = Field(default_factory=dict, description="Validated and with defaults filled in")
    stac_item_id: str = Field(max_length=600, description="Id of its STAC item, or prefix of the items of a collection; no two requests of a client share one")
    stac_collection: str = Field(max_length=100, description="STAC collection that its item goes to, or that a collection request makes for itself")
    table_name: str | None = Field(default=None, max_length=63, description="Table in schema geo that a vector request makes")
    content_hash: str = Field(min_length=64, max_length=64, description="SHA-256 of what was asked; the same content resubmitted is the same request")
    status: RequestStatus = Field(default=RequestStatus.PENDING, description="Where it stands")
    progress_percent: int = Field(default=0, ge=0, le=100, description="Never goes back within a revision")
    status_message: str | None = Field(default=None, description="One line for people")
    error: Json | None = Field(default=None, description="Why it failed: code, category, message, remediation")
    warnings: list[Any] = Field(default_factory=list, description="What the client should know about the result")
    endpoints: Json | None = Field(default=None, description="Where the result is: table, data, stac_item, stac_collection, cog, mosaic, search")
    stac_metadata: Json | None = Field(default=None, description="The STAC item or collection of the result")
    published_revision: int | None = Field(default=None, ge=1, description="Revision that readers see; NULL before the first is complete")
    unpublish_revision: int | None = Field(default=None, ge=1, description="Revision that was last asked to be taken back, with all before it; NULL where none was")
    processing_metadata: Json = Field(default_factory=dict, description="What processing found and decided, in the published revision")
    source_checksum: str | None = Field(default=None, max_length=64, description="SHA-256 of the source of the published revision, where that is one file")
    correlation_id: str = Field(max_length=255, description="In every log line about the request")
    callback_url: str | None = Field(default=None, max_length=2000, pattern="^https://", description="Called when the request ends")
    callback_status: DeliveryStatus | None = Field(default=None, description="How the call went; NULL where none was asked for or owed")
    created_at: AwareDatetime = Field(default_factory=now, description="First submitted at")
    started_at: AwareDatetime | None = Field(default=None, description="First job of the revision submitted at")
    completed_at: AwareDatetime | None = Field(default=None, description="Reached its end at")
    updated_at: AwareDatetime = Field(default_factory=now, description="Last change")


class RequestJob(Table):
    """The jobs that serve a revision of a request, in sequence; a job is submitted when the one before it completed."""

    __table__: ClassVar[TableOptions] = table(
        schema="platform", name="request_jobs", primary_key=("request_id", "revision", "sequence"),
        indexes=[Index(("job_id",))],
        policies=[
            Policy("engine", "geomill_owner", "true"),
            Policy("own_rows", "geomill_api", "EXISTS (SELECT FROM platform.requests AS r WHERE r.request_id = request_jobs.request_id)"),
        ],
        grants={"geomill_api": ("SELECT", "INSERT")},
    )  # fmt: skip

    request_id: Annotated[str, Column(references="platform.requests", on_delete="cascade")] = Field(max_length=32, description="The request")
    revision: int = Field(ge=1, description="Its revision")
    sequence: int = Field(ge=1, description="Order, from 1")
    job_type: str = Field(max_length=100, description="What is submitted")
    job_id: Annotated[str | None, Column(refers_to="app.jobs")] = Field(default=None, max_length=64, description="The job, once submitted; no foreign key, for app may be rebuilt while platform stays")
    created_at: AwareDatetime = Field(default_factory=now, description="Planned at")


class ArtefactUse(Table):
    """Whose files and table a revision of a request shows: its own, or those that an equal request of its client made."""

    __table__: ClassVar[TableOptions] = table(
        schema="platform", name="artefact_uses", primary_key=("request_id", "revision"),
        indexes=[Index(("client_id", "recipe_hash")), Index(("made_by", "made_in"))],
        only_these_indexes="looked up by what was asked, and by who made it; nothing sorts by a timestamp",
        policies=own_rows(), grants={"geomill_api": ("SELECT",)},
    )  # fmt: skip

    request_id: Annotated[str, Column(references="platform.requests", on_delete="cascade")] = Field(max_length=32, description="The request that shows them, or is about to")
    revision: int = Field(ge=1, description="Its revision")
    client_id: Annotated[str, Column(refers_to="platform.clients")] = Field(max_length=50, description="Its client; artefacts are never shared between two")
    recipe_hash: str = Field(min_length=64, max_length=64, description="SHA-256 of everything that they follow from: type, bytes of the source, options, software")
    made_by: Annotated[str, Column(refers_to="platform.requests")] = Field(max_length=32, description="The request that made them")
    made_in: int = Field(ge=1, description="In which of its revisions; files lie below that")
    released_at: AwareDatetime | None = Field(default=None, description="Shown no more since; what nobody else uses goes")
    created_at: AwareDatetime = Field(default_factory=now, description="Used since")


class MemberUse(Table):
    """Whose COG a member of a collection shows, in a revision that is published or about to be: its own, or that of an equal member."""

    __table__: ClassVar[TableOptions] = table(
        schema="platform", name="member_uses", primary_key=("request_id", "revision", "item_id"),
        indexes=[
            Index(("client_id", "recipe_hash"), where="released_at IS NULL", name="idx_member_uses_recipe"),
            Index(("made_by", "made_in", "key"), where="released_at IS NULL", name="idx_member_uses_file"),
        ],
        only_these_indexes="looked up by what was asked, and by file; nothing sorts by a timestamp",
        policies=own_rows(), grants={"geomill_api": ("SELECT",)},
    )  # fmt: skip

    request_id: Annotated[str, Column(references="platform.requests", on_delete="cascade")] = Field(max_length=32, description="The collection request")
    revision: int = Field(ge=1, description="Its revision")
    item_id: str = Field(max_length=800, description="STAC item of the member")
    client_id: Annotated[str, Column(refers_to="platform.clients")] = Field(max_length=50, description="Its client; a COG is never shared between two")
    recipe_hash: str = Field(min_length=64, max_length=64, description="SHA-256 of everything that the COG follows from: bytes of the source, kind, options, software")
    made_by: Annotated[str, Column(refers_to="platform.requests")] = Field(max_length=32, description="The request that made the COG")
    made_in: int = Field(ge=1, description="In which of its revisions; the file lies below that")
    key: str = Field(max_length=300, description="The COG's key in the storage")
    reused_from: Annotated[str | None, Column(refers_to="platform.requests")] = Field(default=None, max_length=32, description="The request whose COG was found; NULL where it was made")
    report: Json | None = Field(default=None, description="What was reported of the COG; NULL once it is shown no more")
    released_at: AwareDatetime | None = Field(default=None, description="Shown no more since; a COG that nobody else uses goes")
    created_at: AwareDatetime = Field(default_factory=now, description="Used since")


class GeoTable(Table):
    """A name in schema geo, reserved for the client whose request asked for it first."""

    __table__: ClassVar[TableOptions] = table(
        schema="platform", name="geo_tables", policies=own_rows(), grants={"geomill_api": ("SELECT", "INSERT")},
    )  # fmt: skip

    table_name: Annotated[str, Column(primary_key=True)] = Field(max_length=63, pattern="^[a-z_][a-z0-9_]*$", description="Table in schema geo")
    client_id: Annotated[str, Column(references="platform.clients", on_delete="restrict")] = Field(max_length=50, description="Whose it is")
    request_id: Annotated[str, Column(references="platform.requests", on_delete="restrict")] = Field(max_length=32, description="Request that reserved it")
    created_at: AwareDatetime = Field(default_factory=now, description="Reserved at")


class Reject(Table):
    """A row or an item of a source that could not be ingested, and why."""

    __table__: ClassVar[TableOptions] = table(
        schema="platform", name="rejects",
        indexes=[Index(("request_id", "revision", "reject_id"))], only_these_indexes="read by request only",
        policies=[
            Policy("engine", "geomill_owner", "true"),
            Policy("own_rows", "geomill_api", "EXISTS (SELECT FROM platform.requests AS r WHERE r.request_id = rejects.request_id)"),
        ],
        grants={"geomill_api": ("SELECT",)},
    )  # fmt: skip

    reject_id: Annotated[int, Column(primary_key=True, identity=True)] = Field(ge=1, lt=2**63, description="Key; pages continue after it")
    request_id: Annotated[str, Column(references="platform.requests", on_delete="cascade")] = Field(max_length=32, description="The request")
    revision: int = Field(ge=1, description="Its revision")
    job_id: Annotated[str, Column(refers_to="app.jobs")] = Field(max_length=64, description="Job that met it")
    source: str = Field(max_length=1000, description="File, or file and layer, that it is from")
    source_row: int | None = Field(default=None, ge=0, lt=2**63, description="Feature id or row number in the source; NULL for a whole item")
    code: str = Field(max_length=100, description="Reason, as a code")
    reason: str = Field(description="Reason, for people")
    properties: Json | None = Field(default=None, description="The row's attributes, as far as they could be read")
    created_at: AwareDatetime = Field(default_factory=now, description="Rejected at")


class ApiKey(Table):
    """A key of a client, stored as its SHA-256."""

    __table__: ClassVar[TableOptions] = table(
        schema="platform", name="api_keys", policies=[Policy("engine", "geomill_owner", "true")],
    )  # fmt: skip

    key_id: Annotated[int, Column(primary_key=True, identity=True)] = Field(ge=1, lt=2**63, description="Key")
    client_id: Annotated[str, Column(references="platform.clients", on_delete="cascade")] = Field(max_length=50, description="Whose it is")
    key_prefix: Annotated[str, Column(unique=True)] = Field(min_length=15, max_length=15, description="How the key begins: no secret, to recognise it by")
    api_key_hash: Annotated[str, Column(unique=True)] = Field(min_length=64, max_length=64, description="SHA-256 of the key")
    access_level: str = Field(pattern="^(internal|trusted|admin)$", max_length=20, description="internal, trusted or admin")
    allowed_endpoints: list[Any] | None = Field(default=None, description="Functions it may call; NULL for all of its level")
    is_active: bool = Field(default=True, description="False refuses it")
    created_at: AwareDatetime = Field(default_factory=now, description="Created at")
    rotated_at: AwareDatetime | None = Field(default=None, description="Replaced at")
    replaced_by: Annotated[int | None, Column(refers_to="platform.api_keys")] = Field(default=None, ge=1, lt=2**63, description="The key that replaces it")
    expires_at: AwareDatetime | None = Field(default=None, description="Refused from then on")
    revoked_at: AwareDatetime | None = Field(default=None, description="Revoked at")


class ApiKeyUse(Table):
    """When a key was last used: beside its key, so that a caller's open transaction never keeps a key from being revoked."""

    __table__: ClassVar[TableOptions] = table(
        schema="platform", name="api_key_uses", policies=[Policy("engine", "geomill_owner", "true")],
        only_these_indexes="read by key; written once a minute for each key in use", fillfactor=50,
    )  # fmt: skip

    key_id: Annotated[int, Column(primary_key=True, references="platform.api_keys", on_delete="cascade")] = Field(ge=1, lt=2**63, description="The key")
    last_used_at: AwareDatetime | None = Field(default=None, description="Last authenticated with, to the minute; NULL: never")


class KeyEvent(Table):
    """The audit log of API keys: made, rotated, revoked, and each refusal with its reason, which the caller never learns."""

    __table__: ClassVar[TableOptions] = table(
        schema="platform", name="key_events",
        indexes=[Index(("key_id",)), Index(("client_id", "event_id"))], only_these_indexes="read newest first, by client or by key",
        policies=[Policy("engine", "geomill_owner", "true"), OPERATORS], grants={"geomill_admin": ("SELECT",)},
    )  # fmt: skip

    event_id: Annotated[int, Column(primary_key=True, identity=True)] = Field(ge=1, lt=2**63, description="Key; in the order of time")
    event: Literal["created", "rotated", "revoked", "refused_unknown", "refused_wrong_secret", "refused_expired", "refused_revoked", "refused_inactive_client", "refused_out_of_scope"] = Field(description="What happened")
    key_id: Annotated[int | None, Column(refers_to="platform.api_keys")] = Field(default=None, ge=1, lt=2**63, description="The key, where it is known")
    client_id: Annotated[str | None, Column(refers_to="platform.clients")] = Field(default=None, max_length=50, description="Its client")
    key_prefix: str | None = Field(default=None, max_length=15, description="How the key began that was given, where it looked like one")
    endpoint: str | None = Field(default=None, max_length=100, description="Function that was to be called, where it was said")
    login: str = Field(max_length=63, description="Login that did it, or asked")
    detail: Json = Field(default_factory=dict, description="Further facts")
    created_at: AwareDatetime = Field(default_factory=now, description="Happened at")


class TxIdentity(Table):
    """Whose key a gateway has shown in a transaction: true for that transaction only, and seen by nobody but current_client().

    A transaction is known by its id and its start, so that a row which a dump brings elsewhere is nobody's.
    """

    __table__: ClassVar[TableOptions] = table(
        schema="platform", name="tx_identity", policies=[Policy("engine", "geomill_owner", "true")],
        unlogged=True, only_these_indexes="read by transaction, in that transaction", no_column_checks="only platform.authenticate writes it",
    )  # fmt: skip

    transaction_id: Annotated[int, Column(primary_key=True)] = Field(ge=1, lt=2**63, description="The transaction")
    started_at: AwareDatetime = Field(description="When it began")
    key_id: Annotated[int, Column(refers_to="platform.api_keys")] = Field(ge=1, lt=2**63, description="The key that was shown")


class WebhookDelivery(Table):
    """A call owed to a client: written in the transaction that ended the request, delivered by a worker."""

    __table__: ClassVar[TableOptions] = table(
        schema="platform", name="webhook_deliveries", unique=[("request_id", "revision")],
        indexes=[Index(("status", "delivery_id"))],
        only_these_indexes="operators list by status; a deliverer finds its row by the key in its job's parameters",
        policies=[Policy("engine", "geomill_owner", "true"), OPERATORS], grants={"geomill_admin": ("SELECT",)},
    )  # fmt: skip

    delivery_id: Annotated[int, Column(primary_key=True, identity=True)] = Field(ge=1, lt=2**63, description="Key")
    request_id: Annotated[str, Column(references="platform.requests", on_delete="cascade")] = Field(max_length=32, description="The request")
    revision: int = Field(ge=1, description="Its revision")
    callback_url: str = Field(max_length=2000, description="Where to call")
    payload: Json = Field(description="What to send")
    status: DeliveryStatus = Field(default=DeliveryStatus.PENDING, description="How it went")
    attempts: int = Field(default=0, ge=0, description="Calls made")
    delivery_round: int = Field(default=0, ge=0, description="How often a job was submitted to deliver it; the revision of the last")
    job_id: Annotated[str | None, Column(refers_to="app.jobs")] = Field(default=None, max_length=64, description="The job that delivers it; any earlier one is superseded")
    last_error: str | None = Field(default=None, description="Why the last call failed")
    created_at: AwareDatetime = Field(default_factory=now, description="Owed since")
    completed_at: AwareDatetime | None = Field(default=None, description="Sent or given up at")


class WebhookSecret(Table):
    """A secret that was set for a client's webhooks, sealed by a key that only delivering workers have."""

    __table__: ClassVar[TableOptions] = table(
        schema="platform", name="webhook_secrets", primary_key=("client_id", "generation"), policies=[Policy("engine", "geomill_owner", "true")],
    )  # fmt: skip

    client_id: Annotated[str, Column(references="platform.clients", on_delete="cascade")] = Field(max_length=50, description="Whose webhooks it signs")
    generation: int = Field(ge=1, description="In this generation; one without a row has the secret that is derived for it")
    sealed_secret: str = Field(max_length=1000, description="AES-256-GCM, bound to the client; see workers/webhook_seal.py")
    created_at: AwareDatetime = Field(default_factory=now, description="Set at")


class WebhookEndpoint(Table):
    """A host that a client is called at: while calls there keep failing, no worker waits for it."""

    __table__: ClassVar[TableOptions] = table(
        schema="platform", name="webhook_endpoints", primary_key=("client_id", "endpoint"),
        only_these_indexes="a row for each host of a client, read by key; operators list them all", fillfactor=50,
        policies=[Policy("engine", "geomill_owner", "true"), OPERATORS], grants={"geomill_admin": ("SELECT",)},
    )  # fmt: skip

    client_id: Annotated[str, Column(references="platform.clients", on_delete="cascade")] = Field(max_length=50, description="Whose calls")
    endpoint: str = Field(max_length=300, description="Host and port, as the callback_url has them")
    failures: int = Field(default=0, ge=0, description="Calls that failed since the last that did not")
    rests_until: AwareDatetime | None = Field(default=None, description="Not called before; then one call tries. NULL: called as usual")
    last_error: str | None = Field(default=None, max_length=2000, description="Why the last call failed")
    last_success_at: AwareDatetime | None = Field(default=None, description="A call went through, to the minute")
    last_failure_at: AwareDatetime | None = Field(default=None, description="The last call that failed")


class Outcome(Table):
    """One revision of a request that has ended: a ledger that is only added to. Usage, limits and the service level read it."""

    __table__: ClassVar[TableOptions] = table(
        schema="platform", name="outcomes",
        indexes=[Index(("client_id", "ended_at DESC")), Index(("ended_at",), method="brin", name="idx_outcomes_ended_at"), Index(("client_id", "source_checksum"), where="source_checksum IS NOT NULL", name="idx_outcomes_source")],
        only_these_indexes="read by client and by time; by source, to find what was made of it",
        policies=[*own_rows(), OPERATORS], grants={"geomill_admin": ("SELECT",), "geomill_api": ("SELECT",)},
    )  # fmt: skip

    outcome_id: Annotated[int, Column(primary_key=True, identity=True)] = Field(ge=1, lt=2**63, description="Key")
    client_id: Annotated[str, Column(refers_to="platform.clients")] = Field(max_length=50, description="Whose request it was")
    request_id: Annotated[str, Column(refers_to="platform.requests")] = Field(max_length=32, description="The request")
    revision: int = Field(ge=1, description="Its revision")
    request_type: RequestType = Field(description="vector, raster, collection or h3_statistics")
    status: RequestStatus = Field(description="How it ended")
    error_category: str | None = Field(default=None, max_length=20, description="Whose failure it was: user, data or system; NULL where it did not fail")
    seconds: float = Field(ge=0, description="From the submission of the revision to its end")
    source_bytes: int | None = Field(default=None, ge=0, lt=2**63, description="Size of its source, where workers came to read it")
    source_checksum: str | None = Field(default=None, max_length=68, description="SHA-256 of its source, where it is one file")
    ended_at: AwareDatetime = Field(default_factory=now, description="Ended at")


class OutcomeHour(Table):
    """What ended in an hour, added up from the ledger by the janitor once the hour is over."""

    __table__: ClassVar[TableOptions] = table(
        schema="platform", name="outcome_hours", primary_key=("hour", "client_id", "request_type"),
        only_these_indexes="read by time; a row for each hour, client and type of request",
        policies=[Policy("engine", "geomill_owner", "true"), OPERATORS], grants={"geomill_admin": ("SELECT",)},
    )  # fmt: skip

    hour: AwareDatetime = Field(description="Begins at")
    client_id: Annotated[str, Column(refers_to="platform.clients")] = Field(max_length=50, description="Whose requests")
    request_type: RequestType = Field(description="Of this type")
    completed: int = Field(ge=0, lt=2**63, description="Completed")
    completed_with_errors: int = Field(ge=0, lt=2**63, description="Completed with errors")
    failed: int = Field(ge=0, lt=2**63, description="Failed")
    faults: int = Field(ge=0, lt=2**63, description="Failed, and neither the request nor its data was to blame")
    cancelled: int = Field(ge=0, lt=2**63, description="Cancelled")
    in_time: int = Field(ge=0, lt=2**63, description="Completed, with errors or without, within five minutes")
    seconds: float = Field(ge=0, description="Time that those that completed took, together")
    source_bytes: int = Field(ge=0, lt=2**63, description="Bytes of source read")


class PublishedCollection(Table):
    """A STAC collection as it was published: what the catalogue is made from again after it was wiped."""

    __table__: ClassVar[TableOptions] = table(
        schema="platform", name="published_collections", policies=[Policy("engine", "geomill_owner", "true")],
    )  # fmt: skip

    collection: Annotated[str, Column(primary_key=True)] = Field(description="Id of the collection")
    request_id: Annotated[str | None, Column(refers_to="platform.requests")] = Field(default=None, description="Request that made it for itself, as the document says; NULL where it is shared")
    document: Json = Field(description="The collection; its extent is that of its items once these are there")
    partition_trunc: str | None = Field(default=None, description="How pgstac partitions its items: year, month, or NULL for not")
    created_at: AwareDatetime = Field(default_factory=now, description="First published at")
    updated_at: AwareDatetime = Field(default_factory=now, description="Last change")


class PublishedItem(Table):
    """A STAC item as it was published: written with the catalogue, removed with it, and kept where the catalogue is wiped."""

    __table__: ClassVar[TableOptions] = table(
        schema="platform", name="published_items", primary_key=("collection", "item_id"),
        indexes=[Index(("request_id", "revision"))],
        only_these_indexes="read by collection and by request; nothing sorts by a timestamp",
        policies=[Policy("engine", "geomill_owner", "true")],
    )  # fmt: skip

    collection: str = Field(description="STAC collection that it is in; no foreign key, for a catalogue that others wrote to may have lost it")
    item_id: str = Field(description="Id of the item")
    request_id: Annotated[str | None, Column(refers_to="platform.requests")] = Field(default=None, description="Request that it says it is of; no foreign key, for a job that serves no request publishes too")
    revision: int | None = Field(default=None, description="Revision that it says it is of")
    document: Json = Field(description="The item")
    created_at: AwareDatetime = Field(default_factory=now, description="First published at")
    updated_at: AwareDatetime = Field(default_factory=now, description="Last change")


class Rebuild(Table):
    """One wiping and making again of app, of pgstac or of both: how far it is, so that a run that was killed is taken up."""

    __table__: ClassVar[TableOptions] = table(
        schema="platform", name="rebuilds",
        indexes=[Index(("started_at DESC",))], only_these_indexes="a row for each run of a command that is seldom run",
        policies=[Policy("engine", "geomill_owner", "true"), OPERATORS], grants={"geomill_admin": ("SELECT",)},
    )  # fmt: skip

    rebuild_id: Annotated[int, Column(primary_key=True, identity=True)] = Field(ge=1, lt=2**63, description="Key")
    kind: Literal["rebuild", "redeploy-app", "redeploy-pgstac", "stac-clear"] = Field(description="The command")
    phase: Literal["wiped", "made", "republished", "done"] = Field(description="What has been committed; the wipe writes the row")
    requested_by: str = Field(max_length=63, description="Login that ran it first")
    software_version: str = Field(max_length=50, description="geomill's version")
    report: Json = Field(default_factory=dict, description="What was wiped, ended, started again, and could not be republished")
    started_at: AwareDatetime = Field(default_factory=now, description="Wiped at")
    completed_at: AwareDatetime | None = Field(default=None, description="Ended at; NULL while there is something left to do")
