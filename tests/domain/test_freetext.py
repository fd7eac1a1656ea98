"""Free text: danger words are found in both languages, and only a plain denial takes them back."""

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.freetext import Status, normalise, scan
from bot.domain.lexicon import Combination, Concept, Request
from bot.domain.urgency import Urgency
from bot.protocol import bundled

LEXICON = bundled().lexicon
RED = Urgency.RED_COME
CALL = Urgency.RED_120

POSITIVE = [
    # The second concept is not denied by the first one's negation.
    ("没发烧但是拉黑便", "GI_BLEED", RED),
    ("不发烧就是喘", "BREATH_SHORT", CALL),
    ("没有胃口,发烧", "FEVER", RED),
    ("no fever but chest pain", "CHEST", CALL),
    ("haven't eaten, fever", "FEVER", RED),
    ("没劲发烧", "FEVER", RED),
    # The negator is part of the symptom.
    ("两条腿没劲", "CORD", CALL),
    ("一天没尿", "KIDNEY", RED),
    ("喘不上气", "BREATH", CALL),
    ("喘不上气发烧", "FEVER", RED),
    ("突然说不出话", "STROKE", CALL),
    ("看不见了", "SENSES", RED),
    ("流鼻血止不住", "BLEED", RED),
    ("叫不醒", "CONFUSED", CALL),
    ("站不起来", "CORD", CALL),
    ("can't breathe", "BREATH", CALL),
    ("no urine", "KIDNEY", RED),
    ("my nose won’t stop bleeding", "BLEED", RED),
    ("suddenly can't see", "SENSES", RED),
    ("我不想活了", "SELF_HARM", CALL),
    # Two negations make a symptom.
    ("不是没有发烧", "FEVER", RED),
    ("没有不发烧", "FEVER", RED),
    ("not that I don't have fever", "FEVER", RED),
    # It is over: amber, but some dangers stay red.
    ("退烧了", "FEVER", Urgency.AMBER),
    ("昨天发烧今天好了", "FEVER", Urgency.AMBER),
    ("fever's gone", "FEVER", Urgency.AMBER),
    ("the nosebleed stopped", "BLEED", Urgency.AMBER),
    ("胸痛好了", "CHEST", CALL),
    ("嘴歪了一会儿现在好了", "STROKE", CALL),
    ("the nosebleed hasn't stopped", "BLEED", RED),
    ("还没退烧", "FEVER", RED),
    ("昨天退烧了今天又烧", "FEVER", RED),
    # The past does not hide the present, and a question does not cancel.
    ("上次胸痛,现在又胸痛", "CHEST", CALL),
    ("我发烧了要不要去医院?", "FEVER", RED),
    ("should I go, I have fever", "FEVER", RED),
    ("是不是发烧了", "FEVER", RED),
    # A relative who writes means the subject; so does the subject who quotes a relative.
    ("我爸晕倒了", "COLLAPSE", CALL),
    ("my father collapsed", "COLLAPSE", CALL),
    ("我老伴说我发烧了", "FEVER", RED),
    # Diet, uncertainty and small amounts are no reason to drop it.
    ("吃了鸭血大便黑", "GI_BLEED", RED),
    ("拉黑屎", "GI_BLEED", RED),
    ("好像有点发烧", "FEVER", RED),
    ("maybe blood", "BLEED", RED),
    ("a little bit of blood", "BLEED", RED),
    # Numbers.
    ("385", "FEVER", RED),
    ("39.2", "FEVER", RED),
    ("烧到39", "FEVER", RED),
    ("38度5", "FEVER", RED),
    ("三十八度五", "FEVER", RED),
    ("101.5F", "FEVER", RED),
    ("37.5", "FEVER", RED),
    ("200/110", "BP_HIGH", RED),
    ("200 110", "BP_HIGH", RED),
    ("110/200", "BP_HIGH", RED),
    ("血压一百八", "BP_HIGH", RED),
    ("165/95", "BP_HIGH", Urgency.AMBER),
    ("oxygen 88", "BREATH", CALL),
    # Spelling: pinyin, typos, traditional signs, spaces, full width.
    ("fa shao", "FEVER", RED),
    ("发绕", "FEVER", RED),
    ("tarry stoool", "GI_BLEED", RED),
    ("發燒", "FEVER", RED),
    ("胸 口 有点 痛", "CHEST", CALL),
    ("ＦＥＶＥＲ", "FEVER", RED),
]

