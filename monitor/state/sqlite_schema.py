"""The tables of the state file, by version. Times are whole milliseconds since 1970, in UTC."""

VERSION = 2
"""What `PRAGMA user_version` of a file must be. Each step of MIGRATIONS raises it by one."""

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
    # What AWS says of a product itself. Its transitions are in the same table as those of its instances, with
    # neither account nor Region: they are told in one order.
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
)
