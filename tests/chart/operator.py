"""Schemas of the manifests of the Prometheus Operator (API reference of monitoring.coreos.com/v1).

They contain only the fields that the chart can set, and refuse all others.
"""

from typing import Any

import jsonschema

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
TEXTS: Schema = {"type": "object", "additionalProperties": TEXT}
DURATION: Schema = {
    "type": "string",
    "pattern": "^(0|(([0-9]+)y)?(([0-9]+)w)?(([0-9]+)d)?(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?(([0-9]+)ms)?)$",
}


def strict(required: tuple[str, ...] = (), **properties: Schema) -> Schema:
    """Return the schema of an object with these keys and no others."""
    return {"type": "object", "additionalProperties": False, "properties": properties, "required": list(required)}


def listing(items: Schema) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": items}


KEY = strict(("key",), name=TEXT, key=TEXT, optional={"type": "boolean"})
SECRET_OR_MAP = strict((), secret=KEY, configMap=KEY)
TLS = strict(
    (),
    ca=SECRET_OR_MAP,
    cert=SECRET_OR_MAP,
    keySecret=KEY,
    serverName=TEXT,
    insecureSkipVerify={"type": "boolean"},
    minVersion=TEXT,
    maxVersion=TEXT,
)
RELABELING = strict(
    (),
    action={
        "enum": [
            "replace",
            "keep",
            "drop",
            "hashmod",
            "labelmap",
            "labeldrop",
            "labelkeep",
            "lowercase",
            "uppercase",
            "keepequal",
            "dropequal",
        ]
    },
    modulus={"type": "integer"},
    regex=TEXT,
    replacement=TEXT,
    separator=TEXT,
    sourceLabels=listing(TEXT),
    targetLabel=TEXT,
)
ENDPOINT = strict(
    (),
    port=TEXT,
    path=TEXT,
    scheme={"enum": ["http", "https"]},
    honorLabels={"type": "boolean"},
    interval=DURATION,
    scrapeTimeout=DURATION,
    tlsConfig=TLS,
    basicAuth=strict((), username=KEY, password=KEY),
    relabelings=listing(RELABELING),
    metricRelabelings=listing(RELABELING),
)
SELECTION = {
    "selector": strict((), matchLabels=TEXTS),
    "namespaceSelector": strict((), any={"type": "boolean"}, matchNames=listing(TEXT)),
    "jobLabel": TEXT,
    "podTargetLabels": listing(TEXT),
    "sampleLimit": {"type": "integer"},
}
RULE = strict(
    ("expr",),
    record=TEXT,
    alert=TEXT,
    expr=TEXT,
    labels=TEXTS,
    annotations=TEXTS,
    **{"for": DURATION, "keep_firing_for": DURATION},
)
SPECIFICATIONS = {
    "ServiceMonitor": strict(
        ("selector", "endpoints"), endpoints=listing(ENDPOINT), targetLabels=listing(TEXT), **SELECTION
    ),
    "PodMonitor": strict(("selector", "podMetricsEndpoints"), podMetricsEndpoints=listing(ENDPOINT), **SELECTION),
    "PrometheusRule": strict((), groups=listing(strict(("name",), name=TEXT, interval=DURATION, rules=listing(RULE)))),
}
METADATA = strict(("name", "namespace"), name=TEXT, namespace=TEXT, labels=TEXTS, annotations=TEXTS)


def validate(manifest: dict[str, Any]) -> None:
    """Validate a manifest of the Prometheus Operator.

    Raises:
        jsonschema.ValidationError: The manifest is invalid.
    """
    whole = strict(
        ("apiVersion", "kind", "metadata", "spec"),
        apiVersion={"const": "monitoring.coreos.com/v1"},
        kind=TEXT,
        metadata=METADATA,
        spec=SPECIFICATIONS[manifest["kind"]],
    )
    jsonschema.validate(manifest, whole)
