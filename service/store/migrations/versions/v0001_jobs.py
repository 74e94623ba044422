"""Jobs, their evidence, their results; keys of callers."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the four tables."""
    _jobs()
    _of_a_job("parts", sa.Column("first", sa.BigInteger, primary_key=True, autoincrement=False))
    _of_a_job("results", sa.Column("kind", sa.String(64), primary_key=True))
    op.create_table(
        "api_keys",
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("digest", sa.String(64), nullable=False, unique=True),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("samples_an_hour", sa.BigInteger),
    )


def downgrade() -> None:
    """Drop them."""
    for name in ("api_keys", "results", "parts", "jobs"):
        op.drop_table(name)


def _jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("owner", sa.String(100), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("updated", sa.Double, nullable=False),
        sa.Column("expires", sa.Double),
        sa.Column("idempotency", sa.String(255)),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("model", sa.String(100), nullable=False),
        sa.Column("samples", sa.BigInteger, nullable=False),
        sa.Column("drawn", sa.BigInteger, nullable=False),
        sa.Column("asked", sa.Text, nullable=False),
        sa.Column("picture", sa.LargeBinary),
        sa.Column("target", sa.Integer),
        sa.Column("progress", sa.Text),
        sa.Column("problem", sa.Text),
        sa.Column("holder", sa.String(32)),
        sa.Column("lease", sa.Double),
        sa.UniqueConstraint("owner", "idempotency", name="one_job_per_idempotency_key"),
    )
    op.create_index("jobs_by_owner", "jobs", ["owner", "created", "id"])
    op.create_index("jobs_by_state", "jobs", ["state", "created"])


def _of_a_job(name: str, own: sa.Column[Any]) -> None:
    """A table of bodies that belong to a job."""
    job = sa.ForeignKey("jobs.id", ondelete="CASCADE")
    op.create_table(
        name,
        sa.Column("job", sa.String(32), job, primary_key=True),
        own,
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
