"""All tables together, whatever file describes them: what the migrations are held against."""

from . import audit_schema, people_schema, schema, source_schema

FILES = (schema, people_schema, audit_schema, source_schema)
METADATA = schema.Base.metadata
"""Complete only because every file of `FILES` has been imported."""