DENIED = [
    "没有发烧", "没发烧", "不发烧", "无发热", "否认黑便", "no fever", "denies bleeding", "not bleeding",
    "I don't have any fever", "没有喘不上气", "没有感觉胸痛",
]  # fmt: skip

DOUBTFUL = [
    ("去年发烧", "FEVER"),
    ("上次胸痛", "CHEST"),
    ("年轻时晕倒过", "COLLAPSE"),
    ("I fainted three years ago", "COLLAPSE"),
    ("last year I had chest pain", "CHEST"),
    ("如果发烧怎么办", "FEVER"),
    ("万一胸痛", "CHEST"),
    ("会不会中风", "STROKE"),
    ("发烧的话打给谁", "FEVER"),
    ("what if I get fever", "FEVER"),
    ("could it cause chest pain", "CHEST"),
    ("我老伴发烧", "FEVER"),
    ("孙子吐血", "GI_BLEED"),
    ("my wife has fever", "FEVER"),
    ("没有发烧、黑便", "GI_BLEED"),
    ("no fever or bleeding", "BLEED"),
    ("救命", "PLEA"),
]

HARMLESS = [
    "累死了", "吓死我了", "晕死", "笑喷了", "拉黑他", "他是发烧友", "我在烧饭", "出血价", "心痛钱",
    "dying to see you", "this queue is killing me", "blood pressure cuff broke", "体重62.5公斤", "血小板390",
    "吃了38片", "2026/11/3", "120/75", "36.5", "你好", "thank you", "明天抽血几点", "", " ", "。。。",
]  # fmt: skip


@pytest.mark.parametrize(("text", "concept", "urgency"), POSITIVE, ids=[one[0] for one in POSITIVE])
def test_a_danger_is_found(text: str, concept: str, urgency: Urgency) -> None:
    findings = scan(text, LEXICON)
    found = {one.concept.id: one for one in findings.concepts}
    assert found[concept].status is Status.POSITIVE
    assert found[concept].urgency is urgency
    assert findings.urgency.rank >= urgency.rank
    assert findings.tell


@pytest.mark.parametrize("text", DENIED)
def test_a_plain_negation_denies_it_and_keeps_the_words(text: str) -> None:
    findings = scan(text, LEXICON)
    assert findings.concepts
    assert {one.status for one in findings.concepts} == {Status.NEGATED}
    assert (findings.urgency, findings.doubtful, findings.tell) == (Urgency.GREEN, False, None)


@pytest.mark.parametrize(("text", "concept"), DOUBTFUL, ids=[one[0] for one in DOUBTFUL])
def test_what_is_in_doubt_is_asked_and_never_dropped(text: str, concept: str) -> None:
    findings = scan(text, LEXICON)
    found = {one.concept.id: one for one in findings.concepts}
    assert found[concept].status is Status.DOUBTFUL
    assert findings.doubtful
    assert findings.urgency is Urgency.GREEN
    assert findings.urgency_if_so.is_red


@pytest.mark.parametrize("text", HARMLESS)
def test_figures_of_speech_and_other_numbers_raise_nothing(text: str) -> None:
    findings = scan(text, LEXICON)
    assert (findings.urgency, findings.doubtful) == (Urgency.GREEN, False)


def test_every_wording_of_the_lexicon_is_found() -> None:
    def is_found(concept: Concept, word: str) -> bool:
        found = {one.concept for one in scan(word, LEXICON).concepts if one.status is not Status.NEGATED}
        # A milder or another reading of the same words may take its place.
        return concept in found or any(isinstance(one, Concept) and concept.id in one.replaces for one in found)

    missing = [
        (concept.id, word)
        for concept in LEXICON.concepts
        for word in (*concept.words.zh, *concept.words.en, *concept.weak.zh, *concept.weak.en)
        if not is_found(concept, word)
    ]
    assert missing == []


@pytest.mark.parametrize(
    "entry", [*LEXICON.concepts, *LEXICON.combinations], ids=lambda entry: str(getattr(entry, "id", entry))
)
def test_every_concept_has_its_firing_and_its_quiet_example(entry: Concept | Combination) -> None:
    def fires(text: str) -> bool:
        meant = [one.concept.id for one in scan(text, LEXICON).concepts if one.status is not Status.NEGATED]
        return entry.id in meant

    assert entry.fires_for
    assert [text for text in entry.fires_for if not fires(text)] == []
    assert entry.quiet_for
    assert [text for text in entry.quiet_for if fires(text)] == []


