"""The tables of the state file, by version. Times are whole milliseconds since 1970, in UTC."""

import sqlite3

# Each step keeps the times and the history of files that an earlier build wrote.
MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE product (
        id TEXT PRIMARY KEY,
        observed_at INTEGER,
        missing INTEGER NOT NULL DEFAULT 0
    ) WITHOUT ROWID;
    CREATE TABLE instance (
        product_id TEXT NOT NULL,
        account TEXT NOT NULL,
        region TEXT NOT NULL,
        status TEXT NOT NULL,
        since INTEGER NOT NULL,
        PRIMARY KEY (product_id, account, region)
    ) WITHOUT ROWID;
    CREATE TABLE transition (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        event_id TEXT NOT NULL UNIQUE,
        poll_id TEXT NOT NULL,
        product_id TEXT NOT NULL,
        product_name TEXT NOT NULL,
        account TEXT NOT NULL,
        region TEXT NOT NULL,
        previous_status TEXT,
        status TEXT,
        previous_since INTEGER,
        observed_at INTEGER NOT NULL,
        told INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX transition_by_time ON transition (observed_at);
    CREATE INDEX transition_untold ON transition (sequence) WHERE told = 0;
    """,
    # Transitions of a provisioned product are in the same table as those of its instances, with an empty account
    # and Region, because both are published in one order.
    """
    ALTER TABLE product ADD COLUMN name TEXT;
    ALTER TABLE product ADD COLUMN type TEXT;
    ALTER TABLE product ADD COLUMN status TEXT;
    ALTER TABLE product ADD COLUMN catalog_product_id TEXT;
    ALTER TABLE product ADD COLUMN provisioning_artifact_id TEXT;
    ALTER TABLE product ADD COLUMN account TEXT;
    ALTER TABLE product ADD COLUMN region TEXT;
    CREATE TABLE discovered (
        source TEXT NOT NULL,
        product_id TEXT NOT NULL,
        name TEXT NOT NULL,
        PRIMARY KEY (source, product_id)
    ) WITHOUT ROWID;
    """,
    # `unreadable` keeps instances that could not be read, as Python literals.
    """
    DROP INDEX transition_untold;
    ALTER TABLE transition RENAME COLUMN told TO published;
    CREATE INDEX transition_unpublished ON transition (sequence) WHERE published = 0;
    ALTER TABLE transition ADD COLUMN provisioned_product_status TEXT;
    CREATE TABLE unreadable (
        table_name TEXT NOT NULL,
        content TEXT NOT NULL,
        set_aside_at INTEGER NOT NULL
    );
    """,
    # What CloudFormation says about a product and its transitions. The index is for the page of one product.
    """
    ALTER TABLE product ADD COLUMN status_since INTEGER;
    CREATE TABLE details (
        product_id TEXT PRIMARY KEY,
        content BLOB NOT NULL
    ) WITHOUT ROWID;
    ALTER TABLE transition ADD COLUMN detailed_status TEXT;
    ALTER TABLE transition ADD COLUMN status_reason TEXT;
    ALTER TABLE transition ADD COLUMN operation_id TEXT;
    CREATE INDEX transition_by_product ON transition (product_id, observed_at);
    """,
)

# What `PRAGMA user_version` of a file must be: each step of MIGRATIONS raises it by one.
VERSION = len(MIGRATIONS)

# The columns of each table, without the key `transition.sequence`, which each file numbers itself.
COLUMNS: dict[str, tuple[str, ...]] = {
    "product": (
        "id", "observed_at", "missing",
        "name", "type", "status", "catalog_product_id", "provisioning_artifact_id", "account", "region", "status_since",
    ),
    "instance": ("product_id", "account", "region", "status", "since"),
    "details": ("product_id", "content"),
    "discovered": ("source", "product_id", "name"),
    "transition": (
        "event_id", "poll_id", "product_id", "product_name", "account", "region", "provisioned_product_status",
        "detailed_status", "status_reason", "operation_id",
        "previous_status", "status", "previous_since", "observed_at", "published",
    ),
}  # fmt: skip


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Bring the tables from `version` to VERSION, each step in one transaction."""
    for step, script in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.executescript(f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {step}; COMMIT;")


def check_columns(connection: sqlite3.Connection) -> None:
    """Raise `sqlite3.Error` unless every table has its columns: damage may hit a name in the stored schema."""
    for table, columns in COLUMNS.items():
        connection.execute(f"SELECT {', '.join(columns)} FROM {table} LIMIT 0")  # noqa: S608 - constants
