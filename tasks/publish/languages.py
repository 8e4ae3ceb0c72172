"""The languages of a version, as its card and its Croissant metadata name them."""

from schemas.manifest import CorpusManifest

MIN_SHARE = 0.01  # below it stand short texts whose language was guessed wrong


def main_languages(manifest: CorpusManifest) -> list[str]:
    """ISO 639-1 codes of the languages with at least `MIN_SHARE` of the rows, most rows first."""
    return [
        entry.value
        for entry in manifest.statistics.composition
        if entry.key == "language"
        and len(entry.value) == 2
        and entry.rows >= MIN_SHARE * manifest.rows_out
    ]