COMPOSED = [
    # Part of the body and complaint, with something between them, or turned round.
    ("我今天大便是黑的像柏油一样", "GI_BLEED", RED),
    ("swelling in my left calf", "CLOT_LIMB", RED),
    ("my chest really badly hurts", "CHEST", CALL),
    ("左边小腿又肿又痛", "CLOT_LIMB", RED),
    # A degree makes it worse; walking makes it milder.
    ("头突然痛起来", "HEADACHE_RED", CALL),
    ("sudden headache", "HEADACHE_RED", CALL),
    ("爬楼梯就气喘", "BREATH_EFFORT", Urgency.AMBER),
    ("坐着不动也喘", "BREATH", CALL),
    # Two complaints together are more than each.
    ("眼睛黄,人昏昏沉沉", "LIVER_DANGER", RED),
    ("headache and throwing up", "HEADACHE_DANGER", CALL),
    # Dialect, homophones, voice input, typing errors.
    ("今朝发寒热了", "FEVER", RED),
    ("出雪止不注", "BLEED_LONG", RED),
    ("temprature is 38.4", "FEVER", RED),
    ("coughing up bloood", "BREATH", CALL),
    # Contractions without their apostrophe, as they are typed on a phone.
    ("could not lift my left arm", "STROKE", CALL),
    ("my nose hasnt stopped bleeding", "BLEED", RED),
    # Where it hurts may be said in more ways than "in".
    ("there's a tight band round my chest", "CHEST", CALL),
    ("sore near my bum", "INFECTION_DEEP", RED),
    # The word that it is over is part of the complaint itself.
    ("右耳朵一点声音都没有了", "SENSES", RED),
    # A redness that climbs, a trickle in a whole day, what is spat out, a nose that pours.
    ("手上的伤口红肿还在往上爬", "INFECTION_DEEP", RED),
    ("only a dribble of wee in 24 hours", "KIDNEY", RED),
    ("一天就尿了两小口", "KIDNEY", RED),
    ("spat pink all morning", "BLEED", RED),
    ("nose has been pouring for forty minutes", "BLEED_LONG", RED),
    # Somebody typed it for the subject.
    ("女儿帮我写的：她爸昨天夜里吐了小半碗暗红色的", "GI_BLEED", RED),
    # Laboratory values and numbers in words.
    ("puked six times today", "VOMIT_MUCH", Urgency.AMBER),
    ("plt 8", "PLATELETS", RED),
    ("血色素4克5", "HAEMOGLOBIN", RED),
    ("血小板3万", "PLATELETS", Urgency.YELLOW),
    ("temperature of thirty eight and a half", "FEVER", RED),
    ("拉肚子七八次", "DIARRHOEA", Urgency.AMBER),
]


@pytest.mark.parametrize(("text", "concept", "urgency"), COMPOSED, ids=[one[0] for one in COMPOSED])
def test_parts_make_a_complaint(text: str, concept: str, urgency: Urgency) -> None:
    found = {one.concept.id: one for one in scan(text, LEXICON).concepts}
    assert (found[concept].status, found[concept].urgency) == (Status.POSITIVE, urgency)


@pytest.mark.parametrize(
    ("text", "concept"),
    [
        pytest.param("胸口不痛", "CHEST", id="denied between the parts"),
        pytest.param("my chest doesn't hurt", "CHEST", id="the same in English"),
        pytest.param("stool is not black", "GI_BLEED", id="not black"),
    ],
)
def test_a_denial_inside_a_composition_counts(text: str, concept: str) -> None:
    found = {one.concept.id: one.status for one in scan(text, LEXICON).concepts}
    assert found[concept] is Status.NEGATED


@pytest.mark.parametrize(
    "text", ["头不晕肚子痛", "头孢吃了肚子痛", "手机摔了", "今天三十八度高温,热死了", "dropping off my form"]
)
def test_a_complaint_belongs_to_the_nearest_part_of_the_body(text: str) -> None:
    assert not scan(text, LEXICON).urgency_if_so.is_red


@pytest.mark.parametrize("text", ["头有一点点痛", "slight headache", "头晕得厉害站不住", "🆘", "舌头上有个东西"])
def test_weak_words_are_asked_about(text: str) -> None:
    findings = scan(text, LEXICON)
    assert findings.danger_check
    assert not findings.urgency.is_red


@pytest.mark.parametrize(
    "text", ["我的腿现在好了", "大便正常颜色黄的", "my leg is all better now", "poo is normal brown"]
)
def test_a_bare_word_of_the_body_with_which_all_is_well_is_not_asked_about(text: str) -> None:
    assert not scan(text, LEXICON).urgency_if_so.is_red


