"""Writes k8s/components/monitoring/prometheusrule.yaml, the alert rules for the Prometheus
operator, from rules.yml beside it.
"""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "k8s" / "components" / "monitoring"
HEAD = """# Written by scripts/prometheusrule.py from rules.yml.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: sightline
spec:
"""


def rendered(rules: str) -> str:
    """The rule file as a resource: its groups, indented, below the head."""
    lines = rules[rules.index("groups:\n") :].splitlines(keepends=True)
    return HEAD + "".join(f"  {line}" if line.strip() else line for line in lines)


def main() -> None:
    """Write the file."""
    (FOLDER / "prometheusrule.yaml").write_text(
        rendered((FOLDER / "rules.yml").read_text(encoding="utf-8")), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
