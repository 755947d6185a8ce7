"""The examples of the API reference: requests, and what the model that ships answers to them.

    python -m unspun.service.http.examples

writes the answers to examples.json again, after a change of the model or of what is answered.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

TEXT = (
    "My grandmother micro-cooked on Fridays and nobody was allowed to bang a gate till four. I have neither her "
    "stamina nor her kitchen, thus this is the pudding I brand as an alternative: one bowl, no working, in the fake by "
    "seven and on the table before the children start on the snacks."
)
SUSPECT = (
    "The atomic number 26 steps at Coldwell Harbour will reopen on Saturday, eleven calendar months after the "
    "council chained them shut, and nobody is happier about it than 81-yr-older Dot Pascoe."
)
SOURCE = (
    "The iron steps at Coldwell Harbour will reopen on Saturday, eleven months after the council chained them "
    "shut, and nobody is happier about it than 81-year-old Dot Pascoe."
)
FILE = "bread.txt"
"""The file of the example of an upload. It holds TEXT."""
URL_SUBMISSION = {"url": "https://example.org/article", "evidence": False}
SUBMISSION = {"id": "a", "text": TEXT}
PAIR = {"suspect": SUSPECT, "source": SOURCE, "suspect_id": "a", "source_id": "b"}
LABEL_SUBMISSION = {"text": TEXT, "label": "spun", "consent": True, "source": "example.org"}
LABEL_ID = "5f3d9c0b7a1e4c2d8b6f0a9e1d7c3b52"
LABEL_CREATED = datetime(2026, 11, 23, 6, 5, 0, 250_000, UTC)

ANSWERS = Path(__file__).with_name("examples.json")


@cache
def answers() -> dict[str, Any]:
    """Return the answers: a `verdict`, a `comparison` and a `label`."""
    found: dict[str, Any] = json.loads(ANSWERS.read_text("utf-8"))
    return found


def write() -> None:
    """Write the answers of the model that ships."""
    from unspun.model.comparing.comparer import Comparer
    from unspun.model.detector import Detector
    from unspun.service.feedback.labels import make_label

    detector = Detector.load()
    verdict = detector.score(TEXT, id="a")
    label = make_label(TEXT, "spun", verdict, LABEL_CREATED, source="example.org")
    found = {
        "verdict": verdict.to_dict(),
        "comparison": Comparer(detector.bundle).compare(SUSPECT, SOURCE, suspect_id="a", source_id="b").to_dict(),
        "label": label.model_copy(update={"id": LABEL_ID}).to_dict(),
    }
    ANSWERS.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    write()