@pytest.mark.parametrize("text", ["我的腿不正常", "腿好了没", "my leg isn't normal", "腿正常吗"])
def test_that_all_is_well_can_be_denied_or_asked(text: str) -> None:
    assert scan(text, LEXICON).danger_check


@pytest.mark.parametrize("request_", LEXICON.requests, ids=lambda request: str(request.id))
def test_requests_are_found_and_denials_are_none(request_: Request) -> None:
    def asked(text: str) -> bool:
        return request_.id in [one.request.id for one in scan(text, LEXICON).requests]

    assert [text for text in request_.fires_for if not asked(text)] == []
    assert [text for text in request_.quiet_for if asked(text)] == []


def test_a_list_that_nothing_denies_is_positive() -> None:
    found = {one.concept.id: one.status for one in scan("头痛、发热、出血", LEXICON).concepts}
    assert found["BLEED"] is Status.POSITIVE


def test_what_is_left_over_is_what_nothing_explains() -> None:
    assert scan("请问下次什么时候打针", LEXICON).leftover == ""
    assert "北京" in scan("下次什么时候打针,我要去北京", LEXICON).leftover


def test_the_most_urgent_positive_concept_names_the_text() -> None:
    findings = scan("发烧,还说不出话", LEXICON)
    assert next(one.concept.id for one in findings.concepts if one.status is Status.POSITIVE) == "STROKE"
    assert findings.tell == "triage.red_120.stroke"


def test_the_words_that_were_found_are_kept() -> None:
    (found,) = scan("黑便,又是黑便,大便发黑", LEXICON).concepts
    assert found.words == ("黑便", "大便发黑")


def test_spaces_between_chinese_signs_and_long_letters_are_removed() -> None:
    assert normalise("胸 口 痛 stoool") == "胸口痛 stool"


@given(st.text(max_size=120))
@settings(max_examples=150, deadline=None)
def test_no_text_is_an_error(text: str) -> None:
    findings = scan(text, LEXICON)
    assert findings.urgency_if_so.rank >= findings.urgency.rank


@given(st.lists(st.sampled_from([*HARMLESS, *DENIED]), max_size=4))
@settings(max_examples=60, deadline=None)
def test_a_danger_in_its_own_sentence_is_found_whatever_stands_before(parts: list[str]) -> None:
    assert scan("。".join([*parts, "我胸口痛"]), LEXICON).urgency is CALL


def test_a_long_text_is_searched_to_its_end() -> None:
    assert scan("今天天气很好。" * 700 + "我晕倒了", LEXICON).urgency is CALL


# Texts that a tester or a stuck key could send, each as long as Telegram lets a message be.
HOSTILE = [
    "胸痛", "左腿肿痛麻", "头痛,", "马桶红", "没有头痛、", "不是没有", "他不头痛了如果发烧血", "38.5度", "一二三百",
    "head pain ", "fever or ", "if i bleed ", "hit head ", "passed out in the ", "dad isn't ", "a b ",
    "".join(word for part in LEXICON.parts for word in part.zh),
    " ".join(word for part in LEXICON.parts for word in part.en),
]  # fmt: skip


def calls_in(text: str) -> int:
    """Return how many functions are called while a text is judged: a measure that no busy machine disturbs."""
    counted = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal counted
        counted += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        scan(text, LEXICON)
    finally:
        sys.setprofile(None)
    return counted


@pytest.mark.parametrize("piece", HOSTILE, ids=lambda piece: piece[:12])
def test_a_text_that_repeats_itself_without_end_is_judged_soon(piece: str) -> None:
    text = (piece * 4096)[:4096]
    assert calls_in(text) < 600_000
    assert calls_in(text) < 3 * calls_in(text[:2048]) + 10_000, "twice as long, about twice the work"


def test_a_danger_that_repeats_itself_without_end_stays_one() -> None:
    assert scan("胸痛" * 2048, LEXICON).urgency is CALL
    assert scan("没有头痛、" * 500 + "。我胸口痛", LEXICON).urgency is CALL


@given(st.lists(st.sampled_from("头胸肚腿痛黑血不没有点如果老婆去年好了,。、 abcno"), max_size=200).map("".join))
@settings(max_examples=150, deadline=None)
def test_pieces_of_words_are_never_an_error(text: str) -> None:
    findings = scan(text, LEXICON)
    assert findings.danger_check == (findings.urgency_if_so.is_red and not findings.urgency.is_red)
