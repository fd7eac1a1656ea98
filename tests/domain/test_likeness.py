"""A second opinion on texts that no rule understands: it can only ask."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.freetext import HARMLESS, LIKENESS, Findings, Status, scan
from bot.domain.lexicon import Concept
from bot.domain.likeness import pieces, teach, weigh, weights, written
from bot.domain.urgency import Urgency
from bot.protocol import bundled

LEXICON = bundled().lexicon
EXAMPLES = [
    ("叫他他不应", True), ("怎么叫都叫不应", True), ("他不应声", True), ("she will not answer us", True),
    ("she will not wake", True), ("谢谢医生", False), ("好的谢谢", False), ("谢谢护士", False),
    ("thanks for the answer", False), ("thanks a lot", False),
]  # fmt: skip


def test_the_same_sentences_teach_the_same_weights() -> None:
    assert teach(EXAMPLES) == teach(list(EXAMPLES))


def test_what_was_told_dangerous_weighs_more_than_what_was_not() -> None:
    learned, bias = teach(EXAMPLES)
    known = weights(" ".join(written(learned)))
    assert weigh("叫不应", known, bias / 100).weight > weigh("谢谢", known, bias / 100).weight


def test_weights_are_read_as_they_were_written() -> None:
    learned, _ = teach(EXAMPLES)
    assert weights(" ".join(written(learned))) == {piece: weight / 100 for piece, weight in learned.items()}


def test_pieces_are_short_and_small_words_are_none() -> None:
    assert pieces("叫不应 is the") == {"叫", "不", "应", "叫不", "不应", "叫不应"}
    assert {"wake", "not_wake", "~wake"} <= pieces("not wake")


@pytest.mark.parametrize(
    "text", ["谢谢", "好的", "没发烧", "I don't have any fever", "Temperature 36.3", "血压118/76", "下次什么时候打针"]
)
def test_thanks_denials_and_normal_values_are_not_asked_about(text: str) -> None:
    assert not scan(text, LEXICON).danger_check


@given(st.text(alphabet="他她爸妈叫不应醒动了一直突然说看见走路谢好 abcdefgh", max_size=60))
def test_likeness_only_ever_asks(text: str) -> None:
    findings = scan(text, LEXICON)
    alike = [one for one in findings.concepts if one.why == LIKENESS]
    assert all(one.status is Status.DOUBTFUL and isinstance(one.concept, Concept) for one in alike)
    if alike:
        assert findings.danger_check
        assert findings.urgency in (Urgency.GREEN, Urgency.YELLOW, Urgency.AMBER)


BARE = "my knees and the new brown pair of lovely shoes bought cheaply"


def test_a_bare_word_of_the_body_is_yellow_where_nothing_sounds_like_a_danger() -> None:
    def judged(harmless: float) -> Findings:
        known = "knees:-1 new:-1 brown:-1 pair:-1 lovely:-300 shoes:-300 bought:-300 cheaply:-300"
        learned = replace(LEXICON.likeness, weights=known, bias=0, harmless=harmless)
        return scan(BARE, replace(LEXICON, version=f"bare {harmless}", likeness=learned))

    softened = judged(-1.0)
    assert (softened.urgency, softened.acted_on, softened.danger_check) == (Urgency.GREEN, Urgency.YELLOW, False)
    assert [one.why for one in softened.concepts] == [HARMLESS]
    assert judged(-100.0).danger_check


@pytest.mark.parametrize("text", ["knees", "膝盖", "舌头上有个东西"])
def test_a_bare_word_in_a_text_too_short_to_weigh_is_still_asked_about(text: str) -> None:
    assert scan(text, LEXICON).danger_check


def test_laughter_and_things_have_to_sound_louder() -> None:
    known = "keeps:60 making:60 strange:60 noises:60 beeping:60 constantly:60 loudly:60"
    learned = replace(LEXICON.likeness, weights=known, bias=0, above=0.5, above_amber=5.0)
    lexicon = replace(LEXICON, version="louder", likeness=learned)
    told = "keeps making strange beeping noises constantly and loudly"
    assert scan(told, lexicon).danger_check
    assert not scan(f"the laptop {told}", lexicon).danger_check
    assert not scan(f"{told} haha", lexicon).danger_check
