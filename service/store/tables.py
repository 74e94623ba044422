"""The one schema. Times are seconds since 1970, UTC. `migrations` makes it, a test compares."""

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

METADATA = MetaData()

# owner: name of the caller's key, empty where nobody has one. asked: the resolved order as JSON.
# holder, lease: which process works on it, and until when nobody else may.
JOBS = Table(
    "jobs",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("owner", String(100), nullable=False),
    Column("state", String(16), nullable=False),
    Column("created", Double, nullable=False),
    Column("updated", Double, nullable=False),
    Column("expires", Double),
    Column("idempotency", String(255)),
    Column("digest", String(64), nullable=False),
    Column("model", String(100), nullable=False),
    Column("samples", BigInteger, nullable=False),
    Column("drawn", BigInteger, nullable=False),
    Column("asked", Text, nullable=False),
    Column("picture", LargeBinary),
    Column("target", Integer),
    Column("progress", Text),
    Column("problem", Text),
    Column("holder", String(32)),
    Column("lease", Double),
    UniqueConstraint("owner", "idempotency", name="one_job_per_idempotency_key"),
    Index("jobs_by_owner", "owner", "created", "id"),
    Index("jobs_by_state", "state", "created"),
)

# Evidence as it grows, in parts that take the place of what they hold.
PARTS = Table(
    "parts",
    METADATA,
    Column("job", String(32), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("first", BigInteger, primary_key=True, autoincrement=False),
    Column("body", LargeBinary, nullable=False),
)

# kind: the content type of the body.
RESULTS = Table(
    "results",
    METADATA,
    Column("job", String(32), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("kind", String(64), primary_key=True),
    Column("body", LargeBinary, nullable=False),
)

# digest: SHA-256 of the key. samples_an_hour: null takes the operator's setting.
API_KEYS = Table(
    "api_keys",
    METADATA,
    Column("name", String(100), primary_key=True),
    Column("digest", String(64), nullable=False, unique=True),
    Column("created", Double, nullable=False),
    Column("samples_an_hour", BigInteger),
)
