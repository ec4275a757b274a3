"""How well a published value is known: the words that end the ``where`` of a row."""

from __future__ import annotations

PRIMARY = "read in the publication"
ARTEFACT = "read in the authors' files"
TRANSCRIBED = "read in a transcription"
ABSTRACT = "read in the abstract"
SECOND_HAND = "second hand"
ALGEBRA = "algebra, nothing published"

EVIDENCE = (PRIMARY, ARTEFACT, TRANSCRIBED, ABSTRACT, SECOND_HAND, ALGEBRA)


def at(place: str, evidence: str) -> str:
    """``table V; read in the publication``; raises ``ValueError`` for words that are not in :data:`EVIDENCE`."""
    if evidence not in EVIDENCE:
        raise ValueError(f"found {evidence!r}, allowed {', '.join(EVIDENCE)}")
    return f"{place}; {evidence}"
