"""The datastore: SQLAlchemy models (one file per noun), transactions, migrations, queries."""
