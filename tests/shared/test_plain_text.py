"""Names hold what can be seen; what else there is, is shown as an escape."""

import unicodedata

import pytest

from shared.plain_text import check_line, check_lines, shown


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        ("a\x1bb", 2, "U+001B"),
        ("\u202eab", 1, "U+202E (RIGHT-TO-LEFT OVERRIDE)"),
        ("ab\u200b", 3, "U+200B (ZERO WIDTH SPACE)"),
        ("a\nb", 2, "U+000A"),
        ("a\u2028b", 2, "U+2028 (LINE SEPARATOR)"),
        ("a\x9bb", 2, "U+009B"),
        ("\U000e0041", 1, "U+E0041 (TAG LATIN CAPITAL LETTER A)"),
    ],
)
def test_the_first_character_that_cannot_be_seen_is_named_with_its_place(text, place, what):
    with pytest.raises(ValueError, match=f"character {place} is ") as refused:
        check_line(text)
    assert what in str(refused.value)


def test_letters_of_all_scripts_stay():
    for text in ("CO on Pt(111)", "α-Al₂O₃ Ångström", "日本語", "عربى", "עברית", "🙂", "a b"):
        assert check_line(text) == shown(text) == text


def test_several_lines_are_kept_where_they_may_be():
    assert check_lines("a\n\tb") == shown("a\n\tb") == "a\n\tb"
    with pytest.raises(ValueError, match="character 2"):
        check_lines("a\rb")


def test_every_control_and_mark_of_direction_is_found():
    """Against Python's own database of characters."""
    for code in range(0x110000):
        character = chr(code)
        steers = unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or unicodedata.bidirectional(character) in (
            "LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI",
        )  # fmt: skip
        if steers and character not in "\n\t":
            assert shown(character) == character.encode("unicode_escape").decode()
