"""Write the JSON Schema of the analysis document into the package. Run it when the document has changed.

Run: .venv/bin/python scripts/write_schema.py
"""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

from copilot.core.findings import analysis_schema

if __name__ == "__main__":
    target = Path(str(files("copilot.core"))) / "analysis.schema.json"
    target.write_text(json.dumps(analysis_schema(), indent=2) + "\n", encoding="utf-8")
